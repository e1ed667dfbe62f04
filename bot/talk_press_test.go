package main

import (
	"slices"

	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

// pressed is a button as somebody saw it.
type pressed struct{ Channel, TS, ActionID, Value string }

// remember keeps what a button was when somebody pressed it.
func (k *talk) remember(b talkButton, label string) {
	look := func(m slacksim.Message) {
		if n := slices.IndexFunc(m.Buttons, func(o slacksim.Button) bool { return o.Label == label }); m.TS == b.ts && n >= 0 {
			k.last = pressed{b.channel, b.ts, m.Buttons[n].ActionID, m.Buttons[n].Value}
		}
	}
	k.everywhere(func(_ string, m slacksim.Message) { look(m) })
	k.directly(func(_ string, m slacksim.Message) { look(m) })
}

// pressAgain presses the last button once more, as whoever has not seen yet what came of it.
func (k *talk) pressAgain(m []string) error {
	var a slacksim.Answer
	err := k.call("", "POST", "/sim/slack/click", map[string]string{"user": m[0], "channel": k.last.Channel, "ts": k.last.TS, "action_id": k.last.ActionID, "value": k.last.Value}, &a)
	if err == nil {
		k.answered(m[0], k.last.Channel, a)
	}
	return err
}

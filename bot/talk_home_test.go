package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

// homeLines are what people do on the bot's own pages in Slack.
var homeLines = []talkLine{
	{form: talkForm(`(\w+) opens (?:her|his) Home tab`), do: func(k *talk, m []string) error {
		var v slacksim.HomeView
		err := k.call("", "POST", "/sim/slack/home", map[string]string{"user": m[0]}, &v)
		if err == nil {
			k.write("", talkHome(v))
		}
		return err
	}},
	{form: talkForm(`what signalbox said at its start`), looks: true, do: func(k *talk, _ []string) error {
		k.out.WriteString(k.hello)
		return nil
	}},
	{form: talkForm(`(\w+) looks at (?:her|his) Home tab again`), looks: true, do: func(k *talk, m []string) error {
		v, err := k.home(m[0])
		if err == nil {
			k.write("", talkHome(v))
		}
		return err
	}},
	{form: talkForm(`(\w+) presses ([\p{L}\w …-]+?) on (?:her|his) Home tab(?:, of (.+))?`), do: (*talk).pressHome},
	{form: talkForm(`(\w+) takes the shortcut (.+?)(?: on “(.+)” in #(\w+))?`), do: (*talk).shortcut},
}

func (k *talk) home(who string) (v slacksim.HomeView, err error) {
	err = k.call("", "GET", "/sim/slack/home?user="+url.QueryEscape(who), nil, &v)
	return v, err
}

// pressHome presses a button, with of that below the text that says so.
func (k *talk) pressHome(m []string) error {
	v, err := k.home(m[0])
	if err != nil {
		return err
	}
	var blocks []talkHomeBlock
	k.must(json.Unmarshal(v.Blocks, &blocks), "read the Home tab of %s", m[0])
	said := m[2] == ""
	for _, b := range blocks {
		if b.Type == "section" && m[2] != "" {
			said = strings.Contains(b.Text.Text, m[2])
		}
		i := slices.IndexFunc(b.buttons(), func(e talkHomeElement) bool { return e.Text.Text == m[1] })
		if !said || i < 0 {
			continue
		}
		var a slacksim.Answer
		err := k.call("", "POST", "/sim/slack/click", map[string]any{"user": m[0], "home": true, "action_id": b.buttons()[i].ActionID, "value": b.buttons()[i].Value}, &a)
		if err == nil {
			k.answered(m[0], "@signalbox", a)
		}
		return err
	}
	return fmt.Errorf("there is no button %q on the Home tab", m[1])
}

func (k *talk) shortcut(m []string) error {
	in := map[string]string{"user": m[0]}
	for _, s := range sandboxShortcuts() {
		if s.Name == m[1] {
			in["callback_id"] = s.CallbackID
		}
	}
	if m[3] != "" {
		in["channel"] = m[3]
		for _, msg := range k.history(m[3], "") {
			if strings.Contains(msg.Text, m[2]) {
				in["ts"] = msg.TS
			}
		}
	}
	var a slacksim.Answer
	err := k.call("", "POST", "/sim/slack/shortcut", in, &a)
	if err == nil {
		k.answered(m[0], "@signalbox", a)
	}
	return err
}

type talkHomeElement struct {
	ActionID string `json:"action_id"`
	Value    string
	Text     struct{ Text string }
}

type talkHomeBlock struct {
	Type     string
	Text     struct{ Text string }
	Elements json.RawMessage // of other shapes where they are no buttons
}

func (b talkHomeBlock) buttons() (out []talkHomeElement) {
	if b.Type == "actions" {
		_ = json.Unmarshal(b.Elements, &out) // Slack has checked it
	}
	return out
}

// talkHome is a Home tab as it is seen, with each button where it stands.
func talkHome(v slacksim.HomeView) []string {
	var all []json.RawMessage
	if json.Unmarshal(v.Blocks, &all) != nil || len(all) == 0 {
		return []string{"nothing"}
	}
	var out []string
	for _, raw := range all {
		var b talkHomeBlock
		_ = json.Unmarshal(raw, &b) // texts of other shapes are read below
		one := json.RawMessage("[" + string(raw) + "]")
		switch b.Type {
		case "header":
			out = append(out, "== "+b.Text.Text)
		case "actions":
			var labels []string
			for _, e := range b.buttons() {
				labels = append(labels, "["+e.Text.Text+"]")
			}
			out = append(out, "  "+strings.Join(labels, " "))
		default:
			out = append(out, talkBlocks(one, nil)...)
		}
	}
	return out
}

package slacksim

import (
	"context"
	"slices"
	"strings"
)

// Shortcuts are those of the app's manifest.
func (s *Sim) Shortcuts() []Shortcut { return slices.Clone(s.cfg.Shortcuts) }

// Shortcut takes a shortcut of the app by its callback id: one of the ⚡ menu,
// which knows no channel and can be answered by no response_url; or one of a
// message's menu, on the message with that channel and ts. The bot need not be in
// that channel. It returns as Say does.
func (s *Sim) Shortcut(ctx context.Context, user, callbackID, channel, ts string) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	a := &act{nowhere: true}
	var e envelope
	err := s.change(func(t *tx) (err error) {
		u, err := s.user(user)
		if err != nil {
			return err
		}
		sc, err := s.shortcutNamed(callbackID)
		if err != nil {
			return err
		}
		a.user = u.ID
		var p object
		if sc.Message {
			p, err = s.messageAction(t, a, u, channel, ts)
		} else {
			s.begin(t, a, "")
			p = s.interaction("shortcut", a, u)
		}
		if err != nil {
			return err
		}
		p["callback_id"], p["action_ts"] = sc.CallbackID, t.ts()
		e = envelope{Type: "interactive", Payload: encodeJSON(p)}
		return nil
	})
	defer s.endAct(a)
	if err != nil {
		return Answer{}, err
	}
	_, d, err := s.send(ctx, e, "the shortcut")
	if err != nil {
		return Answer{}, err
	}
	d.TriggerID = a.trigger
	return s.collect(ctx, a, []Delivery{d}, "")
}

func (s *Sim) shortcutNamed(callbackID string) (Shortcut, error) {
	var names []string
	for _, sc := range s.cfg.Shortcuts {
		if sc.CallbackID == callbackID {
			return sc, nil
		}
		names = append(names, sc.CallbackID)
	}
	return Shortcut{}, refuse("no_such_shortcut", "the app has no shortcut %q; there is %s", callbackID, strings.Join(names, ", "))
}

// messageAction is the payload of a shortcut on a message. What only one person
// sees has no such menu.
func (s *Sim) messageAction(t *tx, a *act, u User, channel, ts string) (object, error) {
	c, err := s.room(nil, u, channel)
	switch {
	case err != nil:
		return nil, err
	case !c.has(u.ID):
		return nil, refuse("not_in_channel", "%s is not in %s", u.Name, c.Name)
	}
	m := s.book.messages[c.ID+"/"+ts]
	if m == nil || m.To != "" {
		return nil, refuse("message_not_found", "no message %s in %s", ts, c.Name)
	}
	a.channel = c.ID
	if m.inThread() {
		a.thread = m.ThreadTS
	}
	s.begin(t, a, "")
	p := s.interaction("message_action", a, u)
	name := c.Name
	if c.IM != "" {
		name = "directmessage"
	}
	p["channel"], p["message"], p["message_ts"] = object{"id": c.ID, "name": name}, s.wireMessage(m, true), m.TS
	p["response_url"] = s.base + "/response/" + a.token
	return p, nil
}

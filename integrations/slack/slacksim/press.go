package slacksim

import (
	"context"
	"fmt"
	"slices"
)

// Click presses the button called label in a message that the person can see,
// an ephemeral one too, and accepts Slack's own confirm dialog. A button that is
// a link can only be followed and is refused.
func (s *Sim) Click(ctx context.Context, user, channel, ts, label string) (Answer, error) {
	return s.press(ctx, user, channel, ts, fmt.Sprintf("called %q", label), func(e object) bool {
		return e["type"] == "button" && str(e, "text", "text") == label
	}, "")
}

// ClickAction uses the element with that action id. For a button an empty value
// fits any; for a menu, value is that of the option chosen. A button with a value
// that the message once had can be pressed too, as by somebody whose client has
// not drawn the edit yet.
func (s *Sim) ClickAction(ctx context.Context, user, channel, ts, actionID, value string) (Answer, error) {
	return s.press(ctx, user, channel, ts, fmt.Sprintf("with action %q and value %q", actionID, value), func(e object) bool {
		return str(e, "action_id") == actionID && (e["type"] != "button" || value == "" || str(e, "value") == value)
	}, value)
}

func (s *Sim) press(ctx context.Context, user, channel, ts, what string, fits func(object) bool, value string) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	a := &act{}
	var e envelope
	err := s.change(func(t *tx) error {
		u, c, err := s.enter(t, user, channel)
		if err != nil {
			return err
		}
		m := s.book.messages[c.ID+"/"+ts]
		if m == nil || m.To != "" && m.To != u.ID {
			return refuse("message_not_found", "%s sees no message %s in %s", u.Name, ts, c.Name)
		}
		all := controls(m.Blocks)
		i := slices.IndexFunc(all, func(x control) bool { return fits(x.element) })
		for n := len(m.Was) - 1; i < 0 && value != "" && n >= 0; n-- {
			all = controls(m.Was[n])
			i = slices.IndexFunc(all, func(x control) bool { return x.element["type"] == "button" && fits(x.element) })
		}
		if i < 0 {
			return refuse("no_such_button", "no button %s in message %s", what, ts)
		}
		if link := str(all[i].element, "url"); link != "" {
			return refuse("link_button", "that button is a link to %s", link)
		}
		action, err := actionOf(all[i], value)
		if err != nil {
			return err
		}
		action["action_ts"] = t.ts()
		a.user, a.channel = u.ID, c.ID
		if m.inThread() {
			a.thread = m.ThreadTS
		}
		s.begin(t, a, m.TS)
		e = s.actions(a, u, c, m, action)
		return nil
	})
	defer s.endAct(a)
	if err != nil {
		return Answer{}, err
	}
	_, d, err := s.send(ctx, e, "the button")
	if err != nil {
		return Answer{}, err
	}
	d.TriggerID = a.trigger
	return s.collect(ctx, a, []Delivery{d}, ts)
}

// actions is the block_actions payload. An ephemeral message is not in it: Slack
// does not keep those.
func (s *Sim) actions(a *act, u User, c *channel, m *message, action object) envelope {
	container := object{"type": "message", "message_ts": m.TS, "channel_id": c.ID, "is_ephemeral": m.To != ""}
	name := c.Name
	if c.IM != "" {
		name = "directmessage"
	}
	p := s.interaction("block_actions", a, u)
	p["container"], p["channel"], p["actions"] = container, object{"id": c.ID, "name": name}, []any{action}
	p["state"], p["response_url"] = object{"values": object{}}, s.base+"/response/"+a.token
	if m.To == "" {
		p["message"] = s.wireMessage(m, true)
	}
	if m.inThread() {
		container["thread_ts"] = m.ThreadTS
	}
	return envelope{Type: "interactive", Payload: encodeJSON(p)}
}

// interaction is what all interactive payloads have.
func (s *Sim) interaction(kind string, a *act, u User) object {
	return object{
		"type": kind, "token": "verification", "trigger_id": a.trigger, "api_app_id": s.cfg.AppID,
		"team":       object{"id": s.cfg.TeamID, "domain": s.cfg.TeamName},
		"user":       object{"id": u.ID, "username": u.Name, "name": u.Name, "team_id": s.teamOf(u)},
		"enterprise": nil, "is_enterprise_install": false,
	}
}

// actionOf is one entry of a payload's actions.
func actionOf(c control, value string) (object, error) {
	kind := str(c.element, "type")
	out := object{"type": kind, "action_id": str(c.element, "action_id"), "block_id": str(c.block, "block_id")}
	if kind == "button" {
		out["text"] = c.element["text"]
		for _, f := range []string{"value", "style"} {
			if c.element[f] != nil {
				out[f] = c.element[f]
			}
		}
		return out, nil
	}
	state, err := fill(c.element, split(kind, value))
	if err != nil {
		return nil, err
	}
	for k, v := range state {
		out[k] = v
	}
	return out, nil
}

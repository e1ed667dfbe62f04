package slacksim

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
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
// fits any; for a menu, value is that of the option chosen.
func (s *Sim) ClickAction(ctx context.Context, user, channel, ts, actionID, value string) (Answer, error) {
	return s.press(ctx, user, channel, ts, fmt.Sprintf("with action %q and value %q", actionID, value), func(e object) bool {
		return str(e, "action_id") == actionID && (e["type"] != "button" || value == "" || str(e, "value") == value)
	}, value)
}

func (s *Sim) press(ctx context.Context, user, channel, ts, what string, fits func(object) bool, value string) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, actLimit)
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

// Submit fills in and submits a modal. Values go by block id, action id or the
// field's label; what is not given keeps what it was prefilled with. The values
// of a multiple choice are separated by commas. A refusal of the bot's is an
// error with its text, and the modal stays open.
func (s *Sim) Submit(ctx context.Context, user, viewID string, values map[string]string) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, actLimit)
	defer cancel()
	a := &act{}
	var e envelope
	err := s.change(func(t *tx) error {
		u, v, err := s.opened(user, viewID)
		if err != nil {
			return err
		}
		state, err := v.state(values)
		if err != nil {
			return err
		}
		a.user = u.ID
		s.begin(t, a, "")
		p := s.interaction("view_submission", a, u)
		p["view"], p["response_urls"] = s.wireView(v, state), []any{}
		e = envelope{Type: "interactive", Accepts: true, Payload: encodeJSON(p)}
		return nil
	})
	defer s.endAct(a)
	if err != nil {
		return Answer{}, err
	}
	ack, d, err := s.send(ctx, e, "the modal")
	if err != nil {
		return Answer{}, err
	}
	d.TriggerID = a.trigger
	if err := s.submitted(a, viewID, ack); err != nil {
		return Answer{}, err
	}
	return s.collect(ctx, a, []Delivery{d}, "")
}

func (s *Sim) opened(user, viewID string) (User, *viewState, error) {
	u, err := s.user(user)
	if err != nil {
		return u, nil, err
	}
	v := s.book.views[viewID]
	if v == nil || v.User != u.ID {
		return u, nil, refuse("view_not_found", "%s has no modal %s open", u.Name, viewID)
	}
	return u, v, nil
}

// submitted does what the acknowledgement of a modal asks for.
func (s *Sim) submitted(a *act, viewID string, ack json.RawMessage) error {
	var r struct {
		Action string            `json:"response_action"`
		Errors map[string]string `json:"errors"`
		View   json.RawMessage   `json:"view"`
	}
	if len(ack) > 0 && json.Unmarshal(ack, &r) != nil {
		r.Action = "unreadable"
	}
	wrong := ""
	err := s.change(func(t *tx) error {
		v := s.book.views[viewID]
		if v == nil {
			return nil
		}
		switch r.Action {
		case "":
			t.dropView(v)
		case "clear":
			for _, x := range s.stack(v.User) {
				t.dropView(x)
			}
		case "errors":
			v.Errors = r.Errors
			t.put(bucketViews, v.ID, v)
			return v.refusal()
		case "update", "push":
			return s.advance(t, a, v, r.Action, r.View)
		default:
			wrong = r.Action
		}
		return nil
	})
	if wrong != "" {
		s.violate("a modal was acknowledged with the unknown response_action %q", wrong)
	}
	if e := (*apiError)(nil); err != nil && !isRefusal(err) {
		e = asAPIError(err)
		s.violate("the view in a modal's acknowledgement: %s", e)
		return refuse("invalid_view", "the modal failed: %s", e)
	}
	return err
}

func isRefusal(err error) bool { _, ok := err.(*Refusal); return ok }

// advance replaces a modal, or lays another on top.
func (s *Sim) advance(t *tx, a *act, v *viewState, how string, raw json.RawMessage) error {
	if how == "update" {
		if err := t.readView(raw, "modal", v); err != nil {
			return err
		}
		t.put(bucketViews, v.ID, v)
		a.view = v.ID
		return nil
	}
	n := &viewState{User: v.User, Previous: v.ID, Root: v.Root}
	if err := t.readView(raw, "modal", n); err != nil {
		return err
	}
	if len(s.stack(v.User)) >= maxStack {
		return &apiError{Code: "push_limit_reached"}
	}
	t.showView(n)
	a.view = n.ID
	return nil
}

// refusal is what the bot found wrong in a modal, with the labels people see.
func (v *viewState) refusal() error {
	var lines []string
	for id, text := range v.Errors {
		name := id
		for _, c := range controls(v.Blocks) {
			if str(c.block, "block_id") == id {
				name = label(c.block)
			}
		}
		lines = append(lines, name+": "+text)
	}
	slices.Sort(lines)
	return &Refusal{Code: "invalid_values", Text: strings.Join(lines, "; ")}
}

// state fills in the view's state.values.
func (v *viewState) state(values map[string]string) (object, error) {
	out := object{}
	used := map[string]bool{}
	for _, c := range controls(v.Blocks) {
		kind := str(c.element, "type")
		if kind == "button" || kind == "overflow" {
			continue
		}
		block, action := str(c.block, "block_id"), str(c.element, "action_id")
		chosen := initial(c.element)
		for _, k := range []string{label(c.block), action, block} {
			if x, ok := values[k]; ok && k != "" {
				chosen = split(kind, x)
				used[k] = true
			}
		}
		optional, _ := c.block["optional"].(bool)
		if len(chosen) == 0 && c.block["type"] == "input" && !optional {
			return nil, refuse("missing_value", "%s: please complete this required field", label(c.block))
		}
		state, err := fill(c.element, chosen)
		if err != nil {
			return nil, err
		}
		in, _ := out[block].(object)
		if in == nil {
			in = object{}
			out[block] = in
		}
		state["type"] = kind
		in[action] = state
	}
	for k := range values {
		if !used[k] {
			return nil, refuse("no_such_field", "the modal has no field %q", k)
		}
	}
	return out, nil
}

// split separates the values of a multiple choice.
func split(kind, value string) []string {
	switch {
	case value == "":
		return nil
	case kind == "checkboxes" || strings.HasPrefix(kind, "multi_"):
		var out []string
		for _, v := range strings.Split(value, ",") {
			out = append(out, strings.TrimSpace(v))
		}
		return out
	}
	return []string{value}
}

// initial is what an element is prefilled with.
func initial(e object) []string {
	var out []string
	if o, _ := e["initial_option"].(object); o != nil {
		out = append(out, str(o, "value"))
	}
	if list, _ := e["initial_options"].([]any); list != nil {
		for _, x := range list {
			o, _ := x.(object)
			out = append(out, str(o, "value"))
		}
	}
	for _, f := range []string{"initial_value", "initial_user", "initial_channel", "initial_conversation", "initial_date", "initial_time"} {
		if v := str(e, f); v != "" {
			out = append(out, v)
		}
	}
	return out
}

// singles names where the state keeps what a person chose.
var singles = map[string]string{
	"plain_text_input": "value", "number_input": "value", "email_text_input": "value", "url_text_input": "value",
	"users_select": "selected_user", "channels_select": "selected_channel", "conversations_select": "selected_conversation",
	"datepicker": "selected_date", "timepicker": "selected_time", "datetimepicker": "selected_date_time",
}

// fill is the state of one element with those values chosen.
func fill(e object, values []string) (object, error) {
	kind := str(e, "type")
	if field, ok := singles[kind]; ok {
		if len(values) == 0 {
			return object{field: nil}, nil
		}
		return object{field: values[0]}, fits(e, values[0])
	}
	if strings.HasPrefix(kind, "multi_") && kind != "multi_static_select" {
		field := "selected_" + strings.TrimSuffix(strings.TrimPrefix(kind, "multi_"), "_select")
		return object{field: append([]string{}, values...)}, nil
	}
	chosen := []any{}
	for _, v := range values {
		all := optionObjects(e)
		i := slices.IndexFunc(all, func(o object) bool { return str(o, "value") == v })
		if i < 0 {
			i = slices.IndexFunc(all, func(o object) bool { return str(o, "text", "text") == v })
		}
		if i < 0 {
			return nil, refuse("no_such_option", "%q is not among the choices", v)
		}
		chosen = append(chosen, all[i])
	}
	switch {
	case kind == "checkboxes" || kind == "multi_static_select":
		return object{"selected_options": chosen}, nil
	case len(chosen) == 0:
		return object{"selected_option": nil}, nil
	}
	return object{"selected_option": chosen[0]}, nil
}

// fits checks a typed text against the element's length.
func fits(e object, value string) error {
	n := float64(utf8.RuneCountInString(value))
	least, _ := e["min_length"].(float64)
	most, bound := e["max_length"].(float64)
	if n < least || bound && n > most || n > 3000 {
		return refuse("invalid_length", "a text of %.0f characters does not fit", n)
	}
	return nil
}

// CloseView closes a modal without submitting it.
func (s *Sim) CloseView(ctx context.Context, user, viewID string) error {
	ctx, cancel := context.WithTimeout(ctx, actLimit)
	defer cancel()
	a := &act{}
	var e *envelope
	err := s.change(func(t *tx) error {
		u, v, err := s.opened(user, viewID)
		if err != nil {
			return err
		}
		t.dropView(v)
		if v.NotifyOnClose {
			a.user = u.ID
			p := s.interaction("view_closed", a, u)
			p["view"], p["is_cleared"] = s.wireView(v, nil), false
			e = &envelope{Type: "interactive", Payload: encodeJSON(p)}
		}
		return nil
	})
	if err != nil || e == nil {
		return err
	}
	_, _, err = s.send(ctx, *e, "the modal")
	return err
}

// OpenHome opens the bot's home tab: the bot is told by app_home_opened.
func (s *Sim) OpenHome(_ context.Context, user string) error {
	return s.change(func(t *tx) error {
		u, err := s.user(user)
		if err != nil {
			return err
		}
		c := s.openIM(t, u.ID)
		s.emit(t, "app_home_opened", map[string]any{
			"type": "app_home_opened", "user": u.ID, "channel": c.ID, "tab": "home", "event_ts": t.ts(),
		})
		return nil
	})
}

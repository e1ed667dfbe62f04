package slacksim

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
)

// Submit fills in and submits a modal. Values go by block id, action id or the
// field's label; what is not given keeps what it was prefilled with. The values
// of a multiple choice are separated by commas. A refusal of the bot's is an
// error with its text, and the modal stays open.
func (s *Sim) Submit(ctx context.Context, user, viewID string, values map[string]string) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	a := &act{nowhere: true}
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

// CloseView closes a modal without submitting it.
func (s *Sim) CloseView(ctx context.Context, user, viewID string) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Patience)
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

package slacksim

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// HomeView is what the bot published for one person.
type HomeView struct {
	ViewID  string          `json:"view_id"` // "" when nothing was published
	Hash    string          `json:"hash"`
	Blocks  json.RawMessage `json:"blocks"`
	Buttons []Button        `json:"buttons"`
}

// Home is a person's Home tab as they would see it, without opening it.
func (s *Sim) Home(user string) (HomeView, error) {
	u, err := s.user(user)
	if err != nil {
		return HomeView{}, err
	}
	var out HomeView
	err = s.view(func() error {
		out = s.homeOf(u)
		return nil
	})
	return out, err
}

// homeOf is the Home tab of a person. The lock is held.
func (s *Sim) homeOf(u User) HomeView {
	v := s.book.homes[u.ID]
	if v == nil {
		return HomeView{Blocks: json.RawMessage("[]"), Buttons: []Button{}}
	}
	return HomeView{ViewID: v.ID, Hash: v.Hash, Blocks: blocksOf(&message{Blocks: v.Blocks}), Buttons: buttonsOf(v.Blocks)}
}

// OpenHome opens the bot's Home tab: the bot is told by app_home_opened, and with
// what it published before, if it did. It returns what stands there when the bot
// has decided and published, or Quiet after it has decided; five seconds at most.
func (s *Sim) OpenHome(ctx context.Context, user string) (HomeView, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	var u User
	var e *event
	was := ""
	err := s.change(func(t *tx) (err error) {
		switch u, err = s.user(user); {
		case err != nil:
			return err
		case u.Bot || u.OtherTeam != "":
			return refuse("no_home", "%s is nobody of this workspace", u.Name)
		case s.cfg.NoHome:
			return refuse("no_home", "the app has no Home tab")
		}
		inner := map[string]any{
			"type": "app_home_opened", "user": u.ID, "channel": s.openIM(t, u.ID).ID, "tab": "home", "event_ts": t.ts(),
		}
		if v := s.book.homes[u.ID]; v != nil {
			was, inner["view"] = v.Hash, s.wireView(v, nil)
		}
		e = s.emit(t, "app_home_opened", inner)
		return nil
	})
	if err != nil || e == nil { // nobody was told
		home, failed := s.Home(user)
		if err == nil {
			err = failed
		}
		return home, err
	}
	select {
	case <-e.done:
	case <-ctx.Done():
	}
	s.mu.Lock()
	last := e.last
	s.mu.Unlock()
	if last.EnvelopeID != "" {
		s.decided(ctx, []Delivery{last})
		s.untilPublished(ctx, u, was)
	}
	return s.Home(user)
}

// untilPublished waits until a person's Home tab is another than it was, or
// nothing has come of it for Quiet.
func (s *Sim) untilPublished(ctx context.Context, u User, was string) {
	quiet := time.NewTimer(s.cfg.Quiet)
	defer quiet.Stop()
	for {
		s.mu.Lock()
		changed, now := s.changed, s.homeOf(u).Hash
		s.mu.Unlock()
		if now != was {
			return
		}
		select {
		case <-changed:
			continue
		case <-quiet.C:
		case <-ctx.Done():
		case <-s.stop.Done():
		}
		return
	}
}

// ClickHome presses the button called label on a person's Home tab; ClickHomeAction
// the one with that action id and value, where an empty value fits any.
func (s *Sim) ClickHome(ctx context.Context, user, label string) (Answer, error) {
	return s.pressHome(ctx, user, fmt.Sprintf("called %q", label), func(e object) bool {
		return e["type"] == "button" && str(e, "text", "text") == label
	}, "")
}

// ClickHomeAction see ClickHome.
func (s *Sim) ClickHomeAction(ctx context.Context, user, actionID, value string) (Answer, error) {
	return s.pressHome(ctx, user, fmt.Sprintf("with action %q and value %q", actionID, value), func(e object) bool {
		return str(e, "action_id") == actionID && (e["type"] != "button" || value == "" || str(e, "value") == value)
	}, value)
}

// pressHome is a press that has neither a channel nor a message nor a response_url.
func (s *Sim) pressHome(ctx context.Context, user, what string, fits func(object) bool, value string) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	a := &act{nowhere: true}
	var e envelope
	err := s.change(func(t *tx) error {
		u, err := s.user(user)
		if err != nil {
			return err
		}
		v := s.book.homes[u.ID]
		if v == nil {
			return refuse("view_not_found", "%s has no Home tab yet", u.Name)
		}
		all := controls(v.Blocks)
		i := slices.IndexFunc(all, func(x control) bool { return fits(x.element) })
		if i < 0 {
			return refuse("no_such_button", "no button %s on the Home tab of %s", what, u.Name)
		}
		if link := str(all[i].element, "url"); link != "" {
			return refuse("link_button", "that button is a link to %s", link)
		}
		action, err := actionOf(all[i], value)
		if err != nil {
			return err
		}
		action["action_ts"] = t.ts()
		a.user = u.ID
		s.begin(t, a, "")
		p := s.interaction("block_actions", a, u)
		p["container"], p["actions"] = object{"type": "view", "view_id": v.ID}, []any{action}
		p["view"] = s.wireView(v, nil)
		e = envelope{Type: "interactive", Payload: encodeJSON(p)}
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
	return s.collect(ctx, a, []Delivery{d}, "")
}

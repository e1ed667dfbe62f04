package slacksim

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"
)

// act is what a person did and is waiting for an answer to.
type act struct {
	user, channel, thread string
	trigger, token        string
	// What came back: an ephemeral message, or the bot's in a direct one, and a
	// modal. The bot's first public word in the channel ends the waiting when
	// nobody tells us what was decided.
	response string // its key
	view     string
	viewHash string
	public   bool
	direct   bool
	// nowhere says that it was done in no channel: the answer is a direct message.
	nowhere bool
}

// trigger is one trigger_id: usable once, for TriggerLife.
type trigger struct {
	user string
	born time.Time
	used bool
	act  *act
}

// at reports whether what is said in a channel may answer the act. A modal is
// submitted nowhere in particular.
func (a *act) at(channel string) bool { return a.channel == "" || a.channel == channel }

// begin registers an act: with a trigger and a response_url if it has them.
func (s *Sim) begin(t *tx, a *act, source string) {
	s.acts = append(s.acts, a)
	if c := s.book.channels[a.channel]; c != nil {
		a.direct = c.IM != ""
	}
	a.trigger = t.id("") + ".1.signalbox"
	s.tidy(t)
	s.triggers[a.trigger] = &trigger{user: a.user, born: s.wall(), act: a}
	if a.channel == "" {
		return
	}
	a.token = t.id("R")
	r := &responseURL{
		Token: a.token, User: a.user, Channel: a.channel, ThreadTS: a.thread, Source: source,
		Expires: s.cfg.Clock.Now().Add(30 * time.Minute),
	}
	s.book.responses[a.token] = r
	t.put(bucketResponses, a.token, r)
}

// tidy drops what has run out, when there is much of it. The lock is held.
func (s *Sim) tidy(t *tx) {
	if len(s.triggers) < max(s.tidyAt, 1024) {
		return
	}
	for id, old := range s.triggers {
		if s.wall().Sub(old.born) > s.cfg.TriggerLife {
			delete(s.triggers, id)
		}
	}
	now := s.cfg.Clock.Now()
	for id, r := range s.book.responses {
		if now.After(r.Expires) {
			delete(s.book.responses, id)
			t.del(bucketResponses, id)
		}
	}
	s.tidyAt = 2 * len(s.triggers)
}

func (s *Sim) endAct(a *act) {
	s.mu.Lock()
	s.acts = slices.DeleteFunc(s.acts, func(x *act) bool { return x == a })
	s.mu.Unlock()
}

// answered notes a private message as the answer to an act. With no act given it
// answers the oldest one of that person in that channel that has none. The lock
// is held.
func (s *Sim) answered(a *act, m *message) {
	if a == nil {
		for _, x := range s.acts {
			if x.user == m.To && x.at(m.Channel) && x.response == "" {
				a = x
				break
			}
		}
	}
	if a != nil && a.response == "" {
		a.response = m.key()
	}
}

// spoke notes that the bot said something in a channel. The lock is held.
func (s *Sim) spoke(m *message) {
	for _, a := range s.acts {
		if !a.at(m.Channel) && !a.nowhere {
			continue
		}
		a.public = true
		c := s.book.channels[m.Channel]
		if (a.direct || a.nowhere && c != nil && c.IM == a.user) && a.response == "" {
			a.response = m.key()
		}
	}
}

// touched notes that the bot changed a message. The lock is held.
func (s *Sim) touched(m *message) {
	for _, a := range s.acts {
		a.public = a.public || a.at(m.Channel)
	}
}

// actOf finds the act of a response_url. The lock is held.
func (s *Sim) actOf(token string) *act {
	for _, a := range s.acts {
		if a.token == token {
			return a
		}
	}
	return nil
}

// collect waits until the bot has decided and for what it answers in private.
func (s *Sim) collect(ctx context.Context, a *act, ds []Delivery, ts string) (Answer, error) {
	s.decided(ctx, ds)
	quiet := time.NewTimer(s.cfg.Quiet)
	defer quiet.Stop()
	for {
		s.mu.Lock()
		changed, done := s.changed, a.response != "" || s.cfg.Decided == nil && a.public
		view := a.view
		if v := s.book.views[view]; v != nil && v.Hash != a.viewHash {
			// A modal may first say that it is loading; give it a moment to settle.
			a.viewHash, done = v.Hash, false
			quiet.Reset(min(s.cfg.Quiet, 200*time.Millisecond))
		}
		s.mu.Unlock()
		if done {
			break
		}
		select {
		case <-changed:
			continue
		case <-quiet.C:
		case <-ctx.Done():
		case <-s.stop.Done():
		}
		break
	}
	return s.answer(a, ts)
}

// decided waits until the bot has decided one of the deliveries of an act. A
// mention is two events, of which a bot drops one.
func (s *Sim) decided(ctx context.Context, ds []Delivery) {
	if s.cfg.Decided == nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var asking sync.WaitGroup
	for _, d := range ds {
		asking.Go(func() {
			err := s.cfg.Decided(ctx, d)
			if err != nil && ctx.Err() == nil {
				s.cfg.Log.Debug("not decided", "delivery", d, "error", err)
			}
			if err == nil {
				cancel()
			}
		})
	}
	asking.Wait()
}

func (s *Sim) answer(a *act, ts string) (Answer, error) {
	out := Answer{OK: true, TS: ts}
	err := s.view(func() error {
		if m := s.book.messages[a.response]; m != nil {
			out.Response = &Response{Text: m.Text, Blocks: blocksOf(m), Buttons: buttonsOf(m.Blocks), TS: m.TS}
		}
		if v := s.book.views[a.view]; v != nil {
			out.Modal = v.modal()
		}
		return nil
	})
	return out, err
}

// send delivers a command, a click or a modal, whose failure the person sees.
func (s *Sim) send(ctx context.Context, e envelope, what string) (json.RawMessage, Delivery, error) {
	f, err := s.dispatch(e)
	if err != nil {
		return nil, Delivery{}, refuse("dispatch_failed", "%s failed with the error \"dispatch_failed\"", what)
	}
	ack, err := s.await(ctx, f)
	if err != nil {
		return nil, Delivery{}, refuse("operation_timeout", "%s failed with the error \"operation_timeout\"", what)
	}
	return ack, Delivery{EnvelopeID: f.id, Kind: e.Type}, nil
}

package slacksim

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// retryDelays are the waits before the second, third and fourth try of an
// event, counted from the failure of the one before.
var retryDelays = []time.Duration{0, time.Minute, 5 * time.Minute}

// event is one event of the Events API that nobody has acknowledged yet. What
// is stored is the try to make next if we are killed during this one.
type event struct {
	ID      string
	Payload json.RawMessage
	Attempt int
	Reason  string
	Next    time.Time

	done chan struct{} // closed when the first try has ended
	last Delivery      // of the first try
}

// emit stores an event and sends it once the store has it. It returns nil when
// the app is not subscribed.
func (s *Sim) emit(t *tx, subscription string, inner map[string]any) *event {
	if !slices.Contains(s.cfg.Events, subscription) {
		return nil
	}
	now := s.cfg.Clock.Now()
	id := t.id("Ev")
	payload, err := json.Marshal(map[string]any{
		"token": "verification", "team_id": s.cfg.TeamID, "api_app_id": s.cfg.AppID,
		"type": "event_callback", "event_id": id, "event_time": now.Unix(), "event": inner,
		"event_context": "4-" + id, "is_ext_shared_channel": false,
		"authorizations": []any{map[string]any{
			"enterprise_id": nil, "team_id": s.cfg.TeamID, "user_id": s.cfg.BotUserID,
			"is_bot": true, "is_enterprise_install": false,
		}},
	})
	if err != nil {
		panic("encode event: " + err.Error())
	}
	e := &event{ID: id, Payload: payload, Attempt: 1, Reason: "timeout", Next: now, done: make(chan struct{})}
	s.book.events[id] = e
	t.put(bucketEvents, id, e)
	t.after = append(t.after, func() {
		if !s.goes(func() { s.deliver(e, 0) }) {
			close(e.done)
		}
	})
	return e
}

// resume goes on with an event found in the store: if its next try is overdue it
// is made when a socket is there, because it was we who were away.
func (s *Sim) resume(id string) {
	e := s.book.events[id]
	e.done = make(chan struct{})
	s.goes(func() {
		select {
		case <-s.firstSocket:
			s.deliver(e, e.Attempt)
		case <-s.stop.Done():
			close(e.done)
		}
	})
}

// deliver tries until somebody acknowledges or the tries are used up.
func (s *Sim) deliver(e *event, attempt int) {
	first := true
	finish := func() {
		if first {
			close(e.done)
			first = false
		}
	}
	defer finish()
	for ; attempt <= len(retryDelays); attempt++ {
		if attempt > 0 {
			if clock.Sleep(s.stop, s.cfg.Clock, e.Next.Sub(s.cfg.Clock.Now())) != nil {
				return
			}
			// If we are killed during this try, the next one follows.
			s.schedule(e, attempt)
		}
		err := s.try(e, attempt)
		if err == nil {
			s.forget(e)
			return
		}
		if errors.Is(err, context.Canceled) { // closing: it stays pending
			return
		}
		finish()
		s.schedule(e, attempt)
	}
	s.cfg.Log.Warn("slack gave up an event", "event", e.ID)
	s.forget(e)
}

// schedule stores the try after attempt.
func (s *Sim) schedule(e *event, attempt int) {
	_ = s.change(func(t *tx) error { // a failed write shows in every later answer
		e.Attempt = attempt + 1
		if attempt < len(retryDelays) {
			e.Next = s.cfg.Clock.Now().Add(retryDelays[attempt])
		}
		t.put(bucketEvents, e.ID, e)
		return nil
	})
}

func (s *Sim) forget(e *event) {
	_ = s.change(func(t *tx) error {
		delete(s.book.events, e.ID)
		t.del(bucketEvents, e.ID)
		return nil
	})
}

func (s *Sim) try(e *event, attempt int) error {
	env := envelope{Type: "events_api", Payload: e.Payload, Attempt: &attempt, Reason: new(string)}
	if attempt > 0 {
		*env.Reason = e.Reason
	}
	f, err := s.dispatch(env)
	if err != nil {
		return err
	}
	if attempt == 0 {
		s.mu.Lock()
		e.last = Delivery{EnvelopeID: f.id, Kind: "events_api", EventID: e.ID}
		s.mu.Unlock()
	}
	_, err = s.await(s.stop, f)
	return err
}

// PendingEvents is how many events wait for an acknowledgement or a retry.
func (s *Sim) PendingEvents() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.book.events)
}

// WaitIdle returns when no envelope waits for its acknowledgement. Events that
// wait for the time of their next try do not count.
func (s *Sim) WaitIdle(ctx context.Context) error {
	for s.hub.underWay() > 0 {
		t := time.NewTimer(2 * time.Millisecond)
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
	}
	return nil
}

// messageEvent tells the app of a message, in the words of the kind of channel
// it is in; nothing is told of channels that the bot is not in.
func (s *Sim) messageEvent(t *tx, c *channel, m *message) []*event {
	if !c.has(s.cfg.BotUserID) {
		return nil
	}
	inner := s.eventMessage(c, m)
	subs := map[string]string{"im": "message.im", "group": "message.groups", "channel": "message.channels"}
	var out []*event
	if e := s.emit(t, subs[c.kind()], inner); e != nil {
		out = append(out, e)
	}
	if c.kind() != "im" && m.BotID == "" && m.Subtype == "" && mentions(m.Text, s.cfg.BotUserID) {
		mention := map[string]any{}
		for k, v := range inner {
			if k != "channel_type" {
				mention[k] = v
			}
		}
		mention["type"] = "app_mention"
		if e := s.emit(t, "app_mention", mention); e != nil {
			out = append(out, e)
		}
	}
	return out
}

func (s *Sim) eventMessage(c *channel, m *message) map[string]any {
	inner := map[string]any{
		"type": "message", "user": m.User, "text": m.Text, "ts": m.TS, "team": s.cfg.TeamID,
		"channel": c.ID, "channel_type": c.kind(), "event_ts": m.TS,
	}
	if m.BotID != "" {
		inner["bot_id"], inner["app_id"] = m.BotID, s.cfg.AppID
	} else if m.Subtype != "" {
		inner["subtype"], inner["topic"] = m.Subtype, m.Topic
	} else {
		inner["client_msg_id"] = "00000000-0000-4000-8000-" + m.TS[:10] + m.TS[11:13]
	}
	if u, err := s.user(m.User); err == nil && u.OtherTeam != "" {
		inner["team"], inner["user_team"], inner["source_team"] = u.OtherTeam, u.OtherTeam, u.OtherTeam
	}
	if m.inThread() {
		inner["thread_ts"] = m.ThreadTS
		if p := s.book.messages[c.ID+"/"+m.ThreadTS]; p != nil {
			inner["parent_user_id"] = p.User
		}
	}
	if len(m.Blocks) > 0 {
		inner["blocks"] = m.Blocks
	}
	return inner
}

// changeEvent tells the app that a message was edited or deleted.
func (s *Sim) changeEvent(t *tx, c *channel, m *message, subtype string) {
	if !c.has(s.cfg.BotUserID) || m.To != "" {
		return
	}
	subs := map[string]string{"im": "message.im", "group": "message.groups", "channel": "message.channels"}
	inner := map[string]any{
		"type": "message", "subtype": subtype, "channel": c.ID, "channel_type": c.kind(),
		"hidden": true, "ts": t.ts(),
	}
	inner["event_ts"] = inner["ts"]
	old := s.wireMessage(m, false)
	if subtype == "message_deleted" {
		inner["deleted_ts"], inner["previous_message"] = m.TS, old
	} else {
		inner["message"], inner["previous_message"] = old, old
	}
	s.emit(t, subs[c.kind()], inner)
}

func (s *Sim) removeMessage(t *tx, m *message) {
	t.deleteMessage(m)
	s.touched(m)
	if c := s.book.channels[m.Channel]; c != nil {
		s.changeEvent(t, c, m, "message_deleted")
	}
}

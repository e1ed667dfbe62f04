package slacksim

import (
	"slices"
	"sync"
	"time"
)

// FaultSpec asks for one misbehaviour. Kinds that happen at once:
//
//	drop_socket      breaks Count sockets, all when 0, without a goodbye
//	refresh          tells Count sockets (all when 0) to reconnect, and closes them 10 s later
//	warning          the same, announced by a warning
//	link_disabled    Socket Mode is switched off, until link_enabled
//	down             nobody answers, and every socket breaks, until up
//	archive_channel, unarchive_channel, kick_bot    of Channel
//	delete_message   Channel and TS, as an administrator would
//
// Kinds that wait for what they concern, and happen Count times (1 when 0):
//
//	twice, drop_after_send    the next envelope (Method: of that type only)
//	lose_ack                  the next acknowledgement is as if it never came
//	too_many_websockets       the next socket is sent away
//	lose_reply, error_after   the next call of Method (any when empty) acts, and then the connection breaks, or Status (500) is answered
//	delay                     it is answered after Delay
//	rate_limit                it answers 429 with RetryAfter seconds (1)
//	error                     it answers Status (500) and does not act
//	refuse                    it answers the error Code ("permission_denied") and does not act
type FaultSpec struct {
	Kind       string `json:"kind"`
	Method     string `json:"method,omitempty"` // a Web API method, "response_url", or an envelope type
	Count      int    `json:"count,omitempty"`
	Delay      string `json:"delay,omitempty"`       // as in "250ms"
	RetryAfter int    `json:"retry_after,omitempty"` // s
	Status     int    `json:"status,omitempty"`
	Code       string `json:"code,omitempty"`
	Channel    string `json:"channel,omitempty"`
	TS         string `json:"ts,omitempty"`

	delay time.Duration
}

var waitingFaults = []string{
	"twice", "drop_after_send", "lose_ack", "too_many_websockets",
	"lose_reply", "error_after", "delay", "rate_limit", "error", "refuse",
}

// faults are the misbehaviours still to come.
type faults struct {
	mu   sync.Mutex
	list []*FaultSpec
}

// take uses up one fault of a kind that concerns method, or returns nil.
func (f *faults) take(kind, method string) *FaultSpec {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, x := range f.list {
		if x.Kind != kind || x.Method != "" && x.Method != method {
			continue
		}
		if x.Count--; x.Count <= 0 {
			f.list = slices.Delete(f.list, i, i+1)
		}
		return x
	}
	return nil
}

// Fault asks for a misbehaviour. An unknown kind, delay, channel or message is
// an error.
func (s *Sim) Fault(f FaultSpec) error {
	if f.Delay != "" {
		d, err := time.ParseDuration(f.Delay)
		if err != nil {
			return refuse("invalid_fault", "delay %q: want a duration like 250ms", f.Delay)
		}
		f.delay = d
	}
	if (f.Kind == "refuse") != (f.Code != "") {
		return refuse("invalid_fault", "a code goes with refuse, and with nothing else")
	}
	if slices.Contains(waitingFaults, f.Kind) {
		f.Count = max(f.Count, 1)
		s.faults.mu.Lock()
		s.faults.list = append(s.faults.list, &f)
		s.faults.mu.Unlock()
		return nil
	}
	switch f.Kind {
	case "drop_socket":
		s.each(f.Count, (*socket).close)
	case "refresh":
		s.each(f.Count, func(k *socket) { s.dismiss(k, "refresh_requested") })
	case "warning":
		s.each(f.Count, func(k *socket) { s.dismiss(k, "warning", "refresh_requested") })
	case "link_disabled", "link_enabled":
		s.hub.mu.Lock()
		s.hub.disabled = f.Kind == "link_disabled"
		s.hub.mu.Unlock()
		if f.Kind == "link_disabled" {
			s.each(0, func(k *socket) { s.dismiss(k, "link_disabled") })
		}
	case "down", "up":
		if s.down.Store(f.Kind == "down"); f.Kind == "down" {
			s.each(0, (*socket).close)
		}
	case "archive_channel", "unarchive_channel", "kick_bot", "delete_message":
		return s.change(func(t *tx) error { return s.disturb(t, f) })
	default:
		return refuse("invalid_fault", "unknown kind %q", f.Kind)
	}
	return nil
}

// each does something to n sockets, oldest first, or to all when n is 0.
func (s *Sim) each(n int, do func(*socket)) {
	s.hub.mu.Lock()
	all := slices.Clone(s.hub.sockets)
	s.hub.mu.Unlock()
	if n > 0 {
		all = all[:min(n, len(all))]
	}
	for _, k := range all {
		do(k)
	}
}

func (s *Sim) disturb(t *tx, f FaultSpec) error {
	c, err := s.room(nil, User{}, f.Channel)
	if err != nil {
		return err
	}
	if f.Kind == "delete_message" {
		m := s.book.messages[c.ID+"/"+f.TS]
		if m == nil {
			return refuse("message_not_found", "no message %s in %s", f.TS, c.Name)
		}
		s.removeMessage(t, m)
		return nil
	}
	switch f.Kind {
	case "archive_channel":
		c.Archived = true
	case "unarchive_channel":
		c.Archived = false
	case "kick_bot":
		c.Members = slices.DeleteFunc(c.Members, func(m string) bool { return m == s.cfg.BotUserID })
	}
	t.channel(c)
	return nil
}

// misbehave lets the faults of one call happen that come before it acts. It
// returns the answer to give instead, or nil.
func (s *Sim) misbehave(method string) *apiError {
	if f := s.faults.take("delay", method); f != nil {
		t := time.NewTimer(f.delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-s.stop.Done():
		}
	}
	if f := s.faults.take("rate_limit", method); f != nil {
		return &apiError{Code: "ratelimited", status: 429, retryAfter: max(f.RetryAfter, 1)}
	}
	if f := s.faults.take("error", method); f != nil {
		return &apiError{Code: "internal_error", status: f.status(), raw: true}
	}
	if f := s.faults.take("refuse", method); f != nil {
		return &apiError{Code: f.Code}
	}
	return nil
}

func (f *FaultSpec) status() int {
	if f.Status == 0 {
		return 500
	}
	return f.Status
}

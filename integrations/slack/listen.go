package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	slackgo "github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

const (
	// acceptTimeout leaves enough of Slack's three seconds for a private answer.
	acceptTimeout = 2 * time.Second
	// mostUnderWay is how many envelopes may be in acceptance; what comes beyond
	// is not acked, so Slack sends events again and tells people of commands.
	mostUnderWay = 4096
	// alarmOpens a minute, over all sockets, is not a healthy number.
	alarmOpens = 5
	// flushTime lets the last acks reach the wire before the sockets close.
	flushTime = 50 * time.Millisecond
)

// links is the state of the sockets, and the pace at which they are reopened.
type links struct {
	base, most time.Duration // least and greatest wait between two opens of a link
	settled    time.Duration // a connection that lived this long was a good one
	open       time.Duration // how long apps.connections.open may take
	up         atomic.Int32

	mu     sync.Mutex
	opens  []time.Time
	warned time.Time
}

// Connected is how many sockets are ready.
func (c *Client) Connected() int { return int(c.links.up.Load()) }

// Ready says whether at least one socket is ready.
func (c *Client) Ready() bool { return c.Connected() > 0 }

// Accept stores an envelope. What it returns goes back with the ack, where Slack
// takes a payload. It gets two seconds; no network call belongs in it.
type Accept func(ctx context.Context, e Envelope) (ackPayload any, err error)

// listener is one Listen.
type listener struct {
	*Client
	accept Accept
	slots  chan struct{}
	said   sync.Map // types that were already logged as unknown
	first  chan struct{}
	once   sync.Once

	mu      sync.Mutex // orders closing before the last under.Go
	closing bool
	under   sync.WaitGroup
}

// Listen holds the sockets open and gives what arrives to accept, until ctx ends
// (it then returns nil) or Slack says something that no reconnect can mend: a
// token that is not valid, a scope that is missing, Socket Mode switched off. An
// envelope is acked on the socket that delivered it, once accept has returned. If
// accept fails, a command, a click and a form are answered privately; an event is
// left unacked, and Slack sends it again.
func (c *Client) Listen(ctx context.Context, accept Accept) error {
	l := &listener{Client: c, accept: accept, slots: make(chan struct{}, mostUnderWay), first: make(chan struct{})}
	sockets, closeSockets := context.WithCancelCause(context.WithoutCancel(ctx))
	defer closeSockets(nil)
	var wg sync.WaitGroup
	fail := func(err error) {
		if err != nil {
			closeSockets(err)
		}
	}
	wg.Go(func() { fail(l.introduce(sockets)) })
	for i := range c.cfg.Connections {
		wg.Go(func() { fail(l.link(sockets, i)) })
	}
	select {
	case <-ctx.Done():
		l.drain()
	case <-sockets.Done():
	}
	err := context.Cause(sockets)
	closeSockets(nil)
	wg.Wait()
	l.under.Wait()
	return err
}

// drain lets what was delivered be accepted and acked.
func (l *listener) drain() {
	l.mu.Lock()
	l.closing = true
	l.mu.Unlock()
	done := make(chan struct{})
	go func() { l.under.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(acceptTimeout):
	}
	time.Sleep(flushTime)
}

// introduce finds out who we are, however long it takes.
func (l *listener) introduce(ctx context.Context) error {
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		_, err := l.Auth(ctx)
		if err == nil || ctx.Err() != nil {
			return nil
		}
		if why := fatal(err); why != "" {
			return fmt.Errorf("bot token: %s", why)
		}
		l.log.Warn("ask Slack who we are", "error", err, "again_in", wait)
		if !sleep(ctx, wait) {
			return nil
		}
	}
}

// link keeps one of the sockets open. It returns an error that no reconnect mends.
func (l *listener) link(ctx context.Context, n int) error {
	if n > 0 {
		select {
		case <-l.first:
		case <-ctx.Done():
			return nil
		}
		if !sleep(ctx, time.Duration(n)*l.cfg.SecondAfter) {
			return nil
		}
	}
	log := l.log.With("socket", n+1)
	for wait := l.links.base; ctx.Err() == nil; {
		l.opening()
		began := time.Now()
		s := l.newSocket(ctx)
		ready := false
		s.serve(func(ev socketmode.Event) {
			if ev.Type == socketmode.EventTypeHello && !ready {
				ready = true
				l.links.up.Add(1)
				l.once.Do(func() { close(l.first) })
				log.Info("socket ready", "connected", l.Connected())
			}
			l.event(s, ev)
		})
		if ready {
			l.links.up.Add(-1)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err := s.hopeless(); err != nil {
			return err
		}
		lived := time.Since(began)
		if s.err != nil {
			log.Warn("socket not opened", "error", s.err, "connected", l.Connected())
		} else {
			log.Info("socket ended", "reason", s.reason, "lived", lived.Round(time.Millisecond), "connected", l.Connected())
		}
		if lived > l.links.settled {
			wait = l.links.base
		}
		// A socket that lived longer than the wait is reopened at once.
		pause := max(wait-lived, l.retryAfter(s))
		if lived <= l.links.settled {
			wait = min(2*wait, l.links.most)
		}
		if pause > 0 && !sleep(ctx, pause+rand.N(pause/5+1)) {
			return nil
		}
	}
	return nil
}

// hopeless is the error of a socket that must not be opened again.
func (s *socket) hopeless() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason == "link_disabled" {
		return errors.New("the app's Socket Mode is switched off (link_disabled): switch it on again under Settings, Socket Mode")
	}
	if why := fatal(s.err); why != "" {
		return fmt.Errorf("app token: %s", why)
	}
	if e, ok := errors.AsType[slackgo.StatusCodeError](s.err); ok && e.Code == http.StatusNotFound {
		return fmt.Errorf("open a socket: Slack's API is not at the configured address: %w", s.err)
	}
	return nil
}

func (l *listener) retryAfter(s *socket) time.Duration {
	if e, ok := errors.AsType[*slackgo.RateLimitedError](s.err); ok {
		return e.RetryAfter
	}
	return 0
}

// opening counts an open, and raises the alarm when there are too many.
func (l *listener) opening() {
	k := &l.links
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	for len(k.opens) > 0 && now.Sub(k.opens[0]) > time.Minute {
		k.opens = k.opens[1:]
	}
	k.opens = append(k.opens, now)
	if len(k.opens) > alarmOpens && now.Sub(k.warned) > time.Minute {
		k.warned = now
		l.log.Error("sockets are reopened too often", "opens_in_the_last_minute", len(k.opens),
			"hint", "another process may hold the sockets of this app, or Slack may be in trouble: status.slack.com")
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// event hands off what a socket read; it runs on the goroutine that reads.
func (l *listener) event(s *socket, ev socketmode.Event) {
	var req *socketmode.Request
	switch ev.Type {
	case socketmode.EventTypeSlashCommand, socketmode.EventTypeInteractive, socketmode.EventTypeEventsAPI:
		req = ev.Request
	case socketmode.EventTypeErrorBadMessage:
		// slack-go does not know this type, or found one part of it malformed.
		// Neither keeps us from reading what we need ourselves.
		bad, ok := ev.Data.(*socketmode.ErrorBadMessage)
		if !ok || json.Unmarshal(bad.Message, &req) != nil || req == nil || req.EnvelopeID == "" {
			l.log.Warn("unreadable message on the socket", "error", ev.Data)
			return
		}
	case socketmode.EventTypeErrorWriteFailed:
		if f, ok := ev.Data.(*socketmode.ErrorWriteFailed); ok {
			l.log.Warn("ack not sent", "envelope", f.Response.EnvelopeID, "error", f.Cause)
		}
		return
	default:
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing {
		return
	}
	select {
	case l.slots <- struct{}{}:
	default:
		l.log.Error("too many envelopes at once", "envelope", req.EnvelopeID)
		return
	}
	l.under.Go(func() {
		defer func() { <-l.slots }()
		l.take(s, req)
	})
}

// take has one envelope accepted and acks it. Only what it says itself is sent;
// a panic leaves the envelope unacked.
func (l *listener) take(s *socket, req *socketmode.Request) {
	defer func() {
		if r := recover(); r != nil {
			l.log.Error("take an envelope", "envelope", req.EnvelopeID, "panic", r, "stack", string(debug.Stack()))
		}
	}()
	e, verdict := readEnvelope(req, l.Self())
	if verdict != forUs {
		if _, said := l.said.LoadOrStore(e.Type, true); verdict == unknown && !said {
			l.log.Info("nothing is known about this type of envelope", "type", e.Type)
		}
		l.ack(s, e, nil)
		return
	}
	if e.Sent.IsZero() {
		e.Sent = l.clock.Now()
	}
	l.triggers.remember(e)
	payload, err := l.ask(e)
	if err == nil {
		if !req.AcceptsResponsePayload {
			payload = nil
		}
		l.ack(s, e, payload)
		return
	}
	l.log.Error("event not stored", "kind", e.Kind, "envelope", e.ID, "error", err)
	switch e.Kind {
	case KindEvent: // Slack sends it again
	case KindClick, KindShortcut:
		l.ack(s, e, nil)
		l.regret(e)
	default:
		l.ack(s, e, refusal(e))
	}
}

// ask calls accept; a panic in it is an error.
func (l *listener) ask(e Envelope) (payload any, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), acceptTimeout)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return l.accept(ctx, e)
}

// ack answers an envelope; a payload that Slack would drop for its size is left out.
func (l *listener) ack(s *socket, e Envelope, payload any) {
	err := s.ack(e.ID, payload)
	if err != nil && payload != nil && s.ctx.Err() == nil {
		l.log.Error("ack sent without its payload", "kind", e.Kind, "envelope", e.ID, "error", err)
		err = s.ack(e.ID, nil)
	}
	if err != nil {
		l.log.Warn("ack not sent", "kind", e.Kind, "envelope", e.ID, "error", err)
	}
}

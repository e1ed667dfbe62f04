package slack

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	slackgo "github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

// openTimeout bounds apps.connections.open; slack-go itself would wait for ever.
const openTimeout = 10 * time.Second

// readLimit is far above any envelope.
const readLimit = 8 << 20

// errOver says that a socket's one connection has ended.
var errOver = errors.New("the connection is over")

// socket is one connection. slack-go's client would go on with a next connection
// by itself and send late acks there; so each connection gets a client of its own
// and is never reconnected: an ack goes out where its envelope came in, or nowhere.
type socket struct {
	sm     *socketmode.Client
	next   http.RoundTripper // opens it
	ctx    context.Context   // ends with the connection
	cancel context.CancelCauseFunc

	mu     sync.Mutex
	reason string    // of Slack's disconnect
	hello  time.Time // when it became ready
	err    error     // why it could not be opened
	opened atomic.Bool
}

func (c *Client) newSocket(ctx context.Context) *socket {
	s := &socket{next: c.patient(c.links.open).Transport}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	api := slackgo.New(c.cfg.BotToken.Reveal(),
		slackgo.OptionAppLevelToken(c.cfg.AppToken.Reveal()),
		slackgo.OptionAPIURL(c.cfg.APIURL),
		slackgo.OptionHTTPClient(&http.Client{Transport: (*openOnce)(s)}))
	s.sm = socketmode.New(api,
		socketmode.OptionDialer(dialing{proxy: http.ProxyFromEnvironment}.dialer(s.disconnected)),
		socketmode.OptionReadLimit(readLimit),
		socketmode.OptionLog(log.New(io.Discard, "", 0)))
	return s
}

// openOnce lets a socket open one connection; the second request is how slack-go
// shows that the first connection has ended.
type openOnce socket

func (o *openOnce) RoundTrip(r *http.Request) (*http.Response, error) {
	s := (*socket)(o)
	if s.opened.Swap(true) {
		s.cancel(errOver)
		return nil, errOver
	}
	return s.next.RoundTrip(r)
}

func (s *socket) disconnected(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reason = reason
}

func (s *socket) note(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// serve opens the connection and hands what arrives to each, which must not
// block, until the connection ends.
func (s *socket) serve(each func(socketmode.Event)) {
	defer s.cancel(errOver)
	ended := make(chan error, 1)
	go func() { ended <- s.sm.RunContext(s.ctx) }()
	for {
		select {
		case ev := <-s.sm.Events:
			s.event(ev, each)
		case err := <-ended:
			s.note(func() {
				if s.err == nil && s.hello.IsZero() && !errors.Is(err, context.Canceled) {
					s.err = err
				}
			})
			for { // what was read before the end still counts
				select {
				case ev := <-s.sm.Events:
					s.event(ev, each)
				default:
					return
				}
			}
		}
	}
}

func (s *socket) event(ev socketmode.Event, each func(socketmode.Event)) {
	switch ev.Type {
	case socketmode.EventTypeHello:
		s.note(func() { s.hello = time.Now() })
	case socketmode.EventTypeConnectionError:
		if e, ok := ev.Data.(*slackgo.ConnectionErrorEvent); ok && !errors.Is(e.ErrorObj, errOver) {
			s.note(func() { s.err = e.ErrorObj })
			s.cancel(errOver) // when to try again is decided above
		}
	case socketmode.EventTypeErrorWriteFailed:
		s.cancel(errOver)
	}
	each(ev)
}

// ack answers an envelope that this socket delivered.
func (s *socket) ack(envelope string, payload any) error {
	if s.ctx.Err() != nil {
		return errOver
	}
	return s.sm.AckCtx(s.ctx, envelope, payload)
}

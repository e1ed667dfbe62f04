// Package pagerduty reads who is on call from PagerDuty, and writes overrides back; it
// reads incidents, and changes them as the person who wants it (contract.go says how a
// feature sees that); it sends events, looks after the subscription of webhooks, and reads
// what those deliver.
//
// It is a small client of our own on kit/transport. The public one, go-pagerduty, was
// weighed: its last release (v1.8.0, January 2024) knows no shift-based schedules
// (/v3/schedules), makes overrides by a body that PagerDuty calls deprecated, and tries
// nothing again; what is newer in it is not released, and sends the body of a change
// empty the second time.
//
// A schedule is of one of two kinds with the same ids: of layers (v2), one person at a
// time; or of shifts (v3), several at once. Timeline, Override and Overrides find out
// which, remember it, and notice when PagerDuty has turned one into the other.
//
// A read is tried again by the transport. Of 429 nothing was done, so any call waits for
// it on the clock and is sent again, whole, a few times. No other change is sent twice:
// whether one was made whose answer was lost is asked (see Override). Every error is
// *integrations.Later, *integrations.Gone, or a refusal that says the act and the thing.
package pagerduty

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/kit/redact"
	"github.com/signalbox-chatops/signalbox/integrations/kit/transport"
)

const (
	ownURL    = "https://api.pagerduty.com"
	mediaType = "application/vnd.pagerduty+json;version=2"
	callLimit = 15 * time.Second // of one try
	longest   = 16 << 20         // bytes of an answer
	// A limit is counted in whole seconds, so the transport, which waits less, leaves it
	// to the client, which waits on its clock.
	netPatience = 900 * time.Millisecond
	mostWaits   = 2 // for a limit, in one call
	// A key has 960 calls a minute (developer.pagerduty.com, REST API rate limits). A
	// bucket that holds some and is filled with the rest lets no more through in any minute.
	inMinute = 900
	atOnce   = 60
)

// Options are what a client is given besides its configuration.
type Options struct {
	// HTTP makes the requests; nil is one of our own. Its transport alone is used.
	HTTP  *http.Client
	Clock clock.Clock  // nil is the machine's own
	Log   *slog.Logger // nil is nobody
	// Name is who in the configuration has an email address, Email the address of a name
	// there; false is nobody. nil knows nobody. Both are asked as people are shown, so a
	// configuration that was reloaded counts at once.
	Name  func(email string) (string, bool)
	Email func(name string) (string, bool)
	// NoWait has a call that comes to a limit end at once as *integrations.Later, for one
	// who comes again anyway and does not want to be held up.
	NoWait bool
}

// Client speaks to one account of PagerDuty.
type Client struct {
	token integrations.Secret
	base  *url.URL
	http  http.RoundTripper
	clock clock.Clock
	log   *slog.Logger
	hide  *redact.Redactor
	name  func(string) (string, bool)
	email func(string) (string, bool)
	users users
	waits int // for a limit, in one call
	pace  *rate.Limiter
	bare  bool // without the token: of Events

	mu    sync.Mutex
	until time.Time       // nothing is asked before
	kinds map[string]kind // of schedules
}

// New makes the client of a configuration, which is validated. Nothing is asked yet.
func New(c Config, o Options) *Client {
	at := c.URL
	if at == "" {
		at = ownURL
	}
	base, err := url.Parse(at)
	if err != nil {
		base = &url.URL{} // which no request gets to
	}
	nobody := func(string) (string, bool) { return "", false }
	out := &Client{token: c.Token, base: base, clock: o.Clock, log: o.Log, name: o.Name, email: o.Email, waits: mostWaits, pace: rate.NewLimiter(rate.Every(time.Minute/inMinute), atOnce), users: newUsers(), kinds: map[string]kind{}, hide: redact.New([]string{c.Token.Reveal()})}
	if o.NoWait {
		out.waits = 0
	}
	if out.clock == nil {
		out.clock = clock.Real()
	}
	if out.log == nil {
		out.log = slog.New(slog.DiscardHandler)
	}
	if out.name == nil {
		out.name = nobody
	}
	if out.email == nil {
		out.email = nobody
	}
	var under http.RoundTripper = transport.Base()
	if o.HTTP != nil {
		under = http.DefaultTransport
		if o.HTTP.Transport != nil {
			under = o.HTTP.Transport
		}
	}
	out.http = transport.New(transport.Options{Base: limited{under}, Host: base.Host, Timeout: callLimit, MaxBody: longest, Patience: netPatience, Redact: out.hide, Log: out.log})
	return out
}

// limited says in the header that the transport knows how long PagerDuty's limit is to be
// waited for.
type limited struct{ next http.RoundTripper }

func (t limited) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusTooManyRequests {
		resp.Header.Set("Retry-After", fmt.Sprint(int(limitOf(resp.Header)/time.Second)))
	}
	return resp, err
}

// call is one call of the API.
type call struct {
	act, thing string // "read the schedule", its id
	method     string
	path       string
	query      url.Values
	body       any
	from       string // the address of the user who acts; "" is nobody
	of         string // what a key has to be allowed to change; "" is a schedule
}

func (a call) String() string { return strings.TrimSpace("pagerduty " + a.act + " " + a.thing) }

// idShape is of the ids that may stand in a path.
var idShape = regexp.MustCompile(`^[0-9A-Za-z_-]+$`)

// path puts ids between the words of a path; one that is no id is refused.
func path(act string, words ...string) (string, error) {
	for _, w := range words {
		if !idShape.MatchString(w) {
			return "", fmt.Errorf("pagerduty %s: %q is no id of PagerDuty; one is like PABC123", act, w)
		}
	}
	return "/" + strings.Join(words, "/"), nil
}

// do makes a call and reads its answer into out, which may be nil.
func (c *Client) do(ctx context.Context, a call, out any) error {
	var body []byte
	if a.body != nil {
		var err error
		if body, err = json.Marshal(a.body); err != nil {
			return fmt.Errorf("%s: %w", a, err)
		}
	}
	for waited := 0; ; waited++ {
		if err := c.waitForLimit(ctx, a); err != nil {
			return err
		}
		limit, err := c.once(ctx, a, body, out)
		if limit == 0 {
			return err
		}
		c.holdOff(limit)
		if waited == c.waits {
			return err
		}
	}
}

// waitForLimit waits until PagerDuty is to be asked again; where that is too long, it
// says so.
func (c *Client) waitForLimit(ctx context.Context, a call) error {
	now, why := c.clock.Now(), "PagerDuty has asked for a pause"
	c.mu.Lock()
	left := c.until.Sub(now)
	c.mu.Unlock()
	turn := c.pace.ReserveN(now, 1)
	if own := turn.DelayFrom(now); own > left {
		left, why = own, "PagerDuty takes no more calls in a minute"
	}
	if left <= 0 {
		return nil
	}
	if end, ok := ctx.Deadline(); c.waits == 0 || ok && time.Until(end) < left {
		turn.CancelAt(now)
		return &integrations.Later{After: left, Err: fmt.Errorf("%s: %s", a, why), Unsent: true}
	}
	if err := clock.Sleep(ctx, c.clock, left); err != nil {
		return fmt.Errorf("%s: %w", a, err)
	}
	return nil
}

func (c *Client) holdOff(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if until := c.clock.Now().Add(d); until.After(c.until) {
		c.until = until
	}
}

// once sends a call once. limit is how long PagerDuty wants a pause, 0 where it does not.
func (c *Client) once(ctx context.Context, a call, body []byte, out any) (limit time.Duration, err error) {
	at := *c.base
	at.Path, at.RawPath, at.RawQuery = strings.TrimSuffix(c.base.Path, "/")+a.path, "", a.query.Encode()
	var sent io.Reader
	if body != nil {
		sent = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, a.method, at.String(), sent)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", a, c.hide.Error(err))
	}
	if !c.bare {
		req.Header.Set("Authorization", "Token token="+c.token.Reveal())
		req.Header.Set("Accept", mediaType)
	}
	if a.from != "" {
		req.Header.Set("From", a.from)
	}
	req.Header.Set("User-Agent", "signalbox")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if strings.HasPrefix(a.path, "/v3/") {
		req.Header.Set("X-Early-Access", "flexible-schedules-early-access") // until v3 is out of it everywhere
	}
	resp, err := c.http.RoundTrip(req)
	if err != nil {
		return 0, c.unanswered(ctx, a, err)
	}
	defer resp.Body.Close()
	c.log.DebugContext(ctx, "pagerduty", "method", a.method, "path", a.path, "status", resp.StatusCode)
	text, err := io.ReadAll(resp.Body)
	if resp.StatusCode >= 300 {
		if resp.StatusCode == http.StatusTooManyRequests {
			limit = limitOf(resp.Header)
		}
		return limit, c.refused(a, resp, text) // of which the status alone says enough
	}
	if err != nil {
		return 0, c.unanswered(ctx, a, err)
	}
	if out == nil || len(text) == 0 && resp.StatusCode == http.StatusNoContent {
		return 0, nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return 0, fmt.Errorf("%s: read the answer: %w", a, c.hide.Error(err))
	}
	return 0, nil
}

// Package statuspage reads and writes a status page of Atlassian's Statuspage: its
// components, and the incidents that customers read.
//
// It is a small client of our own on kit/transport: the public ones were weighed, and
// none is kept well (no tags, generated, or of 2019). What it cares for is that nobody is
// written to who should not be: Statuspage notifies the subscribers of a page unless it is
// told otherwise (deliver_notifications is true by default), so that is always said.
//
// A read is tried again by the transport. No change is sent twice here: a post carries a
// nonce in the incident's metadata, and whoever asked looks for it before sending again.
// Of 420 and 429 nothing was done; until the time that they name nothing else is asked.
// Every error is *integrations.Later, *integrations.Gone, or a refusal in the words of
// Statuspage.
package statuspage

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

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/kit/redact"
	"github.com/signalbox-chatops/signalbox/integrations/kit/transport"
)

const (
	ownURL    = "https://api.statuspage.io/v1"
	callLimit = 10 * time.Second // of one call
	longest   = 16 << 20         // bytes of an answer
	// A limit is counted in whole seconds, so the transport leaves it to whoever asks.
	netPatience = 900 * time.Millisecond
)

// Options are what a client is given besides its configuration.
type Options struct {
	// HTTP makes the requests; nil is one of our own. Its transport alone is used.
	HTTP  *http.Client
	Clock clock.Clock  // nil is the machine's own
	Log   *slog.Logger // nil is nobody
}

// Client speaks of one page.
type Client struct {
	key    integrations.Secret
	page   string
	offers []integrations.PageOffer
	base   *url.URL
	http   http.RoundTripper
	clock  clock.Clock
	log    *slog.Logger
	hide   *redact.Redactor

	mu    sync.Mutex
	until time.Time // nothing is asked before
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
	out := &Client{key: c.APIKey, page: c.Page, offers: c.Offers, base: base, clock: o.Clock, log: o.Log, hide: redact.New([]string{c.APIKey.Reveal()})}
	if out.clock == nil {
		out.clock = clock.Real()
	}
	if out.log == nil {
		out.log = slog.New(slog.DiscardHandler)
	}
	var under http.RoundTripper = transport.Base()
	if o.HTTP != nil {
		under = http.DefaultTransport
		if o.HTTP.Transport != nil {
			under = o.HTTP.Transport
		}
	}
	out.http = transport.New(transport.Options{Base: under, Host: base.Host, Timeout: callLimit, MaxBody: longest, Patience: netPatience, Redact: out.hide, Log: out.log})
	return out
}

// call is one call of the API.
type call struct {
	act, thing string // "read the incident", its id
	method     string
	path       []string // below the page's
	query      url.Values
	body       any
}

func (a call) String() string { return strings.TrimSpace("statuspage " + a.act + " " + a.thing) }

// idShape is of the ids that may stand in a path.
var idShape = regexp.MustCompile(`^[0-9A-Za-z_-]+$`)

// do makes a call and reads its answer into out, which may be nil.
func (c *Client) do(ctx context.Context, a call, out any) error {
	for _, w := range append([]string{c.page}, a.path...) {
		if !idShape.MatchString(w) {
			return fmt.Errorf("%s: %q is no id of Statuspage; one is like kctbh9vrtdwd", a, w)
		}
	}
	var sent io.Reader
	if a.body != nil {
		body, err := json.Marshal(a.body)
		if err != nil {
			return fmt.Errorf("%s: %w", a, err)
		}
		sent = bytes.NewReader(body)
	}
	if left := c.pause(); left > 0 {
		return &integrations.Later{After: left, Err: fmt.Errorf("%s: Statuspage has asked for a pause", a), Unsent: true}
	}
	at := *c.base
	at.Path, at.RawPath = strings.TrimSuffix(c.base.Path, "/")+"/pages/"+strings.Join(append([]string{c.page}, a.path...), "/"), ""
	at.RawQuery = a.query.Encode()
	req, err := http.NewRequestWithContext(ctx, a.method, at.String(), sent)
	if err != nil {
		return fmt.Errorf("%s: %w", a, c.hide.Error(err))
	}
	req.Header.Set("Authorization", "OAuth "+c.key.Reveal())
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "signalbox")
	if sent != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.RoundTrip(req)
	if err != nil {
		return c.unanswered(ctx, a, err)
	}
	defer resp.Body.Close()
	c.log.DebugContext(ctx, "statuspage", "method", a.method, "path", at.Path, "status", resp.StatusCode)
	text, err := io.ReadAll(resp.Body)
	if resp.StatusCode >= 300 {
		return c.refused(a, resp, text) // of which the status alone says enough
	}
	if err != nil {
		return c.unanswered(ctx, a, err)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%s: read the answer: %w", a, c.hide.Error(err))
	}
	return nil
}

// pause is for how long nothing is to be asked.
func (c *Client) pause() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.until.Sub(c.clock.Now())
}

func (c *Client) holdOff(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if until := c.clock.Now().Add(d); until.After(c.until) {
		c.until = until
	}
}

// Package jsonapi makes the calls of small JSON APIs: of those systems of which signalbox
// needs so little that a client of their own would be more than what it is for. It is a
// tool of the kit, on kit/transport, and knows nothing of what is asked.
//
// A read is tried again by the transport; a change never is. No redirect is followed: it
// would take the credentials elsewhere.
package jsonapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/redact"
	"github.com/signalbox-chatops/signalbox/integrations/kit/transport"
)

const (
	callLimit   = 10 * time.Second // of one try
	longest     = 32 << 20         // bytes of an answer
	netPatience = 900 * time.Millisecond
	mostSaid    = 300 // characters of a refusal that are passed on
)

// Options are what a client is made with.
type Options struct {
	Name    string // of the system, which begins each error: "alertmanager"
	URL     string // of the API, which has been through Check
	Header  http.Header
	Secrets []string          // what no error may show
	HTTP    http.RoundTripper // nil is one of its own
}

// Client calls one API.
type Client struct {
	name   string
	base   *url.URL
	header http.Header
	http   http.RoundTripper
	hide   *redact.Redactor
}

// Check says what keeps a text from being the URL of an API; example is one that is right.
// The text is not in the error: it may hold a password.
func Check(at, example string) error {
	u, err := url.Parse(at)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("is not a URL; want one like %s", example)
	}
	return nil
}

// New makes a client. Nothing is asked yet.
func New(o Options) *Client {
	base, err := url.Parse(o.URL)
	if err != nil {
		base = &url.URL{} // which no request gets to
	}
	hide := redact.New(o.Secrets)
	return &Client{
		name: o.Name, base: base, header: o.Header, hide: hide,
		http: transport.New(transport.Options{Base: o.HTTP, Host: base.Host, Timeout: callLimit, MaxBody: longest, Patience: netPatience, Redact: hide}),
	}
}

// Call is one call.
type Call struct {
	Act, Thing string // "remove the silence", its id
	Method     string
	Path       []string // below the URL; each part is escaped
	Query      url.Values
	Body       any // nil is none
}

// Error is a call that did not go well. Its text begins with the system and the act, and
// shows no secret.
type Error struct {
	Text   string
	Status int           // of the answer; 0 where there was none
	After  time.Duration // how long the answer asks to wait; 0 where it does not say
	// Unread says that there was an answer, and a good one, and that it cannot be read.
	Unread bool
	cause  error
}

func (e *Error) Error() string { return e.Text }
func (e *Error) Unwrap() error { return e.cause }

// Do makes a call and reads its answer into out, which may be nil. Its error is an *Error,
// or holds that of the context where that ended. The header is the answer's.
func (c *Client) Do(ctx context.Context, a Call, out any) (http.Header, error) {
	what := strings.TrimSpace(c.name + " " + a.Act + " " + a.Thing)
	var sent io.Reader
	if a.Body != nil {
		body, err := json.Marshal(a.Body)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		sent = bytes.NewReader(body)
	}
	at := c.base.JoinPath()
	for _, part := range a.Path {
		at.RawPath = strings.TrimSuffix(at.EscapedPath(), "/") + "/" + url.PathEscape(part)
		at.Path = strings.TrimSuffix(at.Path, "/") + "/" + part
	}
	at.RawQuery = a.Query.Encode()
	req, err := http.NewRequestWithContext(ctx, a.Method, at.String(), sent)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, c.hide.Error(err))
	}
	for name, values := range c.header {
		req.Header[name] = values
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "signalbox")
	if sent != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.RoundTrip(req)
	if err != nil {
		return nil, c.unanswered(ctx, what, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if resp.StatusCode < 200 || resp.StatusCode >= 300 { // of which the status alone says enough
		return resp.Header, c.refused(what, resp, text)
	}
	switch {
	case err != nil:
		return nil, c.unanswered(ctx, what, err)
	case out == nil:
		return resp.Header, nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return nil, &Error{Text: c.hide.String(fmt.Sprintf("%s: read the answer: %v", what, err)), Status: resp.StatusCode, Unread: true, cause: err}
	}
	return resp.Header, nil
}

func (c *Client) unanswered(ctx context.Context, what string, err error) error {
	if ended := ctx.Err(); ended != nil {
		return fmt.Errorf("%s: %w", what, ended)
	}
	return &Error{Text: fmt.Sprintf("%s: %v", what, c.hide.Error(err)), cause: err}
}

func (c *Client) refused(what string, resp *http.Response, body []byte) error {
	text := strings.TrimSpace(fmt.Sprintf("%s: %d %s", what, resp.StatusCode, http.StatusText(resp.StatusCode)))
	if said := messageOf(body); said != "" {
		text += ": " + said
	}
	_, after := transport.Wait(resp, time.Now())
	return &Error{Text: c.hide.String(text), Status: resp.StatusCode, After: after}
}

// messageOf is what a refusal says: a JSON string, {"message":"…"}, {"error":"…"}, or the
// first line of a text that is no page.
func messageOf(body []byte) string {
	var text string
	var said struct {
		Message string `json:"message"`
		Error   any    `json:"error"`
	}
	switch {
	case json.Unmarshal(body, &text) == nil:
	case json.Unmarshal(body, &said) == nil:
		if text = said.Message; text == "" && said.Error != nil {
			text = fmt.Sprint(said.Error)
		}
	case !bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")):
		text = string(body)
	}
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	if r := []rune(text); len(r) > mostSaid {
		text = string(r[:mostSaid]) + "…"
	}
	return text
}

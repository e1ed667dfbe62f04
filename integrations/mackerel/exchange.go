package mackerel

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/transport"
)

// When to come again.
const (
	afterNetwork  = 2 * time.Second
	afterThrottle = 5 * time.Second
	afterServer   = 5 * time.Second
	afterLongest  = time.Minute // whatever an answer asks for
)

// exchange is one call's request and answer. It gives the request the context that
// Mackerel's client does not know, and keeps of a refusal what that one throws away.
type exchange struct {
	ctx    context.Context
	client *Client

	status  int // 0: there was no answer
	after   time.Duration
	message string // of a refusal
}

const longestRefusal = 64 << 10

func (x *exchange) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(x.ctx)
	req.URL.Path, req.URL.RawPath = strings.TrimSuffix(x.client.base.Path, "/")+req.URL.Path, ""
	resp, err := x.client.http.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	x.status = resp.StatusCode
	x.client.log.DebugContext(x.ctx, "mackerel", "method", req.Method, "path", req.URL.Path, "status", resp.StatusCode)
	if resp.StatusCode < 300 {
		return resp, nil
	}
	_, x.after = transport.Wait(resp, x.client.clock.Now())
	body, err := io.ReadAll(io.LimitReader(resp.Body, longestRefusal))
	resp.Body.Close()
	if err != nil {
		body = nil // its status says enough
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	x.message = messageOf(body)
	return resp, nil
}

// messageOf is what a refusal says, in either form that Mackerel has:
// {"error":{"message":"…"}} and {"error":"…"}.
func messageOf(body []byte) string {
	var said struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &said) != nil {
		return ""
	}
	var text string
	if json.Unmarshal(said.Error, &text) == nil {
		return text
	}
	var long struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(said.Error, &long) != nil {
		return ""
	}
	return long.Message
}

// shape gives an error the words of integrations: *integrations.Later for throttling, a
// service or a network that is not well; *integrations.Gone for what is not there; a
// refusal otherwise. Its text is "mackerel <act> <thing>: <status>: <message>", and
// never holds the key. The end of the context stays what it is.
func (x *exchange) shape(right, what string, err error) error {
	if err == nil {
		return nil
	}
	if ended := x.ctx.Err(); ended != nil {
		return fmt.Errorf("%s: %w", what, ended)
	}
	if x.status < 300 {
		return x.unanswered(what, err)
	}
	text := fmt.Sprintf("%s: %d %s", what, x.status, http.StatusText(x.status))
	if x.message != "" {
		text += ": " + x.message
	}
	said := errors.New(x.client.hide.String(text))
	switch {
	case x.status == http.StatusTooManyRequests:
		return &integrations.Later{After: x.wait(afterThrottle), Err: said, Unsent: true}
	case x.status >= http.StatusInternalServerError:
		return &integrations.Later{After: x.wait(afterServer), Err: said}
	case x.status == http.StatusNotFound:
		return &integrations.Gone{Why: said.Error()}
	case x.status == http.StatusUnauthorized || x.status == http.StatusForbidden:
		return fmt.Errorf("%w; it needs a valid API key with the permission %q, used from an address that Mackerel lets in", said, right)
	}
	return said
}

func (x *exchange) wait(usual time.Duration) time.Duration {
	if x.after > 0 {
		return min(x.after, afterLongest)
	}
	return usual
}

// unanswered is an error without a refusal of Mackerel in it: the network's, or of an
// answer that broke off or that nobody can read.
func (x *exchange) unanswered(what string, err error) error {
	var address *url.Error
	if errors.As(err, &address) {
		err = address.Err // without the address
	}
	said := fmt.Errorf("%s: %w", what, x.client.hide.Error(err))
	var wire net.Error
	if x.status == 0 || errors.As(err, &wire) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &integrations.Later{After: afterNetwork, Err: said}
	}
	return said
}

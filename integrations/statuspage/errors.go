package statuspage

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/transport"
)

// statusLimit is what Statuspage answers to one who calls too often, besides 429
// (developer.statuspage.io, Rate Limiting).
const statusLimit = 420

// When to come again.
const (
	afterNetwork  = 2 * time.Second
	afterThrottle = 10 * time.Second
	afterServer   = 5 * time.Second
	afterLongest  = 2 * time.Minute // whatever an answer asks for: the limit is of a minute
)

// refusal is Statuspage's no.
type refusal struct {
	status int
	text   string
}

func (e *refusal) Error() string { return e.text }

// statusOf is the status of Statuspage's no; 0 where it is none.
func statusOf(err error) int {
	var no *refusal
	var gone *integrations.Gone
	switch {
	case errors.As(err, &no):
		return no.status
	case errors.As(err, &gone):
		return http.StatusNotFound
	}
	return 0
}

// limitOf is how long an answer of 420 or 429 wants a pause, by Retry-After.
func limitOf(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if n, err := strconv.Atoi(text); err == nil && n >= 0 {
		return min(max(time.Duration(n)*time.Second, time.Second), afterLongest)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), time.Second), afterLongest)
	}
	return afterThrottle
}

// refused gives an answer that is no success the words of integrations. Its text is
// "statuspage <act> <thing>: <status>: <message>", and never holds the key.
func (c *Client) refused(a call, resp *http.Response, body []byte) error {
	text := strings.TrimSpace(fmt.Sprintf("%s: %d %s", a, resp.StatusCode, cmp.Or(http.StatusText(resp.StatusCode), map[int]string{statusLimit: "Too Many Requests"}[resp.StatusCode])))
	if said := messageOf(body); said != "" {
		text += ": " + said
	}
	no := &refusal{status: resp.StatusCode, text: c.hide.String(text)}
	switch {
	case resp.StatusCode == statusLimit || resp.StatusCode == http.StatusTooManyRequests:
		wait := limitOf(resp.Header, c.clock.Now())
		c.holdOff(wait)
		return &integrations.Later{After: wait, Err: no, Unsent: true}
	case resp.StatusCode >= http.StatusInternalServerError:
		_, after := transport.Wait(resp, c.clock.Now())
		return &integrations.Later{After: min(cmp.Or(after, afterServer), afterLongest), Err: no}
	case resp.StatusCode == http.StatusNotFound:
		return &integrations.Gone{Why: no.text}
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		no.text += "; it needs a valid API key of a user who may change the page"
	}
	return no
}

// messageOf is what a refusal says: {"error":"…"}, {"error":["…"]} or {"error":{"name":["…"]}}.
func messageOf(body []byte) string {
	var said struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
	}
	if json.Unmarshal(body, &said) != nil {
		return ""
	}
	var text string
	var list []string
	var fields map[string]any
	switch {
	case json.Unmarshal(said.Error, &text) == nil && text != "":
		return text
	case json.Unmarshal(said.Error, &list) == nil && len(list) > 0:
		return strings.Join(list, ", ")
	case json.Unmarshal(said.Error, &fields) == nil:
		for _, k := range slices.Sorted(maps.Keys(fields)) {
			list = append(list, fmt.Sprintf("%s %v", k, fields[k]))
		}
		return strings.Join(list, ", ")
	}
	return said.Message
}

// unanswered is an error without an answer of Statuspage in it: the network's, or of one
// that broke off. One that is too long will be so again. The end of the context stays
// what it is.
func (c *Client) unanswered(ctx context.Context, a call, err error) error {
	if ended := ctx.Err(); ended != nil {
		return fmt.Errorf("%s: %w", a, ended)
	}
	said := fmt.Errorf("%s: %w", a, c.hide.Error(err))
	if strings.Contains(err.Error(), "it is longer than") {
		return said
	}
	return &integrations.Later{After: afterNetwork, Err: said}
}

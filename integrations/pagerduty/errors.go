package pagerduty

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
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
	afterLongest  = time.Minute // whatever an answer asks for: the limit is of a minute
)

// refusal is PagerDuty's no.
type refusal struct {
	status int
	code   int // PagerDuty's own, such as 2001; 0 is none
	text   string
}

func (e *refusal) Error() string { return e.text }

// statusOf is the status of PagerDuty's no; 0 where it is none.
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

// codeOf is PagerDuty's own code of its no; 0 where there is none.
func codeOf(err error) int {
	var no *refusal
	if errors.As(err, &no) {
		return no.code
	}
	return 0
}

// limitOf is how long an answer of 429 wants a pause: ratelimit-reset, in seconds
// (developer.pagerduty.com, REST API rate limits), or Retry-After. It is a second at
// least and afterLongest at most.
func limitOf(h http.Header) time.Duration {
	for _, name := range []string{"Ratelimit-Reset", "Retry-After"} {
		if n, err := strconv.Atoi(h.Get(name)); err == nil && n >= 0 {
			return min(max(time.Duration(n)*time.Second, time.Second), afterLongest)
		}
	}
	return afterThrottle
}

// refused gives an answer that is no success the words of integrations: *Later for
// throttling and a service that is not well, *Gone for what is not there, a refusal
// otherwise. Its text is "pagerduty <act> <thing>: <status>: <message> (<code>)".
func (c *Client) refused(a call, resp *http.Response, body []byte) error {
	text := fmt.Sprintf("%s: %d %s", a, resp.StatusCode, http.StatusText(resp.StatusCode))
	said, code := messageOf(body)
	if said != "" {
		text += ": " + said
	}
	no := &refusal{status: resp.StatusCode, code: code, text: c.hide.String(text)}
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
		return &integrations.Later{After: limitOf(resp.Header), Err: no, Unsent: true}
	case resp.StatusCode >= http.StatusInternalServerError:
		_, after := transport.Wait(resp, c.clock.Now())
		return &integrations.Later{After: min(cmp.Or(after, afterServer), afterLongest), Err: no}
	case resp.StatusCode == http.StatusNotFound:
		return &integrations.Gone{Why: no.text}
	case resp.StatusCode == http.StatusUnauthorized:
		no.text += "; it needs a valid REST API key, and the url of its region (https://api.eu.pagerduty.com for an account in the EU)"
	case resp.StatusCode == http.StatusForbidden && a.method != http.MethodGet:
		no.text += "; it needs a REST API key that may write, of a user who may change the " + cmp.Or(a.of, "schedule")
	case resp.StatusCode == http.StatusForbidden:
		no.text += "; it needs a REST API key that may read it"
	}
	return no
}

// messageOf is what a refusal says, and its code: {"error":{"message","code","errors"}}, a
// text, or, of an event, {"message","errors"}.
func messageOf(body []byte) (text string, code int) {
	var said struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &said) != nil {
		return "", 0
	}
	if said.Error == nil {
		said.Error = body
	}
	if json.Unmarshal(said.Error, &text) == nil {
		return text, 0
	}
	var long struct {
		Message string          `json:"message"`
		Code    int             `json:"code"`
		Errors  json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(said.Error, &long) != nil {
		return "", 0
	}
	text = long.Message
	if long.Code != 0 {
		text += fmt.Sprintf(" (%d)", long.Code)
	}
	var each []string
	if json.Unmarshal(long.Errors, &each) == nil && len(each) > 0 {
		text += ": " + strings.Join(each, ", ")
	}
	return text, long.Code
}

// unanswered is an error without an answer of PagerDuty in it: the network's, or of one
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

// lost says that nobody knows whether a change was made.
func lost(err error) bool {
	var later *integrations.Later
	return errors.As(err, &later) && !later.Unsent
}

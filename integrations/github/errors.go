package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/transport"
)

// refusal is GitHub's answer that it would not do something.
type refusal struct {
	status int
	text   string
	is     error // a word of integrations, or nil
}

func (e *refusal) Error() string { return fmt.Sprintf("GitHub answered %d: %s", e.status, e.text) }
func (e *refusal) Unwrap() error { return e.is }

// system is what errors call GitHub.
const system = "GitHub"

// outage says that GitHub was not reached, or not well.
type outage = integrations.Away

// longestWait bounds what a rate limit may ask for: GitHub's window is an hour.
const longestWait = time.Hour

// shape turns what go-github returned into the words of integrations:
// *integrations.Later for a rate limit, *refusal for an answer, *outage for
// everything that came in between. An answer 202 is success.
func shape(err error) error {
	var accepted *gh.AcceptedError
	if err == nil || errors.As(err, &accepted) {
		return nil
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var primary *gh.RateLimitError
	if errors.As(err, &primary) {
		return later(time.Until(primary.Rate.Reset.Time), "the hourly rate limit is used up")
	}
	var secondary *gh.AbuseRateLimitError
	if errors.As(err, &secondary) {
		wait := time.Minute
		if secondary.RetryAfter != nil {
			wait = *secondary.RetryAfter
		}
		return later(wait, "a secondary rate limit was hit")
	}
	var answer *gh.ErrorResponse
	if !errors.As(err, &answer) || answer.Response == nil {
		return away(err, nil)
	}
	if wait, ok := limited(answer); ok {
		return later(wait, "GitHub asks to slow down")
	}
	r := &refusal{status: answer.Response.StatusCode, text: answerText(answer)}
	switch r.status {
	case http.StatusNotFound, http.StatusGone:
		r.is = integrations.ErrNotFound
	case http.StatusUnauthorized:
		r.text += " (the token is wrong, expired or revoked)"
	}
	if r.status >= 500 {
		return away(r, answer.Response)
	}
	return r
}

func later(wait time.Duration, why string) *integrations.Later {
	return &integrations.Later{After: min(max(wait, time.Second), longestWait), Err: errors.New(why)}
}

// limited recognises the rate limits that go-github v60 does not: 429, and 403
// told apart from a missing permission by its headers or its words.
func limited(answer *gh.ErrorResponse) (time.Duration, bool) {
	status := answer.Response.StatusCode
	if status != http.StatusTooManyRequests && status != http.StatusForbidden {
		return 0, false
	}
	again, after := transport.Wait(answer.Response, time.Now())
	if !again && !strings.Contains(strings.ToLower(answer.Message), "rate limit") {
		return 0, false
	}
	if after == 0 {
		after = time.Minute
	}
	return after, true
}

func answerText(answer *gh.ErrorResponse) string {
	parts := []string{}
	if answer.Message != "" {
		parts = append(parts, answer.Message)
	}
	for _, e := range answer.Errors {
		switch {
		case e.Message != "":
			parts = append(parts, e.Message)
		case e.Field != "":
			parts = append(parts, strings.TrimSpace(e.Resource+"."+e.Field+" "+e.Code))
		}
	}
	if len(parts) == 0 {
		return http.StatusText(answer.Response.StatusCode)
	}
	return strings.Join(parts, ": ")
}

// says reports whether err is a refusal with that status whose text holds any
// of the words; with no words, the status is enough.
func says(err error, status int, words ...string) bool {
	var r *refusal
	if !errors.As(err, &r) || r.status != status {
		return false
	}
	if len(words) == 0 {
		return true
	}
	text := strings.ToLower(r.text)
	for _, w := range words {
		if strings.Contains(text, strings.ToLower(w)) {
			return true
		}
	}
	return false
}

// as gives the refusal in err a word of integrations.
func as(err, word error) error {
	var r *refusal
	if errors.As(err, &r) {
		return &refusal{status: r.status, text: r.text, is: word}
	}
	return err
}

// about says what was being done and to what.
func about(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)
}

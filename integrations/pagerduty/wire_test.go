package pagerduty_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/pagerduty"
	"github.com/signalbox-chatops/signalbox/integrations/pagerduty/pagerdutysim"
)

// A call waits for the limit on the clock, as long as PagerDuty says, and is made then.
func TestALimitIsWaitedForOnTheClock(t *testing.T) {
	cfg := config(daily("UTC", "2026-11-30 09:00"))
	cfg.PerMinute = 5
	inAccount(t, cfg, func(a *account) {
		for range 4 {
			a.timeline("PDAILY", noon, noon.Add(time.Hour))
		}
		if got := a.clock.Now().Sub(noon); got != time.Minute { // of v3, v2, the user and three times v2 the sixth waits
			a.Errorf("it took %v", got)
		}
		if n := a.calls("schedule.get"); n != 4 {
			a.Errorf("%d calls", n)
		}
	})
}

// Of 429 nothing was done, so a change is sent again as well: whole, and once.
func TestAChangeIsSentAgainWholeAfterALimit(t *testing.T) {
	inAccount(t, config(daily("UTC", "2026-11-30 09:00")), func(a *account) {
		for _, seconds := range []int{7, 30} {
			a.fault(pagerdutysim.Fault{Kind: "throttle", Action: "overrides.create", Seconds: seconds})
		}
		a.make("PDAILY", take("alice", evening[0], evening[1]))
		if got := a.clock.Now().Sub(noon); got != 37*time.Second {
			a.Errorf("it took %v", got)
		}
		var posts []string
		for _, s := range a.sent {
			if strings.HasPrefix(s, "POST ") {
				posts = append(posts, s)
			}
		}
		want := `POST /schedules/PDAILY/overrides {"overrides":[{"start":"2026-12-01T18:00:00Z","end":"2026-12-01T22:00:00Z","user":{"id":"PALICE","type":"user_reference"}}]}`
		if !slices.Equal(posts, []string{want, want, want}) {
			a.Errorf("it sent %q", posts)
		}
		a.has("PDAILY", "PALICE 12-01 18:00 to 12-01 22:00")
	})
}

// Nobody waits for ever, nor longer than there is time; meanwhile nothing else is asked.
func TestALimitThatDoesNotEnd(t *testing.T) {
	inAccount(t, config(daily("UTC", "2026-11-30 09:00")), func(a *account) {
		a.fault(pagerdutysim.Fault{Kind: "throttle", Action: "users.list", Seconds: 20, Count: -1})
		_, err := a.client.UserByEmail(a.Context(), "alice@example.com")
		if later := isLater(err); later == nil || !later.Unsent || later.After != 20*time.Second || !strings.Contains(err.Error(), "429 Too Many Requests: Rate Limit Exceeded (2020)") {
			a.Errorf("it is not to come again: %v", err)
		}
		if n := a.calls("users.list"); n != 3 {
			a.Errorf("%d calls", n)
		}
		ctx, cancel := context.WithTimeout(a.Context(), 5*time.Second)
		defer cancel()
		began := a.clock.Now()
		_, err = a.client.Timeline(ctx, "PDAILY", noon, noon.Add(time.Hour))
		if later := isLater(err); later == nil || !later.Unsent || later.After != 20*time.Second || a.clock.Now() != began {
			a.Errorf("after %v: %v", a.clock.Now().Sub(began), err)
		}
		if n := a.calls("schedule_v3.get"); n != 0 {
			a.Errorf("it asked while PagerDuty wants a pause: %v", a.sim.Calls())
		}
		a.timeline("PDAILY", noon, noon.Add(time.Hour))
		if got := a.clock.Now().Sub(began); got != 20*time.Second {
			a.Errorf("it took %v", got)
		}
		ctx, stop := context.WithCancel(a.Context())
		time.AfterFunc(time.Second, stop)
		a.fault(pagerdutysim.Fault{Kind: "throttle", Action: "schedule.get", Seconds: 20})
		if _, err = a.client.Timeline(ctx, "PDAILY", noon, noon.Add(time.Hour)); !errors.Is(err, context.Canceled) || isLater(err) != nil {
			a.Errorf("ended: %v", err)
		}
	})
}

// One who comes again anyway is not held up by a limit, and asks nothing until it is over.
func TestWhoDoesNotWaitComesAgain(t *testing.T) {
	inAccount(t, config(daily("UTC", "2026-11-30 09:00")), func(a *account) {
		a.client = pagerduty.New(pagerduty.Config{Token: integrations.NewSecret(token)}, pagerduty.Options{HTTP: &http.Client{Transport: a}, Clock: a.clock, NoWait: true})
		a.fault(pagerdutysim.Fault{Kind: "throttle", Seconds: 20})
		for range 3 {
			_, err := a.client.Timeline(a.Context(), "PDAILY", noon, noon.Add(time.Hour))
			if later := isLater(err); later == nil || !later.Unsent || later.After != 20*time.Second {
				a.Errorf("it is not to come again: %v", err)
			}
		}
		if n := len(a.sim.Calls()); n != 1 || !a.clock.Now().Equal(noon) {
			a.Errorf("%d calls, and it is %v", n, a.clock.Now())
		}
		a.pass(20 * time.Second)
		if _, err := a.client.Timeline(a.Context(), "PDAILY", noon, noon.Add(time.Hour)); err != nil {
			a.Error(err)
		}
	})
}

// How long is said in seconds, and taken with a grain of salt.
func TestHowLongALimitIs(t *testing.T) {
	for header, want := range map[string]time.Duration{"": 5 * time.Second, "0": time.Second, "17": 17 * time.Second, "86400": time.Minute, "soon": 5 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			began, n := time.Now(), 0
			c := answering(func(*http.Request) (int, string, http.Header) {
				if n++; n == 1 {
					return 429, "", http.Header{"Ratelimit-Reset": {header}}
				}
				return 200, `{"users":[]}`, nil
			})
			if _, err := c.UserByEmail(t.Context(), "x@example.com"); !isGone(err) || time.Since(began) != want {
				t.Errorf("%q: after %v: %v", header, time.Since(began), err)
			}
		})
	}
}

// answering is a client of something that is not PagerDuty.
func answering(do func(*http.Request) (int, string, http.Header)) *pagerduty.Client {
	return pagerduty.New(pagerduty.Config{Token: integrations.NewSecret(token)}, pagerduty.Options{
		HTTP: &http.Client{Transport: trip(func(r *http.Request) (*http.Response, error) {
			status, body, header := do(r)
			if status == 0 {
				return nil, errors.New("no network for " + token)
			}
			if header == nil {
				header = http.Header{}
			}
			return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}, nil
		})},
		Email: func(string) (string, bool) { return "alice@example.com", true },
	})
}

type trip func(*http.Request) (*http.Response, error)

func (f trip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A read is tried again by the transport; a change is not.
func TestWhatWillPassIsToldAsLater(t *testing.T) {
	for name, f := range map[string]pagerdutysim.Fault{
		"reset": {Kind: "reset", Count: -1}, "lost": {Kind: "lost", Count: -1}, "broken": {Kind: "error", Status: 502, Message: "<html>", Count: -1},
	} {
		t.Run(name, func(t *testing.T) {
			inAccount(t, config(daily("UTC", "2026-11-30 09:00")), func(a *account) {
				a.timeline("PDAILY", noon, noon.Add(time.Hour))
				before := a.calls("schedule.get")
				f.Action = "schedule.get"
				a.fault(f)
				_, err := a.client.Timeline(a.Context(), "PDAILY", noon, noon.Add(time.Hour))
				if later := isLater(err); later == nil || later.After <= 0 || later.Unsent || !strings.Contains(err.Error(), "pagerduty read the schedule PDAILY: ") {
					a.Errorf("it is not to come again: %v", err)
				}
				if n := a.calls("schedule.get") - before; n != 3 {
					a.Errorf("a read: %d calls", n)
				}
				f.Action = "overrides.create"
				a.fault(f)
				if _, err := a.client.Override(a.Context(), "PDAILY", take("alice", evening[0], evening[1])); name != "lost" && isLater(err) == nil || name == "lost" && err != nil {
					a.Errorf("%v", err)
				}
				if n := a.calls("overrides.create"); n != 1 {
					a.Errorf("a change: %d calls", n)
				}
				a.sim.ClearFaults()
				remote := a.make("PDAILY", take("carol", evening[0], evening[1]))
				f.Action = "override.delete"
				a.fault(f)
				if err := a.client.Cancel(a.Context(), "PDAILY", remote); isLater(err) == nil {
					a.Errorf("%v", err)
				}
				if n := a.calls("override.delete"); n != 1 {
					a.Errorf("a cancel: %d calls", n)
				}
				a.sim.ClearFaults()
				if err := a.client.Cancel(a.Context(), "PDAILY", remote); err != nil {
					a.Error(err)
				}
			})
		})
	}
	inAccount(t, config(daily("UTC", "2026-11-30 09:00")), func(a *account) { // one that passes is not noticed
		a.fault(pagerdutysim.Fault{Kind: "error", Status: 500, Count: 2})
		a.timeline("PDAILY", noon, noon.Add(time.Hour))
		a.fault(pagerdutysim.Fault{Kind: "error", Action: "schedule.get", Status: 503, Seconds: 40})
		_, err := a.client.Timeline(a.Context(), "PDAILY", noon, noon.Add(time.Hour))
		if later := isLater(err); later == nil || later.After != 40*time.Second {
			a.Errorf("%v", err)
		}
	})
}

// An answer that takes too long is given up, and the end of the context stays what it is.
func TestACallHasALimitAndItsContextEndsIt(t *testing.T) {
	inAccount(t, config(daily("UTC", "2026-11-30 09:00")), func(a *account) {
		a.fault(pagerdutysim.Fault{Kind: "delay", Seconds: 10})
		a.timeline("PDAILY", noon, noon.Add(time.Hour))
		if got := a.clock.Now().Sub(noon); got != 10*time.Second {
			a.Errorf("it took %v", got)
		}
		a.fault(pagerdutysim.Fault{Kind: "delay", Action: "overrides.create", Seconds: 3600})
		began := a.clock.Now()
		a.make("PDAILY", take("alice", evening[0], evening[1])) // it acted, and says so to whoever asks
		if got := a.clock.Now().Sub(began); got != 15*time.Second {
			a.Errorf("it took %v", got)
		}
		a.fault(pagerdutysim.Fault{Kind: "delay", Seconds: 3600, Count: -1})
		ctx, cancel := context.WithCancel(a.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := a.client.Timeline(ctx, "PDAILY", noon, noon.Add(time.Hour)); !errors.Is(err, context.Canceled) || isLater(err) != nil {
			a.Errorf("%v", err)
		}
	})
}

// What a token may not do is said with what it needs, and the token is told to nobody.
func TestATokenThatMayNotIsRefusedWithWhatItNeeds(t *testing.T) {
	inAccount(t, config(daily("UTC", "2026-11-30 09:00")), func(a *account) {
		reads, wrong := a.with("reads"), a.with("s3cr3t-token-of-nobody")
		if _, err := reads.Timeline(a.Context(), "PDAILY", noon, noon.Add(time.Hour)); err != nil {
			a.Error(err)
		}
		_, err := reads.Override(a.Context(), "PDAILY", take("alice", evening[0], evening[1]))
		a.refused(err, "pagerduty override PDAILY: 403 Forbidden: Access Denied (2010)", "a REST API key that may write")
		a.refused(reads.Cancel(a.Context(), "PDAILY", "Q1"), "pagerduty cancel the override Q1 of PDAILY: 403", "may write")
		before := a.calls("")
		_, err = wrong.Timeline(a.Context(), "PDAILY", noon, noon.Add(time.Hour))
		a.refused(err, "pagerduty read the schedule PDAILY: 401 Unauthorized", "a valid REST API key", "https://api.eu.pagerduty.com")
		if len(a.sent) == 0 || a.calls("") != before {
			a.Error("it went on with a token that is none")
		}
		a.has("PDAILY")
		for _, status := range []int{400, 403, 422, 500} {
			a.fault(pagerdutysim.Fault{Kind: "error", Action: "users.list", Status: status, Message: `{"error":{"message":"no such key: ` + token + `","code":2001,"errors":["a","b"]}}`, Count: 3})
			_, err := a.client.UserByEmail(a.Context(), "eve@example.com")
			a.sim.ClearFaults()
			if err == nil || !strings.Contains(err.Error(), "no such key: <redacted> (2001): a, b") {
				a.Errorf("%d: %v", status, err)
			}
		}
		if strings.Contains(a.logged.String(), "s3cr3t") || !strings.Contains(a.logged.String(), "status=403") {
			a.Errorf("the log is %s", a.logged)
		}
	})
}

// An account in the EU has a host of its own; without a URL it is the other one. Each call
// has the headers that PagerDuty wants, those of v3 one more.
func TestTheHostAndTheHeaders(t *testing.T) {
	for url, host := range map[string]string{"": "api.pagerduty.com", "https://api.eu.pagerduty.com": "api.eu.pagerduty.com", "https://api.eu.pagerduty.com/": "api.eu.pagerduty.com"} {
		var asked []*http.Request
		c := pagerduty.New(pagerduty.Config{Token: integrations.NewSecret(token), URL: url}, pagerduty.Options{HTTP: &http.Client{Transport: trip(func(r *http.Request) (*http.Response, error) {
			asked = append(asked, r)
			return nil, errors.New("no network")
		})}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond) // nothing is tried again
		cancel()
		_, _ = c.UserByEmail(ctx, "x@example.com")
		_, _ = c.Timeline(ctx, "PABC", noon, noon.Add(time.Hour))
		var paths []string
		for _, r := range asked {
			paths = append(paths, r.URL.Scheme+"://"+r.URL.Host+r.URL.Path+" "+r.Header.Get("X-Early-Access"))
			if r.Header.Get("Authorization") != "Token token="+token || r.Header.Get("Accept") != "application/vnd.pagerduty+json;version=2" {
				t.Errorf("the headers are %v", r.Header)
			}
		}
		if want := []string{"https://" + host + "/users ", "https://" + host + "/v3/schedules/PABC flexible-schedules-early-access"}; !slices.Equal(paths, want) {
			t.Errorf("it asked %q, want %q", paths, want)
		}
	}
}

// A redirect would take the token elsewhere, or make a read of a change.
func TestNoRedirectIsFollowed(t *testing.T) {
	asked := 0
	c := answering(func(r *http.Request) (int, string, http.Header) {
		asked++
		return 302, "", http.Header{"Location": {"https://elsewhere.example.com/"}}
	})
	if _, err := c.UserByEmail(t.Context(), "x@example.com"); err == nil || isLater(err) != nil || isGone(err) || asked != 1 {
		t.Errorf("%d calls: %v", asked, err)
	}
}

// What nobody can read is a refusal; what broke off is to be asked for again. Neither
// passes for a schedule on which nobody is on call.
func TestAnAnswerThatCannotBeRead(t *testing.T) {
	for answer, later := range map[string]bool{
		`{"schedule":{"type":"schedule","final_schedule":{"rendered_schedule_entries":[{"start":1}]}}}`: false,
		"<html>": false, `{"schedule":`: false, "": false, "{}": false, `{"schedule":{"type":"schedule"}}`: false,
		`{"schedule":{"type":"schedule_v3","final_schedule":{"rendered_schedule_entries":[]}}}`: false, `{"schedule":{"type":"schedule","final_schedule":{}}}`: false,
		`{"schedule":{"type":"schedule_v3"}}`: false, "no network": true, `{"schedule":{"x":"` + strings.Repeat("x", 17<<20) + `"}}`: false,
	} {
		synctest.Test(t, func(t *testing.T) {
			c := answering(func(*http.Request) (int, string, http.Header) {
				if answer == "no network" {
					return 0, "", nil
				}
				return 200, answer, nil
			})
			line, err := c.Timeline(t.Context(), "PABC", noon, noon.Add(time.Hour))
			if err == nil || isGone(err) || (isLater(err) != nil) != later || strings.Contains(err.Error(), token) {
				t.Errorf("%.60q: %v, %v", answer, line, err)
			}
		})
	}
}

// PagerDuty answers the making of an override in two forms; where one does not say how it
// went, or which it is, that is asked.
func TestTheAnswersToAnOverride(t *testing.T) {
	for answer, want := range map[string]string{
		`[{"status":201,"override":{"id":"Q7"}}]`: "Q7",
		`{"overrides":[{"id":"Q7"}]}`:             "Q7",
		`[{"status":400,"errors":["not then"]}]`:  "400 Bad Request: not then",
		`[]`:                                      "and there is none",
		`{}`:                                      "and there is none",
		`{"overrides":[{"start":"x"}]}`:           "and there is none",
		`[{"status":201,"override":{"summary":"x"}}]`: "and there is none",
	} {
		c := answering(func(r *http.Request) (int, string, http.Header) {
			switch {
			case r.Method == http.MethodPost:
				return 201, answer, nil
			case r.URL.Path == "/users":
				return 200, `{"users":[{"id":"PALICE","email":"alice@example.com"}]}`, nil
			case strings.HasPrefix(r.URL.Path, "/v3/"):
				return 400, "", nil
			}
			return 200, `{"overrides":[]}`, nil
		})
		from := time.Now().Add(time.Hour)
		id, err := c.Override(t.Context(), "PABC", take("alice", from, from.Add(time.Hour)))
		if id != want && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %q, %v", answer, id, err)
		}
	}
}

// Below a path, over a real connection.
func TestASandboxIsBelowAPath(t *testing.T) {
	sim, err := pagerdutysim.New(pagerdutysim.Config{Users: users(), Schedules: []pagerdutysim.Schedule{daily("UTC", "2026-11-30 09:00")}, Tokens: map[string]pagerdutysim.Token{token: {}}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.StripPrefix("/pagerduty", sim.Handler()))
	defer server.Close()
	c := pagerduty.New(pagerduty.Config{Token: integrations.NewSecret(token), URL: server.URL + "/pagerduty/"}, pagerduty.Options{})
	line, err := c.Timeline(t.Context(), "PDAILY", noon, noon.Add(time.Hour))
	if err != nil || said(line) != "12-01 12:00 to 12-01 13:00 Bob Bell" {
		t.Errorf("%s, %v", said(line), err)
	}
}

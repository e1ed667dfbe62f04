package pagerduty_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/pagerduty"
	"github.com/signalbox-chatops/signalbox/integrations/pagerduty/pagerdutysim"
)

const token = "s3cr3t-token-that-writes"

// noon is when every test begins: a Tuesday.
var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

func at(text string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", "2026-"+text)
	if err != nil {
		panic(err)
	}
	return t
}

// people are in the configuration, but for eve.
var people = map[string]string{"alice": "alice@example.com", "bob": "bob@example.com", "carol": "Carol@Example.com", "dan": "dan@example.com"}

func users() (out []pagerdutysim.User) {
	for _, name := range []string{"Alice Ames", "Bob Bell", "Carol Chen", "Eve Ek"} {
		first, _, _ := strings.Cut(name, " ")
		out = append(out, pagerdutysim.User{ID: "P" + strings.ToUpper(first), Name: name, Email: strings.ToLower(first) + "@example.com"})
	}
	return out
}

// account is a simulated one and the real client of it, without a network between them
// and with time that only moves when everybody waits.
type account struct {
	*testing.T
	sim    *pagerdutysim.Sim
	clock  *clock.Movable
	client *pagerduty.Client
	logged *bytes.Buffer
	sent   []string // method, path and body
	after  func()   // each call
}

// inAccount runs a test in a new account.
func inAccount(t *testing.T, cfg pagerdutysim.Config, do func(a *account)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a := &account{T: t, clock: clock.NewMovable(time.Until(noon)), logged: &bytes.Buffer{}}
		if cfg.Users == nil {
			cfg.Users = users()
		}
		cfg.Clock, cfg.Tokens = a.clock, map[string]pagerdutysim.Token{
			token: {Writes: true}, "reads": {}, "alices": {Writes: true, User: "PALICE"}, "looks": {User: "PEVE"},
		}
		var err error
		if a.sim, err = pagerdutysim.New(cfg); err != nil {
			t.Fatal(err)
		}
		a.client = a.with(token)
		do(a)
	})
}

func (a *account) with(token string) *pagerduty.Client {
	return pagerduty.New(pagerduty.Config{Token: integrations.NewSecret(token)}, pagerduty.Options{
		HTTP: &http.Client{Transport: a}, Clock: a.clock, Log: slog.New(slog.NewTextHandler(a.logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Name: func(email string) (string, bool) {
			for name, e := range people {
				if strings.EqualFold(e, email) {
					return name, true
				}
			}
			return "", false
		},
		Email: func(name string) (string, bool) { e, ok := people[name]; return e, ok },
	})
}

// RoundTrip is the wire.
func (a *account) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	var body []byte
	if r.Body != nil {
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body.Close()
	}
	a.sent = append(a.sent, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+string(body)))
	in := r.Clone(r.Context())
	in.Body = io.NopCloser(bytes.NewReader(body))
	if a.after != nil {
		defer a.after()
	}
	defer func() {
		if stopped := recover(); stopped != nil {
			resp, err = nil, io.ErrUnexpectedEOF
		}
	}()
	w := httptest.NewRecorder()
	door := a.sim.Handler()
	if r.URL.Host == "events.pagerduty.com" {
		door = a.sim.Events()
	}
	door.ServeHTTP(w, in)
	return w.Result(), nil
}

func (a *account) fault(f pagerdutysim.Fault) {
	a.Helper()
	if err := a.sim.Fault(f); err != nil {
		a.Fatal(err)
	}
}

func (a *account) pass(d time.Duration) {
	a.Helper()
	if err := a.clock.Advance(a.Context(), d, nil); err != nil {
		a.Fatal(err)
	}
}

// timeline is what the client says, one line a shift: "12-01 12:00 to 12-02 09:00 alice".
func (a *account) timeline(id string, from, to time.Time) string {
	a.Helper()
	line, err := a.client.Timeline(a.Context(), id, from, to)
	if err != nil {
		a.Fatal(err)
	}
	return said(line)
}

func said(line []integrations.Shift) string {
	var out []string
	for _, s := range line {
		text := s.Start.Format("01-02 15:04") + " to " + s.End.Format("01-02 15:04")
		for _, d := range s.On {
			text += " " + d.Person
			if d.Override != "" {
				text += "*"
			}
		}
		out = append(out, text)
	}
	return strings.Join(out, "\n")
}

func (a *account) want(got string, lines ...string) {
	a.Helper()
	if want := strings.Join(lines, "\n"); got != want {
		a.Errorf("it is\n%s\nwant\n%s", got, want)
	}
}

// overrides are those that PagerDuty has, custom shifts too.
func (a *account) overrides(id string) (out []string) {
	a.Helper()
	sc, ok := a.sim.Schedule(id)
	if !ok {
		a.Fatal("no schedule " + id)
	}
	for _, o := range append(sc.Overrides, sc.Custom...) {
		text := fmt.Sprintf("%s %s to %s", o.User, o.Start.Format("01-02 15:04"), o.End.Format("01-02 15:04"))
		if o.Instead != "" {
			text += " for " + o.Instead
		}
		out = append(out, text)
	}
	return out
}

// calls counts those of an action, all where it is "".
func (a *account) calls(action string) (n int) {
	for _, c := range a.sim.Calls() {
		if action == "" || strings.HasPrefix(c+" ", action+" ") {
			n++
		}
	}
	return n
}

func isLater(err error) *integrations.Later {
	var later *integrations.Later
	errors.As(err, &later)
	return later
}

func isGone(err error) bool {
	var gone *integrations.Gone
	return errors.As(err, &gone)
}

// refused says that an error is a no, and that it says all of these.
func (a *account) refused(err error, words ...string) {
	a.Helper()
	if err == nil || isLater(err) != nil || isGone(err) {
		a.Errorf("it is no refusal: %v", err)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			a.Errorf("%v: it does not say %q", err, w)
		}
	}
}

// daily is a schedule of one layer: alice, bob and eve in their turn, a day each.
func daily(zone, start string) pagerdutysim.Schedule {
	z, err := time.LoadLocation(zone)
	if err != nil {
		panic(err)
	}
	begin, err := time.ParseInLocation("2006-01-02 15:04", start, z)
	if err != nil {
		panic(err)
	}
	return pagerdutysim.Schedule{ID: "PDAILY", Name: "Primary", Zone: zone, Layers: []pagerdutysim.Layer{{Start: begin, Turn: 86400, Users: []string{"PALICE", "PBOB", "PEVE"}}}}
}

// shifts is a schedule of two rotations: alice, nobody and bob for a day each, and carol
// besides them on weekdays from 9 to 17.
func shifts(zone string) pagerdutysim.Schedule {
	return pagerdutysim.Schedule{ID: "PSHIFTS", Name: "Both", Zone: zone, Shifts: true, Rotations: []pagerdutysim.Rotation{
		{ID: "ROTA", Events: []pagerdutysim.Event{{Name: "Round the clock", Start: "2026-11-30T00:00:00", End: "2026-12-01T00:00:00", Rule: "RRULE:FREQ=DAILY", Members: []string{"PALICE", "", "PBOB"}}}},
		{ID: "ROTB", Events: []pagerdutysim.Event{{Name: "Office", Start: "2026-11-30T09:00:00", End: "2026-11-30T17:00:00", Rule: "RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", Every: true, Members: []string{"PCAROL"}}}},
	}}
}

func config(s ...pagerdutysim.Schedule) pagerdutysim.Config {
	return pagerdutysim.Config{Schedules: s}
}

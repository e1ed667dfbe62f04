package sandbox

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/pagerduty/pagerdutysim"
)

const (
	pagerDutyKey = "sandbox-pagerduty-key"
	// databaseID is the schedule that PagerDuty keeps.
	databaseID = "PDATABASE"
	// hookID is the subscription that tells the bot, and hookSecret what it signs with.
	hookID     = "PSIGNALBOX"
	hookSecret = "sandbox"
	// shownAhead is how far PagerDuty's page looks.
	shownAhead = 14 * 24 * time.Hour
)

func pagerDutyUser(name string) string { return "P" + strings.ToUpper(name) }

// simulatePager opens PagerDuty. Its schedule has somebody of their own for each day of the
// week, so that who is on call does not depend on the week in which it is looked at.
func (w *world) simulatePager() (err error) {
	dir := filepath.Join(w.data, "pagerduty")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	c := pagerdutysim.Config{
		Dir: dir, Clock: w.clk, Log: w.log.With("simulator", "pagerduty"),
		Tokens: map[string]pagerdutysim.Token{pagerDutyKey: {Writes: true}},
	}
	for _, p := range people {
		c.Users = append(c.Users, pagerdutysim.User{ID: pagerDutyUser(p.name), Name: p.real, Email: p.name + "@acme.example"})
	}
	days := pagerdutysim.Layer{Name: "Days", Start: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), Turn: 24 * 60 * 60} // at nine in Tokyo
	for _, name := range []string{"bob", "carol", "alice", "bob", "carol", "alice", "alice"} {                       // from Monday
		days.Users = append(days.Users, pagerDutyUser(name))
	}
	c.Schedules = []pagerdutysim.Schedule{{ID: databaseID, Name: "Database", Zone: "Asia/Tokyo", Layers: []pagerdutysim.Layer{days}}}
	c.Policies = []pagerdutysim.Policy{
		{ID: "PPLATFORM", Name: "Platform", Loops: 1, Levels: []pagerdutysim.Level{{Minutes: 5, Users: []string{pagerDutyUser("alice")}}, {Minutes: 10, Users: []string{pagerDutyUser("bob")}}}},
		{ID: "PDATA", Name: "Data", Levels: []pagerdutysim.Level{{Minutes: 15, Schedules: []string{databaseID}}, {Minutes: 15, Users: []string{pagerDutyUser("bob")}}}},
	}
	c.Services = []pagerdutysim.Service{
		{ID: "PWEB", Name: "web", RoutingKey: "sandbox-routing-key-of-web-00000", Policy: "PPLATFORM", AckTimeout: 30 * 60},
		{ID: "PDB", Name: "database", RoutingKey: "sandbox-routing-key-of-db-000000", Policy: "PDATA"},
	}
	c.Subscriptions = []pagerdutysim.Subscription{{ID: hookID, URL: w.alertsOfPagerDuty(), Secret: hookSecret}}
	if w.pagerDuty, err = pagerdutysim.New(c); err != nil {
		return err
	}
	return w.pagerDuty.Point(hookID, w.alertsOfPagerDuty()) // the port may be another than last time
}

// alertsOfPagerDuty is where the bot takes PagerDuty's webhooks.
func (w *world) alertsOfPagerDuty() string { return w.base + "/bot/alerts/pagerduty" }

// pagerDutyAPI is the REST API, and below /events that of events.
func (w *world) pagerDutyAPI() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", w.pagerDuty.Handler())
	mux.Handle("/events/", http.StripPrefix("/events", w.pagerDuty.Events()))
	return mux
}

// pagerDutyRoutes are PagerDuty's own pages, in which people look and change things past
// its API and whatever is wrong with that.
func (w *world) pagerDutyRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /sim/pagerduty/schedules", answer(w.pagerDutySchedules))
	mux.HandleFunc("POST /sim/pagerduty/override", post(w.overrideThere))
	mux.HandleFunc("POST /sim/pagerduty/cancel", post(w.cancelThere))
	mux.HandleFunc("GET /sim/pagerduty/incidents", answer(w.pagerDutyIncidents))
	mux.HandleFunc("POST /sim/pagerduty/incidents", post(w.triggerThere))
	mux.HandleFunc("POST /sim/pagerduty/incidents/{id}", answer(w.actThere))
	mux.HandleFunc("GET /sim/pagerduty/deliveries", answer(w.pagerDutyDeliveries))
}

type pagerDutyView struct {
	ID     string           `json:"id"`
	Name   string           `json:"name"`
	Zone   string           `json:"zone"`
	Shifts []pagerDutyShift `json:"shifts"` // of the next two weeks, gaps too
	// Overrides are those that are not over, the newest last.
	Overrides []pagerDutyOverride `json:"overrides"`
}

type pagerDutyShift struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	On    []string  `json:"on"` // nobody is a gap
}

type pagerDutyOverride struct {
	ID    string    `json:"id"`
	User  string    `json:"user"`
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// pagerDutySchedules answers /sim/pagerduty/schedules.
func (w *world) pagerDutySchedules(r *http.Request) (any, error) {
	if err := only(r.URL.Query()); err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, u := range w.pagerDuty.Users() {
		names[u.ID], _, _ = strings.Cut(u.Email, "@")
	}
	now, all := w.clk.Now().UTC().Truncate(time.Second), []pagerDutyView{}
	for _, id := range w.pagerDuty.Schedules() {
		s, _ := w.pagerDuty.Schedule(id)
		v := pagerDutyView{ID: id, Name: s.Name, Zone: s.Zone, Overrides: []pagerDutyOverride{}}
		final, err := w.pagerDuty.Final(id, now, now.Add(shownAhead))
		if err != nil {
			return nil, err
		}
		for _, x := range final {
			on := []string{}
			for _, u := range x.Users {
				on = append(on, names[u])
			}
			v.Shifts = append(v.Shifts, pagerDutyShift{x.Start, x.End, on})
		}
		for _, o := range slices.Concat(s.Overrides, s.Custom) {
			if o.End.After(now) {
				v.Overrides = append(v.Overrides, pagerDutyOverride{o.ID, names[o.User], o.Start, o.End})
			}
		}
		all = append(all, v)
	}
	return map[string]any{"schedules": all}, nil
}

// overrideCall has somebody on call, from in a while (now where it is "") for a time.
type overrideCall struct {
	Schedule string `json:"schedule"`
	User     string `json:"user"`
	In       string `json:"in"`
	For      string `json:"for"`
}

func (w *world) overrideThere(_ context.Context, c overrideCall) (any, error) {
	if !slices.ContainsFunc(people, func(p person) bool { return p.name == c.User }) {
		return nil, wrong("there is no user %q", c.User)
	}
	in, err := time.ParseDuration(c.In)
	if c.In != "" && (err != nil || in < 0) {
		return nil, wrong("in: %q is not a duration forwards, such as \"30m\"", c.In)
	}
	long, err := time.ParseDuration(c.For)
	if err != nil || long <= 0 {
		return nil, wrong("for: %q is not a duration, such as \"2h\"", c.For)
	}
	start := w.clk.Now().Add(in)
	ids, err := w.pagerDuty.Put(c.Schedule, pagerDutyUser(c.User), start, start.Add(long))
	if err != nil {
		return nil, err
	}
	return map[string]any{"ok": true, "ids": ids}, nil
}

type cancelCall struct {
	Schedule string `json:"schedule"`
	ID       string `json:"id"`
}

func (w *world) cancelThere(_ context.Context, c cancelCall) (any, error) {
	if err := w.pagerDuty.TakeOut(c.Schedule, c.ID); err != nil {
		return nil, err
	}
	return map[string]any{"ok": true}, nil
}

// faultOfPagerDuty arms a fault of its API.
func (w *world) faultOfPagerDuty(f pagerdutysim.Fault) error {
	if f.Kind == "clear" {
		w.pagerDuty.ClearFaults()
		return nil
	}
	return w.pagerDuty.Fault(f)
}

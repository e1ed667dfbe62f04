package statuspage

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// offered is the only button of an incident; nothing where there is none.
func (r *room) offered(o Offers, s integrations.PageSubject) (out integrations.Button) {
	r.t.Helper()
	r.view(func(tx *store.Tx) error {
		all, err := o.Buttons(tx, s)
		if len(all) > 1 {
			r.t.Errorf("it offers %+v", all)
		}
		for _, b := range all {
			out = b
		}
		return err
	})
	return out
}

var outages = Offers{
	{Sources: []string{"pingdom"}, Services: []string{"web"}, Components: []string{"web", "api"}, Impact: "major"},
	{Sources: []string{"pingdom"}},
	{Services: []string{"dns"}, Severities: []string{"critical"}, Environments: []string{"production"}, Checks: []string{"dig"}, Components: []string{"dns"}, Status: "partial_outage"},
}

// An incident that fits has a button whose line is filled in, and lacks what customers
// read: so whoever presses it gets the form. The first that fits counts.
func TestAnOutageProposesAnIncident(t *testing.T) {
	r := newRoom(t)
	of := func(source, service string) integrations.PageSubject {
		return integrations.PageSubject{ID: "incident-3", Title: "the \"shop\" is\ndown", Source: source, Service: service, Environment: "production", Check: "dig", Severity: "critical"}
	}
	for _, c := range []struct {
		of         integrations.PageSubject
		components string
		status     string
		impact     string
	}{
		{of("pingdom", "web"), "web,api", "major_outage", "major"},
		{of("pingdom", "api"), "", "", ""},
		{of("sensu", "dns"), "dns", "partial_outage", ""},
	} {
		b := r.offered(outages, c.of)
		u := commands.Parse(r.feat.Verbs, &integrations.Catalog{}, b.Command, false)
		if b.Label != "Tell customers…" || u.Call == nil || u.Call.Verb.Name != "statuspage open" || len(u.Missing) != 1 || u.Missing[0].Name != "message" {
			t.Fatalf("%+v is understood as %+v", b, u)
		}
		if got := u.Call.Args; got["title"] != `the "shop" is down` || got["components"] != c.components || got["component-status"] != c.status || got["impact"] != c.impact || got["about"] != "incident-3" {
			t.Errorf("%s says %q", b.Command, got)
		}
	}
	no := of("sensu", "dns")
	for _, edit := range []func(s *integrations.PageSubject){
		func(s *integrations.PageSubject) { s.Service = "web" }, func(s *integrations.PageSubject) { s.Severity = "error" },
		func(s *integrations.PageSubject) { s.Environment = "staging" }, func(s *integrations.PageSubject) { s.Check = "ping" },
		func(s *integrations.PageSubject) { s.Over = true },
	} {
		s := no
		edit(&s)
		if b := r.offered(outages, s); b.Command != "" {
			t.Errorf("%+v offers %+v", s, b)
		}
	}
	over := of("pingdom", "web")
	if over.Over = true; r.offered(outages, over).Command != "" {
		t.Error("of what is over and was never told it offers something")
	}
	long := of("pingdom", "web")
	if long.Title = strings.Repeat("あ", 500); len(r.offered(outages, long).Command) > 1500 {
		t.Error("its line is too long for a button")
	}
}

// One that was opened from an incident is updated from there, and once that is over its end
// is proposed, until the page's is over too.
func TestTheEndOfAnOutageIsProposed(t *testing.T) {
	r := newRoom(t)
	s := integrations.PageSubject{ID: "incident-3", Title: "web is down", Source: "pingdom", Service: "web"}
	id := r.must(r.offered(outages, s).Command + " We are looking into it.")
	if b := r.offered(outages, s); b.Label != "Tell customers…" {
		t.Errorf("of what nobody confirmed it offers %+v", b)
	}
	r.pressed(id, "Confirm")
	n := r.goes(id, time.Minute)
	if n.State != statePosted || len(r.site.incidents) != 1 {
		t.Fatalf("%+v", n)
	}
	has(t, r.shown(n.Incident), "incident-3")
	r.passes(10 * time.Minute) // the page is looked at: it is the same still
	if b := r.offered(outages, s); b.Command != "statuspage update "+n.Incident {
		t.Errorf("it offers %+v", b)
	}
	other := s
	if other.ID = "incident-30"; r.offered(outages, other).Label != "Tell customers…" {
		t.Error("another one is taken for it")
	}
	s.Over = true
	b := r.offered(outages, s)
	if b.Command != "statuspage resolve "+n.Incident {
		t.Fatalf("it offers %+v", b)
	}
	id = r.must(b.Command + " All is well.")
	r.pressed(id, "Confirm")
	r.goes(id, time.Minute)
	if b := r.offered(outages, s); b.Command != "" || !r.site.incidents[0].Over() {
		t.Errorf("over on the page, it offers %+v", b)
	}
	s.Over = false
	if b := r.offered(outages, s); b.Label != "Tell customers…" {
		t.Errorf("wrong again, it offers %+v", b)
	}
}

// The message of the incident is told anew when the page's incident comes and goes, also by
// another hand.
func TestWhatIsProposedIsToldAnew(t *testing.T) {
	r := newRoom(t)
	if err := r.store.Update(t.Context(), func(tx *store.Tx) error {
		return tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, "incident-3"), Place: placeMessage, Card: "incident", Subject: "incident-3"})
	}); err != nil {
		t.Fatal(err)
	}
	marked := func() (n uint64) {
		r.view(func(tx *store.Tx) error {
			all, err := tx.SurfacesOf("incident-3")
			for _, s := range all {
				n += s.Marked
			}
			return err
		})
		return n
	}
	steps := []uint64{marked()}
	id := r.must(`statuspage open "web is down" --about incident-3 We are looking into it.`)
	r.pressed(id, "Confirm")
	n := r.goes(id, time.Minute)
	steps = append(steps, marked())
	r.site.incidents[0].Status = integrations.PageResolved
	r.passes(10 * time.Minute)
	steps = append(steps, marked())
	if len(slices.Compact(slices.Clone(steps))) != 3 {
		t.Errorf("its message was marked %v", steps)
	}
	if r.notice(n.ID).Ask.About != "incident-3" {
		t.Errorf("%+v", r.notice(n.ID).Ask)
	}
}

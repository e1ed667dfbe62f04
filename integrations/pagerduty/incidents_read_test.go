package pagerduty_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/pagerduty/pagerdutysim"
)

func TestAllOpenIncidentsAreListed(t *testing.T) {
	inAccount(t, paging(), func(a *account) {
		old := a.trigger("web", "old")
		a.page(old, "PBOB", "acknowledge", "")
		a.pass(60 * 24 * time.Hour)
		for n := range 230 {
			a.trigger("web", fmt.Sprint("web ", n))
		}
		db := a.trigger("database", "db")
		done := a.trigger("database", "done")
		a.page(done, "PEVE", "resolve", "")
		all, err := a.client.OpenIncidents(a.Context(), nil)
		if err != nil || len(all) != 232 || all[0].ID != old || all[231].ID != db || a.calls("incidents.list") != 3 {
			a.Fatalf("%d in %d calls, %v", len(all), a.calls("incidents.list"), err)
		}
		first := all[0]
		if first.Number != 1 || first.Status != integrations.RemoteAcknowledged || first.Service != "web" || first.ServiceID != "PWEB" || first.Policy != "Platform" || first.PolicyID != "PPLATFORM" ||
			first.Urgency != "high" || !strings.HasSuffix(first.URL, old) || !first.CreatedAt.Equal(noon) || first.AcknowledgedBy[0].Name != "bob" || first.Assigned[0].Email != "bob@example.com" || first.Key == "" {
			a.Errorf("%+v", first)
		}
		some, err := a.client.OpenIncidents(a.Context(), []string{"PDB"})
		if err != nil || len(some) != 1 || some[0].ID != db || some[0].Assigned[0].Name != "Eve Ek" {
			a.Errorf("%+v, %v", some, err)
		}
		// People who cannot be looked up keep nothing back.
		a.client = a.with(token)
		a.fault(pagerdutysim.Fault{Kind: "error", Action: "user.get", Status: 503, Count: -1})
		if one, err := a.client.Incident(a.Context(), old); err != nil || one.Assigned[0].Name != "Bob Bell" || one.Assigned[0].ID != "PBOB" {
			a.Errorf("%+v, %v", one, err)
		}
		policies, err := a.client.EscalationPolicies(a.Context(), "plat")
		if err != nil || len(policies) != 1 || policies[0] != (integrations.RemotePolicy{ID: "PPLATFORM", Name: "Platform", Levels: 2}) {
			a.Errorf("%+v, %v", policies, err)
		}
	})
}

func TestWhatHasHappenedIsInTheLog(t *testing.T) {
	inAccount(t, paging(), func(a *account) {
		id := a.trigger("web", "the shop is slow")
		a.pass(6 * time.Minute) // carol is asked
		a.page(id, "PCAROL", "note", "on it")
		a.pass(time.Minute)
		a.page(id, "PCAROL", "resolve", "")
		log := func(since time.Time) (out []string) {
			all, err := a.client.IncidentLog(a.Context(), id, since)
			if err != nil {
				a.Fatal(err)
			}
			for _, e := range all {
				out = append(out, e.At.Format("15:04")+" "+e.Kind+" "+e.By.Name+": "+e.Text)
			}
			return out
		}
		a.want(strings.Join(log(time.Time{}), "\n"), "12:00 trigger web: Triggered through the API.", "12:05 escalate web: Escalated to level 2 by timeout.", "12:06 annotate carol: on it", "12:07 resolve carol: Resolved by Carol Chen.")
		a.want(strings.Join(log(noon.Add(6*time.Minute)), "\n"), "12:06 annotate carol: on it", "12:07 resolve carol: Resolved by Carol Chen.")
	})
}

func TestAllOfOnesOwnAreAcknowledgedAtOnce(t *testing.T) {
	inAccount(t, paging(), func(a *account) {
		for n := range 260 {
			a.trigger("web", fmt.Sprint("web ", n))
		}
		other := a.trigger("database", "eve's")
		a.page(a.trigger("database", "bob's"), "PEVE", "reassign", "PBOB")
		had := a.trigger("web", "carol has it")
		a.page(had, "PCAROL", "acknowledge", "")
		a.fault(pagerdutysim.Fault{Kind: "throttle", Action: "incidents.update", Seconds: 3})
		got, err := a.client.AcknowledgeMine(a.Context(), "Bob@example.com", []string{"PWEB"})
		if err != nil || len(got) != 260 || got[0].Status != integrations.RemoteAcknowledged || got[259].AcknowledgedBy[0].Name != "bob" {
			a.Fatalf("%d, %v", len(got), err)
		}
		if n := a.calls("incidents.update"); n != 3 {
			a.Errorf("%d calls", n)
		}
		if got, err = a.client.AcknowledgeMine(a.Context(), "bob@example.com", nil); err != nil || len(got) != 1 || got[0].Title != "bob's" {
			a.Errorf("%+v, %v", got, err)
		}
		a.want(a.state(other), "triggered of PEVE: trigger")
		a.want(a.state(had), "acknowledged of PCAROL by PCAROL: acknowledge PCAROL")
		if got, err = a.client.AcknowledgeMine(a.Context(), "bob@example.com", nil); err != nil || len(got) != 0 {
			a.Errorf("%+v, %v", got, err)
		}
	})
}

// Where the answer is lost, it is looked for which they were.
func TestALostAnswerToAllOfOnesOwn(t *testing.T) {
	inAccount(t, paging(), func(a *account) {
		one, two := a.trigger("web", "one"), a.trigger("web", "two")
		a.fault(pagerdutysim.Fault{Kind: "lost", Action: "incidents.update"})
		got, err := a.client.AcknowledgeMine(a.Context(), "bob@example.com", nil)
		if err != nil || len(got) != 2 || a.did(one, "acknowledge", "PBOB") != 1 || a.did(two, "acknowledge", "PBOB") != 1 {
			a.Errorf("%+v, %v", got, err)
		}
		three := a.trigger("web", "three")
		a.fault(pagerdutysim.Fault{Kind: "reset", Action: "incidents.update"})
		if got, err = a.client.AcknowledgeMine(a.Context(), "bob@example.com", nil); isLater(err) == nil || len(got) != 0 {
			a.Errorf("%+v, %v", got, err)
		}
		if got, err = a.client.AcknowledgeMine(a.Context(), "bob@example.com", nil); err != nil || len(got) != 1 || got[0].ID != three {
			a.Errorf("%+v, %v", got, err)
		}
	})
}

// A thousand calls take the time that PagerDuty gives them, and it never has to say no.
func TestCallsAreSpread(t *testing.T) {
	inAccount(t, paging(), func(a *account) {
		id := a.trigger("web", "the shop is slow")
		for range 2000 {
			if _, err := a.client.Incident(a.Context(), id); err != nil {
				a.Fatal(err)
			}
		}
		if took := a.clock.Now().Sub(noon); took < 2*time.Minute || took > 3*time.Minute {
			a.Errorf("it took %v", took)
		}
		if strings.Contains(a.logged.String(), "status=429") {
			a.Error("PagerDuty said no")
		}
	})
}

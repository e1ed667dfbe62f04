package pagerduty_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/pagerduty/pagerdutysim"
)

// paging is an account with a service "web", which pages bob and then carol, and a service
// "database", which pages eve.
func paging() pagerdutysim.Config {
	return pagerdutysim.Config{
		Policies: []pagerdutysim.Policy{
			{ID: "PPLATFORM", Name: "Platform", Loops: 1, Levels: []pagerdutysim.Level{{Minutes: 5, Users: []string{"PBOB"}}, {Minutes: 10, Users: []string{"PCAROL"}}}},
			{ID: "PDATA", Name: "Data", Levels: []pagerdutysim.Level{{Minutes: 5, Users: []string{"PEVE"}}}},
		},
		Services: []pagerdutysim.Service{
			{ID: "PWEB", Name: "web", RoutingKey: strings.Repeat("w", 32), Policy: "PPLATFORM"},
			{ID: "PDB", Name: "database", RoutingKey: strings.Repeat("d", 32), Policy: "PDATA"},
		},
	}
}

func (a *account) trigger(service, title string) string {
	a.Helper()
	id, err := a.sim.Trigger(service, title, "", "")
	if err != nil {
		a.Fatal(err)
	}
	return id
}

func (a *account) page(id, user, act, more string) {
	a.Helper()
	if err := a.sim.Act(id, user, act, more); err != nil {
		a.Fatal(err)
	}
}

func (a *account) there(id string) pagerdutysim.Incident {
	a.Helper()
	all := a.sim.Incidents()
	n := slices.IndexFunc(all, func(i pagerdutysim.Incident) bool { return i.ID == id })
	if n < 0 {
		a.Fatal("there is no incident " + id)
	}
	return all[n]
}

// state is an incident as PagerDuty has it: "acknowledged of PALICE by PALICE", and what
// was last written in its log.
func (a *account) state(id string) string {
	a.Helper()
	i := a.there(id)
	text := i.Status
	for word, list := range map[string][]pagerdutysim.Stamp{" of ": i.Assigned} {
		for _, s := range list {
			text += word + s.User
		}
	}
	for _, s := range i.Acks {
		text += " by " + s.User
	}
	last := i.Log[len(i.Log)-1]
	return strings.TrimSpace(fmt.Sprintf("%s: %s %s", text, last.Kind, last.User))
}

// did is how often somebody did a thing, by the log.
func (a *account) did(id, kind, user string) (n int) {
	a.Helper()
	for _, e := range a.there(id).Log {
		if e.Kind == kind && e.User == user {
			n++
		}
	}
	return n
}

func (a *account) by(name, id string) integrations.RemoteAct {
	return integrations.RemoteAct{As: people[name], ID: id, Asked: a.clock.Now()}
}

// deeds are the acts of a person on one incident, and what is so when each was done.
var deeds = []struct {
	name, action, after, kind string
	do                        func(a *account, act integrations.RemoteAct) (integrations.RemoteActed, error)
}{
	{"acknowledge", "incident.update", "acknowledged of PALICE by PALICE: acknowledge PALICE", "acknowledge", func(a *account, act integrations.RemoteAct) (integrations.RemoteActed, error) {
		return a.client.Acknowledge(a.Context(), act)
	}},
	{"resolve", "incident.update", "resolved: resolve PALICE", "resolve", func(a *account, act integrations.RemoteAct) (integrations.RemoteActed, error) {
		return a.client.Resolve(a.Context(), act)
	}},
	{"reassign to a person", "incident.update", "triggered of PCAROL: assign PALICE", "assign", func(a *account, act integrations.RemoteAct) (integrations.RemoteActed, error) {
		return a.client.Reassign(a.Context(), act, integrations.RemoteTarget{Email: "carol@example.com"})
	}},
	{"reassign to a policy", "incident.update", "triggered of PEVE: delegate PALICE", "delegate", func(a *account, act integrations.RemoteAct) (integrations.RemoteActed, error) {
		return a.client.Reassign(a.Context(), act, integrations.RemoteTarget{Policy: "PDATA"})
	}},
	{"escalate", "incident.update", "triggered of PCAROL: escalate PALICE", "escalate", func(a *account, act integrations.RemoteAct) (integrations.RemoteActed, error) {
		return a.client.Escalate(a.Context(), act, 2)
	}},
	{"snooze", "incident.snooze", "acknowledged of PALICE by PALICE: snooze PALICE", "snooze", func(a *account, act integrations.RemoteAct) (integrations.RemoteActed, error) {
		return a.client.Snooze(a.Context(), act, 2*time.Hour)
	}},
	{"note", "notes.create", "triggered of PBOB: annotate PALICE", "annotate", func(a *account, act integrations.RemoteAct) (integrations.RemoteActed, error) {
		return a.client.Note(a.Context(), act, "  I look at it ")
	}},
}

func TestEachActIsThePersons(t *testing.T) {
	for _, d := range deeds {
		inAccount(t, paging(), func(a *account) {
			id := a.trigger("web", "the shop is slow")
			got, err := d.do(a, a.by("alice", id))
			if err != nil || got.Already || got.Incident.ID != id || got.Incident.Status != a.there(id).Status {
				a.Errorf("%s: %+v, %v", d.name, got, err)
			}
			a.want(a.state(id), d.after)
			// Tried again, with an answer that came late: once is enough.
			got, err = d.do(a, integrations.RemoteAct{As: people["alice"], ID: id, Asked: noon})
			if err != nil || !got.Already || a.did(id, d.kind, "PALICE") != 1 {
				a.Errorf("%s again: %+v, %v", d.name, got, err)
			}
		})
	}
}

// An answer that was lost is looked for, and what was not done is to be tried again.
func TestALostAnswerIsLookedFor(t *testing.T) {
	for _, d := range deeds {
		inAccount(t, paging(), func(a *account) {
			id := a.trigger("web", "the shop is slow")
			act := a.by("alice", id)
			a.fault(pagerdutysim.Fault{Kind: "lost", Action: d.action})
			if got, err := d.do(a, act); err != nil || got.Already {
				a.Errorf("%s: %+v, %v", d.name, got, err)
			}
			a.want(a.state(id), d.after)
		})
		inAccount(t, paging(), func(a *account) { // nor can it be looked for
			id := a.trigger("web", "the shop is slow")
			act := a.by("alice", id)
			a.fault(pagerdutysim.Fault{Kind: "lost", Action: d.action})
			down := false
			a.after = func() {
				if last := a.sent[len(a.sent)-1]; !down && !strings.HasPrefix(last, "GET ") {
					down = true
					a.fault(pagerdutysim.Fault{Kind: "error", Status: 503, Count: -1})
				}
			}
			_, err := d.do(a, act)
			if later := isLater(err); later == nil || later.Unsent {
				a.Errorf("%s: it is not to come again: %v", d.name, err)
			}
			a.sim.ClearFaults()
			if got, err := d.do(a, act); err != nil || !got.Already || a.did(id, d.kind, "PALICE") != 1 {
				a.Errorf("%s again: %+v, %v", d.name, got, err)
			}
		})
		inAccount(t, paging(), func(a *account) { // it did not get there
			id := a.trigger("web", "the shop is slow")
			act := a.by("alice", id)
			a.fault(pagerdutysim.Fault{Kind: "reset", Action: d.action})
			if _, err := d.do(a, act); isLater(err) == nil || a.did(id, d.kind, "PALICE") != 0 {
				a.Errorf("%s: %v", d.name, err)
			}
			if got, err := d.do(a, act); err != nil || got.Already {
				a.Errorf("%s again: %+v, %v", d.name, got, err)
			}
			a.want(a.state(id), d.after)
		})
	}
}

// A button that is older than the end of its incident opens it not again.
func TestAStaleButtonDoesNotReopen(t *testing.T) {
	for _, d := range deeds[:6] {
		inAccount(t, paging(), func(a *account) {
			id := a.trigger("web", "the shop is slow")
			a.page(id, "PBOB", "resolve", "")
			a.pass(time.Minute)
			_, err := d.do(a, a.by("alice", id))
			var over *integrations.RemoteOver
			if !errors.As(err, &over) || err.Error() != "incident #1 is over: bob resolved it at 2026-12-01T12:00:00Z" || over.Incident.ResolvedBy.Email != "bob@example.com" {
				a.Errorf("%s: %v", d.name, err)
			}
			a.want(a.state(id), "resolved: resolve PBOB")
			if slices.ContainsFunc(a.sent, func(s string) bool { return !strings.HasPrefix(s, "GET ") }) {
				a.Errorf("%s: it sent %q", d.name, a.sent)
			}
		})
	}
	inAccount(t, paging(), func(a *account) {
		id := a.trigger("web", "the shop is slow")
		a.after = func() {
			if strings.HasPrefix(a.sent[len(a.sent)-1], "GET /incidents/"+id) {
				a.after = nil
				a.page(id, "PBOB", "resolve", "")
			}
		}
		_, err := a.client.Resolve(a.Context(), a.by("alice", id))
		if !errors.As(err, new(*integrations.RemoteOver)) {
			a.Errorf("resolved by another meanwhile: %v", err)
		}
		a.want(a.state(id), "resolved: resolve PBOB")
		if got, err := a.client.Note(a.Context(), a.by("alice", id), "it was the cache"); err != nil || got.Already {
			a.Errorf("a note after the end: %+v, %v", got, err)
		}
	})
	inAccount(t, paging(), func(a *account) { // a machine's
		id := a.trigger("web", "the shop is slow")
		a.fault(pagerdutysim.Fault{Kind: "error", Status: 403, Action: "user.get", Count: -1})
		i := a.there(id)
		e := a.events()
		if err := e.ResolveEvent(a.Context(), integrations.NewSecret(strings.Repeat("w", 32)), i.Key); err != nil {
			a.Fatal(err)
		}
		if _, err := a.client.Acknowledge(a.Context(), a.by("alice", id)); err == nil || err.Error() != "incident #1 is over: web resolved it at 2026-12-01T12:00:00Z" {
			a.Error(err)
		}
	})
}

// Whoever has it keeps it, and is named.
func TestSomebodyElsesIsLeftTheirs(t *testing.T) {
	inAccount(t, paging(), func(a *account) {
		id := a.trigger("web", "the shop is slow")
		a.page(id, "PBOB", "acknowledge", "")
		got, err := a.client.Acknowledge(a.Context(), a.by("alice", id))
		if err != nil || !got.Already || got.By.Name != "bob" || got.By.Email != "bob@example.com" || len(got.Incident.AcknowledgedBy) != 1 {
			a.Errorf("%+v, %v", got, err)
		}
		a.want(a.state(id), "acknowledged of PBOB by PBOB: acknowledge PBOB")
		other := a.trigger("web", "the shop is slower")
		if err := a.events().AcknowledgeEvent(a.Context(), integrations.NewSecret(strings.Repeat("w", 32)), a.there(other).Key); err != nil {
			a.Fatal(err)
		}
		if got, err = a.client.Acknowledge(a.Context(), a.by("alice", other)); err != nil || !got.Already || got.By.Name != "" {
			a.Errorf("a machine has it: %+v, %v", got, err)
		}
	})
}

// Nobody acts as the bot, nor as somebody else whose address begins likewise.
func TestAStrangerIsRefused(t *testing.T) {
	inAccount(t, paging(), func(a *account) {
		id := a.trigger("web", "the shop is slow")
		was := a.state(id)
		for _, as := range []string{"dan@example.com", "alice@example.co", "", " "} {
			for _, d := range deeds {
				_, err := d.do(a, integrations.RemoteAct{As: as, ID: id})
				var who *integrations.RemoteStranger
				if !errors.As(err, &who) || err.Error() != "no PagerDuty user has the address "+as || !integrations.ForGood(err) {
					a.Errorf("%s as %q: %v", d.name, as, err)
				}
			}
			if _, err := a.client.AcknowledgeMine(a.Context(), as, nil); !errors.As(err, new(*integrations.RemoteStranger)) {
				a.Errorf("mine as %q: %v", as, err)
			}
		}
		if _, err := a.client.Reassign(a.Context(), a.by("alice", id), integrations.RemoteTarget{Email: "dan@example.com"}); !errors.As(err, new(*integrations.RemoteStranger)) {
			a.Errorf("to a stranger: %v", err)
		}
		a.want(a.state(id), was)
		if _, err := a.client.Acknowledge(a.Context(), a.by("carol", id)); err != nil { // whose address is written otherwise there
			a.Error(err)
		}
		// One who has left since is looked up again.
		if err := a.sim.RemoveUser("PALICE"); err != nil {
			a.Fatal(err)
		}
		a.fault(pagerdutysim.Fault{Kind: "error", Action: "user.get", Status: 404, Count: -1})
		id = a.trigger("web", "the shop is slow again")
		if _, err := a.client.Acknowledge(a.Context(), a.by("alice", id)); !errors.As(err, new(*integrations.RemoteStranger)) {
			a.Errorf("who has left: %v", err)
		}
		before := a.calls("users.list")
		if _, err := a.client.Acknowledge(a.Context(), a.by("alice", id)); !errors.As(err, new(*integrations.RemoteStranger)) || a.calls("users.list") != before+1 {
			a.Errorf("and again: %v", err)
		}
	})
}

func TestAnActIsRefusedInPagerDutysWords(t *testing.T) {
	cfg := paging()
	cfg.Users = users()
	cfg.Users[3].Role = "read_only_user"
	inAccount(t, cfg, func(a *account) {
		id := a.trigger("web", "the shop is slow")
		ctx := a.Context()
		_, err := a.client.Escalate(ctx, a.by("alice", id), 7)
		a.refused(err, "pagerduty escalate the incident "+id, "400 Bad Request", "(2001)", "escalation_level: 7")
		_, err = a.client.Acknowledge(ctx, integrations.RemoteAct{As: "eve@example.com", ID: id})
		a.refused(err, "403 Forbidden: Access Denied (2010)", "of a user who may change the incident")
		a.client = a.with("reads")
		_, err = a.client.Note(ctx, a.by("alice", id), "x")
		a.refused(err, "403", "may write")
		a.client = a.with(token)
		if _, err = a.client.Acknowledge(ctx, a.by("alice", "QNONE")); !isGone(err) {
			a.Errorf("none: %v", err)
		}
		_, err = a.client.Resolve(ctx, a.by("alice", "../users"))
		a.refused(err, "is no id of PagerDuty")
		for _, d := range []time.Duration{0, -time.Second, 7*24*time.Hour + time.Second} {
			_, err = a.client.Snooze(ctx, a.by("alice", id), d)
			a.refused(err, "a second at least and seven days at most")
		}
		_, err = a.client.Escalate(ctx, a.by("alice", id), -1)
		a.refused(err, "there is no level -1")
		_, err = a.client.Note(ctx, a.by("alice", id), " \n ")
		a.refused(err, "there is nothing in it")
		for _, to := range []integrations.RemoteTarget{{}, {Email: "bob@example.com", Policy: "PDATA"}} {
			_, err = a.client.Reassign(ctx, a.by("alice", id), to)
			a.refused(err, "to a user or to an escalation policy")
		}
		a.want(a.state(id), "triggered of PBOB: trigger")
		a.fault(pagerdutysim.Fault{Kind: "error", Action: "incident.update", Status: 502})
		if _, err = a.client.Acknowledge(ctx, a.by("alice", id)); isLater(err) == nil {
			a.Errorf("502: %v", err)
		}
	})
}

func TestANoteIsCutBetweenCharacters(t *testing.T) {
	inAccount(t, paging(), func(a *account) {
		id := a.trigger("web", "the shop is slow")
		got, err := a.client.Note(a.Context(), a.by("alice", id), strings.Repeat("駅", 2500))
		if err != nil || !got.Cut {
			a.Fatalf("%+v, %v", got, err)
		}
		if text := a.there(id).Notes[0].Content; text != strings.Repeat("駅", 1999)+"…" {
			a.Errorf("it wrote %d bytes", len(text))
		}
		if got, err = a.client.Note(a.Context(), a.by("alice", id), strings.Repeat("駅", 2000)); err != nil || got.Cut || got.Already {
			a.Errorf("%+v, %v", got, err)
		}
		// The same words again, later, are another note; and so are another's.
		a.pass(time.Hour)
		for _, who := range []string{"alice", "bob"} {
			if got, err = a.client.Note(a.Context(), a.by(who, id), strings.Repeat("駅", 2000)); err != nil || got.Already {
				a.Errorf("%+v, %v", got, err)
			}
		}
	})
}

func TestASnoozeEnds(t *testing.T) {
	inAccount(t, paging(), func(a *account) {
		id := a.trigger("web", "the shop is slow")
		got, err := a.client.Snooze(a.Context(), a.by("alice", id), time.Hour)
		if err != nil || !got.Incident.Wakes.Equal(noon.Add(time.Hour)) {
			a.Errorf("%+v, %v", got, err)
		}
		a.pass(30 * time.Minute) // for an hour from then on
		if got, err = a.client.Snooze(a.Context(), a.by("alice", id), time.Hour); err != nil || got.Already || !got.Incident.Wakes.Equal(noon.Add(90*time.Minute)) {
			a.Errorf("%+v, %v", got, err)
		}
		a.pass(time.Hour)
		a.want(a.state(id), "triggered of PALICE: unacknowledge")
	})
}

// Without a level it is the one behind those who have it.
func TestTheNextLevel(t *testing.T) {
	inAccount(t, paging(), func(a *account) {
		id := a.trigger("web", "the shop is slow")
		escalate := func() (integrations.RemoteActed, error) {
			a.pass(time.Second)
			return a.client.Escalate(a.Context(), a.by("alice", id), 0)
		}
		got, err := escalate()
		if err != nil || got.Level != 2 {
			a.Errorf("%+v, %v", got, err)
		}
		a.want(a.state(id), "triggered of PCAROL: escalate PALICE")
		_, err = escalate()
		if !integrations.ForGood(err) || err.Error() != "incident #1 is with the last level of Platform, which is 2: reassign it, or say which level is to be paged" {
			a.Errorf("behind the last: %v", err)
		}
		a.page(id, "PALICE", "acknowledge", "") // who is of no level
		if got, err = escalate(); err != nil || got.Level != 1 {
			a.Errorf("%+v, %v", got, err)
		}
		a.want(a.state(id), "triggered of PBOB: escalate PALICE")
	})
}

// What somebody was given can be given back to its policy, which begins anew.
func TestAnIncidentIsGivenBack(t *testing.T) {
	inAccount(t, paging(), func(a *account) {
		id := a.trigger("web", "the shop is slow")
		back := func(want bool) {
			t.Helper()
			got, err := a.client.Reassign(a.Context(), a.by("alice", id), integrations.RemoteTarget{Policy: "PPLATFORM"})
			if err != nil || got.Already != want {
				a.Errorf("%+v, %v", got, err)
			}
		}
		back(true)
		a.page(id, "PBOB", "reassign", "PCAROL")
		back(false)
		a.want(a.state(id), "triggered of PBOB: delegate PALICE")
		a.page(id, "PCAROL", "acknowledge", "")
		back(false)
		back(true)
		a.want(a.state(id), "triggered of PBOB: delegate PALICE")
	})
}

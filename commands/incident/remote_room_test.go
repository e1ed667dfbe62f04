package incident

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// A pager is the system that pages people, of which a client speaks: it acts as the person,
// asks "already so?" first, and refuses what is over.
type pager struct {
	clock  clock.Clock
	all    map[string]*integrations.RemoteIncident
	did    []string // what was changed there: "ack alice P1"
	hooks  []string // what mending does next
	asked  int
	events []string // what machines told it
	// fault fails a call, before it is done or after.
	fault func(call string, before bool) error
}

func newPager(c clock.Clock) *pager {
	return &pager{clock: c, all: map[string]*integrations.RemoteIncident{}}
}

func (p *pager) hit(call string, before bool) error {
	if p.fault == nil {
		return nil
	}
	return p.fault(call, before)
}

// triggers is one that calls alice there.
func (p *pager) triggers(id string) *integrations.RemoteIncident {
	i := &integrations.RemoteIncident{ID: id, Number: len(p.all) + 1, Status: integrations.RemoteTriggered, Title: "disk of " + id, Service: "web", Urgency: "high", CreatedAt: p.clock.Now(),
		Assigned: []integrations.AlertPerson{{ID: "PALICE", Name: "alice", Email: "alice@acme.example"}}}
	p.all[id] = i
	return i
}

func (p *pager) OpenIncidents(context.Context, []string) (out []integrations.RemoteIncident, err error) {
	p.asked++
	if err := p.hit("list", true); err != nil {
		return nil, err
	}
	for _, i := range p.all {
		if i.Status != integrations.RemoteResolved {
			out = append(out, *i)
		}
	}
	slices.SortFunc(out, func(a, b integrations.RemoteIncident) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

func (p *pager) Incident(_ context.Context, id string) (integrations.RemoteIncident, error) {
	i := p.all[id]
	if i == nil {
		return integrations.RemoteIncident{}, &integrations.Gone{Why: "it was deleted"}
	}
	return *i, nil
}

func (p *pager) Knows(_ context.Context, email string) error {
	if err := p.hit("knows", true); err != nil {
		return err
	}
	if email == "dave@acme.example" {
		return &integrations.RemoteStranger{System: "PagerDuty", Email: email}
	}
	return nil
}

// act does one thing to an incident, if it is not so.
func (p *pager) act(what string, a integrations.RemoteAct, so func(i *integrations.RemoteIncident) bool, do func(i *integrations.RemoteIncident)) (out integrations.RemoteActed, err error) {
	if err := p.hit(what, true); err != nil {
		return out, err
	}
	if err := p.Knows(context.Background(), a.As); err != nil {
		return out, err
	}
	i := p.all[a.ID]
	switch {
	case i == nil:
		return out, &integrations.Gone{Why: "it was deleted"}
	case so(i):
		out.Already = true
		if len(i.AcknowledgedBy) > 0 {
			out.By = i.AcknowledgedBy[0]
		}
	case i.Status == integrations.RemoteResolved && what != "note":
		return out, &integrations.RemoteOver{Incident: *i}
	default:
		do(i)
		p.did = append(p.did, fmt.Sprintf("%s %s %s", what, strings.TrimSuffix(a.As, "@acme.example"), a.ID))
	}
	out.Incident = *i
	return out, p.hit(what, false)
}

func (p *pager) byWhom(a integrations.RemoteAct) integrations.AlertPerson {
	name := strings.TrimSuffix(a.As, "@acme.example")
	return integrations.AlertPerson{ID: "P" + strings.ToUpper(name), Name: name, Email: a.As}
}

func (p *pager) acks(id, who string) {
	i := p.all[id]
	i.Status, i.AcknowledgedBy = integrations.RemoteAcknowledged, []integrations.AlertPerson{p.byWhom(integrations.RemoteAct{As: who + "@acme.example"})}
}

func (p *pager) resolves(id, who string) {
	i := p.all[id]
	i.Status, i.ResolvedBy = integrations.RemoteResolved, p.byWhom(integrations.RemoteAct{As: who + "@acme.example"})
}

func (p *pager) Acknowledge(_ context.Context, a integrations.RemoteAct) (integrations.RemoteActed, error) {
	return p.act("ack", a, func(i *integrations.RemoteIncident) bool { return i.Status == integrations.RemoteAcknowledged }, func(i *integrations.RemoteIncident) {
		p.acks(a.ID, strings.TrimSuffix(a.As, "@acme.example"))
	})
}

func (p *pager) Resolve(_ context.Context, a integrations.RemoteAct) (integrations.RemoteActed, error) {
	return p.act("resolve", a, func(i *integrations.RemoteIncident) bool {
		return i.Status == integrations.RemoteResolved && i.ResolvedBy == p.byWhom(a)
	}, func(i *integrations.RemoteIncident) { p.resolves(a.ID, strings.TrimSuffix(a.As, "@acme.example")) })
}

func (p *pager) Reassign(_ context.Context, a integrations.RemoteAct, to integrations.RemoteTarget) (integrations.RemoteActed, error) {
	who := p.byWhom(integrations.RemoteAct{As: to.Email})
	return p.act("reassign", a, func(i *integrations.RemoteIncident) bool {
		return slices.Equal(i.Assigned, []integrations.AlertPerson{who})
	}, func(i *integrations.RemoteIncident) {
		i.Status, i.Assigned, i.AcknowledgedBy = integrations.RemoteTriggered, []integrations.AlertPerson{who}, nil
	})
}

func (p *pager) Escalate(_ context.Context, a integrations.RemoteAct, _ int) (integrations.RemoteActed, error) {
	bob := p.byWhom(integrations.RemoteAct{As: "bob@acme.example"})
	return p.act("escalate", a, func(i *integrations.RemoteIncident) bool { return slices.Contains(i.Assigned, bob) }, func(i *integrations.RemoteIncident) {
		i.Assigned = []integrations.AlertPerson{bob}
	})
}

func (p *pager) Snooze(_ context.Context, a integrations.RemoteAct, d time.Duration) (integrations.RemoteActed, error) {
	wakes := a.Asked.Add(d)
	return p.act("snooze", a, func(i *integrations.RemoteIncident) bool { return i.Wakes.Equal(wakes) }, func(i *integrations.RemoteIncident) { i.Wakes = wakes })
}

func (p *pager) Note(_ context.Context, a integrations.RemoteAct, text string) (integrations.RemoteActed, error) {
	line := fmt.Sprintf("note %s %s", strings.TrimSuffix(a.As, "@acme.example"), a.ID)
	return p.act("note", a, func(*integrations.RemoteIncident) bool { return slices.Contains(p.did, line) }, func(*integrations.RemoteIncident) {})
}

// Page opens an incident, if none of its key is open.
func (p *pager) Page(_ context.Context, service string, e integrations.RemoteEvent) error {
	if err := p.hit("page", true); err != nil {
		return err
	}
	p.events = append(p.events, "page "+service+" "+e.Summary)
	if p.open(e.Dedup) == nil {
		p.triggers(fmt.Sprintf("Q%d", len(p.all)+1)).Key = e.Dedup
	}
	return p.hit("page", false)
}

func (p *pager) Over(_ context.Context, service, dedup string) error {
	if err := p.hit("over", true); err != nil {
		return err
	}
	p.events = append(p.events, "over "+service)
	if i := p.open(dedup); i != nil {
		i.Status = integrations.RemoteResolved
	}
	return p.hit("over", false)
}

func (p *pager) open(dedup string) *integrations.RemoteIncident {
	for _, i := range p.all {
		if i.Key == dedup && i.Status != integrations.RemoteResolved {
			return i
		}
	}
	return nil
}

// remote is the pager as the feature has it.
func (d *desk) remote() *Remote {
	if d.pager == nil {
		return nil
	}
	return &Remote{System: "PagerDuty", Source: "pagerduty", Read: d.pager, Act: d.pager, Page: d.pager, Mend: func(context.Context) ([]string, error) {
		did := d.pager.hooks
		d.pager.hooks = nil
		return did, nil
	}}
}

// newPagedDesk is a desk whose people the other system knows, all but dave; erin has no
// address.
func newPagedDesk(t *testing.T) *desk {
	t.Helper()
	d := newDesk(t)
	for n := range d.cat.People {
		d.cat.People[n].Email = d.cat.People[n].Name + "@acme.example"
	}
	d.cat.People = append(d.cat.People, integrations.Person{Name: "dave", Slack: "UD", Email: "dave@acme.example"}, integrations.Person{Name: "erin", Slack: "UE"})
	d.cat.Groups["all"] = append(d.cat.Groups["all"], "dave", "erin", "carol")
	d.pager = newPager(d.clock)
	return d
}

// webhook is what the other system tells of one of its incidents.
func (d *desk) webhook(id, state, by string) {
	d.t.Helper()
	a := alertOf(d.remote(), *d.pager.all[id], d.clock.Now())
	a.Kind, a.State, a.By = "incident."+state, state, integrations.AlertPerson{Name: by}
	d.sendsOf("pagerduty", a)
}

// told has it trigger one and tell of it.
func (d *desk) told(id string) string {
	d.t.Helper()
	d.pager.triggers(id)
	d.webhook(id, integrations.AlertFiring, "")
	return "incident-1"
}

// doesThere runs the jobs that are queued, as the runner does, and counts the runs; one that
// panics was killed.
func (d *desk) doesThere() (runs int) {
	d.t.Helper()
	for range 100 {
		var job *store.Job
		err := d.store.View(func(tx *store.Tx) error {
			all, err := tx.LiveJobs()
			for _, j := range all {
				if j.Kind == kindRemote && j.State == store.JobQueued {
					job = j
					break
				}
			}
			return err
		})
		if err != nil {
			d.t.Fatal(err)
		}
		if job == nil {
			return runs
		}
		runs++
		end, killed := d.run(job)
		if killed {
			d.starts()
			continue
		}
		if end.Err != nil {
			d.t.Fatal(end.Err)
		}
		err = d.store.Update(context.Background(), func(tx *store.Tx) error {
			j, err := tx.Job(job.ID)
			if err != nil {
				return err
			}
			j.State = end.State
			return tx.PutJob(j)
		})
		if err != nil {
			d.t.Fatal(err)
		}
		if end.After > 0 {
			d.moves(end.After)
		}
	}
	d.t.Fatal("a job never ends")
	return 0
}

func (d *desk) run(job *store.Job) (end runner.End, killed bool) {
	defer func() {
		if p := recover(); p != nil {
			if p != errKilled {
				panic(p)
			}
			killed = true
		}
	}()
	return d.feat.Kinds[0].Run(context.Background(), &runner.Run{Job: job}), false
}

func (d *desk) moves(by time.Duration) {
	d.t.Helper()
	if err := d.clock.Advance(context.Background(), by, nil); err != nil {
		d.t.Fatal(err)
	}
}

// agrees is a round of the poll, a moment later.
func (d *desk) agrees() {
	d.t.Helper()
	d.moves(agreeEvery)
	if err := d.ticking("agree on the incidents elsewhere")(context.Background()); err != nil {
		d.t.Fatal(err)
	}
}

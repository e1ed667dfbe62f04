package gate

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/calendar"
	"github.com/signalbox-chatops/signalbox/store"
)

// dave may approve, and carol may do nothing.
var dave = integrations.Person{Name: "dave", Slack: "UD", GitHub: "dave"}

// scene is one row being set up.
type scene struct {
	t    *testing.T
	cat  *integrations.Catalog
	op   *store.Operation
	pull *store.Pull
	job  *store.Job
	q    Question
	put  []func(tx *store.Tx) error
	err  bool
}

func newScene(t *testing.T) *scene {
	s := &scene{t: t, cat: catalog()}
	s.cat.People = append(s.cat.People, dave)
	s.cat.Groups["deployers"] = []string{"alice", "bob", "dave"}
	s.cat.Environments[1].After, s.cat.Environments[1].Checks = "staging", []string{"*"}
	s.cat.Environments[1].CoolDown = time.Hour
	s.cat.Services[0].Repository = "acme/web"
	s.cat.Services[0].Environments["staging"] = integrations.ServiceEnvironment{Branch: "deployment/staging", Targets: []string{"web-staging"}}
	s.cat.Services[0].Environments["production"] = integrations.ServiceEnvironment{Branch: "deployment/production", Targets: []string{"web", "cdn"}}
	s.cat.Targets = []integrations.Target{{Name: "web", Environment: "production"}, {Name: "web-staging", Environment: "staging"}}
	s.op = &store.Operation{ID: "op-9", Kind: "deploy", State: store.OpOpen, Service: "web", Environment: "production", Strategy: "promote", Targets: []string{"web"},
		ToSHA: "h", Head: "h", Requester: ToStore(alice), Approvals: []store.Approval{{By: ToStore(bob), Head: "h"}}}
	s.pull = &store.Pull{RepoID: 1, Repo: "acme/web", Number: 4, Head: "h", ExaminedHead: "h", Base: "deployment/production", Targets: []string{"web"},
		Plans: map[string]store.Planned{"web": {Head: "h", State: "done", At: noon.Add(-time.Hour)}},
		Facts: store.Facts{At: noon, Head: "h", Into: "deployment/production", Checks: map[string]string{"build": "success"}}}
	s.job = &store.Job{ID: "job-9", Key: "job-9", Kind: "apply", Target: "web", Locks: true, Order: 9, Operation: "op-9", SHA: "m9", State: store.JobQueued, Version: 0}
	s.earlier(&store.Operation{ID: "op-1", State: store.OpSucceeded, ToSHA: "h", MergeSHA: "m1"})
	s.q = Question{Now: noon, Catalog: s.cat, Environment: "production", Service: "web", Targets: []string{"web"}, Requester: alice, Head: "h"}
	return s
}

// ships has the operation ship something of alice, who has checked it, of carol, who
// has not, of a bot, and a loose commit.
func (s *scene) ships(how string) {
	s.cat.Environments[1].Ships = how
	s.op.Ships = []store.Ship{{Number: 1, Title: "One", Author: "alice", Checked: &store.Checked{By: ToStore(alice), Via: "slack", At: noon}},
		{Number: 2, Title: "Two", Author: "carol"}, {Number: 3, Title: "Three", Author: "renovate[bot]"}, {Title: "Loose", Author: "carol"}}
}

// at is another head that everything is about.
func (s *scene) at(head string) {
	s.op.ToSHA, s.op.Head, s.op.Approvals[0].Head, s.q.Head = head, head, head, head
	s.pull.Head, s.pull.ExaminedHead, s.pull.Facts.Head = head, head, head
	s.pull.Plans["web"] = store.Planned{Head: head, State: "done", At: noon.Add(-time.Hour)}
}

// earlier adds an operation of web in staging.
func (s *scene) earlier(o *store.Operation) {
	o.Service, o.Environment, o.Strategy, o.Kind = "web", "staging", "promote", "deploy"
	s.put = append(s.put, func(tx *store.Tx) error {
		o.Version, o.Created = 0, noon.Add(-24*time.Hour).Add(time.Duration(len(o.ID))*time.Second)
		return tx.PutOperation(o)
	})
}

// opened makes it a pull request of people, which no operation knows before it is
// merged.
func (s *scene) opened() {
	s.op.Kind, s.op.Service, s.op.Strategy, s.op.ToSHA = "infra", "", "", ""
	s.pull.Author, s.q.Service = "alice", ""
}

// brought adds a pull request of people that was merged to staging.
func (s *scene) brought(state string) {
	o := &store.Operation{ID: "op-22", Kind: "infra", State: state, Environment: "staging", Targets: []string{"web-staging"}, Repo: "acme/web",
		Base: "deployment/staging", Head: "h", MergeSHA: "m2"}
	s.put = append(s.put, func(tx *store.Tx) error {
		o.Version, o.Created = 0, noon.Add(-time.Hour)
		return tx.PutOperation(o)
	})
}

// pinned makes it a change of the version of api, which runs on the same target:
// asked for as one, where asked is not "", and written as the other in its file.
func (s *scene) pinned(asked, written string) {
	s.cat.Services = append(s.cat.Services, integrations.Service{Name: "api", Repository: "acme/web", Strategy: "pin", Environments: map[string]integrations.ServiceEnvironment{
		"staging": {Branch: "main", File: "v", Targets: []string{"web-staging"}}, "production": {Branch: "main", File: "v", Targets: []string{"web"}}}})
	if s.opened(); asked != "" {
		s.op.Kind, s.op.Service, s.op.Strategy, s.op.To, s.q.Service = "deploy", "api", "pin", asked, "api"
	}
	s.pull.Base, s.pull.Facts.Into, s.put = "main", "main", nil
	s.pull.Facts.Pins = []store.Pin{{Service: "api", Environment: "production", From: "v1", To: written}}
	s.q.Pins = s.pull.Facts.Pins
}

// apiInStaging adds what was asked of api in staging, or of people there, and the
// version that its merge wrote.
func (s *scene) apiInStaging(kind, state, asked, written string) {
	o := &store.Operation{ID: "op-3", Kind: kind, State: state, Environment: "staging", Targets: []string{"web-staging"}, Repo: "acme/web", Base: "main", MergeSHA: "m3",
		Pins: []store.Pin{{Service: "api", Environment: "staging", To: written}}}
	if kind == "deploy" {
		o.Service, o.Strategy, o.To = "api", "pin", asked
	}
	s.put = append(s.put, func(tx *store.Tx) error {
		o.Version, o.Created = 0, noon.Add(-time.Hour)
		return tx.PutOperation(o)
	})
}

func (s *scene) hold(kind string, by integrations.Person, change func(h *store.Hold)) {
	s.put = append(s.put, func(tx *store.Tx) error {
		h := &store.Hold{Kind: kind, Owner: ToStore(by), Reason: "because", Created: noon.Add(-time.Hour), Service: "web", Environment: "production"}
		if change != nil {
			change(h)
		}
		return tx.PutHold(h, 0)
	})
}

func (s *scene) saw(a Attempted) {
	s.put = append(s.put, func(tx *store.Tx) error { return store.Feature[Attempted](tx, AttemptedFeature).Put("web", a) })
}

func (s *scene) sibling(state string, wave int, order uint64) {
	s.put = append(s.put, func(tx *store.Tx) error {
		j := &store.Job{ID: "job-8", Key: "job-8", Kind: "apply", Target: "db", Operation: "op-9", Wave: wave, State: state, Order: order, SHA: "m8"}
		if order > 0 {
			j.Operation, j.Target, j.Locks = "op-8", "web", true
		}
		return tx.PutJob(j)
	})
}

// closedCalendar is a window that is closed.
type closedCalendar struct{}

func (closedCalendar) At(time.Time) calendar.State {
	return calendar.State{Why: "it is night", Until: noon.Add(time.Hour)}
}

func (closedCalendar) Zone() *time.Location { return time.UTC }

var states = map[string]func(s *scene){
	"nothing is wrong": func(*scene) {},
	"alice holds it":   func(s *scene) { s.hold("hold", alice, nil) },
	"bob holds it":     func(s *scene) { s.hold("hold", bob, nil) },
	"bob held it, and that has expired": func(s *scene) {
		s.hold("hold", bob, func(h *store.Hold) { h.Expires = noon })
	},
	"bob holds the environment":        func(s *scene) { s.hold("hold", bob, func(h *store.Hold) { h.Service = "" }) },
	"bob holds the service everywhere": func(s *scene) { s.hold("hold", bob, func(h *store.Hold) { h.Environment = "" }) },
	"bob holds everything":             func(s *scene) { s.hold("hold", bob, func(h *store.Hold) { h.Service, h.Environment = "", "" }) },
	"bob holds another target": func(s *scene) {
		s.hold("hold", bob, func(h *store.Hold) { h.Service, h.Environment, h.Target = "", "", "web-2" })
	},
	"bob and carol hold it": func(s *scene) { s.hold("hold", bob, nil); s.hold("hold", carol, nil) },
	"alice froze it":        func(s *scene) { s.hold("freeze", alice, nil) },
	"everything is stopped": func(s *scene) {
		s.hold("freeze", dave, func(h *store.Hold) { h.Service, h.Environment, h.Stop = "", "", true })
	},
	"a failed apply left it dirty": func(s *scene) {
		s.hold("dirty", alice, func(h *store.Hold) { h.Service, h.Environment, h.Target, h.Job, h.SHA = "", "", "web", "job-3", "m3" })
	},
	"work by hand left it dirty": func(s *scene) {
		s.hold("dirty", alice, func(h *store.Hold) { h.Service, h.Environment, h.Target = "", "", "web" })
	},
	"the window is closed": func(s *scene) { s.cat.Environments[1].Windows = closedCalendar{} },
	"it cools down": func(s *scene) {
		s.saw(Attempted{SHA: "m3", Order: 3, Job: "job-3", Op: "op-3", Ended: noon.Add(-time.Minute)})
	},
	"it has cooled down": func(s *scene) {
		s.saw(Attempted{SHA: "m3", Order: 3, Job: "job-3", Op: "op-3", Ended: noon.Add(-time.Hour)})
	},
	"staging never had it": func(s *scene) { s.put = nil },
	"staging failed since": func(s *scene) {
		s.earlier(&store.Operation{ID: "op-22", State: store.OpFailed, ToSHA: "i", MergeSHA: "m2"})
	},
	"staging was rolled back since": func(s *scene) {
		s.earlier(&store.Operation{ID: "op-22", State: store.OpSucceeded, ToSHA: "g", MergeSHA: "m2", Rollback: true})
	},
	"everything was stopped after that": func(s *scene) {
		s.hold("freeze", dave, func(h *store.Hold) { h.Service, h.Environment, h.Stop, h.Created = "", "", true, noon })
	},
	"staging had another commit that begins alike": func(s *scene) {
		s.at("abcdef0123")
		s.put = nil
		s.earlier(&store.Operation{ID: "op-1", State: store.OpSucceeded, ToSHA: "abcdef0999", Head: "abcdef0999", MergeSHA: "m1"})
	},
	"somebody pushed to what staging had": func(s *scene) {
		s.at("i")
		s.op.ToSHA = "h"
	},
	"somebody pushed there to what staging had": func(s *scene) {
		s.put = nil
		s.earlier(&store.Operation{ID: "op-1", State: store.OpSucceeded, ToSHA: "h", Head: "i", MergeSHA: "m1"})
	},
	"people opened it, and staging never had it": func(s *scene) { s.opened(); s.put = nil },
	"people opened it, and staging had it":       func(s *scene) { s.opened() },
	"people opened it into another branch":       func(s *scene) { s.opened(); s.put, s.pull.Base, s.pull.Facts.Into = nil, "main", "main" },
	"people opened it, and brought it to staging": func(s *scene) {
		s.opened()
		s.put = nil
		s.brought(store.OpSucceeded)
	},
	"people opened it, and it failed in staging": func(s *scene) { s.opened(); s.brought(store.OpPartial) },
	"people opened it, and staging is dirty": func(s *scene) {
		s.opened()
		s.hold("dirty", alice, func(h *store.Hold) { h.Service, h.Environment, h.Target = "", "", "web-staging" })
	},
	"people brought it to staging":                  func(s *scene) { s.put = nil; s.brought(store.OpNoop) },
	"people wrote a version that staging never had": func(s *scene) { s.pinned("", "v2") },
	"people wrote a version that staging had": func(s *scene) {
		s.pinned("", "v2")
		s.apiInStaging("deploy", store.OpSucceeded, "v2", "v2")
	},
	"people wrote a version that they wrote for staging before": func(s *scene) {
		s.pinned("", "v2")
		s.apiInStaging("infra", store.OpSucceeded, "", "v2")
	},
	"people wrote a version that failed in staging": func(s *scene) {
		s.pinned("", "v2")
		s.apiInStaging("infra", store.OpFailed, "", "v2")
	},
	"people wrote a version of another environment": func(s *scene) {
		s.pinned("", "v2")
		s.pull.Facts.Pins[0].Environment = "staging"
	},
	"which versions people wrote cannot be read": func(s *scene) {
		s.pinned("", "v2")
		s.pull.Facts.Pins, s.pull.Facts.Unread = nil, map[string]string{"promotion": "the file is torn"}
	},
	"the version that was asked for is good in staging": func(s *scene) {
		s.pinned("v2", "v2")
		s.apiInStaging("deploy", store.OpSucceeded, "v2", "v2")
	},
	"somebody pushed another version to it": func(s *scene) {
		s.pinned("v2", "v3")
		s.apiInStaging("deploy", store.OpSucceeded, "v2", "v2")
	},
	"staging was asked for the version and got another one": func(s *scene) {
		s.pinned("v2", "v2")
		s.apiInStaging("deploy", store.OpSucceeded, "v2", "v3")
	},
	"a rollback brings another service's place back, too": func(s *scene) {
		s.opened()
		s.pull.Operation = "op-8"
		s.put = []func(tx *store.Tx) error{func(tx *store.Tx) error {
			return tx.PutOperation(&store.Operation{ID: "op-8", Kind: "deploy", State: store.OpMerged, Service: "shop", Environment: "production", Rollback: true, Base: s.pull.Base})
		}}
	},
	"staging is dirty": func(s *scene) {
		s.hold("dirty", alice, func(h *store.Hold) { h.Service, h.Environment, h.Target = "", "", "web-staging" })
	},
	"staging had it and has a newer one": func(s *scene) {
		s.earlier(&store.Operation{ID: "op-22", State: store.OpSucceeded, ToSHA: "i", MergeSHA: "m2"})
	},
	"it is not planned":            func(s *scene) { s.pull.Plans = nil },
	"its plan is of an older head": func(s *scene) { s.pull.Plans["web"] = store.Planned{Head: "g", State: "done", At: noon} },
	"its plan failed":              func(s *scene) { s.pull.Plans["web"] = store.Planned{Head: "h", State: "failed", At: noon} },
	"one of two targets is not planned": func(s *scene) {
		s.q.Targets = []string{"web", "cdn"}
	},
	"its files are not read":                                 func(s *scene) { s.pull.ExaminedHead = "g" },
	"its plan is a day old":                                  func(s *scene) { s.pull.Plans["web"] = store.Planned{Head: "h", State: "done", At: noon.Add(-planLife)} },
	"the base moved in its paths":                            func(s *scene) { s.pull.Facts.Moved = map[string][]string{"web": {"web/main.tf"}} },
	"the base cannot be read":                                func(s *scene) { s.pull.Facts.Unread = map[string]string{"base": "GitHub is away"} },
	"the facts are a minute old":                             func(s *scene) { s.pull.Facts.At = noon.Add(-time.Minute) },
	"a check is red":                                         func(s *scene) { s.pull.Facts.Checks["build"] = "failure" },
	"a check is running":                                     func(s *scene) { s.pull.Facts.Checks["build"] = "pending" },
	"a check has not reported":                               func(s *scene) { s.cat.Environments[1].Checks = []string{"build", "deploy"} },
	"our own status is pending":                              func(s *scene) { s.pull.Facts.Checks["signalbox/gate"] = "pending" },
	"an author has not checked it":                           func(s *scene) { s.ships("gate") },
	"an author has not checked it, and boxes are only shown": func(s *scene) { s.ships("show") },
	"all authors have checked it, and a bot has not": func(s *scene) {
		s.ships("gate")
		s.op.Ships[1].Checked = &store.Checked{By: ToStore(carol), Via: "github", At: noon}
	},
	"nobody agreed":               func(s *scene) { s.op.Approvals = nil },
	"bob agreed to an older head": func(s *scene) { s.op.Approvals[0].Head = "g" },
	"alice agreed to her own":     func(s *scene) { s.op.Approvals[0].By = ToStore(alice) },
	"bob reviewed on GitHub": func(s *scene) {
		s.op.Approvals, s.pull.Reviews = nil, map[string]string{"bob": "h"}
	},
	"bob pushed and agreed":             func(s *scene) { s.op.HeadBy = ptr(bob) },
	"a stranger pushed":                 func(s *scene) { s.op.HeadBy, s.op.Approvals = ptr(mallory), nil },
	"a stranger pushed, and bob agreed": func(s *scene) { s.op.HeadBy = ptr(mallory) },
	"a stranger pushed, and the reviews are not read": func(s *scene) {
		s.op.HeadBy, s.pull.Facts.Unread = ptr(mallory), map[string]string{"approvals": "GitHub is away"}
	},
	"carol, who may not, pushed": func(s *scene) { // and agrees herself
		s.cat.Environments[1].Approvals, s.op.HeadBy = 0, ptr(carol)
		s.op.Approvals[0].By = ToStore(carol)
	},
	"two have to agree, and bob did": func(s *scene) { s.cat.Environments[1].Approvals = 2 },
	"two have to agree, and bob and dave did": func(s *scene) {
		s.cat.Environments[1].Approvals = 2
		s.op.Approvals = append(s.op.Approvals, store.Approval{By: ToStore(dave), Head: "h"})
	},
	"it is ahead of what it saw last": func(s *scene) {
		s.saw(Attempted{SHA: "m3", Order: 3, Job: "job-3"})
		s.q.Stands = StandsAhead
	},
	"it is behind what it saw last": func(s *scene) {
		s.saw(Attempted{SHA: "m10", Order: 10, Job: "job-10"})
		s.q.Stands = StandsBehind
	},
	"it is what it saw last": func(s *scene) {
		s.saw(Attempted{SHA: "m9", Order: 9, Job: "job-7"})
		s.q.Stands = StandsIdentical
	},
	"it diverged from what it saw last": func(s *scene) {
		s.saw(Attempted{SHA: "x", Order: 12, Job: "job-7"})
		s.q.Stands = StandsDiverged
	},
	"a newer merge waits and only the newest runs": func(s *scene) {
		s.cat.Targets[0].Coalesce = true
		s.sibling(store.JobQueued, 0, 12)
	},
	"a newer merge waits":        func(s *scene) { s.sibling(store.JobQueued, 0, 12) },
	"an earlier wave runs":       func(s *scene) { s.job.Wave = 1; s.sibling(store.JobRunning, 0, 0) },
	"an earlier wave failed":     func(s *scene) { s.job.Wave = 1; s.sibling(store.JobFailed, 0, 0) },
	"an earlier wave is through": func(s *scene) { s.job.Wave = 1; s.sibling(store.JobSucceeded, 0, 0) },
	"the store cannot be read":   func(s *scene) { s.err = true },
}

var actors = map[string]integrations.Person{"alice": alice, "bob": bob, "carol": carol, "dave": dave, "a stranger": mallory, "nobody": {}}

// acts set the moment, and who asked.
var acts = map[string]func(s *scene, who integrations.Person){
	"asks for it": func(s *scene, who integrations.Person) {
		s.q.At, s.q.Requester, s.op, s.pull = AtCommand, who, &store.Operation{Service: "web", Environment: "production", Requester: ToStore(who)}, nil
	},
	"asks for the fix": func(s *scene, who integrations.Person) {
		s.q.At, s.q.Requester, s.op, s.pull = AtCommand, who, &store.Operation{Service: "web", Environment: "production", Requester: ToStore(who), Fix: true}, nil
	},
	"has it opened": func(s *scene, _ integrations.Person) { s.q.At = AtOpening },
	"looks at the card": func(s *scene, _ integrations.Person) {
		if s.q.At = AtCard; s.op.Kind == "infra" {
			s.op = nil
		}
	},
	"merges it": func(s *scene, _ integrations.Person) { s.q.At = AtMerge },
	"merges what bob asked for": func(s *scene, _ integrations.Person) {
		s.q.At, s.q.Requester, s.op.Requester = AtMerge, bob, ToStore(bob)
		s.op.Approvals[0].By = ToStore(alice)
	},
	"brings it by itself": func(s *scene, _ integrations.Person) {
		s.q.At, s.op.Kind = AtCard, "infra"
	},
	"merged it on GitHub": func(s *scene, _ integrations.Person) { s.q.At, s.q.Job = AtDequeue, s.job },
	"merged it on GitHub, and bob let it go on": func(s *scene, _ integrations.Person) {
		s.q.At, s.q.Job, s.job.ApprovedBy = AtDequeue, s.job, ptr(bob)
		if s.job.ApprovedFor == nil { // he saw all that kept it
			s.job.ApprovedFor = []string{"dirty", "order", "policy", "approvals"}
		}
	},
	"retries what failed": func(s *scene, _ integrations.Person) {
		s.q.At, s.q.Job = AtDequeue, s.job
		s.job.Again = true
		if s.q.Stands == "" {
			s.job.ID, s.job.SHA = "job-3", "m3"
		}
	},
	"rolls back": func(s *scene, _ integrations.Person) { s.q.At, s.op.Rollback = AtMerge, true },
	"breaks the glass and merges it": func(s *scene, who integrations.Person) {
		s.q.At = AtMerge
		s.op.Passes = []store.Pass{{By: ToStore(who), Reason: "the shop is down", Gates: Passable(), Head: s.q.Head, At: noon.Add(-time.Minute)}}
	},
	"breaks the glass, takes a push and merges it": func(s *scene, who integrations.Person) {
		s.q.At = AtMerge
		s.op.Passes = []store.Pass{{By: ToStore(who), Reason: "the shop is down", Gates: Passable(), Head: "before", At: noon.Add(-time.Minute)}}
	},
}

func (s *scene) ask() []Closed {
	s.t.Helper()
	st, err := store.Open(filepath.Join(s.t.TempDir(), "signalbox.db"), store.Options{Now: func() time.Time { return noon }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		s.t.Fatal(err)
	}
	defer st.Close()
	err = st.Update(context.Background(), func(tx *store.Tx) error {
		for _, put := range s.put {
			if err := put(tx); err != nil {
				return err
			}
		}
		if s.q.Job != nil {
			j := *s.job
			return tx.PutJob(&j)
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	var out []Closed
	var kept *store.Tx
	if err := st.View(func(tx *store.Tx) error {
		if kept = tx; s.err {
			return errors.New("over")
		}
		out = Ask(tx, s.q)
		return nil
	}); err != nil && !s.err {
		s.t.Fatal(err)
	}
	if s.err { // a transaction that is over reads nothing
		out = slices.DeleteFunc(Ask(kept, s.q), func(c Closed) bool { return !strings.Contains(c.Reason, "cannot be read") })
		out = slices.DeleteFunc(out, func(c Closed) bool { return !slices.Contains([]string{"freeze", "hold", "dirty"}, c.Gate) })
	}
	return out
}

package gate

import (
	"context"
	"errors"
	"fmt"
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

// A row reads aloud: "while bob holds it, alice merges: hold".
type row struct{ while, who, does, closed string }

// The gates, by the state of the target, who acts and what they do. Alice asked
// for the deploy of web to production, whose commit is good in staging, planned,
// and agreed to by bob, unless the row says otherwise.
var table = []row{
	{"nothing is wrong", "alice", "asks for it", ""},
	{"nothing is wrong", "alice", "has it opened", ""},
	{"nothing is wrong", "alice", "looks at the card", ""},
	{"nothing is wrong", "alice", "merges it", ""},
	{"nothing is wrong", "alice", "merged it on GitHub", ""},
	{"nothing is wrong", "bob", "merges it", ""},
	{"nothing is wrong", "carol", "merged it on GitHub", "policy"},
	{"nothing is wrong", "a stranger", "merged it on GitHub", "policy"},
	{"nothing is wrong", "carol", "merged it on GitHub, and bob let it go on", ""},

	{"alice holds it", "alice", "asks for it", ""},
	{"alice holds it", "alice", "merges it", ""},
	{"alice holds it", "alice", "merged it on GitHub", ""},
	{"alice holds it", "bob", "asks for it", "hold"},
	{"alice holds it", "bob", "merges it", "hold"},
	{"alice holds it", "nobody", "brings it by itself", "hold"},
	{"alice holds it", "alice", "merges what bob asked for", "hold"},
	{"bob holds it", "alice", "asks for it", "hold"},
	{"bob holds it", "alice", "has it opened", "hold"},
	{"bob holds it", "alice", "merges it", "hold"},
	{"bob holds it", "alice", "merged it on GitHub", "hold"},
	{"bob holds it", "alice", "merged it on GitHub, and bob let it go on", "hold"},
	{"bob holds it", "alice", "rolls back", "hold"},
	{"bob holds it", "alice", "breaks the glass and merges it", "hold"},
	{"bob held it, and that has expired", "alice", "merges it", ""},
	{"bob holds the environment", "alice", "merges it", "hold"},
	{"bob holds the service everywhere", "alice", "merges it", "hold"},
	{"bob holds everything", "alice", "merges it", "hold"},
	{"bob holds another target", "alice", "merges it", ""},
	{"bob and carol hold it", "alice", "merges it", "hold hold"},

	{"alice froze it", "alice", "asks for it", "freeze"},
	{"alice froze it", "alice", "merges it", "freeze"},
	{"alice froze it", "alice", "rolls back", "freeze"},
	{"alice froze it", "alice", "merged it on GitHub, and bob let it go on", "freeze"},
	{"alice froze it", "alice", "breaks the glass and merges it", ""},
	{"everything is stopped", "alice", "asks for it", "freeze"},
	{"everything is stopped", "bob", "merged it on GitHub", "freeze"},

	{"a failed apply left it dirty", "alice", "asks for it", "dirty"},
	{"a failed apply left it dirty", "alice", "merged it on GitHub", "dirty"},
	{"a failed apply left it dirty", "alice", "merged it on GitHub, and bob let it go on", ""},
	{"a failed apply left it dirty", "alice", "retries what failed", ""},
	{"a failed apply left it dirty", "alice", "rolls back", ""},
	{"a failed apply left it dirty", "alice", "asks for the fix", ""},
	{"a failed apply left it dirty", "alice", "breaks the glass and merges it", "dirty"},
	{"work by hand left it dirty", "alice", "merges it", "dirty"},
	{"work by hand left it dirty", "alice", "retries what failed", "dirty"},
	{"work by hand left it dirty", "alice", "rolls back", ""},

	{"the window is closed", "alice", "asks for it", ""},
	{"the window is closed", "alice", "looks at the card", "window"},
	{"the window is closed", "alice", "merges it", "window"},
	{"the window is closed", "bob", "merged it on GitHub", "window"},
	{"the window is closed", "alice", "rolls back", ""},
	{"the window is closed", "alice", "breaks the glass and merges it", ""},
	{"it cools down", "alice", "merges it", "cool-down"},
	{"it cools down", "alice", "merged it on GitHub", "cool-down"},
	{"it cools down", "alice", "rolls back", ""},
	{"it cools down", "alice", "retries what failed", ""},
	{"it cools down", "alice", "breaks the glass and merges it", ""},
	{"it has cooled down", "alice", "merges it", ""},

	{"staging never had it", "alice", "merges it", "promotion"},
	{"staging never had it", "alice", "rolls back", ""},
	{"staging never had it", "alice", "breaks the glass and merges it", "promotion"},
	{"staging failed since", "alice", "merges it", "promotion"},
	{"staging was rolled back since", "alice", "merges it", "promotion"},
	{"staging is dirty", "alice", "merges it", "promotion"},
	{"staging had it and has a newer one", "alice", "merges it", ""},

	{"it is not planned", "alice", "looks at the card", "covers"},
	{"it is not planned", "alice", "merges it", "covers"},
	{"its plan is of an older head", "alice", "merges it", "covers"},
	{"its plan failed", "alice", "merges it", "covers"},
	{"one of two targets is not planned", "alice", "merges it", "covers"},
	{"its files are not read", "alice", "merges it", "covers"},
	{"its plan is a day old", "alice", "merges it", "fresh"},
	{"the base moved in its paths", "alice", "merges it", "base"},
	{"the base cannot be read", "alice", "merges it", "base"},
	{"the facts are a minute old", "alice", "looks at the card", ""},
	{"the facts are a minute old", "alice", "merges it", "base checks approvals"},

	{"a check is red", "alice", "merges it", "checks"},
	{"a check is running", "alice", "merges it", "checks"},
	{"a check has not reported", "alice", "merges it", "checks"},
	{"a check is red", "alice", "rolls back", "checks"},
	{"a check is red", "alice", "merged it on GitHub", "checks"},
	{"a check is red", "alice", "breaks the glass and merges it", ""},
	{"our own status is pending", "alice", "merges it", ""},

	{"an author has not checked it", "alice", "asks for it", ""},
	{"an author has not checked it", "alice", "looks at the card", "checked"},
	{"an author has not checked it", "alice", "merges it", "checked"},
	{"an author has not checked it", "alice", "merged it on GitHub", "checked"},
	{"an author has not checked it", "alice", "merged it on GitHub, and bob let it go on", "checked"},
	{"an author has not checked it", "alice", "rolls back", ""},
	{"an author has not checked it", "alice", "breaks the glass and merges it", ""},
	{"an author has not checked it, and boxes are only shown", "alice", "merges it", ""},
	{"all authors have checked it, and a bot has not", "alice", "merges it", ""},

	{"a check is red", "alice", "breaks the glass, takes a push and merges it", "checks"},
	{"nobody agreed", "alice", "breaks the glass, takes a push and merges it", "approvals"},
	{"everything was stopped after that", "alice", "breaks the glass and merges it", "freeze"},
	{"staging had another commit that begins alike", "alice", "merges it", "promotion"},
	{"somebody pushed to what staging had", "alice", "merges it", "promotion"},
	{"somebody pushed there to what staging had", "alice", "merges it", "promotion"},

	{"people opened it, and staging never had it", "alice", "looks at the card", "promotion approvals"},
	{"people opened it, and staging never had it", "bob", "merged it on GitHub", "promotion"},
	{"people opened it, and staging had it", "bob", "merged it on GitHub", ""},
	{"people opened it into another branch", "bob", "merged it on GitHub", ""},
	{"people opened it, and brought it to staging", "bob", "merged it on GitHub", ""},
	{"people opened it, and it failed in staging", "bob", "merged it on GitHub", "promotion"},
	{"people opened it, and staging is dirty", "bob", "merged it on GitHub", "promotion"},
	{"people brought it to staging", "alice", "merges it", ""},
	{"people wrote a version that staging never had", "alice", "looks at the card", "promotion approvals"},
	{"people wrote a version that staging never had", "bob", "merged it on GitHub", "promotion"},
	{"people wrote a version that staging never had", "bob", "merged it on GitHub, and bob let it go on", "promotion"},
	{"people wrote a version that staging had", "bob", "merged it on GitHub", ""},
	{"people wrote a version that they wrote for staging before", "bob", "merged it on GitHub", ""},
	{"people wrote a version that failed in staging", "bob", "merged it on GitHub", "promotion"},
	{"people wrote a version of another environment", "bob", "merged it on GitHub", ""},
	{"which versions people wrote cannot be read", "alice", "looks at the card", "promotion approvals"},
	{"the version that was asked for is good in staging", "alice", "merges it", ""},
	{"somebody pushed another version to it", "alice", "merges it", "promotion"},
	{"somebody pushed another version to it", "alice", "rolls back", "promotion"},
	{"staging was asked for the version and got another one", "alice", "merges it", "promotion"},
	{"a rollback brings another service's place back, too", "bob", "merged it on GitHub", ""},

	{"nobody agreed", "alice", "looks at the card", "approvals"},
	{"nobody agreed", "alice", "merges it", "approvals"},
	{"nobody agreed", "bob", "merges it", ""},
	{"nobody agreed", "alice", "merged it on GitHub", "approvals"},
	{"nobody agreed", "bob", "merged it on GitHub", ""},
	{"nobody agreed", "alice", "rolls back", "approvals"},
	{"nobody agreed", "alice", "breaks the glass and merges it", ""},
	{"bob agreed to an older head", "alice", "merges it", "approvals"},
	{"alice agreed to her own", "alice", "merges it", "approvals"},
	{"bob reviewed on GitHub", "alice", "merges it", ""},
	{"bob pushed and agreed", "alice", "looks at the card", "approvals"},
	{"a stranger pushed", "alice", "looks at the card", "policy approvals"},
	{"a stranger pushed", "alice", "merges it", "policy approvals"},
	{"a stranger pushed", "bob", "merges it", ""},
	{"a stranger pushed, and bob agreed", "alice", "merges it", ""},
	{"a stranger pushed, and bob agreed", "alice", "merged it on GitHub", ""},
	{"a stranger pushed, and the reviews are not read", "alice", "merges it", "policy approvals"},
	{"carol, who may not, pushed", "alice", "merges it", "policy"},
	{"carol, who may not, pushed", "alice", "merged it on GitHub", "policy"},
	{"carol, who may not, pushed", "alice", "merged it on GitHub, and bob let it go on", ""},
	{"carol, who may not, pushed", "carol", "merged it on GitHub", "policy policy"},
	{"two have to agree, and bob did", "alice", "merges it", "approvals"},
	{"two have to agree, and bob did", "dave", "merges it", ""},
	{"two have to agree, and bob did", "bob", "merges it", "approvals"},
	{"two have to agree, and bob and dave did", "alice", "merges it", ""},

	{"it is ahead of what it saw last", "alice", "merged it on GitHub", ""},
	{"it is behind what it saw last", "alice", "merged it on GitHub", "order"},
	{"it is behind what it saw last", "alice", "merged it on GitHub, and bob let it go on", "order"},
	{"it is what it saw last", "alice", "merged it on GitHub", "order"},
	{"it is what it saw last", "alice", "retries what failed", ""},
	{"it diverged from what it saw last", "alice", "merged it on GitHub", "order"},
	{"it diverged from what it saw last", "alice", "merged it on GitHub, and bob let it go on", ""},
	{"a newer merge waits and only the newest runs", "alice", "merged it on GitHub", "order"},
	{"a newer merge waits", "alice", "merged it on GitHub", ""},
	{"an earlier wave runs", "alice", "merged it on GitHub", "wave"},
	{"an earlier wave failed", "alice", "merged it on GitHub", "wave"},
	{"an earlier wave is through", "alice", "merged it on GitHub", ""},
	{"the store cannot be read", "alice", "merges it", "freeze hold dirty"},
}

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

func TestGates(t *testing.T) {
	said := map[string]bool{}
	for _, r := range table {
		say := fmt.Sprintf("while %s, %s %s", r.while, r.who, r.does)
		if said[say] {
			t.Errorf("it is said twice: %s", say)
		}
		said[say] = true
		t.Run(say, func(t *testing.T) {
			s := newScene(t)
			state, act := states[r.while], acts[r.does]
			who, known := actors[r.who]
			if state == nil || act == nil || !known {
				t.Fatal("nobody knows how to play that")
			}
			state(s)
			act(s, who)
			s.q.Actor, s.q.Op, s.q.Pull = who, s.op, s.pull
			s.q.Explicit = who.Name != "" && who.Same(s.q.Requester)
			var got []string
			for _, c := range s.ask() {
				got = append(got, c.Gate)
				if c.Reason == "" || c.Opens == "" {
					t.Errorf("%s says %q, and what would open it: %q", c.Gate, c.Reason, c.Opens)
				}
			}
			if closed := strings.Join(got, " "); closed != r.closed {
				t.Errorf("%s: closed is %q, want %q", say, closed, r.closed)
			}
		})
	}
	for name := range states {
		if !slices.ContainsFunc(table, func(r row) bool { return r.while == name }) {
			t.Errorf("no row says %q", name)
		}
	}
	for _, r := range Rules {
		if !slices.ContainsFunc(table, func(row row) bool { return slices.Contains(strings.Fields(row.closed), r.Name) }) {
			t.Errorf("no row closes the gate %s", r.Name)
		}
	}
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

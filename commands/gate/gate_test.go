package gate

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

var (
	alice   = integrations.Person{Name: "alice", Slack: "UA", GitHub: "alice"}
	bob     = integrations.Person{Name: "bob", Slack: "UB", GitHub: "bob"}
	carol   = integrations.Person{Name: "carol", Slack: "UC", GitHub: "carol"} // may nothing
	mallory = integrations.Person{GitHub: "mallory"}                           // nobody knows them
)

func catalog() *integrations.Catalog {
	return &integrations.Catalog{
		People:       []integrations.Person{alice, bob, carol},
		Groups:       map[string][]string{"deployers": {"alice", "bob"}},
		Rules:        []integrations.Rule{{Groups: []string{"deployers"}, Verbs: []string{"deploy", "merge", "approve"}, Environments: []string{"*"}}},
		Environments: []integrations.Environment{{Name: "staging"}, {Name: "production", Aliases: []string{"prd"}, Approvals: 1}},
		Services:     []integrations.Service{{Name: "web", Aliases: []string{"www"}, Environments: map[string]integrations.ServiceEnvironment{"production": {Targets: []string{"web", "cdn"}}}}},
	}
}

func ptr(p integrations.Person) *store.Person { s := ToStore(p); return &s }

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// asked asks one gate in a store that holds what put writes, and joins what is closed.
func asked(t *testing.T, g Gate, q Question, put func(tx *store.Tx) error) string {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "signalbox.db"), store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if put != nil {
		if err := s.Update(context.Background(), put); err != nil {
			t.Fatal(err)
		}
	}
	q.Catalog, q.Now = catalog(), noon
	var why []string
	if err := s.View(func(tx *store.Tx) error {
		closed, err := g(tx, q)
		if err != nil {
			why = append(why, "it cannot be read: "+err.Error())
		}
		for _, c := range closed {
			why = append(why, c.Reason)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return strings.Join(why, "; ")
}

// The second person, read aloud: who asked, who merged, who agreed to which head.
func TestRuleTheSecondPerson(t *testing.T) {
	const closed = "production wants a second person, and nobody but %s has agreed to this head"
	yes := func(p integrations.Person, head string) *store.Operation {
		return &store.Operation{Approvals: []store.Approval{{By: ToStore(p), Head: head}}}
	}
	for _, c := range []struct {
		say  string
		q    Question
		only string // who alone has agreed; "" is open
	}{
		{"staging asks for nobody", Question{Environment: "staging", Requester: alice}, ""},
		{"alice asked and nobody agreed", Question{Requester: alice}, "alice"},
		{"alice asked, bob agreed", Question{Requester: alice, Op: yes(bob, "h")}, ""},
		{"alice asked, bob agreed to an older head", Question{Requester: alice, Op: yes(bob, "g")}, "alice"},
		{"alice asked and agreed to herself", Question{Requester: alice, Op: yes(alice, "h")}, "alice"},
		{"alice asked, carol, who may not, agreed", Question{Requester: alice, Op: yes(carol, "h")}, "alice"},
		{"alice asked, bob reviewed on GitHub", Question{Requester: alice, Pull: &store.Pull{Reviews: map[string]string{"BOB": "h"}}}, ""},
		{"alice asked, bob reviewed an older head", Question{Requester: alice, Pull: &store.Pull{Reviews: map[string]string{"bob": "g"}}}, "alice"},
		{"alice asked and reviewed it herself", Question{Requester: alice, Pull: &store.Pull{Reviews: map[string]string{"alice": "h"}}}, "alice"},
		{"alice asked, a stranger reviewed", Question{Requester: alice, Pull: &store.Pull{Reviews: map[string]string{"mallory": "h"}}}, "alice"},
		{"alice asked, bob merges", Question{Requester: alice, At: AtMerge, Actor: bob}, ""},
		{"alice asked, bob merged on GitHub", Question{Requester: alice, At: AtDequeue, Actor: bob}, ""},
		{"alice asked and merged", Question{Requester: alice, At: AtDequeue, Actor: alice}, "alice"},
		{"alice asked, a stranger merged", Question{Requester: alice, At: AtDequeue, Actor: mallory}, "alice"},
		{"alice asked and is only looking", Question{Requester: alice, At: AtCommand, Actor: bob}, "alice"},
		{"a stranger asked, alice merged", Question{Requester: mallory, At: AtDequeue, Actor: alice}, ""},
		{"alice asked and merged, bob let it go on", Question{Requester: alice, At: AtDequeue, Actor: alice, Job: &store.Job{ApprovedBy: ptr(bob)}}, ""},
		{"alice asked, merged and let it go on", Question{Requester: alice, At: AtDequeue, Actor: alice, Job: &store.Job{ApprovedBy: ptr(alice)}}, "alice"},
		{"bob took newer commits in and agreed", Question{Requester: alice, Op: &store.Operation{HeadBy: ptr(bob), Approvals: []store.Approval{{By: ToStore(bob), Head: "h"}}}}, "bob"},
		{"an account that nobody is linked to pushed, and alice agreed", Question{Requester: alice, Op: &store.Operation{HeadBy: ptr(mallory), Approvals: []store.Approval{{By: ToStore(alice), Head: "h"}}}}, "mallory and alice"},
		{"bob pushed to the pull request of alice and merges it", Question{Requester: alice, At: AtMerge, Actor: bob, Pull: &store.Pull{HeadBy: "bob", Head: "h", Facts: store.Facts{Head: "h", At: noon}}}, "bob"},
		{"bob took newer commits in, alice agreed", Question{Requester: alice, Op: &store.Operation{HeadBy: ptr(bob), Approvals: []store.Approval{{By: ToStore(alice), Head: "h"}}}}, ""},
		{"the environment is gone from the configuration", Question{Environment: "moon", Requester: alice, Op: yes(bob, "h")}, "!"},
	} {
		t.Run(c.say, func(t *testing.T) {
			if c.q.Head = "h"; c.q.Environment == "" {
				c.q.Environment = "production"
			}
			want := ""
			switch c.only {
			case "":
			case "!":
				want = `it cannot be read: no environment is called "moon"`
			default:
				want = fmt.Sprintf(closed, c.only)
			}
			if got := asked(t, Approvals, c.q, nil); got != want {
				t.Errorf("the gate says %q, want %q", got, want)
			}
		})
	}
}

func TestPolicy(t *testing.T) {
	for _, c := range []struct {
		say               string
		requester, merger integrations.Person
		approved          *store.Person
		want              string
	}{
		{"alice asked and merged", alice, alice, nil, ""},
		{"alice asked, bob merged", alice, bob, nil, ""},
		{"alice asked, carol merged", alice, carol, nil, "carol, who merged it, may not merge in production"},
		{"carol asked, bob merged", carol, bob, nil, "carol, who asked for it, may not deploy in production"},
		{"alice asked, a stranger merged", alice, mallory, nil, "mallory, who merged it, is not linked to anybody here"},
		{"a stranger asked and merged", mallory, mallory, nil, "mallory, who asked for it and merged it, is not linked to anybody here"},
		{"two strangers", integrations.Person{GitHub: "eve"}, mallory, nil, "eve, who asked for it, is not linked to anybody here; mallory, who merged it, is not linked to anybody here"},
		{"a stranger merged, bob let it go on", alice, mallory, ptr(bob), ""},
	} {
		t.Run(c.say, func(t *testing.T) {
			q := Question{At: AtDequeue, Environment: "production", Requester: c.requester, Actor: c.merger, Job: &store.Job{ApprovedBy: c.approved}}
			if got := asked(t, Policy, q, nil); got != c.want {
				t.Errorf("the gate says %q, want %q", got, c.want)
			}
		})
	}
}

func TestRuleAHoldStopsAllButItsOwnersOwnAct(t *testing.T) {
	hold := func(change func(h *store.Hold)) func(tx *store.Tx) error {
		return func(tx *store.Tx) error {
			h := &store.Hold{Kind: "hold", Owner: ToStore(alice), Reason: "migration", Created: noon.Add(-time.Hour), Expires: noon.Add(time.Hour)}
			change(h)
			return tx.PutHold(h, 0)
		}
	}
	everything := func(*store.Hold) {}
	for _, c := range []struct {
		say    string
		hold   func(*store.Hold)
		q      Question
		closed bool
	}{
		{"one on everything stops bob", everything, Question{Actor: bob, Requester: bob, Explicit: true}, true},
		{"its owner's own act passes", everything, Question{Actor: alice, Requester: alice, Explicit: true}, false},
		{"what comes by itself does not, even the owner's", everything, Question{Actor: alice, Requester: alice}, true},
		{"somebody else's change does not pass because the owner merged it", everything, Question{Actor: alice, Requester: bob, Explicit: true}, true},
		{"one that is over stops nobody", func(h *store.Hold) { h.Expires = noon }, Question{Actor: bob, Requester: bob}, false},
		{"one on another environment", func(h *store.Hold) { h.Environment = "staging" }, Question{Actor: bob}, false},
		{"one on the environment", func(h *store.Hold) { h.Environment = "production" }, Question{Actor: bob}, true},
		{"one on the service there", func(h *store.Hold) { h.Service, h.Environment = "web", "production" }, Question{Actor: bob}, true},
		{"one on another service that shares the target", func(h *store.Hold) { h.Service, h.Environment = "web", "production" }, Question{Service: "api", Targets: []string{"cdn"}}, true},
		{"one on another service", func(h *store.Hold) { h.Service, h.Environment = "web", "production" }, Question{Service: "api", Targets: []string{"db"}}, false},
		{"one on a service that is gone from the configuration", func(h *store.Hold) { h.Service = "old" }, Question{Actor: bob}, false},
		{"one on a service that is gone, whose target is still there", func(h *store.Hold) { h.Service, h.Targets = "old", []string{"web"} }, Question{Actor: bob}, true},
		{"one on a place that is gone, whose target has its name", func(h *store.Hold) { h.Service, h.Environment = "cdn", "moon" }, Question{Targets: []string{"cdn/moon"}, Service: "api"}, true},
		{"one on an environment that is gone, whose target moved here", func(h *store.Hold) { h.Environment, h.Targets = "moon", []string{"web"} }, Question{Actor: bob}, true},
		{"one on an environment that is gone, whose target is not there", func(h *store.Hold) { h.Environment, h.Targets = "moon", []string{"far"} }, Question{Actor: bob}, false},
		{"one on a service that has another name now", func(h *store.Hold) { h.Service = "www" }, Question{Actor: bob}, true},
		{"one on an environment that has another name now", func(h *store.Hold) { h.Environment = "prd" }, Question{Actor: bob}, true},
		{"one on a service that still runs here, of targets it lost", func(h *store.Hold) { h.Service, h.Targets = "web", []string{"far"} }, Question{Service: "api", Targets: []string{"far"}}, false},
		{"one on the target", func(h *store.Hold) { h.Target = "web" }, Question{Actor: bob}, true},
		{"one on a target whose name begins alike", func(h *store.Hold) { h.Target = "we" }, Question{Actor: bob}, false},
	} {
		t.Run(c.say, func(t *testing.T) {
			if c.q.Environment = "production"; c.q.Service == "" {
				c.q.Service, c.q.Targets = "web", []string{"web"}
			}
			got := asked(t, Hold, c.q, hold(c.hold))
			if (got != "") != c.closed {
				t.Errorf("the gate says %q", got)
			}
			if c.closed && (!strings.Contains(got, "migration") || !strings.Contains(got, "alice")) {
				t.Errorf("%q names neither who nor why", got)
			}
		})
	}
}

func TestRuleEveryTargetIsPlannedAtThisHead(t *testing.T) {
	pull := func(state, head, examined string) *store.Pull {
		return &store.Pull{Number: 4, Head: "h", ExaminedHead: examined, Plans: map[string]store.Planned{"web": {Head: head, State: state, Why: "no such bucket"}}}
	}
	for _, c := range []struct {
		say, want string
		pull      *store.Pull
	}{
		{"planned at this head", "", pull("done", "h", "h")},
		{"planned at another", "web is not planned at this head", pull("done", "g", "h")},
		{"still being planned", "web is being planned", pull("pending", "h", "h")},
		{"the plan failed", "the plan of web failed: no such bucket", pull("failed", "h", "h")},
		{"its files are not read", "the pull request's changed files are not read yet", pull("done", "h", "g")},
		{"nothing is known of it", "the pull request is not known yet", nil},
	} {
		t.Run(c.say, func(t *testing.T) {
			if got := asked(t, Covered, Question{Head: "h", Targets: []string{"web"}, Pull: c.pull}, nil); got != c.want {
				t.Errorf("the gate says %q, want %q", got, c.want)
			}
		})
	}
}

func TestRuleTheOrderIsThatOfTheBaseBranch(t *testing.T) {
	seen := func(tx *store.Tx) error {
		return store.Feature[Attempted](tx, AttemptedFeature).Put("web", Attempted{SHA: "abcdefgh", Order: 7, Job: "job-3"})
	}
	for order, closed := range map[uint64]bool{6: true, 7: false, 8: false} {
		got := asked(t, Order, Question{Job: &store.Job{Target: "web", Order: order}}, seen)
		if (got != "") != closed {
			t.Errorf("at position %d the gate says %q", order, got)
		}
	}
	if got := asked(t, Order, Question{Job: &store.Job{Target: "dns", Order: 1}}, seen); got != "" {
		t.Errorf("a target of which nothing is known: %q", got)
	}
	// The base branch was moved back: what was applied last is not in it. That
	// is no reason to give the newer commit up, and none to apply it unasked.
	beside := Question{Job: &store.Job{Target: "web", Order: 6}, Stands: StandsDiverged}
	if got := asked(t, Order, beside, seen); !strings.Contains(got, "moved back") {
		t.Errorf("beside what was seen last the gate says %q", got)
	}
	beside.Job.ApprovedBy, beside.Job.ApprovedFor = &store.Person{Name: "bob"}, []string{"policy"}
	if got := asked(t, Order, beside, seen); !strings.Contains(got, "moved back") {
		t.Errorf("approved for another reason, the gate says %q", got)
	}
	beside.Job.ApprovedFor = []string{"order"}
	if got := asked(t, Order, beside, seen); got != "" {
		t.Errorf("approved, the gate says %q", got)
	}
}

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{-time.Second: "0 s", 59 * time.Second: "59 s", time.Minute: "1 min", 125 * time.Minute: "2 h 5 min", 47 * time.Hour: "47 h", 96 * time.Hour: "4 days"} {
		if got := Age(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

// Rolling back is a right of its own: whoever may deploy may not therefore do it.
func TestRuleRollbackIsARightOfItsOwn(t *testing.T) {
	q := Question{At: AtDequeue, Environment: "production", Requester: alice, Actor: bob, Op: &store.Operation{Rollback: true}}
	if got, want := asked(t, Policy, q, nil), "alice, who asked for it, may not rollback in production"; got != want {
		t.Errorf("the gate says %q, want %q", got, want)
	}
}

package past

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

func commits(n ...int) (out []integrations.Commit) {
	for _, i := range n {
		out = append(out, integrations.Commit{SHA: sha(i), Message: fmt.Sprintf("Commit %d\n\nand why", i), Author: "bob-gh", URL: fmt.Sprintf("https://hub/c%d", i)})
	}
	return out
}

func TestDiffIsByWhatRuns(t *testing.T) {
	d := newDesk(t, deploy(1, "web", "production", store.OpSucceeded, thursday.Add(-72*time.Hour)), deploy(4, "web", "staging", store.OpSucceeded, thursday.Add(-time.Hour)),
		deploy(5, "web", "staging", store.OpFailed, thursday), deploy(6, "web", "production", store.OpOpen, thursday))
	merged := func(n int, base, branch string) integrations.PullRequest {
		return integrations.PullRequest{Number: n, Title: fmt.Sprintf("Pull %d", n), Author: "alice-gh", URL: "https://hub/p", State: "merged", Base: base, Branch: branch}
	}
	d.forge.pulls = map[string]integrations.PullRequest{
		sha(2): merged(30, "main", "feature"), sha(3): merged(31, "main", "other"), sha(4): merged(31, "main", "other"),
		sha(8): merged(40, "deployment/production", "signalbox/web-production-op-1"),
	}
	d.forge.between = map[string]integrations.Comparison{
		sha(1) + "..." + sha(4): {Ahead: 4, Behind: 1, Commits: commits(2, 3, 4, 7), URL: "https://hub/compare"},
		sha(4) + "..." + sha(1): {Ahead: 1, Behind: 4, Commits: commits(8)},
	}
	want := []string{
		"web in staging and in production", "staging at " + short(sha(4)) + " (op-4, 1 h ago)", "production at " + short(sha(1)) + " (op-1, ",
		"op-5 to staging failed after that", "In staging, not in production: 4 commits by alice, bob · compare", "• #31 Pull 31 by alice\n• #30 Pull 30 by alice",
		"• 1 commit without a pull request: “Commit 7” by bob", "not In production", "not #40",
	}
	m := d.says("alice", "diff web staging production", want...)
	b := m.Blocks[len(m.Blocks)-1].Buttons
	if len(b) != 1 || b[0].Label != "Deploy web to production" || b[0].Command != "deploy web "+sha(4)+" to production" {
		t.Errorf("the buttons are %+v", b)
	}
	for _, same := range []string{"diff web", "diff web production", "diff web staging", "diff web staging vs prod", "diff web between staging and production", "diff web and production"} {
		d.says("alice", same, want[:3]...)
	}
	m = d.says("carol", "diff web", want[4]) // who may not deploy is offered nothing
	if b := m.Blocks[len(m.Blocks)-1].Buttons; len(b) != 0 {
		t.Errorf("carol is offered %+v", b)
	}
	d.refused("alice", "diff web staging staging", "same_environment")
	d.refused("alice", "diff cron", "one_environment")
	d.refused("alice", "diff cron test production", "unknown_environment")
}

func TestDiffIsToldBothWays(t *testing.T) {
	d := newDesk(t, deploy(1, "web", "production", store.OpSucceeded, thursday), deploy(4, "web", "staging", store.OpSucceeded, thursday))
	d.forge.between = map[string]integrations.Comparison{
		sha(1) + "..." + sha(4): {Ahead: 0, Behind: 1},
		sha(4) + "..." + sha(1): {Ahead: 1, Behind: 0, Commits: commits(1)},
	}
	m := d.says("alice", "diff web", "In production, not in staging: 1 commit by bob", "not In staging,")
	if b := m.Blocks[len(m.Blocks)-1].Buttons; len(b) != 0 {
		t.Errorf("staging has nothing to deploy, and %+v is offered", b)
	}
}

func TestTheWayToProduction(t *testing.T) {
	d := newDesk(t)
	if got := strings.Join(order(d.cat, "web"), " "); got != "test staging production" {
		t.Errorf("web goes by %s", got)
	}
	d.cat.Environments = append(d.cat.Environments, integrations.Environment{Name: "demo", After: "production"})
	d.cat.Services[0].Environments["demo"] = integrations.ServiceEnvironment{}
	for service, want := range map[string]string{"web": "production", "cron": "test", "": "production"} {
		if got := last(d.cat, service); got != want {
			t.Errorf("the last of %q is %s, want %s", service, got, want)
		}
	}
	d.cat.Environments[1].After = "production" // a ring has no beginning, and still an end
	if got := order(d.cat, "web"); len(got) != 4 {
		t.Errorf("a ring is %v", got)
	}
}

func TestDiffWhereNothingIsBetween(t *testing.T) {
	same := deploy(3, "web", "staging", store.OpSucceeded, thursday)
	same.ToSHA = sha(2)
	d := newDesk(t, deploy(2, "web", "production", store.OpSucceeded, thursday), same)
	m := d.says("alice", "diff web", "Nothing is between them")
	if b := m.Blocks[len(m.Blocks)-1].Buttons; len(b) != 0 {
		t.Errorf("there is nothing to deploy, and still %+v is offered", b)
	}
}

func TestDiffBeforeTheFirstDeployIsByTheBranch(t *testing.T) {
	d := newDesk(t, deploy(4, "web", "staging", store.OpSucceeded, thursday.Add(-time.Hour)))
	d.forge.heads = map[string]string{"deployment/production": sha(1)}
	d.forge.between = map[string]integrations.Comparison{sha(1) + "..." + sha(4): {Ahead: 1, Commits: commits(4)}}
	d.says("alice", "diff web", "production at "+short(sha(1))+" (the head of deployment/production: nothing was deployed from here yet)", "In staging, not in production: 1 commit by bob")
	d.forge.err = fmt.Errorf("GitHub answers 502")
	if _, err := d.try("alice", "diff web"); err == nil {
		t.Error("it is told of a difference that nobody has seen")
	}
}

func TestDiffOfPins(t *testing.T) {
	pin := func(n int, environment, from, to string) *store.Operation {
		o := deploy(n, "api", environment, store.OpSucceeded, thursday.Add(time.Duration(n)*time.Minute))
		o.Strategy, o.From, o.To = "pin", from, to
		return o
	}
	d := newDesk(t, pin(1, "production", "1.3.0", "1.4.0"))
	m := d.says("alice", "diff api", "staging at a version that is not known here (nothing was deployed from here yet)", "production at 1.4.0")
	if b := m.Blocks[len(m.Blocks)-1].Buttons; len(b) != 0 {
		t.Errorf("nobody knows what runs in staging, and %+v is offered", b)
	}
	d.put(pin(2, "staging", "1.4.0", "1.4.1"))
	m = d.says("alice", "diff api", "Versions: 1.4.1 in staging, 1.4.0 in production")
	if b := m.Blocks[len(m.Blocks)-1].Buttons; len(b) != 1 || b[0].Command != "deploy api 1.4.1 to production" {
		t.Errorf("the buttons are %+v", b)
	}
	d.cat.Services[1].Source = "acme/api-source"
	d.says("alice", "diff api", "Versions: 1.4.1", "acme/api-source does not know both as refs")
	d.forge.between = map[string]integrations.Comparison{"1.4.0...1.4.1": {Ahead: 1, Commits: commits(3), URL: "https://hub/compare"}}
	d.says("alice", "diff api", "In staging, not in production: 1 commit by bob · compare")
	d.put(pin(3, "production", "1.4.0", "1.4.1"))
	d.says("alice", "diff api", "Nothing is between them: both are at 1.4.1")
}

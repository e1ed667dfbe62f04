package main

import (
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/github/githubsim"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

// liveBox is a box where bob may do everything because he is in the GitHub team
// acme/sre, carol because she is in the Slack user group pager, and alice may not.
func liveBox(t *testing.T) *box {
	b := newBox(t, func(w *boxWorld) {
		w.clock = clock.NewMovable(0)
		w.groups = "{github_team: acme/sre, slack_group: pager}"
	})
	b.runInside()
	return b
}

// lock has somebody lock network/lab and release it again. refused is what they
// read instead, "" if they may.
func (b *box) lock(user, refused string) {
	b.t.Helper()
	before := len(b.history(""))
	a := b.say(user, `/ops lock network/lab "trying"`)
	b.settle()
	switch did := len(b.history("")) > before; {
	case refused == "" && (a.Response != nil || !did):
		b.t.Errorf("%s may not lock network/lab: %+v", user, a.Response)
	case refused != "" && (did || a.Response == nil || !strings.Contains(a.Response.Text, "You may not lock in lab.") || !strings.Contains(a.Response.Text, refused)):
		b.t.Errorf("%s locks network/lab (%v) and reads %+v, want %q", user, did, a.Response, refused)
	}
	if refused == "" {
		b.say(user, "/ops unlock network/lab")
	}
	b.advance(11 * time.Second) // the same line at once would be taken for a slip
}

// The people of a group are read where they stand. Who leaves loses the right, who
// joins gets it; while a source cannot be read its people may do nothing, and read
// why. The people of the other source go on.
func TestLiveGroups(t *testing.T) {
	b := liveBox(t)
	b.lock("bob", "")
	b.lock("carol", "")
	b.lock("alice", "These people may: bob and carol.")

	if err := b.github.SetTeam("acme/sre", "alice"); err != nil {
		t.Fatal(err)
	}
	if err := b.slack.SetGroup(slacksim.Group{Handle: "pager"}); err != nil {
		t.Fatal(err)
	}
	b.advance(2*time.Minute + time.Second)
	b.lock("alice", "")
	b.lock("bob", "These people may: alice.")
	b.lock("carol", "These people may: alice.")

	if err := b.slack.SetGroup(slacksim.Group{Handle: "pager", Members: []string{"carol"}}); err != nil {
		t.Fatal(err)
	}
	if err := b.github.Fault(githubsim.FaultSpec{Kind: "error", Path: "/teams/", Status: http.StatusNotImplemented, Count: -1}); err != nil {
		t.Fatal(err)
	}
	b.advance(5*time.Minute + time.Second)
	b.lock("alice", "The GitHub team acme/sre was read 5m")
	b.lock("alice", "which is too old, and cannot be read now: GitHub answered 501: Server Error, so the answer is no. These people may: carol.")
	b.lock("carol", "")

	b.github.ClearFaults()
	if err := b.slack.Fault(slacksim.FaultSpec{Kind: "error", Method: "usergroups.list", Count: 1000}); err != nil {
		t.Fatal(err)
	}
	b.advance(5*time.Minute + time.Second)
	b.lock("alice", "")
	b.lock("carol", "The Slack user group pager was read 5m")
	if v := b.slack.Violations(); len(v) > 0 {
		t.Errorf("violations %q", v)
	}
}

// At the start a source is down: nobody is in the group until it answers, and the
// bot comes up all the same.
func TestLiveGroupsThatAreDownAtTheStart(t *testing.T) {
	b := newBox(t, func(w *boxWorld) {
		w.clock = clock.NewMovable(0)
		w.groups = "{github_team: acme/sre}"
	})
	if err := b.github.Fault(githubsim.FaultSpec{Kind: "error", Path: "/teams/", Status: http.StatusNotImplemented, Count: -1}); err != nil {
		t.Fatal(err)
	}
	b.runInside()
	b.untilGreeted()
	b.lock("bob", "The GitHub team acme/sre cannot be read: GitHub answered 501: Server Error, so the answer is no.")
	b.github.ClearFaults()
	b.lock("bob", "") // long before the minute's reading: the decision asks by itself
}

// `signalbox check` reads each live group, and says what is missing.
func TestCheckReadsLiveGroups(t *testing.T) {
	b := newBox(t, func(w *boxWorld) { w.groups = "{github_team: acme/sre, slack_group: pager}" })
	c, err := loadConfig(filepath.Join(b.dir, "signalbox.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	groups := func() (found []integrations.Finding) {
		outside(t.Context(), c, slog.New(slog.DiscardHandler), func(all ...integrations.Finding) {
			for _, f := range all {
				if strings.HasPrefix(f.What, "Group ") {
					found = append(found, f)
				}
			}
		})
		return found
	}
	want := []integrations.Finding{
		{What: "Group deployers", OK: true, Say: "people in the GitHub team acme/sre: 1, of them in `people`: 1"},
		{What: "Group deployers", OK: true, Say: "people in the Slack user group pager: 1, of them in `people`: 1"},
	}
	if d := cmp.Diff(want, groups()); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if err := b.slack.SetGroup(slacksim.Group{Handle: "pager", Disabled: true}); err != nil {
		t.Fatal(err)
	}
	if err := b.github.Fault(githubsim.FaultSpec{Kind: "error", Path: "/teams/", Status: http.StatusNotFound}); err != nil {
		t.Fatal(err)
	}
	bad := groups()
	if len(bad) != 2 || bad[0].OK || !strings.Contains(bad[0].Say, "404") || !strings.Contains(bad[0].Do, "Members") ||
		bad[1].OK || !strings.Contains(bad[1].Say, "switched off") || !strings.Contains(bad[1].Do, "usergroups:read") {
		t.Errorf("%+v", bad)
	}
}

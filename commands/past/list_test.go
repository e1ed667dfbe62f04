package past

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/store"
)

func ids(text string) string {
	var out []string
	for l := range strings.Lines(text) {
		if first, _, _ := strings.Cut(l, " "); strings.HasPrefix(first, "op-") {
			out = append(out, first)
		}
	}
	return strings.Join(out, " ")
}

func TestHistoryIsNarrowed(t *testing.T) {
	ago := func(days int) time.Time { return thursday.Add(-time.Duration(days)*24*time.Hour - 3*time.Hour) }
	byBob := deploy(4, "web", "staging", store.OpSucceeded, ago(3))
	byBob.Requester, byBob.MergedBy = bob, bob
	approved := deploy(5, "api", "production", store.OpSucceeded, ago(2))
	approved.Requester, approved.MergedBy, approved.Approvals = bob, bob, []store.Approval{{By: store.Person{Slack: "UA"}}}
	d := newDesk(t, deploy(1, "web", "staging", store.OpSucceeded, ago(40)), deploy(2, "web", "production", store.OpFailed, ago(8)), deploy(3, "web", "production", store.OpPartial, ago(6)),
		byBob, approved, deploy(6, "web", "production", store.OpOpen, ago(0)))
	for _, x := range []struct{ who, line, want string }{
		{"alice", "history", "op-6 op-5 op-4 op-3 op-2 op-1"},
		{"alice", "history web in prod", "op-6 op-3 op-2"},
		{"alice", "history web production --state failed", "op-3 op-2"},
		{"alice", "history --state partial", "op-3"},
		{"alice", "history --state live", "op-6"},
		{"alice", "history --by bob --state succeeded", "op-5 op-4 op-1"}, // he merged op-1
		{"alice", "history --by me", "op-6 op-5 op-3 op-2 op-1"},          // she approved op-5
		{"bob", "history --by alice-gh --since 7d", "op-6 op-5 op-3"},
		{"alice", "history --since friday", "op-6 op-5 op-4 op-3"},
		{"alice", "history web since monday", "op-6 op-4"},
		{"alice", "history --before op-4 --limit 2", "op-3 op-2"},
		{"alice", "history --limit 1", "op-6"},
	} {
		if got := ids(d.says(x.who, x.line).Text); got != x.want {
			t.Errorf("%s says %q: %s, want %s", x.who, x.line, got, x.want)
		}
	}
	d.says("alice", "history cron", "Nothing has been deployed")
	d.says("alice", "history --by carol", "Nothing", "by carol")
	d.refused("alice", "history --by nobody", "unknown_person")
	d.refused("alice", "history --state broken", "unknown_state")
	d.refused("alice", "history --limit 31", "bad_limit")
	d.refused("alice", "history --before op-99", "unknown_subject")
	d.refused("alice", "history --since 2026-11-27", "future")
}

func TestHistoryHasPages(t *testing.T) {
	var ops []*store.Operation
	for n := range 32 {
		ops = append(ops, deploy(n+1, "web", "production", store.OpSucceeded, thursday.Add(time.Duration(n-32)*time.Hour)))
	}
	d := newDesk(t, ops...)
	line, seen := "history web in production --by me", []string{}
	for range 5 {
		m := d.says("alice", line)
		seen = append(seen, strings.Fields(ids(m.Text))...)
		last := m.Blocks[len(m.Blocks)-1]
		if len(last.Buttons) == 0 {
			break
		}
		line = last.Buttons[0].Command
	}
	if len(seen) != 32 || seen[0] != "op-32" || seen[31] != "op-1" {
		t.Errorf("the pages show %d: %v", len(seen), seen)
	}
	if want := fmt.Sprintf("history web in production --by me --before op-%d", 3); line != want {
		t.Errorf("the last page was %q, want %q", line, want)
	}
}

func TestDatesAreThoseOfWhoeverAsks(t *testing.T) {
	d := newDesk(t, deploy(1, "web", "production", store.OpSucceeded, time.Date(2026, 11, 20, 16, 30, 0, 0, time.UTC)))
	d.says("alice", "history", "2026-11-20 10:30 EST")
	d.says("bob", "history", "2026-11-21 00:30 JST")
	d.says("carol", "history", "2026-11-20 15:30 UTC")
	// It is Friday in Tokyo already, so that Friday is that of last week there too;
	// the deploy of the night from Friday to Saturday counts for both.
	d.says("alice", "changelog web --since friday", "2026-11-20 00:00 EST", "op-1")
	d.says("bob", "changelog web --since saturday", "2026-11-21 00:00 JST", "op-1")
	d.says("alice", "changelog web --since saturday", "Nothing went live")
}

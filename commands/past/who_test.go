package past

import (
	"fmt"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/store"
)

func TestWhoDeployed(t *testing.T) {
	old := deploy(1, "web", "production", store.OpSucceeded, thursday.Add(-72*time.Hour))
	last := deploy(3, "web", "production", store.OpSucceeded, thursday.Add(-2*time.Hour))
	last.Head = sha(3)
	last.Approvals = []store.Approval{{By: bob, Head: sha(3)}, {By: store.Person{Name: "carol"}, Head: sha(2)}}
	last.Passes = []store.Pass{{By: alice, Why: "break-glass"}}
	for n := range 7 {
		last.Ships = append(last.Ships, store.Ship{Number: 20 + n, Title: fmt.Sprintf("Change\n*number* %d", n), Author: "bob-gh", URL: "https://hub/pull"})
	}
	last.Ships = append(last.Ships, store.Ship{Title: "Typo", Author: "stranger", Commits: 1})
	back := deploy(4, "web", "staging", store.OpFailed, thursday.Add(-time.Minute))
	back.Rollback, back.Undoes, back.MergedBy = true, "op-2", store.Person{}
	d := newDesk(t, old, last, back, deploy(5, "web", "production", store.OpOpen, thursday), deploy(6, "api", "production", store.OpSucceeded, thursday))
	d.says("alice", "who deployed web",
		"test: nothing was deployed from here yet",
		"staging: rolled back to "+short(sha(4))+" · failed · 1 min ago",
		"production: "+short(sha(2))+" → "+short(sha(3))+" · succeeded · 2 h ago",
		"op-3 · asked for by alice, approved by bob, merged by bob, gates passed alone by alice (break-glass) · #3",
		"• #20 Change *number* 0 by bob", "• and 3 more pull requests", "not carol", "not #25",
		"before: "+short(sha(0))+" → "+short(sha(1))+" · succeeded · op-1 · alice, 2026-11-23 17:30 EST · #1", "not op-5", "not op-6")
	d.says("alice", "who web in prod", "Who deployed web in production", "op-3", "not staging:")
	d.refused("alice", "who deployed shop", "unknown_service")
}

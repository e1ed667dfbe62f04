package gate

import (
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/store"
)

// What is decided is decided by facts of GitHub that are thirty seconds old at
// most: older ones close the gates that go by them, at the merge and at the start
// of the job. commands/deploy/rules_test.go lists every rule with its test.
func TestRuleFactsAreThirtySecondsOldAtMost(t *testing.T) {
	for _, at := range []string{AtMerge, AtDequeue} {
		for age, old := range map[time.Duration]bool{0: false, 30 * time.Second: false, 30*time.Second + 1: true, time.Hour: true} {
			q := Question{At: at, Head: "h", Environment: "production", Targets: []string{"web"}, Requester: alice,
				Op:   &store.Operation{Approvals: []store.Approval{{By: ToStore(bob), Head: "h"}}},
				Pull: &store.Pull{Number: 4, Head: "h", Facts: store.Facts{At: noon.Add(-age), Head: "h"}}}
			if got := asked(t, Approvals, q, nil); (got != "") != old {
				t.Errorf("%s, by facts that are %v old, the gate says %q", at, age, got)
			}
		}
	}
}

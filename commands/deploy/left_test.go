package deploy

import (
	"fmt"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// What a person stopped may go on elsewhere by itself: the card says so, until it is
// tried again.
func TestACancelledApplySaysWhatItLeft(t *testing.T) {
	stopped := &integrations.CommandError{Step: "ecs apply", Err: integrations.ErrInterrupted}
	end := stoppedShort(&integrations.Left{What: "what was begun goes on by itself", Err: fmt.Errorf("no: %w", stopped)})
	j := &store.Job{Target: "web/staging", State: store.JobCancelled, Why: "cancelled by alice", FailedStep: "ecs apply"}
	if err := end.Save(nil, j); err != nil {
		t.Fatal(err)
	}
	if got := ended(j); got != "web/staging was cancelled by alice in ecs apply. What was begun goes on by itself." {
		t.Errorf("it says %q", got)
	}
	if end := stoppedShort(stopped); end.Save != nil || end.Err == nil {
		t.Errorf("what says nothing of that ends with %+v", end)
	}
	w := newWorld(t)
	rec, _ := w.f.compare(j, &store.Operation{}, integrations.Target{}, integrations.Plans{})
	if rec.Left != "" {
		t.Errorf("after another plan it still says %q", rec.Left)
	}
}

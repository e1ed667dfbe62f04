package gate

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/store"
)

func openStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "signalbox.db"), store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// A hold that ends is remembered; one that was changed since it was read does not end.
func TestEndHold(t *testing.T) {
	s := openStore(t)
	h := &store.Hold{Kind: store.HoldDirty, Target: "web", Reason: "tests"}
	must := func(do func(tx *store.Tx) error) {
		t.Helper()
		if err := s.Update(context.Background(), do); err != nil {
			t.Fatal(err)
		}
	}
	must(func(tx *store.Tx) error {
		return tx.PutHold(h, 0)
	})
	old := *h
	must(func(tx *store.Tx) error { return tx.PutHold(h, h.Version) })
	if err := s.Update(context.Background(), func(tx *store.Tx) error { return EndHold(tx, Ended{Hold: old, How: EndReleased}) }); !errors.Is(err, store.ErrConflict) {
		t.Errorf("an old version ends: %v", err)
	}
	must(func(tx *store.Tx) error {
		return EndHold(tx, Ended{Hold: *h, How: EndHealed, Why: "job-1 succeeded on it"})
	})
	must(func(tx *store.Tx) error {
		if _, err := tx.Hold(h.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("it is there still: %v", err)
		}
		e, _, err := store.Feature[Ended](tx, EndedFeature).Get(h.ID)
		if e.How != EndHealed || e.Why != "job-1 succeeded on it" || e.Hold.Reason != "tests" {
			t.Errorf("what is remembered is %+v", e)
		}
		return err
	})
}

// A rollback goes back to another commit, not to the same one applied earlier.
func TestTheSameCommitAgainIsNothingToGoBackFrom(t *testing.T) {
	s := openStore(t)
	for i, sha := range []string{"aaa", "bbb", "bbb"} {
		j := &store.Job{ID: "job-" + string(rune('1'+i)), Target: "web", SHA: sha, State: store.JobSucceeded, Ended: noon.Add(time.Duration(i) * time.Hour)}
		err := s.Update(context.Background(), func(tx *store.Tx) error {
			if err := Begin(tx, j); err != nil {
				return err
			}
			return End(tx, j)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	err := s.View(func(tx *store.Tx) error {
		last, _, err := LastOn(tx, "web")
		if last.Good.Job != "job-3" || last.Before.SHA != "aaa" {
			t.Errorf("good is %+v, before it %+v", last.Good, last.Before)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What sets a dirty target right passes, and nothing else does.
func TestRuleOnlyWhatSetsItRightPassesADirtyTarget(t *testing.T) {
	dirty := func(tx *store.Tx) error {
		return tx.PutHold(&store.Hold{Kind: store.HoldDirty, Target: "web", Job: "job-1", SHA: "aaa", Reason: "job-1 failed", Created: noon.Add(-time.Hour)}, 0)
	}
	op := func(fix bool, since time.Duration) *store.Operation {
		return &store.Operation{Fix: fix, Created: noon.Add(-since)}
	}
	for name, c := range map[string]struct {
		q      Question
		passes bool
	}{
		"another commit":                      {Question{Job: &store.Job{ID: "job-2", SHA: "bbb"}, Op: op(false, 0)}, false},
		"another commit, tried again":         {Question{Job: &store.Job{ID: "job-2", SHA: "bbb", Again: true}, Op: op(false, 0)}, false},
		"the retry":                           {Question{Job: &store.Job{ID: "job-1", SHA: "aaa", Again: true}, Op: op(false, 2*time.Hour)}, true},
		"the same commit applied again":       {Question{Job: &store.Job{ID: "job-2", SHA: "aaa", Again: true}, Op: op(false, 0)}, true},
		"what somebody approved":              {Question{Job: &store.Job{ID: "job-2", SHA: "bbb", ApprovedBy: ptr(bob), ApprovedFor: []string{"dirty"}}, Op: op(false, 0)}, true},
		"a fix":                               {Question{Op: op(true, time.Minute)}, true},
		"a fix of what was wrong before that": {Question{Op: op(true, 2*time.Hour)}, false},
		"a fix that is being asked for":       {Question{Op: &store.Operation{Fix: true}}, true},
		"a rollback":                          {Question{Op: &store.Operation{Rollback: true, Created: noon.Add(-2 * time.Hour)}}, true},
		"another target":                      {Question{Targets: []string{"cdn"}}, true},
	} {
		if c.q.Targets == nil {
			c.q.Targets = []string{"web"}
		}
		if why := asked(t, Dirty, c.q, dirty); (why == "") != c.passes || !c.passes && !strings.Contains(why, "web is dirty: job-1 failed") {
			t.Errorf("%s: %q", name, why)
		}
	}
}

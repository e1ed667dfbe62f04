package runner

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/store"
)

// The rules of the run lock and of the start of the process.
// commands/deploy/rules_test.go lists every rule with its test.

// The run lock is taken in the transaction that moves the job to preparing and
// dropped in the one that ends it: nobody sees the one without the other, and
// where the one is not stored, the other is not.
func TestRuleTheRunLockComesAndGoesWithTheState(t *testing.T) {
	y := newYard(t)
	var seen []string
	fail := true
	k := y.kinds["script"]
	k.Name = "watched"
	k.Changed = func(tx *store.Tx, j *store.Job, urgent bool) error {
		if !urgent {
			return nil
		}
		by := "nobody"
		switch l, err := tx.RunLock(j.Target); {
		case err == nil:
			by = l.Job
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
		y.mu.Lock()
		defer y.mu.Unlock()
		if seen = append(seen, j.State+" "+by); fail {
			fail = false
			return errors.New("what shows it cannot be stored")
		}
		return nil
	}
	y.kinds[k.Name] = k
	id := y.add("watched", "web", 1, y.waiting("it"))
	y.start()
	y.wait("the start was tried", func() bool { y.mu.Lock(); defer y.mu.Unlock(); return !fail })
	if j := y.job(id); j.State != store.JobQueued || y.locked("web") != "" {
		t.Errorf("after a start that was not stored it is %s, and the lock is %q's", j.State, y.locked("web"))
	}
	if err := y.clock.Advance(t.Context(), startAgain, nil); err != nil {
		t.Fatal(err)
	}
	y.wait("it runs", func() bool { return len(y.lines("marks")) == 1 })
	if y.locked("web") != id {
		t.Errorf("as it runs the lock is %q's", y.locked("web"))
	}
	y.touch("go")
	y.reaches(id, store.JobSucceeded)
	y.mu.Lock()
	defer y.mu.Unlock()
	if want := []string{"preparing " + id, "preparing " + id, "succeeded nobody"}; !slices.Equal(slices.DeleteFunc(seen, func(s string) bool { return strings.HasPrefix(s, "running") }), want) {
		t.Errorf("it was seen as %q, want %q", seen, want)
	}
}

// A run lock that is given back goes to the next in line at once: nothing looks at
// the clock for it, and nobody is asked.
func TestRuleAReleasedRunLockStartsTheNextAtOnce(t *testing.T) {
	y := newYard(t)
	y.start()
	first := y.add("script", "web", 1, y.waiting("first"))
	y.wait("the first runs", func() bool { return len(y.lines("marks")) == 1 })
	var behind []string
	for n := range uint64(3) {
		behind = append(behind, y.add("script", "web", 2+n, "true"))
	}
	y.wait("the others wait in line", func() bool { return y.job(behind[2]).State == store.JobQueued })
	y.touch("go")
	ended := y.reaches(first, store.JobSucceeded).Ended
	for _, id := range behind {
		j := y.reaches(id, store.JobSucceeded)
		if !j.NotBefore.IsZero() || j.Started.Before(ended) {
			t.Errorf("%s began %s after the one before it, and waited until %v", id, j.Started.Sub(ended), j.NotBefore)
		}
		ended = j.Ended
	}
}

// What waits when the process ends waits after it begins: queued, blocked and
// needs_confirm are kept, with their place in line, and a queued one meets its
// gates again.
func TestRuleBootKeepsWhatWaits(t *testing.T) {
	y := newYard(t)
	asked := 0
	k := y.kinds["script"]
	k.Name = "gated"
	k.Gate = func(_ *store.Tx, j *store.Job, _ any) (Verdict, error) {
		y.mu.Lock()
		defer y.mu.Unlock()
		asked++
		return Verdict{State: store.JobBlocked, Why: "frozen"}, nil
	}
	y.kind(k)
	queued := y.add("gated", "dns", 1, "echo ran >> "+y.file("marks"))
	waits := map[string]string{"blocked": store.JobBlocked, "confirm": store.JobNeedsConfirm}
	ids := map[string]string{}
	var behind []string
	for target, state := range waits {
		ids[target] = y.add("script", target, 1, "echo ran >> "+y.file("marks"))
		behind = append(behind, y.add("script", target, 2, "echo ran >> "+y.file("marks")))
		y.update(func(tx *store.Tx) error {
			j, err := tx.Job(ids[target])
			j.State, j.Attempt = state, 1
			return errors.Join(err, tx.PutJob(j))
		})
	}
	for range 2 {
		y.start()
		y.reaches(queued, store.JobBlocked)
		y.wait("all is quiet", y.r.Idle)
		for target, state := range waits {
			if j := y.job(ids[target]); j.State != state || j.Attempt != 1 {
				t.Errorf("the one that was %s is %s, attempt %d", state, j.State, j.Attempt)
			}
		}
		for _, id := range behind {
			if s := y.job(id).State; s != store.JobQueued {
				t.Errorf("what stands behind it is %s", s)
			}
		}
		y.stop()
	}
	if asked != 1 || len(y.lines("marks")) != 0 {
		t.Errorf("the gates were asked %d times, ran %v", asked, y.lines("marks"))
	}
}

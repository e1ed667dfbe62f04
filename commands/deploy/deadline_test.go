package deploy

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// stubborn is a tool whose apply ends when it is told to, and not before.
type stubborn struct {
	fakeTool
	begun, end chan struct{}
}

func (s *stubborn) Apply(context.Context, integrations.Run) error {
	s.begun <- struct{}{}
	<-s.end
	return errors.New("it was interrupted")
}

// stopped is what whoever asked is told of the first attempt of a job.
func (w *world) stopped(job string) (text, button string) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		all, err := tx.SurfacesOf(job)
		if err != nil {
			return err
		}
		for _, s := range all {
			if s.Card != cardStopped || s.Where["attempt"] != "1" {
				continue
			}
			m, err := w.f.stoppedCard(tx, s)
			if err != nil {
				return err
			}
			text += m.Text
			for _, b := range m.Blocks {
				for _, x := range b.Buttons {
					button += x.Label + ": " + x.Command
				}
			}
		}
		return nil
	})
	return text, button
}

// A target's timeout is the deadline of its applies. One that does not stop when it
// has passed is left to a person, who is called with Abort, once it had its time to
// clean up; it fails in the end with the reason, and can be tried again.
func TestAnApplyThatTakesTooLong(t *testing.T) {
	w := newWorld(t)
	tool := &stubborn{fakeTool: fakeTool{plan: onePlan("a")}, begun: make(chan struct{}), end: make(chan struct{})}
	w.cat.Targets[0].Timeout, w.cat.Targets[0].Steps = 40*time.Minute, []integrations.Applier{tool}
	release := sync.OnceFunc(func() { close(tool.end) })
	t.Cleanup(release) // before the world stops
	op := w.planned(w.deploy("alice", "staging").ID)
	advance := func(d time.Duration) {
		t.Helper()
		if err := w.clock.Advance(t.Context(), d, nil); err != nil {
			t.Fatal(err)
		}
	}
	advance(2 * time.Hour) // before it is merged
	w.must("alice", "merge", about(op.ID))
	<-tool.begun
	j := w.apply(op.ID, store.JobRunning)
	if j.Interrupts != 0 {
		t.Fatalf("it was interrupted at once: %s", j.Why)
	}
	advance(41 * time.Minute)
	w.wait("it is asked to stop", func(tx *store.Tx) (bool, error) {
		j, err := tx.Job(j.ID)
		return err == nil && j.Interrupts == 1 && j.TimedOut, err
	})
	if text, _ := w.stopped(j.ID); text != "" {
		t.Errorf("a person is called before it had its time: %q", text)
	}
	w.view(func(tx *store.Tx) error {
		m, err := w.f.operationCard(tx, &store.Surface{Subject: op.ID})
		contains(t, m.Text, "web/staging: it has taken longer than its limit of 40m0s and was asked to stop")
		return err
	})
	advance(11 * time.Minute)
	w.wait("a person is called", func(*store.Tx) (bool, error) { text, _ := w.stopped(j.ID); return text != "", nil })
	text, button := w.stopped(j.ID)
	contains(t, text, "alice: web/staging does not stop")
	if button != "Abort: cancel "+j.ID+" --kill" {
		t.Errorf("the button is %q", button)
	}
	release()
	j = w.apply(op.ID, store.JobFailed)
	if want := "it took longer than its limit of 40m0s and was interrupted"; j.Why != want {
		t.Errorf("it failed because %q, want %q", j.Why, want)
	}
	if text, button := w.stopped(j.ID); button != "" || !strings.Contains(text, "since then "+j.ID+" is failed") {
		t.Errorf("afterwards it reads %q with %q", text, button)
	}
	w.must("bob", "retry", about(op.ID))
	<-tool.begun // and ends at once
	w.apply(op.ID, store.JobFailed)
	if text, button := w.stopped(j.ID); button != "" || strings.Contains(text, "does not stop") {
		t.Errorf("after a retry it reads %q with %q", text, button)
	}
}

// Who is told that a machine stopped an apply: whoever asked for it, and nobody
// when a person stopped it.
func TestWhoIsCalledWhenAnApplyWasStopped(t *testing.T) {
	why := "interrupted because signalbox was stopped and had waited 30m0s for it"
	for name, c := range map[string]struct {
		change func(j *store.Job)
		want   string
	}{
		"by a restart": {func(j *store.Job) { j.State, j.StopWhy, j.Why = store.JobCancelled, why, why }, "alice: web/staging was " + why + ". Retry tries it again."},
		"by a person":  {func(j *store.Job) { j.State, j.CancelledBy = store.JobCancelled, &store.Person{Name: "bob"} }, ""},
		"by a person in the end": {func(j *store.Job) {
			j.State, j.StopWhy, j.CancelledBy = store.JobCancelled, why, &store.Person{Name: "bob"}
		}, ""},
		"by its deadline":          {func(j *store.Job) { j.State, j.StopWhy, j.TimedOut = store.JobFailed, "it took too long", true }, ""}, // the failure calls
		"and waits to begin again": {func(j *store.Job) { j.State, j.StopWhy, j.Stuck = store.JobQueued, why, true }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			op := w.planned(w.deploy("alice", "staging").ID)
			w.stop()
			j := &store.Job{Key: "apply", Kind: kindApply, Operation: op.ID, Target: "web/staging", Attempt: 1, Requester: op.Requester}
			c.change(j)
			w.update(func(tx *store.Tx) error {
				if _, _, err := tx.InsertJob(j); err != nil {
					return err
				}
				return w.f.applyChanged(tx, j, true)
			})
			if text, _ := w.stopped(j.ID); strings.TrimPrefix(text, op.ID+" ") != c.want {
				t.Errorf("it reads %q, want %q", text, c.want)
			}
		})
	}
}

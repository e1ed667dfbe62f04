package runner

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
	"github.com/signalbox-chatops/signalbox/store"
)

// drain begins a stop that waits, and returns a function that waits for its end.
func (y *yard) drain(limit time.Duration) (wait func()) {
	y.t.Helper()
	done := make(chan error, 1)
	r := y.r
	go func() { done <- r.Drain(context.Background(), limit) }() // waited for by wait
	y.wait("the drain has begun", r.isDraining)
	return func() {
		y.t.Helper()
		select {
		case err := <-done:
			if err != nil {
				y.t.Error(err)
			}
		case <-time.After(patience):
			y.t.Fatal("the drain does not end")
		}
	}
}

// of gives a job an operation, whose card stands in a channel.
func (y *yard) of(job, op, channel string) {
	y.t.Helper()
	y.update(func(tx *store.Tx) error {
		j, err := tx.Job(job)
		if err != nil {
			return err
		}
		j.Operation = op
		return errors.Join(tx.PutJob(j), tx.PutOperation(&store.Operation{ID: op, State: store.OpApplying, Channel: channel, Environment: "staging"}))
	})
}

// told is what the channels read of restarts, by channel.
func (y *yard) told() map[string]string {
	y.t.Helper()
	out := map[string]string{}
	err := y.store.View(func(tx *store.Tx) error {
		due, err := tx.DueSurfaces(y.clock.Now(), 0)
		for _, s := range due {
			m, err := Cards()[s.Card](tx, s)
			if err != nil {
				return err
			}
			out[s.Where["channel"]] = m.Text
		}
		return err
	})
	if err != nil {
		y.t.Fatal(err)
	}
	return out
}

func (y *yard) saysIn(channel string, want ...string) {
	y.t.Helper()
	for _, w := range want {
		if got := y.told()[channel]; !strings.Contains(got, w) {
			y.t.Errorf("#%s reads %q, want %q", channel, got, w)
		}
	}
}

// A drain begins nothing, lets what runs come to its end, and says so where its
// operation is shown: at the beginning, at the end, and when the next process is up.
func TestRuleADrainWaitsAndBeginsNothing(t *testing.T) {
	y := newYard(t)
	running := y.add("script", "web", 1, y.waiting("running"))
	y.of(running, "op-3", "C1")
	y.start()
	y.wait("it runs", func() bool { return y.marks("running") == 1 })
	behind := y.add("script", "web", 2, "echo behind >> "+y.file("marks"))
	wait := y.drain(patience)
	beside := y.add("script", "dns", 3, "echo beside >> "+y.file("marks"))
	y.wait("it is told", func() bool { return len(y.told()) > 0 })
	y.saysIn("C1", fmt.Sprintf("I am being restarted, and wait for the script of op-3 on web, %v at most", patience), "is kept")
	y.touch("go")
	y.reaches(running, store.JobSucceeded)
	wait()
	y.saysIn("C1", "I am down for a restart", "The script of op-3 on web: succeeded.")
	for _, id := range []string{behind, beside} {
		if j := y.job(id); j.State != store.JobQueued || j.Attempt != 0 {
			t.Errorf("%s is %s, attempt %d", id, j.State, j.Attempt)
		}
	}
	y.stop()
	y.start()
	y.reaches(behind, store.JobSucceeded)
	y.reaches(beside, store.JobSucceeded)
	y.saysIn("C1", "I was restarted and am back.", "op-3 on web: succeeded")
}

// What still runs after the limit is interrupted once, which is written down
// first: it ends as cancelled, and says why.
func TestRuleADrainInterruptsWhatTakesTooLong(t *testing.T) {
	y := newYard(t)
	id := y.add("script", "web", 1, y.counting())
	y.of(id, "op-3", "C1")
	y.start()
	y.up()
	wait := y.drain(50 * time.Millisecond)
	y.wait("it is interrupted", func() bool { return y.marks("int") == 1 })
	if j := y.job(id); j.Interrupts != 1 || j.TimedOut || !strings.Contains(j.Why, "signalbox is being stopped; it has waited 50ms") {
		t.Errorf("while it stops: %d interrupts, %q", j.Interrupts, j.Why)
	}
	y.saysIn("C1", "I have waited 50ms for the script of op-3 on web, and asked it to stop")
	y.touch("go")
	wait()
	j := y.reaches(id, store.JobCancelled)
	if j.Why != "interrupted because signalbox was stopped and had waited 50ms for it" || strings.Contains(j.Error, "person") {
		t.Errorf("it is cancelled because %q, with the error %q", j.Why, j.Error)
	}
	if !strings.Contains(j.Tail, "putting things down") || y.marks("int") != 1 || y.locked("web") != "" {
		t.Errorf("tail %q, %d interrupts, the lock is %q's", j.Tail, y.marks("int"), y.locked("web"))
	}
	y.stop()
	y.start()
	y.reaches(y.add("script", "", 0, "true"), store.JobSucceeded)
	if s := y.job(id).State; s != store.JobCancelled {
		t.Errorf("after the restart it is %s", s)
	}
}

// What has changed nothing by the end of the limit is let go and begun again.
func TestDrainLeavesWhatChangedNothingToTheNextStart(t *testing.T) {
	y := newYard(t)
	y.kind(Kind{Name: "look", Run: func(ctx context.Context, r *Run) End {
		_, err := r.Exec(nil).Run(ctx, integrations.Command{Step: "look", Argv: []string{"sh", "-c", y.waiting("look")}, Dir: "/"})
		if err != nil {
			return Failed(err)
		}
		return End{State: store.JobSucceeded}
	}})
	y.start()
	id := y.add("look", "web", 1, "")
	y.wait("it looks", func() bool { return y.marks("look") == 1 })
	y.drain(50 * time.Millisecond)()
	y.stop()
	y.start()
	y.wait("it looks again", func() bool { return y.marks("look") == 2 })
	y.touch("go")
	if j := y.reaches(id, store.JobSucceeded); j.Attempt != 1 {
		t.Errorf("it is attempt %d", j.Attempt)
	}
}

// An effect whose time comes after the limit is not begun any more, and the job is
// the next process's.
func TestDrainBeginsNoEffectAfterItsLimit(t *testing.T) {
	y := newYard(t)
	at, on, first := make(chan struct{}), make(chan struct{}), true
	y.kind(Kind{Name: "late", Run: func(ctx context.Context, r *Run) End {
		if first {
			first = false
			close(at)
			<-on
		}
		return script(ctx, r)
	}})
	y.start()
	id := y.add("late", "web", 1, "echo effect >> "+y.file("marks"))
	<-at
	r := y.r
	wait := y.drain(200 * time.Millisecond)
	y.wait("it is told", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.restart != "" })
	// The store is busy while the limit passes: the effect comes in between.
	busy := make(chan error, 1)
	free := make(chan struct{})
	go func() { busy <- y.store.Update(context.Background(), func(*store.Tx) error { <-free; return nil }) }()
	y.wait("the limit has passed", r.isClosing)
	close(on)
	y.wait("it comes to its effect", func() bool {
		dirs, err := filepath.Glob(filepath.Join(y.dir, "work", id, "log-1", "*"))
		return err == nil && len(dirs) == 1
	})
	time.Sleep(20 * time.Millisecond) // from the step's folder to its transaction
	close(free)
	if err := <-busy; err != nil {
		t.Fatal(err)
	}
	wait()
	y.stop()
	if j := y.job(id); j.State != store.JobRunning || len(j.Effects) != 0 || y.marks("effect") != 0 {
		t.Fatalf("it is %s (%s) with %d effects", j.State, j.Why, len(j.Effects))
	}
	y.start()
	y.reaches(id, store.JobSucceeded)
	if n := y.marks("effect"); n != 1 {
		t.Errorf("the effect happened %d times", n)
	}
}

// Somebody who does not want to wait can stop what a drain waits for.
func TestACancelIsCarriedOutDuringADrain(t *testing.T) {
	y := newYard(t)
	y.start()
	id := y.add("script", "web", 1, fmt.Sprintf("trap 'exit 1' INT; echo up >> %s; while :; do sleep 0.02; done", y.file("marks")))
	y.up()
	wait := y.drain(patience)
	y.update(func(tx *store.Tx) error {
		j, err := tx.Job(id)
		j.Interrupts, j.CancelledBy = 1, &store.Person{Name: "alice"}
		return errors.Join(err, tx.PutJob(j))
	})
	wait()
	if j := y.reaches(id, store.JobCancelled); j.Why != "cancelled by alice" {
		t.Errorf("it is cancelled because %q", j.Why)
	}
}

// A process that does not drain signals nothing and tells nothing: its steps go on
// and are followed by the next one.
func TestAStopWithoutADrainSignalsNothing(t *testing.T) {
	y := newYard(t)
	id := y.add("script", "web", 1, y.counting())
	y.of(id, "op-3", "C1")
	y.start()
	y.up()
	y.stop()
	state, _, err := proc.Status(y.job(id).Effects["it"].Dir)
	if err != nil || state != proc.Running || y.marks("int") != 0 || y.job(id).Interrupts != 0 {
		t.Fatalf("its step is %s after %d interrupts (%v)", state, y.marks("int"), err)
	}
	y.start()
	y.touch("go")
	y.reaches(id, store.JobFailed)
	if y.marks("int") != 0 || len(y.told()) != 0 {
		t.Errorf("%d interrupts; told %v", y.marks("int"), y.told())
	}
}

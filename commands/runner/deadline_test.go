package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
	"github.com/signalbox-chatops/signalbox/store"
)

// limited is a kind whose attempts may take 40 minutes.
func (y *yard) limited() {
	y.kind(Kind{Name: "limited", Run: script, Deadline: func(*store.Job) time.Duration { return 40 * time.Minute }})
}

// counting is a line that leaves a mark for each SIGINT, says so in its log, and
// ends badly when the file "go" is there.
func (y *yard) counting() string {
	return fmt.Sprintf("trap 'echo int >> %[1]s; echo putting things down' INT; echo up >> %[1]s; while [ ! -e %[2]s ]; do sleep 0.02; done; exit 1", y.file("marks"), y.file("go"))
}

func (y *yard) up() {
	y.t.Helper()
	y.wait("it runs", func() bool { return slices.Contains(y.lines("marks"), "up") })
}

func (y *yard) marks(of string) int {
	n := 0
	for _, m := range y.lines("marks") {
		if m == of {
			n++
		}
	}
	return n
}

// advance moves the clock and lets the runner look at what that changes: it has
// when it has run a job that comes after.
func (y *yard) advance(d time.Duration) {
	y.t.Helper()
	if err := y.clock.Advance(context.Background(), d, nil); err != nil {
		y.t.Fatal(err)
	}
	y.reaches(y.add("script", "", 0, "true"), store.JobSucceeded)
}

// A deadline that passes takes the way of a cancel: one SIGINT, recorded before,
// and the time to clean up. It has failed then, with the reason and its log.
func TestRuleATimeOutInterruptsOnceAndFails(t *testing.T) {
	y := newYard(t)
	y.limited()
	y.start()
	id := y.add("limited", "web", 1, y.counting())
	y.up()
	y.advance(39 * time.Minute)
	if j := y.job(id); j.Interrupts != 0 || y.marks("int") != 0 {
		t.Fatalf("after 39 minutes: %d interrupts, %q", j.Interrupts, j.Why)
	}
	y.advance(2 * time.Minute)
	y.wait("it is interrupted", func() bool { return y.marks("int") == 1 })
	j := y.job(id)
	if j.State != store.JobRunning || j.Interrupts != 1 || !j.TimedOut || j.StopAt.IsZero() || !strings.Contains(j.Why, "its limit of 40m0s") {
		t.Errorf("while it stops it is %s, %d interrupts, timed out %v: %q", j.State, j.Interrupts, j.TimedOut, j.Why)
	}
	y.advance(5 * time.Minute)
	y.touch("go")
	j = y.reaches(id, store.JobFailed)
	if want := "it took longer than its limit of 40m0s and was interrupted"; j.Why != want || j.CancelledBy != nil {
		t.Errorf("it failed because %q, want %q", j.Why, want)
	}
	if !strings.Contains(j.Tail, "putting things down") || j.FailedStep != "sh" {
		t.Errorf("of the log %q is kept, of step %q", j.Tail, j.FailedStep)
	}
	path, err := WholeLog(j)
	if err != nil {
		t.Fatal(err)
	}
	if whole, err := os.ReadFile(path); err != nil || !strings.Contains(string(whole), "putting things down") {
		t.Errorf("the whole log is %q (%v)", whole, err)
	}
	if n := y.marks("int"); n != 1 {
		t.Errorf("it was interrupted %d times", n)
	}
	if y.locked("web") != "" {
		t.Error("the run lock was not given back")
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	if !slices.Contains(y.seen, id+" failed") {
		t.Errorf("its feature saw %q", y.seen)
	}
}

// What waits in line, or for a confirmation, does not use up its time.
func TestRuleADeadlineDoesNotCountWaiting(t *testing.T) {
	y := newYard(t)
	y.limited()
	asked := false
	y.kind(Kind{Name: "asks first", Deadline: func(*store.Job) time.Duration { return 40 * time.Minute },
		Run: func(ctx context.Context, r *Run) End {
			if !asked {
				asked = true
				return End{State: store.JobNeedsConfirm, Why: "nobody reviewed it"}
			}
			return script(ctx, r)
		}})
	y.start()
	first := y.add("script", "web", 1, y.waiting("first"))
	behind := y.add("limited", "web", 2, strings.ReplaceAll(y.counting(), y.file("go"), y.file("stop")))
	confirmed := y.add("asks first", "dns", 3, strings.ReplaceAll(strings.ReplaceAll(y.counting(), y.file("go"), y.file("stop")), "echo up", "echo confirmed"))
	y.reaches(confirmed, store.JobNeedsConfirm)
	y.advance(3 * time.Hour)
	y.touch("go")
	y.reaches(first, store.JobSucceeded)
	y.up()
	y.update(func(tx *store.Tx) error {
		j, err := tx.Job(confirmed)
		j.State = store.JobQueued
		return errors.Join(err, tx.PutJob(j))
	})
	y.wait("the confirmed one runs", func() bool { return y.marks("confirmed") == 1 })
	y.advance(39 * time.Minute)
	for _, id := range []string{behind, confirmed} {
		if j := y.job(id); j.State != store.JobRunning || j.Interrupts != 0 {
			t.Errorf("after 39 minutes of running %s is %s with %d interrupts: %s", id, j.State, j.Interrupts, j.Why)
		}
	}
	y.advance(2 * time.Minute)
	y.wait("both are interrupted", func() bool { return y.marks("int") == 2 })
	y.touch("stop")
	y.reaches(behind, store.JobFailed)
	y.reaches(confirmed, store.JobFailed)
}

// The time goes on while the process is restarted, or is not there at all, and an
// end that came meanwhile has its reason all the same.
func TestADeadlineGoesOnAcrossARestart(t *testing.T) {
	for name, away := range map[string]time.Duration{"passes after the restart": 0, "passes while there is no process": 15 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			y := newYard(t)
			y.limited()
			y.start()
			id := y.add("limited", "web", 1, y.counting())
			y.up()
			y.advance(30 * time.Minute)
			y.stop()
			if err := y.clock.Advance(context.Background(), away, nil); err != nil {
				t.Fatal(err)
			}
			y.start()
			y.advance(11 * time.Minute)
			y.wait("it is interrupted", func() bool { return y.marks("int") == 1 })
			y.stop()
			y.touch("go")
			dir := y.job(id).Effects["it"].Dir
			y.wait("it ends", func() bool { s, _, err := proc.Status(dir); return err == nil && s == proc.Exited })
			y.start()
			if j := y.reaches(id, store.JobFailed); !strings.Contains(j.Why, "took longer than its limit of 40m0s") || j.Attempt != 1 {
				t.Errorf("attempt %d failed because %q", j.Attempt, j.Why)
			}
			if n := y.marks("int"); n != 1 {
				t.Errorf("it was interrupted %d times", n)
			}
		})
	}
}

// A tool that does not heed the interrupt is left to a person, who is called after
// ten minutes and may kill it. Nobody knows then how far it came.
func TestAToolThatIgnoresItsDeadlineIsLeftToAPerson(t *testing.T) {
	y := newYard(t)
	y.limited()
	y.start()
	id := y.add("limited", "web", 1, fmt.Sprintf("trap '' INT; echo up >> %s; while :; do sleep 0.02; done", y.file("marks")))
	y.up()
	y.advance(41 * time.Minute)
	y.wait("it was asked to stop", func() bool { return y.job(id).Interrupts == 1 })
	y.advance(9 * time.Minute)
	if j := y.job(id); j.Stuck {
		t.Errorf("a person was called after 9 minutes: %s", j.Why)
	}
	y.mu.Lock()
	y.seen = nil
	y.mu.Unlock()
	y.advance(2 * time.Minute)
	y.wait("a person is called", func() bool { return y.job(id).Stuck })
	y.wait("its feature is told", func() bool { y.mu.Lock(); defer y.mu.Unlock(); return slices.Contains(y.seen, id+" running") })
	y.advance(48 * time.Hour)
	j := y.job(id)
	state, _, err := proc.Status(j.Effects["it"].Dir)
	if err != nil || state != proc.Running || j.State != store.JobRunning || j.Interrupts != 1 {
		t.Fatalf("two days later its step is %s, the job %s with %d interrupts (%v)", state, j.State, j.Interrupts, err)
	}
	y.update(func(tx *store.Tx) error {
		j, err := tx.Job(id)
		j.Interrupts, j.CancelledBy = 2, &store.Person{Name: "alice"}
		return errors.Join(err, tx.PutJob(j))
	})
	y.reaches(id, store.JobUnknown)
	if y.locked("web") != id {
		t.Error("the lock of an unknown job was given back")
	}
}

// What did all it had to before it stopped has succeeded, and is tried again
// without the marks of an attempt that took too long.
func TestADeadlineIsOfOneAttempt(t *testing.T) {
	y := newYard(t)
	y.limited()
	y.start()
	id := y.add("limited", "web", 1, y.counting())
	y.up()
	y.advance(41 * time.Minute)
	y.wait("it is interrupted", func() bool { return y.marks("int") == 1 })
	y.touch("go")
	y.reaches(id, store.JobFailed)
	y.update(func(tx *store.Tx) error {
		j, err := tx.Job(id)
		j.State, j.Data = store.JobQueued, []byte(`"exit 3"`)
		return errors.Join(err, tx.PutJob(j))
	})
	if j := y.reaches(id, store.JobFailed); j.TimedOut || j.StopWhy != "" || !strings.Contains(j.Why, "exit code 3") {
		t.Errorf("attempt %d: timed out %v, %q", j.Attempt, j.TimedOut, j.Why)
	}
}

// One command's own limit, of wall time, goes the same way: it may clean up, and
// its log is kept.
func TestRuleATimeOutKeepsTheLog(t *testing.T) {
	y := newYard(t)
	y.kind(Kind{Name: "brief", Run: func(ctx context.Context, r *Run) End {
		_, err := r.Exec(nil).Effect(ctx, "it", integrations.Command{Step: "sh", Dir: "/", Timeout: 200 * time.Millisecond,
			Argv: []string{"sh", "-c", "trap 'echo put down; exit 1' INT; echo begun; while :; do sleep 0.02; done"}})
		if err != nil {
			return Failed(err)
		}
		return End{State: store.JobSucceeded}
	}})
	y.start()
	j := y.reaches(y.add("brief", "web", 1, ""), store.JobFailed)
	if !strings.Contains(j.Why, "ran longer than its limit and was interrupted") || !strings.Contains(j.Tail, "begun\nput down") {
		t.Errorf("why %q, tail %q", j.Why, j.Tail)
	}
}

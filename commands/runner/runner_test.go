package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
	"github.com/signalbox-chatops/signalbox/store"
)

// The test binary is also the step shim.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "step" {
		os.Exit(proc.Main(os.Args[2]))
	}
	os.Exit(m.Run())
}

const patience = 30 * time.Second

func TestRunsAJob(t *testing.T) {
	y := newYard(t)
	y.start()
	id := y.add("script", "web", 1, "echo hello $TOKEN; echo HOME=$HOME")
	j := y.reaches(id, store.JobSucceeded)
	if y.locked("web") != "" {
		t.Error("the run lock was not given back")
	}
	if !strings.Contains(j.Tail, "hello") || strings.Contains(j.Tail, "hunter2") {
		t.Errorf("its log ends %q", j.Tail)
	}
	y.wait("its folder is gone", func() bool { _, err := os.Stat(j.WorkDir); return errors.Is(err, os.ErrNotExist) })
	path, err := WholeLog(j)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(whole), "==> sh\nhello") || strings.Contains(string(whole), "hunter2") {
		t.Errorf("the whole log is %q (%v)", whole, err)
	}
	var states []string
	y.mu.Lock()
	for _, s := range y.seen {
		_, state, _ := strings.Cut(s, " ")
		if len(states) == 0 || states[len(states)-1] != state {
			states = append(states, state)
		}
	}
	y.mu.Unlock()
	if want := []string{store.JobPreparing, store.JobRunning, store.JobSucceeded}; !slices.Equal(states, want) {
		t.Errorf("it went through %v", states)
	}
}

func TestFailureKeepsTheToolsWords(t *testing.T) {
	y := newYard(t)
	y.start()
	j := y.reaches(y.add("script", "web", 1, "echo no such bucket; exit 3"), store.JobFailed)
	if j.FailedStep != "sh" || !strings.Contains(j.Tail, "no such bucket") || !strings.Contains(j.Why, "exit code 3") {
		t.Errorf("step %q, why %q, tail %q", j.FailedStep, j.Why, j.Tail)
	}
	if y.locked("web") != "" {
		t.Error("the run lock was not given back")
	}
}

// A step sees the variables on the list, a home of its own, and nothing else.
func TestStepEnvironment(t *testing.T) {
	t.Setenv("SIGNALBOX_TEST_SECRET", "planted")
	y := newYard(t)
	y.start()
	j := y.reaches(y.add("script", "web", 1, "env"), store.JobSucceeded)
	if strings.Contains(j.Tail, "planted") || !strings.Contains(j.Tail, "HOME="+j.WorkDir) {
		t.Errorf("the step's environment was:\n%s", j.Tail)
	}
}

// One at a time on a target, in order; different targets side by side.
func TestRuleOneAtATimeOnATarget(t *testing.T) {
	y := newYard(t)
	second := y.add("script", "web", 20, "echo second >> "+y.file("marks"))
	first := y.add("script", "web", 10, y.waiting("first"))
	other := y.add("script", "dns", 30, "echo other >> "+y.file("marks"))
	y.start()
	y.reaches(other, store.JobSucceeded)
	y.wait("the first runs", func() bool { return slices.Contains(y.lines("marks"), "first") })
	if y.locked("web") != first || y.job(second).State != store.JobQueued {
		t.Errorf("%s holds the lock and the second is %s", y.locked("web"), y.job(second).State)
	}
	y.touch("go")
	y.reaches(second, store.JobSucceeded)
	if got := y.lines("marks"); !slices.Equal(slices.DeleteFunc(got, func(s string) bool { return s == "other" }), []string{"first", "second"}) {
		t.Errorf("they ran in the order %v", got)
	}
}

// A job that comes before the one that runs waits without turning in circles.
func TestAnEarlierOneWaitsQuietly(t *testing.T) {
	y := newYard(t)
	asked := 0
	k := y.kinds["script"]
	k.Name = "asking"
	k.Facts = func(context.Context, *store.Job) (any, error) {
		y.mu.Lock()
		defer y.mu.Unlock()
		asked++
		return nil, nil
	}
	y.kind(k)
	y.start()
	later := y.add("script", "web", 20, y.waiting("later"))
	y.wait("the later one runs", func() bool { return len(y.lines("marks")) == 1 })
	earlier := y.add("asking", "web", 10, "true")
	y.wait("the earlier one was looked at", func() bool { y.mu.Lock(); defer y.mu.Unlock(); return asked > 0 })
	for range 50 { // things go on elsewhere
		y.update(func(tx *store.Tx) error {
			j, err := tx.Job(later)
			j.Data = []byte(`"x"`)
			return errors.Join(err, tx.PutJob(j))
		})
	}
	y.mu.Lock()
	n := asked
	y.mu.Unlock()
	if n > 5 {
		t.Errorf("GitHub was asked %d times meanwhile", n)
	}
	y.touch("go")
	y.reaches(later, store.JobSucceeded)
	if err := y.clock.Advance(context.Background(), 10*time.Second, nil); err != nil {
		t.Fatal(err)
	}
	y.reaches(earlier, store.JobSucceeded)
}

// The process is gone in mid-effect; the next one follows the step, and the
// effect happens once.
func TestRuleBootFollowsWhatRuns(t *testing.T) {
	y := newYard(t)
	y.start()
	id := y.add("script", "web", 1, y.waiting("once"))
	y.wait("it runs", func() bool { return len(y.lines("marks")) == 1 })
	y.stop()
	if j := y.job(id); j.State != store.JobRunning || y.locked("web") != id {
		t.Fatalf("after the stop it is %s, the lock is %q's", j.State, y.locked("web"))
	}
	y.start()
	y.touch("go")
	j := y.reaches(id, store.JobSucceeded)
	if n := len(y.lines("marks")); n != 1 || j.Attempt != 1 {
		t.Errorf("the effect happened %d times, attempt %d", n, j.Attempt)
	}
}

// It ended while there was no bot: its exit file is its result.
func TestRuleBootTakesTheExitFileAsTheResult(t *testing.T) {
	y := newYard(t)
	y.start()
	id := y.add("script", "web", 1, y.waiting("once")+"; exit 3")
	y.wait("it runs", func() bool { return len(y.lines("marks")) == 1 })
	y.stop()
	y.touch("go")
	dir := y.job(id).Effects["it"].Dir
	y.wait("it ends", func() bool { s, _, err := proc.Status(dir); return err == nil && s == proc.Exited })
	y.start()
	y.reaches(id, store.JobFailed)
	if n := len(y.lines("marks")); n != 1 {
		t.Errorf("the effect happened %d times", n)
	}
}

// Killed with its shim: nobody knows how far it came, the lock stays, and no
// machine tries it again.
func TestRuleUnknownKeepsTheRunLockAndNoMachineRetries(t *testing.T) {
	y := newYard(t)
	y.start()
	id := y.add("script", "web", 1, y.waiting("once"))
	behind := y.add("script", "web", 2, "echo behind >> "+y.file("marks"))
	y.wait("it runs", func() bool { return len(y.lines("marks")) == 1 })
	y.stop()
	if err := proc.Kill(y.job(id).Effects["it"].Dir); err != nil {
		t.Fatal(err)
	}
	y.start()
	y.reaches(id, store.JobUnknown)
	y.stop()
	y.start() // and again: it stays so
	y.wait("all is quiet", y.r.Idle)
	if j := y.job(id); j.State != store.JobUnknown || y.locked("web") != id {
		t.Errorf("it is %s, the lock is %q's", j.State, y.locked("web"))
	}
	if s := y.job(behind).State; s != store.JobQueued {
		t.Errorf("the one behind it is %s", s)
	}
	if n := len(y.lines("marks")); n != 1 {
		t.Errorf("the effect happened %d times", n)
	}
}

// A tool that was killed, by the kernel or by hand, had no time to put down what
// it did: nobody can tell how far it came, although its shim saw it end.
func TestRuleAKilledApplyIsUnknown(t *testing.T) {
	y := newYard(t)
	y.start()
	id := y.add("script", "web", 1, "echo begun >> "+y.file("marks")+"; kill -9 $$")
	j := y.reaches(id, store.JobUnknown)
	if y.locked("web") != id || !strings.Contains(j.Why+j.Error, "signal") {
		t.Errorf("the lock is %q's; it says %q, %q", y.locked("web"), j.Why, j.Error)
	}
}

// What had begun no effect is begun again, as the same attempt.
func TestRuleBootBeginsAgainWhatHadChangedNothing(t *testing.T) {
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
	y.wait("it looks", func() bool { return len(y.lines("marks")) == 1 })
	y.stop()
	y.start()
	y.wait("it looks again", func() bool { return len(y.lines("marks")) == 2 })
	y.touch("go")
	if j := y.reaches(id, store.JobSucceeded); j.Attempt != 1 {
		t.Errorf("it is attempt %d", j.Attempt)
	}
}

// The first cancel interrupts the step, which may clean up; the second kills it,
// and then nobody knows.
func TestRuleACancelInterruptsAndASecondOneKills(t *testing.T) {
	y := newYard(t)
	y.start()
	press := func(id string) {
		y.update(func(tx *store.Tx) error { j, err := tx.Job(id); j.Interrupts++; return errors.Join(err, tx.PutJob(j)) })
	}
	polite := y.add("script", "web", 1, fmt.Sprintf("trap 'echo cleaned >> %s; exit 1' INT; echo up >> %s; while :; do sleep 0.02; done", y.file("marks"), y.file("marks")))
	y.wait("it runs", func() bool { return slices.Contains(y.lines("marks"), "up") })
	press(polite)
	y.reaches(polite, store.JobCancelled)
	if !slices.Contains(y.lines("marks"), "cleaned") {
		t.Error("it was not let clean up")
	}
	stubborn := y.add("script", "dns", 1, fmt.Sprintf("trap '' INT; echo there >> %s; while :; do sleep 0.02; done", y.file("marks")))
	y.wait("it runs", func() bool { return slices.Contains(y.lines("marks"), "there") })
	press(stubborn)
	y.wait("it was asked", func() bool {
		y.r.mu.Lock()
		a := y.r.active[stubborn]
		y.r.mu.Unlock()
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.asked == 1
	})
	press(stubborn)
	y.reaches(stubborn, store.JobUnknown)
	if y.locked("dns") != stubborn {
		t.Error("the lock of an unknown job was given back")
	}
}

func TestFaultsInAKind(t *testing.T) {
	y := newYard(t)
	y.kind(Kind{Name: "panics", Run: func(context.Context, *Run) End { panic("a fault") }})
	y.kind(Kind{Name: "panics in facts", Facts: func(context.Context, *store.Job) (any, error) { panic("a fault") }, Run: script})
	y.kind(Kind{Name: "cannot save", Run: func(context.Context, *Run) End {
		return End{State: store.JobSucceeded, Save: func(*store.Tx, *store.Job) error { return errors.New("it does not fit") }}
	}})
	y.kind(Kind{Name: "gate cannot be read", Run: script, Gate: func(*store.Tx, *store.Job, any) (Verdict, error) { return Go, errors.New("damaged") }})
	y.start()
	for kind, state := range map[string]string{"panics": store.JobFailed, "cannot save": store.JobFailed, "gate cannot be read": store.JobBlocked, "nobody knows this": store.JobFailed} {
		t.Run(kind, func(t *testing.T) {
			id := y.add(kind, kind, 1, "echo ran >> "+y.file("marks"))
			y.reaches(id, state)
			if y.locked(kind) != "" {
				t.Error("the run lock was not given back")
			}
		})
	}
	id := y.add("panics in facts", "x", 1, "true")
	y.wait("it waits", func() bool { j := y.job(id); return j.State == store.JobQueued && strings.Contains(j.Why, "a fault") })
	if len(y.lines("marks")) != 0 {
		t.Error("something ran whose gate could not be read")
	}
}

// One job that cannot be recovered does not keep the process from starting.
func TestRecoverGivesUpOnOne(t *testing.T) {
	y := newYard(t)
	id := y.add("script", "web", 1, "true")
	other := y.add("script", "dns", 1, "true")
	work := filepath.Join(y.dir, "work", id, "1")
	step := filepath.Join(filepath.Dir(work), "log-1", "01-sh")
	if err := os.MkdirAll(step, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(step, "pid.json"), []byte("{not json"), 0o600); err != nil {
		t.Fatal(err)
	}
	y.update(func(tx *store.Tx) error {
		j, err := tx.Job(id)
		if err != nil {
			return err
		}
		j.State, j.Attempt, j.WorkDir = store.JobRunning, 1, work
		return errors.Join(tx.PutJob(j), tx.TakeRunLock(store.RunLock{Target: "web", Job: id, Attempt: 1}))
	})
	y.start()
	y.reaches(other, store.JobSucceeded)
	if j := y.job(id); j.State != store.JobUnknown || y.locked("web") != id {
		t.Errorf("it is %s (%s), the lock is %q's", j.State, j.Why, y.locked("web"))
	}
}

// Plans, of which a flood may come, leave the room to what was merged.
func TestAppliesGoBeforePlans(t *testing.T) {
	y := newYard(t)
	for range 12 {
		y.add("script", "", 0, "echo plan >> "+y.file("marks"))
	}
	apply := y.add("script", "web", 900, "echo apply >> "+y.file("marks"))
	y.start()
	y.reaches(apply, store.JobSucceeded)
	y.wait("all ran", func() bool { return len(y.lines("marks")) == 13 })
	if at := slices.Index(y.lines("marks"), "apply"); at > 4 {
		t.Errorf("the apply came as number %d", at+1)
	}
}

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
	"github.com/signalbox-chatops/signalbox/store"
)

// eachTool runs a test with the stand-in and with the machine's Terraform.
func eachTool(t *testing.T, test func(t *testing.T, change func(*boxWorld))) {
	t.Run("stand-in", func(t *testing.T) {
		t.Parallel()
		test(t, nil)
	})
	t.Run("terraform", func(t *testing.T) {
		t.Parallel()
		test(t, realTerraform(t))
	})
}

// applying comes to the middle of an apply, which goes on when hold-apply is gone.
func applying(t *testing.T, change func(*boxWorld)) *box {
	t.Helper()
	b := newBox(t, change)
	b.begin()
	b.tell("hold-apply")
	b.mergeOnGitHub()
	b.until("the apply has begun", func() bool { return b.told("at-apply") })
	return b
}

// step is the folder of the newest step of a name.
func (b *box) step(name string) string {
	b.t.Helper()
	all := b.steps(name)
	if len(all) == 0 {
		b.t.Fatalf("no step %s", name)
	}
	return all[len(all)-1]
}

// shimPID is the process that holds a step.
func (b *box) shimPID(dir string) int {
	b.t.Helper()
	var id struct{ PID int }
	text, err := os.ReadFile(filepath.Join(dir, "pid.json"))
	if err == nil {
		err = json.Unmarshal(text, &id)
	}
	if err != nil || id.PID <= 1 {
		b.t.Fatalf("read who runs %s: %v", dir, err)
	}
	return id.PID
}

// untilStep waits until a step stands so.
func (b *box) untilStep(dir string, want proc.State) {
	b.t.Helper()
	b.until(filepath.Base(dir)+" is "+string(want), func() bool {
		got, _, err := proc.Status(dir)
		return err == nil && got == want
	})
}

// applyJob is the apply of op-1 as the store has it.
func (b *box) applyJob() (apply store.Job) {
	b.t.Helper()
	b.book(func(tx *store.Tx) error {
		jobs, err := tx.JobsOf("op-1")
		for _, j := range jobs {
			if j.Kind == "apply" {
				apply = *j
			}
		}
		return err
	})
	return apply
}

// A running apply is found again and followed, however often the bot dies.
func TestKillDuringApply(t *testing.T) {
	eachTool(t, func(t *testing.T, change func(*boxWorld)) {
		b := applying(t, change)
		before := b.shimPID(b.step("-apply"))
		for range 2 {
			b.restart()
			b.until("the bot is back", b.ready)
			b.untilCard("op-1", ": applying")
			if now := b.shimPID(b.step("-apply")); now != before {
				t.Fatalf("the apply is run by %d now, not by %d", now, before)
			}
		}
		b.untell("hold-apply")
		b.untilTold("op-1", "succeeded")
		b.checkOnce("op-1")
		if j := b.applyJob(); j.Attempt != 1 {
			t.Errorf("attempt %d", j.Attempt)
		}
	})
}

// An apply that ends while there is no bot is told by the next one.
func TestApplyEndsWhileTheBotIsDead(t *testing.T) {
	for _, end := range []string{"succeeded", "failed"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			b := applying(t, nil)
			b.kill()
			if end == "failed" {
				b.tell("fail-apply")
			}
			b.untell("hold-apply")
			b.untilStep(b.step("-apply"), proc.Exited)
			b.start()
			b.untilTold("op-1", end)
			b.checkOnce("op-1")
		})
	}
}

// SIGTERM lets a running apply go on; the next start follows it.
func TestStopDuringApply(t *testing.T) {
	eachTool(t, func(t *testing.T, change func(*boxWorld)) {
		b := applying(t, change)
		b.stop()
		b.untilStep(b.step("-apply"), proc.Running)
		b.start()
		b.untilCard("op-1", ": applying")
		b.untell("hold-apply")
		b.untilTold("op-1", "succeeded")
		b.checkOnce("op-1")
	})
}

// A plan changes nothing: killed with the bot, it is ended and begun again.
func TestKillDuringPlan(t *testing.T) {
	t.Parallel()
	b := newBox(t, nil)
	b.tell("hold-plan")
	b.start()
	b.say("alice", "/ops deploy web to staging")
	b.until("the plan has begun", func() bool { return b.told("at-plan") })
	b.kill()
	old := b.step("-plan")
	b.untilStep(old, proc.Running)
	b.untell("at-plan")
	b.start()
	b.until("the plan has begun again", func() bool { return b.told("at-plan") })
	b.untilStep(old, proc.Lost) // nobody waits for it, so it was ended
	b.untell("hold-plan")
	b.untilCard("op-1", ": open", "plan +1 ~0 -0")
	b.pressMerge("op-1")
	b.untilTold("op-1", "succeeded")
	b.checkOnce("op-1")
}

// A shim that was killed before it began its command, or that comes only after
// the next bot has given it up, does not run it: another one does.
func TestKillBeforeTheShimBegins(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(map[bool]string{false: "killed", true: "late"}[late], func(t *testing.T) {
			t.Parallel()
			b := newBox(t, nil)
			b.begin()
			put(t, filepath.Join(b.dir, "hold-shim-terraform-apply"), "", 0o600)
			b.mergeOnGitHub()
			b.until("a shim is made", func() bool { return len(b.shims()) == 1 })
			b.kill()
			if !late {
				if err := syscall.Kill(b.shims()[0], syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				b.release()
			}
			b.start()
			if late {
				b.until("a second shim is made", func() bool { return len(b.shims()) == 2 })
				b.release()
			}
			b.untilTold("op-1", "succeeded")
			b.checkOnce("op-1")
			if j := b.applyJob(); j.Attempt != 1 || len(b.steps("-apply")) != 2 {
				t.Errorf("attempt %d, %d steps", j.Attempt, len(b.steps("-apply")))
			}
		})
	}
}

func (b *box) release() {
	b.t.Helper()
	if err := os.Remove(filepath.Join(b.dir, "hold-shim-terraform-apply")); err != nil {
		b.t.Fatal(err)
	}
}

// shims are the processes that are the shims of an apply in this box.
func (b *box) shims() (out []int) {
	for _, p := range processes(b.t) {
		if len(p.args) == 3 && p.args[1] == "step" && strings.HasPrefix(p.args[2], b.dir+"/") && strings.HasSuffix(p.args[2], "-apply") {
			out = append(out, p.pid)
		}
	}
	return out
}

// interrupted comes to an apply that was killed with its shim and the bot: nobody
// can tell how far it came.
func interrupted(t *testing.T, change func(*boxWorld)) *box {
	t.Helper()
	b := applying(t, change)
	b.kill()
	if err := proc.Kill(b.step("-apply")); err != nil {
		t.Fatal(err)
	}
	b.untell("hold-apply")
	b.start()
	b.untilCard("op-1", ": unknown")
	return b
}

// An interrupted apply is unknown: its lock, its folder and its operation stay
// until a person has chosen, whatever is restarted or asked meanwhile.
func TestKillApplyAndShim(t *testing.T) {
	eachTool(t, func(t *testing.T, change func(*boxWorld)) {
		b := interrupted(t, change)
		b.restart()
		b.until("the bot is back", b.ready)
		version := "1.2.0\n"
		if _, err := b.github.Commit(t.Context(), "alice", "acme/web", "main", "more", map[string]*string{"VERSION": &version}); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct{ line, want string }{
			{"/ops deploy web to staging", "already being deployed"},
			{"/ops retry op-1", "nobody knows how far it came"},
			{"/ops cancel op-1", "nobody knows how far it came"},
			{"/ops status op-1", "unknown"},
		} {
			b.ask("bob", c.line, c.want)
		}
		b.until("the probe has looked", func() bool { return strings.Contains(string(b.card("op-1").Blocks), "A plan would still change") })
		j := b.applyJob()
		if _, err := os.Stat(filepath.Join(j.WorkDir, "tree")); j.State != store.JobUnknown || err != nil {
			t.Errorf("%s %s, its tree: %v", j.ID, j.State, err)
		}
		b.book(func(tx *store.Tx) error {
			l, err := tx.RunLock("web/staging")
			if err == nil && l.Job != j.ID {
				t.Errorf("the run lock is held by %s", l.Job)
			}
			return err
		})
		if n := len(b.effects()); n != 1 {
			t.Errorf("applied %d times: %v", n, b.effects())
		}
		b.until("GitHub shows it", func() bool { return b.deployments()[0] == "error" })

		b.say("bob", "/ops resolve "+j.ID+" failed")
		b.untilCard("op-1", ": failed")
		b.untilDone()
		if n := len(b.effects()); n != 1 {
			t.Errorf("applied %d times after it was called failed", n)
		}
		b.say("bob", "/ops retry op-1")
		b.untilCard("op-1", ": succeeded")
		b.untilDone()
		if j := b.applyJob(); j.Attempt != 2 || len(b.effects()) != 2 {
			t.Errorf("attempt %d, applied %v", j.Attempt, b.effects())
		}
	})
}

// What a person may say of an interrupted apply.
func TestResolve(t *testing.T) {
	for outcome, c := range map[string]struct {
		button  string
		state   string
		effects int
	}{
		"succeeded": {"Mark succeeded", "succeeded", 1},
		"failed":    {"Mark failed", "failed", 1},
		"retry":     {"Retry", "succeeded", 2},
	} {
		t.Run(outcome, func(t *testing.T) {
			t.Parallel()
			b := interrupted(t, nil)
			b.click("bob", b.card("op-1").TS, c.button)
			b.untilCard("op-1", ": "+c.state)
			b.untilDone()
			if n := len(b.effects()); n != c.effects {
				t.Errorf("applied %d times", n)
			}
		})
	}
}

// A shim that is killed alone leaves its tool running. It is unknown, and cannot
// be settled while that goes on changing things; a person may end it.
func TestKillShimAlone(t *testing.T) {
	t.Parallel()
	b := applying(t, nil)
	if err := syscall.Kill(b.shimPID(b.step("-apply")), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.untilCard("op-1", ": unknown")
	job := b.applyJob().ID
	b.ask("bob", "/ops resolve "+job+" failed", "still running")
	b.ask("bob", "/ops cancel "+job, "Ending what "+job)
	b.until("its processes are ended", func() bool {
		n, err := proc.Leftovers(b.step("-apply"))
		return err == nil && n == 0
	})
	b.say("bob", "/ops resolve "+job+" failed")
	b.untilCard("op-1", ": failed")
	b.untilDone()
	if n := len(b.effects()); n != 1 {
		t.Errorf("applied %d times", n)
	}
}

// An apply that was asked to stop, and did while there was no bot, is cancelled.
func TestKillWhileItIsCancelled(t *testing.T) {
	t.Parallel()
	b := applying(t, nil)
	b.tell("hold-interrupt")
	b.say("bob", "/ops cancel op-1")
	b.until("the apply is interrupted", func() bool { return b.told("at-interrupt") })
	b.kill()
	b.untell("hold-interrupt")
	b.untilStep(b.step("-apply"), proc.Exited)
	b.start()
	b.until("it is cancelled", func() bool { return b.applyJob().State == store.JobCancelled })
	b.untilDone()
	if n := len(b.effects()); n != 1 {
		t.Errorf("applied %d times", n)
	}
}

type process struct {
	pid  int
	args []string
}

// processes are those of this machine.
func processes(t testing.TB) (out []process) {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		text, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		pid, err2 := os.Stat(dir)
		if err != nil || err2 != nil || len(text) == 0 { // it has ended
			continue
		}
		n := 0
		for _, c := range pid.Name() {
			n = n*10 + int(c-'0')
		}
		out = append(out, process{n, strings.Split(strings.TrimRight(string(text), "\x00"), "\x00")})
	}
	return out
}

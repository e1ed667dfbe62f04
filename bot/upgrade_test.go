package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
	"github.com/signalbox-chatops/signalbox/store"
)

// nextBuild is signalbox built anew, under another name of a release.
func nextBuild(t *testing.T) (path, release string) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go")
	}
	path, release = filepath.Join(t.TempDir(), "signalbox"), "99.1.0-next"
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, "-ldflags", "-X main.release="+release, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path, release
}

// install puts a binary where another one may be running, as install(1) does.
func install(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	put(t, to+".new", string(text), 0o755)
	if err := os.Rename(to+".new", to); err != nil {
		t.Fatal(err)
	}
}

// A new version is put in the place of the old and takes over in the middle of an
// apply, as `systemctl restart` with KillMode=process does it. The old one begins the
// apply with its own shim, although the file is another by then; the step hears
// nothing of the restart and goes on under that shim, and the new version follows it
// to its one end.
func TestANewVersionTakesOverDuringAnApply(t *testing.T) {
	next, release := nextBuild(t)
	eachTool(t, func(t *testing.T, change func(*boxWorld)) {
		b := newBox(t, change)
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		b.binary = filepath.Join(b.dir, "signalbox")
		install(t, self, b.binary)
		b.begin()
		old, _ := b.health()
		install(t, next, b.binary)
		b.tell("hold-apply")
		b.mergeOnGitHub()
		b.until("the apply has begun", func() bool { return b.told("at-apply") })
		dir := b.step("-apply")
		shim, boot := b.shimPID(dir), b.applyJob().Boot
		if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", shim)); err == nil && !strings.HasSuffix(exe, "(deleted)") { // root may look
			t.Errorf("the apply was begun by %s, which is the new version", exe)
		}
		if code := b.stopped(); code != exitOK {
			t.Errorf("the old version ended with %d", code)
		}
		b.untilStep(dir, proc.Running)
		if j := b.applyJob(); j.State != store.JobRunning || j.Interrupts != 0 {
			t.Errorf("when it was gone %s was %s with %d interrupts", j.ID, j.State, j.Interrupts)
		}
		b.start()
		b.until("the new version is up", b.ready)
		if now, _ := b.health(); now.Version != release || now.Version == old.Version {
			t.Fatalf("version %q runs, after %q", now.Version, old.Version)
		}
		b.untilCard("op-1", ": applying", "found again after a restart")
		b.until("the new version has adopted it", func() bool { return b.applyJob().Boot != boot })
		if now := b.shimPID(b.step("-apply")); now != shim || b.told("at-interrupt") {
			t.Errorf("the apply is run by %d now, not by %d; interrupted: %v", now, shim, b.told("at-interrupt"))
		}
		b.untell("hold-apply")
		b.untilTold("op-1", "succeeded")
		b.checkOnce("op-1")
		if j := b.applyJob(); j.Attempt != 1 || len(b.steps("-apply")) != 1 {
			t.Errorf("attempt %d, %d steps", j.Attempt, len(b.steps("-apply")))
		}
		log, err := os.ReadFile(filepath.Join(b.dir, "bot.log"))
		if err != nil || !bytes.Contains(log, []byte("following a step begun before the restart")) || bytes.Contains(log, []byte("unknown kind")) {
			t.Errorf("the log does not say that the step was followed (%v)", err)
		}
	})
}

// The kinds of jobs are stored: a new version meets jobs of these in the middle.
// One that is renamed here leaves a running apply that nobody follows.
func TestANewVersionKnowsTheKindsOfTheOld(t *testing.T) {
	w, err := wire(features(systems{}))
	if err != nil {
		t.Fatal(err)
	}
	var now []string
	for _, k := range w.kinds {
		now = append(now, k.Name)
	}
	for _, k := range strings.Fields("open plan merge close tidy watch apply newer include probe") {
		if !slices.Contains(now, k) {
			t.Errorf("jobs of kind %q are not known any more; there is %v", k, now)
		}
	}
}

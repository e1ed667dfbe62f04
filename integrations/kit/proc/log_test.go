package proc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestHugeOutputKeepsHeadAndTail(t *testing.T) {
	spec := sh(`echo first; i=0; while [ $i -lt 3000 ]; do echo "line $i ...................................................................."; i=$((i+1)); done; echo last`)
	spec.LogCap = 4 << 10
	dir := start(t, spec, Secrets{})
	if exit := wait(t, dir); exit.Code != 0 || exit.LogErr != "" {
		t.Errorf("exit is %+v", exit)
	}
	got := logOf(t, dir)
	if !strings.HasPrefix(got, "first\nline 0 ") || !strings.HasSuffix(got, "\nlast\n") {
		t.Errorf("log is %.100q ... %q", got, got[len(got)-50:])
	}
	if len(got) > 4<<10+100 || len(got) < 3<<10 {
		t.Errorf("log has %d bytes", len(got))
	}
	var dropped int
	i := strings.Index(got, "[… ")
	if i < 0 {
		t.Fatalf("no word of what is left out: %q", got)
	}
	if _, err := fmt.Sscanf(got[i:], "[… %d bytes are left out here …]", &dropped); err != nil {
		t.Fatal(err)
	}
	note := fmt.Sprintf("\n[… %d bytes are left out here …]\n", dropped)
	if !strings.Contains(got, note) {
		t.Errorf("the note does not stand on a line of its own: %q", got[i-20:i+60])
	}
	total := len("first\nlast\n")
	for i := range 3000 {
		total += len(fmt.Sprintf("line %d ....................................................................\n", i))
	}
	if have := len(got) - len(note) + dropped; have != total {
		t.Errorf("kept and dropped are %d bytes, written were %d", have, total)
	}
	tail, err := Tail(dir, 200)
	if err != nil || len(tail) > 200 || !strings.HasPrefix(string(tail), "line 2") || !strings.HasSuffix(string(tail), "last\n") {
		t.Errorf("tail is %q (%v)", tail, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 7 {
		t.Errorf("%d files are left (%v)", len(entries), err)
	}
}

func TestCapture(t *testing.T) {
	spec := sh(`printf '{"password":"hunter22"}'; echo told >&2`)
	spec.Capture = true
	dir := start(t, spec, Secrets{Env: map[string]string{"P": "hunter22"}})
	if exit := wait(t, dir); exit.Code != 0 || exit.OutCut {
		t.Errorf("exit is %+v", exit)
	}
	out, err := Out(dir)
	if err != nil || string(out) != `{"password":"hunter22"}` {
		t.Errorf("out is %q (%v)", out, err)
	}
	if info, err := os.Stat(filepath.Join(dir, outFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("out has mode %v (%v)", info.Mode(), err)
	}
	if got := logOf(t, dir); got != "told\n" {
		t.Errorf("log is %q", got)
	}
	if err := errors.Join(RemoveOut(dir), RemoveOut(dir)); err != nil {
		t.Error(err)
	}
	if _, err := Out(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("out after it was removed: %v", err)
	}

	spec = sh("yes | head -c 1000000; echo done >&2")
	spec.Capture, spec.OutCap = true, 1000
	dir = start(t, spec, Secrets{})
	if exit := wait(t, dir); exit.Code != 0 || !exit.OutCut {
		t.Errorf("exit is %+v", exit)
	}
	if out, err := Out(dir); err != nil || len(out) != 1000 {
		t.Errorf("out has %d bytes (%v)", len(out), err)
	}
}

func TestTailOfAShortLog(t *testing.T) {
	dir := t.TempDir()
	if tail, err := Tail(dir, 100); err != nil || len(tail) != 0 {
		t.Errorf("tail of no log is %q (%v)", tail, err)
	}
	l := newCappedLog(dir, 1<<20)
	fmt.Fprint(l, "one\ntwo\nthree\n")
	for limit, want := range map[int]string{100: "one\ntwo\nthree\n", 14: "one\ntwo\nthree\n", 13: "two\nthree\n", 8: "three\n", 3: "ee\n"} {
		if tail, err := Tail(dir, limit); err != nil || string(tail) != want {
			t.Errorf("tail of %d is %q (%v), want %q", limit, tail, err, want)
		}
	}
	if msg := l.close(); msg != "" {
		t.Error(msg)
	}
}

// A limit on the size of a file stands in for a full disk: both fail the write.
func TestAFullDiskDoesNotStopTheDrain(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	if err := os.Symlink("/dev/full", filepath.Join(dir, logFile)); err != nil {
		t.Fatal(err)
	}
	l := newCappedLog(dir, 400)
	fmt.Fprint(l, strings.Repeat("x", 99)+"\n")
	fmt.Fprint(l, "after\n")
	msg := l.close()
	if !strings.Contains(msg, syscall.ENOSPC.Error()) {
		t.Errorf("the log says %q", msg)
	}
	if err := os.Remove(filepath.Join(dir, logFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, logFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := logOf(t, dir); got != "[… 100 bytes are left out here …]\nafter\n" {
		t.Errorf("log is %q", got)
	}
}

func TestASegmentThatTakesNothingCostsNoneThatDid(t *testing.T) {
	dir := t.TempDir()
	l := newCappedLog(dir, 40)
	fmt.Fprint(l, strings.Repeat("h", 20)+strings.Repeat("a", 10)+strings.Repeat("b", 10))
	for range 3 { // what stands where the next segment goes takes nothing
		if err := os.Symlink("/dev/full", segmentPath(dir, l.total)); err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(l, "lost.")
	}
	if got := logOf(t, dir); !strings.Contains(got, "aaaaaaaaaabbbbbbbbbb") {
		t.Errorf("log is %q", got)
	}
	fmt.Fprint(l, "c")
	if got := logOf(t, dir); !strings.HasSuffix(got, "bbbbbbbbbb\n[… 15 bytes are left out here …]\nc") {
		t.Errorf("log is %q", got)
	}
	if msg := l.close(); !strings.Contains(msg, syscall.ENOSPC.Error()) {
		t.Errorf("the log says %q", msg)
	}
}

// A disk that is full by the middle of a step: the tool comes to its end, and
// that end is on record.
func TestAStepOnAFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip("only root can make a small disk:", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	dir := filepath.Join(disk, "step")
	spec := sh("i=0; while [ $i -lt 5000 ]; do echo \"line $i ..................................................\"; i=$((i+1)); done; exit 9")
	if err := Start(t.Context(), shimArgv, dir, spec, Secrets{}); err != nil {
		t.Fatal(err)
	}
	exit := wait(t, dir)
	if exit.Code != 9 || !strings.Contains(exit.LogErr, syscall.ENOSPC.Error()) {
		t.Errorf("exit is %+v", exit)
	}
	if got := logOf(t, dir); !strings.HasPrefix(got, "line 0 ") {
		t.Errorf("log is %.100q", got)
	}
}

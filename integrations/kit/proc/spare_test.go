package proc

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func startWith(t *testing.T, s *Spares, spec Spec, secrets Secrets) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "step")
	if err := s.Start(t.Context(), dir, spec, secrets); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := Kill(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func readied(t *testing.T) (*Spares, int) {
	t.Helper()
	s := &Spares{Self: shimArgv}
	t.Cleanup(s.Release)
	s.Ready()
	if s.spare == nil {
		t.Fatal("there is no spare")
	}
	return s, s.spare.pid
}

func gone(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); syscall.Kill(pid, 0) == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("process %d is still there", pid)
		}
	}
}

func TestASpareRunsAStepAsAnyShimDoes(t *testing.T) {
	s, pid := readied(t)
	dir := startWith(t, s, sh(`echo it is $SECRET; pwd; ls /proc/self/fd | wc -l; exit 3`), Secrets{Env: map[string]string{"SECRET": "hush-hush"}})
	if id, err := readIdentity(dir); err != nil || id.PID != pid {
		t.Fatalf("%+v runs it, and not the spare %d: %v", id, pid, err)
	}
	if exit := wait(t, dir); exit.Code != 3 || exit.Started.IsZero() || exit.Ended.Before(exit.Started) {
		t.Errorf("exit: %+v", exit)
	}
	// The descriptors of ls: its own three, and the folder that it reads.
	if log := logOf(t, dir); !strings.HasPrefix(log, "it is ") || strings.Contains(log, "hush-hush") || !strings.HasSuffix(strings.TrimSpace(log), "/\n4") {
		t.Errorf("log: %q", log)
	}
	if err := s.Start(t.Context(), dir, sh("true"), Secrets{}); !errors.Is(err, ErrStarted) {
		t.Errorf("a second start: %v", err)
	}
}

func TestAStepThatLostItsSpareStartsAllTheSame(t *testing.T) {
	s, pid := readied(t)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	gone(t, pid)
	dir := startWith(t, s, sh("echo here"), Secrets{})
	if exit := wait(t, dir); exit.Code != 0 || logOf(t, dir) != "here\n" {
		t.Errorf("exit %+v, log %q", exit, logOf(t, dir))
	}
}

func TestASpareThatIsNotNeededEnds(t *testing.T) {
	s, pid := readied(t)
	s.Release()
	gone(t, pid)
	dir := startWith(t, s, sh("echo here"), Secrets{})
	if exit := wait(t, dir); exit.Code != 0 {
		t.Errorf("exit: %+v", exit)
	}
}

func TestASpareComplainsInItsStep(t *testing.T) {
	s, pid := readied(t)
	dir := filepath.Join(t.TempDir(), "step")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	hidden, err := pack(dir, Secrets{})
	if err != nil {
		t.Fatal(err)
	}
	err = handOver(s.take().pipe, hidden, dir, pid) // there is no spec
	if err == nil || !strings.Contains(err.Error(), specFile) {
		t.Errorf("handed over: %v", err)
	}
	gone(t, pid)
}

// What was not synced when the machine went down is found empty.
func TestAFileThatHoldsNothingIsNotThere(t *testing.T) {
	for _, text := range []string{"", "\x00\x00\x00"} {
		dir := t.TempDir()
		for _, name := range []string{specFile, pidFile, exitFile} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if state, _, err := Status(dir); state != NotStarted || err != nil {
			t.Errorf("%q: %s, %v", text, state, err)
		}
		if err := Void(dir); err != nil {
			t.Errorf("%q: void: %v", text, err)
		}
	}
}

package runner

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/signalbox-chatops/signalbox/store"
)

// renameBucket changes the name of one bucket in the closed file of a store, to
// one of the same length and place, wherever it stands.
func (y *yard) renameBucket(from, to string) {
	y.t.Helper()
	if err := y.store.Close(); err != nil {
		y.t.Fatal(err)
	}
	path := filepath.Join(y.dir, "signalbox.db")
	raw, err := os.ReadFile(path)
	if err != nil {
		y.t.Fatal(err)
	}
	if !bytes.Contains(raw, []byte(from)) {
		y.t.Fatalf("no bucket %q in the file", from)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(raw, []byte(from), []byte(to)), 0o600); err != nil {
		y.t.Fatal(err)
	}
	if y.store, err = store.Open(path, store.Options{Now: y.clock.Now, Log: slog.New(slog.DiscardHandler)}); err != nil {
		y.t.Fatal(err)
	}
}

// If the audit cannot be written, the apply does not start: its row is in the
// transaction that takes the run lock. With the rows' bucket gone, everything else
// in that transaction works.
func TestRuleNoAuditNoStart(t *testing.T) {
	y := newYard(t)
	var ran atomic.Int32
	y.kind(Kind{Name: "apply", Run: func(context.Context, *Run) End {
		ran.Add(1)
		return End{State: store.JobSucceeded}
	}})
	id := y.add("apply", "web/production", 1, "")
	y.renameBucket("audit/rows", "audit/rowz")
	y.update(func(tx *store.Tx) error { // nothing else is in the way
		if err := tx.TakeRunLock(store.RunLock{Target: "dns", Job: "job-9"}); err != nil {
			return err
		}
		return tx.DropRunLock("dns", "job-9")
	})
	var log syncBuffer
	y.log = &log
	y.start()
	tried := func() int { return strings.Count(log.String(), "start job") }
	y.wait("the start is tried", func() bool { return tried() == 1 })
	if !strings.Contains(log.String(), "audit/rows") {
		t.Errorf("it does not say why: %s", log.String())
	}
	if j := y.job(id); j.State != store.JobQueued || j.Attempt != 0 || !j.Started.IsZero() {
		t.Errorf("the job is %s, attempt %d, started %v", j.State, j.Attempt, j.Started)
	}
	if by := y.locked("web/production"); by != "" {
		t.Errorf("the run lock was taken by %s", by)
	}
	y.r.wake <- struct{}{} // taken by the loop, twice: it has looked again in between
	y.r.wake <- struct{}{}
	y.r.wake <- struct{}{}
	if n := tried(); n != 1 {
		t.Errorf("tried %d times at once", n)
	}
	if err := y.clock.Advance(t.Context(), startAgain, nil); err != nil {
		t.Fatal(err)
	}
	y.wait("the start is tried again", func() bool { return tried() == 2 })
	y.stop()
	if n := ran.Load(); n != 0 {
		t.Errorf("it ran %d times", n)
	}

	y.renameBucket("audit/rowz", "audit/rows")
	y.start()
	y.reaches(id, store.JobSucceeded)
	if n := ran.Load(); n != 1 {
		t.Errorf("with the audit mended it ran %d times", n)
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// together queues functions behind a closed gate, so that they share one batch,
// and returns what each Update answered.
func together(t *testing.T, s *Store, fns ...func(*Tx) error) []error {
	t.Helper()
	gate, entered := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	var once sync.Once
	wg.Go(func() {
		if err := s.Update(context.Background(), func(*Tx) error {
			once.Do(func() { close(entered) })
			<-gate
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	<-entered
	errs := make([]error, len(fns))
	for i, fn := range fns {
		wg.Go(func() { errs[i] = s.Update(context.Background(), fn) })
		waitFor(t, func() bool {
			s.w.mu.Lock()
			defer s.w.mu.Unlock()
			return len(s.w.queue) == i+1
		})
	}
	close(gate)
	wg.Wait()
	return errs
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited 30 s for nothing")
		}
	}
}

func put(name string) func(*Tx) error {
	return func(tx *Tx) error { return Feature[string](tx, "test").Put(name, "yes") }
}

func stands(t *testing.T, s *Store, name string) bool {
	t.Helper()
	var found bool
	view(t, s, func(tx *Tx) (err error) {
		_, found, err = Feature[string](tx, "test").Get(name)
		return err
	})
	return found
}

func TestWhatIsQueuedIsOneCommit(t *testing.T) {
	s := open(t)
	txid := func() (id int) {
		view(t, s, func(tx *Tx) error { id = tx.b.ID(); return nil })
		return id
	}
	before := txid()
	for i, err := range together(t, s, put("a"), put("b"), put("c"), put("d")) {
		if err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	if n := txid() - before; n != 1 {
		t.Errorf("four functions took %d commits", n)
	}
}

func TestOneThatFailsSpoilsNothingForTheOthers(t *testing.T) {
	boom := errors.New("boom")
	for name, bad := range map[string]func(*Tx) error{
		"before writing": func(*Tx) error { return boom },
		"after writing":  func(tx *Tx) error { return errors.Join(put("bad")(tx), boom) },
		"panic":          func(tx *Tx) error { _ = put("bad")(tx); panic(boom) },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			errs := together(t, s, put("a"), bad, put("b"), bad, put("c"))
			for i, err := range errs {
				if want := i%2 == 1; want != errors.Is(err, boom) || !want && err != nil {
					t.Errorf("%d answered %v", i, err)
				}
			}
			for _, k := range []string{"a", "b", "c"} {
				if !stands(t, s, k) {
					t.Errorf("%s is not there", k)
				}
			}
			if stands(t, s, "bad") {
				t.Error("what failed was kept")
			}
			if err := s.Update(context.Background(), put("later")); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestAPanicSaysWhere(t *testing.T) {
	s := open(t)
	var p *PanicError
	err := s.Update(context.Background(), func(*Tx) error { panic("ouch") })
	if !errors.As(err, &p) || p.Value != "ouch" || !strings.Contains(string(p.Stack), "TestAPanicSaysWhere") {
		t.Errorf("got %v", err)
	}
}

func TestAFunctionThatEndsItsGoroutineDoesNotEndTheWriter(t *testing.T) {
	s := open(t)
	exit := func(tx *Tx) error { _ = put("bad")(tx); runtime.Goexit(); return nil }
	errs := together(t, s, put("a"), exit, put("b"), exit)
	if errs[0] != nil || errs[2] != nil || errs[1] == nil || errs[3] == nil {
		t.Errorf("answers: %v", errs)
	}
	if !stands(t, s, "a") || !stands(t, s, "b") || stands(t, s, "bad") {
		t.Error("not what was answered is there")
	}
}

// An error must not rest on a record that was never committed: the second finds
// the first one's record, and fails for it; but the first fails in the end.
func TestAnErrorIsDecidedAgainstWhatIsCommitted(t *testing.T) {
	s := open(t)
	var runs atomic.Int32
	first := func(tx *Tx) error {
		if err := put("slot")(tx); err != nil {
			return err
		}
		if runs.Add(1) > 1 { // it goes wrong when it is run again
			return errors.New("first")
		}
		return nil
	}
	second := func(tx *Tx) error {
		_ = put("noise")(tx)
		if _, taken, err := Feature[string](tx, "test").Get("slot"); err != nil || taken {
			return errors.Join(err, errors.New("taken"))
		}
		return nil
	}
	errs := together(t, s, first, second)
	if errs[0] == nil || errs[1] != nil {
		t.Errorf("answers: %v", errs)
	}
	if stands(t, s, "slot") || !stands(t, s, "noise") {
		t.Error("not what was answered is there")
	}
}

// What the accessors write into a caller's record must be taken back when the
// function is run again, or a version would be raised twice.
func TestARecordOfTheCallerSurvivesBeingRunAgain(t *testing.T) {
	s := open(t)
	op := &Operation{ID: "op-1", State: OpOpen}
	j := &Job{Key: "k", State: JobQueued}
	h := &Hold{Reason: "r"}
	runs := 0
	write := func(tx *Tx) error {
		runs++
		_, _, err := tx.InsertJob(j)
		return errors.Join(err, tx.PutOperation(op), tx.PutHold(h, 0))
	}
	errs := together(t, s, write, func(tx *Tx) error { return errors.Join(put("bad")(tx), errors.New("boom")) })
	if errs[0] != nil {
		t.Fatal(errs[0])
	}
	if runs != 2 {
		t.Fatalf("run %d times: the test tests nothing", runs)
	}
	if op.Version != 1 || j.Version != 1 || h.Version != 1 || j.ID != "job-1" || j.Order != 1 || h.ID != "hold-1" {
		t.Errorf("op %d, job %s %d %d, hold %s %d", op.Version, j.ID, j.Version, j.Order, h.ID, h.Version)
	}
}

func TestACallerMayLeaveTheQueueButNotTheCommit(t *testing.T) {
	s := open(t)
	gate, entered := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	answer := make(chan error, 2)
	go func() {
		answer <- s.Update(ctx, func(tx *Tx) error { close(entered); <-gate; return put("taken")(tx) })
	}()
	<-entered
	left, leave := context.WithCancel(context.Background())
	leave()
	if err := s.Update(left, put("never")); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
	queued, leaveQueue := context.WithCancel(context.Background())
	second := make(chan error, 1)
	go func() { second <- s.Update(queued, put("left")) }()
	waitFor(t, func() bool { s.w.mu.Lock(); defer s.w.mu.Unlock(); return len(s.w.queue) == 1 })
	leaveQueue()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("who left the queue got %v", err)
	}
	cancel()
	close(gate)
	if err := <-answer; err != nil {
		t.Errorf("whom the writer had taken got %v", err)
	}
	if !stands(t, s, "taken") || stands(t, s, "left") || stands(t, s, "never") {
		t.Error("not what was answered is there")
	}
}

func TestCloseCommitsWhatIsQueued(t *testing.T) {
	s := open(t)
	path := s.Path()
	var wg sync.WaitGroup
	var kept sync.Map
	for i := range 8 {
		wg.Go(func() {
			for n := 0; ; n++ {
				name := fmt.Sprintf("%d-%d", i, n)
				if err := s.Update(context.Background(), put(name)); err != nil {
					if !errors.Is(err, ErrClosed) {
						t.Error(err)
					}
					return
				}
				kept.Store(name, true)
			}
		})
	}
	waitFor(t, func() bool { _, ok := kept.Load("7-3"); return ok })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	s = openAt(t, path, time.Now)
	kept.Range(func(name, _ any) bool {
		if !stands(t, s, name.(string)) {
			t.Errorf("%s was answered and is not there", name)
		}
		return true
	})
}

func TestWatchersHearAfterTheCommit(t *testing.T) {
	s := open(t)
	jobs, end := s.Watch(TopicJobs)
	defer end()
	ops, endOps := s.Watch(TopicOperations)
	defer endOps()
	if err := s.Update(context.Background(), func(tx *Tx) error {
		_, _, err := tx.InsertJob(&Job{Key: "k"})
		return errors.Join(err, errors.New("no"))
	}); err == nil {
		t.Fatal("no error")
	}
	select {
	case <-jobs:
		t.Error("told of what was not committed")
	default:
	}
	for range 3 {
		update(t, s, func(tx *Tx) error { _, _, err := tx.InsertJob(&Job{Key: time.Now().String()}); return err })
	}
	<-jobs // told before Update returned, or this waits for ever
	select {
	case <-jobs:
		t.Error("three commits that nobody looked at are one signal")
	case <-ops:
		t.Error("told of a topic that did not change")
	default:
	}
	end()
	update(t, s, func(tx *Tx) error { _, _, err := tx.InsertJob(&Job{Key: "last"}); return err })
	select {
	case <-jobs:
		t.Error("told after the end")
	default:
	}
}

func TestATransactionIsOverWhenItsFunctionReturns(t *testing.T) {
	s := open(t)
	var kept *Tx
	update(t, s, func(tx *Tx) error { kept = tx; return nil })
	if err := kept.PutOperation(&Operation{ID: "op-1"}); !errors.Is(err, errOver) {
		t.Errorf("PutOperation: %v", err)
	}
	if _, _, err := Feature[int](kept, "x").Get("y"); !errors.Is(err, errOver) {
		t.Errorf("Get: %v", err)
	}
	view(t, s, func(tx *Tx) error {
		for what, err := range map[string]error{
			"PutOperation": tx.PutOperation(&Operation{ID: "op-1"}),
			"Put":          Feature[int](tx, "x").Put("y", 1),
			"Remember":     tx.Remember("a", "b"),
			"Audit":        tx.Audit(AuditRow{}),
		} {
			if !errors.Is(err, errReadOnly) {
				t.Errorf("%s in a View: %v", what, err)
			}
		}
		return nil
	})
}

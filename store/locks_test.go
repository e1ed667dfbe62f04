package store

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func try(s *Store, fn func(*Tx) error) error { return s.Update(context.Background(), fn) }

func TestRuleARunLockIsOneJobs(t *testing.T) {
	s := open(t)
	take := func(target, job string, attempt int) error {
		return try(s, func(tx *Tx) error { return tx.TakeRunLock(RunLock{Target: target, Job: job, Attempt: attempt}) })
	}
	for range 2 {
		if err := take("web/staging", "job-1", 1); err != nil {
			t.Fatal(err)
		}
	}
	var held *HeldError
	if err := take("web/staging", "job-2", 1); !errors.Is(err, ErrHeld) || !errors.As(err, &held) || held.Lock.Job != "job-1" {
		t.Errorf("another job: %v", err)
	}
	if err := take("web/staging-2", "job-2", 1); err != nil {
		t.Errorf("another target: %v", err)
	}
	if err := take("web/staging", "job-1", 2); err != nil {
		t.Errorf("a later attempt: %v", err)
	}
	if err := take("web/staging", "job-1", 1); !errors.Is(err, ErrConflict) {
		t.Errorf("an earlier attempt: %v", err)
	}
	for _, l := range []RunLock{{Job: "job-1"}, {Target: "x"}} {
		if err := try(s, func(tx *Tx) error { return tx.TakeRunLock(l) }); err == nil {
			t.Errorf("took %+v", l)
		}
	}
	drop := func(target, job string) error {
		return try(s, func(tx *Tx) error { return tx.DropRunLock(target, job) })
	}
	if err := drop("web/staging", "job-2"); !errors.Is(err, ErrConflict) {
		t.Errorf("another job dropped it: %v", err)
	}
	view(t, s, func(tx *Tx) error {
		list, err := tx.RunLocks()
		if len(list) != 2 || list[0].Attempt != 2 || !list[0].Since.Equal(start) {
			t.Errorf("locks: %+v", list)
		}
		return err
	})
	for range 2 {
		if err := drop("web/staging", "job-1"); err != nil {
			t.Fatal(err)
		}
	}
	view(t, s, func(tx *Tx) error {
		if _, err := tx.RunLock("web/staging"); !errors.Is(err, ErrNotFound) {
			t.Errorf("dropped, but %v", err)
		}
		_, err := tx.RunLock("web/staging-2")
		return err
	})
}

// What cannot be read holds: it is neither free nor overwritten.
func TestRuleALockThatCannotBeReadHolds(t *testing.T) {
	s := open(t)
	update(t, s, func(tx *Tx) error {
		b, err := tx.change(bucketRunLocks)
		h, err2 := tx.change(bucketHolds)
		return errors.Join(err, err2, b.Put([]byte("web"), []byte("{half")), h.Put([]byte("hold-1"), []byte("")))
	})
	view(t, s, func(tx *Tx) error {
		if _, err := tx.RunLock("web"); !errors.Is(err, ErrDamaged) || errors.Is(err, ErrNotFound) {
			t.Errorf("RunLock: %v", err)
		}
		if _, err := tx.RunLocks(); !errors.Is(err, ErrDamaged) {
			t.Errorf("RunLocks: %v", err)
		}
		if _, err := tx.Holds(); !errors.Is(err, ErrDamaged) {
			t.Errorf("Holds: %v", err)
		}
		return nil
	})
	if err := try(s, func(tx *Tx) error { return tx.TakeRunLock(RunLock{Target: "web", Job: "job-1"}) }); !errors.Is(err, ErrDamaged) {
		t.Errorf("TakeRunLock: %v", err)
	}
	if err := try(s, func(tx *Tx) error { return tx.DropRunLock("web", "job-1") }); !errors.Is(err, ErrDamaged) {
		t.Errorf("DropRunLock: %v", err)
	}
}

func TestRuleAHoldIsChangedAndReleasedAtItsVersion(t *testing.T) {
	s := open(t)
	h := &Hold{Kind: "hold", Reason: "migration", Service: "web"}
	later := &Hold{Kind: "freeze", Reason: "holidays", Created: start.Add(time.Hour)}
	update(t, s, func(tx *Tx) error { return errors.Join(tx.PutHold(later, 0), tx.PutHold(h, 0)) })
	if h.ID != "hold-2" || h.Version != 1 {
		t.Fatalf("got %s at %d", h.ID, h.Version)
	}
	again := &Hold{ID: h.ID, Reason: "thief"}
	if err := try(s, func(tx *Tx) error { return tx.PutHold(again, 0) }); !errors.Is(err, ErrConflict) {
		t.Errorf("written as new: %v", err)
	}
	h.Reason = "still migrating"
	update(t, s, func(tx *Tx) error { return tx.PutHold(h, 1) })
	if err := try(s, func(tx *Tx) error { return tx.PutHold(h, 1) }); !errors.Is(err, ErrConflict) || h.Version != 2 {
		t.Errorf("written at an old version: %v, now %d", err, h.Version)
	}
	if err := try(s, func(tx *Tx) error { return tx.DeleteHold(h.ID, 1) }); !errors.Is(err, ErrConflict) {
		t.Errorf("released by an old button: %v", err)
	}
	view(t, s, func(tx *Tx) error {
		list, err := tx.Holds()
		got, err2 := tx.Hold(h.ID)
		if len(list) != 2 || list[0].ID != h.ID || got.Reason != "still migrating" {
			t.Errorf("holds: %+v, %+v", list, got)
		}
		return errors.Join(err, err2)
	})
	update(t, s, func(tx *Tx) error { return tx.DeleteHold(h.ID, 2) })
	if err := try(s, func(tx *Tx) error { return tx.DeleteHold(h.ID, 2) }); !errors.Is(err, ErrNotFound) {
		t.Errorf("released twice: %v", err)
	}
	if err := try(s, func(tx *Tx) error { return tx.PutHold(h, 2) }); !errors.Is(err, ErrConflict) {
		t.Errorf("changed after its release: %v", err)
	}
}

func TestNumbersAreGivenOnceAndInOrder(t *testing.T) {
	s := open(t)
	var got []string
	next := func(tx *Tx) error {
		id, err := tx.NextID("op")
		got = append(got, id)
		return err
	}
	update(t, s, next)
	if err := try(s, func(tx *Tx) error { return errors.Join(next(tx), errors.New("no")) }); err == nil {
		t.Fatal("no error")
	}
	update(t, s, next)
	update(t, s, func(tx *Tx) error {
		id, err := tx.NextID("job")
		got = append(got, id)
		return err
	})
	if want := []string{"op-1", "op-2", "op-2", "job-1"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAKeyThatIsNotTextIsRefused(t *testing.T) {
	s := open(t)
	for _, bad := range []string{"a\x00b", "\xff", strings.Repeat("x", 5000)} {
		for what, fn := range map[string]func(*Tx) error{
			"operation": func(tx *Tx) error { return tx.PutOperation(&Operation{ID: "op-1", Targets: []string{bad}}) },
			"job":       func(tx *Tx) error { return tx.PutJob(&Job{ID: "job-1", Target: bad}) },
			"pull":      func(tx *Tx) error { return tx.PutPull(&Pull{Repo: bad}) },
			"surface":   func(tx *Tx) error { return tx.PutSurface(&Surface{ID: "s", Subject: bad}) },
			"audit":     func(tx *Tx) error { return tx.Audit(AuditRow{Service: bad}) },
			"run lock":  func(tx *Tx) error { return tx.TakeRunLock(RunLock{Target: bad, Job: "job-1"}) },
		} {
			if err := try(s, fn); err == nil || !strings.Contains(err.Error(), what) {
				t.Errorf("%s with %.5q: %v", what, bad, err)
			}
		}
	}
	if err := try(s, func(tx *Tx) error { return tx.PutOperation(&Operation{}) }); err == nil {
		t.Error("an operation without id was written")
	}
}

func TestFeaturesKeepTheirOwnRecords(t *testing.T) {
	type shift struct{ Who string }
	s := open(t)
	heard, end := s.Watch("feature/oncall")
	defer end()
	update(t, s, func(tx *Tx) error {
		shifts, other := Feature[shift](tx, "oncall"), Feature[int](tx, "oncall2")
		return errors.Join(shifts.Put("b", shift{"bob"}), shifts.Put("a", shift{"alice"}), shifts.Put("c/1", shift{"carol"}),
			other.Put("a", 1), shifts.Delete("b"), shifts.Delete("never"), Feature[int](tx, "none").Delete("x"))
	})
	<-heard
	stop := errors.New("stop")
	view(t, s, func(tx *Tx) error {
		shifts := Feature[shift](tx, "oncall")
		a, found, err := shifts.Get("a")
		_, gone, err2 := shifts.Get("b")
		_, none, err3 := Feature[shift](tx, "nothing").Get("a")
		if a.Who != "alice" || !found || gone || none {
			t.Errorf("a %+v %v, b %v, nothing %v", a, found, gone, none)
		}
		var keys []string
		each := func(k string, v shift) error { keys = append(keys, k+"="+v.Who); return nil }
		err4 := errors.Join(shifts.Each("", each), shifts.Each("c/", each), Feature[shift](tx, "nothing").Each("", each))
		if want := []string{"a=alice", "c/1=carol", "c/1=carol"}; !slices.Equal(keys, want) {
			t.Errorf("each: %v", keys)
		}
		if err := shifts.Each("", func(string, shift) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("stopped with %v", err)
		}
		if _, _, err := Feature[int](tx, "oncall").Get("a"); !errors.Is(err, ErrDamaged) {
			t.Errorf("read as another type: %v", err)
		}
		return errors.Join(err, err2, err3, err4)
	})
}

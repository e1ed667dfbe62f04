package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// pairOf writes two records and an event that belong together.
func pairOf(tx *Tx, name string) error {
	_, _, err := tx.Accept(Event{Kind: "storm", Keys: []string{name}, Body: webhook(1)})
	return errors.Join(err,
		Feature[string](tx, "left").Put(name, name),
		Feature[string](tx, "right").Put(name, name))
}

// storm writes from many goroutines for ever and says what was acknowledged.
func storm(path string) error {
	s, err := Open(path, Options{Log: quiet})
	if err != nil {
		return err
	}
	var out sync.Mutex
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%d-%d-%d", os.Getpid(), g, i)
				if err := s.Update(context.Background(), func(tx *Tx) error { return pairOf(tx, name) }); err != nil {
					return
				}
				out.Lock()
				fmt.Println(name)
				out.Unlock()
			}
		})
	}
	wg.Wait()
	return errors.New("the storm ended by itself")
}

// Killed in a storm of writes, several times over, the store has everything
// that was acknowledged, and nothing half.
func TestNothingAcknowledgedIsLostByAKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	var acked []string
	for round := range 4 {
		c := startChild(t, "storm", path)
		for range 100 + 70*round {
			acked = append(acked, c.line(t))
		}
		if err := c.cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for c.out.Scan() { // what was acknowledged before the signal came
			if name := c.out.Text(); strings.Count(name, "-") == 2 {
				acked = append(acked, name)
			}
		}
		_ = c.cmd.Wait() // killed
		verify(t, path, acked)
	}
}

func verify(t *testing.T, path string, acked []string) {
	t.Helper()
	s, err := Open(path, Options{Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	view(t, s, func(tx *Tx) error {
		left, right := Feature[string](tx, "left"), Feature[string](tx, "right")
		names := map[string]bool{}
		err := left.Each("", func(k, v string) error {
			names[k] = true
			other, ok, err := right.Get(k)
			if !ok || other != k || v != k {
				t.Errorf("%s is half there", k)
			}
			if seen, err := tx.Seen(seenEvents, k); err != nil || !seen {
				t.Errorf("%s has no event, %v", k, err)
			}
			return err
		})
		for _, name := range acked {
			if !names[name] {
				t.Errorf("%s was acknowledged and is lost", name)
			}
		}
		events, err2 := tx.Undecided(0)
		if len(events) != len(names) {
			t.Errorf("%d events for %d records", len(events), len(names))
		}
		for check := range tx.b.Check() {
			t.Errorf("damaged: %v", check)
		}
		return errors.Join(err, err2)
	})
}

// fullDisk is a store whose file may not grow beyond a limit for a while, which
// to the store is a full disk.
func fullDisk(path string) error {
	s, err := Open(path, Options{Log: quiet})
	if err != nil {
		return err
	}
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	small := old
	small.Cur = 20 << 20
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small); err != nil {
		return err
	}
	n, refused := 0, 0
	for ; refused < 3; n++ {
		name := fmt.Sprint("n-", n)
		err := s.Update(context.Background(), func(tx *Tx) error {
			return errors.Join(pairOf(tx, name), Feature[[]byte](tx, "ballast").Put(name, make([]byte, 100<<10)))
		})
		switch {
		case err == nil:
			fmt.Println(name)
		case !diskFull(err) || errors.Is(err, ErrDamaged) || s.Err() == nil:
			return fmt.Errorf("a full disk is told as %w, Err %v", err, s.Err())
		default:
			refused++
		}
		if n > 1000 {
			return errors.New("the disk did not fill")
		}
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	if err := s.Update(context.Background(), func(tx *Tx) error { return pairOf(tx, "room-again-1") }); err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	fmt.Println("room-again-1")
	if s.Err() != nil {
		return fmt.Errorf("with room again, Err is %w", s.Err())
	}
	return s.Close()
}

func TestAFullDiskIsToldAndLosesNothing(t *testing.T) {
	c := startChild(t, "full", filepath.Join(t.TempDir(), "x.db"))
	var acked []string
	done := time.AfterFunc(2*time.Minute, func() { _ = c.cmd.Process.Kill() })
	defer done.Stop()
	for c.out.Scan() {
		if strings.HasPrefix(c.out.Text(), "error:") {
			t.Fatal(c.out.Text())
		}
		acked = append(acked, c.out.Text())
	}
	if err := c.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(acked) < 10 || acked[len(acked)-1] != "room-again-1" {
		t.Fatalf("acknowledged %d", len(acked))
	}
	verify(t, c.path, acked)
}

// After an I/O error nothing more is accepted: what the kernel could not write
// it may have dropped.
func TestADiskThatFailsStopsTheWriter(t *testing.T) {
	s := open(t)
	update(t, s, put("before"))
	cause := fmt.Errorf("sync: %w", syscall.EIO)
	if err := s.w.breakDown(cause); !errors.Is(err, ErrDamaged) || !errors.Is(err, syscall.EIO) {
		t.Errorf("told as %v", err)
	}
	if err := s.Update(context.Background(), put("after")); !errors.Is(err, ErrDamaged) {
		t.Errorf("afterwards: %v", err)
	}
	if !errors.Is(s.Err(), syscall.EIO) || !stands(t, s, "before") || stands(t, s, "after") {
		t.Errorf("Err is %v", s.Err())
	}
}

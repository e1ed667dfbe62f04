package store

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// open makes a store in a folder of the test's own, with a clock that stands still.
func open(t testing.TB) *Store {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "signalbox.db"), func() time.Time { return start })
}

func openAt(t testing.TB, path string, now func() time.Time) *Store {
	t.Helper()
	s, err := Open(path, Options{Now: now, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func update(t testing.TB, s *Store, fn func(*Tx) error) {
	t.Helper()
	if err := s.Update(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

func view(t testing.TB, s *Store, fn func(*Tx) error) {
	t.Helper()
	if err := s.View(fn); err != nil {
		t.Fatal(err)
	}
}

func TestWhatWasWrittenIsThereAfterOpeningAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "er", "signalbox.db")
	s := openAt(t, path, func() time.Time { return start })
	op := &Operation{ID: "op-1", State: OpOpen, Service: "web", Environment: "staging"}
	update(t, s, func(tx *Tx) error { return tx.PutOperation(op) })
	key := s.HashKey()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	s = openAt(t, path, func() time.Time { return start })
	if !bytes.Equal(key, s.HashKey()) || len(key) != 32 {
		t.Errorf("the hash key is another one: %x, was %x", s.HashKey(), key)
	}
	view(t, s, func(tx *Tx) error {
		got, err := tx.Operation("op-1")
		if err == nil && (got.Service != "web" || got.Version != 1 || !got.Created.Equal(start) || !got.Updated.Equal(start)) {
			t.Errorf("got %+v", got)
		}
		return err
	})
}

func TestAClosedStoreRefuses(t *testing.T) {
	s := open(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(context.Background(), func(*Tx) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Errorf("Update: %v", err)
	}
	if err := s.View(func(*Tx) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Errorf("View: %v", err)
	}
	if _, _, err := s.Accept(context.Background(), Event{Kind: "x"}); !errors.Is(err, ErrClosed) {
		t.Errorf("Accept: %v", err)
	}
}

func TestOpenNamesTheProcessThatHoldsTheFile(t *testing.T) {
	s := open(t)
	_, err := Open(s.Path(), Options{Timeout: time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "this process") {
		t.Errorf("second open: %v", err)
	}
	if _, err := os.Stat("/proc/locks"); err != nil {
		t.Skip("no /proc/locks here")
	}
	c := startChild(t, "hold", filepath.Join(t.TempDir(), "held.db"))
	c.line(t) // it holds the file now
	_, err = Open(c.path, Options{Timeout: time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), c.pid()) || !strings.Contains(err.Error(), filepath.Base(os.Args[0])) {
		t.Errorf("open of a file that pid %s holds: %v", c.pid(), err)
	}
}

func TestTheFileIsItsOwnersAlone(t *testing.T) {
	s := open(t)
	path := s.Path()
	mode := func() os.FileMode {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	if m := mode(); m != 0o600 {
		t.Errorf("a new file has mode %o", m)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s, err := Open(path, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if m := mode(); m != 0o600 || !strings.Contains(log.String(), "0644") {
		t.Errorf("a looser file has mode %o after Open, which logged %q", m, log.String())
	}
}

func TestWhatIsNotAStoreIsRefused(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, bytes.Repeat([]byte("not a database. "), 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(text, Options{}); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), text) {
		t.Errorf("a text file: %v", err)
	}
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "regular") {
		t.Errorf("a folder: %v", err)
	}
}

// A page that cannot be read is a fault of the mapped file; it must come out as
// an error, not end the process.
func TestAnUnreadableFileIsAnErrorNotACrash(t *testing.T) {
	s := open(t)
	for range 20 {
		update(t, s, func(tx *Tx) error {
			return Feature[[]byte](tx, "ballast").Put(time.Now().String(), make([]byte, 40<<10))
		})
	}
	if err := os.Truncate(s.Path(), 2*int64(os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	err := s.View(func(tx *Tx) error {
		_, err := tx.Operations("", 0)
		return err
	})
	if !errors.Is(err, ErrDamaged) {
		t.Errorf("View: %v", err)
	}
	err = s.Update(context.Background(), func(tx *Tx) error { return tx.PutOperation(&Operation{ID: "op-1"}) })
	if !errors.Is(err, ErrDamaged) {
		t.Errorf("Update: %v", err)
	}
	defer func() {
		if r := recover(); r != "mine" {
			t.Errorf("the caller's own panic in a View became %v", r)
		}
	}()
	_ = s.View(func(*Tx) error { panic("mine") })
}

func TestBackupIsAStoreAsOfOneCommit(t *testing.T) {
	s := open(t)
	update(t, s, func(tx *Tx) error { return tx.PutOperation(&Operation{ID: "op-1", State: OpOpen}) })
	path := filepath.Join(t.TempDir(), "backup.db")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Backup(f), f.Close()); err != nil {
		t.Fatal(err)
	}
	update(t, s, func(tx *Tx) error { return tx.PutOperation(&Operation{ID: "op-2", State: OpOpen}) })
	b := openAt(t, path, func() time.Time { return start })
	view(t, b, func(tx *Tx) error {
		list, err := tx.Operations("", 0)
		if len(list) != 1 || list[0].ID != "op-1" {
			t.Errorf("the backup has %d operations", len(list))
		}
		return err
	})
	if !bytes.Equal(b.HashKey(), s.HashKey()) {
		t.Error("the backup has another hash key")
	}
}

// Who only looks changes nothing: not the file, not its schema, and makes none.
func TestAStoreThatIsOnlyLookedAt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "signalbox.db")
	look := func() (*Store, error) {
		return Open(path, Options{ReadOnly: true, Timeout: 50 * time.Millisecond, Log: quiet})
	}
	if _, err := look(); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("a store that is not there: %v", err)
	}
	s := openAt(t, path, func() time.Time { return start })
	update(t, s, func(tx *Tx) error { return tx.Audit(AuditRow{Act: "deploy", Outcome: "done"}) })
	if _, err := look(); err == nil || !strings.Contains(err.Error(), "held by") {
		t.Fatalf("while it is written: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := look()
	if err != nil {
		t.Fatal(err)
	}
	view(t, r, func(tx *Tx) error {
		rows, err := tx.AuditRows(AuditFilter{})
		if len(rows) != 1 || rows[0].Act != "deploy" {
			t.Errorf("rows: %v", rows)
		}
		return err
	})
	if err := try(r, func(tx *Tx) error { return tx.Audit(AuditRow{Act: "more"}) }); err == nil {
		t.Error("it was written")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file has changed (%v)", err)
	}
}

func TestAuditRowsWakeWhoWatches(t *testing.T) {
	s := open(t)
	wake, stop := s.Watch(TopicAudit)
	defer stop()
	update(t, s, func(tx *Tx) error { return tx.Audit(AuditRow{Act: "deploy"}) })
	select {
	case <-wake:
	default:
		t.Error("a row came and nobody was told")
	}
}

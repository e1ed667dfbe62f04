package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// movable is a clock that the test moves.
type movable struct {
	mu sync.Mutex
	at time.Time
}

func (m *movable) now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.at
}

func (m *movable) move(d time.Duration) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at = m.at.Add(d)
	return m.at
}

func accept(t testing.TB, s *Store, e Event) (seq uint64, duplicate bool) {
	t.Helper()
	seq, duplicate, err := s.Accept(context.Background(), e)
	if err != nil {
		t.Fatal(err)
	}
	return seq, duplicate
}

func TestRuleAnEventIsAcceptedOnceAndDecidedOnce(t *testing.T) {
	s := open(t)
	heard, end := s.Watch(TopicInbox)
	defer end()
	body := webhook(1)
	seq, dup := accept(t, s, Event{Kind: "github.push", Keys: []string{"id:1", "sem:1"}, Body: body, Sent: start.Add(-time.Second)})
	if seq != 1 || dup {
		t.Fatalf("seq %d, duplicate %v", seq, dup)
	}
	<-heard
	for _, keys := range [][]string{{"id:1"}, {"id:2", "sem:1"}} {
		if again, dup := accept(t, s, Event{Kind: "github.push", Keys: keys, Body: []byte("other")}); !dup || again != seq {
			t.Errorf("%v: seq %d, duplicate %v", keys, again, dup)
		}
	}
	for range 2 { // no keys: never a duplicate
		if _, dup := accept(t, s, Event{Kind: "tick", Keys: []string{""}}); dup {
			t.Error("an event without keys is a duplicate")
		}
	}
	view(t, s, func(tx *Tx) error {
		list, err := tx.Undecided(0)
		if len(list) != 3 || list[0].Seq != 1 || !bytes.Equal(list[0].Body, body) || list[0].Kind != "github.push" ||
			!list[0].Accepted.Equal(start) || !list[0].Sent.Equal(start.Add(-time.Second)) {
			t.Errorf("undecided: %d, first %+v", len(list), list[0])
		}
		return err
	})
	update(t, s, func(tx *Tx) error { return tx.Decide(seq, "op-1") })
	if err := s.Update(context.Background(), func(tx *Tx) error { return tx.Decide(seq, "op-2") }); !errors.Is(err, ErrConflict) {
		t.Errorf("decided twice: %v", err)
	}
	if err := s.Update(context.Background(), func(tx *Tx) error { return tx.Decide(99, "x") }); !errors.Is(err, ErrNotFound) {
		t.Errorf("decided what is not there: %v", err)
	}
	view(t, s, func(tx *Tx) error {
		list, err := tx.Undecided(1)
		if len(list) != 1 || list[0].Seq != 2 {
			t.Errorf("undecided after the decision: %+v", list)
		}
		e, err2 := tx.Event(seq)
		if err2 == nil && (e.Outcome != "op-1" || !e.Decided.Equal(start) || !bytes.Equal(e.Body, body) || e.Seq != seq) {
			t.Errorf("decided: %+v", e)
		}
		return errors.Join(err, err2)
	})
	if _, dup := accept(t, s, Event{Keys: []string{"id:1"}}); !dup {
		t.Error("no duplicate any more once it is decided")
	}
}

// Of the same delivery sent many times at once exactly one is new.
func TestTheSameAtOnceIsOneEvent(t *testing.T) {
	s := open(t)
	var wg sync.WaitGroup
	var fresh sync.Map
	for range 16 {
		wg.Go(func() {
			seq, dup, err := s.Accept(context.Background(), Event{Keys: []string{"same"}})
			if err != nil || seq != 1 {
				t.Errorf("seq %d, %v", seq, err)
			}
			if _, twice := fresh.Swap(seq, true); !dup && twice {
				fresh.Store("twice", true)
			}
		})
	}
	wg.Wait()
	view(t, s, func(tx *Tx) error {
		list, err := tx.Undecided(0)
		if len(list) != 1 {
			t.Errorf("%d events", len(list))
		}
		return err
	})
}

func noise(n int) []byte {
	body := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{2}).Read(body)
	return body
}

func spilled(t *testing.T, s *Store) []string {
	t.Helper()
	list, err := os.ReadDir(s.spill)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, f := range list {
		names = append(names, f.Name())
	}
	return names
}

func TestALargeBodyIsAFile(t *testing.T) {
	s := open(t)
	big := noise(200 << 10)
	seq, _ := accept(t, s, Event{Kind: "github.push", Keys: []string{"k"}, Body: big})
	if n := len(spilled(t, s)); n != 1 {
		t.Fatalf("%d files", n)
	}
	accept(t, s, Event{Kind: "github.push", Keys: []string{"k"}, Body: big})
	accept(t, s, Event{Kind: "github.push", Body: bytes.Repeat([]byte("small once packed "), 20000)})
	if n := len(spilled(t, s)); n != 1 {
		t.Errorf("%d files after a duplicate and one that packs well", n)
	}
	info, err := os.Stat(s.bodyFile(spilled(t, s)[0]))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	read := func() (e *Event) {
		view(t, s, func(tx *Tx) (err error) { e, err = tx.Event(seq); return err })
		return e
	}
	if e := read(); !bytes.Equal(e.Body, big) || e.BodyErr != nil {
		t.Errorf("came back as %d bytes, %v", len(e.Body), e.BodyErr)
	}
	update(t, s, func(tx *Tx) error { return tx.Decide(seq, "done") })
	if e := read(); !bytes.Equal(e.Body, big) {
		t.Errorf("decided, it came back as %d bytes, %v", len(e.Body), e.BodyErr)
	}
	if err := os.Remove(s.bodyFile(spilled(t, s)[0])); err != nil {
		t.Fatal(err)
	}
	if e := read(); e.BodyErr == nil || e.Outcome != "done" { // one lost file must not stop the inbox
		t.Errorf("without its file: %+v", e)
	}
}

func TestABodyThatCannotBeWrittenIsNotAccepted(t *testing.T) {
	s := open(t)
	if err := os.WriteFile(s.spill, []byte("in the way"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Accept(context.Background(), Event{Kind: "github.push", Body: noise(200 << 10)}); err == nil || !strings.Contains(err.Error(), "accept github.push") {
		t.Errorf("got %v", err)
	}
	view(t, s, func(tx *Tx) error {
		list, err := tx.Undecided(0)
		if len(list) != 0 {
			t.Error("it is in the inbox")
		}
		return err
	})
}

func TestRuleKeysAreRememberedForEightDays(t *testing.T) {
	clock := &movable{at: start}
	s := openAt(t, filepath.Join(t.TempDir(), "x.db"), clock.now)
	update(t, s, func(tx *Tx) error { return tx.Remember("delivery", "d-1") })
	seen := func(bucket, k string) (yes bool) {
		view(t, s, func(tx *Tx) (err error) { yes, err = tx.Seen(bucket, k); return err })
		return yes
	}
	if !seen("delivery", "d-1") || seen("delivery", "d-2") || seen("meaning", "d-1") {
		t.Error("seen what was not remembered, or the other way")
	}
	if err := s.Prune(context.Background(), clock.move(keepSeen)); err != nil {
		t.Fatal(err)
	}
	if !seen("delivery", "d-1") {
		t.Error("forgotten too early")
	}
	clock.move(time.Second)
	if seen("delivery", "d-1") {
		t.Error("remembered for too long")
	}
	if err := s.Prune(context.Background(), clock.move(24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	view(t, s, func(tx *Tx) error {
		days, err := tx.named(prefixSeen)
		if len(days) != 0 {
			t.Errorf("days left: %v", days)
		}
		return err
	})
}

func TestPruneTakesOldBodiesAndNothingUndecided(t *testing.T) {
	clock := &movable{at: start}
	s := openAt(t, filepath.Join(t.TempDir(), "x.db"), clock.now)
	const many = pruneStep + 10 // more than one step
	seqs := map[string]uint64{}
	update(t, s, func(tx *Tx) error {
		for range many {
			seq, _, err := tx.Accept(Event{Kind: "old", Body: []byte("body")})
			if err = errors.Join(err, tx.Decide(seq, "done")); err != nil {
				return err
			}
		}
		return nil
	})
	seqs["old, large"], _ = accept(t, s, Event{Body: noise(100 << 10)})
	seqs["waiting"], _ = accept(t, s, Event{Body: []byte("waits")})
	seqs["waiting, large"], _ = accept(t, s, Event{Body: noise(90 << 10)})
	update(t, s, func(tx *Tx) error { return tx.Decide(seqs["old, large"], "done") })
	if _, err := s.spillBody([]byte("r orphan"), start); err != nil { // as a crash before the commit leaves it
		t.Fatal(err)
	}
	clock.move(keepBodies + time.Hour)
	seqs["new"], _ = accept(t, s, Event{Body: noise(100 << 10)})
	update(t, s, func(tx *Tx) error { return tx.Decide(seqs["new"], "done") })
	if n := len(spilled(t, s)); n != 4 {
		t.Fatalf("%d files before", n)
	}
	if err := s.Prune(context.Background(), clock.now()); err != nil {
		t.Fatal(err)
	}
	bodies := func(seq uint64) int {
		var e *Event
		view(t, s, func(tx *Tx) (err error) { e, err = tx.Event(seq); return err })
		if e.BodyErr != nil {
			t.Error(e.BodyErr)
		}
		return len(e.Body)
	}
	for _, seq := range []uint64{1, pruneStep, pruneStep + 1, many, seqs["old, large"]} {
		if n := bodies(seq); n != 0 {
			t.Errorf("event %d still has a body of %d bytes", seq, n)
		}
	}
	for _, name := range []string{"waiting", "waiting, large", "new"} {
		if bodies(seqs[name]) == 0 {
			t.Errorf("%s lost its body", name)
		}
	}
	if n := len(spilled(t, s)); n != 2 {
		t.Errorf("%d files after", n)
	}
	if err := s.Prune(context.Background(), clock.move(keepEvents)); err != nil {
		t.Fatal(err)
	}
	view(t, s, func(tx *Tx) error {
		if _, err := tx.Event(1); !errors.Is(err, ErrNotFound) {
			t.Errorf("an event of 98 days ago: %v", err)
		}
		_, err := tx.Event(seqs["waiting, large"])
		return err
	})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Prune(ctx, clock.now()); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
}

// With a long list of free pages the commits leave it out; Close writes it.
func TestALongListOfFreePagesIsWrittenAtClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s := openAt(t, path, nil)
	ballast := make([]byte, (freelistSyncMax+1000)/4*os.Getpagesize())
	for i := range 4 {
		update(t, s, func(tx *Tx) error { return Feature[string](tx, fmt.Sprint("ballast", i)).Put("k", string(ballast[i:])) })
	}
	for i := range 4 {
		update(t, s, func(tx *Tx) error { return Feature[int](tx, fmt.Sprint("ballast", i)).Delete("k") })
	}
	for range 4 {
		update(t, s, put("x"))
	}
	if !s.db.NoFreelistSync {
		t.Fatalf("%d free pages are written with every commit", s.db.Stats().FreePageN)
	}
	if freelistOnDisk(t, path) {
		t.Error("the list is written while it is long")
	}
	free := s.db.Stats().FreePageN
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if !freelistOnDisk(t, path) {
		t.Error("Close did not write the list")
	}
	s = openAt(t, path, nil)
	if s.db.NoFreelistSync || s.db.Stats().FreePageN < free/2 {
		t.Errorf("%d free pages were %d", s.db.Stats().FreePageN, free)
	}
	if !stands(t, s, "x") {
		t.Error("x is not there")
	}
}

// freelistOnDisk reads the newer of the two first pages: behind a header of 16
// bytes the place of the list is at 32 (all ones: none), the transaction at 48.
func freelistOnDisk(t *testing.T, path string) bool {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var newest, list uint64
	for page := range 2 {
		raw := make([]byte, 80)
		if _, err := f.ReadAt(raw, int64(page*os.Getpagesize())); err != nil {
			t.Fatal(err)
		}
		if id := binary.NativeEndian.Uint64(raw[64:]); id >= newest {
			newest, list = id, binary.NativeEndian.Uint64(raw[48:])
		}
	}
	return list != 1<<64-1
}

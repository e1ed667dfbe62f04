package store

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// How long what the doors accepted is kept. Decided events go with their row
// long after their body; an event that is not decided keeps both.
const (
	keepBodies = 8 * 24 * time.Hour
	keepEvents = 90 * 24 * time.Hour
)

// The events and bodies come in the order of their keys, so their pages are
// filled, not split in halves; the events leave room for an outcome.
const (
	fillEvents = 0.9
	fillBodies = 1.0
)

const seenEvents = "event"

// An accepted event, as it will be written: made outside the transaction, where
// it may take its time.
type accepted struct {
	row  []byte
	body []byte
	file string // the file that holds the body, if it is too large
	keys []hash
}

// Accept stores an event and returns when it is on disk: after that it may be
// acknowledged, and it will be decided. If any of its keys was seen in the last
// eight days it is a duplicate: nothing is stored, and seq is that of the first.
// Accepted is set to now if it is zero. This is the doors' way in: the body is
// compressed, and if it is still large written to a file, before the
// transaction begins.
func (s *Store) Accept(ctx context.Context, e Event) (seq uint64, duplicate bool, err error) {
	if e.Accepted.IsZero() {
		e.Accepted = s.now()
	}
	a, err := s.prepare(e)
	if err != nil {
		return 0, false, err
	}
	err = s.Update(ctx, func(tx *Tx) (err error) {
		seq, duplicate, err = tx.accept(a)
		return err
	})
	if err != nil {
		return 0, false, fmt.Errorf("accept %s: %w", e.Kind, err)
	}
	if duplicate && a.file != "" {
		s.dropFiles([]string{a.file})
	}
	return seq, duplicate, nil
}

// Accept is Store.Accept inside a transaction, for an event that another one
// causes.
func (tx *Tx) Accept(e Event) (seq uint64, duplicate bool, err error) {
	if e.Accepted.IsZero() {
		e.Accepted = tx.now
	}
	a, err := tx.s.prepare(e)
	if err != nil {
		return 0, false, err
	}
	return tx.accept(a)
}

func (s *Store) prepare(e Event) (*accepted, error) {
	e.Seq = 0 // it is the key
	row, err := json.Marshal(&e)
	if err != nil {
		return nil, fmt.Errorf("accept %s: %w", e.Kind, err)
	}
	a := &accepted{row: row, body: pack(e.Body)}
	for _, k := range e.Keys {
		if k != "" {
			a.keys = append(a.keys, hashOf(seenEvents, k))
		}
	}
	if len(a.body) > maxInline {
		if a.file, err = s.spillBody(a.body, e.Accepted); err != nil {
			return nil, fmt.Errorf("accept %s: %w", e.Kind, err)
		}
		a.body = append([]byte{codecFile}, a.file...)
	}
	return a, nil
}

func (tx *Tx) accept(a *accepted) (seq uint64, duplicate bool, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("store event: %w", err)
		}
	}()
	for _, h := range a.keys {
		if seq, duplicate, err = tx.seen(h); duplicate || err != nil {
			return seq, duplicate, err
		}
	}
	events, err := tx.change(bucketInbox, leafEvents)
	if err != nil {
		return 0, false, err
	}
	if seq, err = events.NextSequence(); err != nil {
		return 0, false, err
	}
	k := key{}.num(seq)
	events.FillPercent = fillEvents
	if err = events.Put(k, a.row); err != nil {
		return 0, false, err
	}
	bodies, err := tx.change(bucketInbox, leafBodies)
	if err == nil {
		bodies.FillPercent = fillBodies
		err = bodies.Put(k, a.body)
	}
	if err != nil {
		return 0, false, err
	}
	undecided, err := tx.change(bucketInbox, leafUndecided)
	if err == nil {
		undecided.FillPercent = fillBodies
		err = undecided.Put(k, nil)
	}
	for i := 0; i < len(a.keys) && err == nil; i++ {
		err = tx.remember(a.keys[i], seq)
	}
	if err != nil {
		return 0, false, err
	}
	tx.touch(TopicInbox)
	return seq, false, nil
}

// Undecided returns the oldest events that are not decided, with their bodies,
// in the order in which they were accepted; a limit of 0 is all.
func (tx *Tx) Undecided(limit int) ([]*Event, error) {
	b, err := tx.bucket(bucketInbox, leafUndecided)
	if err != nil {
		return nil, fmt.Errorf("list undecided events: %w", err)
	}
	var out []*Event
	err = scan(b, nil, nil, false, func(k, _ []byte) (bool, error) {
		e, err := tx.Event(binary.BigEndian.Uint64(k))
		out = append(out, e)
		return limit <= 0 || len(out) < limit, err
	})
	if err != nil {
		return nil, fmt.Errorf("list undecided events: %w", err)
	}
	return out, nil
}

// Event returns the event with this sequence, or ErrNotFound. Body is nil once
// it was pruned; where it should be there and cannot be read, BodyErr says why.
func (tx *Tx) Event(seq uint64) (*Event, error) {
	e, err := tx.eventRow(seq)
	if err != nil {
		return nil, err
	}
	bodies, err := tx.bucket(bucketInbox, leafBodies)
	if err != nil {
		return nil, fmt.Errorf("read event %d: %w", seq, err)
	}
	packed := bodies.Get(key{}.num(seq))
	if packed == nil {
		return e, nil
	}
	if e.Body, err = tx.s.readBody(packed); err != nil {
		e.BodyErr = fmt.Errorf("read body of event %d: %w", seq, err)
	}
	return e, nil
}

func (tx *Tx) eventRow(seq uint64) (*Event, error) {
	b, err := tx.bucket(bucketInbox, leafEvents)
	if err != nil {
		return nil, fmt.Errorf("read event %d: %w", seq, err)
	}
	raw := b.Get(key{}.num(seq))
	if raw == nil {
		return nil, fmt.Errorf("event %d: %w", seq, ErrNotFound)
	}
	e := new(Event)
	if err := json.Unmarshal(raw, e); err != nil {
		return nil, fmt.Errorf("read event %d: %w: %w", seq, ErrDamaged, err)
	}
	e.Seq = seq
	return e, nil
}

// Decide says what came of an event, in the transaction that made it so. An
// event is decided once: a second time is ErrConflict.
func (tx *Tx) Decide(seq uint64, outcome string) error {
	e, err := tx.eventRow(seq)
	if err != nil {
		return fmt.Errorf("decide: %w", err)
	}
	if !e.Decided.IsZero() {
		return fmt.Errorf("decide event %d as %q, already %q: %w", seq, outcome, e.Outcome, ErrConflict)
	}
	e.Decided, e.Outcome = tx.now, outcome
	e.Seq = 0
	raw, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("decide event %d: %w", seq, err)
	}
	k := key{}.num(seq)
	b, err := tx.change(bucketInbox, leafEvents)
	if err == nil {
		b.FillPercent = fillEvents
		err = b.Put(k, raw)
	}
	if err == nil {
		b, err = tx.change(bucketInbox, leafUndecided)
	}
	if err == nil {
		err = b.Delete(k)
	}
	if err != nil {
		return fmt.Errorf("decide event %d: %w", seq, err)
	}
	return nil
}

// dropFiles removes bodies that no row names; one that stays is met again by
// the next Prune.
func (s *Store) dropFiles(names []string) {
	for _, name := range names {
		if err := os.Remove(s.bodyFile(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			s.log.Warn("store: a body is left behind", "err", err)
		}
	}
}

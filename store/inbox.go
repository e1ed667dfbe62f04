package store

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// How long what the doors accepted is kept. Decided events go with their row
// long after their body; an event that is not decided keeps both.
const (
	keepBodies = 8 * 24 * time.Hour
	keepEvents = 90 * 24 * time.Hour
)

// The inbox is written in the order of its keys, so its pages are filled, not
// split in halves.
const fillInbox = 1.0

const seenEvents = "event"

// An accepted event, as it will be written: made outside the transaction, where
// it may take its time.
type accepted struct {
	value []byte
	file  string // the file that holds the body, if it is too large
	keys  []hash
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
	a := &accepted{}
	for _, k := range e.Keys {
		if k != "" {
			a.keys = append(a.keys, hashOf(seenEvents, k))
		}
	}
	body := pack(e.Body)
	if len(body) > maxInline {
		if a.file, err = s.spillBody(body, e.Accepted); err != nil {
			return nil, fmt.Errorf("accept %s: %w", e.Kind, err)
		}
		body = append([]byte{codecFile}, a.file...)
	}
	a.value = join(row, body)
	return a, nil
}

// Accepted says whether an event with this key was accepted in the last eight days.
func (tx *Tx) Accepted(key string) (bool, error) { return tx.Seen(seenEvents, key) }

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
	b, err := tx.change(bucketInboxUndecided)
	if err != nil {
		return 0, false, err
	}
	if seq, err = b.NextSequence(); err != nil {
		return 0, false, err
	}
	b.FillPercent = fillInbox
	if err = b.Put(key{}.num(seq), a.value); err != nil {
		return 0, false, err
	}
	for _, h := range a.keys {
		if err = tx.remember(h, seq); err != nil {
			return 0, false, err
		}
	}
	tx.touch(TopicInbox)
	return seq, false, nil
}

// Undecided returns the oldest events that are not decided, with their bodies,
// in the order in which they were accepted; a limit of 0 is all.
func (tx *Tx) Undecided(limit int) ([]*Event, error) {
	b, err := tx.bucket(bucketInboxUndecided)
	if err != nil {
		return nil, fmt.Errorf("list undecided events: %w", err)
	}
	var out []*Event
	err = scan(b, nil, nil, false, func(k, v []byte) (bool, error) {
		e, body, err := readEvent(key(k).first(), v)
		if err != nil {
			return false, err
		}
		tx.s.addBody(e, body)
		out = append(out, e)
		return limit <= 0 || len(out) < limit, nil
	})
	if err != nil {
		return nil, fmt.Errorf("list undecided events: %w", err)
	}
	return out, nil
}

// Event returns the event with this sequence, or ErrNotFound. Body is nil once
// it was pruned; where it should be there and cannot be read, BodyErr says why.
func (tx *Tx) Event(seq uint64) (*Event, error) {
	e, body, err := tx.undecidedEvent(seq)
	if notFound(err) {
		e, body, err = tx.decidedEvent(seq)
	}
	if err != nil {
		return nil, err
	}
	tx.s.addBody(e, body)
	return e, nil
}

func (s *Store) addBody(e *Event, packed []byte) {
	if packed == nil {
		return
	}
	if e.Body, e.BodyErr = s.readBody(packed); e.BodyErr != nil {
		e.BodyErr = fmt.Errorf("read body of event %d: %w", e.Seq, e.BodyErr)
	}
}

// undecidedEvent returns the event and its body as packed; that is good only as
// long as the transaction, as is decidedEvent's.
func (tx *Tx) undecidedEvent(seq uint64) (*Event, []byte, error) {
	b, err := tx.bucket(bucketInboxUndecided)
	if err != nil {
		return nil, nil, fmt.Errorf("read event %d: %w", seq, err)
	}
	v := b.Get(key{}.num(seq))
	if v == nil {
		return nil, nil, fmt.Errorf("event %d: %w", seq, ErrNotFound)
	}
	return readEvent(seq, v)
}

func (tx *Tx) decidedEvent(seq uint64) (*Event, []byte, error) {
	events, err := tx.bucket(bucketInboxEvents)
	if err != nil {
		return nil, nil, fmt.Errorf("read event %d: %w", seq, err)
	}
	bodies, err := tx.bucket(bucketInboxBodies)
	if err != nil {
		return nil, nil, fmt.Errorf("read event %d: %w", seq, err)
	}
	row := events.Get(key{}.num(seq))
	if row == nil {
		return nil, nil, fmt.Errorf("event %d: %w", seq, ErrNotFound)
	}
	e, err := decodeEvent(seq, row)
	return e, bodies.Get(key{}.num(seq)), err
}

// join and divide put an event's row and its body into one value, so that
// accepting it changes one page.
func join(row, body []byte) []byte {
	v := make([]byte, 0, binary.MaxVarintLen32+len(row)+len(body))
	v = binary.AppendUvarint(v, uint64(len(row)))
	return append(append(v, row...), body...)
}

func divide(v []byte) (row, body []byte, err error) {
	n, w := binary.Uvarint(v)
	if w <= 0 || n > uint64(len(v)-w) {
		return nil, nil, fmt.Errorf("%w: a row of %d bytes in %d", ErrDamaged, n, len(v))
	}
	return v[w : w+int(n)], v[w+int(n):], nil
}

func readEvent(seq uint64, v []byte) (*Event, []byte, error) {
	row, body, err := divide(v)
	if err != nil {
		return nil, nil, fmt.Errorf("read event %d: %w", seq, err)
	}
	e, err := decodeEvent(seq, row)
	return e, body, err
}

func decodeEvent(seq uint64, row []byte) (*Event, error) {
	e := new(Event)
	if err := json.Unmarshal(row, e); err != nil {
		return nil, fmt.Errorf("read event %d: %w: %w", seq, ErrDamaged, err)
	}
	e.Seq = seq
	return e, nil
}

// Decide says what came of an event, in the transaction that made it so. An
// event is decided once: a second time is ErrConflict.
func (tx *Tx) Decide(seq uint64, outcome string) error {
	e, body, err := tx.undecidedEvent(seq)
	if notFound(err) {
		var was *Event
		if was, _, err = tx.decidedEvent(seq); err == nil {
			err = fmt.Errorf("event %d is already %q: %w", seq, was.Outcome, ErrConflict)
		}
	}
	if err == nil {
		e.Seq, e.Decided, e.Outcome = 0, tx.now, outcome
		err = tx.moveToDecided(key{}.num(seq), e, slices.Clone(body))
	}
	if err != nil {
		return fmt.Errorf("decide %q: %w", outcome, err)
	}
	return nil
}

func (tx *Tx) moveToDecided(k key, e *Event, body []byte) error {
	row, err := json.Marshal(e)
	if err != nil {
		return err
	}
	undecided, err := tx.change(bucketInboxUndecided)
	if err != nil {
		return err
	}
	events, err := tx.change(bucketInboxEvents)
	if err != nil {
		return err
	}
	bodies, err := tx.change(bucketInboxBodies)
	if err != nil {
		return err
	}
	events.FillPercent, bodies.FillPercent = fillInbox, fillInbox
	return errors.Join(undecided.Delete(k), events.Put(k, row), bodies.Put(k, body))
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

package store

import (
	"fmt"

	bolt "go.etcd.io/bbolt"
)

var (
	runLocks = table[RunLock]{what: "run lock", rows: bucketRunLocks, topic: TopicJobs}
	holds    = table[Hold]{what: "hold", rows: bucketHolds, topic: TopicHolds}
)

// RunLock returns who holds the run lock of target. ErrNotFound means that it
// is free; any other error means that nobody knows, so take it as held.
func (tx *Tx) RunLock(target string) (*RunLock, error) { return runLocks.get(tx, []byte(target)) }

// TakeRunLock takes a run lock for a job: ErrHeld (a *HeldError) if it is
// another job's. Taking it again for the same job changes nothing, except that
// a later attempt is written down; an earlier one is ErrConflict.
func (tx *Tx) TakeRunLock(l RunLock) error {
	if err := checkText(l.Target, l.Job); err != nil {
		return fmt.Errorf("take run lock: %w", err)
	}
	if l.Target == "" || l.Job == "" {
		return fmt.Errorf("take run lock of %q for job %q: both must be named", l.Target, l.Job)
	}
	old, have, err := stored(tx, &runLocks, []byte(l.Target))
	switch {
	case err != nil:
		return err
	case have && old.Job != l.Job:
		return &HeldError{Lock: *old}
	case have && old.Attempt == l.Attempt:
		return nil
	case have && old.Attempt > l.Attempt:
		return fmt.Errorf("take run lock of %s for attempt %d of %s, which has attempt %d: %w",
			l.Target, l.Attempt, l.Job, old.Attempt, ErrConflict)
	}
	if l.Since.IsZero() {
		l.Since = tx.now
	}
	return runLocks.put(tx, []byte(l.Target), old, &l)
}

// DropRunLock gives the run lock of target back. It is no error if it is free;
// if it is another job's, it stays, and that is ErrConflict.
func (tx *Tx) DropRunLock(target, job string) error {
	old, have, err := stored(tx, &runLocks, []byte(target))
	if err != nil || !have {
		return err
	}
	if old.Job != job {
		return fmt.Errorf("drop run lock of %s for %s: held by %s: %w", target, job, old.Job, ErrConflict)
	}
	return runLocks.remove(tx, []byte(target), old)
}

// RunLocks returns every run lock that is held, by target.
func (tx *Tx) RunLocks() ([]*RunLock, error) { return runLocks.all(tx) }

// Holds returns every hold, expired ones too, oldest first. One that cannot be
// read is an error: what cannot be read holds.
func (tx *Tx) Holds() ([]*Hold, error) {
	list, err := holds.all(tx)
	if err != nil {
		return nil, err
	}
	sortBy(list, func(h *Hold) key { return key{}.at(h.Created).id(h.ID) })
	return list, nil
}

// Hold returns the hold with this id, or ErrNotFound.
func (tx *Tx) Hold(id string) (*Hold, error) { return holds.get(tx, []byte(id)) }

// PutHold writes a hold if the one that is stored has version ifVersion, else
// it is ErrConflict. With 0 it must be a new one, which gets an ID if it has
// none. h.Version becomes ifVersion+1.
func (tx *Tx) PutHold(h *Hold, ifVersion uint64) error {
	if h.ID == "" && ifVersion == 0 {
		id, err := tx.NextID("hold")
		if err != nil {
			return err
		}
		set(tx, &h.ID, id)
	}
	if err := checkText(h.ID); err != nil {
		return fmt.Errorf("write hold: %w", err)
	}
	old, have, err := stored(tx, &holds, []byte(h.ID))
	if err != nil {
		return err
	}
	if have && old.Version != ifVersion || !have && ifVersion != 0 {
		return conflict("hold", h.ID, ifVersion)
	}
	set(tx, &h.Version, ifVersion+1)
	if h.Created.IsZero() {
		set(tx, &h.Created, tx.now)
	}
	return holds.put(tx, []byte(h.ID), old, h)
}

// DeleteHold releases a hold that is still at version; ErrConflict if it is at
// another one, ErrNotFound if it is gone.
func (tx *Tx) DeleteHold(id string, version uint64) error {
	old, err := holds.get(tx, []byte(id))
	if err != nil {
		return fmt.Errorf("delete hold: %w", err)
	}
	if old.Version != version {
		return fmt.Errorf("delete hold %s at version %d, stored is %d: %w", id, version, old.Version, ErrConflict)
	}
	return holds.remove(tx, []byte(id), old)
}

// all returns every row, by key.
func (t *table[T]) all(tx *Tx) ([]*T, error) {
	b, err := tx.bucket(t.rows)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", t.what, err)
	}
	return t.every(b)
}

func (t *table[T]) every(b *bolt.Bucket) ([]*T, error) {
	var out []*T
	err := b.ForEach(func(k, v []byte) error {
		r, err := t.decode(k, v)
		out = append(out, r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", t.what, err)
	}
	return out, nil
}

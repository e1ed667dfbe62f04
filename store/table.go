package store

import (
	"bytes"
	"encoding/json"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// A table is the rows of one kind of record and the indexes that lead to them.
// An entry of an index has the row's key as its value; which entries a record
// has is computed from the record alone, so that a change of it moves them.
type table[T any] struct {
	what    string // as errors call it
	rows    []byte // its bucket
	topic   string // told when a row changes; "" for none
	entries func(r *T) []entry
}

type entry struct {
	index []byte
	key   key
}

func (t *table[T]) decode(k, raw []byte) (*T, error) {
	r := new(T)
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("read %s %q: %w: %w", t.what, k, ErrDamaged, err)
	}
	return r, nil
}

func (t *table[T]) get(tx *Tx, k []byte) (*T, error) {
	b, err := tx.bucket(t.rows)
	if err != nil {
		return nil, fmt.Errorf("read %s %q: %w", t.what, k, err)
	}
	raw := b.Get(k)
	if raw == nil {
		return nil, fmt.Errorf("%s %q: %w", t.what, k, ErrNotFound)
	}
	return t.decode(k, raw)
}

// put writes the row and moves its entries from where old (nil: a new row) has them.
func (t *table[T]) put(tx *Tx, k []byte, old, r *T) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write %s %q: %w", t.what, k, err)
	}
	rows, err := tx.change(t.rows)
	if err == nil {
		err = rows.Put(k, raw)
	}
	if err == nil {
		err = t.move(tx, k, old, r)
	}
	if err != nil {
		return fmt.Errorf("write %s %q: %w", t.what, k, err)
	}
	if t.topic != "" {
		tx.touch(t.topic)
	}
	return nil
}

func (t *table[T]) remove(tx *Tx, k []byte, old *T) error {
	rows, err := tx.change(t.rows)
	if err == nil {
		err = rows.Delete(k)
	}
	if err == nil {
		err = t.move(tx, k, old, nil)
	}
	if err != nil {
		return fmt.Errorf("delete %s %q: %w", t.what, k, err)
	}
	if t.topic != "" {
		tx.touch(t.topic)
	}
	return nil
}

// move brings the indexes from old to r, either of which may be nil.
func (t *table[T]) move(tx *Tx, k []byte, old, r *T) error {
	if t.entries == nil {
		return nil
	}
	var was, is []entry
	if old != nil {
		was = t.entries(old)
	}
	if r != nil {
		is = t.entries(r)
	}
	for _, e := range was {
		if has(is, e) {
			continue
		}
		b, err := tx.change(e.index)
		if err == nil {
			err = b.Delete(e.key)
		}
		if err != nil {
			return fmt.Errorf("index %s: %w", e.index, err)
		}
	}
	for _, e := range is {
		if has(was, e) {
			continue
		}
		b, err := tx.change(e.index)
		if err == nil {
			err = b.Put(e.key, k)
		}
		if err != nil {
			return fmt.Errorf("index %s: %w", e.index, err)
		}
	}
	return nil
}

func has(list []entry, e entry) bool {
	for _, x := range list {
		if bytes.Equal(x.index, e.index) && bytes.Equal(x.key, e.key) {
			return true
		}
	}
	return false
}

// through follows an index from prefix, forward or back, to at most limit rows
// (0 or less: all of them) that keep (nil: every one) accepts.
func (t *table[T]) through(tx *Tx, index, prefix []byte, back bool, limit int, keep func(*T) bool) ([]*T, error) {
	return t.between(tx, index, prefix, nil, back, limit, keep)
}

// until is through, newest first, beginning in front of the entry end.
func (t *table[T]) until(tx *Tx, index, prefix, end []byte, limit int) ([]*T, error) {
	return t.between(tx, index, prefix, end, true, limit, nil)
}

func (t *table[T]) between(tx *Tx, index, prefix, end []byte, back bool, limit int, keep func(*T) bool) ([]*T, error) {
	b, err := tx.bucket(index)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", t.what, err)
	}
	rows, err := tx.bucket(t.rows)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", t.what, err)
	}
	var out []*T
	err = scan(b, prefix, end, back, func(_, k []byte) (bool, error) {
		r, err := t.follow(rows, k)
		if err != nil {
			return false, err
		}
		if keep == nil || keep(r) {
			out = append(out, r)
		}
		return limit <= 0 || len(out) < limit, nil
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", t.what, err)
	}
	return out, nil
}

func (t *table[T]) follow(rows *bolt.Bucket, k []byte) (*T, error) {
	raw := rows.Get(k)
	if raw == nil {
		return nil, fmt.Errorf("%s %q: %w: in an index, but not in the rows", t.what, k, ErrDamaged)
	}
	return t.decode(k, raw)
}

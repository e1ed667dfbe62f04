package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Tx is a transaction: a View's reads one commit, an Update's also writes. It is
// good for one goroutine, and only until its function returns. Records that it
// returns are the caller's own.
type Tx struct {
	b        *bolt.Tx
	s        *Store
	now      time.Time
	writable bool
	wrote    bool
	over     bool
	topics   []string
	undo     []func()
}

// Now is the domain time at which the function began; it stands still during it.
func (tx *Tx) Now() time.Time { return tx.now }

var (
	errOver     = errors.New("the transaction is over")
	errReadOnly = errors.New("a View does not write")
)

// bucket finds a bucket of the tree, to read from.
func (tx *Tx) bucket(name []byte) (*bolt.Bucket, error) {
	if tx.over {
		return nil, errOver
	}
	if b := tx.b.Bucket(name); b != nil {
		return b, nil
	}
	return nil, fmt.Errorf("bucket %s: %w: missing", name, ErrDamaged)
}

// change finds a bucket of the tree, to write to.
func (tx *Tx) change(name []byte) (*bolt.Bucket, error) {
	if err := tx.willWrite(); err != nil {
		return nil, err
	}
	return tx.bucket(name)
}

func (tx *Tx) willWrite() error {
	switch {
	case tx.over:
		return errOver
	case !tx.writable:
		return errReadOnly
	}
	tx.wrote = true
	return nil
}

// named lists the buckets whose name begins with prefix, without it, by name.
func (tx *Tx) named(prefix string) ([]string, error) {
	if tx.over {
		return nil, errOver
	}
	var out []string
	c := tx.b.Cursor()
	for k, _ := c.Seek([]byte(prefix)); bytes.HasPrefix(k, []byte(prefix)); k, _ = c.Next() {
		out = append(out, string(k[len(prefix):]))
	}
	return out, nil
}

// touch says that topic is to be told after the commit.
func (tx *Tx) touch(topic string) {
	if !slices.Contains(tx.topics, topic) {
		tx.topics = append(tx.topics, topic)
	}
}

// set writes to a caller's record what the accessor decided for it, and takes it
// back if the transaction is not kept: the function may be run again.
func set[T any](tx *Tx, field *T, value T) {
	old := *field
	tx.undo = append(tx.undo, func() { *field = old })
	*field = value
}

// NextID gives "op-1", "op-2" and so on; numbers of a transaction that is not
// kept are given again.
func (tx *Tx) NextID(prefix string) (string, error) {
	n, err := tx.Next(prefix)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s-%d", prefix, n), nil
}

// Next gives 1, 2, 3 … of the named sequence.
func (tx *Tx) Next(name string) (uint64, error) {
	b, err := tx.change(bucketSequences)
	if err != nil {
		return 0, fmt.Errorf("next of sequence %s: %w", name, err)
	}
	n, err := tx.last(name)
	if err != nil {
		return 0, err
	}
	n++
	if err := b.Put([]byte(name), binary.BigEndian.AppendUint64(nil, n)); err != nil {
		return 0, fmt.Errorf("next of sequence %s: %w", name, err)
	}
	return n, nil
}

// last is the number that the named sequence gave last; 0 before the first.
func (tx *Tx) last(name string) (uint64, error) {
	b, err := tx.bucket(bucketSequences)
	if err != nil {
		return 0, fmt.Errorf("last of sequence %s: %w", name, err)
	}
	raw := b.Get([]byte(name))
	switch {
	case raw == nil:
		return 0, nil
	case len(raw) != 8:
		return 0, fmt.Errorf("last of sequence %s: %w: %d bytes", name, ErrDamaged, len(raw))
	}
	return binary.BigEndian.Uint64(raw), nil
}

// scan calls do with each key that begins with prefix, in order or (back) in
// reverse, until it says stop. In reverse it begins in front of end, if that is
// not nil. Key and value are good only inside do.
func scan(b *bolt.Bucket, prefix, end []byte, back bool, do func(k, v []byte) (bool, error)) error {
	c := b.Cursor()
	var k, v []byte
	step := c.Next
	if back {
		step = c.Prev
		if end == nil {
			end = after(prefix)
		}
		k, v = lastBefore(c, end)
	} else {
		k, v = c.Seek(prefix)
	}
	for ; k != nil && bytes.HasPrefix(k, prefix); k, v = step() {
		if more, err := do(k, v); err != nil || !more {
			return err
		}
	}
	return nil
}

// lastBefore moves to the last key in front of end; nil is the end of the bucket.
func lastBefore(c *bolt.Cursor, end []byte) (k, v []byte) {
	if end == nil {
		return c.Last()
	}
	if k, _ = c.Seek(end); k == nil {
		return c.Last()
	}
	return c.Prev()
}

package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// pruneStep is how many rows one transaction of Prune removes at most: others
// wait for it, and a long one would make a door late.
const pruneStep = 500

// Prune removes what is no longer kept at now: bodies of decided events after 8
// days, the events after 90, remembered keys after 8, and files that a crash
// left behind. Features prune records of their own; audit rows are never pruned.
// It works in small transactions, so call it every hour; an error or the end of ctx leaves the rest for next time.
func (s *Store) Prune(ctx context.Context, now time.Time) error {
	s.pruning.Lock()
	defer s.pruning.Unlock()
	if err := s.pruneSeen(ctx, now); err != nil {
		return fmt.Errorf("prune store: %w", err)
	}
	if err := s.pruneInbox(ctx, bucketInboxBodies, now.Add(-keepBodies)); err != nil {
		return fmt.Errorf("prune store: %w", err)
	}
	if err := s.pruneInbox(ctx, bucketInboxEvents, now.Add(-keepEvents)); err != nil {
		return fmt.Errorf("prune store: %w", err)
	}
	if err := s.sweep(now.Add(-keepBodies)); err != nil {
		return fmt.Errorf("prune store: %w", err)
	}
	return nil
}

// pruneSeen drops one day a transaction.
func (s *Store) pruneSeen(ctx context.Context, now time.Time) error {
	for {
		var days []string
		err := s.Update(ctx, func(tx *Tx) (err error) {
			if days, err = tx.forgotten(now); err != nil || len(days) == 0 {
				return err
			}
			if err = tx.willWrite(); err != nil {
				return err
			}
			return tx.b.DeleteBucket([]byte(prefixSeen + days[0]))
		})
		if err != nil || len(days) <= 1 {
			return err
		}
	}
}

// pruneInbox removes from a bucket of decided events what was accepted before cutoff.
func (s *Store) pruneInbox(ctx context.Context, bucket []byte, cutoff time.Time) error {
	from := uint64(0)
	for {
		var old [][]byte
		var files []string
		next := from
		err := s.Update(ctx, func(tx *Tx) (err error) {
			old, files, next, err = tx.stale(bucket, from, cutoff)
			if err != nil || len(old) == 0 {
				return err
			}
			b, err := tx.change(bucket)
			if err != nil {
				return err
			}
			for _, k := range old {
				if err := b.Delete(k); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		s.dropFiles(files)
		if next == 0 {
			return nil
		}
		from = next
	}
}

// stale looks at up to pruneStep rows of a bucket, from the sequence from on, and
// returns the keys to remove, the files they name, and where to go on (0: done).
func (tx *Tx) stale(bucket []byte, from uint64, cutoff time.Time) (old [][]byte, files []string, next uint64, err error) {
	b, err := tx.bucket(bucket)
	if err != nil {
		return nil, nil, 0, err
	}
	c := b.Cursor()
	for k, v := c.Seek(key{}.num(from)); k != nil; k, v = c.Next() {
		seq := key(k).first()
		if len(old) == pruneStep {
			return old, files, seq, nil
		}
		e, _, err := tx.decidedEvent(seq)
		if err != nil && !notFound(err) {
			return nil, nil, 0, err
		}
		if err == nil && e.Accepted.After(cutoff) {
			break // what comes behind it was accepted later
		}
		old = append(old, slices.Clone(k))
		if len(v) > 0 && v[0] == codecFile {
			files = append(files, string(v[1:]))
		}
	}
	return old, files, 0, nil
}

// sweep removes files of bodies from before cutoff that no undecided event
// names: what a crash between file and commit left, or between commit and removal.
func (s *Store) sweep(cutoff time.Time) error {
	list, err := os.ReadDir(s.spill)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	named := map[string]bool{}
	err = s.View(func(tx *Tx) error {
		undecided, err := tx.bucket(bucketInboxUndecided)
		if err != nil {
			return err
		}
		return undecided.ForEach(func(_, v []byte) error {
			_, body, err := divide(v)
			if len(body) > 0 && body[0] == codecFile {
				named[string(body[1:])] = true
			}
			return err
		})
	})
	if err != nil {
		return err
	}
	var left []string
	for _, f := range list {
		hour, _, ok := strings.Cut(f.Name(), "-")
		if ok && hour < cutoff.UTC().Format(hourFormat) && !named[f.Name()] {
			left = append(left, f.Name())
		}
	}
	s.dropFiles(left)
	return nil
}

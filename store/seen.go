package store

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"
)

// keepSeen is for how long a remembered key is known: GitHub lets a delivery be
// sent again for up to 7 days.
const keepSeen = 8 * 24 * time.Hour

const dayFormat = "2006-01-02"

// A hash stands for a remembered key, which may be long: 16 bytes of SHA-256
// over the whole of it. A bucket a day: forgetting is dropping one, and what is
// written stays near together.
type hash [16]byte

func hashOf(bucket, k string) hash {
	buf := make([]byte, 0, 128)
	sum := sha256.Sum256(append(append(append(buf, bucket...), 0), k...))
	return hash(sum[:16])
}

// Seen says whether Remember was called with this key in the last eight days.
func (tx *Tx) Seen(bucket, k string) (bool, error) {
	_, seen, err := tx.seen(hashOf(bucket, k))
	if err != nil {
		return false, fmt.Errorf("look for %s %q: %w", bucket, k, err)
	}
	return seen, nil
}

// Remember makes Seen true for this key, for at least eight days.
func (tx *Tx) Remember(bucket, k string) error {
	if err := tx.remember(hashOf(bucket, k), 0); err != nil {
		return fmt.Errorf("remember %s %q: %w", bucket, k, err)
	}
	return nil
}

// seen looks into every day, the newest first, and gives the number that was
// remembered with the key.
func (tx *Tx) seen(h hash) (n uint64, seen bool, err error) {
	days, err := tx.named(prefixSeen)
	if err != nil {
		return 0, false, err
	}
	for _, day := range slices.Backward(days) {
		b, err := tx.bucket([]byte(prefixSeen + day))
		if err != nil {
			return 0, false, err
		}
		raw := b.Get(h[:])
		if raw == nil {
			continue
		}
		if len(raw) != 16 {
			return 0, false, fmt.Errorf("day %s: %w: %d bytes", day, ErrDamaged, len(raw))
		}
		if at := keyTime(binary.BigEndian.Uint64(raw)); tx.now.Sub(at) <= keepSeen {
			return binary.BigEndian.Uint64(raw[8:]), true, nil
		}
	}
	return 0, false, nil
}

func (tx *Tx) remember(h hash, n uint64) error {
	if err := tx.willWrite(); err != nil {
		return err
	}
	b, err := tx.b.CreateBucketIfNotExists([]byte(prefixSeen + tx.now.UTC().Format(dayFormat)))
	if err != nil {
		return err
	}
	return b.Put(h[:], key{}.at(tx.now).num(n))
}

// forgotten are the days of which nothing is remembered any more at now.
func (tx *Tx) forgotten(now time.Time) ([]string, error) {
	days, err := tx.named(prefixSeen)
	first := now.Add(-keepSeen).UTC().Format(dayFormat)
	return slices.DeleteFunc(days, func(day string) bool { return day >= first }), err
}

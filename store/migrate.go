package store

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// A migration brings a file from the version before it to its own, which is its
// place in the slice counted from 1. A migration that has been released is
// never changed or removed.
type migration struct {
	name string
	do   func(*bolt.Tx) error
}

var migrations = []migration{
	{"the first tree", firstTree},
}

// migrate runs what is missing, all in one transaction: a file is at one
// version or at the other, never between.
func migrate(db *bolt.DB, steps []migration) error {
	have, err := version(db)
	if err != nil {
		return err
	}
	switch {
	case have > uint64(len(steps)):
		return fmt.Errorf("schema %d, and this binary knows %d: %w: run the version that wrote it, or restore a backup",
			have, len(steps), ErrNewer)
	case have == uint64(len(steps)):
		return nil
	}
	return db.Update(func(tx *bolt.Tx) error {
		for i := have; i < uint64(len(steps)); i++ {
			if err := steps[i].do(tx); err != nil {
				return fmt.Errorf("migrate to schema %d (%s): %w", i+1, steps[i].name, err)
			}
		}
		meta := tx.Bucket(bucketMeta)
		if meta == nil {
			return errors.New("migrate: no meta bucket")
		}
		return meta.Put(keyVersion, binary.BigEndian.AppendUint64(nil, uint64(len(steps))))
	})
}

// version is 0 for an empty file. A file with buckets but no version is not ours.
func version(db *bolt.DB) (v uint64, err error) {
	err = db.View(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if meta == nil {
			if k, _ := tx.Cursor().First(); k != nil {
				return fmt.Errorf("not a store of signalbox: its first bucket is %q", k)
			}
			return nil
		}
		raw := meta.Get(keyVersion)
		if len(raw) != 8 {
			return fmt.Errorf("schema version: %w: %d bytes", ErrDamaged, len(raw))
		}
		v = binary.BigEndian.Uint64(raw)
		return nil
	})
	return v, err
}

func firstTree(tx *bolt.Tx) error {
	for _, name := range tree {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return fmt.Errorf("make bucket %s: %w", name, err)
		}
	}
	key := make([]byte, hashKeySize)
	rand.Read(key) // never fails: it ends the process rather than give weak bytes
	return tx.Bucket(bucketMeta).Put(keyHashKey, key)
}

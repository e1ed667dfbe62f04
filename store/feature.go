package store

import (
	"encoding/json"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// Records are a feature's own, under feature/<name>. They are kept as JSON; the
// feature chooses the keys, and reads its older records itself.
type Records[T any] struct {
	tx   *Tx
	name string
}

// Feature gives the records of the feature called name. Nothing is made until
// the first Put.
func Feature[T any](tx *Tx, name string) *Records[T] { return &Records[T]{tx, name} }

// bucket is nil if nothing was ever put.
func (r *Records[T]) bucket() (*bolt.Bucket, error) {
	if r.tx.over {
		return nil, errOver
	}
	return r.tx.b.Bucket([]byte(prefixFeature + r.name)), nil
}

func (r *Records[T]) decode(k string, raw []byte) (v T, err error) {
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, fmt.Errorf("read feature/%s %q: %w: %w", r.name, k, ErrDamaged, err)
	}
	return v, nil
}

// Get returns the record with this key; false if there is none.
func (r *Records[T]) Get(k string) (v T, found bool, err error) {
	b, err := r.bucket()
	if err != nil {
		return v, false, fmt.Errorf("read feature/%s %q: %w", r.name, k, err)
	}
	if b == nil {
		return v, false, nil
	}
	raw := b.Get([]byte(k))
	if raw == nil {
		return v, false, nil
	}
	v, err = r.decode(k, raw)
	return v, err == nil, err
}

// Put writes the record with this key.
func (r *Records[T]) Put(k string, v T) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write feature/%s %q: %w", r.name, k, err)
	}
	var b *bolt.Bucket
	if err = r.tx.willWrite(); err == nil {
		b, err = r.tx.b.CreateBucketIfNotExists([]byte(prefixFeature + r.name))
	}
	if err == nil {
		err = b.Put([]byte(k), raw)
	}
	if err != nil {
		return fmt.Errorf("write feature/%s %q: %w", r.name, k, err)
	}
	r.tx.touch(prefixFeature + r.name)
	return nil
}

// Delete removes the record with this key; it is no error if there is none.
func (r *Records[T]) Delete(k string) error {
	var b *bolt.Bucket
	err := r.tx.willWrite()
	if err == nil {
		b, err = r.bucket()
	}
	if err == nil && b != nil {
		err = b.Delete([]byte(k))
	}
	if err != nil {
		return fmt.Errorf("delete feature/%s %q: %w", r.name, k, err)
	}
	r.tx.touch(prefixFeature + r.name)
	return nil
}

// Each calls do with every record whose key begins with prefix ("": all), by
// key, until do returns an error, which Each returns as it is. do must not
// write to the same feature's records; collect first, then write.
func (r *Records[T]) Each(prefix string, do func(k string, v T) error) error {
	b, err := r.bucket()
	if err != nil {
		return fmt.Errorf("list feature/%s: %w", r.name, err)
	}
	if b == nil {
		return nil
	}
	return scan(b, []byte(prefix), nil, false, func(k, raw []byte) (bool, error) {
		v, err := r.decode(string(k), raw)
		if err == nil {
			err = do(string(k), v)
		}
		return true, err
	})
}

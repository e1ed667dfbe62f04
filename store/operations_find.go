package store

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// OperationFilter says which operations; what is zero does not filter.
type OperationFilter struct {
	Service, Environment string

	Before string    // the id of an operation: only what was begun before it
	Since  time.Time // begun not before it
	Limit  int       // the newest so many
	Keep   func(*Operation) bool
}

// FindOperations returns the operations that match all of f, newest first. An
// unknown Before is ErrNotFound.
func (tx *Tx) FindOperations(f OperationFilter) ([]*Operation, error) {
	prefix := key{}.text(f.Service).text(f.Environment)
	var end key
	if f.Before != "" {
		last, err := tx.Operation(f.Before)
		if err != nil {
			return nil, err
		}
		end = slices.Clone(prefix).at(last.Created).id(last.ID)
	}
	index, err := tx.bucket(bucketOperationsByScope)
	rows, err2 := tx.bucket(bucketOperationsRows)
	if err = errors.Join(err, err2); err != nil {
		return nil, fmt.Errorf("find operations: %w", err)
	}
	var out []*Operation
	since := key{}.at(f.Since)
	err = scan(index, prefix, end, true, func(k, v []byte) (bool, error) {
		if slices.Compare(k[len(prefix):], since) < 0 {
			return false, nil
		}
		o, err := operations.follow(rows, v)
		if err == nil && (f.Keep == nil || f.Keep(o)) {
			out = append(out, o)
		}
		return f.Limit <= 0 || len(out) < f.Limit, err
	})
	if err != nil {
		return nil, fmt.Errorf("find operations: %w", err)
	}
	return out, nil
}

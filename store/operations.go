package store

import (
	"fmt"
	"time"
)

var operations = table[Operation]{
	what: "operation", rows: bucketOperationsRows, topic: TopicOperations,
	entries: func(o *Operation) []entry {
		list := []entry{}
		for _, scope := range scopes(o.Service, o.Environment) {
			list = append(list, entry{bucketOperationsByScope, scope.at(o.Created).id(o.ID)})
		}
		for _, t := range o.Targets {
			list = append(list, entry{bucketOperationsByTarget, key{}.text(t).at(o.Created).id(o.ID)})
		}
		if o.PR != 0 {
			list = append(list, entry{bucketOperationsByPull, key{}.pull(o.RepoID, o.PR).id(o.ID)})
		}
		if !o.Terminal() {
			list = append(list, entry{bucketOperationsLive, key{}.at(o.Created).id(o.ID)})
		}
		return list
	},
}

// scopes are the prefixes under which a record of (service, environment) is
// found, where "" stands for any.
func scopes(service, environment string) []key {
	list := []key{key{}.text("").text("")}
	if environment != "" {
		list = append(list, key{}.text("").text(environment))
	}
	if service != "" {
		list = append(list, key{}.text(service).text(""))
	}
	if service != "" && environment != "" {
		list = append(list, key{}.text(service).text(environment))
	}
	return list
}

// Operation returns the operation with this id, or ErrNotFound.
func (tx *Tx) Operation(id string) (*Operation, error) { return operations.get(tx, []byte(id)) }

// PutOperation writes o, whose Version must be the one that is stored (0: none
// is), else it is ErrConflict. It raises o.Version and sets o.Updated, and
// o.Created if that is zero.
func (tx *Tx) PutOperation(o *Operation) error {
	if err := checkText(append([]string{o.ID, o.Service, o.Environment}, o.Targets...)...); err != nil {
		return fmt.Errorf("write operation: %w", err)
	}
	old, have, err := stored(tx, &operations, []byte(o.ID))
	if err != nil {
		return err
	}
	if have && old.Version != o.Version || !have && o.Version != 0 {
		return conflict("operation", o.ID, o.Version)
	}
	stamp(tx, &o.Version, &o.Created, &o.Updated)
	return operations.put(tx, []byte(o.ID), old, o)
}

// stored reads the row that is about to be written over, if there is one.
func stored[T any](tx *Tx, t *table[T], k []byte) (old *T, have bool, err error) {
	old, err = t.get(tx, k)
	if notFound(err) {
		return nil, false, nil
	}
	return old, err == nil, err
}

func conflict(what, id string, version uint64) error {
	return fmt.Errorf("write %s %s, read at version %d: %w", what, id, version, ErrConflict)
}

func stamp(tx *Tx, version *uint64, created, updated *time.Time) {
	set(tx, version, *version+1)
	set(tx, updated, tx.now)
	if created.IsZero() {
		set(tx, created, tx.now)
	}
}

// OperationByPull returns the operations of a pull request, oldest first.
func (tx *Tx) OperationByPull(repoID int64, number int) ([]*Operation, error) {
	return operations.through(tx, bucketOperationsByPull, key{}.pull(repoID, number), false, 0, nil)
}

// LiveOperations returns those that are not over, oldest first.
func (tx *Tx) LiveOperations() ([]*Operation, error) {
	return operations.through(tx, bucketOperationsLive, nil, false, 0, nil)
}

// OperationsOf returns the newest operations of a service in an environment,
// newest first; "" is any, a limit of 0 all.
func (tx *Tx) OperationsOf(service, environment string, limit int) ([]*Operation, error) {
	return operations.through(tx, bucketOperationsByScope, key{}.text(service).text(environment), true, limit, nil)
}

// OperationsByTarget returns the newest operations that touch target, newest first.
func (tx *Tx) OperationsByTarget(target string, limit int) ([]*Operation, error) {
	return operations.through(tx, bucketOperationsByTarget, key{}.text(target), true, limit, nil)
}

// Operations pages through all, newest first: before is the id of the last one
// of the page before, "" to begin.
func (tx *Tx) Operations(before string, limit int) ([]*Operation, error) {
	if before == "" {
		return tx.OperationsOf("", "", limit)
	}
	last, err := tx.Operation(before)
	if err != nil {
		return nil, err
	}
	prefix := key{}.text("").text("")
	end := append(key{}, prefix...).at(last.Created).id(last.ID)
	return operations.until(tx, bucketOperationsByScope, prefix, end, limit)
}

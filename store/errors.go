package store

import (
	"errors"
	"fmt"
)

// What a caller may ask of an error with errors.Is.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("changed meanwhile")         // somebody else's version is stored
	ErrHeld     = errors.New("held")                      // a run lock is another job's
	ErrClosed   = errors.New("the store is closed")       // after Close
	ErrNewer    = errors.New("written by a newer binary") // the file's schema is ahead of ours
	ErrDamaged  = errors.New("the file is damaged")       // unreadable, or an I/O error made it untrustworthy
)

// HeldError says who holds a run lock. It is an ErrHeld.
type HeldError struct{ Lock RunLock }

func (e *HeldError) Error() string {
	return fmt.Sprintf("take run lock of %s: held by %s, attempt %d", e.Lock.Target, e.Lock.Job, e.Lock.Attempt)
}

// Is makes errors.Is(err, ErrHeld) true.
func (e *HeldError) Is(target error) bool { return target == ErrHeld }

// PanicError is what Update returns when its function panicked. Nothing of
// what the function wrote is kept.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("update store: panic: %v", e.Value) }

// Unwrap gives the error that was panicked with, if it was one.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

func notFound(err error) bool { return errors.Is(err, ErrNotFound) }

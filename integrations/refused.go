package integrations

import "errors"

// Refused says that something is forbidden until somebody changes something: a
// scope, a setting of the workspace, its plan, who is on a list. Trying again before
// that is of no use: say it once, with what is to be done, and go on without.
type Refused struct {
	Why string
	Do  string // what somebody can change; "" where Why says it all
}

func (e *Refused) Error() string {
	if e.Do == "" {
		return e.Why
	}
	return e.Why + ": " + e.Do
}

// ForGood says that trying again is of no use: it was refused until somebody changes
// something, or its place is gone. What remains is to be tried again (*Later), or
// nobody knows.
func ForGood(err error) bool {
	return errors.As(err, new(*Refused)) || errors.As(err, new(*Gone))
}

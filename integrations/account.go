package integrations

import (
	"errors"
	"time"
)

// Account is an account on GitHub.
type Account struct {
	ID    int64  // which a rename does not change
	Login string // as GitHub spells it
	Bot   bool   // of a program or an organisation, not of a person
}

// DeviceCode is a code that somebody types on GitHub to show which account is
// theirs.
type DeviceCode struct {
	Code     Secret        // what we ask with
	User     string        // what they type: "WDJB-MJHT"
	URL      string        // and where
	Life     time.Duration // for how long it is good
	Interval time.Duration // between two askings, at least
}

// What asking about a device code may come to.
var (
	ErrPending = errors.New("nobody has typed the code yet")
	ErrExpired = errors.New("the code has expired")
	ErrDenied  = errors.New("it was denied")
)

// Package window counts what may happen so often in any stretch of time, as the
// limits of an API are put: fifty calls in any minute. A token bucket
// (golang.org/x/time/rate) of the same numbers lets almost twice as many through
// in the minute after a rest.
package window

import (
	"slices"
	"time"
)

// Window is a limit and what was taken of it lately. The caller brings the time
// and the lock.
type Window struct {
	Most int           // how many in any stretch of Per
	Per  time.Duration // the stretch

	at []time.Time // of what was taken, from the last Per on, oldest first
}

// New makes a window with nothing taken.
func New(most int, per time.Duration) *Window { return &Window{Most: most, Per: per} }

// Used is how many were taken in the stretch that ends now, and for later.
func (w *Window) Used(now time.Time) int {
	n := 0
	for n < len(w.at) && now.Sub(w.at[n]) >= w.Per {
		n++
	}
	w.at = w.at[n:]
	return len(w.at)
}

// Take counts one, that happens now or is sure to happen then.
func (w *Window) Take(at time.Time) {
	i := len(w.at)
	for i > 0 && w.at[i-1].After(at) {
		i--
	}
	w.at = slices.Insert(w.at, i, at)
}

// Wait is how long until there is room for one more when ahead others are let go
// first; 0 is now. More than the window holds is never there at once: for that
// it answers Per.
func (w *Window) Wait(now time.Time, ahead int) time.Duration {
	over := w.Used(now) + ahead - w.Most // how many must be forgotten, but one
	switch {
	case over < 0:
		return 0
	case over >= len(w.at):
		return w.Per
	}
	return w.at[over].Add(w.Per).Sub(now)
}

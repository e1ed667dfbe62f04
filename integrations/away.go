package integrations

import (
	"errors"
	"fmt"
	"time"
)

// Away says that a system was not reached, or did not answer well: what was asked
// of it may work once it does. Nothing is known to have been done.
type Away struct {
	System string // as people call it: "GitHub"
	// Since is when its silence began, in domain time, and For how long that is ago.
	Since time.Time
	For   time.Duration
	Err   error
}

func (e *Away) Error() string { return e.Err.Error() }
func (e *Away) Unwrap() error { return e.Err }

// Known says that it has been silent for so long that this is more than a hiccup,
// or one call that it cannot answer.
func (e *Away) Known() bool { return e.For >= SilenceKnown }

// SilenceKnown is how long that is.
const SilenceKnown = 30 * time.Second

// Wait is after how long to ask again: the longer the silence, the later.
func (e *Away) Wait() time.Duration { return min(max(e.For/4, 2*time.Second), time.Minute) }

// Silence is the sentence about it.
func (e *Away) Silence() string {
	if e.Since.IsZero() {
		return e.System + " does not answer"
	}
	return Watched{Name: e.System}.Silence(e.Since, e.Since.Add(e.For))
}

// AwayOf names the system whose silence an error comes from; "" if it comes from
// something else.
func AwayOf(err error) string {
	var away *Away
	if errors.As(err, &away) {
		return away.System
	}
	return ""
}

// Watched is a system whose silence people are told of.
type Watched struct {
	Name string
	// Silent says since when it has not answered, in domain time; ok is false
	// while it does. It asks nobody.
	Silent func() (since time.Time, ok bool)
	// Tells says that it is where people are told things: while it is silent, they
	// cannot be told even that.
	Tells bool
}

// Silence is the sentence about a system that does not answer at now.
func (w Watched) Silence(since, now time.Time) string {
	at := since.UTC().Format("15:04")
	if now.Sub(since) > 18*time.Hour {
		at = since.UTC().Format("2006-01-02 15:04")
	}
	return fmt.Sprintf("%s has not answered since %s UTC", w.Name, at)
}

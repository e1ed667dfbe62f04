// Package settime is when something comes that is to happen at set times, which are
// written as cron expressions and read off the clock of a zone. It is a tool of the kit
// and pure: who asks keeps how far they are.
package settime

import (
	"fmt"
	"time"

	"github.com/netresearch/go-cron"
)

// Times are those of some expressions, by the clock of a zone; nil is UTC.
type Times struct {
	Expressions []string
	Zone        *time.Location
}

// Check says what is wrong with an expression; example is one that is right.
func Check(expression, example string) error {
	if _, err := cron.ParseStandard(expression); err != nil {
		return fmt.Errorf("%q is no cron expression: %w; want one like %q", expression, err, example)
	}
	return nil
}

// After is the first time behind a moment; zero if there is none. An expression that Check
// has not passed has no times.
func (t Times) After(moment time.Time) (first time.Time) {
	zone := t.Zone
	if zone == nil {
		zone = time.UTC
	}
	for _, e := range t.Expressions {
		spec, err := cron.ParseStandard(e)
		if err != nil {
			continue
		}
		if next := spec.Next(moment.In(zone)); !next.IsZero() && (first.IsZero() || next.Before(first)) {
			first = next
		}
	}
	return first
}

// Newest is the last of the times from first, which is one of them, until now: of several
// that were missed the one that is told. It is zero if first is, or is still to come.
func (t Times) Newest(first, now time.Time) time.Time {
	if first.IsZero() || now.Before(first) {
		return time.Time{}
	}
	for next := t.After(first); !next.IsZero() && !next.After(now); next = t.After(first) {
		first = next
	}
	return first
}

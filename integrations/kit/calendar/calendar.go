// Package calendar says whether deploys may begin at an instant, and if not,
// why, since when and until when. It is a tool of the kit: a gate asks it inside
// a database transaction, so everything that can be worked out beforehand is
// worked out by Parse, and At reads no clock, no file and no network.
//
// What is open is read off the clock on the wall in one zone: a window of
// 10:00-18:00 is open whenever that clock shows 10:00 to 17:59. An hour that
// the wall clock skips is not there to deploy in, and one that it shows twice
// counts both times. What is closed wins over what is open: a closed day lasts
// for as long as the wall shows that date.
package calendar

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	// The zones travel with whoever asks for one by name: a container made
	// from scratch has none.
	_ "time/tzdata"
)

// Spec is deploy windows as the configuration says them.
type Spec struct {
	Zone   string   `yaml:"zone"`   // IANA name, "Asia/Tokyo"; "" is UTC
	Open   []string `yaml:"open"`   // "weekdays 10:00-18:00", "fri 22:00-02:00"; empty: always open apart from Closed
	Closed []string `yaml:"closed"` // "japan", "japan-year-end", "2026-12-24", "2026-12-24..2027-01-04", "ics:/etc/signalbox/company.ics"
	Eves   bool     `yaml:"eves"`   // the day before a closed day is closed too
	// Free is what events of an ics file are that take up no time
	// (TRANSP:TRANSPARENT): "closed" as all others, which "" is too, or "open".
	// Google's holidays are all such events.
	Free string `yaml:"free"`
}

// Windows is a Spec, understood. The zero value is always open. A value is not
// changed after Parse, and may be used by several goroutines.
type Windows struct {
	zone     *time.Location
	set      bool      // the Spec said something
	windowed bool      // week rules; otherwise it is open apart from closures
	week     []stretch // open, in wall seconds since Monday 00:00; sorted, apart from each other
	said     string    // the windows in words, with their zone
	free     bool      // events that take up no time close nothing
	closures []closure // sorted, apart from each other
}

// State is how it stands at an instant.
type State struct {
	Open  bool
	Why   string    // closed: the reason, for people
	Since time.Time // closed: the start of this closed stretch; zero if that is more than 366 days back
	Until time.Time // the next opening or closing; zero if there is none within 366 days
}

// horizon is the last year in which rules without an end are followed: Japan's
// holidays (the formula of the equinoxes ends with 2099), recurring events.
const horizon = 2099

// aYear is how far At looks back and ahead: a yearly event is at most so far off.
const aYear = 366 * 24 * 60 * 60

// Parse understands a Spec. It reads the ICS files that s names. The error
// joins every mistake, each with its field, what is wrong and a form that works.
func Parse(s Spec) (Windows, error) {
	w := Windows{zone: time.UTC, set: len(s.Open)+len(s.Closed) > 0}
	zone, zoneErr := loadZone(s.Zone)
	if zoneErr == nil {
		w.zone = zone
	} else {
		zoneErr = fmt.Errorf("zone: %w", zoneErr)
	}
	openErr := w.parseOpen(s.Open)
	var freeErr error
	switch s.Free {
	case "", "closed":
	case "open":
		w.free = true
	default:
		freeErr = fmt.Errorf("free: %q is neither closed nor open", s.Free)
	}
	closedErr := w.parseClosed(s.Closed, s.Eves)
	if err := errors.Join(zoneErr, openErr, freeErr, closedErr); err != nil {
		return Windows{}, err
	}
	return w, nil
}

// loadZone understands the name of an IANA zone; "" is UTC.
func loadZone(name string) (*time.Location, error) {
	// "Local" would be another zone on each machine.
	if zone, err := time.LoadLocation(name); err == nil && !strings.EqualFold(name, "local") {
		return zone, nil
	}
	return nil, fmt.Errorf("%q is no zone of the IANA database; write one like Asia/Tokyo, America/Chicago or UTC", name)
}

// IsZero reports whether there are neither windows nor closed days, so that the
// calendar never keeps a deploy back.
func (w Windows) IsZero() bool { return !w.set }

// Zone is the zone whose wall clock counts; UTC for the zero value.
func (w Windows) Zone() *time.Location {
	if w.zone == nil {
		return time.UTC
	}
	return w.zone
}

// At says how it stands at t. Since and Until are in w.Zone().
func (w Windows) At(t time.Time) State {
	now := t.Unix()
	here := w.pieceAt(now)
	s := State{Open: here.open}
	if !here.open {
		s.Why = here.why
		if s.Why == "" {
			s.Why = w.outside(now)
		}
		s.Since = w.instant(w.since(here, now-aYear))
	}
	s.Until = w.instant(w.until(here, now+aYear))
	return s
}

// instant is seconds as a time in the zone; those out of reach are zero.
func (w Windows) instant(sec int64) time.Time {
	if sec == never || sec == always {
		return time.Time{}
	}
	return time.Unix(sec, 0).In(w.Zone())
}

// always and never are the ends of what has no end.
const (
	always = math.MinInt64
	never  = math.MaxInt64
)

// piece is a time in which nothing changes, [from, to) in Unix seconds. What
// comes before or after it may still be the same.
type piece struct {
	open     bool
	why      string // of a closure; "" outside the windows
	from, to int64
}

// until is when the state of p ends, or never if that is later than limit.
func (w Windows) until(p piece, limit int64) int64 {
	for at := p.to; at <= limit; {
		next := w.pieceAt(at)
		if next.open != p.open {
			return at
		}
		at = next.to
	}
	return never
}

// since is when the state of p began, or always if that is before limit.
func (w Windows) since(p piece, limit int64) int64 {
	for at := p.from; at >= limit; {
		last := w.pieceAt(at - 1)
		if last.open != p.open {
			return at
		}
		at = last.from
	}
	return always
}

// pieceAt finds the piece that an instant is in.
func (w Windows) pieceAt(sec int64) piece {
	p := piece{open: true, from: always, to: never}
	i := firstEndingAfter(w.closures, sec)
	if i < len(w.closures) {
		c := w.closures[i]
		if c.from <= sec {
			return piece{why: c.why, from: c.from, to: c.to}
		}
		p.to = c.from
	}
	if i > 0 {
		p.from = w.closures[i-1].to
	}
	if !w.windowed {
		return p
	}
	shown := segmentAt(w.Zone(), sec)
	open, from, to := weekPiece(w.week, sec+shown.offset)
	from, to = max(from-shown.offset, shown.from), min(to-shown.offset, shown.to)
	if !open {
		return piece{from: from, to: to}
	}
	p.from, p.to = max(p.from, from), min(p.to, to)
	return p
}

// outside says in words that an instant is in no window: by its day alone where
// that day has none.
func (w Windows) outside(sec int64) string {
	local := time.Unix(sec, 0).In(w.Zone())
	when := local.Weekday().String()
	if w.opensOn(local.Weekday()) {
		when += local.Format(" 15:04")
	}
	return when + " is outside the windows (" + w.said + ")"
}

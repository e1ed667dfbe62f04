package rota

import "time"

// A Schedule is who is on call for something.
type Schedule struct {
	Name string
	// Zone is whose wall clock counts, one of the IANA database; nil is UTC.
	Zone   *time.Location
	Layers []Layer
	// Overrides are those of this schedule; their own Schedule is not looked at. How
	// several that overlap go together is told in the package's comment.
	Overrides []Override
}

// A Layer is one rotation of a schedule.
type Layer struct {
	Name string
	// Priority decides at each instant: the layers of the highest that has somebody
	// then are on call, in the order of Schedule.Layers.
	Priority int
	// Epochs are the rosters that the layer had and will have, the first one first.
	// One holds until the next one begins; before the first, nobody is on call.
	Epochs []Epoch
	// Until is the end of the layer; zero is never.
	Until time.Time
}

// An Epoch is the roster of a layer from an instant on.
type Epoch struct {
	From time.Time
	// Anchor is a handoff, from which all others are counted, before it and after it.
	// It may lie before From or after it.
	Anchor Local
	// Unit is "hourly", "daily", "weekly" or "monthly", and a turn is Every of them.
	Unit  string
	Every int
	// Count is "elapsed", which "" is too, or "active": only the days of the windows
	// are counted. A weekday rotation among seven people that counts them all gives two
	// of them no day ever (they always have Saturday and Sunday).
	Count string
	// Groups are on call in turn, all people of one at once.
	Groups [][]string
	// Start is the group whose turn begins at the anchor.
	Start int
	// Windows are when the layer has somebody at all; none is always.
	Windows []Window
}

// Counts of an Epoch.
const (
	Elapsed = "elapsed"
	Active  = "active"
)

// Horizon is how far At, Next and Gaps look for the ends of what they tell.
const Horizon = 400 * 24 * time.Hour

func (s Schedule) zone() *time.Location {
	if s.Zone == nil {
		return time.UTC
	}
	return s.Zone
}

// minute is an instant in Unix seconds without the seconds of its minute.
func minute(t time.Time) int64 { return floorDiv(t.Unix(), 60) * 60 }

// floorDiv divides and rounds down, floorMod is what is left over, never negative.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }

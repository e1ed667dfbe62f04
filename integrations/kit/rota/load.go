package rota

import (
	"slices"
	"time"
)

// Kinds of hours, by how much it takes to be on call in them.
const (
	Working  = "working"
	Evening  = "evening" // of a day on which there is work, before it and after it
	Weekend  = "weekend" // of a day on which there is none, while people are awake
	Sleeping = "sleeping"
)

// Kinds are all of them, the lightest first.
var Kinds = []string{Working, Evening, Weekend, Sleeping}

// Hours say which hours are of which kind: each instant is of exactly one. Sleeping hours
// come first, on whatever day. A day that is none of Working's is a weekend, as the wall
// clock of the zone counts days.
type Hours struct {
	Zone              *time.Location // nil is UTC
	Working, Sleeping Window
}

// A Load is how long somebody was on call, by kind. A kind that has none may be missing.
type Load map[string]time.Duration

// Total is all of it.
func (l Load) Total() (sum time.Duration) {
	for _, d := range l {
		sum += d
	}
	return sum
}

// Add adds another one.
func (l Load) Add(o Load) {
	for kind, d := range o {
		l[kind] += d
	}
}

// Kind is the kind of an instant.
func (h Hours) Kind(at time.Time) string {
	return h.pieces(at.Unix(), at.Unix()+1)[0].kind
}

// Split is how long each kind is in [from, to), to the second.
func (h Hours) Split(from, to time.Time) Load {
	out := Load{}
	for _, p := range h.pieces(from.Unix(), to.Unix()) {
		out[p.kind] += time.Duration(p.to-p.from) * time.Second
	}
	return out
}

// Loads are how long each person of a timeline is on call in [from, to), whoever is with
// them. Nobody is on call twice in one shift.
func (h Hours) Loads(shifts []Shift, from, to time.Time) map[string]Load {
	out := map[string]Load{}
	pieces := h.pieces(from.Unix(), to.Unix())
	for _, s := range shifts {
		lo, hi := max(s.Start.Unix(), from.Unix()), min(s.End.Unix(), to.Unix())
		at, _ := slices.BinarySearchFunc(pieces, lo, func(p kindSpan, lo int64) int {
			if p.to <= lo {
				return -1
			}
			return 1
		})
		for _, p := range pieces[at:] {
			if p.from >= hi {
				break
			}
			for _, d := range s.On {
				if out[d.Person] == nil {
					out[d.Person] = Load{}
				}
				out[d.Person][p.kind] += time.Duration(min(p.to, hi)-max(p.from, lo)) * time.Second
			}
		}
	}
	return out
}

// Covered is how long of [from, to) anybody is on call in a timeline.
func Covered(shifts []Shift, from, to time.Time) (sum time.Duration) {
	for _, s := range shifts {
		if lo, hi := max(s.Start.Unix(), from.Unix()), min(s.End.Unix(), to.Unix()); !s.Gap() && lo < hi {
			sum += time.Duration(hi-lo) * time.Second
		}
	}
	return sum
}

// A kindSpan is a time of one kind.
type kindSpan struct {
	span
	kind string
}

// pieces are [lo, hi) by kinds, one after the other.
func (h Hours) pieces(lo, hi int64) (out []kindSpan) {
	if lo >= hi {
		return nil
	}
	zone := Schedule{Zone: h.Zone}.zone()
	d := newDial(zone, lo, hi)
	free := Window{Days: EveryDay &^ h.Working.Days, End: wholeDay}
	kinds := []struct {
		kind  string
		spans []span
	}{
		{Sleeping, openSpans([]Window{h.Sleeping}, d, lo, hi)},
		{Weekend, openSpans([]Window{free}, d, lo, hi)},
		{Working, openSpans([]Window{h.Working}, d, lo, hi)},
	}
	ends := []int64{hi}
	for _, k := range kinds {
		for _, s := range k.spans {
			ends = append(ends, s.from, s.to)
		}
	}
	slices.Sort(ends)
	for _, end := range ends {
		if end <= lo {
			continue
		}
		kind := Evening
		for _, k := range kinds {
			if slices.ContainsFunc(k.spans, func(s span) bool { return s.from <= lo && lo < s.to }) {
				kind = k.kind
				break
			}
		}
		if n := len(out); n > 0 && out[n-1].kind == kind {
			out[n-1].to = end
		} else {
			out = append(out, kindSpan{span{lo, end}, kind})
		}
		lo = end
	}
	return out
}

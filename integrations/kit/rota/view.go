package rota

import (
	"slices"
	"time"
)

// reaches are how far the ends of a shift are looked for: mostly the first is enough.
var reaches = []time.Duration{4 * 24 * time.Hour, 40 * 24 * time.Hour, Horizon}

// On is who is on call at an instant, who is asked first at the front.
func On(s Schedule, t time.Time) []Duty {
	return Timeline(s, t, t.Add(time.Second))[0].On
}

// At is the shift that an instant is in, whole: Start is when it began, or zero where
// that is longer ago than Horizon, and End when it ends, or zero where that is not
// within Horizon.
func At(s Schedule, t time.Time) Shift {
	for _, reach := range reaches {
		shifts := Timeline(s, t.Add(-reach), t.Add(reach))
		i := slices.IndexFunc(shifts, func(sh Shift) bool { return sh.End.After(t) })
		if i > 0 && i < len(shifts)-1 || reach == Horizon {
			return openEnds(shifts)[i]
		}
	}
	return Shift{}
}

// openEnds makes the edges of a view zero: nothing begins or ends there.
func openEnds(shifts []Shift) []Shift {
	shifts[0].Start, shifts[len(shifts)-1].End = time.Time{}, time.Time{}
	return shifts
}

// ByPeople joins neighbours that have the same people in the same order, for whatever
// reason. Why they are on call is told as it is at the beginning.
func ByPeople(shifts []Shift) (out []Shift) {
	same := func(a, b Duty) bool { return a.Person == b.Person }
	for _, s := range shifts {
		if n := len(out); n > 0 && out[n-1].End.Equal(s.Start) && slices.EqualFunc(out[n-1].On, s.On, same) {
			out[n-1].End = s.End
			continue
		}
		out = append(out, s)
	}
	return out
}

// A Handoff is an instant at which other people are on call than just before it, or the
// same in another order.
type Handoff struct {
	At     time.Time
	Before []Duty
	// After is the shift that begins, until the next handoff.
	After Shift
}

func handoffs(shifts []Shift) (out []Handoff) {
	shifts = ByPeople(shifts)
	for i := 1; i < len(shifts); i++ {
		out = append(out, Handoff{At: shifts[i].Start, Before: shifts[i-1].On, After: shifts[i]})
	}
	return out
}

// Next are the next n handoffs after an instant, fewer where there are no more within
// Horizon. The end of the last shift is zero where that is not within Horizon.
func Next(s Schedule, from time.Time, n int) []Handoff {
	if n <= 0 {
		return nil
	}
	for _, reach := range reaches {
		out := handoffs(Timeline(s, from, from.Add(reach)))
		if len(out) > n {
			return out[:n]
		}
		if reach == Horizon {
			return openEnd(out)
		}
	}
	return nil
}

func openEnd(h []Handoff) []Handoff {
	if len(h) > 0 {
		h[len(h)-1].After.End = time.Time{}
	}
	return h
}

// Handoffs are those of [from, to): one that is exactly at from is among them, and the
// next call begins with this one's to. The end of the last shift is zero where that is
// not within Horizon after to.
func Handoffs(s Schedule, from, to time.Time) []Handoff {
	if !from.Before(to) {
		return nil
	}
	for _, reach := range reaches {
		all := handoffs(Timeline(s, from.Add(-time.Second), to.Add(reach)))
		out := slices.DeleteFunc(slices.Clone(all), func(h Handoff) bool { return h.At.Before(from) || !h.At.Before(to) })
		switch {
		case len(out) == 0 || !out[len(out)-1].At.Equal(all[len(all)-1].At):
			return out
		case reach == Horizon:
			return openEnd(out)
		}
	}
	return nil
}

// Gaps are the times without anybody on call that meet [from, to), whole: one that runs
// has the same Start whenever it is asked for. Start and End are zero where they are
// further than Horizon from the view.
func Gaps(s Schedule, from, to time.Time) (out []Shift) {
	if !from.Before(to) {
		return nil
	}
	for _, reach := range reaches {
		shifts := Timeline(s, from.Add(-reach), to.Add(reach))
		meets := func(i int) bool {
			return shifts[i].Gap() && shifts[i].End.After(from) && shifts[i].Start.Before(to)
		}
		if reach < Horizon && (meets(0) || meets(len(shifts)-1)) {
			continue
		}
		for i, sh := range openEnds(slices.Clone(shifts)) {
			if meets(i) {
				out = append(out, sh)
			}
		}
		return out
	}
	return nil
}

// A Stretch is a time in which somebody is on call without a break.
type Stretch struct {
	Start, End time.Time
	// Duty is why, as it is at the beginning.
	Duty Duty
}

// Of are somebody's own stretches of a timeline, whoever is on call with them and
// whatever the reason. Like the timeline, they are cut off at its view.
func Of(shifts []Shift, person string) (out []Stretch) {
	for _, s := range shifts {
		i := slices.IndexFunc(s.On, func(d Duty) bool { return d.Person == person })
		if i < 0 {
			continue
		}
		if n := len(out); n > 0 && out[n-1].End.Equal(s.Start) {
			out[n-1].End = s.End
			continue
		}
		out = append(out, Stretch{s.Start, s.End, s.On[i]})
	}
	return out
}

// Moved are the people whose next stretch is another one after a change, by their
// names: the first that begins after now, in two timelines of the same view. Somebody
// who has none any more, or did not have one, is among them; what is running already is
// not looked at.
func Moved(before, after []Shift, now time.Time) (people []string) {
	for _, shifts := range [][]Shift{before, after} {
		for _, s := range shifts {
			for _, d := range s.On {
				people = append(people, d.Person)
			}
		}
	}
	slices.Sort(people)
	return slices.DeleteFunc(slices.Compact(people), func(p string) bool {
		a, b := nextOf(before, p, now), nextOf(after, p, now)
		return a.Start.Equal(b.Start) && a.End.Equal(b.End)
	})
}

// nextOf is somebody's first stretch that begins after an instant; zero if they have
// none.
func nextOf(shifts []Shift, person string, after time.Time) Stretch {
	for _, st := range Of(shifts, person) {
		if st.Start.After(after) {
			return st
		}
	}
	return Stretch{}
}

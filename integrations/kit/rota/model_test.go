package rota

import (
	"slices"
	"time"
)

// The model is the rules once more, told the slow way: it writes down what the clock on
// the wall shows in each minute, walks from the anchor turn by turn, and asks minute by
// minute who is on call.
type model struct {
	zone        *time.Location
	start       time.Time   // of the first minute
	shown       []time.Time // what the clock shows in each minute, as if in UTC
	first, last map[time.Time]int
}

// margin is how much more than the view is written down: for windows and turns that
// reach into it.
const margin = 4 * 24 * 60

func modelOf(zone *time.Location, from, to time.Time) *model {
	m := &model{zone: zone, start: from.Add(-margin * time.Minute), first: map[time.Time]int{}, last: map[time.Time]int{}}
	for n := 0; ; n++ {
		at := m.start.Add(time.Duration(n) * time.Minute).In(zone)
		if at.After(to.Add(margin * time.Minute)) {
			return m
		}
		wall := time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), 0, 0, time.UTC)
		m.shown = append(m.shown, wall)
		if _, ok := m.first[wall]; !ok {
			m.first[wall] = n
		}
		m.last[wall] = n
	}
}

// at is the minute in which a reading is shown, by one of first and last; of one that
// is skipped, the next that is shown. Beyond what is written down, it is at its ends.
func (m *model) at(wall time.Time, shown map[time.Time]int) int {
	if wall.Before(m.shown[0]) {
		return -1
	}
	for ; !wall.After(m.shown[len(m.shown)-1]); wall = wall.Add(time.Minute) {
		if n, ok := shown[wall]; ok {
			return n
		}
	}
	return len(m.shown)
}

// starts are when turns begin: walls in order, and the group of each.
type starts struct {
	walls  []time.Time
	groups []int
}

// walk goes from the anchor forward and back, a turn at a time, until it is past the
// minutes that are written down.
func (m *model) walk(e Epoch) (out starts) {
	anchor := time.Date(e.Anchor.Year, e.Anchor.Month, e.Anchor.Day, e.Anchor.Hour, e.Anchor.Minute, 0, 0, time.UTC)
	group := e.Start
	wall := anchor
	for wall = m.masked(e, wall, 1); ; wall = m.step(e, anchor, wall, 1) {
		out.walls, out.groups = append(out.walls, wall), append(out.groups, group)
		group = (group + 1) % len(e.Groups)
		if wall.After(m.shown[len(m.shown)-1].AddDate(0, 0, 3)) {
			break
		}
	}
	group = e.Start
	for wall = m.masked(e, anchor, 1); !wall.Before(m.shown[0].AddDate(0, 0, -3)); {
		wall = m.step(e, anchor, wall, -1)
		group = (group + len(e.Groups) - 1) % len(e.Groups)
		out.walls, out.groups = slices.Insert(out.walls, 0, wall), slices.Insert(out.groups, 0, group)
	}
	return out
}

// masked is the next day that counts, or the same.
func (m *model) masked(e Epoch, wall time.Time, way int) time.Time {
	for e.Count == Active && !slices.ContainsFunc(e.Windows, func(w Window) bool { return w.Days&(1<<wall.Weekday()) != 0 }) {
		wall = wall.AddDate(0, 0, way)
	}
	return wall
}

// step is the start of the turn before or after.
func (m *model) step(e Epoch, anchor, wall time.Time, way int) time.Time {
	for range e.Every {
		switch e.Unit {
		case "hourly":
			wall = wall.Add(time.Duration(way) * time.Hour)
		case "daily":
			wall = m.masked(e, wall.AddDate(0, 0, way), way)
		case "weekly":
			wall = wall.AddDate(0, 0, 7*way)
		case "monthly":
			firstOf := time.Date(wall.Year(), wall.Month()+time.Month(way), 1, wall.Hour(), wall.Minute(), 0, 0, time.UTC)
			wall = firstOf
			for wall.Day() < anchor.Day() && wall.AddDate(0, 0, 1).Month() == firstOf.Month() {
				wall = wall.AddDate(0, 0, 1)
			}
		}
	}
	return wall
}

// turns is the group in each minute, by the turns of an epoch alone.
func (m *model) turns(e Epoch) []int {
	out := make([]int, len(m.shown))
	s := m.walk(e)
	for i, wall := range s.walls {
		for n := max(m.at(wall, m.first), 0); n < len(out); n++ {
			out[n] = s.groups[i]
		}
	}
	return out
}

// open says of each minute whether a window of an epoch is open.
func (m *model) open(e Epoch) []bool {
	out := make([]bool, len(m.shown))
	for day := m.shown[0].Truncate(24*time.Hour).AddDate(0, 0, 1); day.Before(m.shown[len(m.shown)-1].AddDate(0, 0, -2)); day = day.AddDate(0, 0, 1) {
		for _, w := range e.Windows {
			if w.Days&(1<<day.Weekday()) == 0 {
				continue
			}
			end := day.Add(time.Duration(w.End) * time.Minute)
			if w.End <= w.Start {
				end = end.AddDate(0, 0, 1)
			}
			for n := m.at(day.Add(time.Duration(w.Start)*time.Minute), m.first); n < m.at(end, m.last); n++ {
				out[n] = true
			}
		}
	}
	return out
}

// layer is who a layer has in each minute.
func (m *model) layer(l Layer) [][]Duty {
	out := make([][]Duty, len(m.shown))
	for i, e := range l.Epochs {
		turns, open := m.turns(e), m.open(e)
		for n := range out {
			at := m.start.Add(time.Duration(n) * time.Minute)
			if at.Before(e.From) || i+1 < len(l.Epochs) && !at.Before(l.Epochs[i+1].From) || !l.Until.IsZero() && !at.Before(l.Until) {
				continue
			}
			if len(e.Windows) == 0 || open[n] {
				for _, p := range e.Groups[turns[n]] {
					out[n] = append(out[n], Duty{Person: p, Layer: l.Name})
				}
			}
		}
	}
	return out
}

// schedule is who is on call in each minute.
func (m *model) schedule(s Schedule) [][]Duty {
	var layers [][][]Duty
	for _, l := range s.Layers {
		layers = append(layers, m.layer(l))
	}
	latest := slices.Clone(s.Overrides) // the last made first
	slices.SortFunc(latest, func(a, b Override) int { return int(b.Order) - int(a.Order) })
	out := make([][]Duty, len(m.shown))
	for n := range out {
		at := m.start.Add(time.Duration(n) * time.Minute)
		var now []Override
		for _, o := range latest {
			if !at.Before(o.Start) && at.Before(o.End) {
				now = append(now, o)
			}
		}
		var base []Duty
		for priority := 3; priority >= 0 && base == nil; priority-- {
			for i, l := range s.Layers {
				if l.Priority == priority {
					base = once(append(base, layers[i][n]...))
				}
			}
		}
		out[n] = changed(base, now)
	}
	return out
}

// once keeps the first of each person, with the first reason why somebody is put aside
// for them.
func once(all []Duty) (out []Duty) {
	for i, d := range all {
		if slices.ContainsFunc(all[:i], func(b Duty) bool { return b.Person == d.Person }) {
			continue
		}
		for _, b := range all[i:] {
			if b.Person == d.Person && d.Override == "" {
				d.Override, d.Instead = b.Override, b.Instead
			}
		}
		out = append(out, d)
	}
	return out
}

// changed asks of each place and of each add whatever was said about it, the last first.
func changed(base []Duty, latest []Override) []Duty {
	has := func(p string) bool { return slices.ContainsFunc(base, func(d Duty) bool { return d.Person == p }) }
	var out []Duty
	for _, o := range latest {
		if o.Kind == Take && len(base) == 0 {
			out = append(out, Duty{Person: o.Person, Override: o.ID})
			break
		}
	}
	for _, d := range base {
		removed := false
		filled := false
		for _, o := range latest {
			mine := o.Kind == Take || o.Kind == Replace && o.Instead == d.Person
			if o.Kind == Remove && o.Instead == d.Person {
				removed = true
			}
			if !mine {
				continue
			}
			filled = true
			switch {
			case o.Kind == Take && o.Person != d.Person, !removed && o.Person != d.Person:
				out = append(out, Duty{Person: o.Person, Layer: d.Layer, Override: o.ID, Instead: d.Person})
			case !removed:
				out = append(out, d)
			}
			break
		}
		if !filled && !removed {
			out = append(out, d)
		}
	}
	out = once(out)
	var added []Duty
	for i, o := range latest {
		undone := slices.ContainsFunc(latest[:i], func(l Override) bool {
			return l.Kind == Take || l.Kind == Add && l.Person == o.Person || l.Kind == Remove && l.Instead == o.Person ||
				l.Kind == Replace && l.Instead == o.Person && has(o.Person)
		})
		if o.Kind != Add || undone || slices.ContainsFunc(out, func(d Duty) bool { return d.Person == o.Person }) {
			continue
		}
		d := Duty{Person: o.Person, Override: o.ID}
		for _, b := range base {
			if b.Person == o.Person {
				d.Layer = b.Layer
			}
		}
		added = slices.Insert(added, 0, d)
	}
	return append(out, added...)
}

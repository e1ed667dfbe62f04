package rota

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
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

var (
	anyZone   = rapid.SampledFrom([]string{"UTC", "Asia/Tokyo", "America/Chicago", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo", "Africa/Casablanca", "Asia/Kathmandu", "Antarctica/Troll"})
	anyClock  = rapid.OneOf(rapid.IntRange(0, 24*60-1), rapid.SampledFrom([]int{0, 30, 60, 90, 120, 150, 180, 23 * 60, 23*60 + 30, 24*60 - 1}))
	anyPerson = rapid.SampledFrom([]string{"ann", "bob", "cem", "dee", "eva"})
	anyUnit   = rapid.SampledFrom(unitNames)
)

// anyView is a few days, often with a change of the clocks in it.
func anyView(t *rapid.T, z *time.Location) (from, to time.Time) {
	from = time.Unix(rapid.Int64Range(300_000_000, 2_300_000_000).Draw(t, "at")/60*60, 0).In(z) // 1979 to 2042
	if z.String() == "Pacific/Apia" && rapid.Bool().Draw(t, "the skipped day") {
		from = time.Date(2011, 12, 29, 12, 0, 0, 0, z)
	}
	if _, change := from.ZoneBounds(); !change.IsZero() && rapid.IntRange(0, 3).Draw(t, "near a change") > 0 {
		from = change.Truncate(time.Minute).Add(-time.Duration(rapid.IntRange(0, 48*60).Draw(t, "before it")) * time.Minute)
	}
	return from, from.Add(time.Duration(rapid.IntRange(1, 4*24*60).Draw(t, "minutes")) * time.Minute)
}

// minuteNear is a minute in or near a view.
func minuteNear(t *rapid.T, from, to time.Time, name string) time.Time {
	minutes := int(to.Sub(from) / time.Minute)
	return from.Add(time.Duration(rapid.IntRange(-600, minutes+600).Draw(t, name)) * time.Minute)
}

func anyEpoch(t *rapid.T, from time.Time) Epoch {
	e := Epoch{Unit: anyUnit.Draw(t, "unit"), Every: rapid.IntRange(1, 5).Draw(t, "every"), Count: Elapsed}
	far := map[string]int{"hourly": 10, "daily": 100, "weekly": 300, "monthly": 2000}[e.Unit]
	day := from.AddDate(0, 0, rapid.IntRange(-far, far).Draw(t, "anchor"))
	clock := anyClock.Draw(t, "clock")
	e.Anchor = Local{day.Year(), day.Month(), day.Day(), clock / 60, clock % 60}
	for range rapid.IntRange(1, 5).Draw(t, "groups") {
		e.Groups = append(e.Groups, rapid.SliceOfNDistinct(anyPerson, 1, 2, rapid.ID[string]).Draw(t, "group"))
	}
	e.Start = rapid.IntRange(0, len(e.Groups)-1).Draw(t, "start")
	for range rapid.IntRange(0, 3).Draw(t, "windows") {
		w := Window{Days(rapid.IntRange(1, 127).Draw(t, "days")), Clock(anyClock.Draw(t, "opens")), Clock(anyClock.Draw(t, "closes"))}
		if rapid.IntRange(0, 9).Draw(t, "midnight") == 0 {
			w.End = wholeDay
		}
		e.Windows = append(e.Windows, w)
	}
	if e.Unit == "daily" && len(e.Windows) > 0 && rapid.Bool().Draw(t, "active") {
		e.Count = Active
	}
	return e
}

func anySchedule(t *rapid.T, z *time.Location, from, to time.Time) Schedule {
	s := Schedule{Zone: z}
	for n := range rapid.IntRange(1, 3).Draw(t, "layers") {
		l := Layer{Name: fmt.Sprint("layer", n), Priority: rapid.IntRange(0, 2).Draw(t, "priority")}
		began := from.AddDate(-1, 0, 0)
		for range rapid.IntRange(1, 3).Draw(t, "epochs") {
			e := anyEpoch(t, from)
			e.From = began
			l.Epochs = append(l.Epochs, e)
			if began = minuteNear(t, from, to, "next epoch"); !began.After(e.From) {
				break
			}
		}
		if rapid.IntRange(0, 3).Draw(t, "begins late") == 0 {
			l.Epochs[0].From = minuteNear(t, from, to, "begins")
			l.Epochs = l.Epochs[:1]
		}
		if rapid.IntRange(0, 3).Draw(t, "ends") == 0 {
			if l.Until = minuteNear(t, from, to, "until"); !l.Until.After(l.Epochs[0].From) {
				l.Until = time.Time{}
			}
		}
		s.Layers = append(s.Layers, l)
	}
	for n := range rapid.IntRange(0, 6).Draw(t, "overrides") {
		o := Override{ID: fmt.Sprint(n), Kind: rapid.SampledFrom(kindNames).Draw(t, "kind"), Start: minuteNear(t, from, to, "starts"), Order: uint64(rapid.IntRange(0, 99).Draw(t, "order")*10 + n)}
		o.End = o.Start.Add(time.Duration(rapid.IntRange(1, 2000).Draw(t, "for")) * time.Minute)
		if o.Kind != Remove {
			o.Person = anyPerson.Draw(t, "person")
		}
		if o.Kind == Replace || o.Kind == Remove {
			o.Instead = anyPerson.Filter(func(p string) bool { return p != o.Person }).Draw(t, "instead")
		}
		s.Overrides = append(s.Overrides, o)
	}
	return s
}

func TestTheTimelineAgreesWithTheClockOnTheWall(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		z, err := time.LoadLocation(anyZone.Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		from, to := anyView(t, z)
		s := anySchedule(t, z, from, to)
		if err := s.Validate(); err != nil {
			t.Fatal(err)
		}
		shifts := Timeline(s, from, to)
		whole(t, shifts, from, to)
		m := modelOf(z, from, to)
		want := m.schedule(s)
		live := rapid.IntRange(0, 6).Draw(t, "live")
		i := 0
		for n, at := margin, from; at.Before(to); n, at = n+1, at.Add(time.Minute) {
			changes := false
			if !shifts[i].End.After(at) {
				i, changes = i+1, true
			}
			if !slices.Equal(shifts[i].On, want[n]) {
				t.Fatalf("at %v it is %s, want %s\n%+v", at, why(shifts[i].On), why(want[n]), s)
			}
			// What is live is the same as what is shown before.
			if changes || n%7 == live {
				if got := On(s, at.Add(time.Duration(n%60)*time.Second)); !slices.Equal(got, want[n]) {
					t.Fatalf("at %v it is %s live, and %s in the timeline\n%+v", at, why(got), why(want[n]), s)
				}
			}
		}
		// Whoever cuts a view anywhere sees the same.
		cut := from.Add(time.Duration(rapid.Int64Range(0, int64(to.Sub(from)/time.Second)).Draw(t, "cut")) * time.Second)
		left, right := Timeline(s, from, cut), Timeline(s, cut, to)
		if diff := cmp.Diff(shifts, joined(left, right)); diff != "" {
			t.Fatalf("cut at %v: %s\n%+v", cut, diff, s)
		}
		answers(t, s, shifts, from, to, cut)
	})
}

// whole checks that no instant of a view is lost, and none is in two shifts.
func whole(t *rapid.T, shifts []Shift, from, to time.Time) {
	if len(shifts) == 0 || !shifts[0].Start.Equal(from) || !shifts[len(shifts)-1].End.Equal(to) {
		t.Fatalf("from %v to %v it is %+v", from, to, shifts)
	}
	for i, s := range shifts {
		if !s.Start.Before(s.End) || i > 0 && (!shifts[i-1].End.Equal(s.Start) || slices.Equal(shifts[i-1].On, s.On)) {
			t.Fatalf("shift %d of %+v", i, shifts)
		}
	}
}

func joined(left, right []Shift) []Shift {
	if len(left) == 0 || len(right) == 0 {
		return append(left, right...)
	}
	if a, b := &left[len(left)-1], right[0]; slices.Equal(a.On, b.On) {
		a.End = b.End
		right = right[1:]
	}
	return append(left, right...)
}

// answers compares what is asked about a moment with the timeline around it.
func answers(t *rapid.T, s Schedule, shifts []Shift, from, to, at time.Time) {
	here := At(s, at)
	for i, sh := range shifts {
		if sh.Start.After(at) || !sh.End.After(at) {
			continue
		}
		if !slices.Equal(here.On, sh.On) || i > 0 && !here.Start.Equal(sh.Start) || i < len(shifts)-1 && !here.End.Equal(sh.End) {
			t.Fatalf("at %v it is %+v, and %+v in the timeline\n%+v", at, here, sh, s)
		}
	}
	var want []Handoff
	for _, h := range handoffs(append([]Shift{{Start: from.Add(-time.Minute), End: from, On: On(s, from.Add(-time.Minute))}}, shifts...)) {
		if !h.At.Before(at) {
			want = append(want, h)
		}
	}
	got := Handoffs(s, at, to)
	if len(got) != len(want) {
		t.Fatalf("from %v to %v there are %d handoffs, want %d\n%+v", at, to, len(got), len(want), s)
	}
	for i := range got {
		if !got[i].At.Equal(want[i].At) || people(got[i].Before) != people(want[i].Before) || people(got[i].After.On) != people(want[i].After.On) {
			t.Fatalf("handoff %d is %+v, want %+v\n%+v", i, got[i], want[i], s)
		}
	}
	next := Next(s, at, 2)
	after := slices.DeleteFunc(want, func(h Handoff) bool { return h.At.Equal(at) })
	for i := range min(2, len(after)) {
		if !next[i].At.Equal(after[i].At) || people(next[i].After.On) != people(after[i].After.On) {
			t.Fatalf("after %v the next is %+v, want %+v\n%+v", at, next[i], after[i], s)
		}
	}
	gaps := Gaps(s, from, to)
	n := 0
	for _, sh := range shifts {
		if !sh.Gap() {
			continue
		}
		if n >= len(gaps) || gaps[n].Start.After(sh.Start) || !gaps[n].End.IsZero() && gaps[n].End.Before(sh.End) ||
			sh.Start.After(from) && !gaps[n].Start.Equal(sh.Start) || sh.End.Before(to) && !gaps[n].End.Equal(sh.End) {
			t.Fatalf("gap %d is %+v of %+v\n%+v", n, sh, gaps, s)
		}
		n++
	}
	if n != len(gaps) {
		t.Fatalf("%d gaps, want %d\n%+v", len(gaps), n, s)
	}
}

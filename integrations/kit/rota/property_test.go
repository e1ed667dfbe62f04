package rota

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

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

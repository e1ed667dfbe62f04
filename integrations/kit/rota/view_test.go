package rota

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTheHighestPriorityThatHasSomebody(t *testing.T) {
	night := turn(t, "2026-12-07 00:00", "weekly", 1, "night").during(t, "daily 20:00-08:00")
	second := turn(t, "2026-12-07 00:00", "weekly", 1, "second day").during(t, "weekdays 09:00-18:00")
	first := turn(t, "2026-12-07 00:00", "weekly", 1, "day").during(t, "mon 09:00-12:00")
	s := Schedule{Layers: []Layer{
		{Name: "night", Epochs: []Epoch{night}},
		{Name: "second", Priority: 5, Epochs: []Epoch{second}},
		{Name: "first", Priority: 5, Epochs: []Epoch{first}},
		{Name: "last", Priority: -1, Epochs: []Epoch{turn(t, "2026-12-07 00:00", "weekly", 1, "anybody")}, Until: instant(t, time.UTC, "2026-12-12 00:00")},
	}}
	for at, want := range map[string]string{
		"2026-12-07 08:30": "anybody", "2026-12-07 09:00": "second day", "2026-12-07 12:00": "second day",
		"2026-12-07 20:00": "night", "2026-12-08 07:59": "night", "2026-12-12 07:00": "night", "2026-12-12 12:00": "-",
	} {
		if got := people(On(s, instant(t, time.UTC, at))); got != want {
			t.Errorf("at %s it is %s, want %s", at, got, want)
		}
	}
	// A person is named once, for the layer that comes first.
	on := On(s, instant(t, time.UTC, "2026-12-07 10:00"))
	if diff := cmp.Diff([]Duty{{Person: "second", Layer: "second"}, {Person: "day", Layer: "second"}}, on); diff != "" {
		t.Error(diff)
	}
}

func TestEpochsFollowEachOther(t *testing.T) {
	at := func(text string) time.Time { return instant(t, time.UTC, text) }
	first, then := turn(t, "2026-12-01 09:00", "daily", 1, "a", "b"), turn(t, "2026-12-01 09:00", "daily", 1, "c")
	first.From, then.From = at("2026-12-01 12:00"), at("2026-12-02 12:00")
	want := []string{
		"2026-12-01 00:00 UTC – 2026-12-01 12:00 UTC: -",
		"2026-12-01 12:00 UTC – 2026-12-02 09:00 UTC: a",
		"2026-12-02 09:00 UTC – 2026-12-02 12:00 UTC: b",
		"2026-12-02 12:00 UTC – 2026-12-05 00:00 UTC: c",
		"2026-12-05 00:00 UTC – 2026-12-06 00:00 UTC: -",
	}
	s := schedule(time.UTC, then, first) // in whatever order
	s.Layers[0].Until = at("2026-12-05 00:00")
	if diff := cmp.Diff(want, told(Timeline(s, at("2026-12-01 00:00"), at("2026-12-06 00:00")))); diff != "" {
		t.Error(diff)
	}
	then.From = first.From // the later one of two that begin at once
	if got := people(On(schedule(time.UTC, first, then), at("2026-12-03 12:00"))); got != "c" {
		t.Errorf("%s", got)
	}
}

func TestAtIsTheWholeShift(t *testing.T) {
	z := zone(t, "Asia/Tokyo")
	at := func(text string) time.Time { return instant(t, z, text) }
	s := schedule(z, turn(t, "2026-12-01 09:00", "monthly", 4, "a", "b"))
	sh := At(s, at("2026-12-24 18:00").UTC())
	if diff := cmp.Diff([]string{"2026-12-01 09:00 JST – 2027-04-01 09:00 JST: a"}, told([]Shift{sh})); diff != "" {
		t.Error(diff)
	}
	for _, when := range []string{"2026-12-02 09:00", "2027-03-31 09:00"} { // near to one of its ends
		if near := At(s, at(when)); !near.Start.Equal(sh.Start) || !near.End.Equal(sh.End) {
			t.Errorf("at %s it is %v", when, told([]Shift{near}))
		}
	}
	if next := Next(s, at("2027-03-31 09:00"), 1); len(next) != 1 || !next[0].After.End.Equal(at("2027-08-01 09:00")) {
		t.Errorf("then comes %+v", next)
	}
	if sh = At(s, at("2027-04-01 09:00")); !sh.Start.Equal(at("2027-04-01 09:00")) {
		t.Errorf("at its start it is %+v", sh)
	}
	// Nobody ends what has no end.
	s = schedule(z, turn(t, "2026-12-01 09:00", "weekly", 1, "a"))
	if sh = At(s, at("2026-12-24 18:00")); !sh.Start.IsZero() || !sh.End.IsZero() || people(sh.On) != "a" {
		t.Errorf("%+v", sh)
	}
	if next := Next(s, at("2026-12-24 18:00"), 3); next != nil {
		t.Errorf("then comes %+v", next)
	}
	s.Layers[0].Until = at("2026-12-25 00:00")
	next := Next(s, at("2026-12-24 18:00"), 3)
	if len(next) != 1 || !next[0].After.Gap() || !next[0].After.End.IsZero() || people(next[0].Before) != "a" {
		t.Errorf("then comes %+v", next)
	}
	if next := Next(s, at("2026-12-24 18:00"), 0); next != nil {
		t.Errorf("none is %+v", next)
	}
}

// A handoff is for people: another reason for the same people is none.
func TestTheSamePeopleAreNoHandoff(t *testing.T) {
	at := func(text string) time.Time { return instant(t, time.UTC, text) }
	s := schedule(time.UTC, turn(t, "2026-12-01 09:00", "daily", 1, "a", "b"))
	s.Overrides = says(t, at("2026-12-02 09:00"), at("2026-12-02 21:00"), take("a"))
	if n := len(Timeline(s, at("2026-12-01 09:00"), at("2026-12-03 09:00"))); n != 3 {
		t.Errorf("%d shifts, for 3 reasons", n)
	}
	next := Next(s, at("2026-12-01 09:00"), 1)
	if len(next) != 1 || !next[0].At.Equal(at("2026-12-02 21:00")) || people(next[0].After.On) != "b" || !next[0].After.End.Equal(at("2026-12-03 09:00")) {
		t.Errorf("%+v", next)
	}
}

// 28 and 29 of the facts, as far as it is the calculator's: a process that asks for the
// handoffs since it last did so sees each one once, whenever it was down.
func TestHandoffsOfAWindow(t *testing.T) {
	at := func(text string) time.Time { return instant(t, time.UTC, "2026-12-01 "+text) }
	s := schedule(time.UTC, turn(t, "2026-12-01 09:00", "daily", 1, "a", "b"))
	for _, cuts := range [][]string{
		{"08:59", "09:03"},
		{"08:58", "08:59", "09:00", "09:01"},
		{"08:59", "09:00", "09:00", "09:03"},
		{"08:00", "09:00", "18:00"},
	} {
		var got []Handoff
		for i := range cuts[1:] {
			got = append(got, Handoffs(s, at(cuts[i]), at(cuts[i+1]))...)
		}
		if len(got) != 1 || !got[0].At.Equal(at("09:00")) || people(got[0].Before) != "b" || people(got[0].After.On) != "a" || !got[0].After.End.Equal(at("09:00").AddDate(0, 0, 1)) {
			t.Errorf("%v: %+v", cuts, got)
		}
	}
	if got := Handoffs(s, at("08:59"), at("09:00")); len(got) > 0 {
		t.Errorf("before it: %+v", got)
	}
}

// A gap is told by its start, so that it is reported once: it must not move along with
// whoever asks.
func TestAGapIsWhole(t *testing.T) {
	at := func(text string) time.Time { return instant(t, time.UTC, text) }
	s := schedule(time.UTC, turn(t, "2026-11-30 09:00", "weekly", 1, "a", "b").during(t, "mon-fri 09:00-09:00"))
	want := []string{"2026-12-05 09:00 UTC – 2026-12-07 09:00 UTC: -"}
	for _, view := range [][2]string{
		{"2026-12-04 00:00", "2026-12-11 00:00"}, {"2026-12-05 09:00", "2026-12-05 09:01"}, {"2026-12-06 10:17", "2026-12-06 12:00"}, {"2026-12-07 08:59", "2026-12-08 00:00"},
	} {
		if diff := cmp.Diff(want, told(Gaps(s, at(view[0]), at(view[1])))); diff != "" {
			t.Errorf("%v: %s", view, diff)
		}
	}
	for _, view := range [][2]string{{"2026-12-07 09:00", "2026-12-12 09:00"}, {"2026-12-05 09:00", "2026-12-05 09:00"}} {
		if got := Gaps(s, at(view[0]), at(view[1])); got != nil {
			t.Errorf("%v: %v", view, told(got))
		}
	}
	long := schedule(time.UTC, turn(t, "2026-12-01 09:00", "monthly", 1, "a", "b"))
	long.Overrides = says(t, at("2026-12-10 09:00"), at("2026-12-24 09:00"), remove("a"))
	if diff := cmp.Diff([]string{"2026-12-10 09:00 UTC – 2026-12-24 09:00 UTC: -"}, told(Gaps(long, at("2026-12-17 00:00"), at("2026-12-18 00:00")))); diff != "" {
		t.Errorf("a long one: %s", diff)
	}
	if got := Gaps(Schedule{}, at("2026-12-05 09:00"), at("2026-12-06 09:00")); len(got) != 1 || !got[0].Start.IsZero() || !got[0].End.IsZero() {
		t.Errorf("nobody ever is %+v", got)
	}
}

func TestSomebodysOwnStretches(t *testing.T) {
	at := func(text string) time.Time { return instant(t, time.UTC, text) }
	s := schedule(time.UTC, turn(t, "2026-12-01 09:00", "daily", 1, "a b", "a c", "b"))
	var got []string
	for _, st := range Of(Timeline(s, at("2026-12-01 12:00"), at("2026-12-06 09:00")), "a") {
		got = append(got, st.Start.Format("02 15:04")+" to "+st.End.Format("02 15:04")+" "+st.Duty.Layer)
	}
	if diff := cmp.Diff([]string{"01 12:00 to 03 09:00 primary", "04 09:00 to 06 09:00 primary"}, got); diff != "" {
		t.Error(diff)
	}
	if got := Of(nil, "a"); got != nil {
		t.Errorf("of nothing: %v", got)
	}
}

func TestAViewOfNothing(t *testing.T) {
	now := instant(t, time.UTC, "2026-12-01 12:00")
	s := schedule(time.UTC, turn(t, "2026-12-01 09:00", "daily", 1, "a"))
	if got := Timeline(s, now, now); got != nil {
		t.Errorf("%v", told(got))
	}
	got := Timeline(s, now.Add(time.Nanosecond), now.Add(2*time.Nanosecond))
	if len(got) != 1 || people(got[0].On) != "a" || got[0].End.Sub(got[0].Start) != time.Nanosecond {
		t.Errorf("a moment is %+v", got)
	}
}

// What Validate refuses has nobody, and is no reason to fall over.
func TestTheTimelineOfWhatIsWrong(t *testing.T) {
	now := instant(t, time.UTC, "2026-12-01 12:00")
	for name, spoil := range map[string]func(e *Epoch){
		"unit":    func(e *Epoch) { e.Unit = "fortnightly" },
		"every":   func(e *Epoch) { e.Every = 0 },
		"much":    func(e *Epoch) { e.Every = 1 << 60 },
		"groups":  func(e *Epoch) { e.Groups = nil },
		"anchor":  func(e *Epoch) { e.Anchor = Local{} },
		"active":  func(e *Epoch) { e.Count = Active },
		"weekly":  func(e *Epoch) { e.Count, e.Unit = Active, "weekly" },
		"no days": func(e *Epoch) { e.Count, e.Windows = Active, []Window{{}} },
		"nobody":  func(e *Epoch) { e.Groups = [][]string{{}} },
	} {
		e := turn(t, "2026-12-01 09:00", "daily", 1, "a")
		spoil(&e)
		s := schedule(time.UTC, e)
		s.Overrides = []Override{{Kind: "shout", Person: "t", Start: now.Add(-time.Hour), End: now.Add(time.Hour)}, {Kind: Take, Person: "t", Start: now, End: now}}
		if s.Validate() == nil {
			t.Errorf("%s is no mistake", name)
		}
		if got := At(s, now); !got.Gap() {
			t.Errorf("%s: %+v", name, got)
		}
	}
	e := turn(t, "2026-12-01 09:00", "daily", 1, "a", "b", "c")
	e.Start = -1
	if got := people(On(schedule(time.UTC, e), now)); got != "c" {
		t.Errorf("before the first group stands %s", got)
	}
}

// Whoever changes a shift changes no other one.
func TestShiftsShareNothing(t *testing.T) {
	s, from, to := aYear(t, "2026-01-01 00:30")
	want, got := Timeline(s, from, to), Timeline(s, from, to)
	for i := range got {
		if i%2 == 0 {
			slices.Reverse(got[i].On)
			got[i].On = append(got[i].On, Duty{Person: strings.Repeat("x", 3)})
		}
	}
	for i := 1; i < len(got); i += 2 {
		if !slices.Equal(want[i].On, got[i].On) {
			t.Fatalf("shift %d is %v, was %v", i, got[i].On, want[i].On)
		}
	}
}

func TestWhoseNextStretchMoved(t *testing.T) {
	at := func(text string) time.Time { return instant(t, time.UTC, text) }
	now, end := at("2026-12-01 12:00"), at("2026-12-08 09:00")
	s := schedule(time.UTC, turn(t, "2026-12-01 09:00", "daily", 1, "a", "b", "c"))
	changed := s
	changed.Overrides = says(t, at("2026-12-03 09:00"), at("2026-12-03 12:00"), replace("c", "x"))
	if got := strings.Join(Moved(Timeline(s, now, end), Timeline(changed, now, end), now), " "); got != "c x" {
		t.Errorf("moved are %q, want c, who begins later, and x, who had none", got)
	}
	// a has the pager, and loses the rest of today: the next stretch is the same.
	changed.Overrides = says(t, at("2026-12-01 20:00"), at("2026-12-02 09:00"), remove("a"))
	if got := Moved(Timeline(s, now, end), Timeline(changed, now, end), now); len(got) > 0 {
		t.Errorf("moved are %q", got)
	}
	changed.Overrides = says(t, at("2026-12-03 20:00"), at("2026-12-04 09:00"), remove("c"))
	if got := strings.Join(Moved(Timeline(s, now, end), Timeline(changed, now, end), now), " "); got != "c" {
		t.Errorf("moved are %q, want c, whose turn ends earlier", got)
	}
	gone := schedule(time.UTC, turn(t, "2026-12-01 09:00", "daily", 1, "a", "b"))
	if got := strings.Join(Moved(Timeline(s, now, end), Timeline(gone, now, end), now), " "); got != "a c" {
		t.Errorf("moved are %q, want a, whose turn is earlier, and c, who has none", got)
	}
}

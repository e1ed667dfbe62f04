package rota

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestValidateNamesEveryMistakeAtOnce(t *testing.T) {
	now := instant(t, time.UTC, "2026-12-01 12:00")
	good := turn(t, "2026-12-01 09:00", "daily", 1, "a", "b")
	later := good
	later.From = now
	s := Schedule{Layers: []Layer{
		{Name: "primary", Until: longAgo, Epochs: []Epoch{
			{From: longAgo, Anchor: Local{2026, 2, 30, 9, 0}, Unit: "fortnightly", Every: 0, Count: "some", Start: 3, Groups: [][]string{{"a"}, {}, {"b", "", "b"}},
				Windows: []Window{{Days: 0, Start: -1, End: 1441}, {Days: 255, Start: 1440}}},
			later,
			{From: now, Anchor: good.Anchor, Unit: "weekly", Every: 10000, Count: Active, Groups: nil},
			{},
		}},
		{Name: " "},
		{Name: "primary", Epochs: []Epoch{good}},
	}, Overrides: []Override{
		{ID: "7", Kind: "shout", Start: now, End: now},
		{ID: "8", Kind: Take, Start: now, End: now.Add(time.Hour)},
		{ID: "9", Kind: Replace, Start: now, End: now.Add(time.Hour)},
		{ID: "10", Kind: Replace, Person: "a", Instead: "a", Start: now, End: now.Add(time.Hour)},
		{Kind: Add, Person: "a", Start: now, End: now.Add(-time.Hour)},
	}}
	want := `zone: is missing; name one of the IANA database, like Asia/Tokyo or UTC
layers.primary.epochs[0].anchor: 2026-02-30 09:00 is not on the calendar of the years 1900 to 2999; write one like 2026-12-01 09:00
layers.primary.epochs[0].unit: is "fortnightly"; want one of hourly, daily, weekly, monthly
layers.primary.epochs[0].every: is 0; want 1 to 9999
layers.primary.epochs[0].count: is "some"; want one of elapsed, active
layers.primary.epochs[0].start: is 3; want 0 to 2, the number of a group
layers.primary.epochs[0].groups[1]: is empty; name who is on call in that turn
layers.primary.epochs[0].groups[2][1]: is empty; name a person
layers.primary.epochs[0].groups[2][2]: b is in this group twice
layers.primary.epochs[0].windows[0].days: are missing; write them like mon-fri, weekends or daily
layers.primary.epochs[0].windows[0].start: -1 is not a minute of a day; want 0 to 1439, which are 00:00 and 23:59
layers.primary.epochs[0].windows[0].end: 1441 is not a minute of a day; want 0 to 1440, which are 00:00 and 24:00
layers.primary.epochs[0].windows[1].days: are missing; write them like mon-fri, weekends or daily
layers.primary.epochs[0].windows[1].start: 1440 is not a minute of a day; want 0 to 1439, which are 00:00 and 23:59
layers.primary.epochs[2].from: 2026-12-01 12:00 UTC is not after that of the roster before it
layers.primary.epochs[2].every: is 10000; want 1 to 9999
layers.primary.epochs[2].count: active counts days, and the unit is weekly; want the unit daily, like every: 5 for the workdays of a week
layers.primary.epochs[2].count: active counts the days of the windows, and there are none; add one like "weekdays"
layers.primary.epochs[2].groups: are missing; name who takes turns
layers.primary.epochs[3].from: 0001-01-01 00:00 UTC is not after that of the roster before it
layers.primary.epochs[3].from: is missing; say from when on it holds
layers.primary.epochs[3].anchor: is missing; write one like 2026-12-01 09:00
layers.primary.epochs[3].unit: is ""; want one of hourly, daily, weekly, monthly
layers.primary.epochs[3].every: is 0; want 1 to 9999
layers.primary.epochs[3].groups: are missing; name who takes turns
layers.primary.until: 1990-01-01 00:00 UTC is not after the start of its first roster
layers[1].name: is missing; give it one like primary
layers[1].epochs: are missing; a layer has one roster at least
layers.primary: there are two layers of this name
overrides[0] 7.kind: is "shout"; want one of take, replace, add, remove
overrides[0] 7.end: 2026-12-01 12:00 UTC is not after its start, 2026-12-01 12:00 UTC; want a minute at least
overrides[1] 8.person: is missing; a take says who comes on call
overrides[2] 9.person: is missing; a replace says who comes on call
overrides[2] 9.instead: is missing; a replace says who goes off call
overrides[3] 10.person: a cannot stand in for themselves
overrides[4].end: 2026-12-01 11:00 UTC is not after its start, 2026-12-01 12:00 UTC; want a minute at least`
	err := s.Validate()
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(err.Error(), "\n")); diff != "" {
		t.Error(diff)
	}
	if err := (Schedule{Zone: time.UTC}).Validate(); err == nil || err.Error() != "layers: are missing; a schedule has one at least" {
		t.Error(err)
	}
	if err := (Schedule{Zone: time.UTC, Layers: []Layer{{Name: "primary", Epochs: []Epoch{good, later}}}}).Validate(); err != nil {
		t.Error(err)
	}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
}

func TestParsing(t *testing.T) {
	for text, want := range map[string]string{
		"2026-12-01 09:00": "2026-12-01 09:00", "2026-12-01T9:05": "2026-12-01 09:05", " 2026-12-01 ": "2026-12-01 00:00", "2028-02-29 23:59": "2028-02-29 23:59",
		"2026-02-29 09:00": "", "2026-12-01 24:00": "", "1899-12-31 09:00": "", "3000-01-01": "", "tomorrow": "", "": "",
	} {
		got, err := ParseLocal(text)
		if (err == nil) != (want != "") || err == nil && got.String() != want {
			t.Errorf("%q is %v, %v", text, got, err)
		}
		if err != nil && !strings.Contains(err.Error(), `write one like "2026-12-01 09:00"`) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for text, want := range map[string]string{
		"mon-fri": "weekdays", "Weekdays": "weekdays", "weekends": "weekends", "sat,sun": "weekends", "sun-sat": "daily", "mon,wed": "mon,wed",
		"fri-mon": "mon,fri-sun", "tue": "tue", "mon–thu": "mon-thu", "thu , fri": "thu,fri", "someday": "", "": "",
	} {
		got, err := ParseDays(text)
		if (err == nil) != (want != "") || got.String() != want {
			t.Errorf("%q is %q, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"weekdays 09:00-18:00": "weekdays 09:00-18:00", "fri 20:00–8:00": "fri 20:00-08:00", "weekends": "weekends 00:00-24:00", "9:00 - 17:30": "daily 09:00-17:30",
		"mon 00:00-24:00": "mon 00:00-24:00", "mon 24:00-08:00": "", "mon 09:00": "", "mon 25:00-26:00": "", "mon tue 09:00-10:00": "", "": "", "someday 09:00-10:00": "",
	} {
		got, err := ParseWindow(text)
		if (err == nil) != (want != "") || err == nil && got.String() != want {
			t.Errorf("%q is %q, %v", text, got, err)
		}
		if err != nil && !strings.Contains(err.Error(), `write days and times like "weekdays 09:00-18:00"`) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// An epoch is kept in a store and comes back as it was.
func TestAnEpochAsText(t *testing.T) {
	e := turn(t, "2026-12-01 09:00", "daily", 5, "a b", "c").during(t, "fri-mon 20:00-08:00", "weekends")
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"Anchor":"2026-12-01 09:00"`, `{"Days":"mon,fri-sun","Start":"20:00","End":"08:00"}`} {
		if !strings.Contains(string(b), part) {
			t.Errorf("%s is not in %s", part, b)
		}
	}
	var got Epoch
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(e, got); diff != "" {
		t.Error(diff)
	}
	for _, wrong := range []string{`{"Anchor":"noon"}`, `{"Windows":[{"Days":"someday"}]}`, `{"Windows":[{"Start":"25:00"}]}`} {
		if err := json.Unmarshal([]byte(wrong), &got); err == nil {
			t.Errorf("%s is read", wrong)
		}
	}
	b, err = json.Marshal(Epoch{Windows: []Window{{}}})
	if err == nil {
		err = json.Unmarshal(b, &got)
	}
	if err != nil || got.Anchor != (Local{}) || got.Windows[0] != (Window{}) {
		t.Errorf("%s is %+v: %v", b, got, err)
	}
}

func FuzzLocal(f *testing.F) {
	for _, text := range []string{"2026-12-01 09:00", "2026-12-01T9:05", "2026-12-01", "0000-00-00 00:00", "2026-12-01 09:00:00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ParseLocal(text)
		if err != nil {
			return
		}
		if again, err := ParseLocal(l.String()); err != nil || again != l || !l.exists() {
			t.Errorf("%q is %v, and that is %v, %v", text, l, again, err)
		}
	})
}

func FuzzWindow(f *testing.F) {
	for _, text := range []string{"weekdays 09:00-18:00", "fri 20:00–8:00", "weekends", "9:00 - 17:30", "sat-mon,wed 0:00-24:00", "mon,", "-", "24:00-0:00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w, err := ParseWindow(text)
		if err != nil {
			return
		}
		if again, err := ParseWindow(w.String()); err != nil || again != w || len(w.mistakes("x")) > 0 {
			t.Errorf("%q is %v, and that is %v, %v", text, w, again, err)
		}
	})
}

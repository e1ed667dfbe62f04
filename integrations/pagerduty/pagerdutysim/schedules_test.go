package pagerdutysim

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// stretch is a part of an answer, as RFC 3339 has its ends.
func short(v any) string {
	t, err := time.Parse(time.RFC3339, v.(string))
	if err != nil {
		return err.Error()
	}
	return t.UTC().Format("02T15:04")
}

// entries are what a list of an answer says: "01T09:00-02T09:00 PA".
func entriesOf(list any) (out []string) {
	for _, e := range list.([]any) {
		e := e.(map[string]any)
		if e["start"] != nil {
			out = append(out, fmt.Sprintf("%s-%s %s", short(e["start"]), short(e["end"]), e["user"].(map[string]any)["id"]))
			continue
		}
		text := fmt.Sprintf("%s-%s", short(e["start_time"]), short(e["end_time"]))
		if m, ok := e["member"].(map[string]any); ok {
			text += " " + fmt.Sprint(m["user_id"])
			if m["type"] == "empty_member" {
				text = strings.TrimSuffix(text, " <nil>") + " -"
			}
			s := e["source"].(map[string]any)
			text += " " + fmt.Sprint(s["type"])
		}
		out = append(out, text)
	}
	return out
}

func during(from, to string) string {
	return "?" + url.Values{"since": {"2026-" + from}, "until": {"2026-" + to}}.Encode()
}

func (b *bench) final(from, to string) []string {
	b.Helper()
	return entriesOf(b.must("GET /schedules/PL" + during(from, to))["schedule"].(map[string]any)["final_schedule"].(map[string]any)["rendered_schedule_entries"])
}

func (b *bench) shifts(from, to string) []string {
	b.Helper()
	return entriesOf(b.must("GET /v3/schedules/PS" + during(from, to) + "&include[]=final_schedule")["schedule"].(map[string]any)["final_schedule"].(map[string]any)["computed_shift_assignments"])
}

func (b *bench) want(got []string, want ...string) {
	b.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		b.Errorf("it is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestALayerTakesTurns(t *testing.T) {
	l := Layer{Start: day(2), End: day(6), Virtual: day(1).Add(9 * time.Hour), Turn: 86400, Users: []string{"PA", "PB", "PC"}}
	inBench(t, Config{Schedules: []Schedule{layers(l)}}, func(b *bench) {
		b.want(b.final("12-01T12:00:00Z", "12-08T00:00:00Z"), // nobody before its start and after its end
			"02T00:00-02T09:00 PA", "02T09:00-03T09:00 PB", "03T09:00-04T09:00 PC", "04T09:00-05T09:00 PA", "05T09:00-06T00:00 PB")
		b.want(b.final("12-03T12:00:00Z", "12-03T13:00:00Z"), "03T12:00-03T13:00 PC") // cut at the ends
	})
}

// A day has the hours that it has in the zone.
func TestATurnGoesByTheWallClock(t *testing.T) {
	zone, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	s := layers(Layer{Start: time.Date(2026, 10, 30, 9, 0, 0, 0, zone), Turn: 86400, Users: []string{"PA", "PB"}})
	s.Zone = "America/Chicago"
	inBench(t, Config{Schedules: []Schedule{s}}, func(b *bench) {
		b.want(b.final("10-31T00:00:00Z", "11-02T15:00:00Z"), "31T00:00-31T14:00 PA", "31T14:00-01T15:00 PB", "01T15:00-02T15:00 PA")
		_, body := b.ask("GET /schedules/PL" + during("10-31T00:00:00Z", "11-02T15:00:00Z"))
		if !strings.Contains(body, `"2026-11-01T09:00:00-06:00"`) || !strings.Contains(body, `"2026-10-31T09:00:00-05:00"`) {
			b.Errorf("the times are not of the zone: %s", body)
		}
	})
}

func TestARestrictionIsAWindow(t *testing.T) {
	l := Layer{Start: day(1), Turn: 7 * 86400, Users: []string{"PA"}, Restrictions: []Restriction{
		{From: "09:00:00", Seconds: 3600}, {From: "09:30:00", Seconds: 3600}, {Day: 3, From: "22:00:00", Seconds: 4 * 3600}, {Day: 7, From: "12:00:00", Seconds: 60},
	}}
	inBench(t, Config{Schedules: []Schedule{layers(l)}}, func(b *bench) {
		b.want(b.final("12-02T00:00:00Z", "12-04T00:00:00Z"), "02T09:00-02T10:30 PA", "02T22:00-03T02:00 PA", "03T09:00-03T10:30 PA") // 2 December is a Wednesday
		b.want(b.final("12-03T01:00:00Z", "12-03T03:00:00Z"), "03T01:00-03T02:00 PA")
		b.want(b.final("12-06T11:00:00Z", "12-06T13:00:00Z"), "06T12:00-06T12:01 PA")
	})
}

// The last layer that has anybody goes before the others, and the override that was made
// last before all.
func TestTheLastOneHolds(t *testing.T) {
	s := layers(
		Layer{Start: day(1), Turn: 7 * 86400, Users: []string{"PA"}},
		Layer{Start: day(1), Turn: 7 * 86400, Users: []string{"PB"}, Restrictions: []Restriction{{From: "09:00:00", Seconds: 8 * 3600}}},
	)
	inBench(t, Config{Schedules: []Schedule{s}}, func(b *bench) {
		b.want(b.final("12-02T00:00:00Z", "12-03T00:00:00Z"), "02T00:00-02T09:00 PA", "02T09:00-02T17:00 PB", "02T17:00-03T00:00 PA")
		for _, o := range [][3]string{{"08", "12", "PC"}, {"10", "11", "PA"}, {"09", "10", "PB"}} {
			b.must(fmt.Sprintf(`POST /schedules/PL/overrides {"overrides":[{"start":"2026-12-02T%s:00:00Z","end":"2026-12-02T%s:00:00Z","user":{"id":%q,"type":"user_reference"},"time_zone":"UTC"}]}`, o[0], o[1], o[2]))
		}
		b.want(b.final("12-02T00:00:00Z", "12-03T00:00:00Z"),
			"02T00:00-02T08:00 PA", "02T08:00-02T09:00 PC", "02T09:00-02T10:00 PB", "02T10:00-02T11:00 PA", "02T11:00-02T12:00 PC", "02T12:00-02T17:00 PB", "02T17:00-03T00:00 PA")
		got := b.must("GET /schedules/PL" + during("12-02T00:00:00Z", "12-02T09:30:00Z"))["schedule"].(map[string]any)
		b.want(entriesOf(got["overrides_subschedule"].(map[string]any)["rendered_schedule_entries"]), "02T08:00-02T09:30 PC", "02T09:00-02T09:30 PB")
		first := got["schedule_layers"].([]any)[0].(map[string]any) // the highest one
		if first["name"] != "Layer 2" {
			b.Errorf("it is %v", first["name"])
		}
		b.want(entriesOf(first["rendered_schedule_entries"]), "02T09:00-02T09:30 PB")
	})
}

// The id of an override is told where editable is asked for, and then of none that is over.
func TestAListOfOverrides(t *testing.T) {
	s := layers(Layer{Start: day(1), Turn: 86400, Users: []string{"PA"}})
	s.Overrides = []Override{{ID: "Q1", Start: noon.Add(-2 * time.Hour), End: noon.Add(-time.Hour), User: "PB"}, {ID: "Q2", Start: noon.Add(-time.Hour), End: noon.Add(time.Hour), User: "PC"}}
	inBench(t, Config{Schedules: []Schedule{s}}, func(b *bench) {
		at := "GET /schedules/PL/overrides" + during("12-01T10:30:00Z", "12-01T12:30:00Z")
		for _, tt := range []struct {
			query string
			ids   int
			want  []string
		}{
			{"", 0, []string{"01T10:30-01T11:00 PB", "01T11:00-01T12:30 PC"}},
			{"&overflow=true", 0, []string{"01T10:00-01T11:00 PB", "01T11:00-01T13:00 PC"}},
			{"&editable=true&overflow=true", 1, []string{"01T11:00-01T13:00 PC"}},
		} {
			_, body := b.ask(at + tt.query)
			b.want(entriesOf(b.must(at + tt.query)["overrides"]), tt.want...)
			if got := strings.Count(body, `"id":"Q`); got != tt.ids {
				b.Errorf("%q: %s", tt.query, body)
			}
		}
		b.want(entriesOf(b.must("GET /schedules/PL/overrides" + during("12-01T13:00:00Z", "12-01T14:00:00Z"))["overrides"]))
	})
}

// Of several each is answered, and one that cannot be does not keep the others back. What
// begins a moment ago begins now.
func TestOverridesAreAnsweredOneByOne(t *testing.T) {
	inBench(t, Config{Schedules: []Schedule{layers(Layer{Start: day(1), Turn: 86400, Users: []string{"PA"}})}}, func(b *bench) {
		code, body := b.ask(`POST /schedules/PL/overrides {"overrides":[{"start":"2026-12-01T11:59:30Z","end":"2026-12-01T14:00:00+01:00","user":{"id":"PB","type":"user_reference"}},{"start":"2026-12-02T00:00:00Z","end":"2026-12-03T00:00:00Z","user":{"id":"PX","type":"user_reference"}}]}`)
		if want := `[{"override":{"end":"2026-12-01T13:00:00Z","id":"QP000002","start":"2026-12-01T12:00:00Z","user":{"id":"PB","summary":"Bob","type":"user_reference"}},"status":201},{"errors":["the user \"PX\" of the type \"user_reference\" is none"],"status":400}]`; code != 201 || body != want {
			b.Errorf("%d %s\nwant %s", code, body, want)
		}
	})
}

// One that is to come is taken away, one that runs is ended, one that is over stays.
func TestADeleteEndsWhatRuns(t *testing.T) {
	made := []Override{{ID: "O1", Start: noon.Add(time.Hour), End: noon.Add(2 * time.Hour), User: "PB"}, {ID: "O2", Start: noon.Add(-time.Hour), End: noon.Add(time.Hour), User: "PC"}, {ID: "O3", Start: noon.Add(-2 * time.Hour), End: noon, User: "PC"}}
	v2, v3 := layers(Layer{Start: day(1), Turn: 86400, Users: []string{"PA"}}), rotations()
	v2.Overrides, v3.Custom = made, made
	for _, o := range made {
		o.Rotation, o.Instead = "RA", "PA"
		v3.Overrides = append(v3.Overrides, o)
	}
	inBench(t, Config{Schedules: []Schedule{v2, v3}}, func(b *bench) {
		for _, at := range []string{"/schedules/PL/overrides/", "/v3/schedules/PS/overrides/", "/v3/schedules/PS/custom_shifts/"} {
			for id, want := range map[string]int{"O1": 204, "O2": 200, "O3": 400} {
				if code, body := b.ask("DELETE " + at + id); code != want {
					b.Errorf("%s%s: %d %s", at, id, code, body)
				}
			}
		}
		a, _ := b.Schedule("PL")
		c, _ := b.Schedule("PS")
		for _, left := range [][]Override{a.Overrides, c.Overrides, c.Custom} {
			if len(left) != 2 || left[0].ID != "O2" || !left[0].End.Equal(noon) || left[1].ID != "O3" {
				b.Errorf("there is %+v", left)
			}
		}
	})
}

// Rotations go on at once; a place that nobody has is told.
func TestRotationsGoOnAtOnce(t *testing.T) {
	s := rotations()
	s.Zone = "America/New_York"
	s.Rotations[0].Events[0].Zone = "UTC"
	s.Rotations = append(s.Rotations, Rotation{ID: "RB", Events: []Event{
		{Name: "Pairs", Start: "2026-12-01T09:00:00", End: "2026-12-01T10:00:00", Rule: "RRULE:FREQ=DAILY", Turn: 2, Members: []string{"PB", "PC"}},
		{Name: "All", Start: "2026-12-01T20:00:00", End: "2026-12-01T21:00:00", Rule: "RRULE:FREQ=WEEKLY;BYDAY=WE", Every: true, Members: []string{"PA", "PC"}, Since: day(3).Add(75 * time.Minute), Until: time.Date(2026, 12, 10, 1, 30, 0, 0, time.UTC)},
	}})
	inBench(t, Config{Schedules: []Schedule{s}}, func(b *bench) {
		b.want(b.shifts("12-01T00:00:00Z", "12-04T00:00:00Z"),
			"01T00:00-02T00:00 PA schedule_rotation",
			"01T14:00-01T15:00 PB schedule_rotation", // nine in New York
			"02T00:00-03T00:00 - schedule_rotation",
			"02T14:00-02T15:00 PB schedule_rotation",
			"03T00:00-04T00:00 PB schedule_rotation",
			"03T01:15-03T02:00 PA schedule_rotation", // from then on
			"03T01:15-03T02:00 PC schedule_rotation",
			"03T14:00-03T15:00 PC schedule_rotation",
		)
		b.want(b.shifts("12-10T00:30:00Z", "12-10T03:00:00Z"), // cut at the ends, and at the event's
			"10T00:30-10T03:00 PA schedule_rotation", "10T01:00-10T01:30 PA schedule_rotation", "10T01:00-10T01:30 PC schedule_rotation")
		if got := b.must("GET /v3/schedules/PS" + span)["schedule"].(map[string]any); got["final_schedule"] != nil || got["type"] != "schedule_v3" || len(got["rotations"].([]any)) != 2 {
			b.Errorf("what was not asked for is there: %v", got)
		}
	})
}

// An override puts a user in the place of one, on one source; custom shifts come besides.
func TestAnOverrideIsOfOneSource(t *testing.T) {
	s := rotations()
	s.Rotations = append(s.Rotations, Rotation{ID: "RB", Events: []Event{{Name: "Days", Start: "2026-12-01T00:00:00", End: "2026-12-02T00:00:00", Rule: "RRULE:FREQ=DAILY", Every: true, Members: []string{"PB", "PA"}}}})
	inBench(t, Config{Schedules: []Schedule{s}}, func(b *bench) {
		override := func(source, from, to, instead, by string) {
			b.Helper()
			b.must(fmt.Sprintf(`POST /v3/schedules/PS/overrides {"overrides":[{"type":"override_shift",%s,"start_time":"2026-12-%sZ","end_time":"2026-12-%sZ","overridden_member":{"type":"user_member","user_id":%q},"overriding_member":{"type":"user_member","user_id":%q}}]}`, source, from, to, instead, by))
		}
		override(`"rotation_id":"RA"`, "03T06:00:00", "03T18:00:00", "PB", "PC")
		override(`"rotation_id":"RA"`, "03T08:00:00", "03T10:00:00", "PB", "PA") // made last
		b.want(b.shifts("12-03T00:00:00Z", "12-04T00:00:00Z"),
			"03T00:00-03T06:00 PB schedule_rotation",
			"03T00:00-04T00:00 PB schedule_rotation",
			"03T00:00-04T00:00 PA schedule_rotation",
			"03T06:00-03T08:00 PC schedule_rotation_override",
			"03T08:00-03T10:00 PA schedule_rotation_override",
			"03T10:00-03T18:00 PC schedule_rotation_override",
			"03T18:00-04T00:00 PB schedule_rotation",
		)
		const custom = `POST /v3/schedules/PS/custom_shifts {"custom_shifts":[{"type":"custom_shift","start_time":"2026-12-05T22:00:00Z","end_time":"2026-12-06T02:00:00Z","assignments":[{"type":"shift_assignment","member":{"type":"user_member","user_id":"PC"}}]}]}`
		got := b.must(custom)
		id := got["custom_shifts"].([]any)[0].(map[string]any)["id"].(string)
		override(fmt.Sprintf(`"custom_shift_id":%q`, id), "05T23:00:00", "06T01:00:00", "PC", "PB")
		other := b.must(custom)["custom_shifts"].([]any)[0].(map[string]any)["id"].(string) // of the same user, and not overridden
		b.want(b.shifts("12-05T21:00:00Z", "12-06T00:00:00Z"),
			"05T21:00-06T00:00 - schedule_rotation",
			"05T21:00-06T00:00 PB schedule_rotation",
			"05T21:00-06T00:00 PA schedule_rotation",
			"05T22:00-05T23:00 PC custom_shift",
			"05T22:00-06T00:00 PC custom_shift",
			"05T23:00-06T00:00 PB custom_shift_override",
		)
		b.must("DELETE /v3/schedules/PS/custom_shifts/" + other)
		list := b.must("GET /v3/schedules/PS/overrides" + span + "&limit=2")
		b.want(entriesOf(list["overrides"]), "03T06:00-03T18:00", "03T08:00-03T10:00")
		if list["more"] != true {
			b.Error("there is no more")
		}
		if list = b.must("GET /v3/schedules/PS/overrides" + span + "&limit=2&offset=2"); list["more"] != false || len(list["overrides"].([]any)) != 1 {
			b.Errorf("%v", list)
		}
		b.want(entriesOf(b.must("GET /v3/schedules/PS/custom_shifts" + during("12-06T01:00:00Z", "12-06T03:00:00Z"))["custom_shifts"]), "05T22:00-06T02:00")
		b.want(entriesOf(b.must("GET /v3/schedules/PS/custom_shifts" + during("12-06T02:00:00Z", "12-06T03:00:00Z"))["custom_shifts"]))
		b.must("DELETE /v3/schedules/PS/custom_shifts/" + id)
		if sc, _ := b.Schedule("PS"); len(sc.Custom) != 0 || len(sc.Overrides) != 2 {
			b.Errorf("its override is left: %+v", sc)
		}
	})
}

package pagerduty_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/pagerduty/pagerdutysim"
)

func TestATimelineOfLayersWithItsGapsAndOverrides(t *testing.T) {
	s := daily("UTC", "2026-11-30 09:00")
	s.Layers[0].Restrictions = []pagerdutysim.Restriction{{From: "09:00:00", Seconds: 15 * 3600}} // nobody from midnight to nine
	s.Layers = append(s.Layers, pagerdutysim.Layer{Name: "Wednesdays", Start: noon, Turn: 7 * 86400, Users: []string{"PCAROL"}, Restrictions: []pagerdutysim.Restriction{{Day: 3, From: "10:00:00", Seconds: 7200}}})
	s.Overrides = []pagerdutysim.Override{
		{ID: "Q1", Start: at("12-03 20:00"), End: at("12-04 08:00"), User: "PBOB"},
		{ID: "Q2", Start: at("12-03 22:00"), End: at("12-03 23:00"), User: "PALICE"}, // made last, so it holds
	}
	inAccount(t, config(s), func(a *account) {
		a.want(a.timeline("PDAILY", noon, at("12-04 12:00")),
			"12-01 12:00 to 12-02 00:00 bob",
			"12-02 00:00 to 12-02 09:00",
			"12-02 09:00 to 12-02 10:00 Eve Ek",
			"12-02 10:00 to 12-02 12:00 carol",
			"12-02 12:00 to 12-03 00:00 Eve Ek",
			"12-03 00:00 to 12-03 09:00",
			"12-03 09:00 to 12-03 20:00 alice",
			"12-03 20:00 to 12-03 22:00 bob*",
			"12-03 22:00 to 12-03 23:00 alice*",
			"12-03 23:00 to 12-04 08:00 bob*",
			"12-04 08:00 to 12-04 09:00",
			"12-04 09:00 to 12-04 12:00 bob",
		)
		line, err := a.client.Timeline(a.Context(), "PDAILY", at("12-02 10:00"), at("12-03 22:00"))
		if err != nil {
			a.Fatal(err)
		}
		if got := line[0].On[0]; got != (integrations.Duty{Person: "carol", Layer: "Wednesdays"}) {
			a.Errorf("it is %+v", got)
		}
		if got := line[len(line)-1].On[0]; got != (integrations.Duty{Person: "bob", Layer: "Overrides", Override: "Q1"}) {
			a.Errorf("it is %+v", got)
		}
		if !line[2].Gap() {
			a.Errorf("%+v is no gap", line[2])
		}
	})
}

// The days of a turn are those of the wall clock: 25 hours where it is set back, 23 where
// it is set forward.
func TestATimelineKeepsTheHourOfItsZone(t *testing.T) {
	inAccount(t, config(daily("America/Chicago", "2026-10-30 09:00")), func(a *account) {
		a.want(a.timeline("PDAILY", at("10-30 14:00"), at("11-02 15:00")),
			"10-30 14:00 to 10-31 14:00 alice",
			"10-31 14:00 to 11-01 15:00 bob",
			"11-01 15:00 to 11-02 15:00 Eve Ek",
		)
	})
	s := shifts("America/Chicago")
	e := &s.Rotations[0].Events[0]
	e.Start, e.End, e.Members = "2026-03-07T09:00:00", "2026-03-08T09:00:00", []string{"PALICE", "PBOB"}
	s.Rotations = s.Rotations[:1]
	inAccount(t, config(s), func(a *account) {
		a.want(a.timeline("PSHIFTS", at("03-07 15:00"), at("03-09 14:00")),
			"03-07 15:00 to 03-08 14:00 alice", // 23 hours
			"03-08 14:00 to 03-09 14:00 bob",
		)
	})
}

func TestATimelineOfShiftsHasSeveralAtOnce(t *testing.T) {
	s := shifts("UTC")
	s.Custom = []pagerdutysim.Override{{ID: "CUST", Start: at("12-02 20:00"), End: at("12-03 02:00"), User: "PEVE"}, {ID: "CUSU", Start: at("12-02 18:00"), End: at("12-02 19:00"), User: "PALICE"}}
	s.Overrides = []pagerdutysim.Override{
		{ID: "OVRA", Start: at("12-02 10:00"), End: at("12-02 12:00"), User: "PALICE", Rotation: "ROTA", Instead: "PBOB"},
		{ID: "OVRC", Start: at("12-02 15:00"), End: at("12-02 16:00"), User: "PALICE", Rotation: "ROTB", Instead: "PCAROL"},
		{ID: "OVRB", Start: at("12-02 21:00"), End: at("12-02 22:00"), User: "PCAROL", CustomShift: "CUST", Instead: "PEVE"},
	}
	inAccount(t, config(s), func(a *account) {
		a.want(a.timeline("PSHIFTS", at("11-30 08:00"), at("12-03 10:00")),
			"11-30 08:00 to 11-30 09:00 alice",
			"11-30 09:00 to 11-30 17:00 alice carol",
			"11-30 17:00 to 12-01 00:00 alice",
			"12-01 00:00 to 12-01 09:00", // a place that nobody has
			"12-01 09:00 to 12-01 17:00 carol",
			"12-01 17:00 to 12-02 00:00",
			"12-02 00:00 to 12-02 09:00 bob",
			"12-02 09:00 to 12-02 10:00 bob carol",
			"12-02 10:00 to 12-02 12:00 alice* carol",
			"12-02 12:00 to 12-02 15:00 bob carol",
			"12-02 15:00 to 12-02 16:00 bob alice*", // by the order of the rotations
			"12-02 16:00 to 12-02 17:00 bob carol",
			"12-02 17:00 to 12-02 18:00 bob",
			"12-02 18:00 to 12-02 19:00 bob alice", // who was added comes last
			"12-02 19:00 to 12-02 20:00 bob",
			"12-02 20:00 to 12-02 21:00 bob Eve Ek",
			"12-02 21:00 to 12-02 22:00 bob carol*",
			"12-02 22:00 to 12-03 00:00 bob Eve Ek",
			"12-03 00:00 to 12-03 02:00 alice Eve Ek",
			"12-03 02:00 to 12-03 09:00 alice",
			"12-03 09:00 to 12-03 10:00 alice carol",
		)
		line, err := a.client.Timeline(a.Context(), "PSHIFTS", at("12-02 11:00"), at("12-02 11:30"))
		if want := (integrations.Duty{Person: "alice", Layer: "Round the clock", Override: "OVRA"}); err != nil || line[0].On[0] != want {
			a.Errorf("it is %+v, %v", line, err)
		}
	})
}

// One who is on call twice at once is named once.
func TestNobodyIsNamedTwice(t *testing.T) {
	s := shifts("UTC")
	s.Custom = []pagerdutysim.Override{{ID: "CUST", Start: at("12-02 20:00"), End: at("12-02 22:00"), User: "PBOB"}}
	inAccount(t, config(s), func(a *account) {
		a.want(a.timeline("PSHIFTS", at("12-02 18:00"), at("12-03 00:00")), "12-02 18:00 to 12-03 00:00 bob")
	})
}

// What is longer than PagerDuty gives is asked in pieces, whose ends are not seen.
func TestALongTimeIsAskedInPieces(t *testing.T) {
	s := daily("UTC", "2026-01-01 00:00")
	s.Layers[0].Users = []string{"PALICE"}
	inAccount(t, config(s), func(a *account) {
		a.want(a.timeline("PDAILY", at("03-01 00:00"), at("10-17 00:00")), "03-01 00:00 to 10-17 00:00 alice") // 230 days
		if n := a.calls("schedule.get"); n != 3 {
			a.Errorf("%d calls", n)
		}
	})
}

// A change within a minute counts from its beginning, so that nobody is on call for both
// sides of it and no gap opens.
func TestATimelineGoesByTheMinute(t *testing.T) {
	s := daily("UTC", "2026-11-30 09:00")
	s.Overrides = []pagerdutysim.Override{
		{ID: "Q1", Start: at("12-01 13:00").Add(31 * time.Second), End: at("12-01 14:00").Add(59 * time.Second), User: "PALICE"},
		{ID: "Q2", Start: at("12-01 15:00").Add(10 * time.Second), End: at("12-01 15:00").Add(20 * time.Second), User: "PALICE"},
	}
	inAccount(t, config(s), func(a *account) {
		a.want(a.timeline("PDAILY", noon.Add(20*time.Second), at("12-01 15:59").Add(time.Second)),
			"12-01 12:00 to 12-01 13:00 bob",
			"12-01 13:00 to 12-01 14:00 alice*",
			"12-01 14:00 to 12-01 16:00 bob",
		)
		_, err := a.client.Timeline(a.Context(), "PDAILY", noon, noon)
		a.refused(err, "PDAILY", "is no time")
	})
}

// Which kind a schedule is is asked once, and once more when PagerDuty has changed it.
func TestTheKindOfAScheduleIsRemembered(t *testing.T) {
	inAccount(t, config(daily("UTC", "2026-11-30 09:00"), shifts("UTC")), func(a *account) {
		for range 3 {
			a.timeline("PDAILY", noon, noon.Add(time.Hour))
			a.timeline("PSHIFTS", noon, noon.Add(time.Hour))
		}
		if v3, v2 := a.calls("schedule_v3.get PDAILY"), a.calls("schedule.get PDAILY"); v3 != 1 || v2 != 3 {
			a.Errorf("layers: asked as v3 %d times, as v2 %d times", v3, v2)
		}
		if v3, v2 := a.calls("schedule_v3.get PSHIFTS"), a.calls("schedule.get PSHIFTS"); v3 != 3 || v2 != 0 {
			a.Errorf("shifts: asked as v3 %d times, as v2 %d times", v3, v2)
		}
		if err := a.sim.Upgrade("PDAILY", shifts("UTC").Rotations); err != nil {
			a.Fatal(err)
		}
		for range 2 {
			a.want(a.timeline("PDAILY", noon, noon.Add(time.Hour)), "12-01 12:00 to 12-01 13:00 carol")
		}
		if v3, v2 := a.calls("schedule_v3.get PDAILY"), a.calls("schedule.get PDAILY"); v3 != 3 || v2 != 4 {
			a.Errorf("upgraded: asked as v3 %d times, as v2 %d times", v3, v2)
		}
	})
}

// An account that may not use v3 has its schedules of layers all the same; why nothing
// can be read is told by the kind that a schedule is.
func TestAnAccountWithoutShifts(t *testing.T) {
	for _, status := range []int{402, 403, 404} {
		inAccount(t, config(daily("UTC", "2026-11-30 09:00"), shifts("UTC")), func(a *account) {
			a.fault(pagerdutysim.Fault{Kind: "error", Action: "schedule_v3.get", Status: status, Message: `{"error":"not for you"}`, Count: -1})
			a.want(a.timeline("PDAILY", noon, noon.Add(time.Hour)), "12-01 12:00 to 12-01 13:00 bob")
			_, err := a.client.Timeline(a.Context(), "PSHIFTS", noon, noon.Add(time.Hour))
			if err == nil || !strings.Contains(err.Error(), "not for you") {
				a.Errorf("%d: %v", status, err)
			}
		})
	}
}

func TestAScheduleThatThereIsNot(t *testing.T) {
	inAccount(t, config(), func(a *account) {
		_, err := a.client.Timeline(a.Context(), "PNONE", noon, noon.Add(time.Hour))
		if !isGone(err) || !strings.Contains(err.Error(), "read the schedule PNONE: 404") {
			a.Error(err)
		}
		before := a.calls("")
		for _, id := range []string{"", "../users", "a/b", "P1?x=y"} {
			_, err := a.client.Timeline(a.Context(), id, noon, noon.Add(time.Hour))
			a.refused(err, "no id of PagerDuty", "PABC123")
			a.refused(a.client.Cancel(a.Context(), "PDAILY", id+"/"), "PagerDuty")
			_, err = a.client.Override(a.Context(), id, integrations.Override{Kind: "take", Person: "bob", Start: noon, End: noon.Add(time.Hour)})
			a.refused(err, "no id of PagerDuty")
			_, err = a.client.Overrides(a.Context(), id, noon, noon.Add(time.Hour))
			a.refused(err, "no id of PagerDuty")
		}
		if a.calls("") != before {
			a.Errorf("it asked %v", a.sim.Calls()[before:])
		}
	})
}

// Of 200 users on one schedule all are read by two calls, and by none while they are
// known.
func TestTwoHundredUsersAreTwoCalls(t *testing.T) {
	cfg := pagerdutysim.Config{}
	s := daily("UTC", "2026-06-01 00:00")
	s.Layers[0].Users = nil
	for n := range 200 {
		id := fmt.Sprintf("PUSER%03d", n)
		cfg.Users = append(cfg.Users, pagerdutysim.User{ID: id, Name: "User " + id, Email: id + "@example.com"})
		s.Layers[0].Users = append(s.Layers[0].Users, id)
	}
	s.Layers[0].Turn = 3600
	cfg.Schedules = []pagerdutysim.Schedule{s}
	inAccount(t, cfg, func(a *account) {
		first := a.timeline("PDAILY", noon, noon.Add(200*time.Hour))
		if n := strings.Count(first, "User PUSER"); n != 200 {
			a.Errorf("%d are named", n)
		}
		if got := a.calls(""); got != 4 { // v3, v2, two pages
			a.Errorf("%d calls: %v", got, a.sim.Calls())
		}
		a.pass(14 * time.Minute)
		a.timeline("PDAILY", noon, noon.Add(200*time.Hour))
		if got := a.calls("users.list"); got != 2 {
			a.Errorf("while they are known: %d calls", got)
		}
		a.pass(2 * time.Minute)
		a.timeline("PDAILY", noon, noon.Add(200*time.Hour))
		if got := a.calls("users.list"); got != 4 {
			a.Errorf("when that is old: %d calls", got)
		}
		a.timeline("PDAILY", noon, noon.Add(200*time.Hour))
		if got := a.calls(""); got != 9 { // four times the schedule, and it once more as v3
			a.Errorf("in the end: %d calls: %v", got, a.sim.Calls())
		}
	})
}

// A few users are asked for by themselves, and each once.
func TestAFewUsersAreAFewCalls(t *testing.T) {
	inAccount(t, config(shifts("UTC")), func(a *account) {
		for range 3 {
			a.timeline("PSHIFTS", at("11-30 00:00"), at("12-03 00:00"))
		}
		if one, all := a.calls("user.get"), a.calls("users.list"); one != 3 || all != 0 {
			a.Errorf("%d and %d calls", one, all)
		}
	})
}

// What cannot be known of people does not keep anybody from being told who is on call.
func TestPeopleWhoAreNotKnownAreShownAsPagerDutyHasThem(t *testing.T) {
	inAccount(t, config(daily("UTC", "2026-11-30 09:00"), shifts("UTC")), func(a *account) {
		a.fault(pagerdutysim.Fault{Kind: "error", Action: "user.get", Status: 403, Count: -1})
		a.want(a.timeline("PDAILY", noon, noon.Add(time.Hour)), "12-01 12:00 to 12-01 13:00 Bob Bell")
		a.want(a.timeline("PSHIFTS", noon, noon.Add(time.Hour)), "12-01 12:00 to 12-01 13:00 PCAROL") // v3 has no names
		before := a.calls("user.get")
		a.timeline("PSHIFTS", noon, noon.Add(time.Hour))
		if a.calls("user.get") != before {
			a.Error("it asks each time")
		}
		if !strings.Contains(a.logged.String(), "as PagerDuty names them") {
			a.Error("it says so to nobody")
		}
		a.sim.ClearFaults()
		a.pass(16 * time.Minute)
		a.want(a.timeline("PSHIFTS", noon, noon.Add(time.Hour)), "12-01 12:00 to 12-01 13:00 carol")
	})
	inAccount(t, config(daily("UTC", "2026-11-30 09:00")), func(a *account) { // one who was deleted
		a.fault(pagerdutysim.Fault{Kind: "error", Action: "user.get", Status: 404, Count: -1})
		a.want(a.timeline("PDAILY", noon, noon.Add(time.Hour)), "12-01 12:00 to 12-01 13:00 Bob Bell")
	})
}

// A name that changes because PagerDuty is not well would look like a handoff.
func TestNamesDoNotChangeWhilePagerDutyIsNotWell(t *testing.T) {
	inAccount(t, config(daily("UTC", "2026-11-30 09:00")), func(a *account) {
		a.fault(pagerdutysim.Fault{Kind: "error", Action: "user.get", Status: 503, ForSeconds: 60})
		if _, err := a.client.Timeline(a.Context(), "PDAILY", noon, noon.Add(time.Hour)); isLater(err) == nil {
			a.Errorf("it is not to come again: %v", err)
		}
		a.pass(time.Minute)
		a.want(a.timeline("PDAILY", noon, noon.Add(time.Hour)), "12-01 12:00 to 12-01 13:00 bob")
		a.pass(time.Hour)
		a.fault(pagerdutysim.Fault{Kind: "error", Action: "user.get", Status: 503, ForSeconds: 60})
		a.want(a.timeline("PDAILY", noon, noon.Add(time.Hour)), "12-01 12:00 to 12-01 13:00 bob")
	})
}

func TestAUserIsFoundByTheWholeAddress(t *testing.T) {
	cfg := config()
	for n := range 120 { // the one stands on the second page
		cfg.Users = append(cfg.Users, pagerdutysim.User{Name: fmt.Sprint("Malice ", n), Email: fmt.Sprintf("m%dalice@example.com", n)})
	}
	cfg.Users = append(cfg.Users, users()...)
	inAccount(t, cfg, func(a *account) {
		for _, email := range []string{"alice@example.com", " Alice@Example.COM "} {
			u, err := a.client.UserByEmail(a.Context(), email)
			if err != nil || u.ID != "PALICE" || u.Name != "Alice Ames" {
				a.Errorf("%q: %+v, %v", email, u, err)
			}
		}
		if n := a.calls("users.list"); n != 2 {
			a.Errorf("%d calls", n)
		}
		if _, err := a.client.UserByEmail(a.Context(), "lice@example.com"); !isGone(err) || !strings.Contains(err.Error(), "lice@example.com") {
			a.Error(err)
		}
		_, err := a.client.UserByEmail(a.Context(), " ")
		a.refused(err, "no address")
	})
}

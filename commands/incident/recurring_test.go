package incident

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

var tokyo = time.FixedZone("JST", 9*60*60)

// until moves the clock to the next moment at which the clocks of Tokyo show a time.
func (d *desk) until(hour, minute int) {
	d.t.Helper()
	now := d.clock.Now().In(tokyo)
	at := time.Date(now.Year(), now.Month(), now.Day(), hour, minute, 0, 0, tokyo)
	if !at.After(now) {
		at = at.AddDate(0, 0, 1)
	}
	if err := d.clock.Advance(context.Background(), at.Sub(now), nil); err != nil {
		d.t.Fatal(err)
	}
}

func nightly() Recurring {
	return Recurring{What: "web", Environment: "staging", Reason: "stopped at night", During: []string{"daily 20:00-08:00"}, Zone: "Asia/Tokyo"}
}

func (d *desk) staging(k string) integrations.Alert {
	return d.alert("firing", key(k), func(a *integrations.Alert) { a.Environment = "staging" })
}

func (d *desk) listed() string {
	d.t.Helper()
	return d.says("alice", "silences").Private.Text
}

// What comes at night is kept from the first moment on, and is an incident in the morning
// if it is wrong still; every night anew.
func TestARecurringSilence(t *testing.T) {
	d := newDesk(t)
	d.cfg.Silences = []Recurring{nightly()}
	e := d.carries("alertmanager")
	d.until(19, 58)
	d.sends(d.staging("by day"))
	if got := d.listed(); !strings.HasPrefix(got, "🔁 recurring-1 web in staging · quiet from ") || !strings.HasSuffix(got, " · stopped at night") {
		t.Errorf("by day they are %s", got)
	}
	d.until(20, 0)
	d.sends(d.staging("at night")) // before any round
	well := d.staging("well")
	d.sends(well)
	well.State = integrations.AlertResolved
	d.sends(well)
	d.sends(d.alert("firing", key("elsewhere")))
	if n := d.open(); n != 2 {
		t.Errorf("at night %d are open", n)
	}
	d.rounds(3)
	if got := d.listed(); !strings.HasPrefix(got, "🔕 recurring-1 web in staging · until ") || !strings.Contains(got, " · every week · stopped at night · 2 kept quiet\n🔕 alertmanager calls nobody either.") {
		t.Errorf("at night they are %s", got)
	}
	if len(e.silences) != 1 || e.silences[0].By != "signalbox" || e.silences[0].Until.In(tokyo).Format("15:04:05") != "08:00:00" {
		t.Errorf("it is carried as %+v", e.silences)
	}
	d.starts()
	d.until(7, 58)
	d.passes(time.Minute)
	if n := d.open(); n != 2 {
		t.Errorf("before the morning %d are open", n)
	}
	d.until(8, 0)
	d.tick()
	if n, i := d.open(), d.incident("incident-3"); n != 3 || i.Key != "at night" {
		t.Errorf("in the morning %d are open: %s", n, i.Key)
	}
	d.until(20, 1)
	d.rounds(2)
	if r := d.sends(d.staging("the next night")); r.Subject != "" || len(e.silences) != 2 {
		t.Errorf("the next night it is %q, and %d were carried", r.Subject, len(e.silences))
	}
}

// What is ended by somebody stays ended until it comes round.
func TestARecurringSilenceThatIsEnded(t *testing.T) {
	for _, looks := range []bool{false, true} {
		d := newDesk(t)
		d.cfg.Silences = []Recurring{nightly()}
		e := d.carries("alertmanager")
		if looks {
			d.looks("one", "two")
		}
		d.until(23, 0)
		d.rounds(2)
		d.sends(d.staging("one"))
		d.says("bob", "unsilence recurring-1")
		d.rounds(3)
		if r := d.sends(d.staging("two")); r.Subject != "incident-2" || d.open() != 2 || e.inForce() != 0 || len(e.silences) != 1 {
			t.Errorf("ended, it is %q; %d are open, %d are in force", r.Subject, d.open(), e.inForce())
		}
		if got := d.listed(); got != "Nothing is kept quiet." {
			t.Errorf("ended, they are %s", got)
		}
		d.until(20, 1)
		if r := d.sends(d.staging("three")); r.Subject != "" {
			t.Errorf("the next night it is %s", r.Subject)
		}
	}
}

// A night whose end nobody was there to see: what it held is held on in the next.
func TestARecurringSilenceOverAStandstill(t *testing.T) {
	d := newDesk(t)
	d.cfg.Silences = []Recurring{nightly()}
	d.until(23, 0)
	d.sends(d.staging("one"))
	d.until(22, 0)
	d.starts()
	d.sends(d.staging("two"))
	d.rounds(1)
	if n := d.open(); n > 0 {
		t.Errorf("%d are open", n)
	}
	d.until(8, 1)
	d.tick()
	if n := d.open(); n != 2 {
		t.Errorf("in the morning %d are open", n)
	}
}

// A setting that is changed or taken out while it is on ends what it began.
func TestARecurringSilenceThatIsChanged(t *testing.T) {
	d := newDesk(t)
	d.cfg.Silences = []Recurring{nightly()}
	e := d.carries("alertmanager")
	d.until(23, 0)
	d.rounds(2)
	d.sends(d.staging("one"))
	changed := nightly()
	changed.During = []string{"daily 22:00-06:00"}
	d.cfg.Silences = []Recurring{changed}
	d.rounds(1)
	d.tick()
	if n := d.open(); n != 0 { // it is night by the new setting too
		t.Errorf("changed, %d are open", n)
	}
	d.rounds(3)
	if r := d.sends(d.staging("two")); r.Subject != "" || len(e.silences) != 2 || e.inForce() != 1 || e.silences[1].Until.In(tokyo).Hour() != 6 {
		t.Errorf("changed, it is %q, and carried as %+v; %d are in force", r.Subject, e.silences, e.inForce())
	}
	d.cfg.Silences = nil
	d.rounds(2)
	d.tick()
	if n := d.open(); n != 2 || e.inForce() > 0 {
		t.Errorf("taken out, %d are open and %d in force", n, e.inForce())
	}
}

// The times are those of the clocks of the zone, also in the nights in which these are
// moved: the hour that is skipped is not there, and the one that is shown twice counts twice.
func TestARecurringSilenceWhenClocksAreMoved(t *testing.T) {
	for at, want := range map[string]string{
		"2026-03-08T07:29:59Z": "",                     // 01:29:59 CST
		"2026-03-08T07:30:00Z": "2026-03-08T08:30:00Z", // an hour: 02:00 to 03:00 is skipped
		"2026-03-08T08:30:00Z": "",                     // 03:30 CDT
		"2026-03-09T06:30:00Z": "2026-03-09T08:30:00Z",
		"2026-11-01T06:30:00Z": "2026-11-01T09:30:00Z", // 01:30 CDT: three hours
		"2026-11-01T07:15:00Z": "",                     // 01:15 CST, the second time
		"2026-11-01T07:30:00Z": "2026-11-01T09:30:00Z",
	} {
		r := Recurring{During: []string{"daily 1:30-3:30"}, Zone: "America/Chicago"}
		moment, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		until, on := r.turn(moment)
		if on != (want != "") || on && at != "2026-11-01T06:30:00Z" && until.Format(time.RFC3339) != want {
			t.Errorf("at %s it is on: %v, until %s; want %s", at, on, until.Format(time.RFC3339), want)
		}
	}
}

func TestRecurringSettings(t *testing.T) {
	for want, edit := range map[string]func(*Recurring){
		"": func(*Recurring) {},
		"silences[0].what: is missing; want a service, a source, a host or a check":                           func(r *Recurring) { r.What = " " },
		"silences[0].reason: is missing; whoever misses an alert reads it":                                    func(r *Recurring) { r.Reason = "" },
		`silences[0].during: is missing; want times of the week, such as ["weekdays 20:00-08:00"]`:            func(r *Recurring) { r.During = nil },
		"silences[0].during: is always; want times that end, or nothing is ever told":                         func(r *Recurring) { r.During = []string{"daily 00:00-24:00"} },
		`silences[0].during[1]: "noon" is not days and times; write days and times like "weekdays 10`:         func(r *Recurring) { r.During = append(r.During, "noon") },
		`silences[0].zone: "JST+9" is no zone of the IANA database; write one like Asia/Tokyo, America/Chica`: func(r *Recurring) { r.Zone = "JST+9" },
	} {
		r := nightly()
		edit(&r)
		err := Config{Silences: []Recurring{r}}.Validate()
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := (Config{Silences: make([]Recurring, mostRecurring+1)}).Validate(); err == nil || !strings.Contains(err.Error(), "silences: are 51; want at most 50") {
		t.Errorf("%v", err)
	}
}

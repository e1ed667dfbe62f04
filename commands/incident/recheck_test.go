package incident

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// looks gives the desk the source of its alerts, which says what is wrong.
func (d *desk) looks(wrong ...string) *elsewhere {
	e := &elsewhere{wrong: map[string]bool{}}
	for _, key := range wrong {
		e.wrong[key] = true
	}
	d.sources = append(d.sources, Source{Name: "sensu", Looker: e})
	return e
}

// What resolved while its source was silent becomes no incident at the end, and what was
// open since before is over; what is wrong still is an incident then.
func TestWhatResolvedMeanwhile(t *testing.T) {
	for _, ends := range []string{"by its time", "by hand"} {
		t.Run(ends, func(t *testing.T) {
			d := newDesk(t)
			e := d.looks("wrong", "before, wrong")
			d.sends(d.alert("firing", key("before, well")))
			d.sends(d.alert("firing", key("before, wrong")))
			d.sends(d.alert("firing", key("of another"), func(a *integrations.Alert) { a.Service = "api" }))
			d.passes(time.Minute)
			d.says("bob", "silence web 1h the disks are replaced")
			d.sends(d.alert("firing", key("wrong")))
			d.sends(d.alert("firing", key("well")))
			d.passes(30 * time.Minute)
			if len(e.asked) > 0 {
				t.Errorf("it asked %v", e.asked)
			}
			if ends == "by hand" {
				r := d.says("bob", "unsilence silence-1")
				if r.Public.Text != "🔔 silence-1 is over: web may be heard again. What is still wrong is being looked up." {
					t.Errorf("%s", r.Public.Text)
				}
				d.refuses("bob", "unsilence silence-1", "over")
			} else {
				d.passes(30 * time.Minute)
			}
			d.rounds(1)
			if i := d.incident("incident-1"); i.open() || i.OverName != "sensu" {
				t.Errorf("what was open and is well is %+v", i)
			}
			for _, id := range []string{"incident-2", "incident-3", "incident-4"} {
				if i := d.incident(id); !i.open() {
					t.Errorf("%s is over: %s", id, i.Key)
				}
			}
			if n, i := d.open(), d.incident("incident-4"); n != 3 || i.Key != "wrong" {
				t.Errorf("%d are open, %s", n, i.Key)
			}
			d.rounds(5)
			if got := strings.Join(e.asked, " "); got != "wrong" {
				t.Errorf("it asked %s", got)
			}
		})
	}
}

// A source that does not say what is wrong is waited for, and not for long: what is held is
// wrong then.
func TestASourceThatDoesNotSay(t *testing.T) {
	d := newDesk(t)
	e := d.looks()
	e.blind = &integrations.Later{After: time.Second, Err: errors.New("connection refused")}
	d.says("bob", "silence web 1h the disks are replaced")
	d.sends(d.alert("firing"))
	d.sends(d.alert("firing", key("resolved in time")))
	d.passes(time.Hour)
	d.rounds(6)
	if n := d.open(); n > 0 {
		t.Errorf("after a minute %d are open", n)
	}
	d.sends(d.alert("resolved", key("resolved in time"))) // while it is being looked into
	if r := d.sends(d.alert("firing", key("new"))); r.Subject != "incident-1" {
		t.Errorf("after the end one that fires is %q", r.Subject)
	}
	d.rounds(11)
	if n := d.open(); n > 1 {
		t.Errorf("after less than three minutes %d are open", n)
	}
	d.rounds(2)
	if n, i := d.open(), d.incident("incident-2"); n != 2 || i.Key != "web-1/disk" {
		t.Errorf("after three minutes %d are open: %s", n, i.Key)
	}
}

// An alert that came after its source was asked counts as it came.
func TestAnAlertAfterTheLook(t *testing.T) {
	d := newDesk(t)
	e := d.looks()
	d.sends(d.alert("firing"))
	d.says("bob", "silence web 1h the disks are replaced")
	d.passes(time.Hour - time.Second)
	d.sources[0].Looker = looksThen{e, func() { d.sends(d.alert("firing", func(a *integrations.Alert) { a.At = d.clock.Now() })) }}
	d.rounds(1)
	if i := d.incident("incident-1"); !i.open() || i.Count != 2 {
		t.Errorf("it is %+v", i)
	}
}

// looksThen is asked, and something happens before it answers.
type looksThen struct {
	*elsewhere
	then func()
}

func (l looksThen) Wrong(ctx context.Context) (map[string]bool, error) {
	l.then()
	return l.elsewhere.Wrong(ctx)
}

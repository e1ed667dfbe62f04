package incident

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A thousand alerts in ten seconds, with the process killed in the middle, are a handful
// of messages, and none is lost.
func TestAStorm(t *testing.T) {
	d := newDesk(t)
	for n := range 1000 {
		if n%100 == 0 {
			d.passes(time.Second)
		}
		if n == 500 {
			d.starts()
		}
		d.sends(d.alert("firing", key(fmt.Sprintf("host-%d/disk", n)), func(a *integrations.Alert) { a.Check = fmt.Sprintf("check-%d", n%3) }))
	}
	messages, storm := 0, ""
	err := d.store.View(func(tx *store.Tx) error {
		all, err := openOnes(tx)
		for _, i := range all {
			if i.Members != nil {
				storm = i.ID
			}
			s, err := tx.SurfacesOf(i.ID)
			if err != nil {
				return err
			}
			messages += len(s)
		}
		if len(all) != 1001 {
			t.Errorf("%d are open", len(all))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if messages > 20 {
		t.Errorf("they are %d messages", messages)
	}
	text, _ := d.card(storm)
	if !strings.Contains(text, "995 incidents · 995 open · 0 acknowledged\n• 332 × check-0") && !strings.Contains(text, "995 incidents · 995 open · 0 acknowledged\n• 333 × check-") && !strings.Contains(text, "995 incidents · 995 open · 0 acknowledged\n• 332 × check-") {
		t.Errorf("the storm says %s", text)
	}
	d.passes(time.Minute)
	if p := d.pages(); len(p) > 10 {
		t.Errorf("%d were called", len(p))
	}
	d.says("bob", "ack "+storm)
	if text, _ = d.card(storm); !strings.Contains(text, "995 open · 995 acknowledged") {
		t.Errorf("the storm says %s", text)
	}
	d.sends(d.alert("firing", key("late/disk")))
	if text, _ = d.card(storm); !strings.Contains(text, "996 incidents · 996 open · 996 acknowledged") {
		t.Errorf("with a late one it says %s", text)
	}
	for n := range 1000 {
		d.sends(d.alert("resolved", key(fmt.Sprintf("host-%d/disk", n))))
	}
	d.sends(d.alert("resolved", key("late/disk")))
	if i := d.incident(storm); i.Over.IsZero() || d.open() != 0 {
		t.Errorf("all are over, and %d are open: %+v", d.open(), i.Members)
	}
	d.passes(10 * time.Minute)
	if r := d.sends(d.alert("firing", key("another"))); d.incident(r.Subject).Storm != "" {
		t.Error("after it, one is told in the storm")
	}
}

// What is silenced becomes no incident; what is still wrong at the end becomes one then,
// and what is well again never.
func TestASilence(t *testing.T) {
	d := newDesk(t)
	d.says("bob", "silence web 1h the disks are replaced")
	if got := d.shown("silence-1"); len(got) != 1 || !strings.HasPrefix(got[0], "incident-silence in C1: 🔕 silence-1 web is quiet until ") {
		t.Fatalf("it shows %q", got)
	}
	d.sends(d.alert("firing"))
	d.sends(d.alert("firing", key("well")))
	d.sends(d.alert("resolved", key("well")))
	d.sends(d.alert("firing", key("of api"), func(a *integrations.Alert) { a.Service = "api" }))
	if n := d.open(); n != 1 {
		t.Errorf("%d are open", n)
	}
	if r := d.says("alice", "silences"); !strings.Contains(r.Private.Text, "2 kept quiet") {
		t.Errorf("%s", r.Private.Text)
	}
	d.passes(time.Hour - callEvery)
	d.starts()
	d.passes(2 * callEvery)
	if n, i := d.open(), d.incident("incident-2"); n != 2 || i.Title != "disk is full on web-1" {
		t.Errorf("at its end %d are open: %+v", n, i)
	}
	if got := d.shown("silence-1"); !strings.HasPrefix(got[0], "incident-silence in C1: 🔔 silence-1 web was quiet until ") {
		t.Errorf("at its end it shows %q", got)
	}
	d.refuses("bob", "unsilence silence-1", "over")
	d.refuses("bob", "unsilence silence-9", "unknown_silence")
	d.refuses("bob", "silence web 30d no", "too_long")
	d.says("bob", "silence api 1h --environment staging tests")
	d.sends(d.alert("firing", key("of api elsewhere"), func(a *integrations.Alert) { a.Service = "api" }))
	if n := d.open(); n != 3 {
		t.Errorf("elsewhere it is silent too: %d", n)
	}
	d.says("bob", "silence disk 1h disks")
	d.sends(d.alert("firing", key("x")))
	if r := d.says("bob", "unsilence silence-3"); !strings.Contains(r.Public.Text, "Still wrong: 1.") || d.open() != 4 {
		t.Errorf("%s; %d are open", r.Public.Text, d.open())
	}
}

// A storm counts what becomes of those that it stands for, is as bad as the worst of them,
// and is ended for all.
func TestWhatAStormStandsFor(t *testing.T) {
	d := newDesk(t)
	for n := range 8 {
		d.sends(d.alert("firing", key(fmt.Sprint(n)), severity("warning")))
	}
	storm := d.incident("incident-8").Storm
	members := func(all, open, acked int, severity string) {
		t.Helper()
		if s := d.incident(storm); s.Members.All != all || s.Members.Open != open || s.Members.Acked != acked || s.Severity != severity || s.Over.IsZero() != (open > 0) {
			t.Errorf("it is %+v, %s, over at %v; want %d, %d, %d, %s", s.Members, s.Severity, s.Over, all, open, acked, severity)
		}
	}
	members(3, 3, 0, "warning")
	d.sends(d.alert("firing", key("worse"), severity("critical")))
	members(4, 4, 0, "critical")
	d.sends(d.alert("acknowledged", key("6")))
	members(4, 4, 1, "critical")
	d.sends(d.alert("unacknowledged", key("6")))
	members(4, 4, 0, "critical")
	d.says("bob", "snooze 8 30m")
	members(4, 4, 1, "critical")
	d.passes(30*time.Minute + callEvery)
	members(4, 4, 0, "critical")
	if no := d.refuses("bob", "ack", "several"); strings.Contains(no.What, "incident-8") {
		t.Errorf("one that a storm stands for is named by itself: %s", no.What)
	}
	d.says("bob", "all-clear "+storm+" the switch is back")
	members(4, 0, 0, "critical")
	if n := d.open(); n != 5 {
		t.Errorf("%d are open", n)
	}
	for k := range 3 {
		if i := d.incident(fmt.Sprintf("incident-%d", 8+k)); i.Over.IsZero() || i.OverBy.Name != "bob" {
			t.Errorf("%s is %+v", i.ID, i)
		}
	}
	d.passes(time.Minute)
	d.sends(d.alert("firing", key("6"), severity("warning")))
	members(4, 1, 0, "critical")
}

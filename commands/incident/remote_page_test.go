package incident

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// pagingDesk is one whose escalation begins with PagerDuty; an alert of Sensu has come.
func pagingDesk(t *testing.T) *desk {
	t.Helper()
	d := newPagedDesk(t)
	d.cfg.Escalations = []Rule{{Steps: []Step{{PagerDuty: "web", Wait: 10 * time.Minute}, {Call: []string{"bob"}}}}}
	d.sends(d.alert(integrations.AlertFiring))
	d.doesThere()
	return d
}

// What another system opened for an incident of ours is that incident: one message, and
// what happens there happens here.
func TestPagedThere(t *testing.T) {
	d := pagingDesk(t)
	if want := []string{"page web disk is full on web-1"}; !slices.Equal(d.pager.events, want) {
		t.Fatalf("it was told %q, want %q", d.pager.events, want)
	}
	if text := strings.Join(d.shown("incident-1"), "\n"); !strings.Contains(text, "📟 PagerDuty pages for web") {
		t.Errorf("it tells\n%s", text)
	}
	d.webhook("Q1", integrations.AlertFiring, "")
	d.agrees()
	if got := d.opened(); !slices.Equal(got, []string{"incident-1"}) {
		t.Fatalf("open are %q", got)
	}
	d.pager.acks("Q1", "carol")
	d.webhook("Q1", integrations.AlertAcknowledged, "carol")
	if text, _ := d.card("incident-1"); !strings.Contains(text, "acknowledged by carol") || !strings.Contains(text, "disk is full on web-1") {
		t.Errorf("the card says\n%s", text)
	}
	if d.passes(time.Hour); len(d.pages()) > 0 {
		t.Errorf("called are %q too", d.pages())
	}
	d.says("bob", "all-clear incident-1")
	d.doesThere()
	if got := strings.Join(d.pager.did, ","); got != "resolve bob Q1" {
		t.Errorf("it did %q", got)
	}
	if d.agrees(); len(d.opened()) > 0 {
		t.Errorf("open are %q", d.opened())
	}
}

// Whoever acts before it is known there acts there all the same, once it is.
func TestActsOnWhatIsNotKnownThereYet(t *testing.T) {
	d := pagingDesk(t)
	there := d.pager.all["Q1"]
	delete(d.pager.all, "Q1")
	d.says("bob", "ack incident-1")
	looks := 0
	d.pager.fault = func(call string, _ bool) error {
		if looks++; call == "list" && looks > 3 {
			d.pager.all["Q1"] = there
		}
		return nil
	}
	d.doesThere()
	if got := strings.Join(d.pager.did, ","); got != "ack bob Q1" {
		t.Errorf("it did %q", got)
	}
}

// What its source says is over is over there too; what people there end is over here.
func TestTheEndOfWhatIsPagedThere(t *testing.T) {
	d := pagingDesk(t)
	d.sends(d.alert(integrations.AlertResolved))
	d.doesThere()
	if got := d.pager.events[len(d.pager.events)-1]; got != "over web" || d.pager.all["Q1"].Status != integrations.RemoteResolved {
		t.Errorf("it was told %q", d.pager.events)
	}
	if d.agrees(); len(d.opened()) > 0 {
		t.Errorf("open are %q", d.opened())
	}

	d = pagingDesk(t)
	d.webhook("Q1", integrations.AlertFiring, "")
	d.pager.resolves("Q1", "carol")
	d.webhook("Q1", integrations.AlertResolved, "carol")
	d.doesThere()
	if i := d.incident("incident-1"); i.open() || i.ender() != "carol" {
		t.Errorf("it is open: %v, ended by %s", i.open(), i.ender())
	}
	if len(d.pager.events) != 1 {
		t.Errorf("it was told %q", d.pager.events)
	}
	d.moves(time.Hour)
	if d.sends(d.alert(integrations.AlertFiring)); !slices.Equal(d.opened(), []string{"incident-2"}) {
		t.Errorf("the next one: open are %q", d.opened())
	}
}

// A page whose answer was lost is told again and opens nothing twice; one that is refused is
// said, and the next step comes.
func TestAPageThatFails(t *testing.T) {
	for name, fault := range map[string]error{"lost": &integrations.Later{After: time.Second, Err: errors.New("EOF")}, "killed": errKilled, "refused": errors.New("invalid key")} {
		for _, before := range []bool{true, false} {
			d := newPagedDesk(t)
			d.cfg.Escalations = []Rule{{Steps: []Step{{PagerDuty: "web", Wait: 10 * time.Minute}, {Call: []string{"bob"}}}}}
			times := 0
			d.pager.fault = func(call string, at bool) error {
				if call != "page" || at != before {
					return nil
				}
				if times++; times > 1 {
					return nil
				}
				if name == "killed" {
					panic(errKilled)
				}
				return fault
			}
			d.sends(d.alert(integrations.AlertFiring))
			d.doesThere()
			open := 0
			for _, i := range d.pager.all {
				if i.Status != integrations.RemoteResolved {
					open++
				}
			}
			if want := map[bool]int{true: 1, false: 0}[name != "refused" || !before]; open != want {
				t.Errorf("%s, before %v: %d are open there, want %d", name, before, open, want)
			}
			if text := strings.Join(d.shown("incident-1"), "\n"); strings.Contains(text, "did not take signalbox's page: invalid key") != (name == "refused") {
				t.Errorf("%s: it tells\n%s", name, text)
			}
			if d.passes(11 * time.Minute); !slices.Equal(d.pages(), []string{"incident-1 bob"}) {
				t.Errorf("%s: called are %q", name, d.pages())
			}
		}
	}
}

// A storm pages once, is one incident there, and is over with its last.
func TestAStormIsPagedOnce(t *testing.T) {
	d := newPagedDesk(t)
	d.cfg.Storm = 1
	d.cfg.Escalations = []Rule{{Steps: []Step{{PagerDuty: "web"}}}}
	var all []integrations.Alert
	for _, k := range []string{"a", "b", "c", "d"} {
		all = append(all, d.alert(integrations.AlertFiring, key(k)))
	}
	d.sends(all...)
	d.doesThere()
	if got := strings.Join(d.pager.events, ", "); got != "page web a is broken, page web a storm of alerts" {
		t.Fatalf("it was told %s", got)
	}
	for n := range all {
		all[n].State, all[n].At = integrations.AlertResolved, d.clock.Now()
	}
	d.sends(all...)
	d.doesThere()
	if got := strings.Join(d.pager.events[2:], ", "); got != "over web, over web" || d.pager.open(d.pager.all["Q1"].Key) != nil || d.pager.open(d.pager.all["Q2"].Key) != nil {
		t.Errorf("then it was told %s", got)
	}

	d = newPagedDesk(t)
	d.cfg.Storm = 1
	d.cfg.Escalations = []Rule{{Steps: []Step{{PagerDuty: "web"}}}}
	for n := range all {
		all[n].State, all[n].At = integrations.AlertFiring, d.clock.Now()
	}
	d.sends(all...)
	d.doesThere()
	d.agrees()
	d.pager.resolves("Q2", "carol") // which is the storm
	if d.agrees(); !slices.Equal(d.opened(), []string{"incident-1"}) {
		t.Errorf("open are %q", d.opened())
	}
}

// One that comes back is paged for anew, and who acts acts on the new one.
func TestPagedAgain(t *testing.T) {
	d := pagingDesk(t)
	d.webhook("Q1", integrations.AlertFiring, "")
	d.pager.resolves("Q1", "carol")
	d.webhook("Q1", integrations.AlertResolved, "carol")
	d.moves(time.Minute)
	d.sends(d.alert(integrations.AlertFiring))
	d.passes(time.Minute) // the second step, which calls bob
	d.says("alice", "escalate incident-1")
	if d.doesThere(); len(d.pager.events) != 2 {
		t.Fatalf("it was told %q", d.pager.events)
	}
	d.says("bob", "ack incident-1")
	d.doesThere()
	if got := d.pager.did[len(d.pager.did)-1]; got != "ack bob Q2" {
		t.Errorf("it did %q", d.pager.did)
	}
}

// What is never found there is not waited for for ever.
func TestWhatNeverAppearsThere(t *testing.T) {
	d := pagingDesk(t)
	delete(d.pager.all, "Q1")
	d.says("bob", "ack incident-1")
	d.doesThere()
	if i := d.incident("incident-1"); len(i.Elsewhere.Wishes) > 0 || i.took() != "bob" || len(d.pager.did) > 0 {
		t.Errorf("it is %s's, with %+v, and did %q", i.took(), i.Elsewhere, d.pager.did)
	}
}

// Over here before the other system tells that it opened one.
func TestOverBeforeItIsToldThere(t *testing.T) {
	d := pagingDesk(t)
	d.sends(d.alert(integrations.AlertResolved))
	d.webhook("Q1", integrations.AlertFiring, "")
	if d.doesThere(); len(d.opened()) > 0 || d.pager.all["Q1"].Status != integrations.RemoteResolved {
		t.Errorf("open are %q, and there it is %s", d.opened(), d.pager.all["Q1"].Status)
	}
	if d.agrees(); len(d.opened()) > 0 {
		t.Errorf("open are %q", d.opened())
	}
}

// Whoever has a storm has not said anything of what another system pages for.
func TestAStormThatIsTakenTakesNothingThere(t *testing.T) {
	d := newPagedDesk(t)
	d.cfg.Storm = 1
	d.sends(d.alert(integrations.AlertFiring, key("a")), d.alert(integrations.AlertFiring, key("b")))
	d.says("bob", "ack incident-3")
	d.pager.triggers("P1")
	d.webhook("P1", integrations.AlertFiring, "")
	d.doesThere()
	if i := d.incident("incident-4"); i.Storm != "incident-3" || !i.Acked.IsZero() || len(d.pager.did) > 0 {
		t.Errorf("it is in %q, %s's, and it did %q", i.Storm, i.took(), d.pager.did)
	}
}

// What its own source says counts however late it comes, and whatever is on its way to the
// other system.
func TestItsOwnSourceIsHeard(t *testing.T) {
	d := pagingDesk(t)
	d.webhook("Q1", integrations.AlertFiring, "")
	well := d.alert(integrations.AlertResolved)
	d.agrees()
	d.agrees()
	if d.sends(well); len(d.opened()) > 0 {
		t.Errorf("told late that it is well, open are %q", d.opened())
	}
	d.doesThere()

	d = pagingDesk(t)
	d.webhook("Q1", integrations.AlertFiring, "")
	d.says("bob", "all-clear incident-1") // which PagerDuty is not told yet
	d.moves(time.Hour)
	if d.sends(d.alert(integrations.AlertFiring)); !slices.Equal(d.opened(), []string{"incident-2"}) {
		t.Errorf("wrong anew, open are %q", d.opened())
	}
}

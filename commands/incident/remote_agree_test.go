package incident

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// All webhooks lost: what happens there is shown here within a poll.
func TestWithEveryWebhookLost(t *testing.T) {
	d := newPagedDesk(t)
	steps := []struct {
		name  string
		do    func()
		shown string
	}{
		{"it is triggered", func() { d.pager.triggers("P1") }, "waits for alice"},
		{"somebody acknowledges", func() { d.pager.acks("P1", "carol") }, "acknowledged by carol"},
		{"the acknowledgement runs out", func() { d.pager.all["P1"].Status, d.pager.all["P1"].AcknowledgedBy = integrations.RemoteTriggered, nil }, "waits for alice"},
		{"it is given to another", func() {
			d.pager.all["P1"].Assigned = []integrations.AlertPerson{{Name: "bob", Email: "bob@acme.example"}}
		}, "waits for bob"},
		{"it is named anew", func() { d.pager.all["P1"].Title = "both disks" }, "both disks"},
		{"somebody resolves", func() { d.pager.resolves("P1", "carol") }, "carol"},
		{"it is opened again", func() { d.pager.all["P1"].Status = integrations.RemoteTriggered }, "waits for bob"},
		{"it is deleted", func() { delete(d.pager.all, "P1") }, "deleted"},
	}
	for _, s := range steps {
		s.do()
		d.agrees()
		if text, _ := d.card("incident-1"); !strings.Contains(text, s.shown) {
			t.Fatalf("after %s the card has no %q:\n%s", s.name, s.shown, text)
		}
		d.agrees() // changes nothing
	}
	if i := d.incident("incident-1"); i.open() || i.Count != 2 {
		t.Errorf("it is open: %v, with %d alerts", i.open(), i.Count)
	}
	if d.incident("incident-2").ID != "" {
		t.Error("there are two")
	}
}

// What is on its way there is not taken back by what was read before it came.
func TestAPollDoesNotUndoWhatIsOnItsWay(t *testing.T) {
	d := newPagedDesk(t)
	d.told("P1")
	d.says("bob", "ack incident-1")
	d.agrees() // it says: triggered
	if text, _ := d.card("incident-1"); !strings.Contains(text, "acknowledged by bob") {
		t.Errorf("the card says\n%s", text)
	}
	d.doesThere()
	d.agrees()
	d.same("P1")
	d.says("bob", "all-clear incident-1")
	d.agrees() // it says: acknowledged
	if i := d.incident("incident-1"); i.open() {
		t.Error("it is open again")
	}
	d.doesThere()
	d.agrees()
	d.same("P1")
}

// What the other system tells of our own acts changes nothing.
func TestEchoes(t *testing.T) {
	d := newPagedDesk(t)
	d.told("P1")
	d.says("bob", "ack incident-1")
	d.says("bob", "note incident-1 it is the second disk")
	d.says("bob", "all-clear incident-1")
	d.doesThere()
	before := d.incident("incident-1")
	for _, state := range []string{integrations.AlertAcknowledged, integrations.AlertNoted, integrations.AlertResolved} {
		a := alertOf(d.remote(), *d.pager.all["P1"], d.clock.Now())
		a.Kind, a.State, a.Text, a.By = "incident."+state, state, "it is the second disk", integrations.AlertPerson{Name: "bob"}
		d.sendsOf("pagerduty", a)
	}
	after := d.incident("incident-1")
	if after.open() || len(after.Notes) != len(before.Notes) || after.Reopened > 0 || d.incident("incident-2").ID != "" {
		t.Errorf("it is now %+v", after)
	}
	d.moves(20 * time.Minute) // the same key is wrong anew
	d.pager.triggers("P1")
	if d.webhook("P1", integrations.AlertFiring, ""); !slices.Contains(d.opened(), "incident-2") {
		t.Errorf("open are %q", d.opened())
	}
}

// A webhook that comes late does not overrule what was read since.
func TestALateWebhook(t *testing.T) {
	d := newPagedDesk(t)
	d.told("P1")
	late := alertOf(d.remote(), *d.pager.all["P1"], d.clock.Now())
	late.Kind, late.State, late.By = "incident.acknowledged", integrations.AlertAcknowledged, integrations.AlertPerson{Name: "carol"}
	d.agrees()
	d.agrees()
	d.sendsOf("pagerduty", late)
	d.same("P1")
}

// A note that came from here is not written down once more.
func TestTheEchoOfANote(t *testing.T) {
	d := newPagedDesk(t)
	d.told("P1")
	d.says("bob", "note incident-1 it is the second disk")
	d.doesThere()
	for _, text := range []string{"it is the second disk", "no, the third"} {
		a := alertOf(d.remote(), *d.pager.all["P1"], d.clock.Now())
		a.Kind, a.State, a.Text, a.By = "incident.annotated", integrations.AlertNoted, text, integrations.AlertPerson{Name: "carol"}
		d.sendsOf("pagerduty", a)
	}
	if notes := d.incident("incident-1").Notes; len(notes) != 2 || notes[1].Name != "carol" {
		t.Errorf("the notes are %+v", notes)
	}
}

// Whoever acknowledges there, and is known here, answers for it here.
func TestWhoAcknowledgesThereAnswersForIt(t *testing.T) {
	d := newPagedDesk(t)
	d.pager.triggers("P1")
	d.agrees()
	d.pager.acks("P1", "carol")
	d.agrees()
	if i := d.incident("incident-1"); i.By.Name != "carol" || i.AckedBy.Slack != "UC" {
		t.Errorf("it is %+v's, acknowledged by %+v", i.By, i.AckedBy)
	}
}

func TestAckMineIsWhatCallsMeThere(t *testing.T) {
	d := newPagedDesk(t)
	d.told("P1")
	d.agrees()
	d.refuses("bob", "ack mine", "none")
	d.says("alice", "ack mine")
	d.doesThere()
	if got := strings.Join(d.pager.did, ","); got != "ack alice P1" {
		t.Errorf("it did %q", got)
	}
}

// A subscription that was disabled is found, and people are told.
func TestASubscriptionThatWasDisabled(t *testing.T) {
	d := newPagedDesk(t)
	d.agrees()
	if got := d.shown(cardMended); len(got) > 0 {
		t.Fatalf("it tells %q", got)
	}
	d.pager.triggers("P1")
	d.pager.hooks = []string{"enabled", "pinged"}
	d.agrees()
	if got := strings.Join(d.shown(cardMended), "\n"); !strings.Contains(got, "PagerDuty had stopped to tell us") || !strings.Contains(got, "enabled, pinged") {
		t.Errorf("it tells %q", got)
	}
}

// A limit is waited for, and no longer.
func TestAPollThatIsThrottled(t *testing.T) {
	d := newPagedDesk(t)
	d.pager.triggers("P1")
	d.pager.fault = func(string, bool) error {
		return &integrations.Later{After: 90 * time.Second, Err: errors.New("429 Too Many Requests")}
	}
	d.agrees()
	d.pager.fault = nil
	if d.agrees(); d.pager.asked != 1 {
		t.Errorf("it was asked %d times", d.pager.asked)
	}
	if d.agrees(); len(d.opened()) != 1 {
		t.Errorf("open are %q", d.opened())
	}
}

// A silence counts what it holds back once, however often it is read.
func TestASilenceHoldsWhatIsReadBack(t *testing.T) {
	d := newPagedDesk(t)
	d.says("bob", "silence web 1h maintenance")
	d.pager.triggers("P1")
	for range 5 {
		d.agrees()
	}
	if len(d.opened()) > 0 {
		t.Fatalf("open are %q", d.opened())
	}
	err := d.store.View(func(tx *store.Tx) error {
		s, _, err := silences(tx).Get("silence-1")
		if s.Count != 1 {
			t.Errorf("it held %d", s.Count)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (d *desk) opened() (ids []string) {
	d.t.Helper()
	err := d.store.View(func(tx *store.Tx) error {
		all, err := openOnes(tx)
		ids = nil
		for _, i := range all {
			ids = append(ids, i.ID)
		}
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return ids
}

package incident

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// What somebody raises calls people at once, by the rule that fits, and has the card of an
// incident: with the message that it comes of.
func TestRaised(t *testing.T) {
	d := newDesk(t)
	r := d.says("bob", `raise in production "the shop answers 500 & worse https://acme.slack.com/archives/C1/p12" --service web`)
	if r.Subject != "incident-1" || r.Private.Text != "alice is called for incident-1." || !slices.Equal(d.pages(), []string{"incident-1 alice"}) {
		t.Fatalf("%+v, and %v were called", r, d.pages())
	}
	text, buttons := d.card("incident-1")
	if !strings.HasPrefix(text, "🚨 incident-1 “the shop answers 500 & worse” · waits for somebody\noriginal\n") {
		t.Errorf("the card says %s", text)
	}
	for _, want := range []string{"Acknowledge: ack incident-1", "Escalate: escalate incident-1", "Resolve: all-clear incident-1"} {
		if !slices.Contains(buttons, want) {
			t.Errorf("the card has no %s: %q", want, buttons)
		}
	}
	if i := d.incident("incident-1"); i.Alert.URL != "https://acme.slack.com/archives/C1/p12" || i.By.Name != "bob" || d.open() != 1 {
		t.Errorf("it is %+v", i)
	}
	d.passes(5*time.Minute + callEvery)
	if n := len(d.pages()); n != 3 {
		t.Errorf("%v were called", d.pages())
	}
	d.says("alice", "ack 1")
	again := d.says("bob", `raise in production "the shop answers 500 & worse" --service web`)
	if b := again.Private.Blocks[len(again.Private.Blocks)-1].Buttons; again.Subject != "incident-1" || d.open() != 1 || len(b) != 1 || b[0].Command != "escalate incident-1" {
		t.Errorf("again it is %s, with %+v", again.Subject, again.Private)
	}
}

// Where no rule fits it is declared all the same, and whom to page is offered; once one
// does, it can be escalated.
func TestRaisedAndNobodyIsNamed(t *testing.T) {
	d := newDesk(t)
	rules := d.cfg.Escalations
	d.cfg.Escalations = nil
	r := d.says("bob", `raise in staging "the shop is down"`)
	if b := r.Private.Blocks[1].Buttons; len(d.pages()) != 0 || !strings.HasPrefix(r.Private.Text, "incident-1 is declared, and calls nobody") || len(b) != 1 || b[0].Command != "page" {
		t.Errorf("%+v, and %v were called", r.Private, d.pages())
	}
	d.cat.Environments[1].OnCall = []string{"platform", "bob", "alice", "carol"}
	r = d.says("bob", `raise in production "the shop is down, too"`)
	b := r.Private.Blocks[1].Buttons
	if len(b) != 3 || b[0].Command != "page platform incident-2: the shop is down, too" {
		t.Fatalf("bob may press %+v", b)
	}
	d.says("bob", b[0].Command)
	if p := d.pages(); !slices.Equal(p, []string{"incident-3 alice"}) {
		t.Errorf("%v were called", p)
	}
	if _, buttons := d.card("incident-2"); !slices.Contains(buttons, "Acknowledge: ack incident-2") {
		t.Errorf("the card has %q", buttons)
	}
	d.refuses("bob", "escalate 2", "no_escalation")
	d.says("bob", "reassign 2 @alice")
	d.cfg.Escalations = rules
	d.says("bob", "escalate 2")
	if p := d.pages(); !slices.Equal(p, []string{"incident-2 alice", "incident-2 alice", "incident-3 alice"}) {
		t.Errorf("%v were called", p)
	}
	d.says("bob", `raise in staging "the disk is slow" --severity warning --another`)
	if i := d.incident("incident-4"); i.Severity != "warning" || len(i.Escalation.Steps) != 0 {
		t.Errorf("it is %+v", i)
	}
}

// Of a long message the first line is the title, and an address at the end is a link.
func TestWhatAMessageSays(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, c := range []struct{ said, title, text, link string }{
		{"a https://example.com/1", "a", "a", "https://example.com/1"},
		{"a\nb\nhttps://example.com/1", "a", "a\nb", "https://example.com/1"},
		{"https://example.com/1", "https://example.com/1", "https://example.com/1", ""},
		{"https://example.com/1 is down", "https://example.com/1 is down", "https://example.com/1 is down", ""},
		{"a ftp://example.com/1", "a ftp://example.com/1", "a ftp://example.com/1", ""},
		{long, long[:200] + "…", long, ""},
	} {
		d := newDesk(t)
		d.says("bob", `raise in production "`+c.said+`"`)
		if i := d.incident("incident-1"); i.Title != c.title || i.Alert.Text != c.text || i.Alert.URL != c.link {
			t.Errorf("%q is %q, %q, %q", c.said, i.Title, i.Alert.Text, i.Alert.URL)
		}
	}
}

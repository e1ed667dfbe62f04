package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// A pigeon takes text messages. What comes of each is said by fails, and no answer is
// heard while it is cut.
type pigeon struct {
	mu    sync.Mutex
	sent  []string
	fails []error
	cut   context.CancelFunc
}

func (p *pigeon) Text(_ context.Context, at integrations.Site, phone, from, text string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.fails) > 0 {
		err := p.fails[0]
		p.fails = p.fails[1:]
		if err != nil {
			return "", err
		}
	}
	p.sent = append(p.sent, strings.Join([]string{at.String(), phone, from, text}, " | "))
	if p.cut != nil {
		p.cut()
	}
	return fmt.Sprint(len(p.sent)), nil
}

// texting is a desk whose first step sends text messages to alice, who has a phone, and to
// bob, who has none.
func texting(t *testing.T) (*desk, *pigeon) {
	d := newDesk(t)
	d.cat.People[0].Phone = "+819000000001"
	p := &pigeon{}
	d.texts = p
	d.cfg.SMS = SMS{Account: "main", Region: "ap-northeast-1", Sender: "signalbox"}
	d.cfg.Escalations = []Rule{{Steps: []Step{{Call: []string{"alice", "bob"}, SMS: true}, {Call: []string{"alice"}}}}}
	d.starts()
	return d, p
}

func (d *desk) sendsTexts(ctx context.Context) {
	d.t.Helper()
	if err := d.ticking("texts")(ctx); err != nil {
		d.t.Fatal(err)
	}
}

// later lets time pass without anything that comes round.
func (d *desk) later(long time.Duration) {
	d.t.Helper()
	if err := d.clock.Advance(context.Background(), long, nil); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) threadSays(subject, card string) (out []string) {
	for _, s := range d.shown(subject) {
		if rest, ok := strings.CutPrefix(s, card+" in C-alerts: "); ok {
			out = append(out, rest)
		}
	}
	return out
}

// Whoever has a phone and is called by a step with sms gets a text message, once, however
// often somebody looks and over a restart; a step without sends none.
func TestATextMessage(t *testing.T) {
	d, p := texting(t)
	d.sends(d.alert("firing"))
	if len(p.sent) != 0 {
		t.Errorf("in the transaction that took the step %v were sent", p.sent)
	}
	d.starts() // what is wanted stands in the store
	for range 3 {
		d.sendsTexts(t.Context())
		d.later(time.Minute)
	}
	want := []string{"main ap-northeast-1 | +819000000001 | signalbox | incident-1: disk is full on web-1 /ops ack 1"}
	if want[0] = strings.Replace(want[0], "main ap-northeast-1", (integrations.Site{Account: "main", Region: "ap-northeast-1"}).String(), 1); !slices.Equal(p.sent, want) {
		t.Errorf("sent were %q", p.sent)
	}
	if got := d.threadSays("incident-1", cardCalled); !slices.Equal(got, []string{"📟 called: alice 📱, bob"}) {
		t.Errorf("the thread says %q", got)
	}
	d.passes(5 * time.Minute)
	d.sendsTexts(t.Context())
	if n := len(d.pages()); n != 3 || len(p.sent) != 1 {
		t.Errorf("%d were called, and sent were %q", n, p.sent)
	}
}

// Cut off between sending and writing that down, it is sent again: at least once, and no
// more than a few times however often that happens.
func TestATextMessageIsSentAtLeastOnce(t *testing.T) {
	d, p := texting(t)
	d.sends(d.alert("firing"))
	ctx, cut := context.WithCancel(t.Context())
	p.cut = cut
	d.sendsTexts(ctx)
	p.cut = nil
	d.starts()
	d.sendsTexts(t.Context())
	if len(p.sent) != 1 {
		t.Errorf("at once %d were sent", len(p.sent))
	}
	d.later(15 * time.Second)
	d.sendsTexts(t.Context())
	d.later(time.Hour)
	d.sendsTexts(t.Context())
	if len(p.sent) != 2 {
		t.Errorf("%d were sent", len(p.sent))
	}
	if got := d.threadSays("incident-1", cardCalled); !slices.Equal(got, []string{"📟 called: alice 📱, bob"}) {
		t.Errorf("the thread says %q", got)
	}

	d, p = texting(t)
	d.sends(d.alert("firing"))
	for range 20 {
		ctx, cut := context.WithCancel(t.Context())
		p.cut = cut
		d.sendsTexts(ctx)
		d.starts()
		d.later(30 * time.Second)
	}
	if len(p.sent) != mostTries {
		t.Errorf("over and over %d were sent", len(p.sent))
	}
}

// What cannot be sent now is tried again for a while; what never can is told in the thread
// at once. Neither is sent late.
func TestATextMessageThatIsNotSent(t *testing.T) {
	busy := &integrations.Later{After: time.Second, Err: errors.New("Throttled"), Unsent: true}
	for _, c := range []struct {
		name  string
		fails []error
		first time.Duration // until somebody looks
		after func(d *desk)
		sent  int
		says  string
	}{
		{name: "for a moment", fails: []error{busy, busy}, sent: 1},
		{name: "for long", fails: []error{busy, busy, busy, busy, busy, busy}, says: "📵 no text message to alice: 5 tries were not enough · “Throttled”"},
		{name: "never", fails: []error{errors.New("InvalidParameter: +819000000001 is not valid")}, says: "📵 no text message to alice: it was refused · “InvalidParameter: the phone is not valid”"},
		{name: "too late", first: oldestText + time.Second, says: "📵 no text message to alice: it would be too late"},
		{name: "too late at last", fails: []error{&integrations.Later{After: time.Hour, Err: errors.New("no")}}, says: "📵 no text message to alice: it would be too late · “no”"},
		{name: "somebody came", after: func(d *desk) { d.says("bob", "ack 1") }},
		{name: "it is over", after: func(d *desk) { d.sends(d.alert("resolved")) }},
		{name: "no phone any more", after: func(d *desk) { d.cat.People[0].Phone = "" }, says: "📵 no text message to alice: the configuration has no phone of them any more"},
		{name: "nobody sends any more", after: func(d *desk) { d.cfg.SMS = SMS{} }, says: "📵 no text message to alice: the configuration says no more how it is sent"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, p := texting(t)
			p.fails = c.fails
			d.sends(d.alert("firing"))
			if c.after != nil {
				c.after(d)
			}
			d.later(c.first)
			for range 3 * int(time.Hour/(time.Minute)) {
				d.sendsTexts(t.Context())
				d.later(time.Minute)
			}
			if len(p.sent) != c.sent {
				t.Errorf("sent were %q", p.sent)
			}
			if got := strings.Join(d.threadSays("incident-1", cardUntexted), "\n"); got != c.says {
				t.Errorf("the thread says %q", got)
			}
		})
	}
}

// Help that is asked for by hand is sent for too, although somebody has the incident.
func TestATextMessageForWhoIsAskedForHelp(t *testing.T) {
	d, p := texting(t)
	d.cfg.Escalations[0].Steps = []Step{{Call: []string{"bob"}}, {Call: []string{"alice"}, SMS: true}}
	d.sends(d.alert("firing"))
	d.says("bob", "ack 1")
	d.later(time.Second)
	d.says("bob", "escalate 1 I cannot reach it")
	d.sendsTexts(t.Context())
	if len(p.sent) != 1 {
		t.Errorf("sent were %q", p.sent)
	}
}

// A text message is one part, whatever the title: which incident and how to answer are
// always in it.
func TestATextMessageFits(t *testing.T) {
	long := strings.Repeat("0123456789", 30)
	for _, c := range []struct{ title, want string }{
		{"the shop is down", "incident-12: the shop is down /ops ack 12"},
		{"disk is “full” – /var…", `incident-12: disk is "full" - /var... /ops ack 12`},
		{"two\nlines\t\x07here", "incident-12: two lines here /ops ack 12"},
		{long, "incident-12: " + long[:112] + "... /ops ack 12"},
		{strings.Repeat("{", 100), "incident-12: " + strings.Repeat("{", 56) + "... /ops ack 12"}, // each counts twice
		{"本番のディスクがいっぱいです", "incident-12: 本番のディスクがいっぱいです /ops ack 12"},
		{strings.Repeat("本", 80), "incident-12: " + strings.Repeat("本", 42) + "... /ops ack 12"},
		{strings.Repeat("🔥", 80), "incident-12: " + strings.Repeat("🔥", 21) + "... /ops ack 12"},
	} {
		i := Incident{}
		i.ID, i.Title = "incident-12", c.title
		got := i.short()
		if got != c.want {
			t.Errorf("%q is said as %q, want %q", c.title, got, c.want)
		}
		if n, ok := gsm(got); ok && n > 140 || !ok && len(utf16.Encode([]rune(got))) > 70 {
			t.Errorf("%q is too long", got)
		}
	}
	for _, title := range []string{"", "a", long, strings.Repeat("{本", 50)} {
		for n := 1; n < 12; n++ {
			i := Incident{}
			i.ID, i.Title = "incident-"+strings.Repeat("9", n), title
			if got := i.short(); !strings.HasPrefix(got, i.ID+":") || !strings.HasSuffix(got, " /ops ack "+strings.Repeat("9", n)) {
				t.Errorf("it says %q", got)
			}
		}
	}
}

func TestConfigOfTextMessages(t *testing.T) {
	nobody := Config{Channel: "x", Escalations: []Rule{{Steps: []Step{{PagerDuty: "web", SMS: true}}}}}
	if err := nobody.Validate(); err == nil || !strings.Contains(err.Error(), "escalations[0].steps[0].sms: is for whoever is called here") {
		t.Errorf("%v", err)
	}
	for sender, ok := range map[string]bool{"": true, "signalbox": true, "A": true, "1a": true, "12345": false, "signal box": false, "signalboxes1": false, "-a": false} {
		c := Config{Channel: "x", SMS: SMS{Sender: sender}}
		if err := c.Validate(); (err == nil) != ok {
			t.Errorf("%q: %v", sender, err)
		}
	}
}

// A text message is on its way as soon as it is wanted, and waits for no round.
func TestATextMessageWaitsForNoRound(t *testing.T) {
	d, p := texting(t)
	ctx, cut := context.WithCancel(t.Context())
	p.cut = cut // it ends what sends
	ended := make(chan error)
	go func() { ended <- d.feat.Workers[0].Run(ctx) }()
	d.sends(d.alert("firing"))
	if err := <-ended; err != nil || len(p.sent) != 1 {
		t.Errorf("%v; sent were %q", err, p.sent)
	}
}

package incident

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// alert is one of the check "disk" of web in production.
func (d *desk) alert(state string, edit ...func(*integrations.Alert)) integrations.Alert {
	a := integrations.Alert{Key: "web-1/disk", State: state, Severity: integrations.SeverityCritical, Title: "disk is full on web-1", Service: "web", Environment: "production", Host: "web-1", Check: "disk", At: d.clock.Now()}
	for _, do := range edit {
		do(&a)
	}
	return a
}

func key(k string) func(*integrations.Alert) {
	return func(a *integrations.Alert) { a.Key, a.Title = k, k+" is broken" }
}

func severity(s string) func(*integrations.Alert) {
	return func(a *integrations.Alert) { a.Severity = s }
}

// sends has a source deliver alerts, and gives the audit's word of it.
func (d *desk) sends(alerts ...integrations.Alert) commands.Reply {
	d.t.Helper()
	return d.sendsOf("sensu", alerts...)
}

func (d *desk) sendsOf(source string, alerts ...integrations.Alert) commands.Reply {
	d.t.Helper()
	body, err := json.Marshal(integrations.AlertNotice{Source: source, Alerts: alerts})
	if err != nil {
		d.t.Fatal(err)
	}
	d.event++
	act, err := d.feat.Events["alert."](context.Background(), commands.Happening{Event: d.event, Kind: "alert." + source, Body: body, Catalog: d.cat})
	if err != nil {
		d.t.Fatal(err)
	}
	var reply commands.Reply
	if act == nil {
		return reply
	}
	if err := d.store.Update(context.Background(), func(tx *store.Tx) (err error) { reply, err = act(tx); return err }); err != nil {
		d.t.Fatal(err)
	}
	return reply
}

// passes lets time pass; the feature looks every ten seconds.
func (d *desk) passes(long time.Duration) {
	d.t.Helper()
	for end := d.clock.Now().Add(long); d.clock.Now().Before(end); {
		if err := d.clock.Advance(context.Background(), min(callEvery, end.Sub(d.clock.Now())), nil); err != nil {
			d.t.Fatal(err)
		}
		d.tick()
	}
}

func (d *desk) tick() {
	d.t.Helper()
	if err := d.feat.Ticks[0].Run(context.Background()); err != nil {
		d.t.Fatal(err)
	}
}

// shown is what each surface of a subject shows, by its card and address; those that hold
// back are left out.
func (d *desk) shown(subject string) (out []string) {
	d.t.Helper()
	err := d.store.View(func(tx *store.Tx) error {
		all, err := tx.SurfacesOf(subject)
		slices.SortFunc(all, func(a, b *store.Surface) int { return int(a.Order) - int(b.Order) })
		for _, s := range all {
			m, err := d.feat.Cards[s.Card](tx, s)
			if err != nil {
				return err
			}
			if !m.Hold {
				out = append(out, s.Card+" in "+s.Where["channel"]+": "+m.Text)
			}
		}
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return out
}

// card is the message of an incident, with its blocks.
func (d *desk) card(id string) (text string, buttons []string) {
	d.t.Helper()
	err := d.store.View(func(tx *store.Tx) error {
		m, err := d.feat.Cards[card](tx, &store.Surface{Subject: id})
		for _, b := range m.Blocks {
			text += strings.TrimSpace(b.Text.Plain()+b.Context.Plain()) + "\n"
			for _, one := range b.Buttons {
				buttons = append(buttons, one.Label+": "+one.Command)
			}
		}
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return text, buttons
}

func (d *desk) incident(id string) (i Incident) {
	d.t.Helper()
	err := d.store.View(func(tx *store.Tx) (err error) { i, _, err = records(tx).Get(id); return err })
	if err != nil {
		d.t.Fatal(err)
	}
	return i
}

func (d *desk) pages() (out []string) {
	d.t.Helper()
	err := d.store.View(func(tx *store.Tx) error {
		all, err := Pages(tx, time.Time{}, d.clock.Now().Add(time.Second))
		for _, p := range all {
			out = append(out, p.Incident+" "+p.Person)
		}
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return out
}

// Alerts of one thing are one incident and one message, from the first to the end; the
// same again soon after is the same incident, and later another.
func TestAlertsOfOneThingAreOneIncident(t *testing.T) {
	d := newDesk(t)
	if r := d.sends(d.alert("resolved")); r.Subject != "" {
		t.Errorf("what was never wrong is %s", r.Subject)
	}
	if r := d.sends(d.alert("firing")); r.Subject != "incident-1" || r.Service != "web" || r.Environment != "production" {
		t.Fatalf("the first is %+v", r)
	}
	for range 3 {
		d.passes(time.Minute)
		if r := d.sends(d.alert("firing")); r.Subject != "incident-1" {
			t.Fatalf("again, it is %s", r.Subject)
		}
	}
	if got := d.shown("incident-1")[0]; got != "incident in C-alerts: 🚨 incident-1 “disk is full on web-1” · waits for somebody" {
		t.Errorf("it shows %s", got)
	}
	if text, _ := d.card("incident-1"); !strings.Contains(text, "sensu · web in production · web-1 · since ") || !strings.Contains(text, " · 4 alerts") {
		t.Errorf("the card says %s", text)
	}
	d.passes(time.Minute)
	d.sends(d.alert("resolved"))
	if got := d.shown("incident-1")[0]; got != "incident in C-alerts: 🟢 incident-1 “disk is full on web-1” · over after 4 min · sensu" {
		t.Errorf("over, it shows %s", got)
	}
	d.passes(9 * time.Minute)
	if r := d.sends(d.alert("firing")); r.Subject != "incident-1" {
		t.Errorf("nine minutes later it is %s", r.Subject)
	}
	if i := d.incident("incident-1"); i.Reopened != 1 || !i.Over.IsZero() || i.Count != 5 {
		t.Errorf("it is %+v", i)
	}
	d.sends(d.alert("resolved"))
	d.passes(11 * time.Minute)
	if r := d.sends(d.alert("firing")); r.Subject != "incident-2" {
		t.Errorf("eleven minutes later it is %s", r.Subject)
	}
	d.says("bob", "all-clear 2 old logs removed")
	d.passes(time.Hour)
	d.sends(d.alert("firing"))
	if text, _ := d.card("incident-3"); !strings.Contains(text, "🔁 3 times within a week · last time: old logs removed\n") {
		t.Errorf("the third says %s", text)
	}
	d.sends(d.alert("firing", func(a *integrations.Alert) { a.Source = "x"; a.Key = "other" }))
	if n := d.open(); n != 2 {
		t.Errorf("%d are open", n)
	}
}

// What a source said earlier and comes later changes nothing.
func TestAnAlertThatWasOvertaken(t *testing.T) {
	d := newDesk(t)
	first := d.alert("firing")
	d.passes(time.Minute)
	second, end := d.alert("firing", func(a *integrations.Alert) { a.Title = "disk is at 99 % on web-1" }), d.alert("resolved")
	d.sends(second)
	d.sends(first)
	if i := d.incident("incident-1"); i.Title != second.Title || i.Count != 1 {
		t.Errorf("the first came late, and it is %s, %d", i.Title, i.Count)
	}
	d.passes(time.Minute)
	end.At = d.clock.Now()
	d.sends(end)
	d.sends(first)
	if n := d.open(); n > 0 {
		t.Error("an alert that its end overtook opened it again")
	}
}

// Where nothing is configured, or what a source calls nobody for, there is no incident; of
// each severity there may be another channel, or none.
func TestWhereIncidentsAreTold(t *testing.T) {
	d := newDesk(t)
	d.cfg.Channels = map[string]string{"warning": "noise", "info": "none"}
	for k, edit := range []func(*integrations.Alert){
		func(a *integrations.Alert) { a.Silenced = true }, func(a *integrations.Alert) { a.Maintenance = true }, severity("info"),
		func(a *integrations.Alert) { a.State = "noted" }, func(a *integrations.Alert) { a.State = "of another world" },
	} {
		if r := d.sends(d.alert("firing", edit)); r.Subject != "" {
			t.Errorf("%d: it is %s", k, r.Subject)
		}
	}
	d.sends(d.alert("firing", severity("warning")))
	if got := d.shown("incident-1")[0]; !strings.HasPrefix(got, "incident in C-noise: ⚠️ ") {
		t.Errorf("a warning shows %s", got)
	}
	d.passes(10 * time.Minute)
	if p := d.pages(); len(p) > 0 {
		t.Errorf("for a warning %v are called", p)
	}
	d.cfg.Channel, d.cfg.Channels, d.cfg.Escalations = "", nil, nil
	if r := d.sends(d.alert("firing", key("other"))); r.Subject != "" {
		t.Errorf("without a channel it is %s", r.Subject)
	}
}

// An alert of PagerDuty that somebody has there is theirs here; one that they lose calls
// again, and what they write stands here.
func TestWhatHappensElsewhere(t *testing.T) {
	d := newDesk(t)
	by := func(a *integrations.Alert) { a.By = integrations.AlertPerson{Name: "Zoe"} }
	d.sends(d.alert("firing"))
	d.sends(d.alert("acknowledged", by))
	d.sends(d.alert("noted", by, func(a *integrations.Alert) { a.Text = "I look" }))
	text, buttons := d.card("incident-1")
	if !strings.Contains(text, "acknowledged by Zoe\n") || !strings.Contains(text, "📝 Zoe: I look\n") || strings.HasPrefix(buttons[0], "Acknowledge") {
		t.Errorf("the card says %s %v", text, buttons)
	}
	d.passes(30 * time.Minute)
	if p := d.pages(); !slices.Equal(p, []string{"incident-1 alice"}) {
		t.Errorf("%v were called", p)
	}
	if no := d.refuses("bob", "ack 1", "acknowledged"); !strings.Contains(no.What, "incident-1 is Zoe's: acknowledged 30 min ago.") {
		t.Errorf("bob is told %s", no.What)
	}
	d.sends(d.alert("unacknowledged", by))
	d.passes(callEvery)
	if p := d.pages(); !slices.Equal(p, []string{"incident-1 alice", "incident-1 alice", "incident-1 bob"}) { // from where it was
		t.Errorf("%v were called", p)
	}
	// Of what was missed, an acknowledgement tells.
	if r := d.sends(d.alert("acknowledged", by, key("missed"))); r.Subject != "incident-2" || d.incident("incident-2").AckedName != "Zoe" {
		t.Errorf("it is %+v", r)
	}
}

// An alert lets nobody pass the gates by itself; once a person has it, it does.
func TestAnAlertAloneOpensNoGate(t *testing.T) {
	d := newDesk(t)
	d.sends(d.alert("firing"))
	opens := func() bool {
		var found *gate.Incident
		if err := d.store.View(func(tx *store.Tx) (err error) { found, err = gate.OpenIncident(tx, "web", "production"); return err }); err != nil {
			t.Fatal(err)
		}
		return found != nil
	}
	if opens() {
		t.Error("an alert opens a gate")
	}
	d.sends(d.alert("acknowledged"))
	if opens() {
		t.Error("somebody elsewhere opens a gate")
	}
	d.sends(d.alert("unacknowledged"))
	d.says("alice", "ack 1")
	if !opens() {
		t.Error("alice has it, and it opens none")
	}
	// One that says of nothing in particular, and a call, are of no service.
	d.says("alice", "all-clear 1")
	d.sends(d.alert("firing", key("all"), func(a *integrations.Alert) { a.Service = "" }))
	d.says("alice", "ack 2")
	d.says("alice", "page @bob hello")
	if opens() {
		t.Error("an alert of no service opens a gate, or a call does")
	}
}

// A source whose clock is ahead is heard all the same afterwards.
func TestAnAlertOfTheFuture(t *testing.T) {
	d := newDesk(t)
	d.sends(d.alert("firing", func(a *integrations.Alert) { a.At = a.At.Add(time.Hour) }))
	d.passes(time.Minute)
	d.sends(d.alert("resolved"))
	if n := d.open(); n > 0 {
		t.Error("its end came, and it is open")
	}
}

// The card tells what was deployed just before, and offers to take it back, and the host.
func TestWhatMayHaveBrokenIt(t *testing.T) {
	d := newDesk(t)
	for _, op := range []*store.Operation{
		{ID: "op-1", Kind: "deploy", State: store.OpSucceeded, Service: "web", Environment: "production", Requester: store.Person{Name: "carol"}, Ended: d.clock.Now().Add(-20 * time.Minute)},
		{ID: "op-2", Kind: "deploy", State: store.OpSucceeded, Service: "web", Environment: "staging", Ended: d.clock.Now()},
	} {
		if err := d.store.Update(context.Background(), func(tx *store.Tx) error { return tx.PutOperation(op) }); err != nil {
			t.Fatal(err)
		}
	}
	d.sends(d.alert("firing", func(a *integrations.Alert) {
		a.Text, a.URL, a.Runbook = "98 %", "https://sensu.example/1", "https://wiki.example/disk"
		a.Metric = integrations.Metric{Name: "disk", Value: "98", Operator: ">", Threshold: "95"}
	}))
	text, buttons := d.card("incident-1")
	if !strings.Contains(text, "🚢 op-1 succeeded 20 min before it began · carol\n") || !strings.Contains(text, "98 %\ndisk 98 > 95\nsource · runbook\n") {
		t.Errorf("the card says %s", text)
	}
	if want := []string{"Acknowledge: ack incident-1", "Resolve: all-clear incident-1", "Escalate: escalate incident-1", "Snooze 1 h: snooze incident-1 1h", "Note…: note incident-1", "Reassign…: reassign incident-1", "Roll back: rollback op-1", "Drain…: drain web-1"}; !slices.Equal(buttons, want) {
		t.Errorf("it offers %q", buttons)
	}
	d.sends(d.alert("firing", key("api"), func(a *integrations.Alert) { a.Service, a.Host = "api", "" }))
	if _, buttons = d.card("incident-2"); len(buttons) != 6 {
		t.Errorf("of another service it offers %q", buttons)
	}
}

// What is over for long is forgotten, and what is open is not.
func TestOldIncidentsAreForgotten(t *testing.T) {
	d := newDesk(t)
	d.sends(d.alert("firing"))
	d.sends(d.alert("firing", key("open")))
	d.passes(callEvery)
	d.sends(d.alert("resolved"))
	if err := d.clock.Advance(context.Background(), keepFor+time.Hour, nil); err != nil {
		t.Fatal(err)
	}
	if err := d.feat.Prune(context.Background()); err != nil {
		t.Fatal(err)
	}
	if i := d.incident("incident-1"); i.ID != "" {
		t.Errorf("left is %+v", i)
	}
	if d.open() != 1 || len(d.pages()) != 0 {
		t.Errorf("%d are open, and %v pages are left", d.open(), d.pages())
	}
}

func TestConfigMistakes(t *testing.T) {
	step := []Step{{Call: []string{"alice"}}}
	for want, c := range map[string]Config{
		`channels: no severity is called "bad"`:                   {Channel: "a", Channels: map[string]string{"bad": "x"}},
		`channels.info: is empty`:                                 {Channel: "a", Channels: map[string]string{"info": ""}},
		`channel: is missing`:                                     {Escalations: []Rule{{Steps: step}}},
		`storm: is -1`:                                            {Channel: "a", Storm: -1},
		`reopen: is 25h0m0s`:                                      {Channel: "a", Reopen: 25 * time.Hour},
		`escalations[0].steps: has 0`:                             {Channel: "a", Escalations: []Rule{{}}},
		`escalations[0].repeat: is 10`:                            {Channel: "a", Escalations: []Rule{{Steps: step, Repeat: 10}}},
		`escalations[0].steps[0].call: is missing`:                {Channel: "a", Escalations: []Rule{{Steps: []Step{{}}}}},
		`escalations[0].steps[0].wait: is -1ns`:                   {Channel: "a", Escalations: []Rule{{Steps: []Step{{Call: []string{"x"}, Wait: -1}}}}},
		`escalations[0].severities: no severity is called "high"`: {Channel: "a", Escalations: []Rule{{Steps: step, Severities: []string{"high"}}}},
	} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := (Config{}).Validate(); err != nil {
		t.Error(err)
	}
}

// The trail of a thing that breaks again and again stays short, and what was deployed long
// before, or after, is not named.
func TestWhatIsNotNamed(t *testing.T) {
	d := newDesk(t)
	for range mostPast + 5 {
		d.sends(d.alert("firing"))
		d.passes(callEvery)
		d.sends(d.alert("resolved"))
		if err := d.clock.Advance(context.Background(), time.Hour, nil); err != nil {
			t.Fatal(err)
		}
	}
	err := d.store.View(func(tx *store.Tx) error {
		got, _, err := trails(tx).Get(trailKey("sensu", "web-1/disk"))
		if len(got.Past) != mostPast {
			t.Errorf("%d are kept", len(got.Past))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	d.sends(d.alert("firing", key("other")))
	id := fmt.Sprintf("incident-%d", mostPast+6)
	for n, ended := range []time.Duration{-justNow - time.Minute, time.Minute} {
		op := &store.Operation{ID: fmt.Sprintf("op-%d", n+1), Kind: "deploy", State: store.OpSucceeded, Service: "web", Environment: "production", Ended: d.clock.Now().Add(ended)}
		if err := d.store.Update(context.Background(), func(tx *store.Tx) error { return tx.PutOperation(op) }); err != nil {
			t.Fatal(err)
		}
		if text, _ := d.card(id); strings.Contains(text, "🚢") {
			t.Errorf("%v: it names %s", ended, text)
		}
	}
}

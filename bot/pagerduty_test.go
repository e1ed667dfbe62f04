package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/pagerduty/pagerdutysim"
	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

const keptThere = `pagerduty:
  url: %s
  token: a-key-that-writes
oncall:
  schedules:
    database: {zone: Asia/Tokyo, channel: ops, pagerduty: PDATABASE}
`

// pager is a box with a schedule that PagerDuty keeps: bob and carol for a day each, from
// Monday at nine in Tokyo, and never alice.
type pager struct {
	*box
	sim    *pagerdutysim.Sim
	create string // the call that makes an override
}

// newPager opens one, of layers or of shifts; around may stand between the two sides.
func newPager(t *testing.T, clk *clock.Movable, ofShifts bool, around func(b *pager, next http.Handler) http.Handler) *pager {
	t.Helper()
	p := &pager{create: "overrides.create"}
	cfg := pagerdutysim.Config{Tokens: map[string]pagerdutysim.Token{"a-key-that-writes": {Writes: true}}}
	if clk != nil {
		cfg.Clock = clk
	}
	for _, name := range []string{"alice", "bob", "carol"} {
		cfg.Users = append(cfg.Users, pagerdutysim.User{ID: "P" + strings.ToUpper(name), Name: name, Email: name + "@acme.example"})
	}
	s := pagerdutysim.Schedule{ID: "PDATABASE", Name: "Database", Zone: "Asia/Tokyo", Shifts: ofShifts}
	days := []string{"PBOB", "PCAROL", "PBOB", "PCAROL", "PBOB", "PCAROL", "PCAROL"}
	if ofShifts {
		p.create = "overrides_v3.create"
		s.Rotations = []pagerdutysim.Rotation{{ID: "RDAYS", Events: []pagerdutysim.Event{{Name: "Days", Start: "2026-01-05T09:00:00", End: "2026-01-06T09:00:00", Rule: "RRULE:FREQ=DAILY", Members: days}}}}
	} else {
		s.Layers = []pagerdutysim.Layer{{Name: "Days", Start: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), Turn: 24 * 60 * 60, Users: days}}
	}
	cfg.Schedules = []pagerdutysim.Schedule{s}
	var err error
	if p.sim, err = pagerdutysim.New(cfg); err != nil {
		t.Fatal(err)
	}
	handler := p.sim.Handler()
	if around != nil {
		handler = around(p, handler)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	p.box = newBox(t, func(w *boxWorld) {
		w.clock = clk
		w.edit = func(text string) string { return text + fmt.Sprintf(keptThere, server.URL) }
	})
	return p
}

// answer types a line and waits for what that person alone is answered.
func (p *pager) answer(user, line string) (text string) {
	p.t.Helper()
	seen := func() (all []string) {
		list, err := p.slack.Ephemerals(user, "ops")
		if err != nil {
			p.t.Fatal(err)
		}
		for _, m := range list {
			all = append(all, m.Text)
		}
		return all
	}
	before := len(seen())
	p.say(user, line)
	p.until(user+" is answered "+line, func() bool {
		all := seen()
		if len(all) > before {
			text = all[len(all)-1]
		}
		return len(all) > before
	})
	return text
}

// agree compares what the bot says comes next with what PagerDuty says.
func (p *pager) agree(now string) {
	p.t.Helper()
	from := p.clock.Now().UTC()
	all, err := p.sim.Final("PDATABASE", from, from.AddDate(0, 0, 14))
	if err != nil {
		p.t.Fatal(err)
	}
	var lines []string
	last := ""
	for _, s := range all {
		if who := strings.ToLower(strings.ReplaceAll(strings.Join(s.Users, " + "), "P", "")); who != last {
			lines, last = append(lines, s.Start.Format("Mon 2 Jan 15:04")+"  "+who), who
		}
	}
	want := "database\n" + strings.Join(lines[:5], "\n")
	if got := p.answer("alice", "/ops oncall next database"); got != want {
		p.t.Errorf("it says\n%s\nand PagerDuty\n%s", got, want)
	}
	if got := p.answer("alice", "/ops oncall database"); !strings.HasPrefix(got, "☎️ database: "+now+" until ") && !strings.HasPrefix(got, "☎️ database: "+now+" (for ") || strings.Contains(got, "answer") {
		p.t.Errorf("it says %q, not %s", got, now)
	}
}

// made are the people of all overrides there that are not over, in the order of their
// making.
func (p *pager) made() string {
	p.t.Helper()
	s, _ := p.sim.Schedule("PDATABASE")
	var out []string
	now := time.Now()
	if p.clock != nil {
		now = p.clock.Now()
	}
	for _, o := range slices.Concat(s.Overrides, s.Custom) {
		if o.End.After(now) {
			out = append(out, strings.ToLower(o.User[1:]))
		}
	}
	return strings.Join(out, " ")
}

func (p *pager) has(want string) {
	p.t.Helper()
	if got := p.made(); got != want {
		p.t.Errorf("PagerDuty has the overrides of %q, not of %q", got, want)
	}
}

func (p *pager) fault(f pagerdutysim.Fault) {
	p.t.Helper()
	if err := p.sim.Fault(f); err != nil {
		p.t.Fatal(err)
	}
}

// change is the message of a change, by its id.
func (p *pager) change(id string) string {
	p.t.Helper()
	for _, m := range p.history("") {
		if strings.Contains(string(m.Blocks), "`"+id+"`") {
			return m.Text
		}
	}
	return ""
}

// What people take in chat and what they change on PagerDuty's page is the same on both
// sides, also after PagerDuty was away for an hour, after an answer was lost and after a
// restart; nothing is made twice.
func TestPagerDutyKeepsASchedule(t *testing.T) {
	for name, ofShifts := range map[string]bool{"layers": false, "shifts": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPager(t, clock.NewMovable(time.Until(talkBegins())), ofShifts, nil)
			stop := p.runInside()
			p.settle()
			p.agree("carol")

			p.say("alice", "/ops oncall take 2h") // of the only one
			p.advance(20 * time.Second)
			p.has("alice")
			p.agree("alice")

			if _, err := p.sim.Put("PDATABASE", "PBOB", p.clock.Now(), p.clock.Now().Add(30*time.Minute)); err != nil {
				t.Fatal(err)
			}
			p.advance(6 * time.Minute)
			p.has("alice bob")
			p.agree("bob")

			p.say("alice", "/ops oncall cancel")
			p.advance(20 * time.Second)
			p.has("bob")
			p.agree("bob")
			p.advance(30 * time.Minute)
			p.agree("carol")

			p.fault(pagerdutysim.Fault{Kind: "error", Status: 503, ForSeconds: 10 * 60})
			p.fault(pagerdutysim.Fault{Kind: "throttle", Seconds: 30, ForSeconds: 60 * 60})
			p.advance(10 * time.Minute)
			if got := p.answer("bob", "/ops oncall database"); !strings.Contains(got, "carol until") || !strings.Contains(got, "⏳ database is as PagerDuty had it at ") {
				t.Errorf("while it is away it says %q", got)
			}
			p.say("bob", "/ops oncall take 3h --reason \"carol is ill\"")
			p.advance(20 * time.Minute)
			if got := p.change("rota-3"); !strings.Contains(got, "bob takes the pager") || !strings.Contains(got, "⏳ PagerDuty does not have it yet") || !strings.Contains(got, "429") {
				t.Errorf("what waits is told as %q", got)
			}
			if got := p.answer("bob", "/ops oncall database"); !strings.Contains(got, "bob (for carol) until") {
				t.Errorf("what waits does not count: %q", got)
			}
			p.has("")
			p.advance(32 * time.Minute)
			p.has("bob")
			p.agree("bob")
			if got := p.change("rota-3"); !strings.Contains(got, "bob takes the pager") || strings.Contains(got, "⏳") {
				t.Errorf("when it is there it is told as %q", got)
			}
			p.say("bob", "/ops oncall cancel")
			p.advance(20 * time.Second)
			p.has("")

			p.fault(pagerdutysim.Fault{Kind: "lost", Action: p.create})
			p.say("alice", "/ops oncall take 2h")
			p.advance(2 * time.Minute)
			p.has("alice")
			p.agree("alice")

			stop()
			p.runInside()
			p.settle()
			p.advance(6 * time.Minute)
			p.has("alice")
			p.agree("alice")
			p.say("alice", "/ops oncall cancel")
			p.advance(20 * time.Second)
			p.has("")
			p.agree("carol")
			told := 0
			for _, m := range p.history("") {
				if strings.Contains(m.Text, "database") {
					told++
				}
			}
			if told != 6 {
				t.Errorf("there are %d messages, not of three takes that were taken back", told)
			}
		})
	}
}

// check looks at the schedules that PagerDuty keeps, and names those on call who are not in
// the configuration, and nobody else.
func TestCheckLooksAtPagerDuty(t *testing.T) {
	t.Parallel()
	p := newPager(t, nil, false, nil)
	c, err := loadConfig(filepath.Join(p.dir, "signalbox.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	look := func() string {
		var out []string
		for _, f := range pagerDutyFindings(t.Context(), c) {
			out = append(out, f.What+" "+f.Say)
		}
		return strings.Join(out, "\n")
	}
	if all := look(); !strings.HasSuffix(all, "PagerDuty schedule PDATABASE is there, of layers") {
		t.Errorf("found is\n%s", all)
	}
	c.People = slices.DeleteFunc(c.People, func(p PersonConfig) bool { return p.Name == "bob" })
	if all := look(); !strings.HasSuffix(all, "not in the configuration by their email: bob (bob@acme.example)") {
		t.Errorf("found is\n%s", all)
	}
	c.PagerDuty = PagerDutyConfig{}
	if all := look(); all != "" {
		t.Errorf("without PagerDuty found is\n%s", all)
	}
}

// The process is killed before and after its override is made, and before and after it is
// taken back: there is one, and then there is none.
func TestATakeIsKilledAtItsOverride(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	asked := map[string]int{}
	// count is how often something was asked for so far.
	count := func(method string) int {
		mu.Lock()
		defer mu.Unlock()
		return asked[method]
	}
	p := newPager(t, nil, false, func(p *pager, next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				next.ServeHTTP(w, r)
				return
			}
			mu.Lock()
			asked[r.Method]++
			n := asked[r.Method]
			mu.Unlock()
			if n == 1 {
				p.cut()
				return
			}
			next.ServeHTTP(w, r)
			if n == 2 {
				p.cut()
			}
		})
	})
	p.start()
	p.until("PagerDuty has told who is on call", func() bool { return strings.Contains(p.answer("alice", "/ops oncall"), " until ") })
	p.say("alice", "/ops oncall take 2h from tomorrow 9:00")
	p.until("it is made after it was killed twice", func() bool { return count(http.MethodPost) >= 2 && !p.dead.Load() && p.ready() })
	p.untilDone()
	p.has("alice")
	p.say("alice", "/ops oncall cancel")
	p.until("it is taken back after it was killed twice", func() bool { return count(http.MethodDelete) >= 2 && !p.dead.Load() && p.ready() })
	p.has("")
	p.say("alice", "/ops oncall take 2h from tomorrow 12:00") // what is left of before would be seen by now
	p.until("another is made", func() bool { return p.made() == "alice" })
	if n, m := count(http.MethodPost), count(http.MethodDelete); n != 3 || m > 3 {
		t.Errorf("%d were asked for, and %d taken back", n, m)
	}
	p.untilDone()
	if told := len(slices.DeleteFunc(p.history(""), func(m slacksim.Message) bool { return !strings.Contains(m.Text, "database") })); told != 3 {
		t.Errorf("there are %d messages", told)
	}
}

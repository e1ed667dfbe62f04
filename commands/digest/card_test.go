package digest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/stats"
	"github.com/signalbox-chatops/signalbox/store"
)

// text is the digest of the week until the 23rd.
func (s *scene) text() string {
	s.t.Helper()
	return s.reportOf().message("en", nil).Text
}

func (s *scene) tells(want string) {
	s.t.Helper()
	if d := cmp.Diff(strings.TrimSpace(want), s.text()); d != "" {
		s.t.Errorf("(-want +got)\n%s", d)
	}
}

// TestTheWeekIsTold is worked out by hand, see aWeek. Of 84 days of a daily rotation among
// three each has 28; this week begins in carol's night and ends in alice's day: see the
// picture's test.
func TestTheWeekIsTold(t *testing.T) {
	s := newScene(t)
	s.aWeek()
	s.aRota()
	s.tells(`
📊 The week behind, 16 Nov – 22 Nov 2026
All services: 5 deploys (↑ from 4) · 1 failed, 20 % (↓ from 25 %) · lead time 2 h (↓ from 4 h) · restored within 20 min (↓ from 2 h)
• api: 1 deploy (↓ from 2) · none failed (↓ from 50 %)
• web: 4 deploys (↑ from 2) · 1 failed, 25 % (↑ from 0 %) · lead time 2 h (↓ from 4 h) · restored within 20 min
☎️ platform: somebody was on call for 168 h · 2 takes · 1 swap
• carol: 63 h · working hours 18 h, evenings 12 h, weekend 13 h, sleeping hours 20 h
• bob: 57 h · working hours 9 h, evenings 8 h, weekend 15 h, sleeping hours 25 h
• alice: 48 h · working hours 18 h, evenings 10 h, weekend 2 h, sleeping hours 18 h
Over 12 weeks everybody had an equal share, 672 h
arrows compare with the time before · times are those of Asia/Tokyo · what the numbers are: /ops help digest`)
}

func TestAWeekWithoutAnything(t *testing.T) {
	s := newScene(t)
	s.tells(`
📊 The week behind, 16 Nov – 22 Nov 2026
Nothing was deployed.
times are those of Asia/Tokyo · what the numbers are: /ops help digest`)
	s.deploys = []stats.Deploy{{Service: "web", At: time.Date(2026, 11, 12, 0, 0, 0, 0, time.UTC)}}
	if got := s.text(); !strings.Contains(got, "\nNothing was deployed; the time before had 1 deploy.\n") {
		t.Errorf("it says %s", got)
	}
	if r := s.reportOf(); deploysOf(r, "en") != nil || loadOf(r, "en") != nil {
		t.Error("there are pictures of nothing")
	}
}

// One service is told alone, and what is broken is told though nothing was deployed.
func TestOneService(t *testing.T) {
	s := newScene(t)
	at := func(day int) time.Time { return time.Date(2026, 11, day, 12, 0, 0, 0, s.cfg.zone()) }
	s.deploys = []stats.Deploy{{Environment: "production", At: at(14), Bad: true}}
	if got := s.text(); !strings.Contains(got, "\n• Infrastructure: 0 deploys (↓ from 1) · not restored yet\narrows") {
		t.Errorf("it says %s", got)
	}
	s.deploys = append(s.deploys, stats.Deploy{Environment: "production", At: at(16), Rollback: true})
	if got := s.text(); !strings.Contains(got, "\n• Infrastructure: 0 deploys (↓ from 1) · 1 rollback · restored within 48 h\narrows") && !strings.Contains(got, "restored within 2 days") {
		t.Errorf("it says %s", got)
	}
	s.cfg.Environments = []string{"staging"}
	if got := s.text(); !strings.Contains(got, "\nNothing was deployed.\ncounted are deploys to staging · times") {
		t.Errorf("it says %s", got)
	}
}

// TestIncidents: 2 were opened in the week, 2 were over, after 1 h and 72 h, and 1 of
// before is still open.
func TestIncidents(t *testing.T) {
	s := newScene(t)
	at := func(day, hour int) time.Time { return time.Date(2026, 11, day, hour, 0, 0, 0, s.cfg.zone()) }
	err := s.store.Update(t.Context(), func(tx *store.Tx) (err error) {
		for id, i := range map[string]gate.Incident{
			"incident-1": {Opened: at(2, 0), Over: at(3, 0)}, "incident-2": {Opened: at(15, 0), Over: at(18, 0)}, "incident-3": {Opened: at(9, 0)},
			"incident-4": {Opened: at(17, 8), Over: at(17, 9)}, "incident-5": {Opened: at(22, 23), Over: at(23, 4)}, "incident-6": {Opened: at(23, 1)},
		} {
			if err := store.Feature[gate.Incident](tx, gate.IncidentFeature).Put(id, i); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.text(); !strings.Contains(got, "\n🔥 Incidents: 2 opened · 2 over within 1 h · 2 still open\n") {
		t.Errorf("it says %s", got)
	}
}

// TestShares: dave joined late. In twelve weeks alice and bob had 1004 h and 1000 h, and
// dave the 12 h of one night: an equal share is 672 h.
func TestShares(t *testing.T) {
	s := newScene(t)
	from := time.Date(2026, 8, 31, 0, 0, 0, 0, s.cfg.zone())
	shifts := turns(from, 4*time.Hour, 250+251, "alice", "bob")
	end := shifts[len(shifts)-1].End
	shifts = append(shifts, turns(end, 12*time.Hour, 1, "dave")...)
	s.served = []integrations.Served{{Schedule: "platform", People: []string{"alice", "bob", "dave"}, Shifts: shifts}}
	want := "\nOver 12 weeks an equal share is 672 h: alice had the most with 1004 h (+49 %), dave the least with 12 h (−98 %)\n"
	if got := s.text(); !strings.Contains(got, want) {
		t.Errorf("it says %s\nwant %s", got, want)
	}
	// One person alone is compared with nobody; a rota of last week with nothing.
	s.served = []integrations.Served{{Schedule: "platform", People: []string{"alice"}, Shifts: turns(from, 24*time.Hour, 84, "alice")}}
	if got := s.text(); strings.Contains(got, "share") || !strings.Contains(got, "\n• alice: 168 h · working hours 45 h, evenings 30 h, weekend 30 h, sleeping hours 63 h\n") {
		t.Errorf("it says %s", got)
	}
	s.served = []integrations.Served{{Schedule: "platform", People: []string{"alice", "bob"}, Shifts: append(turns(from, 70*24*time.Hour, 1, ""), turns(from.AddDate(0, 0, 77), 24*time.Hour, 6, "alice", "bob")...)}}
	if got := s.text(); strings.Contains(got, "share") || !strings.Contains(got, "☎️ platform: somebody was on call for 144 h of 168 h\n") {
		t.Errorf("it says %s", got)
	}
	// Nobody at all.
	s.served = []integrations.Served{{Schedule: "platform", People: []string{"alice"}}}
	if got := s.text(); !strings.Contains(got, "☎️ platform: somebody was on call for 0 h of 168 h\ntimes") {
		t.Errorf("it says %s", got)
	}
}

// TestPages: nothing is said of them where nobody keeps them.
func TestPages(t *testing.T) {
	s := newScene(t)
	s.aRota()
	at := func(day, hour int) time.Time { return time.Date(2026, 11, day, hour, 0, 0, 0, s.cfg.zone()) }
	if got := s.text(); strings.Contains(got, "page") {
		t.Errorf("it says %s", got)
	}
	s.pages = []integrations.Page{{Person: "alice", At: at(17, 3)}, {Person: "alice", At: at(18, 3)}, {Person: "alice", At: at(18, 12)}, {Person: "bob", At: at(21, 12)}, {Person: "bob", At: at(23, 12)}, {Person: "zoe", At: at(20, 20)}}
	s.starts()
	got := s.text()
	for _, want := range []string{"sleeping hours 20 h · no page\n", "• alice: 48 h · working hours 18 h, evenings 10 h, weekend 2 h, sleeping hours 18 h · 3 pages: working hours 1, sleeping hours 2\n", "sleeping hours 25 h · 1 page: weekend 1\n", "\n1 page of people who are in no schedule\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("it lacks %q:\n%s", want, got)
		}
	}
}

// The hours that are told are told in the blocks as in the text.
func TestBlocksSayTheSame(t *testing.T) {
	s := newScene(t)
	s.aWeek()
	s.aRota()
	m := s.reportOf().message("en", integrations.R("late by ", "3 h"))
	var all []string
	for _, b := range m.Blocks {
		if text := b.Text.Plain() + b.Context.Plain(); text != "" {
			all = append(all, text)
		}
	}
	if got := strings.Join(all, "\n"); got != m.Text || !strings.Contains(got, "\nlate by 3 h · arrows") {
		t.Errorf("the blocks say\n%s\nand the text\n%s", got, m.Text)
	}
}

// What broke before either week and was mended in this one is told here.
func TestWhatWasBrokenForLong(t *testing.T) {
	s := newScene(t)
	at := func(day int) time.Time { return time.Date(2026, 11, day, 12, 0, 0, 0, s.cfg.zone()) }
	s.deploys = []stats.Deploy{{Service: "web", At: at(4), Bad: true}, {Service: "web", At: at(18)}}
	if got := s.text(); !strings.Contains(got, "\n• web: 1 deploy · none failed · restored within 14 days\n") {
		t.Errorf("it says %s", got)
	}
}

// Who took the pager without being in the rota is told too, who has left it is not.
func TestStrangersInARota(t *testing.T) {
	s := newScene(t)
	from := time.Date(2026, 9, 7, 0, 0, 0, 0, s.cfg.zone())
	shifts := append(turns(from, 35*24*time.Hour, 2, "erin", "alice"), turns(from.AddDate(0, 0, 70), 24*time.Hour, 7, "carol", "bob")...)
	s.served = []integrations.Served{{Schedule: "platform", People: []string{"alice", "bob"}, Shifts: shifts}}
	got := s.text()
	if !strings.Contains(got, "• carol: 96 h") || !strings.Contains(got, "• alice: 0 h\n") || strings.Contains(got, "erin") {
		t.Errorf("it says %s", got)
	}
	s.served[0].People = nil // PagerDuty's: who takes turns is who did
	if got := s.text(); !strings.Contains(got, "• erin: 0 h\n") || !strings.Contains(got, "erin had the most") && !strings.Contains(got, "alice had the most") {
		t.Errorf("it says %s", got)
	}
}

package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/store"
)

var (
	alice = store.Person{Name: "alice", Slack: "UA", GitHub: "alice-gh"}
	bob   = store.Person{Name: "bob", Slack: "UB"}
)

// Each question finds its rows, whole names only, newest first and each once.
func TestAQuestionFindsItsRows(t *testing.T) {
	d := newDesk(t)
	d.update(func(tx *store.Tx) error {
		for _, op := range []*store.Operation{
			{ID: "op-1", State: store.OpApplying, Service: "web", Environment: "production", RepoID: 7, Repo: "acme/web", PR: 4, Targets: []string{"web-prd"}},
			{ID: "op-2", State: store.OpOpen, Service: "web", Environment: "staging", RepoID: 8, Repo: "acme/infra", PR: 4, Targets: []string{"web-stg"}},
			{ID: "op-3", State: store.OpApplying, Environment: "production", RepoID: 8, Repo: "acme/infra", PR: 9, Targets: []string{"web-prd", "cdn"}},
			{ID: "op-33", State: store.OpFailed, Environment: "production", RepoID: 8, Repo: "acme/infra", PR: 10, Targets: []string{"web-prd2"}},
		} {
			if err := tx.PutOperation(op); err != nil {
				return err
			}
			if err := tx.PutPull(&store.Pull{RepoID: op.RepoID, Repo: op.Repo, Number: op.PR, State: "open"}); err != nil {
				return err
			}
		}
		if err := tx.PutPull(&store.Pull{RepoID: 7, Repo: "acme/web", Number: 5, State: "closed"}); err != nil {
			return err
		}
		_, _, err := tx.InsertJob(&store.Job{ID: "job-1", Key: "k", Kind: "apply", Target: "web-prd", Operation: "op-1", State: store.JobRunning})
		return err
	})
	long := d.clock.Now().Add(-48 * time.Hour)
	d.rows(
		store.AuditRow{At: long, Who: alice, Act: "deploy", Detail: "old", Subject: "op-1", Service: "web", Environment: "production", Outcome: "done"},
		store.AuditRow{Who: alice, Act: "deploy", Detail: "deploy web to production", Subject: "op-1", Service: "web", Environment: "production", Outcome: "done"},
		store.AuditRow{Who: bob, Act: "deploy", Detail: "deploy web2 to production", Subject: "op-11", Service: "web2", Environment: "production", Outcome: "done"},
		store.AuditRow{Who: bob, Act: "deploy", Detail: "deploy web to staging", Subject: "op-2", Service: "web", Environment: "staging", Outcome: "done"},
		store.AuditRow{Who: bob, Act: "job apply", Subject: "job-1", Target: "web-prd", Outcome: "running"},
		store.AuditRow{Who: bob, Act: "job apply", Subject: "job-11", Target: "web-prd2", Outcome: "running"},
		store.AuditRow{Who: bob, Act: "job apply", Subject: "job-2", Target: "web-stg", Outcome: "failed"},
		store.AuditRow{Who: bob, Act: "job apply", Subject: "job-3", Target: "cdn", Outcome: "failed"},
		store.AuditRow{Who: store.Person{GitHub: "dave"}, Act: "github.pull_request", Via: "github", Subject: tell.PullSubject(7, 4), Outcome: "done"},
		store.AuditRow{Who: alice, Act: "lock", Detail: "lock cdn", Subject: "hold-1", Environment: "production", Target: "cdn", Outcome: "done"},
		store.AuditRow{Who: alice, Act: "lock", Detail: "lock web2/production", Subject: "hold-11", Service: "web2", Environment: "production", Outcome: "done"},
		store.AuditRow{Who: bob, Act: "confirm", Detail: "confirm op-3", Subject: "op-3", Environment: "production", Outcome: "done"},
		store.AuditRow{Who: bob, Act: "retry", Detail: "retry op-33", Subject: "op-33", Environment: "production", Outcome: "done"},
		store.AuditRow{Who: alice, Act: "x", Detail: "cdn of web", Service: "web", Environment: "production", Target: "cdn", Outcome: "done"},
		store.AuditRow{Who: alice, Act: "x", Detail: "cdn of web2", Service: "web2", Environment: "production", Target: "cdn", Outcome: "done"},
	)
	for line, want := range map[string][]string{
		"audit web in production": {"cdn of web", "confirm op-3", "lock cdn", "apply of cdn", "apply of web-prd", "deploy web to production"},
		"audit web --since 7d":    {"cdn of web", "confirm op-3", "lock cdn", "apply of cdn", "apply of web-stg", "apply of web-prd", "deploy web to staging", "deploy web to production", "old"},
		"audit in staging":        {"apply of web-stg", "deploy web to staging"},
		"audit web-prd":           {"confirm op-3", "apply of web-prd", "deploy web to production"},
		"audit web/production":    {"cdn of web", "confirm op-3", "lock cdn", "apply of cdn", "apply of web-prd", "deploy web to production"},
		"audit op-1":              {"pull request on github", "apply of web-prd", "deploy web to production", "old"},
		"audit op-1 --since 2h":   {"pull request on github", "apply of web-prd", "deploy web to production"},
		"audit op-2":              {"deploy web to staging"},
		"audit job-1":             {"apply of web-prd"},
		"audit hold-1":            {"lock cdn"},
		"audit acme/web#4":        {"pull request on github", "apply of web-prd", "deploy web to production", "old"},
		"audit --by dave":         {"pull request on github"},
		"audit --by ALICE-GH":     {"cdn of web2", "cdn of web", "lock web2/production", "lock cdn", "deploy web to production"},
		"audit in prod --by bob":  {"retry op-33", "confirm op-3", "apply of cdn", "apply of web-prd2", "apply of web-prd", "deploy web2 to production"},
		"audit web --by me":       {"cdn of web", "lock cdn", "deploy web to production"},
		"audit web --by <@UB>":    {"confirm op-3", "apply of cdn", "apply of web-stg", "apply of web-prd", "deploy web to staging"},
		"audit op-1 --by carol":   nil,
		"audit hold-99":           nil,
		"audit --by al":           nil,
	} {
		if got := found(d.say("alice", line)); !cmp.Equal(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	d.refused("alice", "audit #4", "ambiguous")
	d.refused("alice", "audit #6", "unknown_subject")
	d.refused("alice", "audit acme/web-2#4", "unknown_subject")
	d.refused("alice", "audit op-77", "unknown_subject")
	d.refused("alice", "audit job-77", "unknown_subject")
	d.refused("alice", "audit op-1 web", "two_things")
	d.refused("alice", "audit web-prd in staging", "not_there")
	if s := d.say("alice", "audit #5"); !strings.Contains(s, "Nothing is on record of #5.") {
		t.Errorf("a pull request without rows: %s", s)
	}
	if s := d.say("alice", "audit --by dove"); !strings.Contains(s, "nobody called “dove”; there is alice, bob, carol") || !strings.Contains(s, "/ops audit --since 30d --by dove") {
		t.Errorf("a stranger: %s", s)
	}
}

func TestAnAnswerShowsThirtyRowsByDayAndHowToGetTheRest(t *testing.T) {
	d := newDesk(t)
	at := time.Date(2026, 11, 25, 23, 59, 0, 0, time.FixedZone("JST", 9*3600)).Add(-time.Minute)
	for i := range 45 {
		d.rows(store.AuditRow{At: at.Add(time.Duration(i) * time.Hour), Who: alice, Act: "lock", Detail: fmt.Sprintf("lock cdn %d\nand more %s", i, strings.Repeat("x", 300)), Outcome: "done"})
	}
	r, err := d.try("alice", "audit --since 300d")
	if err != nil {
		t.Fatal(err)
	}
	text := r.Private.Text
	if n := len(found(text)); n != shown {
		t.Errorf("%d rows are shown", n)
	}
	for _, want := range []string{"Audit, last 300 days", "15 more: narrow it with", "--export", "\nFriday 2026-11-27 (UTC)\n10:58:00 alice · lock cdn 44 and more", "\nThursday 2026-11-26 (UTC)\n23:58:00"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	if strings.Contains(text, "cdn 14") || strings.Contains(text, "Wednesday") {
		t.Errorf("older rows are shown: %s", text)
	}
	for _, b := range r.Private.Blocks {
		if n := len([]rune(b.Text.Plain())); n > 3000 {
			t.Errorf("a block of %d characters", n)
		}
	}
	if n := len(r.Private.Blocks); n > 45 {
		t.Errorf("%d blocks", n)
	}
}

// A file of rows goes to the person alone, holds what the question found, and is
// gone some time later.
func TestAnExportIsSentToThePersonAndRemovedLater(t *testing.T) {
	d := newDesk(t)
	d.rows(
		store.AuditRow{Who: alice, Act: "deploy", Detail: "deploy web to staging", Subject: "op-1", Service: "web", Environment: "staging", Outcome: "done"},
		store.AuditRow{Who: bob, Act: "lock", Detail: "lock cdn", Target: "cdn", Outcome: "refused: not_allowed"},
		store.AuditRow{Who: alice, Act: "deploy", Detail: "deploy web to production", Subject: "op-2", Service: "web", Environment: "production", Outcome: "done"},
	)
	if s := d.say("bob", "audit --by alice --export"); !strings.Contains(s, "2 rows") || !strings.Contains(s, "direct message") {
		t.Errorf("the answer: %s", s)
	}
	var s *store.Surface
	d.view(func(tx *store.Tx) error {
		due, err := tx.DueSurfaces(d.clock.Now(), 0)
		if len(due) != 1 {
			t.Fatalf("surfaces: %v", due)
		}
		s = due[0]
		return err
	})
	if s.Place != "slack.file" || s.Where["channel"] != "UB" {
		t.Errorf("it goes to %s in %s", s.Where["channel"], s.Place)
	}
	m, err := d.feat.Cards[s.Card](nil, s)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(m.File.Path)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for l := range bytes.Lines(raw) {
		var r store.AuditRow
		if err := json.Unmarshal(l, &r); err != nil {
			t.Fatalf("%q: %v", l, err)
		}
		got = append(got, fmt.Sprint(r.Seq, " ", r.Who.Name, " ", r.Detail))
	}
	if want := []string{"1 alice deploy web to staging", "3 alice deploy web to production"}; !cmp.Equal(got, want) {
		t.Errorf("rows %q, want %q", got, want)
	}
	if info, err := os.Stat(m.File.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}

	// One whose message was never stored, and one that is being asked for.
	dir := filepath.Join(d.dir, "audit", "asked")
	for name, age := range map[string]time.Duration{"audit-98": 2 * commands.KeepOrphan, "audit-99": 0} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(dir, name), time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	left := func() (names []string) {
		t.Helper()
		if err := d.feat.Ticks[0].Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		all, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			names = append(names, e.Name())
		}
		return names
	}
	if got := left(); !cmp.Equal(got, []string{"audit-1", "audit-99"}) {
		t.Errorf("at once there are %q", got)
	}
	if err := d.clock.Advance(context.Background(), commands.KeepFiles+time.Minute, nil); err != nil {
		t.Fatal(err)
	}
	if got := left(); !cmp.Equal(got, []string{"audit-99"}) {
		t.Errorf("a day later there are %q", got)
	}
	d.view(func(tx *store.Tx) error {
		if due, err := tx.DueSurfaces(d.clock.Now(), 0); len(due) != 0 {
			t.Errorf("its message is still remembered: %v, %v", due, err)
		}
		return nil
	})
	if s := d.say("bob", "audit --by carol --export"); !strings.Contains(s, "Nothing is on record") {
		t.Errorf("without rows: %s", s)
	}
}

// Days are those of whoever asks, and so is a moment that they name.
func TestTimesAreThoseOfWhoeverAsks(t *testing.T) {
	d := newDesk(t)
	d.zone = time.FixedZone("JST", 9*3600)
	now := d.clock.Now().In(d.zone)
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, d.zone)
	d.rows(store.AuditRow{At: midnight.Add(-time.Minute), Who: alice, Act: "lock", Detail: "lock cdn", Outcome: "done"},
		store.AuditRow{At: midnight.Add(time.Second), Who: alice, Act: "unlock", Detail: "unlock cdn", Outcome: "done"})
	all := d.say("alice", "audit --since 2d")
	for _, part := range []string{midnight.Format("Monday 2006-01-02") + " (JST)", midnight.AddDate(0, 0, -1).Format("Monday 2006-01-02") + " (JST)", "00:00:01", "23:59:00"} {
		if !strings.Contains(all, part) {
			t.Errorf("it does not say %q:\n%s", part, all)
		}
	}
	today := d.say("alice", "audit --since "+midnight.Format(time.DateOnly))
	if strings.Contains(today, "23:59:00") || !strings.Contains(today, "00:00:01") || !strings.Contains(today, "since "+midnight.Format(time.DateOnly)+" 00:00 JST") {
		t.Errorf("of today:\n%s", today)
	}
	if _, err := d.try("alice", "audit --since "+midnight.AddDate(0, 0, 2).Format(time.DateOnly)); err == nil || !strings.Contains(err.Error(), "still to come") {
		t.Errorf("of the day after tomorrow: %v", err)
	}
	if nobody := d.say("alice", "audit --since "+midnight.Format(time.DateOnly)+" --by bob"); !strings.Contains(nobody, "by bob since "+midnight.Format(time.DateOnly)) || !strings.Contains(nobody, "--since 30d --by bob") {
		t.Errorf("of nothing: %s", nobody)
	}
}

package past

import (
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/store"
)

func TestChangelogTellsWhatWentLive(t *testing.T) {
	early := deploy(1, "web", "production", store.OpSucceeded, thursday.Add(-9*24*time.Hour))
	early.Ships = []store.Ship{{Number: 10, Title: "Too early", URL: "https://hub/10"}}
	first := deploy(2, "web", "production", store.OpSucceeded, thursday.Add(-3*24*time.Hour))
	first.Created = thursday.Add(-20 * 24 * time.Hour) // it waited long
	first.Ships = []store.Ship{{Number: 11, Title: "Show <!channel> & the *timetable*", Author: "bob-gh", URL: "https://hub/11"}}
	second := deploy(3, "web", "production", store.OpSucceeded, thursday.Add(-time.Hour))
	second.Ships = []store.Ship{{Number: 12, Title: "Greet people", Author: "alice-gh", URL: "https://hub/12"}, {Title: "Fix a typo", Author: "stranger", URL: "https://hub/c", Commits: 2}}
	broken := deploy(4, "web", "production", store.OpFailed, thursday)
	broken.Ships = []store.Ship{{Number: 13, Title: "Broken"}}
	pin := deploy(5, "api", "production", store.OpSucceeded, thursday)
	pin.Strategy, pin.From, pin.To = "pin", "1.4.0", "1.4.1"
	d := newDesk(t, early, first, second, broken, pin, deploy(6, "web", "staging", store.OpSucceeded, thursday), deploy(7, "cron", "test", store.OpSucceeded, thursday))
	m := d.says("alice", "changelog web",
		"Changelog of web in production since 7d", "2 pull requests in 2 deploys", "• #12 Greet people by alice", "• 2 commits without a pull request: “Fix a typo” by stranger",
		"• #11 Show <!channel> & the *timetable* by bob", "not Too early", "not Broken", "not op-6")
	if a, b := strings.Index(m.Text, "op-3"), strings.Index(m.Text, "op-2"); a < 0 || b < a {
		t.Errorf("the newest does not come first:\n%s", m.Text)
	}
	d.says("alice", "changelog web --since yesterday", "Changelog of web in production since yesterday", "op-3", "not op-2")
	d.says("alice", "changelog api since last week", "1.4.0 → 1.4.1")
	d.says("alice", "changelog cron", "cron in test", "op-7") // it has no production
	d.says("alice", "changelog web in test", "Nothing went live in that time", "/ops changelog web in test since 30d")
	if f := d.files(); len(f) != 0 {
		t.Errorf("files were sent: %v", f)
	}
}

func TestALongChangelogIsAFileToo(t *testing.T) {
	var ops []*store.Operation
	for n := range 9 {
		o := deploy(n+1, "web", "production", store.OpSucceeded, thursday.Add(-time.Duration(n+1)*time.Hour))
		for i := range 6 {
			o.Ships = append(o.Ships, store.Ship{Number: 100 + 10*n + i, Title: "Use [x](javascript:alert) in `y`", Author: "bob-gh", URL: "https://hub/acme/web/pull/1"})
		}
		ops = append(ops, o)
	}
	d := newDesk(t, ops...)
	d.says("bob", "changelog web --since 2026-11-20", "54 pull requests in 9 deploys", "and 23 more lines", "changelog-web-production-2026-11-20.md", "not #185")
	sent := d.files()["UB"]
	if len(sent) != 1 || sent[0].Name != "changelog-web-production-2026-11-20.md" {
		t.Fatalf("sent: %+v", sent)
	}
	body := read(t, sent[0].Path)
	for _, want := range []string{"# Changelog of web in production since 2026-11-20\n", "## 2026-11-27 06:30 JST: ", "- [#185](https://hub/acme/web/pull/1) Use \\[x\\](javascript:alert) in \\`y\\`, by bob\n"} {
		if !strings.Contains(body, want) {
			t.Errorf("the file does not hold %q:\n%s", want, body)
		}
	}
}

package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// incidentsThere are those of PagerDuty's page: "1 triggered web [alice]", and the ids.
func incidentsThere(t *testing.T, base string) (lines, ids []string) {
	t.Helper()
	code, out := call(t, "", "GET", base+"/sim/pagerduty/incidents", nil)
	if code != 200 {
		t.Fatal(code, out)
	}
	for _, one := range out["incidents"].([]any) {
		i := one.(map[string]any)
		lines, ids = append(lines, fmt.Sprint(i["number"], " ", i["status"], " ", i["service"], " ", i["assigned"])), append(ids, i["id"].(string))
	}
	return lines, ids
}

// deliveriesThere are the webhooks: "incident.triggered 1 delivered".
func deliveriesThere(t *testing.T, base string) (lines []string) {
	t.Helper()
	code, out := call(t, "", "GET", base+"/sim/pagerduty/deliveries", nil)
	if code != 200 {
		t.Fatal(code, out)
	}
	for _, one := range out["deliveries"].([]any) {
		d := one.(map[string]any)
		lines = append(lines, fmt.Sprint(d["event"], " ", d["tries"], " ", d["ended"]))
	}
	return lines
}

// Incidents are opened and changed on PagerDuty's page and by events, escalate as the
// clock is moved, and the bot is told of all of it, before the clock moves on.
func TestPagerDutyHasIncidents(t *testing.T) {
	data := t.TempDir()
	bot := &echoBot{}
	base, stop := sandboxAt(t, data, bot)
	control := func(path string, in map[string]any, want int) map[string]any {
		t.Helper()
		code, out := call(t, "", "POST", base+path, in)
		if code != want {
			t.Errorf("%s %v: %d %v", path, in, code, out)
		}
		return out
	}
	wantThere := func(want ...string) {
		t.Helper()
		if got, _ := incidentsThere(t, base); !slices.Equal(got, want) {
			t.Errorf("there are %q, want %q", got, want)
		}
	}
	bot.mu.Lock()
	if want := "events_url: " + base + "/pagerduty/events\n"; !strings.Contains(string(bot.config), want) {
		t.Errorf("the bot is not told %q", want)
	}
	bot.mu.Unlock()
	control("/sim/pagerduty/incidents", map[string]any{"service": "web", "title": "the shop is slow"}, 200)
	event := map[string]any{"routing_key": "sandbox-routing-key-of-db-000000", "event_action": "trigger", "dedup_key": "db", "payload": map[string]any{"summary": "replication is late", "source": "db-1", "severity": "critical"}}
	if code, out := call(t, "", "POST", base+"/pagerduty/events/v2/enqueue", event); code != 202 {
		t.Errorf("%d %v", code, out)
	}
	_, ids := incidentsThere(t, base)
	control("/sim/clock/advance", map[string]any{"by": "6m"}, 200)
	database := fmt.Sprint("2 triggered database ", callee(t, base))
	wantThere("1 triggered web [bob]", database)
	for _, act := range []map[string]any{{"user": "bob", "act": "acknowledge"}, {"user": "bob", "act": "note", "text": "on it"}, {"user": "bob", "act": "reassign", "to": "carol"}} {
		control("/sim/pagerduty/incidents/"+ids[0], act, 200)
	}
	wantThere("1 triggered web [carol]", database)
	control("/sim/clock/advance", map[string]any{"by": "1s"}, 200)
	told := []string{"incident.triggered 1 delivered", "incident.triggered 1 delivered", "incident.escalated 1 delivered", "incident.acknowledged 1 delivered", "incident.annotated 1 delivered", "incident.reassigned 1 delivered"}
	if got := deliveriesThere(t, base); !slices.Equal(got, told) {
		t.Errorf("it delivered %q", got)
	}
	bot.mu.Lock()
	if n := len(slices.DeleteFunc(slices.Clone(bot.hooks), func(h string) bool { return !strings.HasPrefix(h, "/alerts/pagerduty") })); n != len(told) {
		t.Errorf("the bot heard %q", bot.hooks)
	}
	bot.mu.Unlock()
	for path, in := range map[string]map[string]any{
		"/sim/pagerduty/incidents": {"service": "mail", "title": "x"}, "/sim/pagerduty/incidents/QX": {"user": "bob", "act": "resolve"},
		"/sim/pagerduty/incidents/" + ids[0]: {"user": "bob", "act": "close"}, "/sim/pagerduty/incidents/" + ids[1]: {"user": "eve", "act": "resolve"},
	} {
		control(path, in, 400)
	}
	control("/sim/pagerduty/incidents/"+ids[0], map[string]any{"user": "bob", "act": "resolve", "why": "so"}, 400)
	control("/sim/fault", map[string]any{"system": "pagerduty", "kind": "lose_webhook"}, 200)
	control("/sim/pagerduty/incidents/"+ids[0], map[string]any{"user": "carol", "act": "resolve"}, 200)
	control("/sim/clock/advance", map[string]any{"by": "1s"}, 200)
	if got := deliveriesThere(t, base); got[len(got)-1] != "incident.resolved 0 lost" {
		t.Errorf("it delivered %q", got)
	}
	killed := filepath.Join(t.TempDir(), "killed") // as a SIGKILL leaves it now
	if err := os.CopyFS(killed, os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	stop()
	bot = &echoBot{}
	base, stop = sandboxAt(t, killed, bot)
	defer stop()
	wantThere("1 resolved web []", database)
	control("/sim/pagerduty/incidents/"+ids[1], map[string]any{"user": "bob", "act": "resolve"}, 200)
	control("/sim/clock/advance", map[string]any{"by": "1s"}, 200)
	bot.mu.Lock()
	defer bot.mu.Unlock()
	if !slices.ContainsFunc(bot.hooks, func(h string) bool { return strings.HasPrefix(h, "/alerts/pagerduty") }) {
		t.Errorf("at its new address the bot heard %q", bot.hooks)
	}
}

// callee is who is on call for the database, as they are shown.
func callee(t *testing.T, base string) []string {
	t.Helper()
	on, _, _ := database(t, base)
	return on
}

package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// database is what PagerDuty's page shows of its schedule now: who is on call, of whom the
// overrides are, and the id of the newest.
func database(t *testing.T, base string) (on []string, overrides []string, newest string) {
	t.Helper()
	var got struct {
		Schedules []pagerDutyView `json:"schedules"`
	}
	code, out := call(t, "", "GET", base+"/sim/pagerduty/schedules", nil)
	b, err := json.Marshal(out)
	if err != nil || code != 200 {
		t.Fatal(code, out, err)
	}
	if err := json.Unmarshal(b, &got); err != nil || len(got.Schedules) != 1 || got.Schedules[0].ID != databaseID || len(got.Schedules[0].Shifts) < 10 {
		t.Fatalf("%v %s", err, b)
	}
	for _, o := range got.Schedules[0].Overrides {
		overrides, newest = append(overrides, o.User), o.ID
	}
	return got.Schedules[0].Shifts[0].On, overrides, newest
}

// PagerDuty is there with a schedule, which the bot's client and people at its own page
// change alike; it is so after a kill, and misbehaves when it is told to.
func TestPagerDutyKeepsASchedule(t *testing.T) {
	data := t.TempDir()
	bot := &echoBot{}
	base, stop := sandboxAt(t, data, bot)
	_, info := call(t, "", "GET", base+"/sim/info", nil)
	if info["pagerduty_url"] != base+"/pagerduty" {
		t.Errorf("it is at %v", info["pagerduty_url"])
	}
	bot.mu.Lock()
	for _, want := range []string{"url: " + base + "/pagerduty\n", "token: " + pagerDutyKey + "\n", "pagerduty: " + databaseID + "\n"} {
		if !strings.Contains(string(bot.config), want) {
			t.Errorf("the bot is not told %q", want)
		}
	}
	bot.mu.Unlock()
	ask := func(base, method, path, body string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, base+"/pagerduty"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Token token="+pagerDutyKey)
		r.Header.Set("Accept", "application/vnd.pagerduty+json;version=2")
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	control := func(base, path string, in map[string]any, want int) map[string]any {
		t.Helper()
		code, out := call(t, "", "POST", base+path, in)
		if code != want {
			t.Errorf("%s %v: %d %v", path, in, code, out)
		}
		return out
	}
	was, none, _ := database(t, base)
	if len(was) != 1 || len(none) != 0 {
		t.Errorf("on call is %v, by %v", was, none)
	}
	var who []string
	for _, p := range people {
		if p.name != was[0] {
			who = append(who, p.name)
		}
	}
	// By the API, and the newer one by its page, whose time has come in an hour.
	now := time.Now().UTC()
	made := fmt.Sprintf(`{"overrides":[{"start":%q,"end":%q,"user":{"id":%q,"type":"user_reference"}}]}`, now.Add(time.Minute).Format(time.RFC3339), now.Add(3*time.Hour).Format(time.RFC3339), pagerDutyUser(who[0]))
	control(base, "/sim/fault", map[string]any{"system": "pagerduty", "kind": "error", "status": 503, "for_seconds": 3600}, 200)
	if code := ask(base, "POST", "/schedules/"+databaseID+"/overrides", made); code != 503 {
		t.Errorf("away, it answers %d", code)
	}
	control(base, "/sim/pagerduty/override", map[string]any{"schedule": databaseID, "user": who[1], "in": "1h", "for": "1h"}, 200)
	control(base, "/sim/fault", map[string]any{"system": "pagerduty", "kind": "clear"}, 200)
	if code := ask(base, "POST", "/schedules/"+databaseID+"/overrides", made); code != 201 {
		t.Errorf("it answers %d", code)
	}
	control(base, "/sim/clock/advance", map[string]any{"by": "2m"}, 200)
	on, overrides, newest := database(t, base)
	if fmt.Sprint(on, overrides) != fmt.Sprint(who[:1], []string{who[1], who[0]}) {
		t.Errorf("on call is %v, by %v", on, overrides)
	}
	for path, in := range map[string]map[string]any{
		"/sim/fault":              {"system": "pagerduty", "kind": "sleep"},
		"/sim/pagerduty/override": {"schedule": "PX", "user": "bob", "for": "1h"},
		"/sim/pagerduty/cancel":   {"schedule": databaseID, "id": "QX"},
	} {
		control(base, path, in, 400)
	}
	for _, in := range []map[string]any{
		{"schedule": databaseID, "user": "eve", "for": "1h"}, {"schedule": databaseID, "user": "bob", "for": "soon"},
		{"schedule": databaseID, "user": "bob", "for": "1h", "in": "-1h"}, {"schedule": databaseID, "user": "bob", "for": "1h", "why": "so"},
	} {
		control(base, "/sim/pagerduty/override", in, 400)
	}
	killed := filepath.Join(t.TempDir(), "killed") // as a SIGKILL leaves it now
	if err := os.CopyFS(killed, os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	stop()
	base, stop = sandboxAt(t, killed, &echoBot{})
	defer stop()
	if again, all, id := database(t, base); fmt.Sprint(again, all, id) != fmt.Sprint(on, overrides, newest) {
		t.Errorf("after a kill on call is %v, by %v", again, all)
	}
	control(base, "/sim/pagerduty/cancel", map[string]any{"schedule": databaseID, "id": newest}, 200)
	control(base, "/sim/clock/advance", map[string]any{"by": "1s"}, 200)
	if again, _, _ := database(t, base); fmt.Sprint(again) != fmt.Sprint(was) {
		t.Errorf("taken back, on call is %v", again)
	}
}

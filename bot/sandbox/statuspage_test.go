package sandbox

import (
	"net/http"
	"strings"
	"testing"
)

// Statuspage is there with a page, which the bot's client and people at its own pages
// change alike; it is so after a kill, and misbehaves when it is told to.
func TestStatuspageKeepsAPage(t *testing.T) {
	data := t.TempDir()
	bot := &echoBot{}
	base, stop := sandboxAt(t, data, bot)
	_, info := call(t, "", "GET", base+"/sim/info", nil)
	if info["statuspage_url"] != base+"/statuspage/v1" {
		t.Errorf("it is at %v", info["statuspage_url"])
	}
	bot.mu.Lock()
	for _, want := range []string{"url: " + base + "/statuspage/v1\n", "api_key: " + statuspageKey + "\n", "page: " + statuspageID + "\n"} {
		if !strings.Contains(string(bot.config), want) {
			t.Errorf("the bot is not told %q", want)
		}
	}
	bot.mu.Unlock()
	ask := func(base string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/statuspage/v1/pages/"+statuspageID+"/incidents/unresolved", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "OAuth "+statuspageKey)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	if code := ask(base); code != 200 {
		t.Errorf("%d", code)
	}
	for _, tt := range []struct {
		path string
		body map[string]any
		code int
	}{
		{"/sim/statuspage/post", map[string]any{"title": "Slow", "status": "investigating", "message": "Hm."}, 200},
		{"/sim/statuspage/post", map[string]any{"title": "Slow", "status": "broken", "message": "Hm."}, 400},
		{"/sim/statuspage/post", map[string]any{"incident": "inc9", "status": "resolved"}, 400},
		{"/sim/statuspage/component", map[string]any{"name": "web", "status": "major_outage"}, 200},
		{"/sim/statuspage/component", map[string]any{"name": "www", "status": "major_outage"}, 400},
		{"/sim/fault", map[string]any{"system": "statuspage", "kind": "error", "status": 503}, 200},
		{"/sim/fault", map[string]any{"system": "statuspage", "kind": "sulk"}, 400},
	} {
		if code, out := call(t, "", "POST", base+tt.path, tt.body); code != tt.code {
			t.Errorf("%s %v: %d %v", tt.path, tt.body, code, out)
		}
	}
	if code := ask(base); code != 503 {
		t.Errorf("it does not misbehave: %d", code)
	}
	stop()
	base, _ = sandboxAt(t, data, &echoBot{})
	_, page := call(t, "", "GET", base+"/sim/statuspage", nil)
	if n := len(page["incidents"].([]any)); n != 1 || len(page["notifications"].([]any)) != 1 || len(page["components"].([]any)) != 3 {
		t.Errorf("after a restart: %v", page)
	}
}

package github

import (
	"encoding/json"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
)

// The manifest, the link and the README ask for the same.
func TestAppManifest(t *testing.T) {
	const hook = "https://deploy.example.com/github"
	var m struct {
		Hook   struct{ URL string } `json:"hook_attributes"`
		Public bool                 `json:"public"`
		May    map[string]string    `json:"default_permissions"`
		Events []string             `json:"default_events"`
	}
	if err := json.Unmarshal(AppManifest("acme", hook), &m); err != nil {
		t.Fatal(err)
	}
	if m.Hook.URL != hook || m.Public || !slices.Contains(m.Events, "pull_request") || m.May["contents"] != "write" || m.May["checks"] != "read" {
		t.Errorf("the manifest is %+v", m)
	}
	u, err := url.Parse(AppLink("acme", hook))
	if err != nil || u.Path != "/organizations/acme/settings/apps/new" {
		t.Fatalf("the link leads to %v, %v", u, err)
	}
	q := u.Query()
	for name, access := range m.May {
		if q.Get(name) != access {
			t.Errorf("the link asks for %s %q, the manifest for %q", name, q.Get(name), access)
		}
	}
	if !slices.Equal(q["events[]"], m.Events) || q.Get("webhook_url") != hook {
		t.Errorf("the link has the webhook %v", q)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]string{"write": "read and write", "read": "read"}
	for _, p := range permissions {
		if !strings.Contains(string(readme), "| "+p.title+" | "+words[p.access]+" |") {
			t.Errorf("README.md does not ask for %s (%s)", p.title, words[p.access])
		}
	}
}

func TestAppWithoutWebhook(t *testing.T) {
	if m := string(AppManifest("acme", "")); strings.Contains(m, "hook_attributes") || strings.Contains(m, "default_events") {
		t.Errorf("the manifest has a webhook: %s", m)
	}
	if l := AppLink("acme", ""); strings.Contains(l, "events") || !strings.Contains(l, "webhook_active=false") {
		t.Errorf("the link has a webhook: %s", l)
	}
}

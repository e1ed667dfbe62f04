package sandbox

import (
	"net/http"
	"strings"
	"testing"
)

// A bot that breaks a rule is found out, and an empty list is a list.
func TestViolations(t *testing.T) {
	base, _ := sandboxAt(t, t.TempDir(), &echoBot{})
	of := func(system string) []any {
		t.Helper()
		code, out := call(t, "", "GET", base+"/sim/violations", nil)
		list, ok := out[system].([]any)
		if code != 200 || !ok {
			t.Fatalf("%d %v", code, out)
		}
		return list
	}
	before := len(of("slack"))
	if list := of("github"); len(list) != 0 {
		t.Errorf("before: %v", list)
	}
	if code, _ := call(t, "signalbox", "GET", base+"/api/v3/repos/acme/web/actions/workflows", nil); code != 404 {
		t.Errorf("an endpoint that there is not: %d", code)
	}
	if list := of("github"); len(list) != 1 || !strings.Contains(list[0].(string), "actions/workflows") {
		t.Errorf("after: %v", list)
	}
	r, err := http.NewRequestWithContext(t.Context(), "POST", base+"/slack/api/chat.postMessage", strings.NewReader("channel=C0OPS&colour=red&text=x"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "Bearer "+botToken)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if list := of("slack"); len(list) != before+1 || !strings.Contains(list[before].(string), "colour") {
		t.Errorf("after: %v", list)
	}
}

// Somebody who may only read can offer a change from a fork.
func TestFork(t *testing.T) {
	base, _ := sandboxAt(t, t.TempDir(), &echoBot{})
	in := map[string]any{"user": "carol", "repo": "acme/infra", "branch": "offer", "base": "main", "title": "An offer", "files": map[string]string{"offer.txt": "1\n"}}
	code, out := call(t, "", "POST", base+"/sim/github/fork", in)
	if code != 200 || out["number"] == nil {
		t.Fatalf("%d %v", code, out)
	}
	code, pr := call(t, "alice", "GET", base+"/api/v3/repos/acme/infra/pulls/1", nil)
	if code != 200 || pr["title"] != "An offer" || pr["head"].(map[string]any)["repo"].(map[string]any)["full_name"] != "carol/infra" {
		t.Errorf("%d %v", code, pr)
	}
	in["user"] = "zoe"
	if code, out := call(t, "", "POST", base+"/sim/github/fork", in); code != 400 || !strings.Contains(out["error"].(string), "zoe") {
		t.Errorf("%d %v", code, out)
	}
}

package sandbox

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each instance has a host in Mackerel once it runs, and whatever was done to it there is
// so after a kill. It misbehaves when it is told to.
func TestMackerelWatchesTheFleet(t *testing.T) {
	data := t.TempDir()
	base, stop := sandboxAt(t, data, &echoBot{})
	_, info := call(t, "", "GET", base+"/sim/info", nil)
	if info["mackerel_url"] != base+"/mackerel" {
		t.Errorf("it is at %v", info["mackerel_url"])
	}
	ask := func(base, method, path, body string) (code int, out map[string]any) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, base+"/mackerel/api/v0"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Api-Key", mackerelKey)
		r.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, out
	}
	named := func(base, name string) (id, status string, all int) {
		t.Helper()
		_, out := call(t, "", "GET", base+"/sim/mackerel/hosts", nil)
		list := out["hosts"].([]any)
		for _, one := range list {
			if h := one.(map[string]any); h["name"] == name {
				id, status = h["id"].(string), h["status"].(string)
			}
		}
		return id, status, len(list)
	}
	id, status, n := named(base, "web-3")
	_, fleet := call(t, "", "GET", base+"/sim/aws/instances", nil)
	if want := len(fleet["instances"].([]any)); n != want || status != "working" {
		t.Errorf("%d instances have %d hosts; web-3 is %s", want, n, status)
	}
	fault := func(spec map[string]any) {
		t.Helper()
		spec["system"] = "mackerel"
		if code, out := call(t, "", "POST", base+"/sim/fault", spec); code != 200 {
			t.Fatal(out)
		}
	}
	fault(map[string]any{"kind": "throttle", "count": -1})
	if code, _ := ask(base, "POST", "/hosts/"+id+"/status", `{"status":"standby"}`); code != 429 {
		t.Errorf("throttled, it answers %d", code)
	}
	fault(map[string]any{"kind": "clear"})
	if code, out := ask(base, "POST", "/hosts/"+id+"/status", `{"status":"standby"}`); code != 200 {
		t.Errorf("%d %v", code, out)
	}
	if code, out := call(t, "", "POST", base+"/sim/fault", map[string]any{"system": "mackerel", "kind": "sleep"}); code != 400 {
		t.Errorf("a fault that there is not: %d %v", code, out)
	}
	set := func(name, status string) int {
		t.Helper()
		code, _ := call(t, "", "POST", base+"/sim/mackerel/hosts", map[string]any{"name": name, "status": status})
		return code
	}
	if code := set("web-2", "maintenance"); code != 200 {
		t.Errorf("the console answers %d", code)
	}
	if _, status, _ := named(base, "web-2"); status != "maintenance" {
		t.Errorf("web-2 is in %s", status)
	}
	if set("web-2", "asleep") != 400 || set("web-99", "working") != 400 {
		t.Error("the console takes what there is not")
	}
	// Another one comes in its place, and registers when it runs.
	if code, out := call(t, "", "POST", base+"/sim/fault", map[string]any{"system": "aws", "kind": "vanish", "id": "web-4"}); code != 200 {
		t.Fatal(out)
	}
	advance := func(by string) {
		t.Helper()
		if code, out := call(t, "", "POST", base+"/sim/clock/advance", map[string]any{"by": by}); code != 200 {
			t.Fatal(out)
		}
	}
	advance("10s")
	if _, _, now := named(base, "web-13"); now != n {
		t.Errorf("there are %d hosts before it runs, of %d", now, n)
	}
	advance("1m")
	if code, out := ask(base, "GET", "/hosts?name=web-13", ""); code != 200 || len(out["hosts"].([]any)) != 1 {
		t.Errorf("when it runs: %d %v", code, out)
	}
	killed := filepath.Join(t.TempDir(), "killed") // as a SIGKILL leaves it now
	if err := os.CopyFS(killed, os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	stop()
	base, stop = sandboxAt(t, killed, &echoBot{})
	defer stop()
	if again, status, now := named(base, "web-3"); again != id || status != "standby" || now != n+1 {
		t.Errorf("after a kill web-3 is %s %s, of %d", again, status, now)
	}
}

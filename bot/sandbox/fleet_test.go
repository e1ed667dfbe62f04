package sandbox

import (
	"fmt"
	"strings"
	"testing"
)

// The fleet is shown, things can happen to an instance, and it is there again after a
// restart as it was.
func TestFleet(t *testing.T) {
	data := t.TempDir()
	base, stop := sandboxAt(t, data, &echoBot{})
	look := func(base, name string) (line string, all int) {
		_, out := call(t, "", "GET", base+"/sim/aws/instances", nil)
		list := out["instances"].([]any)
		for _, one := range list {
			if i := one.(map[string]any); i["name"] == name {
				line = fmt.Sprint(i["role"], " ", i["state"], " ", i["lifecycle"], " ", i["reachable"])
			}
		}
		return line, len(list)
	}
	if line, n := look(base, "web-3"); line != "app running InService true" || n < 16 {
		t.Errorf("web-3 is %q, of %d", line, n)
	}
	for kind, want := range map[string]string{"unreachable": "app running InService false", "well": "app running InService true"} {
		if code, out := call(t, "", "POST", base+"/sim/fault", map[string]any{"system": "aws", "kind": "unreachable", "id": "web-3"}); code != 200 {
			t.Fatal(out)
		}
		if code, out := call(t, "", "POST", base+"/sim/fault", map[string]any{"system": "aws", "kind": kind, "id": "web-3"}); code != 200 {
			t.Fatal(out)
		}
		if line, _ := look(base, "web-3"); line != want {
			t.Errorf("%s: web-3 is %q", kind, line)
		}
	}
	if code, out := call(t, "", "POST", base+"/sim/fault", map[string]any{"system": "aws", "kind": "crash", "id": "tickets"}); code != 200 {
		t.Fatal(out)
	}
	if code, out := call(t, "", "POST", base+"/sim/fault", map[string]any{"system": "aws", "kind": "crash", "id": "none"}); code != 400 || !strings.Contains(fmt.Sprint(out["error"]), "no service none") {
		t.Errorf("of none it says %d %v", code, out)
	}
	if _, out := call(t, "", "GET", base+"/sim/aws/instances", nil); !strings.Contains(fmt.Sprint(out["services"]), "definition:tickets:1") {
		t.Errorf("the services are %v", out["services"])
	}
	_, n := look(base, "web-3")
	if code, out := call(t, "", "POST", base+"/sim/fault", map[string]any{"system": "aws", "kind": "vanish", "id": "bastion"}); code != 200 {
		t.Fatal(out)
	}
	stop()
	base, stop = sandboxAt(t, data, &echoBot{})
	defer stop()
	if line, now := look(base, "bastion"); line != "" || now != n-1 {
		t.Errorf("after a restart bastion is %q, of %d", line, now)
	}
}

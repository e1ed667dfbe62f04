package aws

import (
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/aws.md anew")

// The parts of docs/aws.md between the marks are what the code says.
func TestTheManualSaysWhatIsNeeded(t *testing.T) {
	const file = "../../docs/aws.md"
	was, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := between(t, string(was), "policy", "```json\n"+Policy()+"\n```\n")
	text = between(t, text, "needs", Table())
	if text == string(was) {
		return
	}
	if !*update {
		t.Fatalf("%s does not say what the code needs; run go test ./integrations/aws -run Manual -update", file)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func between(t *testing.T, text, mark, what string) string {
	t.Helper()
	before, rest, ok := strings.Cut(text, "<!-- "+mark+" -->\n")
	_, after, ended := strings.Cut(rest, "<!-- end of "+mark+" -->\n")
	if !ok || !ended {
		t.Fatalf("docs/aws.md has no marks of the part %s", mark)
	}
	return before + "<!-- " + mark + " -->\n" + what + "<!-- end of " + mark + " -->\n" + after
}

// No change is allowed on everything, and each is allowed.
func TestThePolicyLimitsEachChange(t *testing.T) {
	var p struct {
		Version   string
		Statement []struct {
			Effect      string
			Action      []string
			Resource    string
			NotResource string
			Condition   map[string]map[string]any
		}
	}
	if err := json.Unmarshal([]byte(Policy()), &p); err != nil {
		t.Fatal(err)
	}
	tagged := map[string]bool{}
	var allowed []string
	for _, s := range p.Statement {
		for _, a := range s.Action {
			allowed = append(allowed, a)
			tagged[a] = tagged[a] || s.Condition["Null"]["aws:ResourceTag/Role"] == "false"
			for _, n := range needs() {
				if n.Name == a && n.Change && n.Except == "" && (s.Resource == "*" || len(s.Condition) == 0 && s.Resource != n.Also) {
					t.Errorf("%s is allowed on %s without a condition", a, s.Resource)
				}
				if n.Name == a && n.Except != "" && (s.Resource != "" || s.NotResource != n.Except || len(s.Action) != 1) {
					t.Errorf("%s is allowed on %q, and not on %q", a, s.Resource, s.NotResource)
				}
			}
		}
	}
	for _, n := range needs() {
		switch {
		case n.Caller && slices.Contains(allowed, n.Name):
			t.Errorf("%s is not the account's to allow", n.Name)
		case n.Caller:
		case !slices.Contains(allowed, n.Name):
			t.Errorf("%s is not allowed", n.Name)
		case n.Change && n.Except == "" && !tagged[n.Name]:
			t.Errorf("%s is not limited by the tag", n.Name)
		case !n.Change && n.On+n.Also+n.Except != "":
			t.Errorf("%s is a read that is limited, which the policy does not know", n.Name)
		}
	}
	if slices.Contains(allowed, "*") {
		t.Error("everything is allowed")
	}
}

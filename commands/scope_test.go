package commands

import (
	"errors"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// What can be held is read in every way in which people write it.
func TestScopesAreRead(t *testing.T) {
	for line, want := range map[string]string{
		"freeze web/production x":       `freeze web/production "x"`,
		"freeze WWW/本番 x":               `freeze web/production "x"`,
		"freeze web production x":       `freeze web/production "x"`,
		"freeze web in prod x y":        `freeze web/production "x y"`,
		"freeze network/prod x":         `freeze network/production "x"`,
		"freeze ｗｅｂ x":                  `freeze web "x"`,
		"freeze www x":                  `freeze web "x"`,
		"freeze 本番 x":                   `freeze production "x"`,
		"freeze all x":                  `freeze everything "x"`,
		"freeze 全部 x":                   `freeze everything "x"`,
		"freeze web in maintenance":     `freeze web "in maintenance"`,
		`freeze web "production is x"`:  `freeze web "production is x"`,
		`freeze web -- x`:               `freeze web "x"`,
		"thaw hold-4 done":              `thaw hold-4 "done"`,
		"thaw HOLD-4":                   `thaw hold-4`,
		"thaw stg":                      `thaw staging`,
		"freeze web/prodction x":        "unknown_scope: freeze web/production \"x\"",
		"freeze web prodction x":        "unknown_scope: freeze web/production \"x\"",
		"freeze worker production x":    "unknown_scope:",
		"freeze worker in production x": "unknown_scope:",
		"freeze hold-4 x":               "unknown_scope:",
		"freeze moon x":                 "unknown_scope:",
	} {
		u := Parse(testVerbs(), testCatalog(), line, true)
		got := ""
		switch {
		case u.Refusal == nil && len(u.Missing) == 0:
			got = Render(u.Call)
		case u.Refusal != nil:
			got = u.Refusal.Code + ":"
			for _, b := range u.Refusal.Buttons {
				got += " " + b.Command
			}
		}
		if got != want {
			t.Errorf("%q is read as %q, want %q", line, got, want)
		}
	}
	in := NewModal(testVerbs(), &Call{Verb: &testVerbs()[2], Args: map[string]string{}, Catalog: testCatalog()}, nil).Inputs[0]
	var names []string
	for _, o := range in.Options {
		names = append(names, o.Value)
	}
	got := strings.Join(names, " ")
	if want := "web/staging web/production api/staging api/production api/sandbox worker/staging network/production api production sandbox staging web worker everything"; got != want {
		t.Errorf("a form offers %s, want %s", got, want)
	}
}

// A scope touches its environments; one that the configuration lost touches all.
func TestScopeEnvironments(t *testing.T) {
	for word, want := range map[string]string{"web/staging": "staging", "network/production": "production", "web": "staging,production", "production": "production", "everything": "staging,production,sandbox"} {
		s, ok := ScopeOf(testCatalog(), word)
		if got := strings.Join(s.Environments(testCatalog()), ","); !ok || got != want || s.String() != word {
			t.Errorf("%s is %s and touches %s, want %s", word, s, got, want)
		}
	}
	for _, lost := range []Scope{{Service: "gone"}, {Target: "gone/production"}} {
		if got := lost.Environments(testCatalog()); len(got) != 3 {
			t.Errorf("%s touches %v", lost, got)
		}
	}
}

// The right is wanted in every environment, the channel of one of them is enough.
func TestAllowAll(t *testing.T) {
	for _, c := range []struct {
		say, right, channel, want string
		environments              []string
	}{
		{"both", "lock", "C1", "", []string{"staging", "production"}},
		{"a channel of one of them", "lock", "C1", "", []string{"production", "staging"}},
		{"a channel of none", "lock", "C7", "wrong_channel", []string{"staging", "production"}},
		{"not in one of them", "lock", "C1", "not_allowed", []string{"staging", "sandbox"}},
		{"none at all, and no such right", "force", "C1", "not_allowed", nil},
		{"none at all", "lock", "C1", "", nil},
	} {
		call := &Call{Verb: &testVerbs()[2], Args: map[string]string{}, Catalog: testCatalog(), Who: testCatalog().People[0], Heard: integrations.Heard{Channel: c.channel}}
		got := ""
		var r *Refusal
		if err := AllowAll(call, c.right, c.environments); errors.As(err, &r) {
			got = r.Code
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.say, got, c.want)
		}
	}
}

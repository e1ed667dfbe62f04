package joining

import (
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

func catalog() *integrations.Catalog {
	return &integrations.Catalog{
		People: []integrations.Person{
			{Name: "alice", Slack: "UA", GitHub: "alice"}, {Name: "bob", Slack: "UB"}, {Name: "carol", GitHub: "carol-c"},
		},
		Groups:       map[string][]string{"developers": {"alice", "bob"}, "admins": {"alice", "bob"}},
		Live:         map[string][]integrations.GroupSource{"sre": {{Kind: "github_team", Name: "acme/sre"}}},
		Rules:        []integrations.Rule{{Groups: []string{"*"}, Verbs: []string{"plan"}, Environments: []string{"*"}}, {Groups: []string{"admins"}, Verbs: []string{"grant", "config"}, Environments: []string{"*"}}},
		Environments: []integrations.Environment{{Name: "staging"}, {Name: "production", Channels: []string{"ops"}}},
	}
}

// A link adds what the configuration does not say, and never changes what it says.
func TestMerge(t *testing.T) {
	for name, c := range map[string]struct {
		link Link
		want *integrations.Person // who it makes; nil is nobody
		new  bool
	}{
		"an account for somebody who has none":     {Link{Slack: "UB", Login: "bobby"}, &integrations.Person{Name: "bob", Slack: "UB", GitHub: "bobby"}, false},
		"a Slack user for somebody who has none":   {Link{Slack: "UC", Login: "Carol-C"}, &integrations.Person{Name: "carol", Slack: "UC", GitHub: "carol-c"}, false},
		"somebody new":                             {Link{Slack: "UD", Login: "octo", Name: "dave"}, &integrations.Person{Name: "dave", Slack: "UD", GitHub: "octo"}, true},
		"somebody new with the name of another":    {Link{Slack: "UD", Login: "octo", Name: "Alice"}, &integrations.Person{Name: "octo", Slack: "UD", GitHub: "octo"}, true},
		"somebody new with two names of others":    {Link{Slack: "UD", Login: "bob", Name: "ALICE"}, &integrations.Person{Name: "bob-2", Slack: "UD", GitHub: "bob"}, true},
		"a name that texts cannot hold":            {Link{Slack: "UD", Login: "octo", Name: "<@UA>"}, &integrations.Person{Name: "octo", Slack: "UD", GitHub: "octo"}, true},
		"the configuration says another account":   {Link{Slack: "UA", Login: "eve"}, nil, false},
		"the account is another's":                 {Link{Slack: "UD", Login: "ALICE"}, nil, false},
		"both are others', by halves":              {Link{Slack: "UB", Login: "carol-c"}, nil, false},
		"the same as the configuration says, also": {Link{Slack: "UA", Login: "alice"}, nil, false},
	} {
		cat := catalog()
		got := Merge(cat, []Link{c.link})
		want := catalog().People
		switch {
		case c.want == nil:
		case c.new:
			want = append(want, *c.want)
		default:
			for i := range want {
				if want[i].Name == c.want.Name {
					want[i] = *c.want
				}
			}
		}
		if d := cmp.Diff(want, got.People); d != "" {
			t.Errorf("%s (-want +got)\n%s", name, d)
		}
		if d := cmp.Diff(catalog().People, cat.People); d != "" {
			t.Errorf("%s: the catalog itself was changed\n%s", name, d)
		}
	}
}

// Who is known by a link alone may look; "*" of a rule is not them, and a live group is.
func TestALinkIsNoRole(t *testing.T) {
	cat := Merge(catalog(), []Link{{Slack: "UD", Login: "octo", Name: "dave"}})
	dave := cat.PersonBySlack("UD")
	if dave.Name != "dave" || cat.PersonByGitHub("OCTO").Name != "dave" {
		t.Fatalf("%+v", dave)
	}
	if cat.May(dave, "plan", "staging") {
		t.Error("“*” is somebody whom the configuration does not list")
	}
	if !cat.May(cat.PersonBySlack("UA"), "plan", "staging") {
		t.Error("“*” is not everybody in people")
	}
	cat.Rules = append(cat.Rules, integrations.Rule{Groups: []string{"sre"}, Verbs: []string{"deploy"}, Environments: []string{"staging"}})
	cat.Members = func(g string) ([]string, error) { return map[string][]string{"sre": {"dave"}}[g], nil }
	if !cat.May(dave, "deploy", "staging") || cat.May(dave, "deploy", "production") || cat.May(dave, "plan", "staging") {
		t.Error("a live group does not count as it should")
	}
}

func openStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "signalbox.db"), store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestFree(t *testing.T) {
	s := openStore(t)
	for name, c := range map[string]struct {
		slack, login, code string
	}{
		"somebody new":                          {"UD", "octo2", ""},
		"another's account":                     {"UD", "Alice", "taken"},
		"another's link":                        {"UE", "OCTO", "taken"},
		"one's own link again":                  {"UX", "octo", "linked"},
		"another account instead of one's link": {"UX", "octo2", ""},
		"what the configuration says already":   {"UA", "alice", "linked"},
		"against the configuration":             {"UA", "eve", "configured"},
		"one who has no account":                {"UB", "bobby", ""},
		"one without Slack":                     {"UD", "carol-c", ""},
		"two people made one":                   {"UB", "carol-c", "taken"},
	} {
		err := s.Update(t.Context(), func(tx *store.Tx) error {
			l := Link{Slack: "UX", Login: "octo", Name: "xavier"}
			if err := linkRecords(tx).Put(l.Slack, l); err != nil {
				return err
			}
			return free(tx, Merge(catalog(), []Link{l}), c.slack, c.login)
		})
		code := ""
		if r := new(commands.Refusal); errors.As(err, &r) {
			code, err = r.Code, nil
		}
		if err != nil || code != c.code {
			t.Errorf("%s: %q, %v; want %q", name, code, err, c.code)
		}
	}
}

// Two who are linked with one account at the same moment: the catalog knows neither
// link yet, the store does.
func TestFreeAsTheStoreHasIt(t *testing.T) {
	err := openStore(t).Update(t.Context(), func(tx *store.Tx) error {
		if err := linkRecords(tx).Put("UX", Link{Slack: "UX", Login: "octo"}); err != nil {
			return err
		}
		return free(tx, catalog(), "UD", "OCTO")
	})
	if r := new(commands.Refusal); !errors.As(err, &r) || r.Code != "taken" {
		t.Errorf("%v", err)
	}
}

// Letting people in counts everywhere, so it needs the right everywhere.
func TestAdmin(t *testing.T) {
	cat := catalog()
	cat.Rules[1].Environments = []string{"staging"}
	if alice := cat.People[0]; admin(cat, alice) {
		t.Error("the right in one environment makes an admin")
	}
	cat.Rules = append(cat.Rules, integrations.Rule{Groups: []string{"admins"}, Verbs: []string{"grant"}, Environments: []string{"production"}})
	if alice := cat.People[0]; !admin(cat, alice) || admin(cat, cat.People[2]) {
		t.Error("who is an admin is not told right")
	}
	cat.Environments = nil
	if admin(cat, cat.People[0]) {
		t.Error("without environments there is an admin")
	}
}

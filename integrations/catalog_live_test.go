package integrations

import (
	"errors"
	"slices"
	"testing"
)

// liveCatalog has a group of each kind: listed, read, both, and one that cannot be
// read.
func liveCatalog() *Catalog {
	down := errors.New("the GitHub team acme/lost cannot be read: down")
	return &Catalog{
		People: []Person{{Name: "alice"}, {Name: "bob"}, {Name: "carol"}},
		Groups: map[string][]string{"listed": {"alice"}, "both": {"alice"}, "lost": {"alice"}},
		Live:   map[string][]GroupSource{"read": {{Kind: "x", Name: "read"}}, "both": {{Kind: "x", Name: "both"}}, "lost": {{Kind: "x", Name: "lost"}}},
		Members: func(group string) ([]string, error) {
			switch group {
			case "read", "both":
				return []string{"bob"}, nil
			case "lost":
				return []string{"carol"}, down
			}
			return nil, nil
		},
		Rules: []Rule{
			{Groups: []string{"listed"}, Verbs: []string{"lock"}, Environments: []string{"*"}},
			{Groups: []string{"read"}, Verbs: []string{"deploy"}, Environments: []string{"staging"}},
			{Groups: []string{"both"}, Verbs: []string{"merge"}, Environments: []string{"*"}},
			{Groups: []string{"lost"}, Verbs: []string{"approve"}, Environments: []string{"production"}},
			{Groups: []string{"*"}, Verbs: []string{"plan"}, Environments: []string{"*"}},
		},
	}
}

func TestLiveGroupsInThePolicy(t *testing.T) {
	c := liveCatalog()
	for _, row := range []struct {
		right, environment string
		want               []string
		doubt              bool
	}{
		{"lock", "staging", []string{"alice"}, false},
		{"deploy", "staging", []string{"bob"}, false},
		{"deploy", "production", nil, false},
		{"deploy", "", []string{"bob"}, false},
		{"merge", "production", []string{"alice", "bob"}, false},
		{"approve", "production", []string{"alice", "carol"}, true}, // who is listed or was read; of the others nobody knows
		{"approve", "staging", nil, false},
		{"approve", "", []string{"alice", "carol"}, true},
		{"plan", "staging", []string{"alice", "bob", "carol"}, false},
	} {
		var got []string
		for _, p := range c.Who(row.right, row.environment) {
			got = append(got, p.Name)
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("%s in %q: %v, want %v", row.right, row.environment, got, row.want)
		}
		if doubt := c.Doubt(row.right, row.environment); (doubt != nil) != row.doubt {
			t.Errorf("%s in %q: the doubt is %v", row.right, row.environment, doubt)
		}
	}
	if c.May(Person{GitHub: "bob"}, "deploy", "staging") || c.May(Person{}, "plan", "") {
		t.Error("somebody who is not in people is let do something")
	}
	if got := c.GroupsOf(Person{Name: "bob"}); !slices.Equal(got, []string{"both", "read"}) {
		t.Errorf("bob is in %v", got)
	}
	if got := c.GroupsOf(Person{Name: "alice"}); !slices.Equal(got, []string{"both", "listed", "lost"}) {
		t.Errorf("alice is in %v", got)
	}
}

func TestACatalogWithoutLiveGroups(t *testing.T) {
	c := liveCatalog()
	c.Members = nil
	if c.May(Person{Name: "bob"}, "deploy", "staging") || c.Doubt("approve", "production") != nil || !c.May(Person{Name: "alice"}, "lock", "staging") {
		t.Error("without Members, groups are not what the configuration lists")
	}
}

package help

import (
	"context"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
)

var (
	alice = integrations.Person{Name: "alice", Slack: "U1", GitHub: "alice-gh"}
	carol = integrations.Person{Name: "carol", Slack: "U3"}
)

func catalog() *integrations.Catalog {
	env := integrations.ServiceEnvironment{}
	return &integrations.Catalog{
		People: []integrations.Person{alice, carol},
		Groups: map[string][]string{"deployers": {"alice"}},
		Rules:  []integrations.Rule{{Groups: []string{"deployers"}, Verbs: []string{"deploy"}, Environments: []string{"live"}}},
		Environments: []integrations.Environment{
			{Name: "test"}, {Name: "live", Channels: []string{"ops"}},
		},
		Services: []integrations.Service{{Name: "shop", Environments: map[string]integrations.ServiceEnvironment{"live": env}}},
	}
}

func language() []commands.Verb {
	var verbs []commands.Verb
	verbs = New(func() []commands.Verb { return verbs }).Verbs
	verbs = append(verbs,
		commands.Verb{Name: "deploy", Aliases: []string{"ship"}, Summary: "Open a deploy pull request", Effect: commands.Changes,
			Detail:   "The merge of that pull request is what deploys.",
			Args:     []commands.Arg{{Name: "service", Kind: commands.ArgService}, {Name: "environment", Kind: commands.ArgEnvironment, Keyword: "to", Help: "where to"}},
			Flags:    []commands.Arg{{Name: "for", Kind: commands.ArgDuration, Default: "8h"}},
			Examples: []string{"deploy {service} to {environment}"}},
		commands.Verb{Name: "lock", Summary: "Hold a target", Effect: commands.Changes},
		commands.Verb{Name: "status", Summary: "Say how it stands", Effect: commands.Reads},
		commands.Verb{Name: "secret", Summary: "Nobody sees it", Effect: commands.Reads, Hidden: true},
	)
	return verbs
}

// ask types a line as somebody and returns what they are told.
func ask(t *testing.T, who integrations.Person, heard integrations.Heard, line string) string {
	t.Helper()
	verbs := language()
	u := commands.Parse(verbs, catalog(), line, true)
	if u.Refusal != nil {
		return u.Refusal.Error()
	}
	c := u.Call
	c.Who, c.Heard = who, heard
	act, err := c.Verb.Decide(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := act(nil)
	if err != nil {
		t.Fatal(err)
	}
	if reply.Private == nil || reply.Public != nil {
		t.Fatalf("%s is not answered privately", line)
	}
	return reply.Private.Text
}

func check(t *testing.T, text string, says, not []string) {
	t.Helper()
	for _, s := range says {
		if !strings.Contains(text, s) {
			t.Errorf("it does not say %q:\n%s", s, text)
		}
	}
	for _, s := range not {
		if strings.Contains(text, s) {
			t.Errorf("it says %q:\n%s", s, text)
		}
	}
}

func TestHelpListsTheLanguageWithNamesFromHere(t *testing.T) {
	text := ask(t, alice, integrations.Heard{User: "U1"}, "help")
	check(t, text, []string{"/ops deploy shop to live", "Open a deploy pull request", "/ops lock", "(not you)", "/ops status", "/ops whoami"},
		[]string{"secret", "{service}", "Open a deploy pull request (not you)"})
	if strings.Index(text, "deploy shop") > strings.Index(text, "/ops status") {
		t.Errorf("what changes something does not come first:\n%s", text)
	}
}

func TestHelpOnOne(t *testing.T) {
	text := ask(t, alice, integrations.Heard{User: "U1"}, "help ship")
	check(t, text, []string{
		"/ops deploy", "It changes something.", "The merge of that pull request", "deploy <service> to <environment> [--for <duration>]",
		"where to", "8h unless said", "deploy shop to live", "Also: ship", "test: nobody", "live: alice",
	}, nil)
}

func TestStrangersLearnNothingFromHelp(t *testing.T) {
	for _, heard := range []integrations.Heard{{User: "U9"}, {User: "U1", Stranger: true}} {
		who := integrations.Person{Slack: heard.User}
		for _, line := range []string{"help", "help deploy", "whoami"} {
			check(t, ask(t, who, heard, line), nil, []string{"shop", "live", "alice", "deployers"})
		}
	}
	check(t, ask(t, integrations.Person{}, integrations.Heard{User: "U9", UserName: "dave"}, "whoami"), []string{"U9", "slack: U9", "name: dave"}, nil)
}

func TestWhoami(t *testing.T) {
	check(t, ask(t, alice, integrations.Heard{User: "U1"}, "whoami"),
		[]string{"You are alice.", "GitHub: alice-gh", "deployers", "In live you may deploy, from #ops."}, []string{"In test"})
	check(t, ask(t, carol, integrations.Heard{User: "U3"}, "whoami"),
		[]string{"GitHub: not linked", "Groups: none", "You may change nothing"}, nil)
}

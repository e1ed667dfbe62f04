package joining

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const someConfig = `# who is who
people:
  - {name: alice, slack: U0A} # the first
  - name: bob
    slack: U0B
    github: bob
  # carol is away
groups:
  developers: [alice, bob] # they write it
  empty: []
  none:
  leads: {people: [alice], github_team: acme/leads}
  wide: [
    alice,
    "bob", # with a comment
  ]
  dashed:
    # first
    - alice
    - 'bob'   # last
  other:
    people:
    - bob
    slack_group: sre
policy: []
services:
  web: # the site
    repository: acme/web
    aliases: [frontend]
  api:
    repository: acme/api
  tiny: {repository: acme/tiny}
environments:
  production:
    channels:
      - ops
`

func TestEdits(t *testing.T) {
	for _, c := range []struct {
		edit
		want string // the lines that differ
	}{
		{edit{What: editPerson, Name: "carol", Slack: "U0C", GitHub: "carol-c"}, "+   - {name: carol, slack: U0C, github: carol-c}"},
		{edit{What: editAdd, Name: "carol", In: "developers"}, "-   developers: [alice, bob] # they write it|+   developers: [alice, bob, carol] # they write it"},
		{edit{What: editAdd, Name: "123", In: "empty"}, "-   empty: []|+   empty: [\"123\"]"},
		{edit{What: editAdd, Name: "carol", In: "none"}, "-   none:|+   none: [carol]"},
		{edit{What: editAdd, Name: "carol", In: "leads"}, "-   leads: {people: [alice], github_team: acme/leads}|+   leads: {people: [alice, carol], github_team: acme/leads}"},
		{edit{What: editAdd, Name: "carol", In: "wide"}, `-     "bob", # with a comment|+     "bob", carol, # with a comment`},
		{edit{What: editAdd, Name: "carol", In: "dashed"}, "+     - carol"},
		{edit{What: editAdd, Name: "carol", In: "other"}, "+     - carol"},
		{edit{What: editRemove, Name: "alice", In: "developers"}, "-   developers: [alice, bob] # they write it|+   developers: [bob] # they write it"},
		{edit{What: editRemove, Name: "bob", In: "developers"}, "-   developers: [alice, bob] # they write it|+   developers: [alice] # they write it"},
		{edit{What: editRemove, Name: "alice", In: "leads"}, "-   leads: {people: [alice], github_team: acme/leads}|+   leads: {people: [], github_team: acme/leads}"},
		{edit{What: editRemove, Name: "alice", In: "wide"}, `-     alice,`},
		{edit{What: editRemove, Name: "bob", In: "dashed"}, "-     - 'bob'   # last"},
		{edit{What: editRemove, Name: "bob", In: "other"}, "-     - bob|+       []"},
		{edit{What: editAlias, Name: "site", In: "web"}, "-     aliases: [frontend]|+     aliases: [frontend, site]"},
		{edit{What: editAlias, Name: "窓口", In: "api"}, "+     aliases: [\"窓口\"]"},
		{edit{What: editAlias, Name: "t", In: "tiny"}, "-   tiny: {repository: acme/tiny}|+   tiny: {repository: acme/tiny, aliases: [t]}"},
		{edit{What: editChannel, Name: "deploys", In: "production"}, "+       - deploys"},
	} {
		for name, text := range map[string]string{"": someConfig, " with CRLF": strings.ReplaceAll(someConfig, "\n", "\r\n"), " without an end": strings.TrimRight(someConfig, "\n")} {
			out, diff, already, err := edited([]byte(text), c.edit)
			if err != nil || already {
				t.Errorf("%s%s: %v, already %v", c.edit, name, err, already)
				continue
			}
			want := strings.Split(c.want, "|")
			if d := cmp.Diff(want, diff); d != "" {
				t.Errorf("%s%s (-want +got)\n%s\n%s", c.edit, name, d, out)
			}
			if _, _, again, err := edited(out, c.edit); err != nil || !again {
				t.Errorf("%s%s, said again: already %v, %v", c.edit, name, again, err)
			}
		}
	}
}

// What is so already is left alone, however it is spelt there.
func TestEditedAlready(t *testing.T) {
	for _, e := range []edit{
		{What: editPerson, Name: "carol", Slack: "U0A"}, {What: editPerson, Name: "bob"}, {What: editAdd, Name: "Bob", In: "dashed"},
		{What: editRemove, Name: "carol", In: "developers"}, {What: editAlias, Name: "Frontend", In: "web"}, {What: editChannel, Name: "#ops", In: "production"},
	} {
		out, diff, already, err := edited([]byte(someConfig), e)
		if err != nil || !already || diff != nil || string(out) != someConfig {
			t.Errorf("%s: already %v, %q, %v", e, already, diff, err)
		}
	}
}

// What cannot be edited surely is refused, and says where it stands.
func TestNotEdited(t *testing.T) {
	for text, e := range map[string]edit{
		"groups: {d: &x [alice], e: *x}\n":      {What: editAdd, Name: "bob", In: "e"},
		"x: &x [alice]\ngroups:\n  d: *x\n":     {What: editAdd, Name: "bob", In: "d"},
		"groups:\n  d: [alice, # x\n    bob]\n": {What: editRemove, Name: "bob", In: "d"},
		"groups:\n  d: alice\n":                 {What: editAdd, Name: "bob", In: "d"},
		"groups: {d: [alice]}\n":                {What: editAdd, Name: "bob", In: "f"},
		"groups: [":                             {What: editAdd, Name: "bob", In: "f"},
		"people: {}\n---\npeople: {}\n":         {What: editPerson, Name: "bob"},
		"groups:\n  d: &x [alice]\n  e: *x\n ":  {What: editAdd, Name: "bob", In: "d"},
	} {
		if out, _, already, err := edited([]byte(text), e); err == nil || already {
			t.Errorf("%q, %s: already %v, no error, and\n%s", text, e, already, out)
		}
	}
}

// A text with neither people nor a comment to hold on to gets its first.
func TestFirstPerson(t *testing.T) {
	out, _, _, err := edited([]byte("listen: x\n"), edit{What: editPerson, Name: "bob", Slack: "U0B"})
	if want := "people: [{name: bob, slack: U0B}]\nlisten: x\n"; err != nil || string(out) != want {
		t.Errorf("%v\n%s", err, out)
	}
}

package gate

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A row reads aloud: "while bob holds it, alice merges: hold".
type row struct{ while, who, does, closed string }

// The gates, by the state of the target, who acts and what they do. Alice asked
// for the deploy of web to production, whose commit is good in staging, planned,
// and agreed to by bob, unless the row says otherwise.
var table = []row{
	{"nothing is wrong", "alice", "asks for it", ""},
	{"nothing is wrong", "alice", "has it opened", ""},
	{"nothing is wrong", "alice", "looks at the card", ""},
	{"nothing is wrong", "alice", "merges it", ""},
	{"nothing is wrong", "alice", "merged it on GitHub", ""},
	{"nothing is wrong", "bob", "merges it", ""},
	{"nothing is wrong", "carol", "merged it on GitHub", "policy"},
	{"nothing is wrong", "a stranger", "merged it on GitHub", "policy"},
	{"nothing is wrong", "carol", "merged it on GitHub, and bob let it go on", ""},

	{"alice holds it", "alice", "asks for it", ""},
	{"alice holds it", "alice", "merges it", ""},
	{"alice holds it", "alice", "merged it on GitHub", ""},
	{"alice holds it", "bob", "asks for it", "hold"},
	{"alice holds it", "bob", "merges it", "hold"},
	{"alice holds it", "nobody", "brings it by itself", "hold"},
	{"alice holds it", "alice", "merges what bob asked for", "hold"},
	{"bob holds it", "alice", "asks for it", "hold"},
	{"bob holds it", "alice", "has it opened", "hold"},
	{"bob holds it", "alice", "merges it", "hold"},
	{"bob holds it", "alice", "merged it on GitHub", "hold"},
	{"bob holds it", "alice", "merged it on GitHub, and bob let it go on", "hold"},
	{"bob holds it", "alice", "rolls back", "hold"},
	{"bob holds it", "alice", "breaks the glass and merges it", "hold"},
	{"bob held it, and that has expired", "alice", "merges it", ""},
	{"bob holds the environment", "alice", "merges it", "hold"},
	{"bob holds the service everywhere", "alice", "merges it", "hold"},
	{"bob holds everything", "alice", "merges it", "hold"},
	{"bob holds another target", "alice", "merges it", ""},
	{"bob and carol hold it", "alice", "merges it", "hold hold"},

	{"alice froze it", "alice", "asks for it", "freeze"},
	{"alice froze it", "alice", "merges it", "freeze"},
	{"alice froze it", "alice", "rolls back", "freeze"},
	{"alice froze it", "alice", "merged it on GitHub, and bob let it go on", "freeze"},
	{"alice froze it", "alice", "breaks the glass and merges it", ""},
	{"everything is stopped", "alice", "asks for it", "freeze"},
	{"everything is stopped", "bob", "merged it on GitHub", "freeze"},

	{"a failed apply left it dirty", "alice", "asks for it", "dirty"},
	{"a failed apply left it dirty", "alice", "merged it on GitHub", "dirty"},
	{"a failed apply left it dirty", "alice", "merged it on GitHub, and bob let it go on", ""},
	{"a failed apply left it dirty", "alice", "retries what failed", ""},
	{"a failed apply left it dirty", "alice", "rolls back", ""},
	{"a failed apply left it dirty", "alice", "asks for the fix", ""},
	{"a failed apply left it dirty", "alice", "breaks the glass and merges it", "dirty"},
	{"work by hand left it dirty", "alice", "merges it", "dirty"},
	{"work by hand left it dirty", "alice", "retries what failed", "dirty"},
	{"work by hand left it dirty", "alice", "rolls back", ""},

	{"the window is closed", "alice", "asks for it", ""},
	{"the window is closed", "alice", "looks at the card", "window"},
	{"the window is closed", "alice", "merges it", "window"},
	{"the window is closed", "bob", "merged it on GitHub", "window"},
	{"the window is closed", "alice", "rolls back", ""},
	{"the window is closed", "alice", "breaks the glass and merges it", ""},
	{"it cools down", "alice", "merges it", "cool-down"},
	{"it cools down", "alice", "merged it on GitHub", "cool-down"},
	{"it cools down", "alice", "rolls back", ""},
	{"it cools down", "alice", "retries what failed", ""},
	{"it cools down", "alice", "breaks the glass and merges it", ""},
	{"it has cooled down", "alice", "merges it", ""},

	{"staging never had it", "alice", "merges it", "promotion"},
	{"staging never had it", "alice", "rolls back", ""},
	{"staging never had it", "alice", "breaks the glass and merges it", "promotion"},
	{"staging failed since", "alice", "merges it", "promotion"},
	{"staging was rolled back since", "alice", "merges it", "promotion"},
	{"staging is dirty", "alice", "merges it", "promotion"},
	{"staging had it and has a newer one", "alice", "merges it", ""},

	{"it is not planned", "alice", "looks at the card", "covers"},
	{"it is not planned", "alice", "merges it", "covers"},
	{"its plan is of an older head", "alice", "merges it", "covers"},
	{"its plan failed", "alice", "merges it", "covers"},
	{"one of two targets is not planned", "alice", "merges it", "covers"},
	{"its files are not read", "alice", "merges it", "covers"},
	{"its plan is a day old", "alice", "merges it", "fresh"},
	{"the base moved in its paths", "alice", "merges it", "base"},
	{"the base cannot be read", "alice", "merges it", "base"},
	{"the facts are a minute old", "alice", "looks at the card", ""},
	{"the facts are a minute old", "alice", "merges it", "base checks approvals"},

	{"a check is red", "alice", "merges it", "checks"},
	{"a check is running", "alice", "merges it", "checks"},
	{"a check has not reported", "alice", "merges it", "checks"},
	{"a check is red", "alice", "rolls back", "checks"},
	{"a check is red", "alice", "merged it on GitHub", "checks"},
	{"a check is red", "alice", "breaks the glass and merges it", ""},
	{"our own status is pending", "alice", "merges it", ""},

	{"an author has not checked it", "alice", "asks for it", ""},
	{"an author has not checked it", "alice", "looks at the card", "checked"},
	{"an author has not checked it", "alice", "merges it", "checked"},
	{"an author has not checked it", "alice", "merged it on GitHub", "checked"},
	{"an author has not checked it", "alice", "merged it on GitHub, and bob let it go on", "checked"},
	{"an author has not checked it", "alice", "rolls back", ""},
	{"an author has not checked it", "alice", "breaks the glass and merges it", ""},
	{"an author has not checked it, and boxes are only shown", "alice", "merges it", ""},
	{"all authors have checked it, and a bot has not", "alice", "merges it", ""},

	{"a check is red", "alice", "breaks the glass, takes a push and merges it", "checks"},
	{"nobody agreed", "alice", "breaks the glass, takes a push and merges it", "approvals"},
	{"everything was stopped after that", "alice", "breaks the glass and merges it", "freeze"},
	{"staging had another commit that begins alike", "alice", "merges it", "promotion"},
	{"somebody pushed to what staging had", "alice", "merges it", "promotion"},
	{"somebody pushed there to what staging had", "alice", "merges it", "promotion"},

	{"people opened it, and staging never had it", "alice", "looks at the card", "promotion approvals"},
	{"people opened it, and staging never had it", "bob", "merged it on GitHub", "promotion"},
	{"people opened it, and staging had it", "bob", "merged it on GitHub", ""},
	{"people opened it into another branch", "bob", "merged it on GitHub", ""},
	{"people opened it, and brought it to staging", "bob", "merged it on GitHub", ""},
	{"people opened it, and it failed in staging", "bob", "merged it on GitHub", "promotion"},
	{"people opened it, and staging is dirty", "bob", "merged it on GitHub", "promotion"},
	{"people brought it to staging", "alice", "merges it", ""},
	{"people wrote a version that staging never had", "alice", "looks at the card", "promotion approvals"},
	{"people wrote a version that staging never had", "bob", "merged it on GitHub", "promotion"},
	{"people wrote a version that staging never had", "bob", "merged it on GitHub, and bob let it go on", "promotion"},
	{"people wrote a version that staging had", "bob", "merged it on GitHub", ""},
	{"people wrote a version that they wrote for staging before", "bob", "merged it on GitHub", ""},
	{"people wrote a version that failed in staging", "bob", "merged it on GitHub", "promotion"},
	{"people wrote a version of another environment", "bob", "merged it on GitHub", ""},
	{"which versions people wrote cannot be read", "alice", "looks at the card", "promotion approvals"},
	{"the version that was asked for is good in staging", "alice", "merges it", ""},
	{"somebody pushed another version to it", "alice", "merges it", "promotion"},
	{"somebody pushed another version to it", "alice", "rolls back", "promotion"},
	{"staging was asked for the version and got another one", "alice", "merges it", "promotion"},
	{"a rollback brings another service's place back, too", "bob", "merged it on GitHub", ""},

	{"nobody agreed", "alice", "looks at the card", "approvals"},
	{"nobody agreed", "alice", "merges it", "approvals"},
	{"nobody agreed", "bob", "merges it", ""},
	{"nobody agreed", "alice", "merged it on GitHub", "approvals"},
	{"nobody agreed", "bob", "merged it on GitHub", ""},
	{"nobody agreed", "alice", "rolls back", "approvals"},
	{"nobody agreed", "alice", "breaks the glass and merges it", ""},
	{"bob agreed to an older head", "alice", "merges it", "approvals"},
	{"alice agreed to her own", "alice", "merges it", "approvals"},
	{"bob reviewed on GitHub", "alice", "merges it", ""},
	{"bob pushed and agreed", "alice", "looks at the card", "approvals"},
	{"a stranger pushed", "alice", "looks at the card", "policy approvals"},
	{"a stranger pushed", "alice", "merges it", "policy approvals"},
	{"a stranger pushed", "bob", "merges it", ""},
	{"a stranger pushed, and bob agreed", "alice", "merges it", ""},
	{"a stranger pushed, and bob agreed", "alice", "merged it on GitHub", ""},
	{"a stranger pushed, and the reviews are not read", "alice", "merges it", "policy approvals"},
	{"carol, who may not, pushed", "alice", "merges it", "policy"},
	{"carol, who may not, pushed", "alice", "merged it on GitHub", "policy"},
	{"carol, who may not, pushed", "alice", "merged it on GitHub, and bob let it go on", ""},
	{"carol, who may not, pushed", "carol", "merged it on GitHub", "policy policy"},
	{"two have to agree, and bob did", "alice", "merges it", "approvals"},
	{"two have to agree, and bob did", "dave", "merges it", ""},
	{"two have to agree, and bob did", "bob", "merges it", "approvals"},
	{"two have to agree, and bob and dave did", "alice", "merges it", ""},

	{"it is ahead of what it saw last", "alice", "merged it on GitHub", ""},
	{"it is behind what it saw last", "alice", "merged it on GitHub", "order"},
	{"it is behind what it saw last", "alice", "merged it on GitHub, and bob let it go on", "order"},
	{"it is what it saw last", "alice", "merged it on GitHub", "order"},
	{"it is what it saw last", "alice", "retries what failed", ""},
	{"it diverged from what it saw last", "alice", "merged it on GitHub", "order"},
	{"it diverged from what it saw last", "alice", "merged it on GitHub, and bob let it go on", ""},
	{"a newer merge waits and only the newest runs", "alice", "merged it on GitHub", "order"},
	{"a newer merge waits", "alice", "merged it on GitHub", ""},
	{"an earlier wave runs", "alice", "merged it on GitHub", "wave"},
	{"an earlier wave failed", "alice", "merged it on GitHub", "wave"},
	{"an earlier wave is through", "alice", "merged it on GitHub", ""},
	{"the store cannot be read", "alice", "merges it", "freeze hold dirty"},
}

func TestGates(t *testing.T) {
	said := map[string]bool{}
	for _, r := range table {
		say := fmt.Sprintf("while %s, %s %s", r.while, r.who, r.does)
		if said[say] {
			t.Errorf("it is said twice: %s", say)
		}
		said[say] = true
		t.Run(say, func(t *testing.T) {
			s := newScene(t)
			state, act := states[r.while], acts[r.does]
			who, known := actors[r.who]
			if state == nil || act == nil || !known {
				t.Fatal("nobody knows how to play that")
			}
			state(s)
			act(s, who)
			s.q.Actor, s.q.Op, s.q.Pull = who, s.op, s.pull
			s.q.Explicit = who.Name != "" && who.Same(s.q.Requester)
			var got []string
			for _, c := range s.ask() {
				got = append(got, c.Gate)
				if c.Reason == "" || c.Opens == "" {
					t.Errorf("%s says %q, and what would open it: %q", c.Gate, c.Reason, c.Opens)
				}
			}
			if closed := strings.Join(got, " "); closed != r.closed {
				t.Errorf("%s: closed is %q, want %q", say, closed, r.closed)
			}
		})
	}
	for name := range states {
		if !slices.ContainsFunc(table, func(r row) bool { return r.while == name }) {
			t.Errorf("no row says %q", name)
		}
	}
	for _, r := range Rules {
		if !slices.ContainsFunc(table, func(row row) bool { return slices.Contains(strings.Fields(row.closed), r.Name) }) {
			t.Errorf("no row closes the gate %s", r.Name)
		}
	}
}

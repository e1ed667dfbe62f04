package commands

import (
	"errors"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// The rules of who may. commands/deploy/rules_test.go lists every rule with its
// test.

// Rights are verbs: whoever may deploy may do nothing else for that, and what may
// be done in one environment may not be done in another.
func TestRuleRightsAreVerbsAndDeployImpliesNone(t *testing.T) {
	cat := testCatalog()
	cat.Rules = []integrations.Rule{{Groups: []string{"deployers"}, Verbs: []string{"deploy"}, Environments: []string{"staging"}}}
	may := func(right, environment string) error {
		return Allow(&Call{Catalog: cat, Who: cat.People[0], Heard: integrations.Heard{Channel: "C1", ChannelName: "ops"}}, right, environment)
	}
	if err := may("deploy", "staging"); err != nil {
		t.Errorf("deploy: %v", err)
	}
	refused := func(right, environment string) {
		t.Helper()
		var r *Refusal
		if err := may(right, environment); !errors.As(err, &r) || r.Code != "not_allowed" {
			t.Errorf("%s in %s: %v", right, environment, err)
		}
	}
	refused("deploy", "production")
	for _, right := range []string{"plan", "merge", "approve", "lock", "unlock-other", "force", "freeze", "break-glass", "rollback", "cancel", "retry", "resolve"} {
		refused(right, "staging")
	}
}

// Whoever the configuration does not link, by Slack id and GitHub login, changes
// nothing, whatever name they show; they see who they are and the help.
func TestRuleUnlinkedChangesNothing(t *testing.T) {
	h := build(t, nil).run()
	for line, want := range map[string]string{
		"deploy web to staging": "refused: not_linked",
		"merge op-1":            "refused: not_linked",
		"lock web/production x": "refused: not_linked",
		"status":                "refused: not_linked",
		"whoami":                "done",
		"help":                  "done",
	} {
		if _, got := h.hears(integrations.Heard{Kind: "command", User: "U9", UserName: "alice", Text: line}); got != want {
			t.Errorf("%s is decided %q, want %q", line, got, want)
		}
	}
	for _, did := range h.done() {
		if did != "whoami" && did != "help" {
			t.Errorf("it did %s", did)
		}
	}
}

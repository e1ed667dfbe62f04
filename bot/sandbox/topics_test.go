package sandbox

import (
	"fmt"
	"testing"

	"github.com/slack-go/slack"
)

// The page shows the topic that a channel has, whoever set it; people can set one, and
// see who is in a user group.
func TestTopicsAndGroups(t *testing.T) {
	base, _ := sandboxAt(t, t.TempDir(), &echoBot{})
	topic := func() any {
		t.Helper()
		code, out := call(t, "", "GET", base+"/sim/page/state?user=alice&channel=ops", nil)
		list, ok := out["channels"].([]any)
		if code != 200 || !ok {
			t.Fatalf("%d %v", code, out)
		}
		return list[0].(map[string]any)["topic"]
	}
	if got := topic(); got != "Deploys and infrastructure" {
		t.Errorf("at first: %v", got)
	}
	client := slack.New(botToken, slack.OptionAPIURL(base+"/slack/api/"))
	if _, err := client.SetTopicOfConversation("C0OPS", "Deploys [on call: alice]"); err != nil {
		t.Fatal(err)
	}
	if got := topic(); got != "Deploys [on call: alice]" {
		t.Errorf("set by the bot: %v", got)
	}
	if code, out := call(t, "", "POST", base+"/sim/slack/topic", map[string]any{"user": "bob", "channel": "ops", "topic": ""}); code != 200 || topic() != "" {
		t.Errorf("taken away by bob: %d %v, %v", code, out, topic())
	}
	if code, out := call(t, "", "POST", base+"/sim/slack/topic", map[string]any{"user": "zoe", "channel": "ops", "topic": "x"}); code != 400 {
		t.Errorf("set by a stranger: %d %v", code, out)
	}
	if _, err := client.UpdateUserGroupMembers("S0ONCALL", "U0BOB,U0CAROL"); err != nil {
		t.Fatal(err)
	}
	code, out := call(t, "", "GET", base+"/sim/slack/groups", nil)
	list, _ := out["groups"].([]any)
	if code != 200 || len(list) != 1 || fmt.Sprint(list[0].(map[string]any)["members"]) != "[U0BOB U0CAROL]" {
		t.Errorf("the groups: %d %v", code, out)
	}
}

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// parsed is right.yaml with some of its text replaced.
func parsed(t *testing.T, replace ...string) *Config {
	t.Helper()
	text := string(read(t, "right.yaml"))
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(text, replace[i]) {
			t.Fatalf("right.yaml holds no %q", replace[i])
		}
		text = strings.Replace(text, replace[i], replace[i+1], 1)
	}
	c, err := parseConfig("x", []byte(text), testEnv)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What a configuration changes is said as people say it, and no credential in it.
func TestWordsOfChanges(t *testing.T) {
	old := parsed(t)
	if got := wordsOfChanges(old, parsed(t)); !got.Empty() {
		t.Errorf("against itself: %+v", got)
	}
	got := wordsOfChanges(old, parsed(t,
		"  - {name: carol, slack: U03CAROL}\n", "  - {name: dave, slack: U04DAVE, github: dave-d}\n",
		"github: bob}", "github: bobby}",
		"deployers: [alice, bob]", "deployers: {people: [bob, dave], github_team: acme/sre}\n  leads: [alice]",
		"  - groups: [deployers]\n", "  - {groups: [leads], verbs: [merge], environments: [production]}\n  - groups: [\"*\"]\n",
		"second_person: true", "approvals: 2\n    checks: [build]",
		"aliases: [stg]", "aliases: [stg]\n  lab: {}",
		"parallel: ${PARALLEL}", "parallel: 3",
		"bot_token: ${SLACK_BOT_TOKEN}", "bot_token: xoxb-another-secret",
		"plan_env: {AWS_TOKEN: \"${GITHUB_TOKEN}\"}", "plan_env: {AWS_TOKEN: another-secret}",
	))
	want := configChanges{
		Now: []string{
			"bob: GitHub bob → bobby",
			"dave is among the people, dave-d on GitHub",
			"carol is no longer among the people",
			"dave is in deployers",
			"alice is no longer in deployers",
			"deployers: GitHub team none → acme/sre",
			"there is a new group, leads",
			"alice is in leads",
			"leads may merge in production",
			"everybody among the people may * in every environment",
			"no longer: deployers may * in every environment",
			"there is a new environment, lab",
			"production: approvals: 1 → 2",
			"production: checks: added [build]",
			"production: second_person: removed, was true",
			"web/production: plan_env.AWS_TOKEN: changed",
		},
		Later: []string{"runner.parallel: 7 → 3", "slack.bot_token: changed"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// Somebody who may change the configuration cannot have a channel shown what stands
// in a variable or a file of the bot's machine.
func TestMistakesHideWhatIsFilledIn(t *testing.T) {
	text := strings.Replace(string(read(t, "right.yaml")), "strategy: promote", "strategy: ${SLACK_BOT_TOKEN}", 1)
	_, err := parseConfig("x", []byte(text), testEnv)
	if err == nil || !strings.Contains(err.Error(), "xoxb-very-secret") {
		t.Fatalf("%v: want the value, for the operator's log", err)
	}
	shown := showable(err).Error()
	if strings.Contains(shown, "very-secret") || !strings.Contains(shown, `field "services.web.strategy"`) {
		t.Errorf("a channel is shown: %s", shown)
	}
}

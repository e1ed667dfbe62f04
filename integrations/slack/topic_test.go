package slack

import (
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

func withTopics(sc *slacksim.Config, _ *Config) {
	sc.Channels[0].Topic = "Deploys &amp; infrastructure"
	sc.Channels = append(sc.Channels,
		slacksim.Channel{ID: "C0WAR", Name: "war", Private: true, Members: []string{"alice", "signalbox"}},
		slacksim.Channel{ID: "C0SECRET", Name: "secret", Private: true, Members: []string{"alice"}},
	)
}

// told is how often a channel was told of a new topic.
func (o *office) told(channel string) int {
	o.t.Helper()
	all, err := o.History(channel, "")
	if err != nil {
		o.t.Fatal(err)
	}
	n := 0
	for _, m := range all {
		if strings.HasSuffix(m.Subtype, "_topic") {
			n++
		}
	}
	return n
}

func TestTopic(t *testing.T) {
	o := open(t, withTopics)
	for _, channel := range []string{"ops", "#ops", "C0OPS"} {
		if got, err := o.Topic(t.Context(), channel); err != nil || got != "Deploys &amp; infrastructure" {
			t.Errorf("%s: %q, %v", channel, got, err)
		}
	}
	if got, err := o.Topic(t.Context(), "war"); err != nil || got != "" {
		t.Errorf("a channel without a topic: %q, %v", got, err)
	}
	for _, channel := range []string{"nowhere", "C0NOWHERE", "secret", "C0SECRET"} {
		if _, err := o.Topic(t.Context(), channel); kind(err) != "gone" {
			t.Errorf("%s: %v", channel, err)
		}
	}
}

// Each new topic is a message in the channel, so only a new one is set.
func TestSetTopic(t *testing.T) {
	o := open(t, withTopics)
	set := func(topic, want string, told int) {
		t.Helper()
		if err := o.SetTopic(t.Context(), "ops", topic); err != nil {
			t.Fatal(err)
		}
		if got, err := o.Topic(t.Context(), "C0OPS"); err != nil || got != want || o.told("ops") != told {
			t.Errorf("%q: %q, %v, and the channel was told %d times, want %q and %d", topic, got, err, o.told("ops"), want, told)
		}
	}
	set("Deploys &amp; infrastructure", "Deploys &amp; infrastructure", 0)
	set("Deploys &amp; infrastructure [on call: alice]", "Deploys &amp; infrastructure [on call: alice]", 1)
	set("Deploys &amp; infrastructure [on call: alice]", "Deploys &amp; infrastructure [on call: alice]", 1)
	// Slack keeps the next one in another form, and gives that back.
	const wrote, holds = "🚨 runbook: https://wiki.example.com/oncall", ":rotating_light: runbook: <https://wiki.example.com/oncall>"
	set(wrote, holds, 2)
	set(wrote, holds, 2)
	set(holds, holds, 2)
	if err := o.ChangeTopic("bob", "ops", "mine"); err != nil {
		t.Fatal(err)
	}
	set(wrote, holds, 4) // bob's, and ours again
	set("", "", 5)
	set("", "", 5)
	longest := strings.Repeat("番", 250)
	set(longest, longest, 6)
	if err := o.SetTopic(t.Context(), "ops", longest+"x"); kind(err) != "refused" || !strings.Contains(err.Error(), "251 characters") || o.told("ops") != 6 {
		t.Errorf("one too many: %v", err)
	}
	if err := o.SetTopic(t.Context(), "war", "here"); err != nil || o.told("war") != 1 {
		t.Errorf("in a private channel: %v", err)
	}
	o.clean()
}

func TestSetTopicRefused(t *testing.T) {
	for name, x := range map[string]struct {
		fault        slacksim.FaultSpec
		channel      string
		scopes       string // those it has not
		kind, say    string
		afterAllDone bool
	}{
		"not in it":                    {channel: "random", kind: "gone", say: "/invite it there"},
		"archived":                     {channel: "C0OPS", fault: slacksim.FaultSpec{Kind: "archive_channel", Channel: "ops"}, kind: "gone", say: "is archived"},
		"unknown":                      {channel: "nowhere", kind: "gone", say: "there is no channel #nowhere"},
		"hidden":                       {channel: "C0SECRET", kind: "gone", say: "invite the bot"},
		"a direct message":             {channel: "U0ALICE", kind: "refused", say: "name a channel"},
		"without the scope":            {channel: "ops", scopes: "channels:write.topic", kind: "refused", say: "channels:write.topic"},
		"without the scope of private": {channel: "war", scopes: "groups:write.topic", kind: "refused", say: "groups:write.topic"},
		"with the other scope":         {channel: "war", scopes: "channels:write.topic", kind: "done"},
		"by a rule":                    {channel: "ops", fault: slacksim.FaultSpec{Kind: "refuse", Code: "restricted_action"}, kind: "refused", say: "rules of the workspace"},
		"as a guest":                   {channel: "ops", fault: slacksim.FaultSpec{Kind: "refuse", Code: "user_is_restricted"}, kind: "refused", say: "guest"},
		"by its length":                {channel: "ops", fault: slacksim.FaultSpec{Kind: "refuse", Code: "too_long"}, kind: "refused", say: "too long"},
		"ratelimited":                  {channel: "ops", fault: slacksim.FaultSpec{Kind: "rate_limit", RetryAfter: 7}, kind: "later", say: "again after 7s"},
		"broken":                       {channel: "ops", fault: slacksim.FaultSpec{Kind: "error"}, kind: "later"},
		"lost":                         {channel: "ops", fault: slacksim.FaultSpec{Kind: "lose_reply"}, kind: "later", afterAllDone: true},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t, withTopics, func(sc *slacksim.Config, _ *Config) {
				for _, s := range scopes {
					if s.name != x.scopes {
						sc.Scopes = append(sc.Scopes, s.name)
					}
				}
			})
			if x.fault.Kind != "" {
				if x.fault.Kind != "archive_channel" {
					x.fault.Method = "conversations.setTopic"
				}
				o.fault(x.fault)
			}
			err := o.SetTopic(t.Context(), x.channel, "new")
			if kind(err) != x.kind || err != nil && !strings.Contains(err.Error(), x.say) {
				t.Errorf("%s, %v, want %s, %q", kind(err), err, x.kind, x.say)
			}
			if x.afterAllDone {
				if err := o.SetTopic(t.Context(), x.channel, "new"); err != nil || o.told("ops") != 1 {
					t.Errorf("again: %v, and the channel was told %d times", err, o.told("ops"))
				}
			}
		})
	}
	o := open(t, func(sc *slacksim.Config, _ *Config) { sc.Scopes = []string{"chat:write"} })
	if _, err := o.Topic(t.Context(), "C0OPS"); kind(err) != "refused" || !strings.Contains(err.Error(), "channels:read") {
		t.Errorf("the topic read without a scope: %v", err)
	}
}

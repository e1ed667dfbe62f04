package slacksim_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

func (o *office) topic(channel string) string {
	for _, c := range o.Conversations() {
		if c.Name == channel {
			return c.Topic
		}
	}
	return "there is no such channel"
}

func topicWorkspace() slacksim.Config {
	cfg := workspace()
	cfg.Channels[0].Topic = "the first"
	cfg.Channels = append(cfg.Channels, slacksim.Channel{ID: "CWAR", Name: "war", Private: true, Members: []string{"alice", "signalbox"}})
	return cfg
}

func TestSetTopic(t *testing.T) {
	cfg := topicWorkspace()
	cfg.Dir = t.TempDir()
	o := open(t, cfg)
	c := o.client()
	ch, err := c.SetTopicOfConversationContext(t.Context(), "COPS", "Deploys & <b> :eyes: [on call: alice]")
	if err != nil || ch.Topic.Value != "Deploys &amp; &lt;b&gt; :eyes: [on call: alice]" || ch.Topic.Creator != "U0SIGNALBOX" || ch.Topic.LastSet == 0 {
		t.Fatalf("%+v, %v", ch, err)
	}
	info, err := c.GetConversationInfoContext(t.Context(), &slack.GetConversationInfoInput{ChannelID: "COPS"})
	if err != nil || info.Topic != ch.Topic || o.topic("ops") != ch.Topic.Value {
		t.Errorf("read back: %+v, %v, %q", info, err, o.topic("ops"))
	}
	ms, err := o.History("ops", "")
	if err != nil || len(ms) != 1 || ms[0].Subtype != "channel_topic" || ms[0].Name != "signalbox" || ms[0].Text != "set the channel topic: "+ch.Topic.Value {
		t.Errorf("the channel was told %+v, %v", ms, err)
	}
	if out := o.must("conversations.history", args("channel", "COPS")); !strings.Contains(string(asJSON(t, out)), `"subtype":"channel_topic"`) {
		t.Errorf("the history has %v", out)
	}
	o.must("conversations.setTopic", args("channel", "CWAR", "topic", "x"))
	if ms, _ := o.History("war", ""); len(ms) != 1 || ms[0].Subtype != "group_topic" {
		t.Errorf("the private channel was told %+v", ms)
	}
	o.clean()
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	o = open(t, cfg)
	if got := o.topic("ops"); got != ch.Topic.Value {
		t.Errorf("after a restart the topic is %q", got)
	}
	o.must("conversations.setTopic", args("channel", "COPS", "topic", ""))
	if got := o.topic("ops"); got != "" {
		t.Errorf("taken away, it is %q", got)
	}
}

func asJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Slack keeps a topic in its own form, and takes that form too.
func TestTopicsAreKeptInSlacksForm(t *testing.T) {
	o := open(t, topicWorkspace())
	for in, want := range map[string]string{
		"a &amp; b & c":                       "a &amp; b &amp; c",
		"☎️ alice":                            ":phone: alice",
		"see https://example.com/x now":       "see <https://example.com/x> now",
		"see <https://example.com/x|there>":   "see <https://example.com/x|there>",
		"<@UALICE> & <!subteam^S0SRE> ask @x": "<@UALICE> &amp; <!subteam^S0SRE> ask @x",
	} {
		for _, text := range []string{in, want} {
			o.must("conversations.setTopic", args("channel", "COPS", "topic", text))
			if got := o.topic("ops"); got != want {
				t.Errorf("%q is kept as %q, want %q", text, got, want)
			}
		}
	}
}

func TestSetTopicIsGuarded(t *testing.T) {
	for name, x := range map[string]struct {
		channel, topic, scopes string
		want                   string
	}{
		"too long":               {"COPS", strings.Repeat("番", 251), "", "too_long"},
		"not in it":              {"CRANDOM", "x", "", "not_in_channel"},
		"hidden":                 {"CSECRET", "x", "", "channel_not_found"},
		"by name":                {"ops", "x", "", "channel_not_found"},
		"no scope":               {"COPS", "x", "channels:read", "missing_scope"},
		"the scope of private":   {"COPS", "x", "groups:write.topic", "missing_scope"},
		"the scope of public":    {"CWAR", "x", "channels:write.topic", "missing_scope"},
		"the old scope":          {"COPS", "x", "channels:manage", ""},
		"the old one of private": {"CWAR", "x", "groups:write", ""},
		"the longest":            {"COPS", strings.Repeat("番", 250), "channels:write.topic", ""},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := topicWorkspace()
			if x.scopes != "" {
				cfg.Scopes = []string{x.scopes}
			}
			o := open(t, cfg)
			out := o.call("conversations.setTopic", args("channel", x.channel, "topic", x.topic))
			if got, _ := out["error"].(string); got != x.want || out["ok"] != (x.want == "") {
				t.Errorf("%v, want %q", out, x.want)
			}
			if ms, _ := o.History("ops", ""); x.want != "" && (o.topic("ops") != "the first" || len(ms) > 0) {
				t.Errorf("the topic became %q, and the channel was told %v", o.topic("ops"), ms)
			}
		})
	}
	o := open(t, topicWorkspace())
	dm, err := o.DirectMessages("alice")
	if err != nil {
		t.Fatal(err)
	}
	if out := o.call("conversations.setTopic", args("channel", dm, "topic", "x")); out["error"] != "method_not_supported_for_channel_type" {
		t.Errorf("of direct messages: %v", out)
	}
	if out := o.call("conversations.setTopic", args("channel", "COPS")); out["error"] != "invalid_arguments" {
		t.Errorf("without one: %v", out)
	}
	for range 18 {
		o.must("conversations.setTopic", args("channel", "COPS", "topic", "x"))
	}
	if out := o.call("conversations.setTopic", args("channel", "COPS", "topic", "x")); out["error"] != "ratelimited" {
		t.Errorf("the 21st call of a minute: %v", out)
	}
	o = open(t, topicWorkspace())
	if err := o.Fault(slacksim.FaultSpec{Kind: "archive_channel", Channel: "ops"}); err != nil {
		t.Fatal(err)
	}
	if out := o.call("conversations.setTopic", args("channel", "COPS", "topic", "x")); out["error"] != "is_archived" {
		t.Errorf("of an archived channel: %v", out)
	}
}

// People set topics too. The bot is told, as of a message that Slack says itself.
func TestPeopleChangeTopics(t *testing.T) {
	o := open(t, topicWorkspace())
	w := o.dial()
	if err := o.ChangeTopic("alice", "ops", "ask @bob 🚨 & see https://example.com"); err != nil {
		t.Fatal(err)
	}
	if got, want := o.topic("ops"), "ask <@UBOB> :rotating_light: &amp; see <https://example.com>"; got != want {
		t.Errorf("the topic is %q, want %q", got, want)
	}
	e := w.next()
	if e.field(t, "event", "subtype") != "channel_topic" || e.field(t, "event", "user") != "UALICE" || e.field(t, "event", "topic") != o.topic("ops") {
		t.Errorf("the bot is told %s", e.Payload)
	}
	w.ack(e.EnvelopeID, "")
	for name, x := range map[string]struct{ user, channel, topic, want string }{
		"not in it":       {"bob", "random", "x", "not_in_channel"},
		"nobody":          {"eve", "ops", "x", "user_not_found"},
		"too long":        {"bob", "ops", strings.Repeat("x", 251), "too_long"},
		"direct messages": {"bob", "@signalbox", "x", "method_not_supported_for_channel_type"},
	} {
		if err := o.ChangeTopic(x.user, x.channel, x.topic); err == nil || !strings.HasPrefix(err.Error(), x.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package slacksim

import (
	"html"
	"regexp"
	"strings"
	"unicode/utf8"
)

// mostTopic is how many characters a topic may have.
const mostTopic = 250

// ChangeTopic is a person who sets the topic of a channel they are in. What Slack
// refuses is a *Refusal.
func (s *Sim) ChangeTopic(user, channel, topic string) error {
	return s.change(func(t *tx) error {
		u, c, err := s.enter(t, user, channel)
		switch {
		case err != nil:
			return err
		case c.IM != "":
			return refuse("method_not_supported_for_channel_type", "direct messages have no topic")
		case utf8.RuneCountInString(topic) > mostTopic:
			return refuse("too_long", "a topic has %d characters at most", mostTopic)
		}
		s.setTopic(t, c, u, emojiNames.Replace(s.encode(topic, false)))
		return nil
	})
}

// setTopic sets it, and tells the channel.
func (s *Sim) setTopic(t *tx, c *channel, u User, topic string) {
	c.Topic, c.TopicBy, c.TopicAt = topic, u.ID, s.cfg.Clock.Now().Unix()
	t.channel(c)
	m := &message{Channel: c.ID, TS: t.ts(), User: u.ID, Subtype: c.kind() + "_topic", Topic: topic, Text: "set the channel topic: " + topic}
	if topic == "" {
		m.Text = "cleared channel topic"
	}
	t.message(m)
	s.messageEvent(t, c, m)
}

// setTopic of the Web API. Which scope it needs depends on the kind of channel.
func setTopic(c *call) (map[string]any, error) {
	var out map[string]any
	err := c.s.change(func(t *tx) error {
		ch, err := c.seen(false)
		if err != nil {
			return err
		}
		bot, err := c.s.user(c.s.cfg.BotUserID)
		if err != nil {
			return err
		}
		needs := map[string][]string{"channel": {"channels:manage", "channels:write.topic"}, "group": {"groups:write", "groups:write.topic"}}
		switch {
		case !c.args.Has("topic"): // an empty one takes it away
			return &apiError{Code: "invalid_arguments", messages: []string{"[ERROR] missing required field: topic"}}
		case ch.IM != "":
			return &apiError{Code: "method_not_supported_for_channel_type"}
		case !c.s.granted(needs[ch.kind()]...):
			return &apiError{Code: "missing_scope", needed: strings.Join(needs[ch.kind()], ","), provided: strings.Join(c.s.scopes(), ",")}
		case ch.Archived:
			return &apiError{Code: "is_archived"}
		case !ch.has(bot.ID):
			return &apiError{Code: "not_in_channel"}
		case utf8.RuneCountInString(c.get("topic")) > mostTopic:
			return &apiError{Code: "too_long"}
		}
		c.s.setTopic(t, ch, bot, keptTopic(c.get("topic")))
		out = map[string]any{"channel": c.s.wireChannel(ch)}
		return nil
	})
	return out, err
}

// emojiNames are a few of the emoji that Slack keeps by name.
var emojiNames = strings.NewReplacer("☎️", ":phone:", "📟", ":pager:", "🚨", ":rotating_light:", "🚑", ":ambulance:")

var bareURL = regexp.MustCompile(`https?://[^\s<>|&]+`)

// keptTopic is what Slack makes of a topic that an app sets: escaped where it was
// not, addresses as links, emoji by name. Markup that is already there stays.
func keptTopic(text string) string {
	var b strings.Builder
	for text != "" {
		at := markup.FindStringIndex(text)
		if at == nil {
			at = []int{len(text), len(text)}
		}
		plain := escapes.Replace(html.UnescapeString(text[:at[0]]))
		b.WriteString(emojiNames.Replace(bareURL.ReplaceAllString(plain, "<$0>")))
		b.WriteString(text[at[0]:at[1]])
		text = text[at[1]:]
	}
	return b.String()
}

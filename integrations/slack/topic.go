package slack

import (
	"context"
	"fmt"

	slackgo "github.com/slack-go/slack"
)

// mostTopic is how many characters a channel's topic may have.
const mostTopic = 250

// heldTopic is a topic that we wrote, and what Slack made of it: it turns emoji into
// their names (:phone:) and addresses into links.
type heldTopic struct{ wrote, holds string }

// Topic is the topic of a channel, given by id or name ("ops", "#ops"), "" if it has
// none. It is as Slack keeps it: & < > escaped, links and mentions in <…>, emoji by
// name. SetTopic takes it so, and TopicWith changes it so. It asks Slack each time.
// Errors: *integrations.Gone if there is no such channel or the bot cannot see it,
// *integrations.Refused, *integrations.Later.
func (c *Client) Topic(ctx context.Context, channel string) (string, error) {
	_, topic, err := c.topic(ctx, channel)
	return topic, err
}

func (c *Client) topic(ctx context.Context, channel string) (id, topic string, err error) {
	if id, err = c.ChannelID(ctx, channel); err != nil {
		return "", "", err
	}
	ch, err := c.api.GetConversationInfoContext(ctx, &slackgo.GetConversationInfoInput{ChannelID: id})
	if err != nil {
		return "", "", refused("read the topic of "+channel, err)
	}
	return id, ch.Topic.Value, nil
}

// SetTopic makes topic the topic of a channel, given by id or name ("ops", "#ops");
// it is in Slack's own form, as Topic gives it, and at most 250 characters. Slack
// tells the whole channel of it by a message, so it reads first, and writes nothing
// where the topic is that already, or what Slack made of it when it was last set.
//
// The bot has to be in the channel. It needs the scope channels:write.topic, for
// private channels groups:write.topic (channels:manage and groups:write hold them,
// and much more). Errors: *integrations.Refused until somebody changes something,
// *integrations.Gone if the channel is archived, unknown or left,
// *integrations.Later to try again, which does no harm when it was done already.
func (c *Client) SetTopic(ctx context.Context, channel, topic string) error {
	act := "set the topic of " + channel
	if n := length(topic); n > mostTopic {
		return untried(act, fmt.Sprintf("it has %d characters, and Slack takes %d", n, mostTopic), "shorten it")
	}
	id, now, err := c.topic(ctx, channel)
	if err != nil {
		return err
	}
	c.book.mu.Lock()
	held := c.book.topics[id]
	c.book.mu.Unlock()
	if now == topic || held == (heldTopic{wrote: topic, holds: now}) {
		return nil
	}
	ch, err := c.api.SetTopicOfConversationContext(ctx, id, topic)
	if err != nil {
		return refused(act, err)
	}
	held = heldTopic{wrote: topic, holds: topic}
	if ch != nil && ch.Topic.Value != "" {
		held.holds = ch.Topic.Value
	}
	c.book.mu.Lock()
	c.book.topics[id] = held
	c.book.mu.Unlock()
	return nil
}

package slack

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	slackgo "github.com/slack-go/slack"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// privatePlace is an answer that one person sees, shown at most once: Slack keeps
// no record of it that could be read back. *Later from Show means that it was
// certainly not shown. In a direct channel it is an ordinary message.
type privatePlace struct{ c *Client }

// patience is how long a private answer waits in place for Slack's rate limit;
// once put off, nobody could tell any more that it was not shown.
const patience = 20 * time.Second

// shownPrivately is the reference of an answer to which Slack gives none.
const shownPrivately = "shown"

func (p privatePlace) Show(ctx context.Context, post integrations.Post) (string, error) {
	if post.Ref != "" {
		return post.Ref, nil // it was shown; Slack lets nobody change it
	}
	until := p.c.clock.Now().Add(patience)
	for {
		ref, err := p.show(ctx, post)
		err = certain(err)
		later, ok := errors.AsType[*integrations.Later](err)
		if !ok || p.c.clock.Now().Add(later.After).After(until) || clock.Sleep(ctx, p.c.clock, later.After) != nil {
			return ref, err
		}
	}
}

func (p privatePlace) show(ctx context.Context, post integrations.Post) (string, error) {
	if address := post.Where[whereResponse]; address != "" {
		err := p.answer(ctx, address, post.Message)
		if !usedUp(err) {
			return shownPrivately, explain("answer privately", err)
		}
		p.c.log.Debug("the response_url takes no more answers", "error", err)
	}
	channel, err := p.c.ChannelID(ctx, post.Where[whereChannel])
	if err != nil {
		return "", err
	}
	ts := ""
	if post.Where[wherePrivate] == "true" || strings.HasPrefix(channel, "D") {
		err = p.c.sendInto(ctx, "chat.postMessage", channel, post, &ts)
		return ts, err
	}
	err = p.c.sendInto(ctx, "chat.postEphemeral", channel, post, &ts, slackgo.MsgOptionPostEphemeral(post.Where[whereUser]))
	return cmp.Or(ts, shownPrivately), err
}

// answer posts to the response_url of a command or click.
func (p privatePlace) answer(ctx context.Context, address string, m integrations.Message) error {
	try := func(r rendered) error {
		blocks := r.blocks
		if blocks == nil {
			blocks = []slackgo.Block{}
		}
		return p.c.respond(ctx, address, map[string]any{
			"response_type": "ephemeral", "replace_original": false, "text": r.text, "blocks": blocks,
		})
	}
	err := try(render(m))
	if refusedBlocks(err) || refusedByBody(err) {
		p.c.log.Warn("Slack refused the blocks of an answer; it is sent in its simplest form", "error", err)
		err = try(simplest(m))
	}
	return err
}

// refusedByBody is refusedBlocks for a response_url, which answers in plain text
// or in JSON, with a status code.
func refusedByBody(err error) bool {
	e, ok := errors.AsType[*responseError](err)
	if !ok || e.Code != http.StatusBadRequest && e.Code != http.StatusInternalServerError {
		return false
	}
	return strings.Contains(e.body, "invalid_blocks") || strings.Contains(e.body, "msg_blocks_too_long")
}

// usedUp says that a response_url is used up (5 times) or too old (30 minutes).
func usedUp(err error) bool {
	if e, ok := errors.AsType[slackgo.SlackErrorResponse](err); ok {
		return e.Err == "used_url" || e.Err == "expired_url"
	}
	e, ok := errors.AsType[*responseError](err)
	if !ok || e.Code >= 500 {
		return false
	}
	var said struct{ Error string }
	if json.Unmarshal([]byte(e.body), &said) == nil && said.Error != "" {
		return said.Error == "used_url" || said.Error == "expired_url"
	}
	return e.Code == http.StatusNotFound || e.Code == http.StatusGone || strings.Contains(e.body, "used_url") || strings.Contains(e.body, "expired_url")
}

func (privatePlace) Find(context.Context, integrations.Post) (string, bool, error) {
	return "", false, integrations.ErrNotReadable
}

// modalPlace opens a form for the person whose command or click gave the trigger,
// within three seconds of it, at most once. Its reference is the view's id.
type modalPlace struct{ c *Client }

func (p modalPlace) Show(ctx context.Context, post integrations.Post) (string, error) {
	if post.Ref != "" {
		return post.Ref, nil
	}
	if post.Message.Modal == nil {
		return "", &integrations.Gone{Why: "open a form: there is none in the message"}
	}
	trigger := post.Where[whereTrigger]
	if trigger == "" {
		return "", &integrations.Gone{Why: "open a form: there is no trigger; forms only open from a command or a button"}
	}
	at := Place{Channel: post.Where[whereChannel], ChannelName: post.Where[whereChannelName], Thread: post.Where[whereThread]}
	if at.Channel == "" {
		at = p.c.triggers.place(trigger)
	}
	v, err := view(*post.Message.Modal, at)
	if err != nil {
		return "", err
	}
	r, err := p.c.api.OpenViewContext(ctx, trigger, v)
	if err != nil {
		return "", certain(explain("open a form", err))
	}
	return r.ID, nil
}

func (modalPlace) Find(context.Context, integrations.Post) (string, bool, error) {
	return "", false, integrations.ErrNotReadable
}

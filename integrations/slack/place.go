package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	slackgo "github.com/slack-go/slack"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/redact"
)

// The words of an address (integrations.Post.Where) in Slack.
const (
	whereChannel     = "channel"      // id or name; a user's id is the direct channel to them
	whereChannelName = "channel_name" // slack.modal: what the channel is called
	whereThread      = "thread"       // ts of the thread's root
	whereUser        = "user"         // slack.private, slack.home: who sees it
	whereResponse    = "response_url" // slack.private: the address to answer a command or click at
	wherePrivate     = "private"      // slack.private: "true" if the channel is a direct one
	whereSilent      = "silent"       // slack.message: not "", people are named and not mentioned
	whereTrigger     = "trigger"      // slack.modal: what opens it
)

// metadataType marks our messages; the payload holds the surface's nonce.
const metadataType = "signalbox"

// Places are the kinds of places in a workspace, by the names that surfaces use.
func (c *Client) Places() map[string]integrations.Place {
	return map[string]integrations.Place{
		"slack.message": slowly{messagePlace{c}, c},
		"slack.private": slowly{privatePlace{c}, c},
		"slack.modal":   slowly{modalPlace{c}, c},
		"slack.file":    slowly{filePlace{c}, c},
		"slack.home":    slowly{homePlace{c}, c},
	}
}

// messagePlace is a message that everybody in the channel sees and that is edited
// in place. Its reference is the message's ts.
type messagePlace struct{ c *Client }

func (p messagePlace) Show(ctx context.Context, post integrations.Post) (string, error) {
	channel, err := p.c.ChannelID(ctx, post.Where[whereChannel])
	if err != nil {
		return "", err
	}
	if post.Ref != "" {
		return post.Ref, p.c.send(ctx, "chat.update", channel, post, slackgo.MsgOptionUpdate(post.Ref))
	}
	ts := ""
	err = p.c.sendInto(ctx, "chat.postMessage", channel, post, &ts)
	return ts, err
}

// send calls one of the chat methods with a message.
func (c *Client) send(ctx context.Context, method, channel string, post integrations.Post, more ...slackgo.MsgOption) error {
	return c.sendInto(ctx, method, channel, post, nil, more...)
}

func (c *Client) sendInto(ctx context.Context, method, channel string, post integrations.Post, ts *string, more ...slackgo.MsgOption) error {
	options := []slackgo.MsgOption{slackgo.MsgOptionDisableLinkUnfurl(), slackgo.MsgOptionDisableMediaUnfurl()}
	if method == "chat.update" {
		options = nil // an edit unfurls nothing and takes no such argument
	}
	if method != "chat.postEphemeral" && post.Nonce != "" {
		options = append(options, slackgo.MsgOptionMetadata(slackgo.SlackMetadata{
			EventType: metadataType, EventPayload: map[string]any{"nonce": post.Nonce},
		}))
	}
	if thread := post.Where[whereThread]; thread != "" && method != "chat.update" {
		options = append(options, slackgo.MsgOptionTS(thread))
	}
	options = append(options, more...)
	act := acts[method] + " " + post.Where[whereChannel]
	try := func(r rendered) error {
		if err := c.budget.take(method, channel); err != nil {
			return err
		}
		with := append([]slackgo.MsgOption{slackgo.MsgOptionText(r.text, false), blocks(r.blocks)}, options...)
		_, got, _, err := c.api.SendMessageContext(ctx, channel, with...)
		if err == nil && ts != nil {
			*ts = got
		}
		err = explain(act, err)
		c.budget.refused(method, channel, err)
		return err
	}
	if post.Where[whereSilent] != "" {
		post.Message = unmentioned(post.Message)
	}
	err := try(render(post.Message))
	if refusedBlocks(err) {
		c.log.Warn("Slack refused the blocks of a message; it is sent in its simplest form", "error", err)
		err = try(simplest(post.Message))
	}
	return err
}

var acts = map[string]string{
	"chat.postMessage":   "post in",
	"chat.update":        "edit a message in",
	"chat.postEphemeral": "answer privately in",
}

// blocks always sends the list, also an empty one: an edit without it would leave
// the old blocks standing in some clients.
func blocks(all []slackgo.Block) slackgo.MsgOption {
	if all == nil {
		all = []slackgo.Block{}
	}
	return slackgo.MsgOptionBlocks(all...)
}

// refusedBlocks says that Slack does not take the form of a message.
func refusedBlocks(err error) bool {
	e, ok := errors.AsType[slackgo.SlackErrorResponse](err)
	return ok && (e.Err == "invalid_blocks" || e.Err == "msg_blocks_too_long" || e.Err == "invalid_blocks_format")
}

const (
	// findSlack is how far our clock and Slack's may be apart.
	findSlack = 2 * time.Minute
	findPage  = 200
	findPages = 50
)

func (p messagePlace) Find(ctx context.Context, post integrations.Post) (string, bool, error) {
	if post.Nonce == "" {
		return "", false, integrations.ErrNotReadable
	}
	ref := ""
	err := p.c.read(ctx, post, findSlack, func(m pastMessage) bool {
		if m.Metadata.Type == metadataType && m.Metadata.Payload.Nonce == post.Nonce {
			ref = m.TS
		}
		return ref != ""
	})
	return ref, ref != "", err
}

// pastMessage is what Find needs of a message. It is decoded here and not by
// slack-go, which gives up a whole page for one block that it does not know.
type pastMessage struct {
	TS       string `json:"ts"`
	User     string `json:"user"`
	BotID    string `json:"bot_id"`
	Metadata struct {
		Type    string `json:"event_type"`
		Payload struct {
			Nonce string `json:"nonce"`
		} `json:"event_payload"`
	} `json:"metadata"`
	Files []struct {
		ID    string `json:"id"`
		Name  string `json:"name"`
		Title string `json:"title"`
	} `json:"files"`
}

// read goes through what was posted where the post belongs since it was begun,
// until found says so.
func (c *Client) read(ctx context.Context, post integrations.Post, slack time.Duration, found func(pastMessage) bool) error {
	channel, err := c.ChannelID(ctx, post.Where[whereChannel])
	if err != nil {
		return err
	}
	method, form := "conversations.history", url.Values{"channel": {channel}, "limit": {strconv.Itoa(findPage)}, "include_all_metadata": {"1"}}
	if thread := post.Where[whereThread]; thread != "" {
		method = "conversations.replies"
		form.Set("ts", thread)
	}
	if !post.Since.IsZero() {
		form.Set("oldest", fmt.Sprintf("%d.000000", post.Since.Add(-slack).Unix()))
	}
	for range findPages {
		var page struct {
			slackgo.SlackResponse
			Messages []pastMessage `json:"messages"`
		}
		if err := c.call(ctx, method, form, &page); err != nil {
			return explain("read "+post.Where[whereChannel], err)
		}
		if err := page.Err(); err != nil {
			return explain("read "+post.Where[whereChannel], err)
		}
		for _, m := range page.Messages {
			if found(m) {
				return nil
			}
		}
		cursor := page.ResponseMetadata.Cursor
		if cursor == "" {
			return nil
		}
		form.Set("cursor", cursor)
	}
	return fmt.Errorf("read %s: more than %d messages since %s", post.Where[whereChannel], findPages*findPage, post.Since.Format(time.RFC3339))
}

// call posts a form to a method and decodes the answer.
func (c *Client) call(ctx context.Context, method string, form url.Values, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cfg.APIURL+method, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Bearer "+c.cfg.BotToken.Reveal())
	return c.do(req, func(body io.Reader) error { return json.NewDecoder(body).Decode(into) })
}

func (c *Client) do(req *http.Request, read func(io.Reader) error) error {
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusTooManyRequests {
		after, err := strconv.Atoi(res.Header.Get("Retry-After"))
		if err != nil {
			after = 30
		}
		return &slackgo.RateLimitedError{RetryAfter: time.Duration(after) * time.Second}
	}
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 200))
		return &responseError{slackgo.StatusCodeError{Code: res.StatusCode, Status: res.Status}, strings.TrimSpace(string(text))}
	}
	return read(res.Body)
}

// responseError is a status code with what the body said of it.
type responseError struct {
	slackgo.StatusCodeError
	body string
}

func (e *responseError) Error() string { return e.StatusCodeError.Error() + ": " + e.body }
func (e *responseError) Unwrap() error { return e.StatusCodeError }

// respond posts to a response_url. Whoever knows one can answer in our name, so
// no error shows it.
func (c *Client) respond(ctx context.Context, address string, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	err = c.do(req, func(r io.Reader) error {
		text, err := io.ReadAll(io.LimitReader(r, 4096))
		if err != nil {
			return err
		}
		var said struct {
			OK    *bool  `json:"ok"`
			Error string `json:"error"`
		}
		if json.Unmarshal(text, &said) == nil && said.OK != nil && !*said.OK {
			return slackgo.SlackErrorResponse{Err: said.Error}
		}
		return nil
	})
	return redact.New([]string{address}).Error(err)
}

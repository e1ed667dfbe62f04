package slack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	slackgo "github.com/slack-go/slack"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Check tries the tokens, their scopes, and the channels (ids or names) the bot
// is to speak in. It changes nothing.
func (c *Client) Check(ctx context.Context, channels []string) []integrations.Finding {
	return slices.Collect(c.Findings(ctx, channels))
}

// Findings is Check, each finding as it is made.
func (c *Client) Findings(ctx context.Context, channels []string) iter.Seq[integrations.Finding] {
	return func(yield func(integrations.Finding) bool) {
		bot, ok := c.checkBot(ctx)
		for _, f := range bot {
			if !yield(f) {
				return
			}
		}
		if !yield(c.checkApp(ctx)) || !ok {
			return
		}
		for _, name := range channels {
			if !yield(c.checkChannel(ctx, name)) {
				return
			}
		}
	}
}

func (c *Client) checkBot(ctx context.Context) ([]integrations.Finding, bool) {
	const what = "Slack bot token"
	self, err := c.Auth(ctx)
	if err != nil {
		f := integrations.Finding{What: what, Say: err.Error(), Do: "copy the Bot User OAuth Token (xoxb-) from the app's OAuth & Permissions"}
		if fatal(err) == "" {
			f.Do = "see that this machine reaches " + c.cfg.APIURL
		}
		return []integrations.Finding{f}, false
	}
	out := []integrations.Finding{{What: what, OK: true, Say: fmt.Sprintf("@%s in %s (%s)", self.Name, self.TeamName, self.Team)}}
	if len(self.Scopes) == 0 {
		return append(out, integrations.Finding{What: "Slack scopes", Warn: true, Say: "Slack did not say which the token has"}), true
	}
	missing := false
	for _, s := range scopes {
		if slices.Contains(self.Scopes, s.name) {
			continue
		}
		missing = true
		say := "missing; it is for " + s.why
		if s.optional() {
			say += ". Without it " + s.without
		}
		out = append(out, integrations.Finding{
			What: "Slack scope " + s.name, Warn: s.optional(), Say: say,
			Do: "add it under OAuth & Permissions (or paste `signalbox manifest`), then install the app again",
		})
	}
	if !missing {
		out = append(out, integrations.Finding{What: "Slack scopes", OK: true, Say: fmt.Sprintf("all %d are there", len(scopes))})
	}
	return out, true
}

// checkApp asks for the address of a socket and does not use it.
func (c *Client) checkApp(ctx context.Context) integrations.Finding {
	f := integrations.Finding{What: "Slack app token"}
	api := slackgo.New("", slackgo.OptionAppLevelToken(c.cfg.AppToken.Reveal()), slackgo.OptionAPIURL(c.cfg.APIURL),
		slackgo.OptionHTTPClient(c.patient(openTimeout)))
	_, _, err := api.StartSocketModeContext(ctx)
	if err == nil {
		f.OK, f.Say = true, "sockets can be opened"
		return f
	}
	err = explain("open a socket", err)
	f.Say = err.Error()
	f.Do = "make an app-level token (xapp-) with connections:write under Basic Information, and switch Socket Mode on"
	if errors.As(err, new(*integrations.Later)) && fatal(err) == "" {
		f.Do = "try again; if it stays like this, see that this machine reaches " + c.cfg.APIURL
	}
	return f
}

func (c *Client) checkChannel(ctx context.Context, name string) integrations.Finding {
	f := integrations.Finding{What: "Slack channel " + strings.TrimPrefix(name, "#")}
	id, err := c.ChannelID(ctx, name)
	if err != nil {
		f.Say, f.Do = err.Error(), "invite the bot: /invite @"+cmp.Or(c.Self().Name, "signalbox")
		return f
	}
	ch, err := c.api.GetConversationInfoContext(ctx, &slackgo.GetConversationInfoInput{ChannelID: id})
	switch {
	case err != nil:
		f.Say, f.Do = explain("look up the channel", err).Error(), "invite the bot: /invite @"+cmp.Or(c.Self().Name, "signalbox")
	case ch.IsArchived:
		f.Say, f.Do = "it is archived", "unarchive it, or configure another one"
	case !ch.IsMember && !ch.IsIM:
		f.Say, f.Do = "the bot is not in it", "type there: /invite @"+cmp.Or(c.Self().Name, "signalbox")
	default:
		f.OK, f.Say = true, "the bot is in it ("+id+")"
	}
	return f
}

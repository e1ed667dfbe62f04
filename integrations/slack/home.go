package slack

import (
	"context"
	"errors"
	"slices"
	"strings"

	slackgo "github.com/slack-go/slack"

	"github.com/signalbox-chatops/signalbox/integrations"
)

const (
	homeOpened = "app_home_opened"
	homeTab    = "home"

	mostHomeBlocks = 100
	// mostHomeTotal is of all texts of a Home tab. Slack counts 250 KB of the whole
	// view, in which a character can take several bytes.
	mostHomeTotal = 50000
)

// inApp makes what was heard a word that was said in no channel.
func inApp(h *integrations.Heard) {
	h.Channel, h.ChannelName, h.Thread, h.Private, h.App = h.User, "", "", true, true
}

// homeOpened is what somebody asks by opening the Home tab: to see it as it is now.
func (s Self) homeOpened(p eventPayload) integrations.Heard {
	ev := p.Event
	h := integrations.Heard{Kind: "home", Team: p.TeamID, User: ev.User, Sent: slackTime(ev.EventTS)}
	_, ours := p.us(s)
	h.Stranger = ours != "" && h.Team != "" && h.Team != ours
	inApp(&h)
	return h
}

// homePlace is a person's Home tab, of which Slack keeps one each. What is
// published again replaces what was there, so a doubt needs no looking.
type homePlace struct{ c *Client }

func (p homePlace) Show(ctx context.Context, post integrations.Post) (string, error) {
	const method = "views.publish"
	user := post.Where[whereUser]
	if err := p.c.budget.take(method, ""); err != nil {
		return "", err
	}
	view := slackgo.HomeTabViewRequest{Type: slackgo.VTHomeTab, CallbackID: "signalbox:home"}
	view.Blocks.BlockSet = renderHome(post.Message)
	r, err := p.c.api.PublishViewContext(ctx, slackgo.PublishViewContextRequest{UserID: user, View: view})
	if nobody(err) {
		return "", &integrations.Gone{Why: "no Home tab of " + user + " can be shown: they are not in the workspace any more"}
	}
	err = explain("show the Home tab of "+user, err)
	p.c.budget.refused(method, "", err)
	if err != nil {
		return "", err
	}
	return r.ID, nil
}

// nobody says that Slack knows no person by that id.
func nobody(err error) bool {
	e, ok := errors.AsType[slackgo.SlackErrorResponse](err)
	return ok && e.Err == "invalid_arguments" && slices.ContainsFunc(e.ResponseMetadata.Messages, func(m string) bool { return strings.Contains(m, "user_id") })
}

func (homePlace) Find(context.Context, integrations.Post) (string, bool, error) {
	return "", false, integrations.ErrNotReadable
}

// renderHome gives a message the form of a Home tab.
func renderHome(m integrations.Message) []slackgo.Block {
	buttons := reserve(m, mostHomeTotal)
	r := renderer{room: mostHomeTotal - buttons, buttonRoom: buttons, most: mostHomeBlocks}
	for _, b := range m.Blocks {
		r.block(b)
	}
	return r.fit()
}

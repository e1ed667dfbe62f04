package slack

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	slackgo "github.com/slack-go/slack"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// User is a person of the workspace, or of another one that shares a channel.
type User struct {
	ID, Name, RealName, Email, Team string
	Guest                           bool // may only see the channels they were let into
	Bot                             bool
	Deleted                         bool
	Zone                            *time.Location // UTC if Slack does not say
}

const (
	userLife    = 10 * time.Minute
	listPause   = 30 * time.Second // between two listings of all channels for names nobody knows
	channelPage = 500
)

// book remembers ids by name.
type book struct {
	mu       sync.Mutex
	channels map[string]string // name -> id
	listed   time.Time
	directs  map[string]string // user id -> direct channel
	users    map[string]known
	topics   map[string]heldTopic // channel id -> what was written there last
}

type known struct {
	user User
	at   time.Time
}

func newBook() *book {
	return &book{channels: map[string]string{}, directs: map[string]string{}, users: map[string]known{}, topics: map[string]heldTopic{}}
}

// isID tells an id ("C0123456") from a name, which Slack keeps in lower case.
func isID(s, kinds string) bool {
	if len(s) < 2 || !strings.Contains(kinds, s[:1]) {
		return false
	}
	for _, r := range s {
		if (r < 'A' || r > 'Z') && (r < '0' || r > '9') {
			return false
		}
	}
	return true
}

// ChannelID is the id of a channel given by id or name ("ops", "#ops"), or the
// direct channel to a user given by id. Errors: *integrations.Gone if there is no
// such channel or the bot cannot see it.
func (c *Client) ChannelID(ctx context.Context, channel string) (string, error) {
	name := strings.TrimPrefix(channel, "#")
	switch {
	case isID(name, "CGD"):
		return name, nil
	case isID(name, "UW"):
		return c.direct(ctx, name)
	case name == "":
		return "", &integrations.Gone{Why: "no channel is named"}
	}
	c.book.mu.Lock()
	defer c.book.mu.Unlock()
	if id, ok := c.book.channels[name]; ok {
		return id, nil
	}
	if time.Since(c.book.listed) > listPause {
		if err := c.list(ctx); err != nil {
			return "", err
		}
	}
	if id, ok := c.book.channels[name]; ok {
		return id, nil
	}
	return "", &integrations.Gone{Why: fmt.Sprintf("there is no channel #%s, or it is private and the bot is not in it: create it or /invite the bot", name)}
}

// list reads all channels into the book, whose lock the caller holds.
func (c *Client) list(ctx context.Context) error {
	found := map[string]string{}
	for cursor := ""; ; {
		page, next, err := c.api.GetConversationsContext(ctx, &slackgo.GetConversationsParameters{
			Cursor: cursor, ExcludeArchived: true, Limit: channelPage, Types: []string{"public_channel", "private_channel"},
		})
		if err != nil {
			return explain("list the channels", err)
		}
		for _, ch := range page {
			found[ch.Name] = ch.ID
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	c.book.channels, c.book.listed = found, time.Now()
	return nil
}

func (c *Client) direct(ctx context.Context, user string) (string, error) {
	c.book.mu.Lock()
	id, ok := c.book.directs[user]
	c.book.mu.Unlock()
	if ok {
		return id, nil
	}
	ch, _, _, err := c.api.OpenConversationContext(ctx, &slackgo.OpenConversationParameters{Users: []string{user}})
	if err != nil {
		return "", explain("open a direct message to "+user, err)
	}
	c.book.mu.Lock()
	defer c.book.mu.Unlock()
	c.book.directs[user] = ch.ID
	return ch.ID, nil
}

// User looks somebody up by id; what it says may be ten minutes old.
func (c *Client) User(ctx context.Context, id string) (User, error) {
	c.book.mu.Lock()
	k, ok := c.book.users[id]
	c.book.mu.Unlock()
	if ok && time.Since(k.at) < userLife {
		return k.user, nil
	}
	u, err := c.api.GetUserInfoContext(ctx, id)
	if err != nil {
		return User{}, explain("look up the user "+id, err)
	}
	k = known{at: time.Now(), user: User{
		ID: u.ID, Name: u.Name, RealName: cmp.Or(u.Profile.RealName, u.RealName), Email: u.Profile.Email, Team: u.TeamID,
		Guest: u.IsRestricted || u.IsUltraRestricted, Bot: u.IsBot, Deleted: u.Deleted,
		Zone: zone(u),
	}}
	c.book.mu.Lock()
	defer c.book.mu.Unlock()
	c.book.users[id] = k
	return k.user, nil
}

// zone is the one that somebody has set in Slack. Slack names it and says how far
// it is from UTC now, which is all that is left where the name is not known here.
func zone(u *slackgo.User) *time.Location {
	if z, err := time.LoadLocation(u.TZ); err == nil && u.TZ != "" {
		return z
	}
	if u.TZOffset != 0 {
		return time.FixedZone(u.TZLabel, u.TZOffset)
	}
	return time.UTC
}

// Zone is the time zone of somebody given by id, as they have set it in Slack;
// what it says may be ten minutes old.
func (c *Client) Zone(ctx context.Context, id string) (*time.Location, error) {
	u, err := c.User(ctx, id)
	if err != nil {
		return nil, err
	}
	return u.Zone, nil
}

// Outsider says whether somebody is a guest, a bot, gone, or of another workspace:
// people who may be in a channel and not be colleagues.
func (c *Client) Outsider(ctx context.Context, id string) (bool, error) {
	u, err := c.User(ctx, id)
	if err != nil {
		return true, err
	}
	team := c.Self().Team
	return u.Guest || u.Bot || u.Deleted || team != "" && u.Team != "" && u.Team != team, nil
}

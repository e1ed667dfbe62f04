package slacksim

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// Config describes the workspace. Only what differs from a fresh workspace with
// the bot installed has to be said.
type Config struct {
	Dir   string      // where the workspace is kept; empty keeps it in memory only
	Clock clock.Clock // domain time; clock.Real() when nil

	TeamID, TeamName, AppID, AppToken, BotToken string
	BotUserID, BotID, BotName                   string
	Command                                     string // the slash command, "/ops" when empty

	Users    []User
	Channels []Channel
	Groups   []Group

	// Scopes the bot token has. Nil grants all that any method here asks for.
	Scopes []string
	// Events the app is subscribed to. Nil subscribes to app_mention,
	// app_home_opened, message.im, message.channels and message.groups.
	Events []string

	// Shortcuts are those of the app's manifest.
	Shortcuts []Shortcut
	// NoHome says that the app's manifest has no Home tab.
	NoHome bool

	// Decided, when set, blocks until the bot has decided what was delivered,
	// so that Say, Click and Submit return at the right moment.
	Decided func(ctx context.Context, d Delivery) error
	// Quiet is how long Say, Click and Submit go on waiting for a private answer
	// after the bot has decided (300 ms when zero) or, without Decided, after it
	// has acknowledged (750 ms when zero).
	Quiet time.Duration
	// Patience is how long Say, Click and Submit wait in all (5 s when zero).
	Patience time.Duration

	// NoGroups says that the workspace is on the free plan, which has no user groups.
	NoGroups bool

	// Lenient lifts the rate limits, for benchmarks.
	Lenient bool
	Log     *slog.Logger

	// The wall times of the protocol. Zero means Slack's own: 3 s to acknowledge
	// and to use a trigger_id, a ping every 5 s, 10 s between a disconnect message
	// and the close, 5 h of life a socket.
	AckWindow, TriggerLife, PingEvery, CloseGrace, SocketLife time.Duration
}

// User is a person of the workspace.
type User struct {
	ID, Name, RealName, Email, TZ string
	Guest                         bool // is_restricted
	Bot                           bool
	Admin                         bool
	OtherTeam                     string // the team id of a person from a connected workspace
}

// Channel is a channel of the workspace. Members are user ids or names; the bot
// is a member only if it is listed (by id or name).
type Channel struct {
	ID, Name string
	Members  []string
	Private  bool
	Topic    string
}

// Group is a user group. It is made when the workspace is; from then on SetGroup and
// the bot change it. Members are user ids or names.
type Group struct {
	ID       string   `json:"id"`
	Handle   string   `json:"handle"`
	Name     string   `json:"name"`
	Members  []string `json:"members"`
	Disabled bool     `json:"disabled"`
}

// Shortcut is an entry of the ⚡ menu, or with Message of the menu of a message.
type Shortcut struct {
	Name       string `json:"name"`
	CallbackID string `json:"callback_id"`
	Message    bool   `json:"message"`
}

// Delivery says which envelope carried an act to the bot. EventID is set for
// the Events API, TriggerID for commands, clicks and modals.
type Delivery struct {
	EnvelopeID, Kind, EventID, TriggerID string
}

// defaultEvents are the subscriptions of an app whose bot also listens in the
// threads of its channels.
var defaultEvents = []string{"app_mention", "app_home_opened", "message.im", "message.channels", "message.groups"}

func (c *Config) fill() {
	set := func(p *string, v string) {
		if *p == "" {
			*p = v
		}
	}
	set(&c.TeamID, "T0ACME")
	set(&c.TeamName, "acme")
	set(&c.AppID, "A0SIGNALBOX")
	set(&c.AppToken, "xapp-1-sandbox")
	set(&c.BotToken, "xoxb-sandbox")
	set(&c.BotUserID, "U0SIGNALBOX")
	set(&c.BotID, "B0SIGNALBOX")
	set(&c.BotName, "signalbox")
	set(&c.Command, "/ops")
	if c.Clock == nil {
		c.Clock = clock.Real()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Events == nil {
		c.Events = defaultEvents
	}
	dur := func(p *time.Duration, v time.Duration) {
		if *p == 0 {
			*p = v
		}
	}
	dur(&c.AckWindow, 3*time.Second)
	dur(&c.Patience, 5*time.Second)
	dur(&c.TriggerLife, 3*time.Second)
	dur(&c.PingEvery, 5*time.Second)
	dur(&c.CloseGrace, 10*time.Second)
	dur(&c.SocketLife, 18060*time.Second)
	if c.Decided == nil {
		dur(&c.Quiet, 750*time.Millisecond)
	}
	dur(&c.Quiet, 300*time.Millisecond)
	for i := range c.Users {
		u := &c.Users[i]
		set(&u.ID, "U0"+strings.ToUpper(u.Name))
		set(&u.RealName, u.Name)
		set(&u.TZ, "Etc/UTC")
	}
	for i := range c.Channels {
		set(&c.Channels[i].ID, "C0"+strings.ToUpper(c.Channels[i].Name))
	}
	for i := range c.Groups {
		g := &c.Groups[i]
		set(&g.ID, "S0"+strings.ToUpper(strings.ReplaceAll(g.Handle, "-", "")))
		set(&g.Name, g.Handle)
	}
}

// check reports the first mistake that would make the workspace ambiguous.
func (c *Config) check() error {
	seen := map[string]bool{}
	once := func(kind, s string) error {
		if s == "" {
			return fmt.Errorf("slack workspace: a %s without a name", kind)
		}
		if seen[kind+s] {
			return fmt.Errorf("slack workspace: two %ss are called %q", kind, s)
		}
		seen[kind+s] = true
		return nil
	}
	for _, u := range append(c.Users, User{ID: c.BotUserID, Name: c.BotName}) {
		for _, s := range []string{u.ID, u.Name} {
			if err := once("user", s); err != nil {
				return err
			}
		}
	}
	for _, ch := range c.Channels {
		for _, s := range []string{ch.ID, ch.Name} {
			if err := once("channel", s); err != nil {
				return err
			}
		}
	}
	for _, g := range c.Groups {
		for _, s := range []string{g.ID, g.Handle} {
			if err := once("group", s); err != nil {
				return err
			}
		}
	}
	for _, s := range c.Shortcuts {
		if err := once("shortcut", s.CallbackID); err != nil {
			return err
		}
	}
	if !strings.HasPrefix(c.Command, "/") {
		return fmt.Errorf("slack workspace: command %q does not begin with a slash", c.Command)
	}
	return nil
}

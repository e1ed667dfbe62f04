// Package slack is the Slack workspace as signalbox meets it: Listen takes what
// people type, press and submit from Socket Mode; Places show messages, private
// answers, modals and files by the Web API. It stands in integrations and knows
// no feature. What it says is worked out elsewhere, as integrations.Message; here
// that only gets Slack's form.
package slack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	slackgo "github.com/slack-go/slack"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/kit/redact"
	"github.com/signalbox-chatops/signalbox/integrations/kit/transport"
)

// Config is what the workspace needs.
type Config struct {
	AppToken integrations.Secret // xapp-…, with connections:write: opens the sockets
	BotToken integrations.Secret // xoxb-…: everything else
	// APIURL is the Web API's base; "" is Slack itself.
	APIURL string
	// Connections is how many sockets are held; 0 is 2, the most Slack allows is 10.
	Connections int
	// SecondAfter is how long after the first socket each further one is opened,
	// so that their equal lifetimes do not end together; 0 is three minutes.
	SecondAfter time.Duration
	// TeamID is the workspace's own id. It is learnt from the bot token when it
	// is empty; set, it tells strangers from colleagues before Slack was reached.
	TeamID string
}

const (
	defaultAPIURL      = "https://slack.com/api/"
	defaultConnections = 2
	defaultSecondAfter = 3 * time.Minute
	mostConnections    = 10 // Slack's limit per app
)

// Validate names every mistake at once, with the field that holds it.
func (c Config) Validate() error {
	var errs []error
	token := func(field string, s integrations.Secret, prefix, from string) {
		switch {
		case s.IsZero():
			errs = append(errs, fmt.Errorf("%s: is missing; %s", field, from))
		case !strings.HasPrefix(s.Reveal(), prefix):
			errs = append(errs, fmt.Errorf("%s: does not begin with %s; %s", field, prefix, from))
		}
	}
	token("app_token", c.AppToken, "xapp-", "make one with connections:write under Basic Information, App-Level Tokens")
	token("bot_token", c.BotToken, "xoxb-", "copy it from OAuth & Permissions, once the app is installed")
	if c.APIURL != "" {
		if u, err := url.Parse(c.APIURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			errs = append(errs, fmt.Errorf("api_url: %q is not an http(s) address", c.APIURL))
		}
	}
	if c.Connections < 0 || c.Connections > mostConnections {
		errs = append(errs, fmt.Errorf("connections: %d is not between 1 and %d", c.Connections, mostConnections))
	}
	if c.SecondAfter < 0 {
		errs = append(errs, fmt.Errorf("second_after: %v is negative", c.SecondAfter))
	}
	return errors.Join(errs...)
}

// Client is one workspace. Its methods may be called from several goroutines.
type Client struct {
	cfg   Config
	clock clock.Clock
	log   *slog.Logger

	base    *http.Transport // under all of them
	redact  *redact.Redactor
	hearing *transport.Hearing // since when Slack is silent
	http    *http.Client       // of the Web API
	api     *slackgo.Client    // the Web API
	uploads *slackgo.Client    // likewise, patient enough for files

	budget   *budget
	book     *book
	triggers *triggers
	links    links

	mu   sync.Mutex
	self Self
}

// Self is who the bot is in its workspace.
type Self struct {
	Team     string // the workspace's id
	TeamName string
	URL      string // https://acme.slack.com/
	User     string // the bot's user id
	Name     string // the bot's user name
	Bot      string // the bot's bot id
	Scopes   []string
}

// New makes a client and reaches out to nobody.
func New(cfg Config, clk clock.Clock, log *slog.Logger) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("slack configuration: %w", err)
	}
	if cfg.APIURL == "" {
		cfg.APIURL = defaultAPIURL
	}
	if !strings.HasSuffix(cfg.APIURL, "/") {
		cfg.APIURL += "/" // slack-go puts the method right behind it
	}
	if cfg.Connections == 0 {
		cfg.Connections = defaultConnections
	}
	if cfg.SecondAfter == 0 {
		cfg.SecondAfter = defaultSecondAfter
	}
	c := &Client{
		cfg: cfg, clock: clk, log: log,
		base:     transport.Base(),
		redact:   redact.New([]string{cfg.AppToken.Reveal(), cfg.BotToken.Reveal()}),
		hearing:  transport.NewHearing(clk.Now),
		budget:   newBudget(clk),
		book:     newBook(),
		triggers: newTriggers(),
		links:    links{base: 2 * time.Second, most: time.Minute, settled: time.Minute, open: openTimeout},
		self:     Self{Team: cfg.TeamID},
	}
	c.http = c.patient(20 * time.Second)
	c.api = slackgo.New(cfg.BotToken.Reveal(), slackgo.OptionAPIURL(cfg.APIURL), slackgo.OptionHTTPClient(c.http))
	c.uploads = slackgo.New(cfg.BotToken.Reveal(), slackgo.OptionAPIURL(cfg.APIURL),
		slackgo.OptionHTTPClient(c.patient(5*time.Minute)))
	return c, nil
}

// patient makes an HTTP client that waits so long for a whole answer. It tries
// nothing again: when Slack may be asked again is the budget's and the teller's
// to say. It goes to more than one host, as files and private answers do.
func (c *Client) patient(timeout time.Duration) *http.Client {
	return &http.Client{Transport: c.hearing.Over(transport.New(transport.Options{Base: c.base, Timeout: timeout, Tries: 1, Redact: c.redact}))}
}

// Auth asks Slack who the bot token belongs to and remembers it.
func (c *Client) Auth(ctx context.Context) (Self, error) {
	r, err := c.api.AuthTestContext(ctx)
	if err != nil {
		return Self{}, explain("ask Slack who the bot token belongs to", err)
	}
	s := Self{Team: r.TeamID, TeamName: r.Team, URL: r.URL, User: r.UserID, Name: r.User, Bot: r.BotID}
	for scope := range strings.SplitSeq(r.Header.Get("X-OAuth-Scopes"), ",") {
		if scope = strings.TrimSpace(scope); scope != "" {
			s.Scopes = append(s.Scopes, scope)
		}
	}
	if c.cfg.TeamID != "" && c.cfg.TeamID != s.Team {
		return s, fmt.Errorf("bot token: it belongs to the workspace %s (%s), the configuration says %s", s.TeamName, s.Team, c.cfg.TeamID)
	}
	c.mu.Lock()
	c.self = s
	c.mu.Unlock()
	return s, nil
}

// Self is what Auth found out; before that, only the configured team.
func (c *Client) Self() Self {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.self
}

// DecodeHeard reads the stored body of an event that Listen delivered, knowing
// who the bot is.
func (c *Client) DecodeHeard(kind string, body []byte) (integrations.Heard, error) {
	return c.Self().DecodeHeard(kind, body)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalbox-chatops/signalbox/bot/sandbox"
	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/github"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/kit/git"
	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
	"github.com/signalbox-chatops/signalbox/integrations/slack"
	"github.com/signalbox-chatops/signalbox/store"
)

// options are what run needs to know.
type options struct {
	Config *Config
	Clock  clock.Clock
	Log    *slog.Logger
	Reload <-chan struct{} // a SIGHUP each
	// Inside says that somebody else listens for us, as the sandbox does: Started
	// is given the HTTP door's handler.
	Inside bool
	// Started is called once the doors are open.
	Started func(sandbox.Bot)
}

const (
	pollWebhooks = 5 * time.Minute  // the reconciler's round when webhooks come in
	pollAlone    = 30 * time.Second // and when nothing comes in
	stopWait     = 20 * time.Second
	pruneEvery   = time.Hour

	// An event that is not stored after dropWait was dropped by its door.
	dropWait  = 500 * time.Millisecond
	dropLooks = 50
	// How long an answer is waited for after its event was decided, and how often
	// that is looked at. With much to tell in a channel it may come later.
	answerWait = 2 * time.Second
	answerLook = 5 * time.Millisecond
)

// app is the running process.
type app struct {
	options
	life     *life
	store    *store.Store
	slack    *slack.Client
	github   *github.Client
	catalog  atomic.Pointer[integrations.Catalog]
	config   atomic.Pointer[Config]
	channels sync.Map // names of channels to ids
	ready    atomic.Bool
	met      atomic.Bool // Slack has said who we are
	draining atomic.Bool

	groups     *liveGroups
	dispatcher *commands.Dispatcher
	runner     *runner.Runner
	teller     *tell.Teller
	ticks      *clockDoor
	host       *hostDoor
	answerIn   func(tx *store.Tx, to integrations.Person, m integrations.Message) (integrations.Message, error) // in their language
	mirrors    *git.Mirrors
	wired      wired
	systems    systems
	reloads    reloads
}

// run is the process from its first file to its last stop. Doors accept as soon
// as the store is open; what they accepted is decided when recovery has run.
func run(ctx context.Context, o options) (err error) {
	if err := proc.HardenSelf(); err != nil {
		o.Log.Warn("this process can be read by others of its user", "error", err)
	}
	a := &app{options: o, life: newLife(o.Log)}
	a.config.Store(o.Config)
	if err := a.build(); err != nil {
		return err
	}
	defer func() {
		a.ready.Store(false)
		err = errors.Join(err, a.life.stop(), a.store.Close())
	}()
	if err := a.openDoors(); err != nil {
		return err
	}
	a.life.start("work", stopWait+stopLimit(a.workers()), a.work)
	o.Log.Info("doors open", "version", version(), "store", a.store.Path(), "zones", machineZones())
	if o.Started != nil {
		o.Started(sandbox.Bot{Handler: a.handler(), UnderWay: a.underWay, WaitDecided: a.waitDecided, OnHost: a.host.answer})
	}
	for {
		select {
		case <-ctx.Done():
			return a.drain()
		case err := <-a.life.failed:
			return err
		case <-o.Reload:
			a.reload(ctx)
		}
	}
}

// build opens the store and makes everything, starting nothing.
func (a *app) build() (err error) {
	if err := os.MkdirAll(a.Config.Data, 0o711); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	if a.store, err = store.Open(filepath.Join(a.Config.Data, "signalbox.db"), store.Options{Now: a.Clock.Now, Log: a.Log}); err != nil {
		return err
	}
	if err := a.make(); err != nil {
		return errors.Join(err, a.store.Close())
	}
	return nil
}

// make makes everything that stands on the store.
func (a *app) make() (err error) {
	a.begin()
	c := a.Config
	cat, err := c.Catalog(appliers(c, filepath.Join(c.Data, "providers")))
	if err != nil {
		return err
	}
	if a.slack, err = slack.New(c.slack(), a.Clock, a.Log); err != nil {
		return err
	}
	if a.github, err = github.New(c.github(), a.Clock, a.Log); err != nil {
		return err
	}
	a.groups = newLiveGroups(systems{slack: a.slack, github: a.github, clock: a.Clock, log: a.Log, catalog: a.catalog.Load})
	a.reloads.base = cat
	if err := a.relink(); err != nil {
		return err
	}
	return a.assemble()
}

func (c *Config) slack() slack.Config {
	return slack.Config{AppToken: c.Slack.AppToken, BotToken: c.Slack.BotToken, APIURL: c.Slack.APIURL, Connections: c.Slack.Connections, SecondAfter: c.Slack.SecondAfter}
}

func (c *Config) github() github.Config {
	out := github.Config{Token: c.GitHub.Token, APIURL: c.GitHub.APIURL, GitURL: c.GitHub.GitURL, WebhookSecrets: c.GitHub.WebhookSecrets, MergeMethod: c.GitHub.MergeMethod, OAuthClientID: c.GitHub.OAuth.ClientID}
	if c.PublicURL != "" {
		out.HookURL = strings.TrimRight(c.PublicURL, "/") + "/github"
	}
	if app := c.GitHub.App; app != nil {
		out.App = &github.AppConfig{ID: app.ID, InstallationID: app.InstallationID, PrivateKey: app.PrivateKey}
	}
	return out
}

// assemble joins features and systems.
func (a *app) assemble() error {
	c := a.Config
	a.mirrors = git.New(filepath.Join(c.Data, "mirrors"), a.github.GitToken)
	s := systems{
		store: a.store, slack: a.slack, github: a.github, forge: a.github, trees: trees{a.mirrors, a.github}, clock: a.Clock, log: a.Log, catalog: a.catalog.Load, channel: a.channelID,
		watched: []integrations.Watched{a.github.Watched(), a.slack.Watched()}, poll: pollWebhooks, data: c.Data,
		own:   ownConfig{home: a.home, relink: a.relink, check: a.checkText, adopt: a.adopt},
		verbs: func() []commands.Verb { return a.wired.verbs }, cards: func() map[string]tell.Card { return a.wired.cards },
		channelID: a.slack.ChannelID, guest: a.slack.Outsider,
	}
	if c.Inbound == "none" {
		s.poll = pollAlone
	} else if c.PublicURL != "" || c.GitHub.App != nil { // else nobody can tell ours from others' webhooks
		s.hooks = pollWebhooks
	}
	var err error
	if err = s.clouds(c.AWS, c.HAProxy); err != nil {
		return err
	}
	s.monitors(c.Mackerel)
	s.rounds = func() RoundsConfig { return a.config.Load().Rounds }
	s.self = ownInstance(c.AWS)
	s.drains = func() DrainConfig { return a.config.Load().Drain }
	s.url = c.PublicURL
	s.pagers(c.PagerDuty, func() []AlertsConfig { return a.config.Load().Alerts })
	s.pages(c.Statuspage, c.sourcesOf(kindOutages))
	s.oncall = func() OnCallConfig { return a.config.Load().OnCall }
	s.digest = func() WeeklyConfig { return a.config.Load().Digest }
	s.ingress = func() IngressConfig { return a.config.Load().Ingress }
	s.born = func() BirthConfig { return a.config.Load().Birth }
	s.incidents = func() IncidentsConfig { return a.config.Load().Incidents }
	s.alerts, s.sources = &alertReader{sources: a.alertSources, log: a.Log}, a.alertSources
	s.language = func() string { return a.config.Load().Slack.Language }
	a.systems = s
	if a.wired, err = wire(features(s)); err != nil {
		return err
	}
	if err := c.checkRights(rights(a.wired.verbs)); err != nil {
		return err
	}
	as, err := runAs(c.Runner.User)
	if err != nil {
		return err
	}
	d := runner.Deps{
		Store: a.store, Clock: a.Clock, Log: a.Log, Kinds: a.wired.kinds, Dir: filepath.Join(c.Data, "work"),
		// Not by its path: an upgrade may have put another version there already.
		Self:     []string{"/proc/self/exe", "step"},
		Parallel: c.Runner.Parallel, Env: c.Runner.Env, RunAs: as, Redact: func() []string { return a.config.Load().secrets() },
		LogCap: int64(c.Runner.LogCap), Timeout: c.Runner.Timeout,
	}
	if a.runner, err = runner.New(d); err != nil {
		return err
	}
	cards, speaker, err := a.wired.spoken(s.language, a.channelID)
	if err != nil {
		a.Log.Warn("some phrases are said in English only", "phrases", strings.Count(err.Error(), "\n")+1)
	}
	a.answerIn = speaker.Answer
	a.teller = tell.New(tell.Deps{Store: a.store, Clock: a.Clock, Log: a.Log, Places: places(s), Manners: manners, Cards: cards})
	a.ticks = &clockDoor{clock: a.Clock, log: a.Log, ticks: append(a.wired.ticks, commands.Tick{Name: "prune", Every: pruneEvery, Run: a.prune},
		commands.Tick{Name: "backup", Every: backupEvery, Run: a.backup})}
	a.dispatcher = commands.New(commands.Deps{
		Store: a.store, Clock: a.Clock, Log: a.Log, Catalog: a.catalog.Load, Verbs: a.wired.verbs, Events: a.wired.events,
		DecodeHeard: a.slack.DecodeHeard, DecodeForge: github.DecodeForge, TeamID: func() string { return a.slack.Self().Team },
		Room: a.channelID, Deaf: func(kind string) bool { return strings.HasPrefix(kind, "slack.") && !a.met.Load() },
		Guest: a.slack.Outsider, ChannelID: a.slack.ChannelID, Refresh: a.groups.Refresh,
	})
	return nil
}

func (a *app) prune(ctx context.Context) error {
	err := errors.Join(a.store.Prune(ctx, a.Clock.Now()), a.runner.Prune(ctx), a.teller.Prune(ctx))
	for _, prune := range a.wired.prunes {
		err = errors.Join(err, prune(ctx))
	}
	return err
}

// openDoors lets events in.
func (a *app) openDoors() error {
	door := newSlackDoor(a.slack, a.store, a.Clock, a.Log)
	a.life.start("slack door", stopWait, door.Run)
	if err := a.openHostDoor(); err != nil {
		return err
	}
	if a.Inside || a.Config.Inbound == "none" {
		return nil
	}
	listener, err := net.Listen("tcp", a.Config.Listen)
	if err != nil {
		return fmt.Errorf("open the HTTP door: %w", err)
	}
	a.life.start("http door", stopWait, func(ctx context.Context) error { return a.http().Serve(ctx, listener) })
	return nil
}

func (a *app) handler() http.Handler { return a.http().Handler() }

// alertSources are those of the running configuration.
func (a *app) alertSources() []alertSource { return a.config.Load().sources }

func (a *app) http() *httpDoor {
	return newHTTPDoor(HTTPConfig{
		Alerts:  newAlertDoor(a.alertSources, a.store, a.Clock, a.Log),
		Secrets: func() []integrations.Secret { return a.config.Load().GitHub.WebhookSecrets },
		Store:   a.store, Clock: a.Clock, Log: a.Log, Ready: a.isReady, Stuck: a.stuckAtWork, Sockets: a.slack.Connected, Extra: a.wired.serves,
	})
}

func (a *app) isReady() error {
	switch {
	case a.store.Err() != nil:
		return a.store.Err()
	case !a.ready.Load():
		return errors.New("recovery has not run yet")
	case a.draining.Load():
		return errors.New("it is being stopped, and waits for running jobs")
	case !a.met.Load():
		return errors.New("it is not known yet who we are in Slack")
	case !a.slack.Ready():
		return errors.New("no connection to Slack is up")
	}
	return nil
}

// rights are all that a policy can grant.
func rights(verbs []commands.Verb) []string {
	out := []string{"read", "unlock-other", "force", "freeze", "break-glass", "rollback-direct"}
	for _, v := range verbs {
		r := v.Right
		if r == "" {
			r = v.Name
		}
		if v.Effect == commands.Changes && !v.Open {
			out = append(out, r)
		}
	}
	return out
}

// secrets are the values that no log may show.
func (c *Config) secrets() []string {
	all := []integrations.Secret{c.Slack.AppToken, c.Slack.BotToken, c.GitHub.Token, c.Heartbeat.URL, c.Heartbeat.Key}
	if c.GitHub.App != nil {
		all = append(all, c.GitHub.App.PrivateKey)
	}
	all = append(all, c.GitHub.WebhookSecrets...)
	all = append(all, c.AWS.Secrets()...)
	all = append(all, c.Mackerel.Secrets()...)
	all = append(all, c.PagerDuty.Secrets()...)
	all = append(all, c.Statuspage.Secrets()...)
	for _, s := range c.Alerts {
		all = append(append(all, s.Tokens...), s.Secrets...)
	}
	for _, s := range c.sources {
		if has, ok := s.read.(integrations.AlertSecrets); ok {
			all = append(all, has.Secrets()...)
		}
	}
	for _, t := range c.Targets {
		for _, env := range []map[string]integrations.Secret{t.PlanEnv, t.ApplyEnv} {
			for _, s := range env {
				all = append(all, s)
			}
		}
	}
	var out []string
	for _, s := range all {
		if !s.IsZero() {
			out = append(out, s.Reveal())
		}
	}
	return out
}

// runAs looks up the user whom steps run as.
func runAs(name string) (*proc.User, error) {
	if name == "" {
		return nil, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("runner.user: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("runner.user %s: %w", name, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("runner.user %s: %w", name, err)
	}
	return &proc.User{UID: uint32(uid), GID: uint32(gid)}, nil
}

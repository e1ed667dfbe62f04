// Package joining is how somebody joins: they link their GitHub account, ask for a
// role, and have the configuration changed by a pull request. It also brings the
// configuration's own repository, where there is one, into the running process.
//
// The truth about roles is the configuration. A link adds an account and nothing
// else: links.go merges the links into the catalog, in that one place, and whoever
// is known by a link alone may look.
package joining

import (
	"context"
	"log/slog"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// reader is what this feature asks of GitHub; changer is what it does there.
type reader interface {
	Login(ctx context.Context) (string, error)
	Account(ctx context.Context, login string) (integrations.Account, error)
	Devices() bool
	DeviceCode(ctx context.Context) (integrations.DeviceCode, error)
	DeviceAccount(ctx context.Context, code integrations.Secret) (integrations.Account, error)
	BranchHead(ctx context.Context, repo, branch string) (string, error)
	ReadFile(ctx context.Context, repo, path, ref string) (content []byte, blob string, err error)
	Pull(ctx context.Context, repo string, number int) (integrations.PullRequest, error)
	FindPull(ctx context.Context, repo, head, base string) (integrations.PullRequest, error)
	PullFiles(ctx context.Context, repo string, number int) (files []string, truncated bool, err error)
	PullsOfCommit(ctx context.Context, repo, sha string) ([]integrations.PullRequest, error)
	Compare(ctx context.Context, repo, base, head string) (integrations.Comparison, error)
}

type changer interface {
	CreateBranch(ctx context.Context, repo, branch, sha string) error
	DeleteBranch(ctx context.Context, repo, branch string) error
	CommitFile(ctx context.Context, repo, branch, path string, content []byte, blob, message string) (string, error)
	OpenPull(ctx context.Context, repo string, p integrations.NewPull) (integrations.PullRequest, error)
}

// Forge is both.
type Forge interface {
	reader
	changer
}

// Home is where the configuration has its own repository; the zero Home is nowhere.
type Home struct {
	Repository, Path, Base string
	// Follow says that what is merged there becomes the running configuration.
	Follow bool
	// Channel is where what has changed is told: a name or an id.
	Channel string
	// File is what the configuration's file is called where it has no repository.
	File string
}

// Deps are what the feature works with.
type Deps struct {
	Store   *store.Store
	Forge   Forge
	Clock   clock.Clock
	Log     *slog.Logger
	Catalog func() *integrations.Catalog
	Home    func() Home
	// Guest says whether somebody is only a guest of our workspace.
	Guest func(ctx context.Context, user string) (bool, error)
	// NameOf is what somebody is called in Slack.
	NameOf func(ctx context.Context, user string) (string, error)
	// Relink is called after each change of the links.
	Relink func() error
	// Check reads the text of a configuration and returns every mistake in it.
	Check func(content []byte) error
	// Adopt makes the text of a configuration the running one. Its error is every
	// mistake in the text; then the old one stays.
	Adopt func(ctx context.Context, content []byte) (Changes, error)
	// Poll is how often the configuration's repository is looked at.
	Poll time.Duration
	// Channel turns a channel's name into its id; where it cannot, the name stays.
	Channel func(name string) string
}

// Changes are what another configuration changes, in words.
type Changes struct {
	Now   []string // in effect at once
	Later []string // what only a restart brings
}

// Empty says that nothing changes.
func (c Changes) Empty() bool { return len(c.Now)+len(c.Later) == 0 }

const (
	placeMessage = "slack.message"

	rightGrant = "grant" // had in every environment, it makes an admin

	kindDevice = "device"  // wait until somebody has typed their code
	kindChange = "propose" // the pull request of a change to the configuration
	kindTidy   = "tidy config"
	kindFollow = "follow" // take the configuration from its repository

	cardDevice = "device"
	cardAsk    = "ask"
	cardLinked = "linked"
	cardChange = "config change"
	cardReload = "reload"
)

type feature struct{ Deps }

// New is the feature.
func New(d Deps) commands.Feature {
	f := &feature{d}
	return commands.Feature{
		Name: "joining", Words: map[string]string{"ja": ja},
		Verbs: []commands.Verb{f.linkVerb(), f.unlinkVerb(), f.peopleVerb(), f.roleVerb(), f.grantVerb(), f.refuseVerb(), f.configVerb()},
		Events: map[string]commands.Handler{
			"github.push":         f.onPush,
			"github.pull_request": f.onPull,
		},
		Ticks: []commands.Tick{{Name: "configuration", Every: d.Poll, Run: f.look}},
		Workers: []commands.Worker{
			{Name: "links", Run: f.watchLinks},
		},
		Kinds: []runner.Kind{
			{Name: kindDevice, Quiet: true, Run: f.device},
			{Name: kindChange, Run: f.propose, Changed: f.proposeChanged},
			{Name: kindTidy, Quiet: true, Run: f.tidy},
			{Name: kindFollow, Quiet: true, Run: f.follow},
		},
		Cards: map[string]tell.Card{
			cardDevice: f.deviceCard, cardAsk: f.askCard, cardLinked: f.linkedCard, cardChange: f.changeCard, cardReload: f.reloadCard,
		},
	}
}

// act makes a verb's Decide of what is done in the transaction alone.
func act(do func(tx *store.Tx, c *commands.Call) (commands.Reply, error)) func(context.Context, *commands.Call) (commands.Act, error) {
	return func(_ context.Context, c *commands.Call) (commands.Act, error) {
		return func(tx *store.Tx) (commands.Reply, error) { return do(tx, c) }, nil
	}
}

func say(text string, buttons ...integrations.Button) *integrations.Message {
	m := &integrations.Message{Text: text, Blocks: []integrations.Block{{Text: integrations.R(text)}}}
	if len(buttons) > 0 {
		m.Blocks = append(m.Blocks, integrations.Block{Buttons: buttons})
	}
	return m
}

// room is where what concerns everybody is told; "" if nobody has named a channel.
func (f *feature) room(heard *integrations.Heard) string {
	if name := f.Home().Channel; name != "" {
		return f.Channel(name)
	}
	if heard != nil && !heard.Private {
		return heard.Channel
	}
	return ""
}

// post opens a message about a subject where everybody sees it.
func (f *feature) post(tx *store.Tx, card, subject, room string) error {
	if room == "" {
		return nil
	}
	return tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, subject), Place: placeMessage, Card: card, Subject: subject, Where: map[string]string{"channel": room}})
}

// admin says whether somebody may confirm who is who and let people into groups.
// Both count everywhere, so the right has to be had in every environment.
func admin(cat *integrations.Catalog, p integrations.Person) bool {
	for _, e := range cat.Environments {
		if !cat.May(p, rightGrant, e.Name) {
			return false
		}
	}
	return len(cat.Environments) > 0
}

// admins are those people, but for one.
func admins(cat *integrations.Catalog, but integrations.Person) []integrations.Person {
	var out []integrations.Person
	for _, p := range cat.People {
		if !p.Same(but) && admin(cat, p) {
			out = append(out, p)
		}
	}
	return out
}

// allowAdmin refuses who is none.
func allowAdmin(c *commands.Call) error {
	if admin(c.Catalog, c.Who) {
		return nil
	}
	r := commands.Refuse("not_admin", "That is for admins: people with the right `grant` in every environment.")
	return r.WithHint(mayAnswer(admins(c.Catalog, c.Who)))
}

func mayAnswer(who []integrations.Person) string {
	if len(who) == 0 {
		return "Nobody may answer it: give the right `grant` everywhere in the `policy` of my configuration to somebody."
	}
	return "These may: " + names(who) + "."
}

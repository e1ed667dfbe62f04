// Package ingress opens ports of security groups to the machine that signalbox runs on,
// while a step runs that needs them, and closes them whatever happens. Each time is a
// lease, which is written down before the rule is made and says by itself, whoever dies
// when, what is to be closed; the rule has a tag by which it is found where its id could
// not be kept. What cannot be shown to be closed is an alarm. The rules are those of
// facts/aws.md section 3.
package ingress

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	cardOpen     = "ingress-open"
	cardStray    = "ingress-stray"
	placeMessage = "slack.message"

	sweepEvery = time.Minute
	// patience is how long closing may fail, or a rule that no lease knows be seen, before
	// people are told.
	patience = 2 * time.Minute
	// visible is how long a change may take until a read shows it.
	visible = 30 * time.Second
	// tries is how often opening, and closing, is tried in one go.
	tries = 3
	// closeLimit is how long closing may take in one go, of wall time: also where whoever
	// asked for it is being stopped.
	closeLimit = 15 * time.Second
	keepTold   = 30 * 24 * time.Hour
)

// Cloud is what is asked and told of security groups. Its errors are those of a fleet:
// *integrations.Later is to be tried again, *integrations.Gone says that there is no
// such rule or group, integrations.ErrRuleExists that there is such a rule already, any
// other that it was refused. A change may have worked although it returned an error.
type Cloud interface {
	Ingress(ctx context.Context, at integrations.Site, group string, tagged bool) ([]integrations.IngressRule, error)
	Authorize(ctx context.Context, at integrations.Site, r integrations.IngressRule) (id string, err error)
	Revoke(ctx context.Context, at integrations.Site, group, id string) error
}

// Deps are what the feature works with.
type Deps struct {
	Store   *store.Store
	Clock   clock.Clock
	Log     *slog.Logger
	Catalog func() *integrations.Catalog
	// Config says which groups may be opened, and to which address.
	Config func() Config
	// Cloud is nil where no account is configured.
	Cloud Cloud
	// Ask asks a URL, "" the usual one, by which address this machine comes to it.
	Ask func(ctx context.Context, url string) (netip.Addr, error)
	// Channel turns a channel's name into its id; where it cannot, the name stays.
	Channel func(name string) string
}

// Windows opens ports for runs and closes them.
type Windows struct {
	Deps
	mu     sync.Mutex
	groups map[string]*sync.Mutex // held while a group is looked at and changed
}

var _ integrations.IngressWindow = (*Windows)(nil)

// New makes it.
func New(d Deps) *Windows { return &Windows{Deps: d, groups: map[string]*sync.Mutex{}} }

// Feature is its part of the house.
func (f *Windows) Feature() commands.Feature {
	return commands.Feature{
		Name: "ingress", Words: map[string]string{"ja": ja},
		Ticks: []commands.Tick{{Name: "ingress", Every: sweepEvery, Run: f.sweep}},
		Cards: map[string]tell.Card{cardOpen: f.openCard, cardStray: f.strayCard},
		Prune: f.prune,
	}
}

// alone waits until nobody else in this process is at work on a group; whoever is called
// ends that.
func (f *Windows) alone(at integrations.Site, group string) (done func()) {
	key := at.String() + " " + group
	f.mu.Lock()
	one := f.groups[key]
	if one == nil {
		one = &sync.Mutex{}
		f.groups[key] = one
	}
	f.mu.Unlock()
	one.Lock()
	return one.Unlock
}

// Package scaling keeps auto scaling groups still while an apply changes what runs on
// them: some of a group's processes are suspended before the apply's tool starts, and
// exactly those that we suspended are resumed when it is over. Each time is a lease,
// which is written down before anything is suspended and says by itself, whoever dies
// when, what is to be resumed. The rules are those of facts/aws.md section 1.6.
package scaling

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	cardStuck    = "lease-stuck"
	cardOverdue  = "lease-overdue"
	placeMessage = "slack.message"

	sweepEvery = time.Minute
	// patience is how long resuming may fail before people are told.
	patience = 5 * time.Minute
	// visible is how long a change may take until a read shows it.
	visible = 30 * time.Second
	// tries is how often a lease is tried to be taken before its job is put off.
	tries = 3
	// lockedWait is how soon a group is looked at again that somebody else has locked.
	lockedWait = 30 * time.Second
	keepTold   = 30 * 24 * time.Hour
)

// Cloud is what is asked and told of groups. Its errors are those of a fleet:
// *integrations.Later is to be tried again, *integrations.Gone says that there is no
// such group, any other that it was refused. A change may have worked although it
// returned an error.
type Cloud interface {
	Group(ctx context.Context, at integrations.Site, name string) (integrations.ScalingGroup, error)
	Suspend(ctx context.Context, at integrations.Site, group string, processes []string) error
	Resume(ctx context.Context, at integrations.Site, group string, processes []string) error
	TagGroup(ctx context.Context, at integrations.Site, group, key, value string) error
	UntagGroup(ctx context.Context, at integrations.Site, group, key string) error
}

// Deps are what the feature works with.
type Deps struct {
	Store   *store.Store
	Clock   clock.Clock
	Log     *slog.Logger
	Catalog func() *integrations.Catalog
	// Cloud is nil where no account is configured.
	Cloud Cloud
	// Channel turns a channel's name into its id; where it cannot, the name stays.
	Channel func(name string) string
}

// Leases takes leases for jobs and gives them back.
type Leases struct {
	Deps
	mu     sync.Mutex
	groups map[string]*sync.Mutex // held while a group is looked at and changed
}

// New makes it.
func New(d Deps) *Leases { return &Leases{Deps: d, groups: map[string]*sync.Mutex{}} }

// Feature is its part of the house.
func (f *Leases) Feature() commands.Feature {
	return commands.Feature{
		Name: "scaling", Words: map[string]string{"ja": ja},
		Ticks: []commands.Tick{{Name: "scaling", Every: sweepEvery, Run: f.sweep}},
		Cards: map[string]tell.Card{cardStuck: f.stuckCard, cardOverdue: f.overdueCard},
		Prune: f.prune,
	}
}

// alone waits until nobody else in this process is at work on a group; whoever is
// called ends that.
func (f *Leases) alone(at integrations.Site, group string) (done func()) {
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

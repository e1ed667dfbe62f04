package drain

import (
	"context"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// What a fleet is asked and told. An error of type *integrations.Later says that it
// is to be tried again (throttled, unreachable, in the middle of something); of type
// *integrations.Gone, that there is no such thing; any other, that it was refused.
// None of these calls waits for what it brings about, and each may have worked
// although it returned an error: whoever calls looks before trying again.

// Viewer reads.
type Viewer interface {
	// Sites are all that the configuration names.
	Sites() []integrations.Site
	// Instances are those of all sites with one of the roles; none is every instance
	// that has one. Terminated ones are left out.
	Instances(ctx context.Context, roles ...string) ([]integrations.Instance, error)
	// Find finds one by its id or its Name, in all sites; two of one name are both
	// returned, and none is no error.
	Find(ctx context.Context, idOrName string) ([]integrations.Instance, error)
	// Machine reads one with all that decides whether it may go. Terminated ones are
	// found for as long as the cloud knows them.
	Machine(ctx context.Context, at integrations.Site, id string) (integrations.Machine, error)
	// Group reads a group.
	Group(ctx context.Context, at integrations.Site, name string) (integrations.ScalingGroup, error)
	// Pools reads pools with all their seats; those asked for by seat come as they are
	// now, with SeatUnused where they are gone.
	Pools(ctx context.Context, at integrations.Site, seats []integrations.Seat) ([]integrations.Pool, error)
	// TaskHost reads an instance as a cluster of containers sees it, or any cluster
	// (integrations.AnyCluster), with the tasks that are not over; nil is one that the
	// cluster does not know.
	TaskHost(ctx context.Context, at integrations.Site, cluster, instance string) (*integrations.TaskHost, error)
}

// Mover takes an instance out, and puts it back.
type Mover interface {
	Tag(ctx context.Context, at integrations.Site, id string, set map[string]string, unset []string) error
	// EnterStandby takes it out of its group's pools; shrink lowers the number that the
	// group wants, so that it is not replaced.
	EnterStandby(ctx context.Context, at integrations.Site, group, id string, shrink bool) error
	// ExitStandby puts it back, and raises that number by one.
	ExitStandby(ctx context.Context, at integrations.Site, group, id string) error
	// SetDesired sets that number.
	SetDesired(ctx context.Context, at integrations.Site, group string, n int) error
	Leave(ctx context.Context, at integrations.Site, s integrations.Seat) error
	Join(ctx context.Context, at integrations.Site, s integrations.Seat) error
	// DrainTasks has the tasks of services moved away from a task host, by the cluster
	// and the id of its TaskHost, and lets no new ones in; tasks of no service stay.
	DrainTasks(ctx context.Context, at integrations.Site, cluster, host string) error
	// ActivateTasks lets tasks in again.
	ActivateTasks(ctx context.Context, at integrations.Site, cluster, host string) error
}

// Ender terminates instances, for good.
type Ender interface {
	// Terminate ends one through its group, which replaces it; one of no group ("") by
	// itself.
	Terminate(ctx context.Context, at integrations.Site, group, id string) error
}

// Hosts runs scripts on instances. A script may run twice.
type Hosts interface {
	Start(ctx context.Context, at integrations.Site, id, script string, limit time.Duration) (command string, err error)
	Result(ctx context.Context, at integrations.Site, id, command string) (integrations.CommandResult, error)
}

// Cloud is all of it.
type Cloud interface {
	Viewer
	Mover
	Ender
	Hosts
}

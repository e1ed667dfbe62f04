package birth

import (
	"context"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// What a fleet is asked and told. An error of type *integrations.Later says that it
// is to be tried again; of type *integrations.Gone, that there is no such thing; any
// other, that it was refused. A change may have worked although it returned an error:
// whoever calls looks before trying again.

// Viewer reads.
type Viewer interface {
	// Instances are those of all sites with one of the roles, without terminated ones.
	Instances(ctx context.Context, roles ...string) ([]integrations.Instance, error)
	// Machine reads one with its group and its pools.
	Machine(ctx context.Context, at integrations.Site, id string) (integrations.Machine, error)
	// Group reads a group.
	Group(ctx context.Context, at integrations.Site, name string) (integrations.ScalingGroup, error)
}

// Changer marks an instance, has it wait at the launch hook of its group, and lets it in.
type Changer interface {
	Tag(ctx context.Context, at integrations.Site, id string, set map[string]string, unset []string) error
	// KeepWaiting begins the time of the hook anew.
	KeepWaiting(ctx context.Context, at integrations.Site, group, hook, id string) error
	LetIn(ctx context.Context, at integrations.Site, group, hook, id string) error
}

// Ender ends an instance that waits at a launch hook, for good.
type Ender interface {
	Abandon(ctx context.Context, at integrations.Site, group, hook, id string) error
}

// Hosts runs scripts on instances. A script may run twice.
type Hosts interface {
	Start(ctx context.Context, at integrations.Site, id, script string, limit time.Duration) (command string, err error)
	Result(ctx context.Context, at integrations.Site, id, command string) (integrations.CommandResult, error)
}

// Cloud is all of it.
type Cloud interface {
	Viewer
	Changer
	Ender
	Hosts
}

// Monitor is what watches instances, and calls people. Its errors are those of Cloud.
type Monitor interface {
	// HostByInstance finds the host of an instance; *integrations.Gone says that it has
	// none.
	HostByInstance(ctx context.Context, instanceID string) (integrations.MonitoredHost, error)
	SetStatus(ctx context.Context, hostID, status string) error
}

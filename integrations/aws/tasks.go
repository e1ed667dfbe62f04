package aws

import (
	"context"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// TaskHost is an instance as a cluster of ECS sees it, with the tasks that are not over;
// integrations.AnyCluster looks in all. One that the cluster does not know is nil. That
// the cluster is not there is a refusal, for nobody can tell then what runs on it.
func (f *Fleet) TaskHost(ctx context.Context, at integrations.Site, cluster, instance string) (*integrations.TaskHost, error) {
	s, err := f.one(at)
	if err != nil {
		return nil, err
	}
	h, err := s.tasks.Host(ctx, cluster, instance)
	if err != nil {
		return nil, part(ctx, "read the tasks of", instance, err)
	}
	return h, nil
}

// DrainTasks has the tasks of services moved away from a container instance, and lets
// no new ones in. ECS stops none that is of no service, and none that its service can
// not spare; it does not wait for any.
func (f *Fleet) DrainTasks(ctx context.Context, at integrations.Site, cluster, host string) error {
	return f.change(ctx, at, "move tasks from", host+" of "+cluster, func(s *site) error {
		return s.empty.SetState(ctx, cluster, host, integrations.TaskHostDraining)
	})
}

// ActivateTasks lets tasks run on it again.
func (f *Fleet) ActivateTasks(ctx context.Context, at integrations.Site, cluster, host string) error {
	return f.change(ctx, at, "let tasks run on", host+" of "+cluster, func(s *site) error {
		return s.empty.SetState(ctx, cluster, host, integrations.TaskHostActive)
	})
}

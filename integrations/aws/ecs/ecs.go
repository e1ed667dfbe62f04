// Package ecs speaks to Amazon ECS for package aws: it finds the container instance
// that an EC2 instance is and reads its tasks, and it lets tasks be moved away from it,
// each with a type of its own. Errors are the SDK's, but for what an answer itself
// says is missing.
//
// It is also an applier. Step, in the bot, plans and applies by Tool, which is our own
// binary called with Word: a process that goes on when the bot does not.
package ecs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/signalbox-chatops/signalbox/integrations"
)

const (
	// tasksAtOnce is how many tasks DescribeTasks takes.
	tasksAtOnce = 100
	// unsettled is when to look again at tasks of which ECS tells two things.
	unsettled = 5 * time.Second
	missing   = "MISSING" // why a failure names what there is not
)

// Reader reads the clusters of one site.
type Reader struct{ api *sdk.Client }

// NewReader makes one.
func NewReader(c aws.Config) *Reader { return &Reader{sdk.NewFromConfig(c)} }

// Host is the container instance that an EC2 instance is in a cluster, or in any
// (integrations.AnyCluster), with its tasks that are not over; nil if it is none there.
// One that is several is an error: a person has to tell which of them is alive.
func (r *Reader) Host(ctx context.Context, cluster, instance string) (*integrations.TaskHost, error) {
	clusters := []string{cluster}
	if cluster == integrations.AnyCluster {
		var err error
		if clusters, err = r.clusters(ctx); err != nil {
			return nil, err
		}
	}
	var found *integrations.TaskHost
	counted := 0
	for _, name := range clusters {
		hosts, err := r.find(ctx, name, instance)
		if err != nil {
			return nil, err
		}
		for _, h := range hosts {
			if found != nil {
				return nil, fmt.Errorf("it is two container instances: %s in %s and %s in %s; deregister the one that is not alive",
					found.ID, found.Cluster, last(aws.ToString(h.ContainerInstanceArn)), name)
			}
			found = &integrations.TaskHost{Cluster: name, ID: last(aws.ToString(h.ContainerInstanceArn)), Status: aws.ToString(h.Status)}
			counted = int(h.RunningTasksCount + h.PendingTasksCount)
		}
	}
	if found == nil {
		return nil, nil
	}
	var err error
	if found.Tasks, err = r.tasks(ctx, found.Cluster, found.ID); err != nil {
		return nil, err
	}
	if len(found.Tasks) == 0 && counted > 0 {
		return nil, disagrees("it counts %d tasks on %s, and lists none", counted, found.ID)
	}
	return found, nil
}

// disagrees is of an answer that another belies: ECS is eventually consistent.
func disagrees(format string, args ...any) error {
	return &integrations.Later{After: unsettled, Err: fmt.Errorf("ECS does not agree with itself: "+format, args...)}
}

// last is the end of an ARN: the name or the id.
func last(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }

// clusters are the names of all.
func (r *Reader) clusters(ctx context.Context) (out []string, err error) {
	pages := sdk.NewListClustersPaginator(r.api, &sdk.ListClustersInput{})
	for pages.HasMorePages() {
		p, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, arn := range p.ClusterArns {
			out = append(out, last(arn))
		}
	}
	return out, nil
}

// find reads the container instances of an EC2 instance. ECS leaves out those that were
// deregistered.
func (r *Reader) find(ctx context.Context, cluster, instance string) ([]types.ContainerInstance, error) {
	var arns []string
	pages := sdk.NewListContainerInstancesPaginator(r.api, &sdk.ListContainerInstancesInput{Cluster: &cluster, Filter: aws.String("ec2InstanceId == " + instance)})
	for pages.HasMorePages() {
		p, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		arns = append(arns, p.ContainerInstanceArns...)
	}
	if len(arns) == 0 {
		return nil, nil
	}
	got, err := r.api.DescribeContainerInstances(ctx, &sdk.DescribeContainerInstancesInput{Cluster: &cluster, ContainerInstances: arns})
	if err != nil {
		return nil, err
	}
	if len(got.Failures) > 0 {
		return nil, disagrees("it lists what it does not know: %w", failure(got.Failures))
	}
	return slices.DeleteFunc(got.ContainerInstances, func(i types.ContainerInstance) bool { return aws.ToString(i.Ec2InstanceId) != instance }), nil
}

// tasks are those of a container instance whose last status is not STOPPED. A list is
// of tasks with one desired status: those that are being stopped are in that of STOPPED
// ones, which is asked last so that one that goes over meanwhile is in it, at least. The
// counts of a container instance miss them (aws/aws-cdk#13559).
func (r *Reader) tasks(ctx context.Context, cluster, host string) (out []integrations.Task, err error) {
	wanted := map[string]bool{} // by the ARN: it was to run when it was listed
	var arns []string
	for _, desired := range []types.DesiredStatus{types.DesiredStatusRunning, types.DesiredStatusStopped} {
		pages := sdk.NewListTasksPaginator(r.api, &sdk.ListTasksInput{Cluster: &cluster, ContainerInstance: &host, DesiredStatus: desired})
		for pages.HasMorePages() {
			p, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			for _, arn := range p.TaskArns {
				if _, twice := wanted[arn]; !twice {
					arns = append(arns, arn)
				}
				wanted[arn] = desired == types.DesiredStatusRunning
			}
		}
	}
	for some := range slices.Chunk(arns, tasksAtOnce) {
		got, err := r.api.DescribeTasks(ctx, &sdk.DescribeTasksInput{Cluster: &cluster, Tasks: some})
		if err != nil {
			return nil, err
		}
		for _, f := range got.Failures { // one that is over is forgotten after an hour
			if aws.ToString(f.Reason) != missing || wanted[aws.ToString(f.Arn)] {
				return nil, disagrees("it lists a task that it does not know: %w", failure([]types.Failure{f}))
			}
		}
		if len(got.Tasks)+len(got.Failures) < len(some) {
			return nil, disagrees("it was asked for %d tasks, and told %d", len(some), len(got.Tasks))
		}
		for _, t := range got.Tasks {
			if status := aws.ToString(t.LastStatus); status != integrations.TaskStopped {
				out = append(out, integrations.Task{ID: last(aws.ToString(t.TaskArn)), Group: aws.ToString(t.Group), Status: status, Ports: ports(t)})
			}
		}
	}
	return out, nil
}

// ports are those of its host that a task has.
func ports(t types.Task) (out []int) {
	for _, c := range t.Containers {
		for _, b := range c.NetworkBindings {
			if port := int(aws.ToInt32(b.HostPort)); port > 0 && !slices.Contains(out, port) {
				out = append(out, port)
			}
		}
	}
	slices.Sort(out)
	return out
}

// failure is what an answer says of single things that were asked for.
func failure(all []types.Failure) error {
	var errs []error
	for _, f := range all {
		said := last(aws.ToString(f.Arn)) + ": " + aws.ToString(f.Reason)
		if detail := aws.ToString(f.Detail); detail != "" {
			said += ": " + detail
		}
		errs = append(errs, errors.New(said))
	}
	return errors.Join(errs...)
}

// Mover lets tasks be moved away from container instances.
type Mover struct{ api *sdk.Client }

// NewMover makes one.
func NewMover(c aws.Config) *Mover { return &Mover{sdk.NewFromConfig(c)} }

// SetState sets the status of a container instance: integrations.TaskHostDraining has
// the tasks of services moved away and lets no new ones in, integrations.TaskHostActive
// lets them in again. ECS takes no other.
func (m *Mover) SetState(ctx context.Context, cluster, host, status string) error {
	got, err := m.api.UpdateContainerInstancesState(ctx, &sdk.UpdateContainerInstancesStateInput{
		Cluster: &cluster, ContainerInstances: []string{host}, Status: types.ContainerInstanceStatus(status),
	})
	if err != nil {
		return err
	}
	return failure(got.Failures)
}

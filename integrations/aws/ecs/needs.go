package ecs

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/signalbox-chatops/signalbox/integrations/aws/iam"
)

// Needs are the actions that this folder calls. The change takes a condition on the
// tags of the container instance, which has those of its EC2 instance only if its agent
// is told to (the service authorization reference of Amazon ECS).
var Needs = []iam.Action{
	{Name: "ecs:ListClusters", Why: "finds the cluster of an instance, where `ecs_cluster` is `*`"},
	{Name: "ecs:ListContainerInstances", Why: "finds the container instance that an instance is"},
	{Name: "ecs:DescribeContainerInstances", Why: "reads whether tasks are let in, and how many there are"},
	{Name: "ecs:ListTasks", Why: "lists the tasks that run on an instance"},
	{Name: "ecs:DescribeTasks", Why: "sees whether they have stopped"},
	{
		Name: "ecs:UpdateContainerInstancesState", Why: "moves the tasks of services away, and lets them in again", Change: true,
		On: "arn:aws:ecs:*:*:container-instance/*", Tagged: true,
	},
}

// Probes try each read.
func (r *Reader) Probes() []iam.Probe {
	cluster, nothing := aws.String("signalbox-check"), "00000000000000000000000000000000"
	return []iam.Probe{
		{Action: "ecs:ListClusters", Try: func(ctx context.Context) error {
			_, err := r.api.ListClusters(ctx, &sdk.ListClustersInput{MaxResults: aws.Int32(1)})
			return err
		}},
		{Action: "ecs:ListContainerInstances", Try: func(ctx context.Context) error {
			_, err := r.api.ListContainerInstances(ctx, &sdk.ListContainerInstancesInput{Cluster: cluster, MaxResults: aws.Int32(1)})
			return err
		}},
		{Action: "ecs:DescribeContainerInstances", Try: func(ctx context.Context) error {
			_, err := r.api.DescribeContainerInstances(ctx, &sdk.DescribeContainerInstancesInput{Cluster: cluster, ContainerInstances: []string{nothing}})
			return err
		}},
		{Action: "ecs:ListTasks", Try: func(ctx context.Context) error {
			_, err := r.api.ListTasks(ctx, &sdk.ListTasksInput{Cluster: cluster, MaxResults: aws.Int32(1)})
			return err
		}},
		{Action: "ecs:DescribeTasks", Try: func(ctx context.Context) error {
			_, err := r.api.DescribeTasks(ctx, &sdk.DescribeTasksInput{Cluster: cluster, Tasks: []string{nothing}})
			return err
		}},
	}
}

package ecs

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// The tags of what is registered. By the first it is found again; the second is for
// people.
const (
	tagRun = "signalbox:run"
	tagSHA = "signalbox:sha"
)

// input is what has to be registered to get the same task definition again: everything
// that RegisterTaskDefinition takes. What DescribeTaskDefinition tells besides, it
// refuses.
func input(d *types.TaskDefinition, tags []types.Tag) *sdk.RegisterTaskDefinitionInput {
	in := &sdk.RegisterTaskDefinitionInput{
		ContainerDefinitions:          slices.Clone(d.ContainerDefinitions),
		Cpu:                           d.Cpu,
		EnableFaultInjection:          d.EnableFaultInjection,
		EphemeralStorage:              d.EphemeralStorage,
		ExecutionRoleArn:              d.ExecutionRoleArn,
		Family:                        d.Family,
		IpcMode:                       d.IpcMode,
		Memory:                        d.Memory,
		NetworkMode:                   d.NetworkMode,
		PidMode:                       d.PidMode,
		PlacementConstraints:          d.PlacementConstraints,
		ProxyConfiguration:            d.ProxyConfiguration,
		RequiresCompatibilities:       d.RequiresCompatibilities,
		RuntimePlatform:               d.RuntimePlatform,
		Tags:                          tags,
		TaskRoleArn:                   d.TaskRoleArn,
		TrustedExecutionConfiguration: d.TrustedExecutionConfiguration,
		Volumes:                       d.Volumes,
	}
	//lint:ignore SA1019 ECS may refuse them by now; to lose them without a word would be worse
	in.InferenceAccelerators = d.InferenceAccelerators
	return in
}

// changed is that input with another image in one container, and with our tags. Tags of
// AWS's own cannot be set, and are left out.
func changed(d *types.TaskDefinition, tags []types.Tag, container, image string, ours map[string]string) *sdk.RegisterTaskDefinitionInput {
	in := input(d, slices.DeleteFunc(slices.Clone(tags), func(t types.Tag) bool {
		_, replaced := ours[aws.ToString(t.Key)]
		return replaced || strings.HasPrefix(strings.ToLower(aws.ToString(t.Key)), "aws:")
	}))
	for _, k := range slices.Sorted(maps.Keys(ours)) {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(k), Value: aws.String(ours[k])})
	}
	for n := range in.ContainerDefinitions {
		if aws.ToString(in.ContainerDefinitions[n].Name) == container {
			in.ContainerDefinitions[n].Image = aws.String(image)
		}
	}
	return in
}

// imageOf is what a container runs. The name has to be exact.
func imageOf(d *types.TaskDefinition, container string) (string, error) {
	var names []string
	for _, c := range d.ContainerDefinitions {
		if aws.ToString(c.Name) == container {
			return aws.ToString(c.Image), nil
		}
		names = append(names, aws.ToString(c.Name))
	}
	return "", fmt.Errorf("%s has no container %q; it has %s", last(aws.ToString(d.TaskDefinitionArn)), container, strings.Join(names, ", "))
}

// reaches says what is wrong with a load balancer of the service: it sends to a
// container and a port that the task definition has to have.
func reaches(s *types.Service, d *types.TaskDefinition) error {
	for _, b := range s.LoadBalancers {
		name, port := aws.ToString(b.ContainerName), aws.ToInt32(b.ContainerPort)
		if name == "" {
			continue
		}
		n := slices.IndexFunc(d.ContainerDefinitions, func(c types.ContainerDefinition) bool { return aws.ToString(c.Name) == name })
		if n < 0 {
			return fmt.Errorf("a load balancer of the service sends to the container %q, which %s does not have", name, last(aws.ToString(d.TaskDefinitionArn)))
		}
		if !slices.ContainsFunc(d.ContainerDefinitions[n].PortMappings, func(m types.PortMapping) bool { return aws.ToInt32(m.ContainerPort) == port }) {
			return fmt.Errorf("a load balancer of the service sends to port %d of the container %q, which does not map it", port, name)
		}
	}
	return nil
}

func tagged(tags []types.Tag, key, value string) bool {
	return slices.ContainsFunc(tags, func(t types.Tag) bool { return aws.ToString(t.Key) == key && aws.ToString(t.Value) == value })
}

// same says whether two inputs make the same task definition, whatever their tags. ECS
// tells of what was left out as of what is empty.
func same(a, b *sdk.RegisterTaskDefinitionInput) bool {
	x, errX := plain(a)
	y, errY := plain(b)
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}

func plain(in *sdk.RegisterTaskDefinitionInput) (any, error) {
	bare := *in
	bare.Tags = nil
	raw, err := json.Marshal(bare)
	if err != nil {
		return nil, err
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, err
	}
	return pruned(v), nil
}

// pruned leaves out what is empty.
func pruned(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if v[k] = pruned(x); v[k] == nil {
				delete(v, k)
			}
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		for n, x := range v {
			v[n] = pruned(x)
		}
		if len(v) == 0 {
			return nil
		}
	case string:
		if v == "" {
			return nil
		}
	case float64:
		if v == 0 {
			return nil
		}
	}
	return v
}

package ecs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"
)

// namesAtOnce is how many names a filter of Systems Manager takes.
const namesAtOnce = 50

// wish is a secret that a container takes from a parameter, under any of the names: an
// ARN does not tell whether one without folders begins with a slash.
type wish struct {
	of    string
	names []string
}

// secrets says which parameters are not there that containers take their secrets from:
// ECS reads them when it starts a task, which then fails. Only their names are asked
// for, never a value. note is said where it may not be looked.
func (t *Tool) secrets(ctx context.Context, d *types.TaskDefinition) (note string, _ error) {
	wishes := wishesOf(d, t.q.Region)
	var names []string
	for _, w := range wishes {
		for _, n := range w.names {
			if !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	there := map[string]bool{}
	for some := range slices.Chunk(names, namesAtOnce) {
		pages := ssm.NewDescribeParametersPaginator(t.parameters, &ssm.DescribeParametersInput{
			MaxResults: aws.Int32(namesAtOnce), ParameterFilters: []ssmtypes.ParameterStringFilter{{Key: aws.String("Name"), Option: aws.String("Equals"), Values: some}},
		})
		for pages.HasMorePages() {
			p, err := pages.NextPage(ctx)
			var refused smithy.APIError
			if errors.As(err, &refused) && strings.HasPrefix(refused.ErrorCode(), "AccessDenied") {
				return "Whether the parameters are there that the containers take their secrets from was not looked at: ssm:DescribeParameters is not allowed.", nil
			}
			if err != nil {
				return "", t.explain(ctx, "look for the parameters of", t.name(), err)
			}
			for _, one := range p.Parameters {
				there[aws.ToString(one.Name)] = true
			}
		}
	}
	var lacks []string
	for _, w := range wishes {
		if !slices.ContainsFunc(w.names, func(n string) bool { return there[n] }) {
			lacks = append(lacks, fmt.Sprintf("%s from %s", w.of, w.names[0]))
		}
	}
	if len(lacks) > 0 {
		return "", fmt.Errorf("tasks of %s could not start: there is no parameter for %s", last(aws.ToString(d.TaskDefinitionArn)), strings.Join(lacks, ", "))
	}
	return "", nil
}

// wishesOf are the secrets that come from parameters of the region. Those of Secrets
// Manager, and of other regions, are not looked for.
func wishesOf(d *types.TaskDefinition, region string) (out []wish) {
	for _, c := range d.ContainerDefinitions {
		for _, s := range c.Secrets {
			from := aws.ToString(s.ValueFrom)
			w := wish{of: aws.ToString(c.Name) + "'s " + aws.ToString(s.Name)}
			parts := strings.SplitN(from, ":", 6)
			switch {
			case !strings.HasPrefix(from, "arn:"):
				name, _, _ := strings.Cut(from, ":") // a version, or a label, may follow
				w.names = []string{name}
			case len(parts) < 6 || parts[2] != "ssm" || parts[3] != region:
				continue
			default:
				name, _, _ := strings.Cut(strings.TrimPrefix(parts[5], "parameter/"), ":")
				w.names = []string{"/" + name}
				if !strings.Contains(name, "/") {
					w.names = []string{name, "/" + name}
				}
			}
			out = append(out, w)
		}
	}
	return out
}

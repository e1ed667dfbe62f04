package awssim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const registryURL = "123456789012.dkr.ecr.ap-northeast-1.amazonaws.com/"

// pier is a bench with a service that runs on Fargate, and a registry.
type pier struct {
	*bench
	ecs *ecs.Client
	ecr *ecr.Client
}

func newPier(t *testing.T, sv Service) *pier {
	t.Helper()
	sv.Name, sv.Container = "shop", "app"
	b := newBench(t, Fleet{In: []Estate{{
		Clusters:     []Cluster{{Name: "web", Fargate: true, Services: []Service{sv}}},
		Repositories: []Repository{{Name: "shop", Tags: []string{"1", "2"}, Builds: time.Minute}},
	}}}, nil)
	return &pier{b, ecs.NewFromConfig(b.config(DemoKey, "", region)), ecr.NewFromConfig(b.config(DemoKey, "", region))}
}

func (p *pier) service() types.Service {
	p.Helper()
	got := ok[*ecs.DescribeServicesOutput](p.bench)(p.ecs.DescribeServices(p.ctx, &ecs.DescribeServicesInput{Cluster: aws.String("web"), Services: []string{"shop"}}))
	return got.Services[0]
}

// shown is the deployments of the service, the wanted one first.
func (p *pier) shown() string {
	p.Helper()
	var out []string
	for _, d := range p.service().Deployments {
		name := aws.ToString(d.TaskDefinition)
		out = append(out, fmt.Sprintf("%s %s %s %d+%d-%d", name[strings.LastIndex(name, "/")+1:], aws.ToString(d.Status), d.RolloutState, d.RunningCount, d.PendingCount, d.FailedTasks))
	}
	return strings.Join(out, ", ")
}

func (p *pier) register(image string) string {
	p.Helper()
	got := ok[*ecs.RegisterTaskDefinitionOutput](p.bench)(p.ecs.RegisterTaskDefinition(p.ctx, &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("shop"), ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("app"), Image: aws.String(image)}},
		Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}},
	}))
	return aws.ToString(got.TaskDefinition.TaskDefinitionArn)
}

func (p *pier) update(definition string) {
	p.Helper()
	ok[*ecs.UpdateServiceOutput](p.bench)(p.ecs.UpdateService(p.ctx, &ecs.UpdateServiceInput{Cluster: aws.String("web"), Service: aws.String("shop"), TaskDefinition: &definition}))
}

func (p *pier) goes(story ...string) {
	p.Helper()
	for n, line := range story {
		after, want, _ := strings.Cut(line, ": ")
		pass, err := time.ParseDuration(after)
		p.must(err)
		p.clock.pass(pass)
		equal(p.bench, fmt.Sprint("look ", n), p.shown(), want)
	}
}

// New tasks run before old ones go, and the deployment is completed a moment after all
// that is wanted runs.
func TestADeploymentRolls(t *testing.T) {
	p := newPier(t, Service{Tasks: 2, MaxPercent: 150, Breaker: BreakerRollback})
	p.goes("0s: shop:1 PRIMARY COMPLETED 2+0-0")
	p.update(p.register(registryURL + "shop:2"))
	p.goes(
		"0s: shop:2 PRIMARY IN_PROGRESS 0+0-0, shop:1 ACTIVE COMPLETED 2+0-0",
		"5s: shop:2 PRIMARY IN_PROGRESS 0+1-0, shop:1 ACTIVE COMPLETED 2+0-0",
		"5s: shop:2 PRIMARY IN_PROGRESS 1+0-0, shop:1 ACTIVE COMPLETED 2+0-0",
		"5s: shop:2 PRIMARY IN_PROGRESS 1+1-0, shop:1 ACTIVE COMPLETED 1+0-0",
		"5s: shop:2 PRIMARY IN_PROGRESS 2+0-0, shop:1 ACTIVE COMPLETED 1+0-0",
		"5s: shop:2 PRIMARY IN_PROGRESS 2+0-0, shop:1 ACTIVE COMPLETED 0+0-0",
		"19s: shop:2 PRIMARY IN_PROGRESS 2+0-0",
		"1s: shop:2 PRIMARY COMPLETED 2+0-0",
	)
	s := p.service()
	if s.RunningCount != 2 || !strings.Contains(aws.ToString(s.Deployments[0].RolloutStateReason), "completed") || !strings.Contains(aws.ToString(s.Events[0].Message), "steady state") {
		t.Errorf("it came to %+v", s)
	}
	p.update("shop:2") // the same again is nothing
	p.goes("0s: shop:2 PRIMARY COMPLETED 2+0-0")
}

func TestTheCircuitBreakerOpens(t *testing.T) {
	for breaker, want := range map[string]string{
		BreakerRollback: "shop:1 PRIMARY COMPLETED 2+0-0", BreakerStop: "shop:2 PRIMARY FAILED 0+0-4, shop:1 ACTIVE COMPLETED 2+0-0", "": "shop:2 PRIMARY IN_PROGRESS 0+0-12, shop:1 ACTIVE COMPLETED 2+0-0",
	} {
		p := newPier(t, Service{Tasks: 2, Breaker: breaker})
		p.must(p.sim.BreakService("shop", ""))
		p.update(p.register(registryURL + "shop:2"))
		p.clock.pass(20 * time.Second)
		if breaker == BreakerRollback {
			equal(p.bench, "at the third failure", p.shown(), "shop:1 PRIMARY IN_PROGRESS 0+0-0, shop:2 ACTIVE FAILED 0+0-4, shop:1 ACTIVE COMPLETED 2+0-0")
			d := p.service().Deployments
			if !strings.Contains(aws.ToString(d[0].RolloutStateReason), "rolling back to deploymentId") || !strings.Contains(aws.ToString(d[1].RolloutStateReason), "tasks failed to start") {
				t.Errorf("it says %+v", d)
			}
		}
		p.clock.pass(40 * time.Second)
		p.clock.pass(30 * time.Second * time.Duration(len(breaker)) / 8)
		equal(p.bench, "with the breaker "+breaker, p.shown(), want)
		got := ok[*ecs.ListTasksOutput](p.bench)(p.ecs.ListTasks(p.ctx, &ecs.ListTasksInput{Cluster: aws.String("web"), ServiceName: aws.String("shop"), DesiredStatus: types.DesiredStatusStopped}))
		tasks := ok[*ecs.DescribeTasksOutput](p.bench)(p.ecs.DescribeTasks(p.ctx, &ecs.DescribeTasksInput{Cluster: aws.String("web"), Tasks: got.TaskArns})).Tasks
		n := slices.IndexFunc(tasks, func(t types.Task) bool { return strings.HasSuffix(aws.ToString(t.TaskDefinitionArn), "/shop:2") })
		if n < 0 {
			t.Fatalf("no task of shop:2 has ended: %+v", tasks)
		}
		told := tasks[n]
		if aws.ToString(told.StoppedReason) != ExitText || aws.ToInt32(told.Containers[0].ExitCode) != 1 || told.ContainerInstanceArn != nil {
			t.Errorf("a task says %+v", told)
		}
	}
}

func TestAnImageThatIsNotThereIsNotRun(t *testing.T) {
	p := newPier(t, Service{Tasks: 1, Breaker: BreakerRollback})
	p.update(p.register(registryURL + "shop:none"))
	p.clock.pass(12 * time.Second)
	got := ok[*ecs.ListTasksOutput](p.bench)(p.ecs.ListTasks(p.ctx, &ecs.ListTasksInput{Cluster: aws.String("web"), ServiceName: aws.String("shop"), DesiredStatus: types.DesiredStatusStopped}))
	told := ok[*ecs.DescribeTasksOutput](p.bench)(p.ecs.DescribeTasks(p.ctx, &ecs.DescribeTasksInput{Cluster: aws.String("web"), Tasks: got.TaskArns})).Tasks[0]
	if !strings.HasPrefix(aws.ToString(told.StoppedReason), "CannotPullContainerError") || told.Containers[0].ExitCode != nil {
		t.Errorf("it says %+v", told)
	}
}

func TestDefinitions(t *testing.T) {
	p := newPier(t, Service{Tasks: 1})
	arn := p.register("nginx:1")
	got := ok[*ecs.DescribeTaskDefinitionOutput](p.bench)(p.ecs.DescribeTaskDefinition(p.ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String("shop"), Include: []types.TaskDefinitionField{types.TaskDefinitionFieldTags}}))
	if d := got.TaskDefinition; aws.ToString(d.TaskDefinitionArn) != arn || d.Revision != 2 || d.Status != "ACTIVE" || len(got.Tags) != 1 || aws.ToString(d.ContainerDefinitions[0].Image) != "nginx:1" || len(d.RequiresAttributes) == 0 {
		t.Errorf("it says %+v", got)
	}
	bare := ok[*ecs.DescribeTaskDefinitionOutput](p.bench)(p.ecs.DescribeTaskDefinition(p.ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String("shop:1")}))
	if len(bare.Tags) != 0 {
		t.Error("tags are told that were not asked for")
	}
	listed := ok[*ecs.ListTaskDefinitionsOutput](p.bench)(p.ecs.ListTaskDefinitions(p.ctx, &ecs.ListTaskDefinitionsInput{FamilyPrefix: aws.String("shop"), Sort: types.SortOrderDesc}))
	if len(listed.TaskDefinitionArns) != 2 || listed.TaskDefinitionArns[0] != arn {
		t.Errorf("listed are %q", listed.TaskDefinitionArns)
	}
	p.must(p.sim.Deregister("shop:2"))
	_, err := p.ecs.UpdateService(p.ctx, &ecs.UpdateServiceInput{Cluster: aws.String("web"), Service: aws.String("shop"), TaskDefinition: &arn})
	p.refused(err, "ClientException")
	_, err = p.ecs.DescribeTaskDefinition(p.ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String("shop:7")})
	p.refused(err, "ClientException")
	for what, in := range map[string]*ecs.RegisterTaskDefinitionInput{
		"no container": {Family: aws.String("x"), ContainerDefinitions: []types.ContainerDefinition{}},
		"no image":     {Family: aws.String("x"), ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("a")}}},
		"two of a name": {Family: aws.String("x"), ContainerDefinitions: []types.ContainerDefinition{
			{Name: aws.String("a"), Image: aws.String("i")}, {Name: aws.String("a"), Image: aws.String("i")}}},
		"a family": {Family: aws.String("x y"), ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("a"), Image: aws.String("i")}}},
	} {
		if _, err := p.ecs.RegisterTaskDefinition(p.ctx, in); err == nil {
			t.Errorf("%s was taken", what)
		}
	}
	_, err = p.ecs.RegisterTaskDefinition(p.ctx, &ecs.RegisterTaskDefinitionInput{Family: aws.String("x"), ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("a"), Image: aws.String("i")}},
		Tags: []types.Tag{{Key: aws.String("aws:x"), Value: aws.String("v")}}})
	p.refused(err, badECS)
	_, err = p.ecs.UpdateService(p.ctx, &ecs.UpdateServiceInput{Cluster: aws.String("web"), Service: aws.String("none")})
	p.refused(err, "ServiceNotFoundException")
	missing := ok[*ecs.DescribeServicesOutput](p.bench)(p.ecs.DescribeServices(p.ctx, &ecs.DescribeServicesInput{Cluster: aws.String("web"), Services: []string{"none"}}))
	if len(missing.Services) != 0 || aws.ToString(missing.Failures[0].Reason) != "MISSING" {
		t.Errorf("of none it says %+v", missing)
	}
}

// An image of a commit is built when somebody asks for it.
func TestTheRegistryOfACI(t *testing.T) {
	p := newPier(t, Service{Tasks: 1})
	look := func(repository, tag string) error {
		_, err := p.ecr.DescribeImages(p.ctx, &ecr.DescribeImagesInput{RepositoryName: &repository, ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: &tag}}})
		return err
	}
	sha := strings.Repeat("a", 40)
	p.must(look("shop", "1"))
	p.refused(look("shop", sha), "ImageNotFoundException")
	p.refused(look("shop", "not-a-commit"), "ImageNotFoundException")
	p.refused(look("none", "1"), "RepositoryNotFoundException")
	p.clock.pass(time.Minute)
	p.must(look("shop", sha))
	p.refused(look("shop", "not-a-commit"), "ImageNotFoundException")
	all := ok[*ecr.DescribeImagesOutput](p.bench)(p.ecr.DescribeImages(p.ctx, &ecr.DescribeImagesInput{RepositoryName: aws.String("shop")}))
	var tags []string
	for _, i := range all.ImageDetails {
		tags = append(tags, i.ImageTags...)
	}
	if !slices.Equal(tags, []string{"1", "2", sha}) {
		t.Errorf("there are %q", tags)
	}
	_, err := p.ecr.DescribeImages(p.ctx, &ecr.DescribeImagesInput{RepositoryName: aws.String("shop"), RegistryId: aws.String("999999999999")})
	p.refused(err, "RepositoryNotFoundException")
}

package awssim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const (
	hostA = "i-0aaa0000000000001"
	hostB = "i-0aaa0000000000002"
)

// dock is a bench with a cluster of two instances.
type dock struct {
	*bench
	ecs *ecs.Client
}

func newDock(t *testing.T, c Cluster) *dock {
	t.Helper()
	c.Name = "web"
	if c.Instances == nil && c.Groups == nil {
		c.Instances = []string{hostA, hostB}
	}
	b := newBench(t, Fleet{In: []Estate{{
		Instances: []Instance{{ID: hostA, Name: "a", Role: "app"}, {ID: hostB, Name: "b", Role: "app"}},
		Groups:    []Group{{Name: "pool", Min: 0, Max: 4, Desired: 1, Model: Instance{Role: "app"}}},
		Clusters:  []Cluster{c, {Name: "empty"}},
	}}}, nil)
	return &dock{b, ecs.NewFromConfig(b.config(DemoKey, "", region))}
}

// host is the ARN of the container instance that an instance is; "" if it is none.
func (d *dock) host(instance string) string {
	d.Helper()
	got := ok[*ecs.ListContainerInstancesOutput](d.bench)(d.ecs.ListContainerInstances(d.ctx,
		&ecs.ListContainerInstancesInput{Cluster: aws.String("web"), Filter: aws.String("ec2InstanceId == " + instance)}))
	return strings.Join(got.ContainerInstanceArns, " ")
}

func (d *dock) set(instance string, status types.ContainerInstanceStatus) {
	d.Helper()
	got := ok[*ecs.UpdateContainerInstancesStateOutput](d.bench)(d.ecs.UpdateContainerInstancesState(d.ctx,
		&ecs.UpdateContainerInstancesStateInput{Cluster: aws.String("web"), ContainerInstances: []string{d.host(instance)}, Status: status}))
	if len(got.Failures) > 0 || aws.ToString(got.ContainerInstances[0].Status) != string(status) {
		d.Fatalf("got %+v", got)
	}
}

// tasks are those on an instance, by group and last status, with what the container
// instance counts.
func (d *dock) tasks(instance string) string {
	d.Helper()
	host := d.host(instance)
	var arns []string
	for _, desired := range []types.DesiredStatus{types.DesiredStatusRunning, types.DesiredStatusStopped} {
		got := ok[*ecs.ListTasksOutput](d.bench)(d.ecs.ListTasks(d.ctx, &ecs.ListTasksInput{Cluster: aws.String("web"), ContainerInstance: &host, DesiredStatus: desired}))
		arns = append(arns, got.TaskArns...)
	}
	count := map[string]int{}
	if len(arns) > 0 {
		got := ok[*ecs.DescribeTasksOutput](d.bench)(d.ecs.DescribeTasks(d.ctx, &ecs.DescribeTasksInput{Cluster: aws.String("web"), Tasks: arns}))
		for _, t := range got.Tasks {
			count[aws.ToString(t.Group)+" "+aws.ToString(t.LastStatus)]++
			if aws.ToString(t.ContainerInstanceArn) != host {
				d.Errorf("it is on %s", aws.ToString(t.ContainerInstanceArn))
			}
		}
	}
	var out []string
	for what, n := range count {
		out = append(out, fmt.Sprint(n, " ", what))
	}
	slices.Sort(out)
	shown := ok[*ecs.DescribeContainerInstancesOutput](d.bench)(d.ecs.DescribeContainerInstances(d.ctx,
		&ecs.DescribeContainerInstancesInput{Cluster: aws.String("web"), ContainerInstances: []string{host}})).ContainerInstances[0]
	return fmt.Sprintf("%s; counts %d", strings.Join(out, ", "), shown.RunningTasksCount+shown.PendingTasksCount)
}

// follows looks at the tasks of an instance as time passes.
func (d *dock) follows(instance string, story ...string) {
	d.Helper()
	for n, line := range story {
		after, want, _ := strings.Cut(line, ": ")
		pass, err := time.ParseDuration(after)
		d.must(err)
		d.clock.pass(pass)
		equal(d.bench, fmt.Sprint("look ", n), d.tasks(instance), want)
	}
}

// What a service can spare is stopped at once; the counts miss what is being stopped.
func TestTasksOfAServiceLeave(t *testing.T) {
	d := newDock(t, Cluster{Services: []Service{{Name: "app", Tasks: 4, MinHealthyPercent: 50}}})
	d.set(hostA, types.ContainerInstanceStatusDraining)
	d.follows(hostA,
		"0s: 2 service:app RUNNING; counts 2",
		"5s: 2 service:app DEACTIVATING; counts 0",
		"5s: 2 service:app STOPPING; counts 0",
		"10s: 2 service:app STOPPED; counts 0",
		"1h: ; counts 0",
	)
	equal(d.bench, "elsewhere", d.tasks(hostB), "4 service:app RUNNING; counts 4")
}

// Where all of them have to run, each is replaced elsewhere first.
func TestTasksAreReplacedFirst(t *testing.T) {
	d := newDock(t, Cluster{Services: []Service{{Name: "app", Tasks: 2}}})
	d.set(hostA, types.ContainerInstanceStatusDraining)
	d.follows(hostA, "5s: 1 service:app RUNNING; counts 1")
	equal(d.bench, "elsewhere", d.tasks(hostB), "1 service:app PENDING, 1 service:app RUNNING; counts 2")
	d.follows(hostA, "5s: 1 service:app RUNNING; counts 1", "5s: 1 service:app DEACTIVATING; counts 0", "15s: 1 service:app STOPPED; counts 0")
	equal(d.bench, "elsewhere", d.tasks(hostB), "2 service:app RUNNING; counts 2")
}

// Without room elsewhere nothing moves, for as long as it is so.
func TestTasksThatCannotBeSparedStay(t *testing.T) {
	d := newDock(t, Cluster{Room: 1, Services: []Service{{Name: "app", Tasks: 2}}})
	d.set(hostA, types.ContainerInstanceStatusDraining)
	d.follows(hostA, "48h: 1 service:app RUNNING; counts 1")
	d.must(d.sim.SetRoom("web", 2))
	d.follows(hostA, "1m: 1 service:app STOPPED; counts 0")
}

// Nobody stops a task of no service, and an agent that is not heard of stops none.
func TestTasksThatNobodyStops(t *testing.T) {
	d := newDock(t, Cluster{Alone: []string{hostA}, Services: []Service{{Name: "app", Tasks: 2}}})
	d.must(d.sim.SetHost(hostA, func(h *Host) { h.Unreachable = true }))
	d.set(hostA, types.ContainerInstanceStatusDraining)
	d.follows(hostA, "1h: 1 family:batch RUNNING, 1 service:app DEACTIVATING; counts 1")
	d.must(d.sim.SetHost(hostA, func(h *Host) { h.Unreachable = false }))
	d.follows(hostA, "1m: 1 family:batch RUNNING, 1 service:app STOPPED; counts 1")
	host := d.host(hostA)
	got := ok[*ecs.ListTasksOutput](d.bench)(d.ecs.ListTasks(d.ctx, &ecs.ListTasksInput{Cluster: aws.String("web"), ContainerInstance: &host}))
	id := got.TaskArns[0][strings.LastIndex(got.TaskArns[0], "/")+1:]
	d.must(d.sim.StopTask(id))
	d.follows(hostA, "1m: 1 family:batch STOPPED, 1 service:app STOPPED; counts 0")
	if d.sim.StopTask("nope") == nil || d.sim.SetRoom("nope", 1) == nil {
		t.Error("what there is not was changed")
	}
}

// One that lets tasks in again gets them when a service needs room.
func TestActiveAgain(t *testing.T) {
	d := newDock(t, Cluster{Services: []Service{{Name: "app", Tasks: 2}}})
	d.set(hostA, types.ContainerInstanceStatusDraining)
	d.clock.pass(2 * time.Hour)
	equal(d.bench, "drained", d.tasks(hostA), "; counts 0")
	d.set(hostA, types.ContainerInstanceStatusActive)
	d.set(hostB, types.ContainerInstanceStatusDraining)
	d.follows(hostA, "1m: 2 service:app RUNNING; counts 2")
}

// A drain that is taken back leaves more tasks than are wanted, and the newest go.
func TestTakenBackAtOnce(t *testing.T) {
	d := newDock(t, Cluster{Services: []Service{{Name: "app", Tasks: 2}}})
	d.set(hostA, types.ContainerInstanceStatusDraining)
	d.clock.pass(ScheduleTime + StartTaskTime)
	d.set(hostA, types.ContainerInstanceStatusActive)
	d.follows(hostA, "1m: 1 service:app RUNNING; counts 1")
	equal(d.bench, "elsewhere", d.tasks(hostB), "1 service:app RUNNING, 1 service:app STOPPED; counts 1")
}

// A member of a group is a container instance when its agent has started, and none when
// it is terminated.
func TestMembersOfAGroupRegister(t *testing.T) {
	d := newDock(t, Cluster{Groups: []string{"pool"}, Services: []Service{{Name: "app", Tasks: 1}}})
	first := d.id("pool-1")
	equal(d.bench, "at first", d.tasks(first), "1 service:app RUNNING; counts 1")
	was := d.host(first)
	d.must(d.terminate("pool-1", false))
	d.clock.pass(5 * time.Minute)
	equal(d.bench, "it is a container instance", d.host(first), "")
	equal(d.bench, "its successor", d.tasks(d.id("pool-2")), "1 service:app RUNNING; counts 1")
	got := ok[*ecs.UpdateContainerInstancesStateOutput](d.bench)(d.ecs.UpdateContainerInstancesState(d.ctx,
		&ecs.UpdateContainerInstancesStateInput{Cluster: aws.String("web"), ContainerInstances: []string{was, "nope"}, Status: types.ContainerInstanceStatusActive}))
	equal(d.bench, "failures", len(got.Failures), 2)
	equal(d.bench, "the first", aws.ToString(got.Failures[0].Reason), "MISSING")
	equal(d.bench, "the second", aws.ToString(got.Failures[1].Reason), "INACTIVE")
	d.must(d.sim.Vanish(d.id("pool-2")))
	d.clock.pass(5 * time.Minute)
	equal(d.bench, "its successor", d.tasks(d.id("pool-3")), "1 service:app RUNNING; counts 1")
}

func TestListsOfECSComeInPages(t *testing.T) {
	d := newDock(t, Cluster{Room: 200, Services: []Service{{Name: "app", Tasks: 250}}})
	seen := map[string]bool{}
	pages := ecs.NewListTasksPaginator(d.ecs, &ecs.ListTasksInput{Cluster: aws.String("web")})
	n := 0
	for ; pages.HasMorePages(); n++ {
		for _, arn := range ok[*ecs.ListTasksOutput](d.bench)(pages.NextPage(d.ctx)).TaskArns {
			seen[arn] = true
		}
	}
	equal(d.bench, "pages", n, 3)
	equal(d.bench, "tasks", len(seen), 250)
	first := ok[*ecs.ListClustersOutput](d.bench)(d.ecs.ListClusters(d.ctx, &ecs.ListClustersInput{MaxResults: aws.Int32(1)}))
	rest := ok[*ecs.ListClustersOutput](d.bench)(d.ecs.ListClusters(d.ctx, &ecs.ListClustersInput{NextToken: first.NextToken}))
	equal(d.bench, "clusters", first.ClusterArns[0]+" "+rest.ClusterArns[0], "arn:aws:ecs:ap-northeast-1:123456789012:cluster/web arn:aws:ecs:ap-northeast-1:123456789012:cluster/empty")
}

func TestWhatECSRefuses(t *testing.T) {
	d := newDock(t, Cluster{})
	web, host := aws.String("web"), d.host(hostA)
	list := func(change func(in *ecs.ListContainerInstancesInput)) error {
		in := &ecs.ListContainerInstancesInput{Cluster: web}
		change(in)
		return errOf(d.ecs.ListContainerInstances(d.ctx, in))
	}
	update := func(cluster *string, status types.ContainerInstanceStatus, hosts ...string) error {
		return errOf(d.ecs.UpdateContainerInstancesState(d.ctx, &ecs.UpdateContainerInstancesStateInput{Cluster: cluster, ContainerInstances: hosts, Status: status}))
	}
	for code, errs := range map[string][]error{
		"ClusterNotFoundException": {
			list(func(in *ecs.ListContainerInstancesInput) { in.Cluster = nil }), // the default one
			errOf(d.ecs.ListTasks(d.ctx, &ecs.ListTasksInput{Cluster: aws.String("nope")})),
			errOf(d.ecs.DescribeTasks(d.ctx, &ecs.DescribeTasksInput{Cluster: aws.String("nope"), Tasks: []string{"x"}})),
			update(aws.String("nope"), "DRAINING", host),
		},
		badECS: {
			list(func(in *ecs.ListContainerInstancesInput) { in.Filter = aws.String("ec2InstanceId == web-1") }),
			list(func(in *ecs.ListContainerInstancesInput) { in.Status = "GONE" }),
			list(func(in *ecs.ListContainerInstancesInput) { in.MaxResults = aws.Int32(101) }),
			list(func(in *ecs.ListContainerInstancesInput) { in.NextToken = aws.String("x") }),
			update(web, "REGISTERING", host), update(web, "ACTIVE", make([]string, 11)...),
			errOf(d.ecs.ListTasks(d.ctx, &ecs.ListTasksInput{Cluster: web, ContainerInstance: aws.String("nope")})),
			errOf(d.ecs.ListTasks(d.ctx, &ecs.ListTasksInput{Cluster: web, DesiredStatus: "GONE"})),
			errOf(d.ecs.DescribeTasks(d.ctx, &ecs.DescribeTasksInput{Cluster: web, Tasks: make([]string, 101)})),
		},
		unsimulated: {
			list(func(in *ecs.ListContainerInstancesInput) { in.Filter = aws.String("agentConnected == true") }),
			errOf(d.ecs.ListTasks(d.ctx, &ecs.ListTasksInput{Cluster: web, Family: aws.String("x")})),
		},
		"UnknownOperationException": {errOf(d.ecs.StopTask(d.ctx, &ecs.StopTaskInput{Task: aws.String("x")}))},
	} {
		for _, err := range errs {
			d.refused(err, code)
		}
	}
	d.must(list(func(in *ecs.ListContainerInstancesInput) {
		in.Cluster = aws.String(d.sim.world.Sites[0].arn("ecs", "cluster/web"))
	}))
	d.must(update(web, "ACTIVE", host))
}

func TestECSMisbehaves(t *testing.T) {
	d := newDock(t, Cluster{Services: []Service{{Name: "app", Tasks: 4, MinHealthyPercent: 50}}})
	update := func() error {
		return errOf(d.ecs.UpdateContainerInstancesState(d.ctx, &ecs.UpdateContainerInstancesStateInput{Cluster: aws.String("web"), ContainerInstances: []string{d.host(hostA)}, Status: "DRAINING"}))
	}
	d.must(d.sim.Fault(Fault{Kind: "throttle", Service: "ecs", Action: "UpdateContainerInstancesState", ID: "web"}))
	d.refused(update(), "ThrottlingException")
	d.must(d.sim.Fault(Fault{Kind: "reset", Service: "ecs", Action: "UpdateContainerInstancesState"}))
	d.unanswered(update())
	d.follows(hostA, "1m: 2 service:app RUNNING; counts 2")
	d.must(d.sim.Fault(Fault{Kind: "lost", Service: "ecs", Action: "UpdateContainerInstancesState"}))
	d.unanswered(update())
	d.follows(hostA, "5s: 2 service:app DEACTIVATING; counts 0")
}

// A cluster of what there is not is a mistake of the fleet.
func TestAClusterOfNothing(t *testing.T) {
	for _, c := range []Cluster{
		{Instances: []string{"i-1"}}, {Groups: []string{"none"}}, {Services: []Service{{Name: "app", Tasks: 1}}}, {Alone: []string{"i-1"}},
	} {
		if _, err := New(Config{Fleet: Fleet{In: []Estate{{Clusters: []Cluster{c}}}}}); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}

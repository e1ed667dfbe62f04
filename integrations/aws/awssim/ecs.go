package awssim

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
	"time"
)

func ecsOps() []op {
	return []op{
		{service: ecsService, action: "ListClusters", takes: split("maxResults nextToken"), do: listClusters},
		{service: ecsService, action: "ListContainerInstances", takes: split("cluster filter maxResults nextToken status"), do: listHosts},
		{
			service: ecsService, action: "DescribeContainerInstances", needs: split("containerInstances"), do: describeHosts,
			takes: split("cluster containerInstances.#"), knows: split("include.#"),
		},
		{
			service: ecsService, action: "UpdateContainerInstancesState", change: true, needs: split("containerInstances status"), do: updateHosts,
			takes: split("cluster containerInstances.# status"),
		},
		{
			service: ecsService, action: "ListTasks", do: listTasks,
			takes: split("cluster containerInstance desiredStatus maxResults nextToken serviceName"), knows: split("daemonName family launchType startedBy"),
		},
		{
			service: ecsService, action: "DescribeTasks", needs: split("tasks"), do: describeTasks,
			takes: split("cluster tasks.#"), knows: split("include.#"),
		},
		{
			service: ecsService, action: "DescribeServices", needs: split("services"), do: describeServices,
			takes: split("cluster services.# include.#"),
		},
		{
			service: ecsService, action: "UpdateService", change: true, needs: split("service"), do: updateService,
			takes: split("cluster service taskDefinition desiredCount forceNewDeployment"),
			knows: split("availabilityZoneRebalancing capacityProviderStrategy.** deploymentConfiguration.** deploymentController.** enableECSManagedTags enableExecuteCommand gatewayConnectors.** " +
				"healthCheckGracePeriodSeconds loadBalancers.** monitoring.** networkConfiguration.** placementConstraints.** placementStrategy.** platformVersion propagateTags " +
				"serviceConnectConfiguration.** serviceRegistries.** volumeConfigurations.** vpcLatticeConfigurations.**"),
		},
		{
			service: ecsService, action: "RegisterTaskDefinition", change: true, needs: split("family"), do: registerDefinition,
			takes: split("family containerDefinitions.** cpu enableFaultInjection ephemeralStorage.** executionRoleArn inferenceAccelerators.** ipcMode memory networkMode pidMode " +
				"placementConstraints.** proxyConfiguration.** requiresCompatibilities.# runtimePlatform.** tags.** taskRoleArn trustedExecutionConfiguration.** volumes.**"),
		},
		{
			service: ecsService, action: "DescribeTaskDefinition", needs: split("taskDefinition"), do: describeDefinition,
			takes: split("taskDefinition include.#"),
		},
		{
			service: ecsService, action: "ListTaskDefinitions", do: listDefinitions,
			takes: split("familyPrefix maxResults nextToken sort status"),
		},
	}
}

const badECS = "InvalidParameterException"

// cluster finds the one that is named, by its name or its ARN.
func (c *call) cluster() (*cluster, error) {
	name := cmp.Or(c.p["cluster"], "default")
	if short, ok := strings.CutPrefix(name, c.site.arn("ecs", "cluster/")); ok {
		name = short
	}
	if cl := c.site.cluster(name); cl != nil {
		return cl, nil
	}
	return nil, refuse("ClusterNotFoundException", "Cluster not found.")
}

// arnsOf cuts a list of ARNs into pages.
func (c *call) arnsOf(all []string, field string) (any, error) {
	some, next, err := page(c, all, "maxResults", "nextToken", badECS, 100, 1, 100)
	if err != nil {
		return nil, err
	}
	out := map[string]any{field: append([]string{}, some...)}
	if next != "" {
		out["nextToken"] = next
	}
	return out, nil
}

func listClusters(c *call) (any, error) {
	var all []string
	for _, cl := range c.site.Clusters {
		all = append(all, c.site.arn("ecs", "cluster/"+cl.Name))
	}
	return c.arnsOf(all, "clusterArns")
}

func (s *site) hostARN(cl *cluster, h *taskHost) string {
	return s.arn("ecs", "container-instance/"+cl.Name+"/"+h.ID)
}

func (s *site) taskARN(cl *cluster, t *task) string {
	return s.arn("ecs", "task/"+cl.Name+"/"+t.ID)
}

// idOf takes an id out of an ARN of that kind in a cluster; an id is left as it is.
func (c *call) idOf(kind string, cl *cluster, named string) string {
	return strings.TrimPrefix(named, c.site.arn("ecs", kind+"/"+cl.Name+"/"))
}

var (
	hostStatuses = map[string]bool{"ACTIVE": true, "DRAINING": true, "REGISTERING": true, "DEREGISTERING": true, "REGISTRATION_FAILED": true}
	// hostFilter is as much of the cluster query language as is known here.
	hostFilter = regexp.MustCompile(`^ec2InstanceId *== *(\S+)$`)
)

func listHosts(c *call) (any, error) {
	cl, err := c.cluster()
	if err != nil {
		return nil, err
	}
	status, filter := c.p["status"], c.p["filter"]
	if status != "" && !hostStatuses[status] {
		return nil, refuse(badECS, "The status %s is not valid", status)
	}
	m := hostFilter.FindStringSubmatch(filter)
	switch {
	case filter == "":
	case m == nil:
		return nil, refuse(unsimulated, "the filter %s", filter)
	case !instanceID.MatchString(m[1]):
		return nil, refuse(badECS, "Invalid filter: %s", filter)
	}
	var all []string
	for _, h := range cl.Hosts {
		if h.Status != inactive && (status == "" || h.Status == status) && (m == nil || h.Instance == m[1]) {
			all = append(all, c.site.hostARN(cl, h))
		}
	}
	return c.arnsOf(all, "containerInstanceArns")
}

type ecsFailure struct {
	ARN    string `json:"arn"`
	Reason string `json:"reason"`
}

type ecsHost struct {
	ARN      string  `json:"containerInstanceArn"`
	Instance string  `json:"ec2InstanceId"`
	Status   string  `json:"status"`
	Agent    bool    `json:"agentConnected"`
	Running  int     `json:"runningTasksCount"`
	Pending  int     `json:"pendingTasksCount"`
	Since    float64 `json:"registeredAt"`
	Version  int     `json:"version"`
}

func (c *call) showHost(cl *cluster, h *taskHost) ecsHost {
	out := ecsHost{ARN: c.site.hostARN(cl, h), Instance: h.Instance, Status: h.Status, Since: epoch(h.Since), Version: 1}
	if i := c.site.instance(h.Instance); i != nil && h.Status != inactive {
		out.Agent = !i.Host.Unreachable && i.Ending.IsZero()
	}
	for _, t := range cl.Tasks {
		switch { // those that are being stopped are in neither
		case t.Host != h.ID:
		case t.Status == taskRunning:
			out.Running++
		case t.Status == taskPending:
			out.Pending++
		}
	}
	return out
}

type ecsHosts struct {
	Hosts    []ecsHost    `json:"containerInstances"`
	Failures []ecsFailure `json:"failures"`
}

// hosts finds those that are named, most at once, and says which there are not.
func (c *call) hosts(most int) (*cluster, []*taskHost, []ecsFailure, error) {
	cl, err := c.cluster()
	if err != nil {
		return nil, nil, nil, err
	}
	named := c.p.list("containerInstances")
	if len(named) > most {
		return nil, nil, nil, refuse(badECS, "Container instances can not be more than %d", most)
	}
	found, failed := []*taskHost{}, []ecsFailure{}
	for _, name := range named {
		if h := cl.host(c.idOf("container-instance", cl, name)); h != nil {
			found = append(found, h)
			continue
		}
		failed = append(failed, ecsFailure{c.site.arn("ecs", "container-instance/"+cl.Name+"/"+c.idOf("container-instance", cl, name)), "MISSING"})
	}
	return cl, found, failed, nil
}

func describeHosts(c *call) (any, error) {
	cl, found, failed, err := c.hosts(100)
	if err != nil {
		return nil, err
	}
	out := ecsHosts{Hosts: []ecsHost{}, Failures: failed}
	for _, h := range found {
		out.Hosts = append(out.Hosts, c.showHost(cl, h))
	}
	return out, nil
}

func updateHosts(c *call) (any, error) {
	status := c.p["status"]
	if status != active && status != drainingHost {
		return nil, refuse(badECS, "Container instance status should be one of [ACTIVE, DRAINING].")
	}
	cl, found, failed, err := c.hosts(10)
	if err != nil {
		return nil, err
	}
	out := ecsHosts{Hosts: []ecsHost{}, Failures: failed}
	for _, h := range found {
		if h.Status == inactive {
			out.Failures = append(out.Failures, ecsFailure{c.site.hostARN(cl, h), inactive})
			continue
		}
		h.Status = status
		out.Hosts = append(out.Hosts, c.showHost(cl, h))
	}
	return out, nil
}

// desiredStatuses: ECS takes PENDING too, and nothing is ever wanted to be that.
var desiredStatuses = map[string]bool{"RUNNING": true, "PENDING": true, "STOPPED": true}

func listTasks(c *call) (any, error) {
	cl, err := c.cluster()
	if err != nil {
		return nil, err
	}
	desired := cmp.Or(c.p["desiredStatus"], taskRunning)
	if !desiredStatuses[desired] {
		return nil, refuse(badECS, "The desired status %s is not valid", desired)
	}
	on := c.p["containerInstance"]
	if on != "" {
		h := cl.host(c.idOf("container-instance", cl, on))
		if h == nil {
			return nil, refuse(badECS, "The container instance %s is not of the cluster", on)
		}
		on = h.ID
	}
	group := ""
	if name := c.p["serviceName"]; name != "" {
		sv := cl.service(c.idOf("service", cl, name))
		if sv == nil {
			return nil, refuse("ServiceNotFoundException", "Service not found.")
		}
		group = sv.group()
	}
	var all []string
	for _, t := range cl.Tasks {
		if t.Desired == desired && (on == "" || t.Host == on) && (group == "" || t.Group == group) {
			all = append(all, c.site.taskARN(cl, t))
		}
	}
	return c.arnsOf(all, "taskArns")
}

type ecsTask struct {
	ARN     string  `json:"taskArn"`
	Cluster string  `json:"clusterArn"`
	Host    string  `json:"containerInstanceArn,omitempty"`
	Group   string  `json:"group"`
	Last    string  `json:"lastStatus"`
	Desired string  `json:"desiredStatus"`
	Launch  string  `json:"launchType"`
	Made    float64 `json:"createdAt"`
	Ended   float64 `json:"stoppedAt,omitempty"`
	Why     string  `json:"stoppedReason,omitempty"`
	By      string  `json:"startedBy,omitempty"`

	Definition string `json:"taskDefinitionArn,omitempty"`

	Containers []ecsContainer `json:"containers"`
}

type ecsContainer struct {
	Name     string       `json:"name"`
	Exit     *int         `json:"exitCode,omitempty"`
	Why      string       `json:"reason,omitempty"`
	Bindings []ecsBinding `json:"networkBindings"`
}

type ecsBinding struct {
	Address  string `json:"bindIP"`
	Inside   int    `json:"containerPort"`
	Host     int    `json:"hostPort"`
	Protocol string `json:"protocol"`
}

// containers are those of a task: one, whose port 80 Docker gives a port of the host
// when it starts, out of the ephemeral ones.
func (t *task) containers() []ecsContainer {
	one := ecsContainer{Name: "main", Exit: t.Exit, Bindings: []ecsBinding{}}
	if strings.HasPrefix(t.Why, "CannotPull") {
		one.Why = t.Why
	}
	if t.Host == "" {
		return []ecsContainer{one} // a network interface of its own
	}
	if n, err := strconv.ParseUint(t.ID[max(0, len(t.ID)-8):], 16, 64); err == nil && t.Status != taskPending {
		one.Bindings = append(one.Bindings, ecsBinding{"0.0.0.0", 80, 32768 + int(n%20000), "tcp"})
	}
	return []ecsContainer{one}
}

func describeTasks(c *call) (any, error) {
	cl, err := c.cluster()
	if err != nil {
		return nil, err
	}
	named := c.p.list("tasks")
	if len(named) > 100 {
		return nil, refuse(badECS, "Tasks can not be more than 100")
	}
	found, failed := []ecsTask{}, []ecsFailure{}
	for _, name := range named {
		t := cl.task(c.idOf("task", cl, name))
		if t == nil {
			failed = append(failed, ecsFailure{c.site.arn("ecs", "task/"+cl.Name+"/"+c.idOf("task", cl, name)), "MISSING"})
			continue
		}
		shown := ecsTask{
			ARN: c.site.taskARN(cl, t), Cluster: c.site.arn("ecs", "cluster/"+cl.Name), Group: t.Group, Last: t.Status, Desired: t.Desired,
			Launch: "FARGATE", Made: epoch(t.Made), Ended: stoppedAt(t.Ended), By: t.Of, Containers: t.containers(),
		}
		if h := cl.host(t.Host); h != nil {
			shown.Host, shown.Launch = c.site.hostARN(cl, h), "EC2"
		}
		if t.Desired == taskStopped {
			shown.Why = t.Why
		}
		if t.Definition != "" {
			shown.Definition = c.site.definitionARN(t.Definition)
			shown.Containers[0].Name = c.site.definition(t.Definition).first()
		}
		found = append(found, shown)
	}
	return struct {
		Tasks    []ecsTask    `json:"tasks"`
		Failures []ecsFailure `json:"failures"`
	}{found, failed}, nil
}

func stoppedAt(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return epoch(t)
}

func (cl *cluster) task(id string) *task {
	for _, t := range cl.Tasks {
		if t.ID == id {
			return t
		}
	}
	return nil
}

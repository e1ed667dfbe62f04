package awssim

import (
	"strings"
	"time"
)

type ecsDeployment struct {
	ID         string  `json:"id"`
	Status     string  `json:"status"`
	Definition string  `json:"taskDefinition"`
	Desired    int     `json:"desiredCount"`
	Running    int     `json:"runningCount"`
	Pending    int     `json:"pendingCount"`
	Failed     int     `json:"failedTasks"`
	Rollout    string  `json:"rolloutState,omitempty"`
	Reason     string  `json:"rolloutStateReason,omitempty"`
	Made       float64 `json:"createdAt"`
	Changed    float64 `json:"updatedAt"`
	Launch     string  `json:"launchType"`
}

type ecsEvent struct {
	ID   string  `json:"id"`
	At   float64 `json:"createdAt"`
	Text string  `json:"message"`
}

type ecsBreaker struct {
	Enable   bool `json:"enable"`
	Rollback bool `json:"rollback"`
}

type ecsServiceShown struct {
	ARN           string          `json:"serviceArn"`
	Name          string          `json:"serviceName"`
	Cluster       string          `json:"clusterArn"`
	Status        string          `json:"status"`
	Desired       int             `json:"desiredCount"`
	Running       int             `json:"runningCount"`
	Pending       int             `json:"pendingCount"`
	Definition    string          `json:"taskDefinition"`
	Launch        string          `json:"launchType"`
	Balancers     []any           `json:"loadBalancers"`
	Deployments   []ecsDeployment `json:"deployments"`
	Events        []ecsEvent      `json:"events"`
	Controller    map[string]any  `json:"deploymentController"`
	Configuration map[string]any  `json:"deploymentConfiguration"`
}

func (c *call) showService(cl *cluster, sv *service) ecsServiceShown {
	launch := "EC2"
	if cl.Fargate {
		launch = "FARGATE"
	}
	out := ecsServiceShown{
		ARN: c.site.arn("ecs", "service/"+cl.Name+"/"+sv.Name), Name: sv.Name, Cluster: c.site.arn("ecs", "cluster/"+cl.Name), Status: active, Desired: sv.Tasks,
		Definition: c.site.definitionARN(sv.primary().Definition), Launch: launch, Balancers: []any{}, Deployments: []ecsDeployment{}, Events: []ecsEvent{},
		Controller: map[string]any{"type": sv.Controller},
		Configuration: map[string]any{"minimumHealthyPercent": sv.MinHealthyPercent, "maximumPercent": sv.MaxPercent,
			"deploymentCircuitBreaker": ecsBreaker{sv.Breaker != "", sv.Breaker == BreakerRollback}},
	}
	for _, d := range sv.Deployments {
		shown := ecsDeployment{
			ID: d.ID, Status: d.Status, Definition: c.site.definitionARN(d.Definition), Failed: d.Failed, Rollout: d.Rollout, Reason: d.Reason,
			Made: epoch(d.Made), Changed: epoch(d.Changed), Launch: launch,
		}
		if d.Status == primary {
			shown.Desired = sv.Tasks
		}
		shown.Running, shown.Pending = d.count(cl)
		out.Running, out.Pending = out.Running+shown.Running, out.Pending+shown.Pending
		out.Deployments = append(out.Deployments, shown)
	}
	for _, e := range sv.Events {
		out.Events = append(out.Events, ecsEvent{uuid(e.N), epoch(e.At), e.Text})
	}
	return out
}

func (c *call) serviceNamed(cl *cluster, name string) *service {
	return cl.service(c.idOf("service", cl, name))
}

func describeServices(c *call) (any, error) {
	cl, err := c.cluster()
	if err != nil {
		return nil, err
	}
	if _, err := c.wantsTags(); err != nil {
		return nil, err
	}
	named := c.p.list("services")
	if len(named) > 10 {
		return nil, refuse(badECS, "Services can not be more than 10")
	}
	found, failed := []ecsServiceShown{}, []ecsFailure{}
	for _, name := range named {
		if sv := c.serviceNamed(cl, name); sv != nil {
			found = append(found, c.showService(cl, sv))
			continue
		}
		failed = append(failed, ecsFailure{c.site.arn("ecs", "service/"+cl.Name+"/"+c.idOf("service", cl, name)), "MISSING"})
	}
	return struct {
		Services []ecsServiceShown `json:"services"`
		Failures []ecsFailure      `json:"failures"`
	}{found, failed}, nil
}

func updateService(c *call) (any, error) {
	cl, err := c.cluster()
	if err != nil {
		return nil, err
	}
	sv := c.serviceNamed(cl, c.p["service"])
	if sv == nil {
		return nil, refuse("ServiceNotFoundException", "Service not found.")
	}
	n, err := c.number("desiredCount", sv.Tasks, 0, 5000)
	if err != nil {
		return nil, err
	}
	now := sv.primary()
	next := now.Definition
	if name := c.p["taskDefinition"]; name != "" {
		d := c.definitionNamed(name)
		switch {
		case d == nil:
			return nil, refuse(badClient, "TaskDefinition not found.")
		case d.Status != active:
			return nil, refuse(badClient, "TaskDefinition is inactive")
		case sv.Controller != "ECS":
			return nil, refuse(badECS, "Unable to update task definition on services with a %s deployment controller.", sv.Controller)
		}
		next = d.name()
	}
	sv.Tasks = n
	if next != now.Definition || c.p.flag("forceNewDeployment") {
		begun := sv.deploy(c.w, next, c.now)
		begun.Broken, sv.Next = sv.Next, ""
		if why := c.site.unpulled(c.site.definition(next)); why != "" {
			begun.Broken = why
		}
		sv.say(c.now, "has started a deployment %s.", begun.ID)
	}
	return map[string]any{"service": c.showService(cl, sv)}, nil
}

// ServiceView is a service of ECS as the sandbox shows it.
type ServiceView struct {
	Cluster string `json:"cluster"`
	Name    string `json:"name"`
	// Definition is what is wanted, "family:revision", with the images of its containers.
	Definition string   `json:"definition"`
	Images     []string `json:"images"`
	Desired    int      `json:"desired"`
	Running    int      `json:"running"`
	Rollout    string   `json:"rollout"`
	Reason     string   `json:"reason"`
	// Begun counts the deployments that there ever were.
	Begun int `json:"begun"`
}

// Services shows the services of ECS as they are now.
func (s *Sim) Services() []ServiceView {
	out := []ServiceView{}
	s.look(func(time.Time) {
		for _, st := range s.world.Sites {
			for _, cl := range st.Clusters {
				for _, sv := range cl.Services {
					now := sv.primary()
					v := ServiceView{Cluster: cl.Name, Name: sv.Name, Definition: now.Definition, Images: []string{}, Desired: sv.Tasks, Rollout: now.Rollout, Reason: now.Reason, Begun: 1}
					v.Running, _ = now.count(cl)
					for _, e := range sv.Events {
						if strings.Contains(e.Text, "has started a deployment") || strings.Contains(e.Text, "rolling back to") {
							v.Begun++
						}
					}
					for _, c := range st.definition(now.Definition).containers() {
						v.Images = append(v.Images, c.Image)
					}
					out = append(out, v)
				}
			}
		}
	})
	return out
}

// Rescale changes how many tasks a service wants, by another hand: its autoscaling.
func (s *Sim) Rescale(name string, n int) error {
	return s.change(func(time.Time) error {
		for _, st := range s.world.Sites {
			for _, cl := range st.Clusters {
				if sv := cl.service(name); sv != nil {
					sv.Tasks = n
				}
			}
		}
		return nil
	})
}

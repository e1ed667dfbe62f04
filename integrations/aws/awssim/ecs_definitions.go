package awssim

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// definition is a revision of a task definition. Input is what it was registered with,
// as it came.
type definition struct {
	Family   string
	Revision int
	Input    map[string]json.RawMessage
	Status   string
	By       string
	Made     time.Time
}

type definedContainer struct {
	Name  string `json:"name"`
	Image string `json:"image"`
}

type tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func (d *definition) name() string { return d.Family + ":" + strconv.Itoa(d.Revision) }

func (d *definition) containers() (out []definedContainer) {
	_ = json.Unmarshal(d.Input["containerDefinitions"], &out) // it was read when it was registered
	return out
}

// first is the name of its first container.
func (d *definition) first() string {
	if all := d.containers(); len(all) > 0 {
		return all[0].Name
	}
	return "main"
}

// definition finds one by "family:revision", or the newest active one of a family; nil
// if there is none.
func (s *site) definition(name string) *definition {
	var newest *definition
	for _, d := range s.Definitions {
		if d.name() == name {
			return d
		}
		if d.Family == name && d.Status == active && (newest == nil || d.Revision > newest.Revision) {
			newest = d
		}
	}
	return newest
}

func (s *site) definitionARN(name string) string { return s.arn("ecs", "task-definition/"+name) }

// define adds a revision.
func (s *site) define(family string, input map[string]json.RawMessage, by string, at time.Time) *definition {
	n := 0
	for _, d := range s.Definitions {
		if d.Family == family {
			n = max(n, d.Revision)
		}
	}
	d := &definition{Family: family, Revision: n + 1, Input: input, Status: active, By: by, Made: at}
	s.Definitions = append(s.Definitions, d)
	return d
}

var familyShape = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

const badClient = "ClientException"

func registerDefinition(c *call) (any, error) {
	var input map[string]json.RawMessage
	if err := json.Unmarshal(c.body, &input); err != nil {
		return nil, refuse(protocolJSON.badParam, "%v", err)
	}
	family := c.p["family"]
	if !familyShape.MatchString(family) {
		return nil, refuse(badClient, "Family contains invalid characters.")
	}
	var containers []definedContainer
	if err := json.Unmarshal(input["containerDefinitions"], &containers); err != nil {
		return nil, refuse(protocolJSON.badParam, "%v", err)
	}
	if len(containers) == 0 {
		return nil, refuse(badClient, "Container list cannot be empty.")
	}
	names := map[string]bool{}
	for _, d := range containers {
		switch {
		case d.Image == "":
			return nil, refuse(badClient, "Container.image should not be null or empty.")
		case d.Name == "":
			return nil, refuse(badClient, "Container.name should not be null or empty.")
		case names[d.Name]:
			return nil, refuse(badClient, "Container.name contains duplicates: %s", d.Name)
		}
		names[d.Name] = true
	}
	if err := checkTags(input["tags"]); err != nil {
		return nil, err
	}
	d := c.site.define(family, input, c.key.arn, c.now)
	return c.showDefinition(d, true)
}

func checkTags(raw json.RawMessage) error {
	var tags []tag
	if raw == nil {
		return nil
	}
	if err := json.Unmarshal(raw, &tags); err != nil {
		return refuse(protocolJSON.badParam, "%v", err)
	}
	seen := map[string]bool{}
	for _, t := range tags {
		if strings.HasPrefix(strings.ToLower(t.Key), "aws:") {
			return refuse(badECS, "Invalid tag key: aws: prefixed tag key names are not allowed for external use.")
		}
		if t.Key == "" || len(t.Key) > 128 || len(t.Value) > 256 || seen[t.Key] {
			return refuse(badECS, "Invalid tag %q.", t.Key)
		}
		seen[t.Key] = true
	}
	if len(tags) > 50 {
		return refuse(badECS, "The maximum number of tags is 50.")
	}
	return nil
}

// showDefinition tells a revision with what ECS adds to it. Lists that are empty are
// told as that, as ECS does, which is one more reason why what it tells is not what it
// takes.
func (c *call) showDefinition(d *definition, tags bool) (any, error) {
	out := maps.Clone(d.Input)
	told := out["tags"]
	delete(out, "tags")
	for _, list := range []string{"volumes", "placementConstraints"} {
		if out[list] == nil {
			out[list] = json.RawMessage("[]")
		}
	}
	for k, v := range map[string]any{
		"taskDefinitionArn": c.site.definitionARN(d.name()), "revision": d.Revision, "status": d.Status, "registeredAt": epoch(d.Made), "registeredBy": d.By,
		"compatibilities": []string{"EC2", "FARGATE"}, "requiresAttributes": []map[string]string{{"name": "com.amazonaws.ecs.capability.ecr-auth"}},
	} {
		b, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		out[k] = b
	}
	answer := map[string]any{"taskDefinition": out}
	if tags {
		answer["tags"] = cmp.Or(string(told), "[]")
		answer["tags"] = json.RawMessage(answer["tags"].(string))
	}
	return answer, nil
}

// wantsTags says whether the call asks for tags, which is all that can be included.
func (c *call) wantsTags() (bool, error) {
	asked := c.p.list("include")
	for _, what := range asked {
		if what != "TAGS" {
			return false, refuse(badECS, "The include %s is not valid", what)
		}
	}
	return len(asked) > 0, nil
}

func (c *call) definitionNamed(name string) *definition {
	return c.site.definition(strings.TrimPrefix(name, c.site.definitionARN("")))
}

func describeDefinition(c *call) (any, error) {
	tags, err := c.wantsTags()
	if err != nil {
		return nil, err
	}
	d := c.definitionNamed(c.p["taskDefinition"])
	if d == nil {
		return nil, refuse(badClient, "Unable to describe task definition.")
	}
	return c.showDefinition(d, tags)
}

func listDefinitions(c *call) (any, error) {
	status, order := cmp.Or(c.p["status"], active), cmp.Or(c.p["sort"], "ASC")
	if status != active && status != inactive || order != "ASC" && order != "DESC" {
		return nil, refuse(badECS, "The status or the sort is not valid")
	}
	var found []*definition
	for _, d := range c.site.Definitions {
		if d.Status == status && (c.p["familyPrefix"] == "" || d.Family == c.p["familyPrefix"]) {
			found = append(found, d)
		}
	}
	slices.SortStableFunc(found, func(a, b *definition) int {
		return cmp.Or(cmp.Compare(a.Family, b.Family), cmp.Compare(a.Revision, b.Revision))
	})
	if order == "DESC" {
		slices.Reverse(found)
	}
	var all []string
	for _, d := range found {
		all = append(all, c.site.definitionARN(d.name()))
	}
	return c.arnsOf(all, "taskDefinitionArns")
}

// Definition is a revision as it was registered, "family:revision", as JSON with its
// keys in order.
func (s *Sim) Definition(name string) (out string) {
	s.look(func(time.Time) {
		for _, st := range s.world.Sites {
			if d := st.definition(name); d != nil {
				var b bytes.Buffer
				e := json.NewEncoder(&b)
				e.SetEscapeHTML(false)
				_ = e.Encode(d.Input)
				out = strings.TrimSpace(b.String())
				return
			}
		}
	})
	return out
}

// Revisions is how many revisions a family has.
func (s *Sim) Revisions(family string) (n int) {
	s.look(func(time.Time) {
		for _, st := range s.world.Sites {
			for _, d := range st.Definitions {
				if d.Family == family {
					n++
				}
			}
		}
	})
	return n
}

// Deregister makes a revision inactive by another hand.
func (s *Sim) Deregister(name string) error {
	return s.change(func(time.Time) error {
		for _, st := range s.world.Sites {
			if d := st.definition(name); d != nil {
				d.Status = inactive
				return nil
			}
		}
		return fmt.Errorf("no task definition %s", name)
	})
}

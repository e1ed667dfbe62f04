package statuspagesim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

var (
	componentStatuses = []string{"operational", "degraded_performance", "partial_outage", "major_outage", "under_maintenance"}
	statuses          = []string{"investigating", "identified", "monitoring", "resolved"}
	impacts           = []string{"none", "minor", "major", "critical"}
	// worked out of the states of an incident's components
	impactOf = map[string]string{"degraded_performance": "minor", "partial_outage": "major", "major_outage": "critical"}
)

const (
	longestName = 255
	longestBody = 25000
)

// component makes one that is operational, and its group.
func (s *Sim) component(name string) {
	c := &Component{ID: s.id("com"), PageID: s.cfg.Page, Name: name, Status: componentStatuses[0], Position: len(s.state.Components) + 1}
	if group, of, ok := strings.Cut(name, " / "); ok {
		c.Name = of
		n := slices.IndexFunc(s.state.Components, func(g *Component) bool { return g.Group && g.Name == group })
		if n < 0 {
			n = len(s.state.Components)
			s.state.Components = append(s.state.Components, &Component{ID: s.id("grp"), PageID: s.cfg.Page, Group: true, Name: group, Status: componentStatuses[0], Position: n + 1})
		}
		c.GroupID = &s.state.Components[n].ID
	}
	s.state.Components = append(s.state.Components, c)
}

func (s *Sim) listComponents(c *call) (any, *refusal) {
	if !c.query.Has("page") {
		return append([]*Component{}, s.state.Components...), nil
	}
	return page(s.state.Components, c.query, "per_page"), nil
}

// leaf is a component that can have a state.
func (s *Sim) leaf(id string) *Component {
	n := slices.IndexFunc(s.state.Components, func(c *Component) bool { return c.ID == id && !c.Group })
	if n < 0 {
		return nil
	}
	return s.state.Components[n]
}

func strictly(body []byte, into any) *refusal {
	from := json.NewDecoder(bytes.NewReader(body))
	from.DisallowUnknownFields()
	if err := from.Decode(into); err != nil {
		return refuse(http.StatusBadRequest, "the input is invalid: %v", err)
	}
	if from.More() {
		return refuse(http.StatusBadRequest, "the input is invalid: something follows it")
	}
	return nil
}

func (s *Sim) updateComponent(c *call) (any, *refusal) {
	var in struct {
		Component *struct {
			Status *string `json:"status"`
		} `json:"component"`
	}
	if no := strictly(c.body, &in); no != nil {
		return nil, no
	}
	one := s.leaf(c.id)
	switch {
	case one == nil:
		return nil, refuse(http.StatusNotFound, "Component not found")
	case in.Component == nil || in.Component.Status == nil || !slices.Contains(componentStatuses, *in.Component.Status):
		return nil, &refusal{status: http.StatusUnprocessableEntity, said: []string{"Status is not included in the list"}}
	}
	one.Status = *in.Component.Status
	return one, nil
}

// wire is an incident with its components as they are now.
func (s *Sim) wire(i *stored) Incident {
	out := i.Incident
	out.Updates = slices.Clone(i.Updates)
	out.Components = []Component{}
	for _, id := range i.Named {
		if c := s.leaf(id); c != nil {
			out.Components = append(out.Components, *c)
		}
	}
	return out
}

func (s *Sim) wires(which func(*stored) bool) []Incident {
	out := []Incident{}
	for n := len(s.state.Incidents) - 1; n >= 0; n-- { // the newest first
		if i := s.state.Incidents[n]; which(i) {
			out = append(out, s.wire(i))
		}
	}
	return out
}

func (s *Sim) listIncidents(c *call) (any, *refusal) {
	all := s.wires(func(i *stored) bool {
		return strings.Contains(strings.ToLower(i.Name), strings.ToLower(c.query.Get("q")))
	})
	return page(all, c.query, "limit"), nil
}

func (s *Sim) listUnresolved(c *call) (any, *refusal) {
	return page(s.wires(func(i *stored) bool { return i.Resolved == nil }), c.query, "per_page"), nil
}

func (s *Sim) find(id string) (*stored, *refusal) {
	n := slices.IndexFunc(s.state.Incidents, func(i *stored) bool { return i.ID == id })
	if n < 0 {
		return nil, refuse(http.StatusNotFound, "Incident not found")
	}
	return s.state.Incidents[n], nil
}

func (s *Sim) getIncident(c *call) (any, *refusal) {
	i, no := s.find(c.id)
	if no != nil {
		return nil, no
	}
	return s.wire(i), nil
}

// input is what a change of an incident says; nil is nothing of it.
type input struct {
	Name       *string                   `json:"name"`
	Status     *string                   `json:"status"`
	Body       *string                   `json:"body"`
	Override   *string                   `json:"impact_override"`
	IDs        *[]string                 `json:"component_ids"`
	Components map[string]string         `json:"components"`
	Deliver    *bool                     `json:"deliver_notifications"`
	Metadata   map[string]map[string]any `json:"metadata"`
}

func (s *Sim) change(c *call) (any, *refusal) {
	var in struct {
		Incident *input `json:"incident"`
	}
	if no := strictly(c.body, &in); no != nil {
		return nil, no
	}
	if in.Incident == nil {
		return nil, refuse(http.StatusBadRequest, "incident is missing")
	}
	return s.post(c.id, *in.Incident)
}

func (s *Sim) createIncident(c *call) (any, *refusal) { return s.change(c) }
func (s *Sim) updateIncident(c *call) (any, *refusal) { return s.change(c) }

// post makes an incident, or a message of one. The caller saves.
func (s *Sim) post(id string, in input) (Incident, *refusal) {
	now := s.clock.Now().UTC()
	i := &stored{Incident: Incident{PageID: s.cfg.Page, Status: statuses[0], Created: now}}
	if id != "" {
		found, no := s.find(id)
		if no != nil {
			return Incident{}, no
		}
		i = found
	}
	if wrong := s.wrong(id, in); len(wrong) > 0 {
		return Incident{}, &refusal{status: http.StatusUnprocessableEntity, said: wrong}
	}
	if id == "" {
		i.ID = s.id("inc")
		i.Shortlink = "https://stspg.io/" + i.ID
		s.state.Incidents = append(s.state.Incidents, i)
	}
	if in.Name != nil {
		i.Name = *in.Name
	}
	if in.Status != nil {
		i.Status = *in.Status
	}
	if in.Override != nil {
		i.Override = in.Override
	}
	if in.IDs != nil {
		i.Named = slices.Clone(*in.IDs)
	}
	for one, status := range in.Components {
		s.leaf(one).Status = status
		if !slices.Contains(i.Named, one) {
			i.Named = append(i.Named, one)
		}
	}
	slices.Sort(i.Named)
	if in.Metadata != nil {
		i.Metadata = in.Metadata
	}
	s.settle(i, in)
	return s.wire(i), nil
}

// settle works out what follows from a change: how bad it is, that it is over, the message,
// and who is told.
func (s *Sim) settle(i *stored, in input) {
	now := s.clock.Now().UTC()
	i.Updated = now
	worst := "none"
	for _, id := range i.Named {
		if c := s.leaf(id); c != nil && slices.Index(impacts, impactOf[c.Status]) > slices.Index(impacts, worst) {
			worst = impactOf[c.Status]
		}
	}
	if i.Override != nil {
		i.Impact = *i.Override
	} else if i.Status != "resolved" {
		i.Impact = worst
	}
	i.Resolved = nil
	if i.Status == "resolved" {
		i.Resolved = &now
	}
	if in.Status == nil && in.Body == nil && len(i.Updates) > 0 {
		return
	}
	u := Update{ID: s.id("upd"), Status: i.Status, Created: now, Deliver: in.Deliver == nil || *in.Deliver}
	if in.Body != nil {
		u.Body = *in.Body
	}
	i.Updates = append([]Update{u}, i.Updates...)
	if u.Deliver {
		s.state.Notifications = append(s.state.Notifications, Notification{At: now, Incident: i.ID, Title: i.Name, Status: u.Status, Body: u.Body})
	}
}

// wrong is all that is not as it should be.
func (s *Sim) wrong(id string, in input) (out []string) {
	if id == "" && (in.Name == nil || strings.TrimSpace(*in.Name) == "") {
		out = append(out, "Name can't be blank")
	}
	if in.Name != nil && utf8.RuneCountInString(*in.Name) > longestName {
		out = append(out, "Name is too long (maximum is 255 characters)")
	}
	if in.Body != nil && utf8.RuneCountInString(*in.Body) > longestBody {
		out = append(out, "Body is too long (maximum is 25000 characters)")
	}
	if in.Status != nil && !slices.Contains(statuses, *in.Status) {
		out = append(out, "Status is not included in the list")
	}
	if in.Override != nil && !slices.Contains(impacts, *in.Override) {
		out = append(out, "Impact override is not included in the list")
	}
	if in.IDs != nil && slices.ContainsFunc(*in.IDs, func(one string) bool { return s.leaf(one) == nil }) {
		out = append(out, "Component not found")
	}
	for one, status := range in.Components {
		if s.leaf(one) == nil || !slices.Contains(componentStatuses, status) {
			out = append(out, "Components are invalid")
		}
	}
	return out
}

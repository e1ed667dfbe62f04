package mackerelsim

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// annotation is one as it stands at the wire (mackerel.io/api-docs/entry/graph-annotations).
type annotation struct {
	ID          string   `json:"id,omitempty"`
	Title       string   `json:"title"`
	Description string   `json:"description,omitempty"`
	From        int64    `json:"from"`
	To          int64    `json:"to"`
	Service     string   `json:"service"`
	Roles       []string `json:"roles,omitempty"`
}

// Annotation is one as it is now.
type Annotation struct {
	ID          string    `json:"id"`
	Title       string    `json:"title"`
	Description string    `json:"description"`
	From        time.Time `json:"from"`
	To          time.Time `json:"to"`
	Service     string    `json:"service"`
	Roles       []string  `json:"roles"`
}

// value is one of a service metric.
type value struct {
	Service string `json:"service"`
	Name    string `json:"name"`
	Time    int64  `json:"time"`
	Value   float64
}

// Value is one value that a service metric was sent.
type Value struct {
	Service string    `json:"service"`
	Name    string    `json:"name"`
	At      time.Time `json:"at"`
	Value   float64   `json:"value"`
}

// Annotations lists all, in the order in which they were made.
func (s *Sim) Annotations() []Annotation {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Annotation{}
	for _, n := range s.notes {
		out = append(out, Annotation{n.ID, n.Title, n.Description, time.Unix(n.From, 0).UTC(), time.Unix(n.To, 0).UTC(), n.Service, append([]string{}, n.Roles...)})
	}
	return out
}

// Values lists the values that service metrics were sent, in the order in which they came.
func (s *Sim) Values() []Value {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Value{}
	for _, v := range s.values {
		out = append(out, Value{v.Service, v.Name, time.Unix(v.Time, 0).UTC(), v.Value})
	}
	return out
}

// services are all that there are, each with its roles.
func (s *Sim) services() map[string][]string {
	out := map[string][]string{}
	for name, roles := range s.cfg.Services {
		out[name] = slices.Clone(roles)
	}
	for _, h := range s.hosts {
		for _, full := range h.Roles {
			service, role, _ := strings.Cut(full, ":")
			if !slices.Contains(out[service], role) {
				out[service] = append(out[service], role)
			}
		}
	}
	return out
}

func (s *Sim) listServices(*call) (any, *refusal) {
	out, all := []any{}, s.services()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, map[string]any{"name": name, "memo": "", "roles": slices.Sorted(slices.Values(all[name]))})
	}
	return map[string]any{"services": out}, nil
}

const (
	longestTitle = 250
	longestText  = 1024
)

// note reads an annotation, and refuses what cannot be one.
func (s *Sim) note(c *call) (*annotation, *refusal) {
	n := &annotation{}
	if no := c.read(n); no != nil {
		return nil, no
	}
	switch {
	case n.ID != "":
		return nil, refuse(http.StatusBadRequest, "an annotation's id is not for the caller to choose")
	case n.Title == "" || utf8.RuneCountInString(n.Title) > longestTitle:
		return nil, refuse(http.StatusBadRequest, "the title has to have 1 to %d letters", longestTitle)
	case utf8.RuneCountInString(n.Description) > longestText:
		return nil, refuse(http.StatusBadRequest, "the description has to have at most %d letters", longestText)
	case n.From <= 0 || n.To < n.From:
		return nil, refuse(http.StatusBadRequest, "the range from %d to %d is invalid", n.From, n.To)
	}
	roles, ok := s.services()[n.Service]
	if !ok {
		return nil, refuse(http.StatusNotFound, "Service not found.")
	}
	for _, r := range n.Roles {
		if !slices.Contains(roles, r) {
			return nil, refuse(http.StatusNotFound, "Role not found.")
		}
	}
	return n, nil
}

// read takes a body, strictly.
func (c *call) read(into any) *refusal {
	from := json.NewDecoder(strings.NewReader(string(c.body)))
	from.DisallowUnknownFields()
	if err := from.Decode(into); err != nil || from.More() {
		return refuse(http.StatusBadRequest, "the input is invalid")
	}
	return nil
}

func (s *Sim) createNote(c *call) (any, *refusal) {
	n, no := s.note(c)
	if no != nil {
		return nil, no
	}
	n.ID = fmt.Sprintf("3AnnTn%05d", len(s.notes)+1)
	s.notes = append(s.notes, n)
	return n, nil
}

func (s *Sim) updateNote(c *call) (any, *refusal) {
	at := slices.IndexFunc(s.notes, func(n *annotation) bool { return n.ID == c.id })
	if at < 0 {
		return nil, refuse(http.StatusNotFound, "Graph annotation not found.")
	}
	n, no := s.note(c)
	if no != nil {
		return nil, no
	}
	n.ID = c.id
	s.notes[at] = n
	return n, nil
}

func (s *Sim) listNotes(c *call) (any, *refusal) {
	from, to, no := c.span()
	if no != nil {
		return nil, no
	}
	service := c.query.Get("service")
	if _, ok := s.services()[service]; !ok {
		return nil, refuse(http.StatusNotFound, "Service not found.")
	}
	out := []*annotation{}
	for _, n := range s.notes {
		if n.Service == service && n.To >= from && n.From <= to {
			out = append(out, n)
		}
	}
	return map[string]any{"graphAnnotations": out}, nil
}

// span reads from and to, in seconds.
func (c *call) span() (from, to int64, no *refusal) {
	from, err := strconv.ParseInt(c.query.Get("from"), 10, 64)
	if err != nil {
		return 0, 0, refuse(http.StatusBadRequest, "from is not a number of seconds")
	}
	to, err = strconv.ParseInt(c.query.Get("to"), 10, 64)
	if err != nil || to < from {
		return 0, 0, refuse(http.StatusBadRequest, "to is not a number of seconds that comes after from")
	}
	return from, to, nil
}

// metricName is of what a metric may be called.
var metricName = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)

const (
	betweenPosts = time.Minute    // of one service
	oldest       = 24 * time.Hour // of a value; older ones are dropped, and nothing is said
)

// postValues takes values of service metrics (mackerel.io/api-docs/entry/service-metrics),
// about once a minute. One for a time that has one replaces it.
func (s *Sim) postValues(c *call) (any, *refusal) {
	if _, ok := s.services()[c.id]; !ok {
		return nil, refuse(http.StatusNotFound, "Service not found.")
	}
	var in []struct {
		Name  string   `json:"name"`
		Time  int64    `json:"time"`
		Value *float64 `json:"value"`
	}
	if no := c.read(&in); no != nil {
		return nil, no
	}
	now := s.clock.Now()
	for _, v := range in {
		if !metricName.MatchString(v.Name) || v.Time <= 0 || v.Value == nil {
			return nil, refuse(http.StatusBadRequest, "%q at %d is no value of a metric", v.Name, v.Time)
		}
	}
	if now.Sub(s.posted[c.id]) < betweenPosts {
		return nil, &refusal{status: http.StatusTooManyRequests, message: "too many requests"}
	}
	s.posted[c.id] = now
	for _, v := range in {
		if now.Unix()-v.Time > int64(oldest/time.Second) {
			continue
		}
		s.values = slices.DeleteFunc(s.values, func(o value) bool { return o.Service == c.id && o.Name == v.Name && o.Time == v.Time })
		s.values = append(s.values, value{c.id, v.Name, v.Time, *v.Value})
	}
	return success, nil
}

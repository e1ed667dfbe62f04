package statuspagesim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// route is one call of the API, below a page.
type route struct {
	action, method string
	path           *regexp.Regexp // with the id of what it is about
	change         bool
	takes          []string // parameters
	do             func(s *Sim, c *call) (any, *refusal)
}

var routes = []route{
	{action: "page.get", method: http.MethodGet, path: regexp.MustCompile(`^()$`), do: (*Sim).getPage},
	{action: "components.list", method: http.MethodGet, path: regexp.MustCompile(`^/components()$`), takes: []string{"page", "per_page"}, do: (*Sim).listComponents},
	{action: "component.update", method: http.MethodPatch, path: regexp.MustCompile(`^/components/(\w+)$`), change: true, do: (*Sim).updateComponent},
	{action: "incidents.list", method: http.MethodGet, path: regexp.MustCompile(`^/incidents()$`), takes: []string{"page", "limit", "q"}, do: (*Sim).listIncidents},
	{action: "incidents.unresolved", method: http.MethodGet, path: regexp.MustCompile(`^/incidents/unresolved()$`), takes: []string{"page", "per_page"}, do: (*Sim).listUnresolved},
	{action: "incident.get", method: http.MethodGet, path: regexp.MustCompile(`^/incidents/(\w+)$`), do: (*Sim).getIncident},
	{action: "incident.create", method: http.MethodPost, path: regexp.MustCompile(`^/incidents()$`), change: true, do: (*Sim).createIncident},
	{action: "incident.update", method: http.MethodPatch, path: regexp.MustCompile(`^/incidents/(\w+)$`), change: true, do: (*Sim).updateIncident},
}

// call is one request.
type call struct {
	id    string // of the component or of the incident
	query url.Values
	body  []byte
}

// refusal is what is said instead.
type refusal struct {
	status int
	said   any // a text, or a list of them
	raw    string
	after  string
}

func (r *refusal) text() string { return fmt.Sprint(r.said) }

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status: status, said: fmt.Sprintf(format, args...)}
}

const (
	maxBody     = 1 << 20
	statusLimit = 420
	perMinute   = 60
)

// Handler answers the API at "/v1".
func (s *Sim) Handler() http.Handler { return http.HandlerFunc(s.serve) }

func (s *Sim) serve(w http.ResponseWriter, r *http.Request) {
	s.busy.Add(1)
	defer s.busy.Add(-1)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	v, no, cut := s.answer(r, body)
	if cut {
		panic(http.ErrAbortHandler) // the connection is closed, and nothing said
	}
	status := http.StatusOK
	if r.Method == http.MethodPost {
		status = http.StatusCreated
	}
	w.Header().Set("Content-Type", "application/json")
	var out []byte
	if no != nil {
		if status = no.status; no.after != "" {
			w.Header().Set("Retry-After", no.after)
		}
		v = map[string]any{"error": no.said}
	}
	if out, err = json.Marshal(v); err != nil {
		s.log.Error("statuspage simulator: write an answer", "err", err)
	}
	if no != nil && no.raw != "" {
		out = []byte(no.raw)
	}
	w.WriteHeader(status)
	if _, err := w.Write(out); err != nil {
		s.log.Debug("statuspage simulator: write an answer", "err", err)
	}
}

// answer does a request, with the misbehaviour that was asked for. cut says that the
// caller hears nothing.
func (s *Sim) answer(r *http.Request, body []byte) (v any, no *refusal, cut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "OAuth ")
	write, known := s.cfg.Keys[key]
	if !ok || !known {
		return nil, refuse(http.StatusUnauthorized, "Could not authenticate"), false
	}
	way, c, no := s.match(r, body)
	if no != nil {
		s.calls = append(s.calls, r.Method+" "+r.URL.Path)
		return nil, no, false
	}
	s.calls = append(s.calls, strings.TrimSpace(way.action+" "+c.id))
	if no := s.limit(way, c); no != nil {
		return nil, no, false
	}
	if way.change && !write {
		return nil, refuse(http.StatusForbidden, "You do not have permission to change this page"), false
	}
	if s.take(faultReset, way.action) != nil {
		return nil, nil, true
	}
	if f := s.take(faultThrottle, way.action); f != nil {
		return nil, &refusal{status: f.Status, said: "Too many requests", after: f.RetryAfter}, false
	}
	if f := s.take(faultError, way.action); f != nil {
		return nil, &refusal{status: f.Status, said: "We had a problem", raw: f.Message, after: f.RetryAfter}, false
	}
	if v, no = way.do(s, c); no != nil {
		return nil, no, false
	}
	if way.change {
		if err := s.save(); err != nil {
			s.log.Error("statuspage simulator", "err", err)
			return nil, refuse(http.StatusInternalServerError, "%v", err), false
		}
	}
	return v, nil, s.take(faultLost, way.action) != nil
}

// limit refuses the 61st call of a minute, and the second time in one that all components
// are asked for at once.
func (s *Sim) limit(way *route, c *call) *refusal {
	if s.cfg.Free {
		return nil
	}
	now := s.clock.Now()
	since := now.Add(-time.Minute)
	s.asked = slices.DeleteFunc(s.asked, func(at time.Time) bool { return !at.After(since) })
	again := func(at time.Time) *refusal {
		wait := int(at.Add(time.Minute).Sub(now)/time.Second) + 1
		return &refusal{status: statusLimit, said: "You have exceeded the rate limit of your API token", after: strconv.Itoa(wait)}
	}
	if len(s.asked) >= perMinute {
		return again(s.asked[0])
	}
	if way.action == "components.list" && !c.query.Has("page") {
		if s.whole.After(since) {
			return again(s.whole)
		}
		s.whole = now
	}
	s.asked = append(s.asked, now)
	return nil
}

// match finds the call, and refuses what it does not know.
func (s *Sim) match(r *http.Request, body []byte) (*route, *call, *refusal) {
	below, ok := strings.CutPrefix(r.URL.Path, "/v1/pages/")
	page, _, _ := strings.Cut(below, "/")
	if !ok || page != s.cfg.Page {
		return nil, nil, refuse(http.StatusNotFound, "Not found")
	}
	below = strings.TrimPrefix(below, page)
	for n := range routes {
		way := &routes[n]
		at := way.path.FindStringSubmatch(below)
		if at == nil || way.method != r.Method {
			continue
		}
		c := &call{id: at[1], query: r.URL.Query(), body: bytes.TrimSpace(body)}
		for name, value := range c.query {
			if !slices.Contains(way.takes, name) {
				return nil, nil, refuse(http.StatusBadRequest, "%s takes no parameter %q", way.action, name)
			}
			if n, err := strconv.Atoi(value[0]); name != "q" && (err != nil || n < 1 || name != "page" && n > 100) {
				return nil, nil, refuse(http.StatusBadRequest, "%s is invalid", name)
			}
		}
		if !way.change && len(c.body) > 0 {
			return nil, nil, refuse(http.StatusBadRequest, "%s takes no body", way.action)
		}
		if way.change && r.Header.Get("Content-Type") != "application/json" {
			return nil, nil, refuse(http.StatusUnsupportedMediaType, "%s wants application/json", way.action)
		}
		return way, c, nil
	}
	return nil, nil, refuse(http.StatusNotFound, "the simulator does not know %s %s", r.Method, r.URL.Path)
}

// page is the part of a list that is asked for.
func page[T any](all []T, q url.Values, size string) []T {
	n, per := 1, 100
	if v, err := strconv.Atoi(q.Get("page")); err == nil {
		n = v
	}
	if v, err := strconv.Atoi(q.Get(size)); err == nil {
		per = v
	}
	from := min((n-1)*per, len(all))
	return append([]T{}, all[from:min(from+per, len(all))]...)
}

func (s *Sim) getPage(*call) (any, *refusal) {
	return map[string]any{"id": s.cfg.Page, "name": s.cfg.Name, "time_zone": "UTC"}, nil
}

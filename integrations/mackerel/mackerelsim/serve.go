package mackerelsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// route is one call of the API.
type route struct {
	action, method string
	path           *regexp.Regexp // with the id of what it is about
	change         bool
	takes          []string // parameters
	do             func(s *Sim, c *call) (any, *refusal)
}

var routes = []route{
	{action: "hosts.list", method: http.MethodGet, path: regexp.MustCompile(`^/api/v0/hosts()$`), takes: []string{"customIdentifier", "name", "status"}, do: (*Sim).list},
	{action: "host.get", method: http.MethodGet, path: regexp.MustCompile(`^/api/v0/hosts/([0-9A-Za-z]+)$`), do: (*Sim).get},
	{action: "host.status", method: http.MethodPost, path: regexp.MustCompile(`^/api/v0/hosts/([0-9A-Za-z]+)/status$`), change: true, do: (*Sim).status},
	{action: "downtimes.list", method: http.MethodGet, path: regexp.MustCompile(`^/api/v0/downtimes()$`), do: (*Sim).listDowntimes},
	{action: "downtime.create", method: http.MethodPost, path: regexp.MustCompile(`^/api/v0/downtimes()$`), change: true, do: (*Sim).createDowntime},
	{action: "downtime.delete", method: http.MethodDelete, path: regexp.MustCompile(`^/api/v0/downtimes/([0-9A-Za-z]+)$`), change: true, do: (*Sim).deleteDowntime},
	{action: "alerts.list", method: http.MethodGet, path: regexp.MustCompile(`^/api/v0/alerts()$`), takes: []string{"nextId", "withClosed", "limit"}, do: (*Sim).listAlerts},
	{action: "monitors.list", method: http.MethodGet, path: regexp.MustCompile(`^/api/v0/monitors()$`), do: (*Sim).listMonitors},
	{action: "annotations.list", method: http.MethodGet, path: regexp.MustCompile(`^/api/v0/graph-annotations()$`), takes: []string{"service", "from", "to"}, do: (*Sim).listNotes},
	{action: "annotation.create", method: http.MethodPost, path: regexp.MustCompile(`^/api/v0/graph-annotations()$`), change: true, do: (*Sim).createNote},
	{action: "annotation.update", method: http.MethodPut, path: regexp.MustCompile(`^/api/v0/graph-annotations/([0-9A-Za-z]+)$`), change: true, do: (*Sim).updateNote},
	{action: "services.list", method: http.MethodGet, path: regexp.MustCompile(`^/api/v0/services()$`), do: (*Sim).listServices},
	{action: "service.post", method: http.MethodPost, path: regexp.MustCompile(`^/api/v0/services/([0-9A-Za-z_-]+)/tsdb$`), change: true, do: (*Sim).postValues},
	{action: "service.names", method: http.MethodGet, path: regexp.MustCompile(`^/api/v0/services/([0-9A-Za-z_-]+)/metric-names$`), do: (*Sim).serviceNames},
	{action: "service.metrics", method: http.MethodGet, path: regexp.MustCompile(`^/api/v0/services/([0-9A-Za-z_-]+)/metrics$`), takes: []string{"name", "from", "to"}, do: (*Sim).serviceMetrics},
	{action: "host.names", method: http.MethodGet, path: regexp.MustCompile(`^/api/v0/hosts/([0-9A-Za-z]+)/metric-names$`), do: (*Sim).hostNames},
	{action: "host.metrics", method: http.MethodGet, path: regexp.MustCompile(`^/api/v0/hosts/([0-9A-Za-z]+)/metrics$`), takes: []string{"name", "from", "to"}, do: (*Sim).hostMetrics},
	{action: "host.retire", method: http.MethodPost, path: regexp.MustCompile(`^/api/v0/hosts/([0-9A-Za-z]+)/retire$`), change: true, do: (*Sim).retire},
}

// call is one request.
type call struct {
	id    string // of the host, the downtime or the annotation; or the service
	query url.Values
	body  []byte
}

// refusal is what is said instead.
type refusal struct {
	status  int
	message string
	short   bool // {"error":"…"}
	raw     bool // the message is the whole answer
	after   string
}

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status: status, message: fmt.Sprintf(format, args...)}
}

const maxBody = 1 << 20

// Handler answers the API at "/api/v0".
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
	w.Header().Set("Content-Type", "application/json")
	if no != nil {
		if status = no.status; no.after != "" {
			w.Header().Set("Retry-After", no.after)
		}
		v = map[string]any{"error": map[string]string{"message": no.message}}
		if no.short {
			v = map[string]any{"error": no.message}
		}
	}
	out, err := json.Marshal(v)
	if err != nil {
		s.log.Error("mackerel simulator: write an answer", "err", err)
	}
	if no != nil && no.raw {
		out = []byte(no.message)
	}
	w.WriteHeader(status)
	if _, err := w.Write(out); err != nil {
		s.log.Debug("mackerel simulator: write an answer", "err", err)
	}
}

// answer does a request, with the misbehaviour that was asked for. cut says that the
// caller hears nothing.
func (s *Sim) answer(r *http.Request, body []byte) (v any, no *refusal, cut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	write, known := s.cfg.Keys[r.Header.Get("X-Api-Key")]
	if !known {
		return nil, &refusal{status: http.StatusUnauthorized, message: "Authentication failed. Please try with valid Api Key.", short: true}, false
	}
	way, c, no := match(r, body)
	if no != nil {
		s.calls = append(s.calls, r.Method+" "+r.URL.Path)
		return nil, no, false
	}
	s.calls = append(s.calls, strings.TrimSpace(way.action+" "+c.id))
	if way.change && !write {
		return nil, refuse(http.StatusForbidden, "the API key has no permission to write"), false
	}
	if s.take(faultReset, way.action, c.id) != nil {
		return nil, nil, true
	}
	if f := s.take(faultThrottle, way.action, c.id); f != nil {
		return nil, &refusal{status: http.StatusTooManyRequests, message: "too many requests", after: f.RetryAfter}, false
	}
	if f := s.take(faultError, way.action, c.id); f != nil {
		return nil, &refusal{status: f.Status, message: f.Message, raw: f.Message != "", after: f.RetryAfter}, false
	}
	if v, no = way.do(s, c); no != nil {
		return nil, no, false
	}
	if way.change {
		if err := s.save(); err != nil {
			s.log.Error("mackerel simulator", "err", err)
			return nil, refuse(http.StatusInternalServerError, "%v", err), false
		}
	}
	return v, nil, s.take(faultLost, way.action, c.id) != nil
}

// match finds the call, and refuses what it does not know. A path that there is not is
// no 404 here: that is said of a host.
func match(r *http.Request, body []byte) (*route, *call, *refusal) {
	for n := range routes {
		way := &routes[n]
		at := way.path.FindStringSubmatch(r.URL.Path)
		if at == nil || way.method != r.Method {
			continue
		}
		c := &call{id: at[1], query: r.URL.Query(), body: bytes.TrimSpace(body)}
		for name := range c.query {
			if !slices.Contains(way.takes, name) {
				return nil, nil, refuse(http.StatusBadRequest, "%s takes no parameter %q", way.action, name)
			}
		}
		if way.method == http.MethodGet && len(c.body) > 0 {
			return nil, nil, refuse(http.StatusBadRequest, "%s takes no body", way.action)
		}
		if (way.method == http.MethodPost || way.method == http.MethodPut) && r.Header.Get("Content-Type") != "application/json" {
			return nil, nil, refuse(http.StatusBadRequest, "%s wants application/json", way.action)
		}
		return way, c, nil
	}
	return nil, nil, refuse(http.StatusBadRequest, "the simulator does not know %s %s", r.Method, r.URL.Path)
}

// list has no retired host in it, and without a status only those that are watched.
func (s *Sim) list(c *call) (any, *refusal) {
	want := c.query["status"]
	for _, status := range want {
		if !slices.Contains(statuses, status) {
			return nil, refuse(http.StatusBadRequest, "no status is called %q", status)
		}
	}
	if len(want) == 0 {
		want = []string{"working", "standby"}
	}
	out := []any{}
	for _, h := range s.hosts {
		if h.Retired || !slices.Contains(want, h.Status) ||
			c.query.Has("customIdentifier") && h.Identifier != c.query.Get("customIdentifier") ||
			c.query.Has("name") && h.Name != c.query.Get("name") {
			continue
		}
		out = append(out, h.wire())
	}
	return map[string]any{"hosts": out}, nil
}

func (h *host) wire() map[string]any {
	roles := map[string][]string{}
	for _, full := range h.Roles {
		service, role, _ := strings.Cut(full, ":")
		roles[service] = append(roles[service], role)
	}
	out := map[string]any{
		"id": h.ID, "name": h.Name, "displayName": nil, "customIdentifier": nil, "size": "standard", "status": h.Status, "memo": "",
		"roles": roles, "isRetired": h.Retired, "createdAt": h.Created, "interfaces": []any{}, "meta": map[string]any{"agent-name": "mackerel-agent/0.85.0"},
	}
	if h.Identifier != "" {
		out["customIdentifier"] = h.Identifier
	}
	if h.Instance != "" {
		out["meta"] = map[string]any{"agent-name": "mackerel-agent/0.85.0", "cloud": map[string]any{"provider": "ec2", "metadata": map[string]any{"instance-id": h.Instance}}}
	}
	return out
}

func (s *Sim) get(c *call) (any, *refusal) {
	h, no := s.host(c.id)
	if no != nil {
		return nil, no
	}
	return map[string]any{"host": h.wire()}, nil
}

func (s *Sim) host(id string) (*host, *refusal) {
	n := slices.IndexFunc(s.hosts, func(h *host) bool { return h.ID == id })
	if n < 0 {
		return nil, refuse(http.StatusNotFound, "Host not found.")
	}
	return s.hosts[n], nil
}

// alive is a host that may be changed.
func (s *Sim) alive(id string) (*host, *refusal) {
	h, no := s.host(id)
	if no == nil && h.Retired {
		no = refuse(http.StatusNotFound, "Host not found.")
	}
	return h, no
}

var success = map[string]any{"success": true}

func (s *Sim) status(c *call) (any, *refusal) {
	var in struct {
		Status *string `json:"status"`
	}
	from := json.NewDecoder(bytes.NewReader(c.body))
	from.DisallowUnknownFields()
	if err := from.Decode(&in); err != nil || in.Status == nil || from.More() {
		return nil, refuse(http.StatusBadRequest, "want {\"status\":\"…\"}")
	}
	if !slices.Contains(statuses, *in.Status) {
		return nil, refuse(http.StatusBadRequest, "no status is called %q", *in.Status)
	}
	h, no := s.alive(c.id)
	if no != nil {
		return nil, no
	}
	h.Status = *in.Status
	return success, nil
}

func (s *Sim) retire(c *call) (any, *refusal) {
	if body := string(c.body); body != "" && body != "null" && body != "{}" {
		return nil, refuse(http.StatusBadRequest, "host.retire takes no fields")
	}
	h, no := s.alive(c.id)
	if no != nil {
		return nil, no
	}
	h.Retired = true
	return success, nil
}

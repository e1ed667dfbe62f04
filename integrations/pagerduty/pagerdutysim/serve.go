package pagerdutysim

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

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// route is one call of the API.
type route struct {
	action, method string
	path           string   // with {id} for each id
	takes          []string // parameters; "since" and "until" are required where they stand
	change         bool
	anySpan        bool // "since" and "until" may be left out, and are read by do
	from           bool // it wants the header From, with the email of a user
	do             func(s *Sim, c *call) (any, *refusal)

	shape *regexp.Regexp
}

// routes are all that is known; each file has those of its things.
var routes = compile(userRoutes, scheduleRoutes, shiftRoutes, incidentRoutes, subscriptionRoutes)

func compile(lists ...[]route) []route {
	all := slices.Concat(lists...)
	for n := range all {
		all[n].shape = regexp.MustCompile("^" + strings.ReplaceAll(all[n].path, "{id}", "([0-9A-Za-z_-]+)") + "$")
	}
	return all
}

// call is one request.
type call struct {
	ids          []string // of the path
	query        url.Values
	body         []byte
	token        Token
	since, until time.Time
	from         string // the id of the user who acts
	status       int    // of the answer; 200 when 0
}

// refusal is what is said instead.
type refusal struct {
	status, code int
	message      string
	errors       []string
	raw          bool // the message is the whole answer
	after        int  // seconds
}

func refuse(status, code int, message string, errors ...string) *refusal {
	return &refusal{status: status, code: code, message: message, errors: errors}
}

// PagerDuty's codes (developer.pagerduty.com, Errors).
const (
	codeInvalid  = 2001
	codeToken    = 2006
	codeDenied   = 2010
	codeFrom     = 2016
	codeUnknown  = 1008 // the user of From
	codeThrottle = 2020
	codeNotFound = 2100
)

func invalid(format string, args ...any) *refusal {
	return refuse(http.StatusBadRequest, codeInvalid, "Invalid Input Provided", fmt.Sprintf(format, args...))
}

func notFound() *refusal { return refuse(http.StatusNotFound, codeNotFound, "Not Found") }

const (
	maxBody   = 1 << 20
	mediaType = "application/vnd.pagerduty+json;version=2"
	// longest is the three months that PagerDuty gives at once.
	longest = 92 * 24 * time.Hour
)

// Handler answers the API at "/".
func (s *Sim) Handler() http.Handler { return http.HandlerFunc(s.serve) }

func (s *Sim) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a := s.answer(r, body, w.Header())
	if a.delay > 0 && clock.Sleep(r.Context(), s.clock, a.delay) != nil || a.cut {
		panic(http.ErrAbortHandler) // the connection is closed, and nothing said
	}
	w.Header().Set("Content-Type", "application/json")
	v := a.value
	if no := a.no; no != nil {
		a.status = no.status
		said := map[string]any{"message": no.message, "code": no.code}
		if len(no.errors) > 0 {
			said["errors"] = no.errors
		}
		v = map[string]any{"error": said}
		if no.after > 0 {
			w.Header().Set("ratelimit-reset", strconv.Itoa(no.after))
			if no.status != http.StatusTooManyRequests {
				w.Header().Set("Retry-After", strconv.Itoa(no.after))
			}
		}
	}
	w.WriteHeader(a.status)
	if a.status == http.StatusNoContent {
		return
	}
	out, err := json.Marshal(v)
	if err != nil {
		s.log.Error("pagerduty simulator: write an answer", "err", err)
	}
	if a.no != nil && a.no.raw {
		out = []byte(a.no.message)
	}
	if _, err := w.Write(out); err != nil {
		s.log.Debug("pagerduty simulator: write an answer", "err", err)
	}
}

// answered is what comes of a request. cut says that the caller hears nothing.
type answered struct {
	value  any
	no     *refusal
	status int
	cut    bool
	delay  time.Duration
}

// answer does a request.
func (s *Sim) answer(r *http.Request, body []byte, header http.Header) answered {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.advance() {
		s.keep()
	}
	key, token, no := s.admit(r)
	if no != nil {
		return answered{no: no}
	}
	if no := s.count(key, header); no != nil {
		return answered{no: no}
	}
	way, c, no := s.match(routes, r, body)
	if no != nil {
		s.calls = append(s.calls, r.Method+" "+r.URL.Path)
		return answered{no: no}
	}
	c.token = token
	id := ""
	if len(c.ids) > 0 {
		id = c.ids[0]
	}
	s.calls = append(s.calls, strings.TrimSpace(way.action+" "+id))
	if way.change && !token.Writes {
		return answered{no: refuse(http.StatusForbidden, codeDenied, "Access Denied")}
	}
	return s.perform(way, c, id)
}

// perform does a call, with the misbehaviour that was asked for.
func (s *Sim) perform(way *route, c *call, id string) answered {
	if s.take(faultReset, way.action, id) != nil {
		return answered{cut: true}
	}
	if f := s.take(faultThrottle, way.action, id); f != nil {
		return answered{no: &refusal{status: http.StatusTooManyRequests, code: codeThrottle, message: "Rate Limit Exceeded", after: f.Seconds}}
	}
	if f := s.take(faultError, way.action, id); f != nil {
		return answered{no: &refusal{status: f.Status, message: f.Message, raw: f.Message != "", after: f.Seconds}}
	}
	v, no := way.do(s, c)
	if no == nil && way.change {
		if err := s.save(); err != nil {
			s.log.Error("pagerduty simulator", "err", err)
			no = refuse(http.StatusInternalServerError, 2000, err.Error())
		}
	}
	a := answered{value: v, no: no, status: c.status}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	if f := s.take(faultDelay, way.action, id); f != nil {
		a.delay = time.Duration(f.Seconds) * time.Second
	}
	a.cut = no == nil && s.take(faultLost, way.action, id) != nil
	return a
}

// admit reads the headers that every call wants.
func (s *Sim) admit(r *http.Request) (key string, t Token, no *refusal) {
	kind, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if kind == "Token" {
		var ok bool
		if key, ok = strings.CutPrefix(key, "token="); !ok {
			key = ""
		}
	} else if kind != "Bearer" {
		key = ""
	}
	t, known := s.cfg.Tokens[key]
	if key == "" || !known {
		return "", Token{}, refuse(http.StatusUnauthorized, codeToken, "Invalid authentication")
	}
	if got := r.Header.Get("Accept"); got != mediaType {
		return "", Token{}, refuse(http.StatusNotAcceptable, codeInvalid, "Not Acceptable", fmt.Sprintf("Accept is %q; want %q", got, mediaType))
	}
	return key, t, nil
}

// minute is how many calls there were in one.
type minute struct {
	began time.Time
	calls int
}

// count counts the calls of a minute, and says in the headers how many are left.
func (s *Sim) count(key string, header http.Header) *refusal {
	now := s.clock.Now()
	m := s.used[key]
	if now.Sub(m.began) >= time.Minute {
		m = minute{began: now}
	}
	m.calls++
	s.used[key] = m
	reset := int((m.began.Add(time.Minute).Sub(now) + time.Second - 1) / time.Second)
	header.Set("ratelimit-limit", strconv.Itoa(s.cfg.PerMinute))
	header.Set("ratelimit-remaining", strconv.Itoa(max(0, s.cfg.PerMinute-m.calls)))
	header.Set("ratelimit-reset", strconv.Itoa(reset))
	if m.calls > s.cfg.PerMinute {
		return &refusal{status: http.StatusTooManyRequests, code: codeThrottle, message: "Rate Limit Exceeded", after: reset}
	}
	return nil
}

// match finds the call, and refuses what it does not know. A path that there is not is no
// 404 here: that is said of a thing.
func (s *Sim) match(known []route, r *http.Request, body []byte) (*route, *call, *refusal) {
	for n := range known {
		way := &known[n]
		at := way.shape.FindStringSubmatch(r.URL.Path)
		if at == nil || way.method != r.Method {
			continue
		}
		c := &call{ids: at[1:], query: r.URL.Query(), body: bytes.TrimSpace(body)}
		for name := range c.query {
			if !slices.Contains(way.takes, name) {
				return nil, nil, invalid("%s takes no parameter %q", way.action, name)
			}
		}
		no := c.span(way)
		if no != nil {
			return nil, nil, no
		}
		sends := way.method == http.MethodPost || way.method == http.MethodPut
		switch json := r.Header.Get("Content-Type") == "application/json"; {
		case sends && !json:
			return nil, nil, invalid("%s wants application/json", way.action)
		case !sends && len(c.body) > 0:
			return nil, nil, invalid("%s takes no body", way.action)
		}
		if way.from {
			if c.from, no = s.actsAs(r.Header.Get("From")); no != nil {
				return nil, nil, no
			}
		}
		return way, c, nil
	}
	return nil, nil, invalid("the simulator does not know %s %s", r.Method, r.URL.Path)
}

// readOnly are the roles of users who may change nothing.
var readOnly = []string{"read_only_user", "read_only_limited_user", "observer", "restricted_access"}

// actsAs looks at the header From.
func (s *Sim) actsAs(email string) (user string, no *refusal) {
	if email == "" {
		return "", refuse(http.StatusBadRequest, codeFrom, "Requester User Not Found", "the header From is required")
	}
	n := slices.IndexFunc(s.state.Users, func(u User) bool { return strings.EqualFold(u.Email, email) })
	if n < 0 {
		return "", refuse(http.StatusBadRequest, codeUnknown, "Requester User Not Found", "From is nobody's")
	}
	if slices.Contains(readOnly, s.state.Users[n].Role) {
		return "", refuse(http.StatusForbidden, codeDenied, "Access Denied")
	}
	return s.state.Users[n].ID, nil
}

// span reads since and until.
func (c *call) span(way *route) *refusal {
	if way.anySpan {
		return nil
	}
	for name, into := range map[string]*time.Time{"since": &c.since, "until": &c.until} {
		if !slices.Contains(way.takes, name) {
			continue
		}
		at, err := time.Parse(time.RFC3339, c.query.Get(name))
		if err != nil {
			return invalid("%s: %q is no time of ISO 8601 with a zone", name, c.query.Get(name))
		}
		*into = at
	}
	if slices.Contains(way.takes, "since") && (!c.since.Before(c.until) || c.until.Sub(c.since) > longest) {
		return invalid("since and until must be in order and at most 3 months apart")
	}
	return nil
}

// page are offset and limit.
func (c *call) page(usual, most int) (offset, limit int, no *refusal) {
	limit = usual
	for name, into := range map[string]*int{"offset": &offset, "limit": &limit} {
		if !c.query.Has(name) {
			continue
		}
		n, err := strconv.Atoi(c.query.Get(name))
		if err != nil || n < 0 || name == "limit" && (n == 0 || n > most) {
			return 0, 0, invalid("%s: %q is out of range", name, c.query.Get(name))
		}
		*into = n
	}
	return offset, limit, nil
}

// paged is one page of a list.
func paged[T any](key string, all []T, offset, limit int, wire func(T) any) map[string]any {
	out := []any{}
	for n := offset; n < min(offset+limit, len(all)); n++ {
		out = append(out, wire(all[n]))
	}
	return map[string]any{key: out, "limit": limit, "offset": offset, "more": offset+limit < len(all)}
}

// read reads a body, and refuses fields that are not known.
func (c *call) read(into any) *refusal {
	from := json.NewDecoder(bytes.NewReader(c.body))
	from.DisallowUnknownFields()
	if err := from.Decode(into); err != nil {
		return invalid("body: %v", err)
	}
	if from.More() {
		return invalid("body: there is something behind it")
	}
	return nil
}

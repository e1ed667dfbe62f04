package githubsim

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

type obj = map[string]any

// call is one REST request on its way through the simulator.
type call struct {
	s      *Sim
	r      *http.Request
	body   []byte
	user   *User
	app    bool // a JWT of the GitHub App
	inst   bool // an installation token
	bare   bool // a token without scopes, which reads what is public
	repo   *repoRow
	lag    *lag
	header http.Header
	values map[string]string // of the path
}

// handler answers with a status and a body (nil for none, text for a string).
type handler func(c *call) (int, any, error)

// apiError is an answer that GitHub gives to a request that it refuses.
type apiError struct {
	status  int
	message string
	errors  []obj
	doc     string
}

func (e *apiError) Error() string { return fmt.Sprintf("%d %s", e.status, e.message) }

func refuse(status int, format string, args ...any) error {
	return &apiError{status: status, message: fmt.Sprintf(format, args...)}
}

func notFound() error { return refuse(http.StatusNotFound, "Not Found") }

// invalid is GitHub's 422 with one entry in its errors.
func invalid(resource, field, code, message string) error {
	e := obj{"resource": resource, "code": code}
	if field != "" {
		e["field"] = field
	}
	if message != "" {
		e["message"] = message
	}
	return &apiError{status: http.StatusUnprocessableEntity, message: "Validation Failed", errors: []obj{e}}
}

func custom(resource, message string) error { return invalid(resource, "", "custom", message) }

func tooLong(resource, field string, limit int) error {
	return invalid(resource, field, "custom", fmt.Sprintf("%s is too long (maximum is %d characters)", field, limit))
}

func (s *Sim) serveAPI(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 50<<20))
	if err != nil {
		http.Error(w, "read body", http.StatusRequestEntityTooLarge)
		return
	}
	w.Header().Set("X-GitHub-Request-Id", strings.ToUpper(randomHex(8)))
	w.Header().Set("X-GitHub-Media-Type", "github.v3; format=json")
	w.Header().Set("X-GitHub-Enterprise-Version", "3.15.0")
	c := &call{s: s, r: r, body: body, header: w.Header()}
	if r.UserAgent() == "" {
		s.reply(c, w, 0, nil, refuse(http.StatusForbidden, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header."))
		return
	}
	if err := c.authenticate(); err != nil {
		s.reply(c, w, 0, nil, err)
		return
	}
	if done := s.misbehaveBefore(c, w); done {
		return
	}
	s.onRequest("before", r.Method, r.URL.Path)
	status, answer, err := s.act(c)
	s.onRequest("after", r.Method, r.URL.Path)
	if s.faults.take(faultLoseReply, c.match()) != nil {
		panic(http.ErrAbortHandler)
	}
	s.reply(c, w, status, answer, err)
}

// act runs the handler under the lock that its method needs, and commits.
func (s *Sim) act(c *call) (status int, answer any, err error) {
	t, values := s.find(c.r)
	if t == nil {
		s.violation("%s %s: no such endpoint", c.r.Method, c.r.URL.Path)
		return 0, nil, notFound()
	}
	c.values = values
	if c.reads() {
		s.mu.RLock()
		defer s.mu.RUnlock()
	} else {
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	if s.broken != nil {
		return 0, nil, s.broken
	}
	status, answer, err = s.enter(c, t)
	if !c.reads() {
		if cerr := s.commit(); cerr != nil {
			return 0, nil, cerr
		}
		s.wakeLocked()
	}
	return status, answer, err
}

// reads reports that a call changes nothing.
func (c *call) reads() bool { return c.r.Method == http.MethodGet || c.r.Method == http.MethodHead }

func (s *Sim) reply(c *call, w http.ResponseWriter, status int, answer any, err error) {
	if err != nil {
		status, answer = s.errorAnswer(err)
	}
	var raw []byte
	h := w.Header()
	switch v := answer.(type) {
	case nil:
	case string:
		h.Set("Content-Type", "text/plain; charset=utf-8")
		raw = []byte(v)
	default:
		h.Set("Content-Type", "application/json; charset=utf-8")
		if raw, err = json.Marshal(v); err != nil {
			s.log.Error("encode answer", "err", err)
			status = http.StatusInternalServerError
		}
	}
	fresh := true
	if c.r.Method == http.MethodGet && status == http.StatusOK {
		sum := sha256.Sum256(raw)
		tag := `"` + hex.EncodeToString(sum[:]) + `"`
		h.Set("ETag", "W/"+tag)
		h.Set("Cache-Control", "private, max-age=60, s-maxage=60")
		if have := c.r.Header.Get("If-None-Match"); have != "" && strings.TrimPrefix(have, "W/") == tag {
			fresh = false
		}
	}
	s.limits.headers(h, c.user, fresh, s.clock.Now())
	if !fresh {
		h.Del("Content-Type")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.WriteHeader(status)
	if status != http.StatusNoContent {
		if _, err := w.Write(raw); err != nil {
			s.log.Debug("write answer", "path", c.r.URL.Path, "err", err)
		}
	}
}

func (s *Sim) errorAnswer(err error) (int, any) {
	var e *apiError
	if !errors.As(err, &e) {
		s.log.Error("github simulator", "err", err)
		return http.StatusInternalServerError, obj{"message": "Server Error", "detail": err.Error()}
	}
	doc := e.doc
	if doc == "" {
		doc = "https://docs.github.com/rest"
	}
	body := obj{"message": e.message, "documentation_url": doc, "status": strconv.Itoa(e.status)}
	if e.errors != nil {
		body["errors"] = e.errors
	}
	return e.status, body
}

// in decodes the body. GitHub answers 400 when it is not JSON.
func (c *call) in(v any) error {
	if len(c.body) == 0 {
		return nil
	}
	if err := json.Unmarshal(c.body, v); err != nil {
		var typ *json.UnmarshalTypeError
		if errors.As(err, &typ) {
			return refuse(http.StatusUnprocessableEntity, "Invalid request.\n\nFor 'properties/%s', %s is not a %s.", typ.Field, typ.Value, typ.Type)
		}
		return refuse(http.StatusBadRequest, "Problems parsing JSON")
	}
	return nil
}

func (c *call) path(name string) string { return c.values[name] }

func (c *call) number(name string) (int64, error) {
	n, err := strconv.ParseInt(c.path(name), 10, 64)
	if err != nil {
		return 0, notFound()
	}
	return n, nil
}

// page cuts a list as the query asks, and sets the Link header.
func page[T any](c *call, list []T, perPage, most int) []T {
	from, to, _ := pageBounds(c, len(list), perPage, most)
	return list[from:to]
}

func pageBounds(c *call, total, perPage, most int) (from, to, number int) {
	q := c.r.URL.Query()
	if n, err := strconv.Atoi(q.Get("per_page")); err == nil && n > 0 {
		perPage = min(n, most)
	}
	number = 1
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 0 {
		number = n
	}
	last := max(1, (total+perPage-1)/perPage)
	var links []string
	link := func(n int, rel string) {
		q := c.r.URL.Query()
		q.Set("page", strconv.Itoa(n))
		u := url.URL{Path: c.r.URL.Path, RawPath: c.r.URL.RawPath, RawQuery: q.Encode()}
		links = append(links, fmt.Sprintf(`<%s/api/v3%s>; rel="%s"`, c.s.base, u.String(), rel))
	}
	if number > 1 {
		link(min(number-1, last), "prev")
	}
	if number < last {
		link(number+1, "next")
		link(last, "last")
	}
	if number > 1 {
		link(1, "first")
	}
	if links != nil {
		c.header.Set("Link", strings.Join(links, ", "))
	}
	from = min((number-1)*perPage, total)
	return from, min(from+perPage, total), number
}

// list renders rows into a JSON array that is never null.
func list[T any](rows []T, render func(T) obj) []obj {
	out := make([]obj, 0, len(rows))
	for _, r := range rows {
		out = append(out, render(r))
	}
	return out
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func stampOrNil(t *time.Time) any {
	if t == nil {
		return nil
	}
	return stamp(*t)
}

func textOrNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

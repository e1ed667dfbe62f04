package githubsim

import (
	"net/http"
	"net/url"
	"strings"
)

// route is one line of the table. The first that fits wins, because GitHub's
// paths (issues/comments/{id}, issues/{number}/comments) overlap in ways that
// http.ServeMux refuses.
type route struct {
	method  string
	parts   []string // a literal, "{name}", or "{name...}" for the rest
	who     access
	need    level
	handler handler
}

func newRoute(who access, need level, pattern string, h handler) route {
	method, path, _ := strings.Cut(pattern, " ")
	return route{method: method, parts: strings.Split(strings.Trim(path, "/"), "/"), who: who, need: need, handler: h}
}

// match finds the path values. Segments are unescaped one by one, so that an
// escaped slash does not split a branch name.
func (t *route) match(method string, segments []string) (map[string]string, bool) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if method != t.method {
		return nil, false
	}
	values := map[string]string{}
	for i, part := range t.parts {
		name, isVar := strings.CutPrefix(part, "{")
		name = strings.TrimSuffix(name, "}")
		if rest, ok := strings.CutSuffix(name, "..."); isVar && ok {
			if i > len(segments) {
				return nil, false
			}
			values[rest] = strings.Join(segments[i:], "/")
			return values, true
		}
		switch {
		case i >= len(segments):
			return nil, false
		case isVar:
			values[name] = segments[i]
		case segments[i] != part:
			return nil, false
		}
	}
	return values, len(segments) == len(t.parts)
}

// find looks a request up in the table.
func (s *Sim) find(r *http.Request) (*route, map[string]string) {
	segments := strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/")
	for i, seg := range segments {
		plain, err := url.PathUnescape(seg)
		if err != nil {
			return nil, nil
		}
		segments[i] = plain
	}
	for i := range s.table {
		if values, ok := s.table[i].match(r.Method, segments); ok {
			return &s.table[i], values
		}
	}
	return nil, nil
}

package githubsim

import (
	"net/http"
	"strings"
)

// graphql answers the one question that is asked of it: who last edited the text
// of a pull request. A query of anything else is a violation.
func graphql(c *call) (int, any, error) {
	var in struct {
		Query     string
		Variables struct {
			Owner, Name string
			Number      int
		}
	}
	if err := c.in(&in); err != nil {
		return 0, nil, err
	}
	if !strings.Contains(in.Query, "pullRequest(number:$number){editor{__typename login}}") {
		c.s.violation("graphql: the query %q", in.Query)
		return 0, nil, notFound()
	}
	missing := func(kind string) (int, any, error) {
		return http.StatusOK, obj{"data": obj{"repository": nil}, "errors": list([]string{kind}, func(k string) obj {
			return obj{"type": "NOT_FOUND", "message": "Could not resolve to a " + k + "."}
		})}, nil
	}
	r := c.s.repoNamed(in.Variables.Owner, in.Variables.Name)
	if r == nil {
		return missing("Repository")
	}
	p := c.s.pullNumbered(r.ID, in.Variables.Number)
	if p == nil {
		return missing("PullRequest")
	}
	var editor any
	if u := c.s.userNamed(p.Editor); u != nil {
		kind := "User"
		if u.Bot {
			kind = "Bot"
		}
		editor = obj{"__typename": kind, "login": strings.TrimSuffix(u.Login, "[bot]")}
	}
	return http.StatusOK, obj{"data": obj{"repository": obj{"pullRequest": obj{"editor": editor}}}}, nil
}

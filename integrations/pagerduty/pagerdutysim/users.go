package pagerdutysim

import (
	"net/http"
	"strings"
)

var userRoutes = []route{
	{action: "abilities.list", method: http.MethodGet, path: "/abilities", do: (*Sim).abilities},
	{action: "users.me", method: http.MethodGet, path: "/users/me", do: (*Sim).me},
	{action: "users.list", method: http.MethodGet, path: "/users", takes: []string{"query", "limit", "offset"}, do: (*Sim).listUsers},
	{action: "user.get", method: http.MethodGet, path: "/users/{id}", do: (*Sim).getUser},
}

func (s *Sim) abilities(*call) (any, *refusal) {
	return map[string]any{"abilities": []string{"teams", "read_only_users", "urgencies"}}, nil
}

func (u User) wire() map[string]any {
	return map[string]any{"id": u.ID, "type": "user", "summary": u.Name, "name": u.Name, "email": u.Email, "role": u.Role, "time_zone": "UTC"}
}

// reference is how other things name a user; one who is not there any more has no name.
func (s *Sim) reference(id string) map[string]any {
	u, ok := s.user(id)
	if !ok {
		return map[string]any{"id": id, "type": "user_reference", "summary": nil}
	}
	return map[string]any{"id": id, "type": "user_reference", "summary": u.Name}
}

// me is refused where the token is the account's.
func (s *Sim) me(c *call) (any, *refusal) {
	u, ok := s.user(c.token.User)
	if !ok {
		return nil, refuse(http.StatusBadRequest, codeInvalid, "Invalid Input Provided", "the token is no user's")
	}
	return map[string]any{"user": u.wire()}, nil
}

func (s *Sim) getUser(c *call) (any, *refusal) {
	u, ok := s.user(c.ids[0])
	if !ok {
		return nil, notFound()
	}
	return map[string]any{"user": u.wire()}, nil
}

// listUsers finds a query in a part of the name or of the email.
func (s *Sim) listUsers(c *call) (any, *refusal) {
	offset, limit, no := c.page(25, 100)
	if no != nil {
		return nil, no
	}
	var found []User
	for _, u := range s.state.Users {
		if strings.Contains(strings.ToLower(u.Name+"\n"+u.Email), strings.ToLower(c.query.Get("query"))) {
			found = append(found, u)
		}
	}
	return paged("users", found, offset, limit, func(u User) any { return u.wire() }), nil
}

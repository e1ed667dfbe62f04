package githubsim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// ensureTeams makes the configured teams that are not there yet.
func (s *Sim) ensureTeams() error {
	for _, o := range s.cfg.Orgs {
		for _, t := range o.Teams {
			if s.teamNamed(o.Name, t.Slug) != nil {
				continue
			}
			row := &teamRow{ID: s.newID(), Org: o.Name, Slug: t.Slug, Parent: t.Parent, Secret: t.Secret}
			if err := s.setMembers(row, t.Members); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Sim) setMembers(row *teamRow, logins []string) error {
	members := slices.Clone(logins)
	for i, login := range members {
		u := s.userNamed(login)
		if u == nil {
			return fmt.Errorf("team %s/%s: nobody is called %s", row.Org, row.Slug, login)
		}
		members[i] = u.Login
	}
	row.Members = members
	put(s, &s.state.Teams, row.ID, row)
	return nil
}

func (s *Sim) teamNamed(org, slug string) *teamRow {
	for _, t := range s.state.Teams.rows {
		if strings.EqualFold(t.Org, org) && strings.EqualFold(t.Slug, slug) {
			return t
		}
	}
	return nil
}

// SetTeam gives a team ("org/slug") these members and no others.
func (s *Sim) SetTeam(team string, logins ...string) error {
	org, slug, _ := strings.Cut(team, "/")
	s.mu.Lock()
	defer s.mu.Unlock()
	row := s.teamNamed(org, slug)
	if row == nil {
		return fmt.Errorf("set team %s: there is none", team)
	}
	changed := *row
	if err := s.setMembers(&changed, logins); err != nil {
		return err
	}
	return s.commit()
}

// membersOf are a team's members and those of its child teams.
func (s *Sim) membersOf(t *teamRow) []string {
	out := slices.Clone(t.Members)
	for _, child := range s.state.Teams.sorted(func(c *teamRow) bool { return c.Org == t.Org && c.Parent == t.Slug }) {
		out = append(out, s.membersOf(child)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// seesTeam: an outsider is not told that there is a team at all.
func (c *call) seesTeam(t *teamRow) bool {
	if c.inst {
		return true
	}
	if t.Secret && !slices.Contains(c.s.membersOf(t), c.user.Login) {
		return false
	}
	return slices.ContainsFunc(c.s.cfg.Orgs, func(o Org) bool {
		return strings.EqualFold(o.Name, t.Org) && slices.Contains(o.Members, c.user.Login)
	})
}

func listTeamMembers(c *call) (int, any, error) {
	t := c.s.teamNamed(c.path("owner"), c.path("slug"))
	if t == nil || !c.seesTeam(t) {
		return 0, nil, notFound()
	}
	members := c.s.membersOf(t)
	switch role := c.r.URL.Query().Get("role"); role {
	case "", "all", "member":
	case "maintainer": // nobody here is one
		members = nil
	default:
		return 0, nil, invalid("Team", "role", "invalid", "role is not one of member, maintainer, all")
	}
	return http.StatusOK, list(page(c, members, 30, 100), c.s.userIn), nil
}

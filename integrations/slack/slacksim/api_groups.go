package slacksim

import (
	"fmt"
	"slices"
	"strings"
)

// group is a user group, as it is kept.
type group struct {
	ID, Handle, Name string
	Members          []string // ids
	Created, Deleted int64    // s; a group that is switched off has been "deleted"
}

func (s *Sim) setGroup(t *tx, g Group) error {
	row := &group{ID: g.ID, Handle: g.Handle, Name: g.Name, Created: s.cfg.Clock.Now().Unix()}
	if g.Disabled {
		row.Deleted = row.Created
	}
	for _, m := range g.Members {
		u, err := s.user(m)
		if err != nil {
			return fmt.Errorf("group %s: %w", g.Handle, err)
		}
		if u.Guest || u.Bot {
			return refuse("invalid_users", "%s is a guest or a bot: no user group takes them", m)
		}
		row.Members = append(row.Members, u.ID)
	}
	s.book.groups[row.ID] = row
	t.put(bucketGroups, row.ID, row)
	return nil
}

// SetGroup changes a user group, found by its ID or, without one, by its handle:
// its members are these and no others.
func (s *Sim) SetGroup(g Group) error {
	return s.change(func(t *tx) error {
		for _, row := range s.book.groups {
			if row.ID == g.ID || g.ID == "" && row.Handle == g.Handle {
				g.ID, g.Handle, g.Name = row.ID, row.Handle, row.Name
				return s.setGroup(t, g)
			}
		}
		return refuse("no_such_subteam", "there is no user group %s%s", g.ID, g.Handle)
	})
}

func (s *Sim) wireGroup(g *group) map[string]any {
	return map[string]any{
		"id": g.ID, "team_id": s.cfg.TeamID, "is_usergroup": true, "is_subteam": true, "name": g.Name, "handle": g.Handle,
		"description": "", "is_external": false, "date_create": g.Created, "date_update": g.Created, "date_delete": g.Deleted,
		"auto_type": nil, "created_by": "", "updated_by": "", "deleted_by": nil,
		"prefs": map[string]any{"channels": []string{}, "groups": []string{}},
	}
}

func listGroups(c *call) (map[string]any, error) {
	var out map[string]any
	err := c.s.view(func() error {
		list := []any{}
		for _, g := range c.s.groups() {
			if g.Deleted != 0 && !c.flag("include_disabled") {
				continue
			}
			w := c.s.wireGroup(g)
			if c.flag("include_count") {
				w["user_count"] = len(g.Members)
			}
			if c.flag("include_users") {
				w["users"] = slices.Clone(g.Members)
			}
			list = append(list, w)
		}
		out = map[string]any{"usergroups": list}
		return nil
	})
	return out, err
}

// groups are in order of id. The lock is held.
func (s *Sim) groups() []*group {
	var all []*group
	for _, g := range s.book.groups {
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b *group) int { return strings.Compare(a.ID, b.ID) })
	return all
}

func listGroupUsers(c *call) (map[string]any, error) {
	var out map[string]any
	err := c.s.view(func() error {
		g := c.s.book.groups[c.get("usergroup")]
		if g == nil || g.Deleted != 0 && !c.flag("include_disabled") {
			return &apiError{Code: "no_such_subteam"}
		}
		out = map[string]any{"users": append([]string{}, g.Members...)}
		return nil
	})
	return out, err
}

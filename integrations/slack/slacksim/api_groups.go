package slacksim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// group is a user group, as it is kept.
type group struct {
	ID, Handle, Name string
	Members          []string // ids
	Created, Deleted int64    // s; a group that is switched off has been "deleted"
	Updated          int64    `json:",omitempty"` // s; 0 never
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
		"description": "", "is_external": false, "date_create": g.Created, "date_update": cmp.Or(g.Updated, g.Created), "date_delete": g.Deleted,
		"auto_type": nil, "created_by": "", "updated_by": "", "deleted_by": nil,
		"prefs": map[string]any{"channels": []string{}, "groups": []string{}},
	}
}

// Groups lists the user groups, by id, those that are switched off too. Their members
// are ids.
func (s *Sim) Groups() []Group {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Group
	for _, g := range s.groups() {
		out = append(out, Group{ID: g.ID, Handle: g.Handle, Name: g.Name, Members: slices.Clone(g.Members), Disabled: g.Deleted != 0})
	}
	return out
}

// grouped is a method of user groups, which the free plan has not.
func grouped(do func(*call) (map[string]any, error)) func(*call) (map[string]any, error) {
	return func(c *call) (map[string]any, error) {
		if c.s.cfg.NoGroups {
			return nil, &apiError{Code: "plan_upgrade_required"}
		}
		return do(c)
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

// updateGroupUsers replaces everybody in a user group.
func updateGroupUsers(c *call) (map[string]any, error) {
	ids := listed(c.get("users"))
	if len(ids) == 0 {
		return nil, &apiError{Code: "no_users_provided"}
	}
	var members []string
	for _, id := range ids {
		u, err := c.s.user(id)
		switch {
		case err != nil || u.ID != id || u.Guest || u.Bot: // ids only, here
			return nil, &apiError{Code: "invalid_users"}
		case u.OtherTeam != "":
			return nil, &apiError{Code: "failed_for_some_users"}
		case !slices.Contains(members, id):
			members = append(members, id)
		}
	}
	var out map[string]any
	err := c.s.change(func(t *tx) error {
		g := c.s.book.groups[c.get("usergroup")]
		if g == nil || g.Deleted != 0 {
			return &apiError{Code: "no_such_subteam"}
		}
		g.Members, g.Updated = members, c.s.cfg.Clock.Now().Unix()
		t.put(bucketGroups, g.ID, g)
		w := c.s.wireGroup(g)
		w["users"], w["updated_by"] = slices.Clone(g.Members), c.s.cfg.BotUserID
		if c.flag("include_count") {
			w["user_count"] = len(g.Members)
		}
		out = map[string]any{"usergroup": w}
		return nil
	})
	return out, err
}

// listed reads a list: a JSON one, or words between commas.
func listed(v string) []string {
	var out []string
	if strings.HasPrefix(v, "[") && json.Unmarshal([]byte(v), &out) == nil {
		return out
	}
	for word := range strings.SplitSeq(v, ",") {
		if word = strings.TrimSpace(word); word != "" {
			out = append(out, word)
		}
	}
	return out
}

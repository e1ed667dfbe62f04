package github

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	gh "github.com/google/go-github/v60/github"

	"github.com/signalbox-chatops/signalbox/integrations"
)

var teamName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*/[a-z0-9_][a-z0-9_-]*$`)

// ValidTeam says whether a team can be called so: "org/slug", as in its page's URL.
func ValidTeam(team string) bool { return teamName.MatchString(team) }

// TeamMembers are the logins of a team's members and of its child teams', sorted.
// team is "org/slug". ErrNotFound says that there is no such team, or that the
// token may not see it: that takes the organisation's Members (read).
func (c *Client) TeamMembers(ctx context.Context, team string) ([]string, error) {
	org, slug, _ := strings.Cut(team, "/")
	if !ValidTeam(team) {
		return nil, fmt.Errorf("read the members of team %q: %w", team, integrations.ErrNotFound)
	}
	var out []string
	err := c.pages(ctx, func(page int) (*gh.Response, bool, error) {
		got, resp, err := c.api.Teams.ListTeamMembersBySlug(ctx, org, slug, &gh.TeamListTeamMembersOptions{
			ListOptions: gh.ListOptions{Page: page, PerPage: 100},
		})
		for _, u := range got {
			out = append(out, u.GetLogin())
		}
		return resp, true, err
	})
	if err != nil {
		return nil, about(err, "read the members of team %s", team)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

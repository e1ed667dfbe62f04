package slack

import (
	"context"
	"fmt"
	"slices"
	"strings"

	slackgo "github.com/slack-go/slack"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// GroupMembers are the ids of a user group's people, sorted. group is its id
// ("S0123456") or its handle ("sre", "@sre"). It asks Slack each time: for the
// group, then for who is in it. Errors: *integrations.Gone if there is no such
// group, or if it is switched off.
func (c *Client) GroupMembers(ctx context.Context, group string) ([]string, error) {
	name := strings.TrimPrefix(group, "@")
	all, err := c.api.GetUserGroupsContext(ctx, slackgo.GetUserGroupsOptionIncludeDisabled(true))
	if err != nil {
		return nil, explain("list the user groups", err)
	}
	id, off := "", false
	for _, g := range all {
		switch {
		case name == "" || g.ID != name && g.Handle != name:
		case g.DateDelete != 0: // its handle may be another's by now
			off = true
		default:
			id = g.ID
		}
	}
	switch {
	case id == "" && off:
		return nil, &integrations.Gone{Why: fmt.Sprintf("the user group %s is switched off", group)}
	case id == "":
		return nil, &integrations.Gone{Why: fmt.Sprintf("there is no user group %s", group)}
	}
	people, err := c.api.GetUserGroupMembersContext(ctx, id)
	if err != nil {
		return nil, explain("list the people of the user group "+group, err)
	}
	slices.Sort(people)
	return slices.Compact(people), nil
}

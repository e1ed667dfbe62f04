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
	_, people, err := c.group(ctx, group, explain)
	return people, err
}

// group is the id of a user group, and its people. say puts Slack's errors in words.
func (c *Client) group(ctx context.Context, group string, say func(act string, err error) error) (id string, people []string, err error) {
	name := strings.TrimPrefix(group, "@")
	all, err := c.api.GetUserGroupsContext(ctx, slackgo.GetUserGroupsOptionIncludeDisabled(true))
	if err != nil {
		return "", nil, say("list the user groups", err)
	}
	off := false
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
		return "", nil, &integrations.Gone{Why: fmt.Sprintf("the user group %s is switched off", group)}
	case id == "":
		return "", nil, &integrations.Gone{Why: fmt.Sprintf("there is no user group %s", group)}
	}
	people, err = c.api.GetUserGroupMembersContext(ctx, id)
	if err != nil {
		return "", nil, say("list the people of the user group "+group, err)
	}
	slices.Sort(people)
	return id, slices.Compact(people), nil
}

// SetGroupMembers makes users (ids) the people of a user group, all of them and
// nobody else: Slack replaces the whole list. group is its id ("S0123456") or its
// handle ("sre", "@sre"). It reads first, and writes nothing where they are in it
// already, in whatever order. Nobody is no list: Slack lets no group be empty, so
// that is refused here.
//
// It needs the scopes usergroups:read and usergroups:write, a paid plan, and a
// workspace that lets everyone change user groups (a bot is no administrator).
// Errors: *integrations.Refused until somebody changes something,
// *integrations.Gone if there is no such group or it is switched off,
// *integrations.Later to try again, which does no harm when it was done already.
func (c *Client) SetGroupMembers(ctx context.Context, group string, users []string) error {
	act := "set the people of the user group " + group
	if len(users) == 0 {
		return untried(act, "the list is empty, and Slack lets no user group be empty", "name at least one person, or switch the group off in Slack")
	}
	for _, u := range users {
		if !isID(u, "UW") {
			return untried(act, fmt.Sprintf("%q is not the id of somebody in Slack, as U0123456 is", u), "")
		}
	}
	want := slices.Clone(users)
	slices.Sort(want)
	want = slices.Compact(want)
	id, have, err := c.group(ctx, group, refused)
	if err != nil || slices.Equal(have, want) {
		return err
	}
	_, err = c.api.UpdateUserGroupMembersContext(ctx, id, strings.Join(want, ","))
	return refused(act, err)
}

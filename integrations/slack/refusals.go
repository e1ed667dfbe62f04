package slack

import (
	"errors"
	"fmt"
	"strings"

	slackgo "github.com/slack-go/slack"

	"github.com/signalbox-chatops/signalbox/integrations"
)

const (
	installAgain = "add it under OAuth & Permissions (or paste `signalbox manifest`), then install the app again"
	askAdmins    = "ask its administrators"
	noGuests     = "user groups take no guests, no bots, and nobody of another workspace or whose account is switched off"
	leaveThemOut = "leave them out, or make them full members"
)

// refusedCodes are Slack's errors of a change that stays forbidden until somebody
// changes something, and what. They are for changes that signalbox can do without;
// for the token of a message see hopelessCodes. The codes are those of
// usergroups.users.update and conversations.setTopic in Slack's reference, with
// paid_teams_only and restricted_action, which it gives in like cases.
var refusedCodes = map[string]integrations.Refused{
	"missing_scope":          {Why: "the app lacks a scope", Do: installAgain},
	"no_permission":          {Why: "the app lacks a permission", Do: "compare its settings with `signalbox manifest`"},
	"not_allowed_token_type": {Why: "a bot may not do it here", Do: askAdmins},
	"user_is_bot":            {Why: "a bot may not do it here", Do: askAdmins},
	"access_denied":          {Why: "the workspace denies it", Do: askAdmins},
	"restricted_action":      {Why: "the rules of the workspace keep the bot from it", Do: askAdmins},
	"user_is_restricted":     {Why: "a guest may not do it, and " + noGuests, Do: leaveThemOut},

	"paid_teams_only":       {Why: "user groups come with Slack's paid plans only", Do: "change the plan, or do without the group"},
	"plan_upgrade_required": {Why: "user groups come with Slack's paid plans only", Do: "change the plan, or do without the group"},
	"permission_denied": {
		Why: "the workspace does not let the bot change user groups",
		Do:  "allow everyone to, under Workspace settings, Permissions, User Groups: only then may a bot",
	},
	"no_users_provided":                     {Why: "Slack lets no user group be empty"},
	"invalid_users":                         {Why: "somebody on the list cannot be in it: " + noGuests, Do: leaveThemOut},
	"invalid_user":                          {Why: "somebody on the list cannot be in it: " + noGuests, Do: leaveThemOut},
	"failed_for_some_users":                 {Why: "somebody on the list cannot be in it: " + noGuests, Do: leaveThemOut},
	"single_channel_guests_cannot_be_added": {Why: "somebody on the list cannot be in it: " + noGuests, Do: leaveThemOut},
	"subteam_max_users_exceeded":            {Why: "the list is longer than a user group may be"},

	"too_long":                              {Why: "it is too long for Slack"},
	"method_not_supported_for_channel_type": {Why: "direct messages have none", Do: "name a channel"},
}

// refused is explain for a change that signalbox can do without: *Refused where
// somebody has to change something first.
func refused(act string, err error) error {
	e, ok := errors.AsType[slackgo.SlackErrorResponse](err)
	if !ok {
		return explain(act, err)
	}
	r, ok := refusedCodes[e.Err]
	if !ok {
		return explain(act, err)
	}
	code := e.Err
	if e.Needed != "" {
		code += ", it needs " + strings.ReplaceAll(e.Needed, ",", " or ")
	}
	return &integrations.Refused{Why: fmt.Sprintf("%s: %s (%s)", act, r.Why, code), Do: r.Do}
}

// untried is a change that is not even tried.
func untried(act, why, do string) error {
	return &integrations.Refused{Why: act + ": " + why, Do: do}
}

package slack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	slackgo "github.com/slack-go/slack"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// hopelessCodes are Slack's errors about a token that no retry mends, and what
// an operator can do.
var hopelessCodes = map[string]string{
	"invalid_auth":            "Slack does not know it: copy it again from the app's settings",
	"not_authed":              "it is missing or was not sent: set it in the configuration",
	"account_inactive":        "it belongs to an app that was uninstalled: install the app again and copy the new token",
	"token_revoked":           "it was revoked: install the app again, or make a new app-level token",
	"token_expired":           "it has expired: switch token rotation off for this app and copy a new token",
	"not_allowed_token_type":  "it is of the wrong kind: sockets are opened with an xapp- token, the rest is done with an xoxb- token",
	"missing_scope":           "it lacks a scope",
	"no_permission":           "it lacks a permission: compare the app's settings with `signalbox manifest`",
	"access_denied":           "the workspace denies it access: ask its administrators",
	"team_access_not_granted": "it was not granted access to this workspace: ask the organisation's administrators",
	"socket_mode_disabled":    "Socket Mode is switched off for this app: switch it on again under Settings, Socket Mode",
	"app_not_found":           "its app does not exist any more",
	"unknown_method":          "the configured address is not Slack's API",
}

// fatal explains an error that no retry mends, or is "".
func fatal(err error) string {
	e, ok := errors.AsType[slackgo.SlackErrorResponse](err)
	if !ok {
		return ""
	}
	say, ok := hopelessCodes[e.Err]
	if !ok {
		return ""
	}
	if e.Needed != "" {
		say += fmt.Sprintf(": it needs %s and has %s; install the app again after adding it", e.Needed, cmp.Or(e.Provided, "none"))
	} else if e.Err == "missing_scope" {
		say += " (an app-level token needs connections:write)"
	}
	return fmt.Sprintf("%s (%s)", say, e.Err)
}

// goneCodes are Slack's errors of places that are not there any more, and what a
// person can do about it.
var goneCodes = map[string]string{
	"channel_not_found":                        "the channel does not exist, or is private and the bot is not in it: invite the bot",
	"not_in_channel":                           "the bot is not in the channel: /invite it there",
	"is_archived":                              "the channel is archived: unarchive it or configure another one",
	"message_not_found":                        "the message was deleted in Slack",
	"thread_not_found":                         "the thread was deleted in Slack",
	"cant_update_message":                      "the message belongs to another app or user, so it cannot be edited",
	"edit_window_closed":                       "the workspace does not let messages this old be edited: change that under Message Editing, or read on in the thread",
	"restricted_action":                        "the workspace's rules keep the bot from posting there: ask its administrators",
	"cannot_reply_to_message":                  "the message cannot have a thread",
	"restricted_action_read_only_channel":      "only some may post in the channel: let the bot post there",
	"restricted_action_thread_only_channel":    "the channel only allows replies in threads",
	"restricted_action_non_threadable_channel": "the channel does not allow threads",
	"restricted_action_thread_locked":          "the thread is locked",
	"user_not_in_channel":                      "the person is not in the channel",
	"user_not_found":                           "the person is not in the workspace any more",
	"user_disabled":                            "the person's account is switched off",
	"cannot_dm_bot":                            "a bot cannot be written to",
	"not_enabled":                              "the Home tab is switched off: switch it on in the app's settings, App Home",
	"messages_tab_disabled":                    "direct messages to the bot are switched off: switch the messages tab on in the app's settings, App Home",
	"ekm_access_denied":                        "the workspace's administrators have suspended posting",
	"no_such_subteam":                          "the user group does not exist, or is switched off",
	"expired_trigger_id":                       "the form came too late to be opened: type the command again",
	"exchanged_trigger_id":                     "the form was opened already",
	"invalid_trigger_id":                       "the form cannot be opened from here: type the command again",
	"trigger_exchanged":                        "the form was opened already",
	"trigger_expired":                          "the form came too late to be opened: type the command again",
}

// laterCodes are Slack's own troubles.
var laterCodes = map[string]time.Duration{
	"ratelimited":                 30 * time.Second,
	"rate_limited":                30 * time.Second,
	"message_limit_exceeded":      time.Minute,
	"internal_error":              3 * time.Second,
	"fatal_error":                 3 * time.Second,
	"service_unavailable":         10 * time.Second,
	"request_timeout":             3 * time.Second,
	"team_added_to_org":           time.Minute,
	"accesslimited":               time.Minute,
	"external_channel_migrating":  time.Minute,
	"method_temporarily_disabled": time.Minute,
}

// explain turns an error of the Web API into what a Place answers: *Later, *Gone,
// or an error that names the act.
func explain(act string, err error) error {
	if err == nil {
		return nil
	}
	named := fmt.Errorf("%s: %w", act, err)
	if e, ok := errors.AsType[*slackgo.RateLimitedError](err); ok {
		return &integrations.Later{After: max(e.RetryAfter, time.Second), Err: named, Unsent: true}
	}
	if e, ok := errors.AsType[slackgo.SlackErrorResponse](err); ok {
		if why, ok := goneCodes[e.Err]; ok {
			return &integrations.Gone{Why: fmt.Sprintf("%s: %s (%s)", act, why, e.Err)}
		}
		if after, ok := laterCodes[e.Err]; ok {
			return &integrations.Later{After: after, Err: named}
		}
		if why := fatal(err); why != "" {
			return &integrations.Later{After: time.Minute, Err: fmt.Errorf("%s: the token: %s: %w", act, why, err)}
		}
		if more := e.ResponseMetadata.Messages; len(more) > 0 {
			return fmt.Errorf("%w: %s", named, strings.Join(more, "; "))
		}
		return named
	}
	if e, ok := errors.AsType[slackgo.StatusCodeError](err); ok {
		switch {
		case e.Code == http.StatusTooManyRequests:
			return &integrations.Later{After: 30 * time.Second, Err: named, Unsent: true}
		case e.Code >= 500:
			return &integrations.Later{After: 3 * time.Second, Err: named}
		}
		return named
	}
	if errors.Is(err, context.Canceled) {
		return named
	}
	if unreached(err) || errors.As(err, new(*url.Error)) || errors.Is(err, context.DeadlineExceeded) {
		return &integrations.Later{After: 3 * time.Second, Err: named, Unsent: unreached(err)}
	}
	return named
}

// unreached says that an error proves that Slack never got the request.
func unreached(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial" || errors.As(err, new(*net.DNSError))
}

// certain keeps an error *Later only where nothing can have been shown: for what
// is shown at most once, doubt is final.
func certain(err error) error {
	later, ok := errors.AsType[*integrations.Later](err)
	if !ok {
		return err
	}
	if e, ok := errors.AsType[slackgo.SlackErrorResponse](later.Err); ok && e.Err != "fatal_error" && e.Err != "internal_error" && e.Err != "request_timeout" {
		return err // Slack answered that it did not
	}
	if errors.As(later.Err, new(*slackgo.RateLimitedError)) || errors.Is(later.Err, errBudget) || unreached(later.Err) {
		return err
	}
	if e, ok := errors.AsType[slackgo.StatusCodeError](later.Err); ok && e.Code == http.StatusTooManyRequests {
		return err
	}
	return fmt.Errorf("nobody can tell whether it was shown: %w", later.Err)
}

// limited says that an error is Slack's rate limit.
func limited(err error) bool {
	if errors.As(err, new(*slackgo.RateLimitedError)) {
		return true
	}
	if e, ok := errors.AsType[slackgo.StatusCodeError](err); ok {
		return e.Code == http.StatusTooManyRequests
	}
	e, ok := errors.AsType[slackgo.SlackErrorResponse](err)
	return ok && (e.Err == "ratelimited" || e.Err == "rate_limited")
}

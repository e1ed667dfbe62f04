package slack

import (
	"fmt"
	"strings"
)

// scope is what the bot token may do, and what signalbox needs it for. Optional ones
// are in the manifest twice, as Slack's reference has it: among all, and by themselves
// under bot_optional.
type scope struct {
	name, why string
	// without is what is not done where it is missing, for a scope that only some
	// need; "" for those that signalbox cannot do without.
	without string
}

func (s scope) optional() bool { return s.without != "" }

var scopes = []scope{
	{name: "commands", why: "the slash command"},
	{name: "chat:write", why: "cards and answers"},
	{name: "app_mentions:read", why: "commands typed as a mention"},
	{name: "channels:read", why: "finding channels by name"},
	{name: "groups:read", why: "finding private channels by name"},
	{name: "channels:history", why: "replies in threads, and finding a message again after a crash"},
	{name: "groups:history", why: "the same in private channels"},
	{name: "im:history", why: "commands typed as a direct message"},
	{name: "im:write", why: "writing to somebody directly"},
	{name: "files:write", why: "whole logs as files"},
	{name: "files:read", why: "finding an uploaded log again after a crash"},
	{name: "users:read", why: "telling guests from colleagues"},
	{name: "users:read.email", why: "linking people by their address"},
	{
		name: "usergroups:read", why: "groups of people that are a Slack user group",
		without: "nobody is in such a group, so its rules let nobody do anything",
	},
	{
		name: "usergroups:write", why: "a user group that is always those on call, such as @oncall",
		without: "the people of the user group stay as they are",
	},
	{
		name: "channels:write.topic", why: "who is on call, in the topic of a channel",
		without: "the topic stays as it is",
	},
	{
		name: "groups:write.topic", why: "the same in private channels",
		without: "the topic stays as it is there",
	},
}

// Manifest is the app's manifest, in YAML, ready to be pasted where Slack asks
// for one (Create New App, From a manifest). command is the slash command, "/ops".
func Manifest(command string, shortcuts []Shortcut) []byte {
	var names, optional []string
	for _, s := range scopes {
		names = append(names, fmt.Sprintf("      - %s # %s", s.name, s.why))
		if s.optional() {
			optional = append(optional, "      - "+s.name)
		}
	}
	return fmt.Appendf(nil, manifest, listed(shortcuts), "/"+strings.TrimPrefix(command, "/"), strings.Join(names, "\n"), strings.Join(optional, "\n"))
}

// Slack's limits of a shortcut.
const (
	mostShortcutName = 24
	mostDescription  = 150
)

// listed are the shortcuts in the manifest's words.
func listed(shortcuts []Shortcut) string {
	if len(shortcuts) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("  shortcuts:\n")
	for _, s := range shortcuts {
		kind := "global"
		if s.Message != "" {
			kind = "message"
		}
		fmt.Fprintf(&b, "    - name: %q\n      type: %s\n      callback_id: %q\n      description: %q\n",
			cut(s.Name, mostShortcutName), kind, s.ID(), cut(s.Description, mostDescription))
	}
	return b.String()
}

const manifest = `# Paste this under https://api.slack.com/apps, Create New App, From a manifest.
# Then make an app-level token with connections:write (Basic Information) and
# install the app (OAuth & Permissions).
_metadata:
  major_version: 1
  minor_version: 1
display_information:
  name: signalbox
  description: Deploys and infrastructure, interlocked and on record
  background_color: "#1f2937"
features:
  app_home:
    home_tab_enabled: true
    messages_tab_enabled: true
    messages_tab_read_only_enabled: false
  bot_user:
    display_name: signalbox
    always_online: true
%s  slash_commands:
    - command: %s
      description: Deploy, plan, lock, ask
      usage_hint: help
      should_escape: true
oauth_config:
  scopes:
    bot:
%s
    # Whoever installs the app may leave these out; signalbox check says what is not
    # done then.
    bot_optional:
%s
settings:
  event_subscriptions:
    bot_events:
      - app_mention
      - app_home_opened # the Home tab
      - message.im
      - message.channels # replies in the threads of cards
      - message.groups
  interactivity:
    is_enabled: true
  org_deploy_enabled: false
  socket_mode_enabled: true
  token_rotation_enabled: false
`

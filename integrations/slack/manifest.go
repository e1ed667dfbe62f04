package slack

import (
	"fmt"
	"strings"
)

// scope is what the bot token may do, and what signalbox needs it for.
type scope struct{ name, why string }

var scopes = []scope{
	{"commands", "the slash command"},
	{"chat:write", "cards and answers"},
	{"app_mentions:read", "commands typed as a mention"},
	{"channels:read", "finding channels by name"},
	{"groups:read", "finding private channels by name"},
	{"channels:history", "replies in threads, and finding a message again after a crash"},
	{"groups:history", "the same in private channels"},
	{"im:history", "commands typed as a direct message"},
	{"im:write", "writing to somebody directly"},
	{"files:write", "whole logs as files"},
	{"files:read", "finding an uploaded log again after a crash"},
	{"users:read", "telling guests from colleagues"},
	{"users:read.email", "linking people by their address"},
}

// Manifest is the app's manifest, in YAML, ready to be pasted where Slack asks
// for one (Create New App, From a manifest). command is the slash command, "/ops".
func Manifest(command string) []byte {
	var names []string
	for _, s := range scopes {
		names = append(names, fmt.Sprintf("      - %s # %s", s.name, s.why))
	}
	return fmt.Appendf(nil, manifest, "/"+strings.TrimPrefix(command, "/"), strings.Join(names, "\n"))
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
    home_tab_enabled: false
    messages_tab_enabled: true
    messages_tab_read_only_enabled: false
  bot_user:
    display_name: signalbox
    always_online: true
  slash_commands:
    - command: %s
      description: Deploy, plan, lock, ask
      usage_hint: help
      should_escape: true
oauth_config:
  scopes:
    bot:
%s
settings:
  event_subscriptions:
    bot_events:
      - app_mention
      - message.im
      - message.channels # replies in the threads of cards
      - message.groups
  interactivity:
    is_enabled: true
  org_deploy_enabled: false
  socket_mode_enabled: true
  token_rotation_enabled: false
`

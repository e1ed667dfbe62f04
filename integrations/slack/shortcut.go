package slack

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Shortcut is an entry of Slack's ⚡ menu, or with Message of a message's own menu.
// It opens the form of a verb.
type Shortcut struct {
	Name        string // at most 24 characters
	Description string // at most 150
	Verb        string
	// Message is the argument of the verb that gets what the message says and where
	// it stands; "" is a shortcut that can be taken anywhere.
	Message string
}

// shortcutID begins the callback_id of our shortcuts; what follows is the verb and,
// behind a colon, the argument for the message. So one that was configured once
// needs no table to be understood.
const shortcutID = "verb:"

// ID is the shortcut's callback_id.
func (s Shortcut) ID() string {
	if s.Message == "" {
		return shortcutID + s.Verb
	}
	return shortcutID + s.Verb + ":" + s.Message
}

// shortcut is the verb of the shortcut that was taken, and the argument for the
// message it was taken on.
func (p clickPayload) shortcut() (verb, message string, ok bool) {
	rest, ours := strings.CutPrefix(p.CallbackID, shortcutID)
	verb, message, _ = strings.Cut(rest, ":")
	return verb, message, ours && verb != "" && (message == "") == (p.Type == "shortcut")
}

// mostQuoted is how much of a message is taken along, in characters.
const mostQuoted = 200

func (s Self) shortcut(p clickPayload) (integrations.Heard, error) {
	verb, message, ok := p.shortcut()
	if !ok {
		return integrations.Heard{}, fmt.Errorf("the shortcut is not ours: %.80q", p.CallbackID)
	}
	h := p.heard("shortcut")
	h.Stranger = s.stranger(h.Team, p.Message.Team, p.home())
	h.Sent = slackTime(p.ActionTS)
	inApp(&h)
	h.Verb, h.Values = verb, map[string]string{}
	if message == "" {
		return h, nil
	}
	first, _, _ := strings.Cut(strings.TrimSpace(plainText(p.Message.Text)), "\n")
	h.Values[message] = strings.TrimSpace(cut(first, mostQuoted) + " " + s.permalink(p))
	return h, nil
}

// permalink is the address of the message that a shortcut was taken on.
func (s Self) permalink(p clickPayload) string {
	base := s.URL
	if base == "" && p.Team != nil && p.Team.Domain != "" {
		base = "https://" + p.Team.Domain + ".slack.com/"
	}
	ts := cmp.Or(p.MessageTS, p.Message.TS)
	if base == "" || ts == "" || p.Channel.ID == "" {
		return ""
	}
	link := strings.TrimSuffix(base, "/") + "/archives/" + p.Channel.ID + "/p" + strings.ReplaceAll(ts, ".", "")
	if root := p.Message.ThreadTS; root != "" && root != ts {
		link += "?thread_ts=" + root + "&cid=" + p.Channel.ID
	}
	return link
}

// plainText takes Slack's escapes from a text that is shown to people again.
func plainText(s string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
}

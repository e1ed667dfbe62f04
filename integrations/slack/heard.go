package slack

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// DecodeHeard reads the body of an event by itself, without knowing who the bot
// is: the payload names that, except in a command.
func DecodeHeard(kind string, body []byte) (integrations.Heard, error) {
	return Self{}.DecodeHeard(kind, body)
}

// DecodeHeard reads the body of an event that Listen delivered as kind.
func (s Self) DecodeHeard(kind string, body []byte) (integrations.Heard, error) {
	switch kind {
	case KindCommand:
		return decode(body, kind, s.command)
	case KindClick:
		return decode(body, kind, s.click)
	case KindSubmit:
		return decode(body, kind, s.submit)
	case KindEvent:
		return decode(body, kind, s.event)
	case KindShortcut:
		return decode(body, kind, s.shortcut)
	}
	return integrations.Heard{}, fmt.Errorf("read %q: it is no kind of Slack event", kind)
}

func decode[T any](body []byte, kind string, read func(T) (integrations.Heard, error)) (integrations.Heard, error) {
	var p T
	if err := json.Unmarshal(body, &p); err != nil {
		return integrations.Heard{}, fmt.Errorf("read %s: %w", kind, err)
	}
	h, err := read(p)
	if err != nil {
		return h, fmt.Errorf("read %s: %w", kind, err)
	}
	return h, nil
}

// commandPayload is what Slack sends of a slash command.
type commandPayload struct {
	TeamID      string `json:"team_id"`
	UserID      string `json:"user_id"`
	UserName    string `json:"user_name"`
	ChannelID   string `json:"channel_id"`
	ChannelName string `json:"channel_name"`
	Command     string `json:"command"`
	Text        string `json:"text"`
	TriggerID   string `json:"trigger_id"`
	ResponseURL string `json:"response_url"`
}

// A command cannot come from another workspace, so not knowing ours is no risk:
// Slack offers it to nobody else, in shared channels neither.
func (s Self) command(p commandPayload) (integrations.Heard, error) {
	return integrations.Heard{
		Kind: "command", Team: p.TeamID, User: p.UserID, UserName: p.UserName,
		Stranger: s.Team != "" && p.TeamID != s.Team,
		Channel:  p.ChannelID, ChannelName: p.ChannelName,
		Private: strings.HasPrefix(p.ChannelID, "D"),
		Text:    strings.TrimSpace(p.Text), Trigger: p.TriggerID, ResponseURL: p.ResponseURL,
	}, nil
}

// clickPayload is what Slack sends of a pressed button and of a submitted modal.
type clickPayload struct {
	Type string `json:"type"`
	Team *struct {
		ID     string `json:"id"`
		Domain string `json:"domain"`
	} `json:"team"`
	User struct {
		ID       string `json:"id"`
		Name     string `json:"name"`
		Username string `json:"username"`
		TeamID   string `json:"team_id"`
	} `json:"user"`
	Channel struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"channel"`
	Container struct {
		Type        string `json:"type"` // "message", "view"
		ChannelID   string `json:"channel_id"`
		MessageTS   string `json:"message_ts"`
		ThreadTS    string `json:"thread_ts"`
		IsEphemeral bool   `json:"is_ephemeral"`
	} `json:"container"`
	Message struct {
		TS       string `json:"ts"`
		ThreadTS string `json:"thread_ts"`
		Team     string `json:"team"`
		Text     string `json:"text"`
	} `json:"message"`
	MessageTS  string `json:"message_ts"`  // of a shortcut on a message
	CallbackID string `json:"callback_id"` // of a shortcut
	ActionTS   string `json:"action_ts"`   // of a shortcut
	View       struct {
		TeamID             string `json:"team_id"`
		AppInstalledTeamID string `json:"app_installed_team_id"`
		PrivateMetadata    string `json:"private_metadata"`
		Blocks             []struct {
			Type    string `json:"type"`
			BlockID string `json:"block_id"`
		} `json:"blocks"`
		State struct {
			Values map[string]map[string]inputState `json:"values"`
		} `json:"state"`
	} `json:"view"`
	Actions     []clickAction `json:"actions"`
	TriggerID   string        `json:"trigger_id"`
	ResponseURL string        `json:"response_url"`
}

type clickAction struct {
	ActionID string `json:"action_id"`
	Type     string `json:"type"`
	Value    string `json:"value"`
	ActionTS string `json:"action_ts"`
}

// inputState is what stands in one input of a modal.
type inputState struct {
	Value          *string      `json:"value"`
	SelectedOption *inputOption `json:"selected_option"`
}

type inputOption struct {
	Value string `json:"value"`
}

// pressed is the value of one of our buttons.
type pressed struct {
	Command string `json:"c"`
	Version uint64 `json:"v,omitempty"`
}

// action is the pressed button, if it is one that carries a command.
func (p clickPayload) action() (clickAction, bool) {
	for _, a := range p.Actions {
		if strings.HasPrefix(a.ActionID, commandAction) {
			return a, true
		}
	}
	return clickAction{}, false
}

func (p clickPayload) home() string {
	if p.Team == nil { // an organisation's app
		return ""
	}
	return p.Team.ID
}

// stranger compares a person's workspace with the bot's, as Self or else the
// payload knows that.
func (s Self) stranger(team string, ours ...string) bool {
	for _, o := range append([]string{s.Team}, ours...) {
		if o != "" {
			return team != "" && team != o
		}
	}
	return false
}

func (s Self) click(p clickPayload) (integrations.Heard, error) {
	a, ok := p.action()
	if !ok {
		return integrations.Heard{}, fmt.Errorf("no button of ours was pressed")
	}
	var b pressed
	if err := json.Unmarshal([]byte(a.Value), &b); err != nil || b.Command == "" {
		return integrations.Heard{}, fmt.Errorf("the value of the button %s is not ours: %.80q", a.ActionID, a.Value)
	}
	h := p.heard("click")
	h.Stranger = s.stranger(h.Team, p.Message.Team, p.home())
	h.Command, h.Version = b.Command, b.Version
	h.Ephemeral = p.Container.IsEphemeral
	h.TS, h.Thread = p.ts(), p.thread()
	h.Sent = slackTime(a.ActionTS)
	return h, nil
}

func (p clickPayload) ts() string { return cmp.Or(p.Container.MessageTS, p.Message.TS) }

// thread is the root of the thread that the message stands in; a root names
// itself once it has replies.
func (p clickPayload) thread() string {
	root := cmp.Or(p.Message.ThreadTS, p.Container.ThreadTS)
	if root == p.ts() {
		return ""
	}
	return root
}

func (p clickPayload) heard(kind string) integrations.Heard {
	channel := cmp.Or(p.Channel.ID, p.Container.ChannelID)
	h := integrations.Heard{
		Kind: kind, Team: cmp.Or(p.User.TeamID, p.home()),
		User: p.User.ID, UserName: cmp.Or(p.User.Username, p.User.Name),
		Channel: channel, ChannelName: p.Channel.Name, Private: strings.HasPrefix(channel, "D"),
		Trigger: p.TriggerID, ResponseURL: p.ResponseURL,
	}
	if channel == "" && p.Container.Type == "view" {
		inApp(&h)
	}
	return h
}

// modalMetadata travels with a modal: what its answer is about.
type modalMetadata struct {
	Verb    string `json:"verb"`
	Version uint64 `json:"v,omitempty"`
	Place
}

func (p clickPayload) metadata() (m modalMetadata, ok bool) {
	err := json.Unmarshal([]byte(p.View.PrivateMetadata), &m)
	return m, err == nil && m.Verb != ""
}

func (s Self) submit(p clickPayload) (integrations.Heard, error) {
	m, ok := p.metadata()
	if !ok {
		return integrations.Heard{}, fmt.Errorf("the modal is not ours: %.80q", p.View.PrivateMetadata)
	}
	h := p.heard("submit")
	h.Stranger = s.stranger(h.Team, p.View.AppInstalledTeamID, p.View.TeamID, p.home())
	h.Channel, h.ChannelName, h.Thread = m.Channel, m.ChannelName, m.Thread
	h.Private = strings.HasPrefix(h.Channel, "D")
	if h.Channel == h.User { // it was opened from the Home tab or by a shortcut
		inApp(&h)
	}
	h.Verb, h.Version, h.Values = m.Verb, m.Version, map[string]string{}
	for name, actions := range p.View.State.Values {
		for _, in := range actions {
			switch {
			case in.SelectedOption != nil:
				h.Values[name] = in.SelectedOption.Value
			case in.Value != nil && *in.Value != "":
				h.Values[name] = *in.Value
			}
		}
	}
	return h, nil
}

// eventPayload is what Slack sends of a message.
type eventPayload struct {
	TeamID  string `json:"team_id"`
	EventID string `json:"event_id"`
	Event   struct {
		Type        string  `json:"type"`
		Subtype     string  `json:"subtype"`
		User        string  `json:"user"`
		BotID       string  `json:"bot_id"`
		Team        string  `json:"team"`
		UserTeam    string  `json:"user_team"`
		SourceTeam  string  `json:"source_team"`
		Text        string  `json:"text"`
		Channel     string  `json:"channel"`
		ChannelType string  `json:"channel_type"`
		TS          string  `json:"ts"`
		EventTS     string  `json:"event_ts"`
		Tab         string  `json:"tab"` // of app_home_opened
		ThreadTS    string  `json:"thread_ts"`
		ParentUser  *string `json:"parent_user_id"`
	} `json:"event"`
	Authorizations []struct {
		TeamID string `json:"team_id"`
		UserID string `json:"user_id"`
		IsBot  bool   `json:"is_bot"`
	} `json:"authorizations"`
}

// us is the bot's user id and workspace.
func (p eventPayload) us(self Self) (user, team string) {
	user, team = self.User, self.Team
	for _, a := range p.Authorizations {
		if user == "" && a.IsBot {
			user = a.UserID
		}
		team = cmp.Or(team, a.TeamID)
	}
	return user, cmp.Or(team, p.TeamID)
}

// addressed says whether the event may be a word to the bot: a mention, a direct
// message, a reply in a thread that the bot began.
func (p eventPayload) addressed(self Self) bool {
	ev := p.Event
	us, _ := p.us(self)
	switch {
	case ev.TS == "":
		return false
	case ev.BotID != "", ev.User == "", us != "" && ev.User == us:
		return false
	case ev.Subtype != "" && ev.Subtype != "file_share" && ev.Subtype != "thread_broadcast":
		return false // an edit, a join, a topic …
	case ev.Type == "app_mention", p.direct(), hasMention([]byte(ev.Text), us):
		return true
	}
	inThread := ev.ThreadTS != "" && ev.ThreadTS != ev.TS
	return inThread && (ev.ParentUser == nil || us == "" || *ev.ParentUser == us)
}

func (p eventPayload) direct() bool {
	return p.Event.ChannelType == "im" || strings.HasPrefix(p.Event.Channel, "D")
}

func (s Self) event(p eventPayload) (integrations.Heard, error) {
	ev := p.Event
	if ev.Type == homeOpened {
		return s.homeOpened(p), nil
	}
	if ev.Type != "message" && ev.Type != "app_mention" {
		return integrations.Heard{}, fmt.Errorf("an event %q is nothing that was said", ev.Type)
	}
	us, ours := p.us(s)
	h := integrations.Heard{
		Team: cmp.Or(ev.UserTeam, ev.SourceTeam, ev.Team, p.TeamID), User: ev.User,
		Bot:     ev.BotID != "" || ev.Subtype == "bot_message" || us != "" && ev.User == us,
		Channel: ev.Channel, TS: ev.TS, Private: p.direct(), Sent: slackTime(ev.TS),
	}
	h.Stranger = ours != "" && h.Team != "" && h.Team != ours
	if ev.ThreadTS != ev.TS {
		h.Thread = ev.ThreadTS
	}
	text, mentioned := afterMention(ev.Text, us, ev.Type == "app_mention")
	h.Text = text
	switch {
	case h.Private:
		h.Kind = "direct"
	case mentioned:
		h.Kind = "mention"
	case h.Thread != "":
		h.Kind = "reply"
	default:
		return h, fmt.Errorf("a message of a channel that does not mention the bot")
	}
	return h, nil
}

// afterMention is what stands behind the mention of the bot, or before it when
// nothing stands behind. certain says that there is a mention, even if the bot's
// id is not known: then the first mention is it.
func afterMention(text, us string, certain bool) (rest string, mentioned bool) {
	for at := 0; ; {
		i := strings.Index(text[at:], "<@")
		if i < 0 {
			return strings.TrimSpace(text), certain
		}
		i += at
		end := strings.IndexByte(text[i:], '>')
		if end < 0 {
			return strings.TrimSpace(text), certain
		}
		id, _, _ := strings.Cut(text[i+2:i+end], "|")
		if id == us || us == "" && certain {
			behind := strings.TrimSpace(strings.TrimLeft(text[i+end+1:], " \t\n\u00a0\u3000:,、，："))
			if behind == "" {
				behind = strings.TrimSpace(text[:i])
			}
			return behind, true
		}
		at = i + end
	}
}

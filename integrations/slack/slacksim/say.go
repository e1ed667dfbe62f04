package slacksim

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// Answer is what an act came to, for the person who did it. TS is the message
// they wrote, or empty for a command, which is not a message.
type Answer struct {
	OK       bool      `json:"ok"`
	TS       string    `json:"ts"`
	Response *Response `json:"response"`
	Modal    *Modal    `json:"modal"`
}

// Response is a message that only that person saw.
type Response struct {
	Text    string          `json:"text"`
	Blocks  json.RawMessage `json:"blocks"`
	Buttons []Button        `json:"buttons"`
	TS      string          `json:"ts"`
}

// Say types a message as a person: a text that begins with the slash command is
// one, everything else becomes a message, of which the bot is told as Slack
// would. The channel "@<bot>" is the person's direct messages with it. threadTS
// answers in a thread. It returns when the bot has decided, five seconds at
// most. What Slack refuses is a *Refusal.
func (s *Sim) Say(ctx context.Context, user, channel, text, threadTS string) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	if strings.HasPrefix(text, "/") {
		return s.slash(ctx, user, channel, text, threadTS)
	}
	a := &act{thread: threadTS}
	var m *message
	var events []*event
	err := s.change(func(t *tx) error {
		u, c, err := s.enter(t, user, channel)
		if err != nil {
			return err
		}
		if strings.TrimSpace(text) == "" {
			return refuse("no_text", "an empty message")
		}
		if threadTS != "" {
			p := s.book.messages[c.ID+"/"+threadTS]
			if p == nil || p.To != "" {
				return refuse("thread_not_found", "no message %s in %s", threadTS, c.Name)
			}
			if p.inThread() {
				threadTS = p.ThreadTS
			}
		}
		a.user, a.channel = u.ID, c.ID
		s.begin(t, a, "")
		m = &message{Channel: c.ID, TS: t.ts(), ThreadTS: threadTS, User: u.ID, Text: s.encode(text, false)}
		t.message(m)
		events = s.messageEvent(t, c, m)
		return nil
	})
	defer s.endAct(a)
	if err != nil {
		return Answer{}, err
	}
	var ds []Delivery
	for _, e := range events {
		select {
		case <-e.done:
		case <-ctx.Done():
		}
		s.mu.Lock()
		if e.last.EnvelopeID != "" {
			ds = append(ds, e.last)
		}
		s.mu.Unlock()
	}
	if len(ds) == 0 { // nobody was told: nobody will answer
		return s.answer(a, m.TS)
	}
	return s.collect(ctx, a, ds, m.TS)
}

// enter finds a person and a channel that they may write in. The lock is held.
func (s *Sim) enter(t *tx, user, channel string) (User, *channel, error) {
	u, err := s.user(user)
	if err != nil {
		return u, nil, err
	}
	c, err := s.room(t, u, channel)
	switch {
	case err != nil:
		return u, nil, err
	case c.Archived:
		return u, nil, refuse("is_archived", "%s is archived", c.Name)
	case !c.has(u.ID):
		return u, nil, refuse("not_in_channel", "%s is not in %s", u.Name, c.Name)
	}
	return u, c, nil
}

func (s *Sim) slash(ctx context.Context, user, channel, text, threadTS string) (Answer, error) {
	command, rest, _ := strings.Cut(text, " ")
	a := &act{}
	var e envelope
	err := s.change(func(t *tx) error {
		u, c, err := s.enter(t, user, channel)
		switch {
		case err != nil:
			return err
		case command != s.cfg.Command:
			return refuse("invalid_command", "%s is not a valid command", command)
		case threadTS != "":
			return refuse("not_supported_in_threads", "%s is not supported in threads. Sorry!", command)
		}
		a.user, a.channel = u.ID, c.ID
		s.begin(t, a, "")
		name := c.Name
		switch c.kind() {
		case "im":
			name = "directmessage"
		case "group":
			name = "privategroup"
		}
		e = envelope{Type: "slash_commands", Accepts: true, Payload: encodeJSON(map[string]any{
			"token": "verification", "team_id": s.teamOf(u), "team_domain": s.cfg.TeamName,
			"channel_id": c.ID, "channel_name": name, "user_id": u.ID, "user_name": u.Name,
			"command": command, "text": s.encode(strings.TrimSpace(rest), true), "api_app_id": s.cfg.AppID,
			"is_enterprise_install": "false", "response_url": s.base + "/response/" + a.token,
			"trigger_id": a.trigger,
		})}
		return nil
	})
	defer s.endAct(a)
	if err != nil {
		return Answer{}, err
	}
	ack, d, err := s.send(ctx, e, command)
	if err != nil {
		return Answer{}, err
	}
	d.TriggerID = a.trigger
	if len(ack) > 0 {
		if err := s.respond(a.token, ack, false); err != nil {
			s.violate("answer in the acknowledgement of %s: %v", command, err)
		}
	}
	return s.collect(ctx, a, []Delivery{d}, "")
}

func (s *Sim) teamOf(u User) string {
	if u.OtherTeam != "" {
		return u.OtherTeam
	}
	return s.cfg.TeamID
}

var (
	markup  = regexp.MustCompile(`<(?:[@#!][^<>]+|(?:https?://|mailto:)[^<>]+)>`)
	linkish = regexp.MustCompile(`https?://[^\s<>|]+|[@#][\pL\pN._-]+`)
	escapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
)

// encode writes what a person typed as Slack sends it on: escaped, and with
// names and links marked up. Markup that is already there stays. Commands name
// people as <@id|name>, messages as <@id>.
func (s *Sim) encode(text string, command bool) string {
	var b strings.Builder
	for text != "" {
		at := markup.FindStringIndex(text)
		if at == nil {
			at = []int{len(text), len(text)}
		}
		b.WriteString(linkish.ReplaceAllStringFunc(escapes.Replace(text[:at[0]]), func(w string) string {
			return s.mark(w, command)
		}))
		b.WriteString(text[at[0]:at[1]])
		text = text[at[1]:]
	}
	return b.String()
}

func (s *Sim) mark(word string, command bool) string {
	switch {
	case strings.HasPrefix(word, "@"):
		u, err := s.user(word)
		if err != nil {
			return word
		}
		if command {
			return "<@" + u.ID + "|" + u.Name + ">"
		}
		return "<@" + u.ID + ">"
	case strings.HasPrefix(word, "#"):
		i := slices.IndexFunc(s.cfg.Channels, func(c Channel) bool { return c.Name == word[1:] })
		if i < 0 {
			return word
		}
		return "<#" + s.cfg.Channels[i].ID + "|" + word[1:] + ">"
	}
	return "<" + word + ">"
}

func mentions(text, user string) bool {
	return strings.Contains(text, "<@"+user+">") || strings.Contains(text, "<@"+user+"|")
}

func encodeJSON(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil { // only our own maps come here
		panic("encode: " + err.Error())
	}
	return b
}

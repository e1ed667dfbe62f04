package slacksim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// book is all that the workspace knows, in memory, under Sim.mu.
type book struct {
	counters  counters
	channels  map[string]*channel     // by id
	messages  map[string]*message     // by channel/ts, ephemeral ones too
	byChannel map[string][]*message   // in order of ts
	views     map[string]*viewState   // open modals by id
	homes     map[string]*viewState   // by user id
	files     map[string]*file        // by id
	bodies    map[string]*[]byte      // of files, by id
	events    map[string]*event       // pending, by event id
	responses map[string]*responseURL // by token
	groups    map[string]*group       // by id
}

type counters struct {
	LastTS int64 `json:"last_ts"` // µs
	LastID int64 `json:"last_id"`
}

type channel struct {
	ID, Name, Topic string
	Members         []string
	Private         bool
	Archived        bool
	IM              string // the user at the other end of a direct message
	Created         int64
	TopicBy         string `json:",omitempty"` // who set the topic; "" nobody yet
	TopicAt         int64  `json:",omitempty"` // s
}

func (c *channel) has(user string) bool { return slices.Contains(c.Members, user) }

func (c *channel) kind() string {
	switch {
	case c.IM != "":
		return "im"
	case c.Private:
		return "group"
	}
	return "channel"
}

type message struct {
	Channel, TS, ThreadTS, User string
	BotID                       string          `json:",omitempty"`
	Subtype, Topic              string          `json:",omitempty"` // of what Slack says itself: a new topic
	Text                        string          `json:",omitempty"`
	Blocks, Attachments         json.RawMessage `json:",omitempty"`
	// Was holds earlier blocks with something to press, the newest last: a client
	// that has not drawn an edit yet still shows those.
	Was       []json.RawMessage `json:",omitempty"`
	Metadata  json.RawMessage   `json:",omitempty"`
	EditedTS  string            `json:",omitempty"`
	To        string            `json:",omitempty"` // who alone sees it: an ephemeral message
	Broadcast bool              `json:",omitempty"`
	Files     []string          `json:",omitempty"`
	Reactions []string          `json:",omitempty"`
}

func (m *message) key() string { return m.Channel + "/" + m.TS }

// inThread reports whether the message is a reply.
func (m *message) inThread() bool { return m.ThreadTS != "" && m.ThreadTS != m.TS }

func newBook() book {
	return book{
		channels: map[string]*channel{}, messages: map[string]*message{},
		byChannel: map[string][]*message{}, views: map[string]*viewState{},
		homes: map[string]*viewState{}, files: map[string]*file{}, bodies: map[string]*[]byte{},
		events: map[string]*event{}, responses: map[string]*responseURL{},
		groups: map[string]*group{},
	}
}

func (b *book) load(j *journal) error {
	meta := map[string]*counters{}
	for _, err := range []error{
		load(j, bucketMeta, meta),
		load(j, bucketChannels, b.channels),
		load(j, bucketMessages, b.messages),
		load(j, bucketViews, b.views),
		load(j, bucketHomes, b.homes),
		load(j, bucketFiles, b.files),
		load(j, bucketFileBodies, b.bodies),
		load(j, bucketEvents, b.events),
		load(j, bucketResponses, b.responses),
		load(j, bucketGroups, b.groups),
	} {
		if err != nil {
			return fmt.Errorf("load workspace: %w", err)
		}
	}
	if c := meta["counters"]; c != nil {
		b.counters = *c
	}
	for _, m := range b.messages {
		b.byChannel[m.Channel] = append(b.byChannel[m.Channel], m)
	}
	for _, ms := range b.byChannel {
		slices.SortFunc(ms, func(x, y *message) int { return strings.Compare(x.TS, y.TS) })
	}
	return nil
}

// pending lists the ids of the events that nobody has acknowledged, oldest
// first.
func (b *book) pending() []string {
	var ids []string
	for id := range b.events {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func (t *tx) channel(c *channel) {
	t.s.book.channels[c.ID] = c
	t.put(bucketChannels, c.ID, c)
}

// message stores a new or a changed message.
func (t *tx) message(m *message) {
	b := &t.s.book
	if b.messages[m.key()] == nil {
		b.byChannel[m.Channel] = append(b.byChannel[m.Channel], m)
	}
	b.messages[m.key()] = m
	t.put(bucketMessages, m.key(), m)
}

func (t *tx) deleteMessage(m *message) {
	b := &t.s.book
	delete(b.messages, m.key())
	b.byChannel[m.Channel] = slices.DeleteFunc(b.byChannel[m.Channel], func(x *message) bool { return x == m })
	t.del(bucketMessages, m.key())
}

// user finds a person, or the bot, by id, name, @name or <@id>. Config does not
// change, so no lock is needed.
func (s *Sim) user(who string) (User, error) {
	who = strings.TrimSuffix(strings.TrimPrefix(who, "<@"), ">")
	who = strings.TrimPrefix(who, "@")
	if who == s.cfg.BotUserID || who == s.cfg.BotName {
		return User{ID: s.cfg.BotUserID, Name: s.cfg.BotName, RealName: s.cfg.BotName, TZ: "Etc/UTC", Bot: true}, nil
	}
	for _, u := range s.cfg.Users {
		if u.ID == who || u.Name == who {
			return u, nil
		}
	}
	return User{}, refuse("user_not_found", "nobody here is called %q", who)
}

// room finds a channel by id, name or #name, and a user's direct messages with
// the bot by @botname, which it opens. The lock is held.
func (s *Sim) room(t *tx, u User, name string) (*channel, error) {
	if c := s.book.channels[name]; c != nil {
		return c, nil
	}
	bare := strings.TrimPrefix(name, "#")
	for _, c := range s.book.channels {
		if c.IM == "" && c.Name == bare {
			return c, nil
		}
	}
	if bot, err := s.user(name); err == nil && bot.ID == s.cfg.BotUserID && t != nil {
		return s.openIM(t, u.ID), nil
	}
	return nil, refuse("channel_not_found", "there is no channel %q", name)
}

// openIM finds or makes the direct messages of a user with the bot.
func (s *Sim) openIM(t *tx, user string) *channel {
	for _, c := range s.book.channels {
		if c.IM == user {
			return c
		}
	}
	c := &channel{ID: t.id("D"), IM: user, Members: []string{user, s.cfg.BotUserID}, Created: s.cfg.Clock.Now().Unix()}
	t.channel(c)
	return c
}

// responseURL is one response_url: five uses within half an hour.
type responseURL struct {
	Token, User, Channel, ThreadTS string
	Source                         string // ts of the message whose button was pressed
	Expires                        time.Time
	Uses                           int
}

// Refusal is an act that Slack does not let a person do, or that failed in a way
// Slack shows to that person.
type Refusal struct{ Code, Text string }

func (r *Refusal) Error() string { return r.Code + ": " + r.Text }

func refuse(code, format string, args ...any) error {
	return &Refusal{Code: code, Text: fmt.Sprintf(format, args...)}
}

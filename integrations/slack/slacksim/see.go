package slacksim

import (
	"encoding/json"
	"slices"
	"strings"
)

// Message is a message as the people of the workspace see it.
type Message struct {
	TS       string          `json:"ts"`
	ThreadTS string          `json:"thread_ts"` // of the message answered; empty outside threads
	User     string          `json:"user"`      // id
	Name     string          `json:"name"`      // of that user
	Text     string          `json:"text"`
	Blocks   json.RawMessage `json:"blocks"`
	Buttons  []Button        `json:"buttons"`
	Edited   bool            `json:"edited"`
	Bot      bool            `json:"bot"`
	Replies  int             `json:"replies"`
	// Ephemeral says that only one person sees it.
	Ephemeral bool `json:"ephemeral"`
	// Subtype is set where Slack itself says something: "channel_topic".
	Subtype   string          `json:"subtype,omitempty"`
	Channel   string          `json:"channel"` // id
	Files     []File          `json:"files"`
	Metadata  json.RawMessage `json:"metadata,omitempty"`
	Reactions []string        `json:"reactions,omitempty"`
}

// File is a file under a message; URL reads it.
type File struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Title string `json:"title"`
	Size  int    `json:"size"`
	URL   string `json:"url"`
	// Picture says that it is shown itself, and Alt what is told of it then.
	Picture bool   `json:"picture,omitempty"`
	Alt     string `json:"alt,omitempty"`
}

// Button is what a person can press in a message. Options are those of a menu.
type Button struct {
	Label    string   `json:"label"`
	ActionID string   `json:"action_id"`
	Value    string   `json:"value"`
	Style    string   `json:"style,omitempty"`
	URL      string   `json:"url,omitempty"` // a link: it can only be followed
	Confirm  *Confirm `json:"confirm,omitempty"`
	Options  []Option `json:"options,omitempty"`
}

// Confirm is what Slack asks before it passes a press on.
type Confirm struct {
	Title   string `json:"title"`
	Text    string `json:"text"`
	Confirm string `json:"confirm"`
	Deny    string `json:"deny"`
}

// Option is a choice of a menu.
type Option struct {
	Text  string `json:"text"`
	Value string `json:"value"`
}

// Modal is an open modal.
type Modal struct {
	ViewID     string            `json:"view_id"`
	CallbackID string            `json:"callback_id"`
	Title      string            `json:"title"`
	Submit     string            `json:"submit"`
	Close      string            `json:"close"`
	Blocks     json.RawMessage   `json:"blocks"`
	Inputs     []Input           `json:"inputs"`
	Errors     map[string]string `json:"errors,omitempty"` // of the last submission, by block id
}

// Input is one field of a modal.
type Input struct {
	BlockID  string   `json:"block_id"`
	ActionID string   `json:"action_id"`
	Label    string   `json:"label"`
	Hint     string   `json:"hint,omitempty"`
	Type     string   `json:"type"`
	Value    string   `json:"value"` // what it is prefilled with
	Optional bool     `json:"optional"`
	Options  []Option `json:"options,omitempty"`
}

// Conversation is a channel, or the direct messages of a person with the bot.
type Conversation struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Topic    string   `json:"topic"` // as Slack keeps it: escaped, links in <…>, emoji by name
	Private  bool     `json:"private"`
	Archived bool     `json:"archived"`
	IM       string   `json:"im,omitempty"` // that person's id
	Members  []string `json:"members"`      // ids
}

// Users lists the people of the workspace, and the bot last.
func (s *Sim) Users() []User {
	bot, _ := s.user(s.cfg.BotUserID)
	return append(slices.Clone(s.cfg.Users), bot)
}

// Conversations lists the channels, by id.
func (s *Sim) Conversations() []Conversation {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Conversation
	for _, c := range s.sorted() {
		out = append(out, Conversation{
			ID: c.ID, Name: c.Name, Topic: c.Topic, Private: c.Private, Archived: c.Archived, IM: c.IM, Members: slices.Clone(c.Members),
		})
	}
	return out
}

// History lists what everybody in a channel sees, oldest first: the messages
// outside threads, or with threadTS the message it names and the answers to it.
func (s *Sim) History(channel, threadTS string) ([]Message, error) {
	return s.list(channel, func(m *message) bool {
		switch {
		case m.To != "":
			return false
		case threadTS == "":
			return !m.inThread() || m.Broadcast
		}
		return m.TS == threadTS || m.ThreadTS == threadTS
	})
}

// Ephemerals lists what only that person sees in a channel, oldest first.
func (s *Sim) Ephemerals(user, channel string) ([]Message, error) {
	u, err := s.user(user)
	if err != nil {
		return nil, err
	}
	return s.list(channel, func(m *message) bool { return m.To == u.ID })
}

func (s *Sim) list(name string, want func(*message) bool) ([]Message, error) {
	out := []Message{}
	err := s.view(func() error {
		c, err := s.room(nil, User{}, name)
		if err != nil {
			return err
		}
		for _, m := range s.book.byChannel[c.ID] {
			if want(m) {
				out = append(out, s.show(m))
			}
		}
		return nil
	})
	return out, err
}

// DirectMessages is the id of a person's direct messages with the bot, which are
// opened when they were not.
func (s *Sim) DirectMessages(user string) (string, error) {
	u, err := s.user(user)
	if err != nil {
		return "", err
	}
	var id string
	err = s.change(func(t *tx) error {
		id = s.openIM(t, u.ID).ID
		return nil
	})
	return id, err
}

// Modals lists a person's open modals, the topmost last.
func (s *Sim) Modals(user string) ([]Modal, error) {
	u, err := s.user(user)
	if err != nil {
		return nil, err
	}
	out := []Modal{}
	err = s.view(func() error {
		for _, v := range s.stack(u.ID) {
			out = append(out, *v.modal())
		}
		return nil
	})
	return out, err
}

func (s *Sim) show(m *message) Message {
	out := Message{
		TS: m.TS, ThreadTS: m.ThreadTS, User: m.User, Text: m.Text, Blocks: blocksOf(m), Buttons: buttonsOf(m.Blocks),
		Edited: m.EditedTS != "", Bot: m.BotID != "", Ephemeral: m.To != "", Subtype: m.Subtype, Channel: m.Channel,
		Metadata: m.Metadata, Reactions: slices.Clone(m.Reactions), Files: []File{},
	}
	if u, err := s.user(m.User); err == nil {
		out.Name = u.Name
	}
	if !m.inThread() {
		out.Replies = len(s.thread(m))
		if out.Replies > 0 {
			out.ThreadTS = m.TS
		}
	}
	for _, id := range m.Files {
		f := s.book.files[id]
		url, _ := s.wireFile(f)["url_private"].(string)
		out.Files = append(out.Files, File{ID: f.ID, Name: f.Name, Title: f.Title, Size: f.Length, URL: url, Picture: f.picture(), Alt: f.Alt})
	}
	return out
}

// blocksOf are the blocks of a message, never null.
func blocksOf(m *message) json.RawMessage {
	if len(m.Blocks) == 0 {
		return json.RawMessage("[]")
	}
	return m.Blocks
}

func decodeBlocks(raw json.RawMessage) []object {
	var list []object
	_ = json.Unmarshal(raw, &list) // checked when it was stored; nil is no blocks
	return list
}

// control is one element that a person can use, and the block it stands in.
type control struct {
	block, element object
}

// controls lists what can be used in blocks, in order.
func controls(raw json.RawMessage) []control {
	var out []control
	for _, b := range decodeBlocks(raw) {
		var list []any
		switch b["type"] {
		case "actions":
			list, _ = b["elements"].([]any)
		case "section":
			list = []any{b["accessory"]}
		case "input":
			list = []any{b["element"]}
		}
		for _, e := range list {
			if o, _ := e.(object); o != nil && o["type"] != "image" {
				out = append(out, control{b, o})
			}
		}
	}
	return out
}

func str(o object, path ...string) string {
	for _, p := range path[:len(path)-1] {
		o, _ = o[p].(object)
	}
	s, _ := o[path[len(path)-1]].(string)
	return s
}

func buttonsOf(raw json.RawMessage) []Button {
	out := []Button{}
	for _, c := range controls(raw) {
		if c.block["type"] == "input" {
			continue
		}
		e := c.element
		b := Button{
			Label: str(e, "text", "text"), ActionID: str(e, "action_id"), Value: str(e, "value"), Style: str(e, "style"),
			URL: str(e, "url"), Options: optionsOf(e),
		}
		if b.Label == "" {
			b.Label = str(e, "placeholder", "text")
		}
		if o, _ := e["confirm"].(object); o != nil {
			b.Confirm = &Confirm{
				Title: str(o, "title", "text"), Text: str(o, "text", "text"),
				Confirm: str(o, "confirm", "text"), Deny: str(o, "deny", "text"),
			}
		}
		out = append(out, b)
	}
	return out
}

func optionsOf(e object) []Option {
	var out []Option
	for _, o := range optionObjects(e) {
		out = append(out, Option{Text: str(o, "text", "text"), Value: str(o, "value")})
	}
	return out
}

// optionObjects lists the options of a menu, those in groups too.
func optionObjects(e object) []object {
	var out []object
	list, _ := e["options"].([]any)
	groups, _ := e["option_groups"].([]any)
	for _, g := range groups {
		o, _ := g.(object)
		more, _ := o["options"].([]any)
		list = append(list, more...)
	}
	for _, x := range list {
		if o, _ := x.(object); o != nil {
			out = append(out, o)
		}
	}
	return out
}

func (v *viewState) modal() *Modal {
	out := &Modal{
		ViewID: v.ID, CallbackID: v.CallbackID, Title: v.Title, Submit: v.Submit, Close: v.Close,
		Blocks: v.Blocks, Inputs: []Input{}, Errors: v.Errors,
	}
	if out.Blocks == nil {
		out.Blocks = json.RawMessage("[]")
	}
	for _, c := range controls(v.Blocks) {
		if c.element["type"] == "button" {
			continue
		}
		optional, _ := c.block["optional"].(bool)
		out.Inputs = append(out.Inputs, Input{
			BlockID: str(c.block, "block_id"), ActionID: str(c.element, "action_id"), Label: label(c.block), Hint: hint(c.block),
			Type: str(c.element, "type"), Value: strings.Join(initial(c.element), ","),
			Optional: optional || c.block["type"] != "input", Options: optionsOf(c.element),
		})
	}
	return out
}

func hint(block object) string { return str(block, "hint", "text") }

func label(block object) string {
	if block["type"] == "input" {
		return str(block, "label", "text")
	}
	return str(block, "text", "text")
}

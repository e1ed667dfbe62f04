package integrations

import "time"

// Heard is something a person did in chat: a typed line, a pressed button, a
// submitted modal.
type Heard struct {
	Kind string `json:"kind"` // "command", "mention", "direct", "reply", "click", "submit", "shortcut", "home"
	// Team and the flags tell colleagues from strangers.
	Team     string `json:"team"`
	User     string `json:"user"` // Slack user id
	UserName string `json:"user_name,omitempty"`
	Stranger bool   `json:"stranger,omitempty"` // of another workspace
	Bot      bool   `json:"bot,omitempty"`

	Channel     string `json:"channel"` // id
	ChannelName string `json:"channel_name,omitempty"`
	TS          string `json:"ts,omitempty"`        // of the message typed, or of the one whose button was pressed
	Thread      string `json:"thread,omitempty"`    // the root of the thread it stands in
	Private     bool   `json:"private,omitempty"`   // a direct message
	Ephemeral   bool   `json:"ephemeral,omitempty"` // the pressed button stood in an ephemeral message
	// App says that it was asked in no channel, but on the bot's own pages: its
	// Home tab, or a shortcut. Such a word is private, and Channel is the person,
	// who is answered directly; what comes of it is shown in the channel of its
	// environment.
	App bool `json:"app,omitempty"`

	// Text is what was typed after the command or the mention, as it was typed.
	Text string `json:"text,omitempty"`

	// Command and Version are what a pressed Button carried.
	Command string `json:"command,omitempty"`
	Version uint64 `json:"version,omitempty"`

	// Verb and Values are what a submitted Modal holds, by Input.Name, and what a
	// shortcut begins with.
	Verb   string            `json:"verb,omitempty"`
	Values map[string]string `json:"values,omitempty"`

	Trigger     string    `json:"trigger,omitempty"` // opens a modal, once, within 3 s
	ResponseURL string    `json:"response_url,omitempty"`
	Sent        time.Time `json:"sent,omitzero"`
}

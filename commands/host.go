package commands

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// What is typed on the host that the process runs on is an event like any other:
// the same language, policy and audit. It needs no chat, so it is the way in while
// that is away. Who typed is the user of the host, as the kernel names them.

// HostKind is the kind of its events.
const HostKind = "host.command"

// heardHost is how such a line is heard.
const heardHost = "host"

type typedHost struct {
	User string `json:"user"`
	Line string `json:"line"`
}

// HostEvent is a line that a user of the host typed, to be stored. The key is one
// of its own each time.
func HostEvent(user, line, key string, at time.Time) (store.Event, error) {
	body, err := json.Marshal(typedHost{user, line})
	return store.Event{Kind: HostKind, Keys: []string{"host:" + key}, Sent: at, Accepted: at, Body: body}, err
}

func decodeHost(body []byte) (integrations.Heard, error) {
	var t typedHost
	if err := json.Unmarshal(body, &t); err != nil {
		return integrations.Heard{}, fmt.Errorf("read %s: %w", HostKind, err)
	}
	line := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(t.Line), Prompt+" "))
	return integrations.Heard{Kind: heardHost, User: t.User, UserName: t.User, Text: line}, nil
}

// roomOf is the channel where what a line from the host brings about is shown: the
// first one of its environment, or else the first there is.
func roomOf(c *Call) string {
	first := ""
	for _, e := range c.Catalog.Environments {
		if len(e.Channels) == 0 {
			continue
		}
		room := strings.TrimPrefix(e.Channels[0], "#")
		if c.Verb != nil && e.Name == EnvironmentOf(c) {
			return room
		}
		if first == "" {
			first = room
		}
	}
	return first
}

// person finds who is heard.
func person(cat *integrations.Catalog, h integrations.Heard) integrations.Person {
	if h.Kind == heardHost {
		return cat.PersonByHost(h.User)
	}
	return cat.PersonBySlack(h.User)
}

func notLinkedHost(user string) *Refusal {
	return Refuse("not_linked", fmt.Sprintf("I do not know you: no one of the `people` of my configuration has `host: %s`.", user)).
		WithHint("Whoever keeps it adds that to your entry, and reloads. Root is nobody in particular: use your own user, without sudo.").WithExample("whoami")
}

// hostReply is what is answered on the host where chat would only show a card.
func hostReply(r Reply) *integrations.Message {
	text := "Done."
	switch {
	case r.Modal != nil:
		text = "That asks for more in a form, which only chat has. `help` shows how the whole line is written."
	case strings.HasPrefix(r.Subject, "op-"), strings.HasPrefix(r.Subject, "job-"):
		text = fmt.Sprintf("Begun: %s. Its card shows how it goes; here `status %s` does.", r.Subject, r.Subject)
	case r.Subject != "":
		text = fmt.Sprintf("Done: %s.", r.Subject)
	}
	return &integrations.Message{Text: text}
}

// answerHost stores the reply to a line from the host, where it is read by whoever
// waits for it; what everybody is to see is posted.
func answerHost(tx *store.Tx, it *item, r Reply, notes []string) error {
	a := answer{At: tx.Now(), Private: r.Private, Public: r.Public}
	if a.Private == nil && a.Public == nil {
		a.Private = hostReply(r)
	}
	if a.Private != nil {
		a.Private = noted(a.Private, notes)
	}
	if err := forget(tx); err != nil {
		return err
	}
	if err := answers(tx).Put(answerKey(it.event.Seq), a); err != nil || a.Public == nil || it.heard.Channel == "" {
		return err
	}
	return openAnswer(tx, it, placeMessage, map[string]string{"channel": it.heard.Channel})
}

// Answered is what was said to an event, and how it was decided: "done",
// "refused: not_allowed". decided is false while it is not.
func Answered(tx *store.Tx, seq uint64) (said []integrations.Message, outcome string, decided bool, err error) {
	e, err := tx.Event(seq)
	if err != nil || e.Decided.IsZero() {
		return nil, "", false, err
	}
	a, _, err := answers(tx).Get(answerKey(seq))
	if err != nil {
		return nil, "", false, err
	}
	for _, m := range []*integrations.Message{a.Private, a.Public} {
		if m != nil {
			said = append(said, *m)
		}
	}
	return said, e.Outcome, true, nil
}

// Plain is a message for a terminal. A button is the line that pressing it means.
func Plain(m integrations.Message) string {
	var b strings.Builder
	line := func(s string) {
		if s != "" {
			b.WriteString(strings.TrimRight(s, "\n") + "\n")
		}
	}
	if len(m.Blocks) == 0 {
		line(m.Text)
	}
	for _, k := range m.Blocks {
		line(k.Header)
		line(k.Text.Plain())
		for _, f := range k.Fields {
			line("  " + f.Name + ": " + f.Value.Plain())
		}
		line(k.Context.Plain())
		if k.Code != "" {
			line("  " + strings.ReplaceAll(strings.TrimRight(k.Code, "\n"), "\n", "\n  "))
		}
		for _, btn := range k.Buttons {
			if btn.Command != "" {
				line("  " + btn.Label + ": signalbox ops " + shellQuote(btn.Command))
			}
		}
	}
	return b.String()
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// Package language is how people are spoken to: each person and each channel in
// English or in the language that they asked for. Everything is decided, kept and
// written down in English; a card is put into the language of its place when it
// is shown.
package language

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	_ "embed"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/phrase"
	"github.com/signalbox-chatops/signalbox/store"
)

//go:embed ja.po
var ja string

// English is the language of the source, which needs no catalogue.
const English = "en"

// Languages are what can be spoken, with what each calls itself first.
var Languages = map[string][]string{
	English: {"English", "英語", "eigo"},
	"ja":    {"日本語", "Japanese", "jp", "nihongo"},
}

// Known finds a language by any of its names, in any case.
func Known(name string) (string, bool) {
	name = integrations.Fold(name)
	for code, names := range Languages {
		if name == code || slices.ContainsFunc(names, func(n string) bool { return integrations.Fold(n) == name }) {
			return code, true
		}
	}
	return "", false
}

// Deps are what the feature works with.
type Deps struct{}

// New is the feature.
func New(Deps) commands.Feature {
	return commands.Feature{Name: "language", Verbs: []commands.Verb{verb()}, Words: map[string]string{"ja": ja}}
}

// records are the languages asked for, by the id of a person or a channel in chat.
func records(tx *store.Tx) *store.Records[string] { return store.Feature[string](tx, "language") }

func verb() commands.Verb {
	return commands.Verb{
		Name: "language", Aliases: []string{"言語"}, Summary: "Be answered in English or in Japanese", Effect: commands.Changes, Right: "read",
		Args:     []commands.Arg{{Name: "language", Kind: commands.ArgWord, Optional: true, Help: "English or 日本語; left out, it says what is spoken"}},
		Flags:    []commands.Arg{{Name: "here", Kind: commands.ArgBool, Optional: true, Help: "for this channel, not for you alone"}},
		Examples: []string{"language 日本語", "language English --here"},
		Detail:   "What only you see is said in your language, and what a channel sees in the channel's.",
		Decide: func(_ context.Context, c *commands.Call) (commands.Act, error) {
			return func(tx *store.Tx) (commands.Reply, error) { return decide(tx, c) }, nil
		},
	}
}

func decide(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
	id, here := cmp.Or(c.Who.Slack, c.Heard.User), c.Arg("here") != ""
	if here {
		if c.Heard.Private {
			return commands.Reply{}, commands.Refuse("no_channel", "This is no channel: here, your own language is spoken.").WithExample("language 日本語")
		}
		id = c.Heard.Channel
	}
	if c.Arg("language") == "" {
		return asked(tx, id, here)
	}
	code, ok := Known(c.Arg("language"))
	if !ok {
		return commands.Reply{}, commands.Refuse("no_language", fmt.Sprintf("“%s” is not spoken here.", c.Arg("language"))).WithHint("English and 日本語 are.").WithExample("language 日本語")
	}
	reply := commands.Reply{Subject: id, Outcome: code}
	if err := records(tx).Put(id, code); err != nil {
		return reply, err
	}
	if here {
		reply.Public = &integrations.Message{Text: fmt.Sprintf("This channel is spoken to in %s from now on.", called(code))}
	} else {
		reply.Private = &integrations.Message{Text: fmt.Sprintf("You are answered in %s from now on.", called(code))}
	}
	return reply, nil
}

// asked says what is spoken to a person or a channel.
func asked(tx *store.Tx, id string, here bool) (commands.Reply, error) {
	code, found, err := records(tx).Get(id)
	text := "You are answered in the language of the channel or, where it has none, of this workspace."
	switch {
	case found && here:
		text = fmt.Sprintf("This channel is spoken to in %s.", called(code))
	case found:
		text = fmt.Sprintf("You are answered in %s.", called(code))
	case here:
		text = "This channel is spoken to in the language of this workspace."
	}
	return commands.Reply{Private: &integrations.Message{Text: text}}, err
}

func called(code string) string {
	if names := Languages[code]; len(names) > 0 {
		return names[0]
	}
	return code
}

// Speaker puts cards into the language of where they are shown.
type Speaker struct {
	books map[string]*phrase.Book
	// Default is the language of who asked for none.
	Default func() string
	// Channel is the id of a channel that may be given by name.
	Channel func(string) string
}

// NewSpeaker makes one of catalogues, by language. The error names every phrase
// that cannot be said; the speaker says all others.
func NewSpeaker(catalogues map[string][]string, byDefault func() string, channel func(string) string) (*Speaker, error) {
	s := &Speaker{books: map[string]*phrase.Book{}, Default: byDefault, Channel: channel}
	var wrong error
	for code, texts := range catalogues {
		book, err := phrase.New(texts...)
		if err != nil {
			wrong = fmt.Errorf("catalogue %s: %w", code, err)
		}
		s.books[code] = book
	}
	return s, wrong
}

// Card is a card in the language of its surface.
func (s *Speaker) Card(card tell.Card) tell.Card {
	return func(tx *store.Tx, surface *store.Surface) (integrations.Message, error) {
		m, err := card(tx, surface)
		if err != nil {
			return m, err
		}
		code, err := s.Of(tx, surface)
		if err != nil {
			return m, err
		}
		return Say(s.books[code], m), nil
	}
}

// Answer is what is said to one person where no surface is, such as on the host.
func (s *Speaker) Answer(tx *store.Tx, to integrations.Person, m integrations.Message) (integrations.Message, error) {
	code, err := s.Of(tx, &store.Surface{Place: "slack.private", Where: map[string]string{"user": to.Slack}})
	return Say(s.books[code], m), err
}

// Of is the language of a surface: the one that its Where names; else what one person
// sees is in theirs, and else in the channel's; and what nobody asked another one for is
// in the default.
func (s *Speaker) Of(tx *store.Tx, surface *store.Surface) (string, error) {
	if code := surface.Where["language"]; code != "" {
		return code, nil
	}
	if strings.HasPrefix(surface.Place, "slack.") {
		ids := []string{surface.Where["user"], surface.Where["channel"]}
		if channel := surface.Where["channel"]; channel != "" && s.Channel != nil {
			ids = append(ids, s.Channel(channel))
		}
		for _, id := range ids {
			if id == "" {
				continue
			}
			if code, found, err := records(tx).Get(id); err != nil || found {
				return code, err
			}
		}
	}
	if s.Default == nil {
		return English, nil
	}
	return s.Default(), nil
}

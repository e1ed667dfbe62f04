// Package morning is the digest: what is only good to know is told once a day, in
// one message a channel, instead of one by one. What stands in it is opened by the
// features that know of it, through tell.Raise.
package morning

import (
	"fmt"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Deps are what the feature works with.
type Deps struct {
	// Cards are those of all features, by Surface.Card: a digest has a line of each
	// of its surfaces.
	Cards func() map[string]tell.Card
}

// New is the feature.
func New(d Deps) commands.Feature {
	return commands.Feature{Name: "morning", Words: map[string]string{"ja": ja}, Cards: map[string]tell.Card{tell.DigestCard: d.card}}
}

const (
	mostLines  = 40  // of a digest; its thread has all
	mostOfLine = 300 // characters
)

// card is the digest, with each thing as it is now.
func (d Deps) card(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	all, ok, err := tell.Digest(tx, s.Subject)
	if err != nil || !ok {
		return integrations.Message{Hold: true}, err
	}
	var lines []string
	for _, one := range all {
		card, ok := d.Cards()[one.Card]
		if !ok {
			continue
		}
		m, err := card(tx, one)
		if err != nil {
			return integrations.Message{}, err
		}
		if m.Hold {
			continue
		}
		line, _, _ := strings.Cut(m.Text, "\n")
		if r := []rune(line); len(r) > mostOfLine {
			line = string(r[:mostOfLine]) + "…"
		}
		lines = append(lines, "• "+line)
	}
	if len(lines) == 0 {
		return integrations.Message{Hold: true}, nil
	}
	title := fmt.Sprintf("☀️ Digest of the day: %d things to look at", len(lines))
	if len(lines) == 1 {
		title = "☀️ Digest of the day: 1 thing to look at"
	}
	if more := len(lines) - mostLines; more > 0 {
		lines = append(lines[:mostLines], fmt.Sprintf("and %d more", more))
	}
	m := integrations.Message{Text: title + "\n" + strings.Join(lines, "\n"), Blocks: []integrations.Block{{Text: integrations.R(integrations.Bold(title))}}}
	for at := 0; at < len(lines); at += 10 {
		m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R(strings.Join(lines[at:min(at+10, len(lines))], "\n"))})
	}
	m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R("Each stands in the thread, with its buttons.")})
	return m, nil
}

package home

import (
	"fmt"

	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// How much of each a Home tab shows: with its titles and what is more, that is
// less than the 100 blocks that Slack takes.
const (
	mostWaits    = 10 // two blocks each
	mostMine     = 8  // two blocks each
	mostLocks    = 8  // two blocks each
	mostOnCall   = 10 // lines of one block
	mostServices = 20 // one block each
	mostPlaces   = 8  // lines of a service's block
)

// A page is a Home tab while it is put together for somebody.
type page struct {
	*feature
	tx  *store.Tx
	cat *integrations.Catalog
	who integrations.Person
	m   integrations.Message
}

// item is one thing on a page, and what can be done about it.
type item struct {
	line    integrations.Rich
	buttons []integrations.Button
}

// card is the Home tab of one person. It says when and never how long ago, so that
// it stays as it is while nothing happens.
func (f *feature) card(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	user := s.Where["user"]
	v, _, err := visits(tx).Get(user)
	if err != nil {
		return integrations.Message{}, err
	}
	p := &page{feature: f, tx: tx, cat: f.Catalog()}
	p.who = p.cat.PersonBySlack(user)
	switch {
	case v.Guest:
		return guestPage(), nil
	case !p.who.Linked():
		return strangerPage(user), nil
	}
	p.m.Text = "The Home tab of " + p.who.Display()
	p.add(integrations.Block{Buttons: []integrations.Button{
		{Label: "Deploy…", Command: "deploy", Style: "primary"}, {Label: "Help", Command: "help"},
	}})
	for _, part := range []func() error{p.work, p.locks, p.onCall, p.runs} {
		if err := part(); err != nil {
			return integrations.Message{}, err
		}
	}
	return p.m, nil
}

func (p *page) add(b integrations.Block) { p.m.Blocks = append(p.m.Blocks, b) }

func (p *page) title(s string) { p.add(integrations.Block{Header: s}) }

func (p *page) small(s string) { p.add(integrations.Block{Context: integrations.R(s)}) }

// list shows items under a title, most at the most, or else says that there are
// none.
func (p *page) list(title string, all []item, most int, none, more string) {
	if len(all) > 0 {
		title = fmt.Sprintf("%s (%d)", title, len(all))
	}
	p.title(title)
	if len(all) == 0 {
		p.small(none)
	}
	for i, it := range all {
		if i == most {
			p.small(fmt.Sprintf("… and %d more: %s", len(all)-i, more))
			break
		}
		p.add(integrations.Block{Text: it.line})
		if len(it.buttons) > 0 {
			p.add(integrations.Block{Buttons: it.buttons})
		}
	}
}

// offered is what the card of a surface offers now. A fault in it is not a fault of
// the Home tab, which then offers nothing there.
func (p *page) offered(s *store.Surface) []integrations.Button {
	var out []integrations.Button
	for _, b := range p.drawn(s).Blocks {
		out = append(out, b.Buttons...)
	}
	return out
}

func (p *page) drawn(s *store.Surface) (m integrations.Message) {
	var card tell.Card
	if p.Cards != nil {
		card = p.Cards()[s.Card]
	}
	if card == nil {
		return m
	}
	defer func() {
		if fault := recover(); fault != nil {
			p.Log.Error("draw a card for a home tab", "card", s.Card, "subject", s.Subject, "panic", fault)
			m = integrations.Message{}
		}
	}()
	m, err := card(p.tx, s)
	if err != nil {
		p.Log.Warn("draw a card for a home tab", "card", s.Card, "subject", s.Subject, "error", err)
		return integrations.Message{}
	}
	return m
}

// strangerPage says how somebody becomes known.
func strangerPage(user string) integrations.Message {
	m := integrations.Message{Text: "I do not know you yet. Your Slack id is " + user + "."}
	m.Blocks = []integrations.Block{
		{Header: "I do not know you yet"},
		{Text: integrations.R("Your Slack id is ", integrations.Code(user), ". To be known, have whoever keeps my configuration add you:")},
		{Code: "people:\n  - name: your-name\n    slack: " + user + "\n    github: your GitHub login"},
		{Text: integrations.R("and put that name into a group that may do what you need. Then open this tab again.")},
		{Buttons: []integrations.Button{{Label: "Who am I?", Command: "whoami"}, {Label: "Help", Command: "help"}}},
	}
	return m
}

func guestPage() integrations.Message {
	const text = "You are a guest of this workspace, and I take orders from its members alone. Ask one of them to do it for you."
	return integrations.Message{Text: text, Blocks: []integrations.Block{{Header: "You are a guest here"}, {Text: integrations.R(text)}}}
}

// Package incident keeps the incidents that people declare by hand. While one is
// open, whoever is on call may act alone (commands/deploy asks gate.OpenIncident).
package incident

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	card         = "incident"
	placeMessage = "slack.message"
)

// Deps are what the feature works with.
type Deps struct{ Clock clock.Clock }

type feature struct{ Deps }

// New is the feature.
func New(d Deps) commands.Feature {
	f := &feature{d}
	return commands.Feature{
		Name: "incident", Words: map[string]string{"ja": ja}, Verbs: []commands.Verb{f.openVerb(), f.overVerb(), f.listVerb()},
		Cards: map[string]tell.Card{card: f.card},
	}
}

func incidents(tx *store.Tx) *store.Records[gate.Incident] {
	return store.Feature[gate.Incident](tx, gate.IncidentFeature)
}

func (f *feature) openVerb() commands.Verb {
	return commands.Verb{
		Name: "incident", Summary: "Declare an incident, which lets the person on call act alone", Effect: commands.Changes,
		Args: []commands.Arg{
			{Name: "environment", Kind: commands.ArgEnvironment, Keyword: "in", Help: "where something is broken"},
			{Name: "title", Kind: commands.ArgText, Help: "what is broken, in a sentence"},
		},
		Flags: []commands.Arg{{Name: "service", Kind: commands.ArgService, Optional: true, Help: "of one service; else of all there"},
			{Name: "another", Kind: commands.ArgBool, Optional: true, Help: "it is another one than what was declared there a moment ago"}},
		Examples: []string{`incident in {environment} "the shop is down" --service {service}`},
		Detail: "It stays open until somebody says that it is over. Said again, also by somebody else, it is the one that is open; " +
			"so is what is declared in other words in the same place within two minutes, unless you say --another.",
		Decide: func(_ context.Context, c *commands.Call) (commands.Act, error) {
			return func(tx *store.Tx) (commands.Reply, error) { return f.open(tx, c) }, nil
		},
	}
}

func (f *feature) open(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
	i := gate.Incident{Title: strings.TrimSpace(c.Arg("title")), Service: c.Arg("service"), Environment: c.Arg("environment"),
		By: gate.ToStore(c.Who), Channel: room(c), Opened: f.Clock.Now()}
	reply := commands.Reply{Service: i.Service, Environment: i.Environment}
	if i.Title == "" {
		return reply, commands.Refuse("no_title", "What is broken?").WithExample(`incident in ` + i.Environment + ` "the shop is down"`)
	}
	first, err := already(tx, i, c.Arg("another") != "")
	if err != nil {
		return reply, err
	}
	if first != nil {
		reply.Subject, reply.Private = first.ID, f.openAlready(c, i, *first)
		return reply, nil
	}
	if i.ID, err = tx.NextID("incident"); err != nil {
		return reply, err
	}
	reply.Subject = i.ID
	if err := incidents(tx).Put(i.ID, i); err != nil {
		return reply, err
	}
	return reply, tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, i.ID), Place: placeMessage, Card: card, Subject: i.ID, Where: map[string]string{"channel": i.Channel, "silent": "yes"}})
}

// atOnce is how soon after an incident another one of the same place is taken for
// the same, in the words of somebody else who saw it.
const atOnce = 2 * time.Minute

// already finds the open incident that i is: of the same place, and of the same
// title or of a moment ago; nil if it is a new one.
func already(tx *store.Tx, i gate.Incident, another bool) (*gate.Incident, error) {
	var found *gate.Incident
	err := incidents(tx).Each("", func(_ string, o gate.Incident) error {
		if !o.Over.IsZero() || o.Service != i.Service || o.Environment != i.Environment {
			return nil
		}
		if same(o.Title, i.Title) || !another && found == nil && i.Opened.Sub(o.Opened) < atOnce {
			found = &o
		}
		return nil
	})
	return found, err
}

// same says whether two titles say the same but for case, spaces and a full stop.
func same(a, b string) bool {
	plain := func(s string) string {
		return strings.TrimRight(strings.Join(strings.Fields(integrations.Fold(s)), " "), ".!。！")
	}
	return plain(a) == plain(b)
}

// openAlready answers whoever declared what is open already.
func (f *feature) openAlready(c *commands.Call, i, first gate.Incident) *integrations.Message {
	text := fmt.Sprintf("%s %s is open already: “%s”, declared by %s %s ago.", first.ID, where(first), first.Title, gate.FromStore(first.By).Display(), gate.Age(i.Opened.Sub(first.Opened)))
	m := &integrations.Message{Text: text, Blocks: []integrations.Block{{Text: integrations.R(text)}}}
	if same(first.Title, i.Title) {
		return m
	}
	again := *c
	again.Args = maps.Clone(c.Args)
	again.Args["another"] = "true"
	m.Text += " If yours is another one, declare it with --another."
	m.Blocks = append(m.Blocks, integrations.Block{Buttons: []integrations.Button{{Label: "Declare another", Command: commands.Render(&again)}}})
	return m
}

// room is where an incident is shown: where somebody said so, or else, if that is
// private, in a channel of its environment.
func room(c *commands.Call) string {
	env, _ := c.Catalog.Environment(c.Arg("environment"))
	if c.Heard.Private && len(env.Channels) > 0 {
		return strings.TrimPrefix(env.Channels[0], "#")
	}
	return c.Heard.Channel
}

func (f *feature) overVerb() commands.Verb {
	return commands.Verb{
		Name: "all-clear", Summary: "Say that an incident is over", Effect: commands.Changes, Right: "incident",
		Args:     []commands.Arg{{Name: "incident", Kind: commands.ArgWord, Help: "its id"}},
		Examples: []string{"all-clear incident-3"},
		Decide: func(_ context.Context, c *commands.Call) (commands.Act, error) {
			return func(tx *store.Tx) (commands.Reply, error) { return f.over(tx, c) }, nil
		},
	}
}

func (f *feature) over(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
	id := integrations.Fold(c.Arg("incident"))
	i, found, err := incidents(tx).Get(id)
	switch {
	case err != nil:
		return commands.Reply{}, err
	case !found:
		return commands.Reply{}, commands.Refuse("unknown_incident", fmt.Sprintf("No incident is called “%s”.", c.Arg("incident"))).WithExample("incidents")
	}
	reply := commands.Reply{Subject: i.ID, Service: i.Service, Environment: i.Environment}
	if err := commands.Allow(c, "incident", i.Environment); err != nil {
		return reply, err
	}
	if !i.Over.IsZero() {
		return reply, commands.Refuse("over", fmt.Sprintf("%s is over already: %s said so %s ago.", i.ID, gate.FromStore(i.OverBy).Display(), gate.Age(f.Clock.Now().Sub(i.Over))))
	}
	i.Over, i.OverBy = f.Clock.Now(), gate.ToStore(c.Who)
	reply.Private = &integrations.Message{Text: i.ID + " is over."}
	if err := incidents(tx).Put(i.ID, i); err != nil {
		return reply, err
	}
	return reply, tell.Mark(tx, i.ID, true)
}

func (f *feature) listVerb() commands.Verb {
	return commands.Verb{
		Name: "incidents", Summary: "List the open incidents", Effect: commands.Reads, Examples: []string{"incidents"},
		Decide: func(_ context.Context, _ *commands.Call) (commands.Act, error) {
			return func(tx *store.Tx) (commands.Reply, error) { return f.list(tx) }, nil
		},
	}
}

func (f *feature) list(tx *store.Tx) (commands.Reply, error) {
	var lines []string
	err := incidents(tx).Each("", func(_ string, i gate.Incident) error {
		if i.Over.IsZero() {
			lines = append(lines, fmt.Sprintf("🔥 %s %s: “%s”, declared by %s %s ago", i.ID, where(i), i.Title, gate.FromStore(i.By).Display(), gate.Age(f.Clock.Now().Sub(i.Opened))))
		}
		return nil
	})
	if err != nil {
		return commands.Reply{}, err
	}
	text := "No incident is open."
	if len(lines) > 0 {
		text = strings.Join(lines[:min(len(lines), 30)], "\n")
	}
	return commands.Reply{Private: &integrations.Message{Text: text}}, nil
}

func where(i gate.Incident) string {
	return strings.TrimSpace(i.Service + " in " + i.Environment)
}

// card is the message of an incident.
func (f *feature) card(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	i, found, err := incidents(tx).Get(s.Subject)
	if err != nil || !found {
		return integrations.Message{Hold: true}, err
	}
	if !i.Over.IsZero() {
		took := gate.Age(i.Over.Sub(i.Opened))
		return integrations.Message{
			Text:   fmt.Sprintf("🟢 %s %s is over after %s: %s", i.ID, where(i), took, i.Title),
			Blocks: []integrations.Block{{Text: integrations.R("🟢 ", i.ID, " ", where(i), " is over after ", took, ": ", integrations.Italic(i.Title), ". Said by ", integrations.Who(gate.FromStore(i.OverBy)), ".")}},
		}, nil
	}
	return integrations.Message{
		Text: fmt.Sprintf("🔥 %s %s: %s, declared by %s", i.ID, where(i), i.Title, gate.FromStore(i.By).Display()),
		Blocks: []integrations.Block{
			{Text: integrations.R("🔥 ", integrations.Code(i.ID), " ", integrations.Bold(where(i)), ": ", integrations.Italic(i.Title), ", declared by ", integrations.Who(gate.FromStore(i.By)), ".")},
			{Buttons: []integrations.Button{{Label: "All clear", Command: "all-clear " + i.ID, Confirm: "It is over?"}}},
			{Context: integrations.R("While it is open whoever is on call may act alone: `break-glass`.")},
		},
	}, nil
}

// Package incident makes one message of each thing that is wrong: of the alerts of all
// sources, and of what people declare or call for by hand. People acknowledge it there as
// themselves, and until somebody does, those on call are called, step by step. While an
// incident is open that a person declared or has acknowledged, whoever is on call may act
// alone (commands/deploy asks gate.OpenIncident).
//
// Nothing is called by a timer alone: what is due stands in the store, and each call is
// written down in the transaction that opens what tells it.
package incident

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	card         = "incident"
	cardPage     = "incident-page"
	cardCalled   = "incident-called"
	cardAwake    = "incident-awake"
	cardReminder = "incident-reminder"
	cardThere    = "incident-there"
	cardMended   = "incident-mended"
	cardPicture  = "incident-picture"
	cardSilence  = "incident-silence"
	cardUntexted = "incident-untexted"
	placeMessage = "slack.message"

	keepFor = 180 * 24 * time.Hour // what is over
)

// Deps are what the feature works with.
type Deps struct {
	Store   *store.Store
	Clock   clock.Clock
	Log     *slog.Logger
	Catalog func() *integrations.Catalog
	// Config is that of this moment; nil is none.
	Config func() Config
	// Channel turns a channel's name into its id; where it cannot, the name stays.
	Channel func(name string) string
	// Read is what an event of a kind "alert.…" says. Its error is final.
	Read func(kind string, event []byte) (integrations.AlertNotice, error)
	// Called are the people behind a name now: a person, whoever is on call of a
	// schedule, those of a group. Nobody is no error.
	Called func(name string, at time.Time) ([]integrations.Person, error)
	// Drains says that instances can be drained.
	Drains bool
	// Remote is the system that pages people for incidents of its own, as the configuration
	// of this moment has it; nil is none.
	Remote func() *Remote
	// Draw draws a metric of the first of some names that has it, for a channel; nil draws
	// none. Its error is a *commands.Refusal; one with the code "away" may be tried again.
	Draw func(ctx context.Context, of []string, metric, channel string, from, until time.Time) (integrations.Drawn, error)
	// Dir is the folder of pictures until they are sent.
	Dir string
	// Sources are those that alerts come from, as far as they can be asked for more; nil
	// is none.
	Sources func() []Source
	// Customers are the buttons by which customers are told of an incident; nil shows none.
	Customers func(tx *store.Tx, s integrations.PageSubject) ([]integrations.Button, error)
	// Texts sends text messages; nil where no account is configured.
	Texts Texter
}

type feature struct {
	Deps
	drawn commands.Files

	// Of the tick that agrees with the other system, which is one at a time.
	notBefore, mended time.Time
	deaf              bool // it did not answer the last time
	sending           sync.Mutex
}

// New is the feature.
func New(d Deps) commands.Feature {
	if d.Config == nil {
		d.Config = func() Config { return Config{} }
	}
	if d.Sources == nil {
		d.Sources = func() []Source { return nil }
	}
	f := &feature{Deps: d, drawn: commands.Files{Store: d.Store, Clock: d.Clock, Dir: d.Dir, Of: "incident-graph"}}
	return commands.Feature{
		Name: "incident", Words: map[string]string{"ja": ja}, Verbs: append([]commands.Verb{f.openVerb(), f.raiseVerb(), f.overVerb(), f.listVerb()}, f.actVerbs()...),
		Events: map[string]commands.Handler{"alert.": f.hear},
		Ticks: []commands.Tick{{Name: "watch the incidents", Every: callEvery, Run: f.watch}, {Name: "agree on the incidents elsewhere", Every: agreeEvery, Run: f.agree},
			{Name: "carry the silences", Every: carryEvery, Run: f.carrySilences}, {Name: "texts", Every: callEvery, Run: f.send}, f.drawn.Tick()},
		Workers: []commands.Worker{{Name: "texts", Run: f.sends}},
		Kinds:   []runner.Kind{{Name: kindRemote, Quiet: true, Run: f.doThere}, {Name: kindPicture, Quiet: true, Run: f.draw}},
		Cards: map[string]tell.Card{card: f.card, cardPage: f.pageCard, cardCalled: f.calledCard, cardAwake: f.awakeCard, cardReminder: f.reminderCard,
			cardThere: f.thereCard, cardMended: f.mendedCard, cardSilence: f.silenceCard, cardUntexted: f.untextedCard,
			cardPicture: f.pictureCard, f.drawn.CardName(): f.drawn.Card},
		Prune: f.prune,
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
		By: gate.ToStore(c.Who), Channel: roomOf(c), Opened: f.Clock.Now()}
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

// roomOf is where an incident is shown: where somebody said so, or else, if that is
// private, in a channel of its environment.
func roomOf(c *commands.Call) string {
	env, _ := c.Catalog.Environment(c.Arg("environment"))
	if c.Heard.Private && len(env.Channels) > 0 {
		return strings.TrimPrefix(env.Channels[0], "#")
	}
	return c.Heard.Channel
}

func (f *feature) overVerb() commands.Verb {
	return commands.Verb{
		Name: "all-clear", Aliases: []string{"resolved"}, Takes: map[string]string{"resolve": "incident-"}, Summary: "Say that an incident is over", Effect: commands.Changes, Right: right,
		Args:     []commands.Arg{incidentArg, {Name: "text", Kind: commands.ArgText, Optional: true, Help: "what helped, for whoever has it next time"}},
		Examples: []string{"all-clear incident-3", "all-clear incident-3 the disk was full: old logs are removed"},
		Detail:   "If its source says again that it is wrong, it is open again. `resolve incident-3` says the same.",
		Decide:   f.decide(f.over),
	}
}

func (f *feature) over(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
	i, err := f.find(tx, c, c.Arg("incident"))
	if err != nil {
		return commands.Reply{}, err
	}
	reply, err := f.resolve(tx, c, i)
	reply.Subject, reply.Service, reply.Environment = i.ID, i.Service, i.Environment
	return reply, err
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
	var all []Incident
	err := records(tx).Each("", func(_ string, i Incident) error {
		if i.open() && i.Storm == "" {
			all = append(all, i)
		}
		return nil
	})
	if err != nil {
		return commands.Reply{}, err
	}
	if len(all) == 0 {
		return commands.Reply{Private: say("No incident is open.")}, nil
	}
	slices.SortStableFunc(all, func(a, b Incident) int { return cmp.Or(rank(a.Severity)-rank(b.Severity), a.Opened.Compare(b.Opened)) })
	m := &integrations.Message{}
	for n, i := range all {
		if n == mostListed {
			more := fmt.Sprintf("and %d more", len(all)-mostListed)
			m.Text += more
			m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R(more)})
			break
		}
		row := i.row(f.Clock.Now())
		m.Text += row.Plain() + "\n"
		m.Blocks = append(m.Blocks, integrations.Block{Text: row})
		if n < mostButtons && i.Acked.IsZero() && (i.Source != "" || i.Escalation != nil || i.Members != nil) {
			m.Blocks = append(m.Blocks, integrations.Block{Buttons: i.buttons()[:1]})
		}
	}
	m.Text = strings.TrimSpace(m.Text)
	return commands.Reply{Private: m}, nil
}

const (
	mostListed  = 30
	mostButtons = 8
)

// row is the line of one in a list.
func (i *Incident) row(now time.Time) integrations.Rich {
	if i.Source == "" && i.Escalation == nil && i.Members == nil {
		return integrations.R(fmt.Sprintf("🔥 %s %s: “%s”, declared by %s %s ago", i.ID, where(i.Incident), i.Title, gate.FromStore(i.By).Display(), gate.Age(now.Sub(i.Opened))))
	}
	return integrations.R(i.icon(), " ", integrations.Code(i.ID), " ", integrations.Bold(i.titled()), " · ", i.state(now), " · ", gate.Age(now.Sub(i.Opened)))
}

func where(i gate.Incident) string {
	if i.Environment == "" {
		return i.Service
	}
	return strings.TrimSpace(i.Service + " in " + i.Environment)
}

// declared is the message of an incident that a person declared.
func declared(i gate.Incident) integrations.Message {
	if !i.Over.IsZero() {
		took := gate.Age(i.Over.Sub(i.Opened))
		return integrations.Message{
			Text:   fmt.Sprintf("🟢 %s %s is over after %s: %s", i.ID, where(i), took, i.Title),
			Blocks: []integrations.Block{{Text: integrations.R("🟢 ", i.ID, " ", where(i), " is over after ", took, ": ", integrations.Italic(i.Title), ". Said by ", integrations.Who(gate.FromStore(i.OverBy)), ".")}},
		}
	}
	return integrations.Message{
		Text: fmt.Sprintf("🔥 %s %s: %s, declared by %s", i.ID, where(i), i.Title, gate.FromStore(i.By).Display()),
		Blocks: []integrations.Block{
			{Text: integrations.R("🔥 ", integrations.Code(i.ID), " ", integrations.Bold(where(i)), ": ", integrations.Italic(i.Title), ", declared by ", integrations.Who(gate.FromStore(i.By)), ".")},
			{Buttons: []integrations.Button{{Label: "All clear", Command: "all-clear " + i.ID, Confirm: "It is over?"}}},
			{Context: integrations.R("While it is open whoever is on call may act alone: `break-glass`.")},
		},
	}
}

// prune forgets what is over for long.
func (f *feature) prune(ctx context.Context) error {
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		now := tx.Now()
		if err := forget(records(tx), func(i Incident) bool { return !i.open() && now.Sub(i.Over) > keepFor }); err != nil {
			return err
		}
		if err := forget(trails(tx), func(t trail) bool { return t.Open == "" && now.Sub(t.Closed) > keepFor }); err != nil {
			return err
		}
		if err := forget(silences(tx), func(s Silence) bool { return s.Over && now.Sub(s.Until) > keepFor }); err != nil {
			return err
		}
		if err := forget(carried(tx), func(c Carried) bool { return now.Sub(c.Quiet.Until) > keepCarried }); err != nil {
			return err
		}
		if err := forget(handled(tx), func(h integrations.Handled) bool { return now.Sub(h.Over) > keepFor }); err != nil {
			return err
		}
		if err := forget(textsOver(tx), func(t Text) bool { return now.Sub(t.Wanted) > keepFor }); err != nil {
			return err
		}
		return forget(pages(tx), func(p integrations.Page) bool { return now.Sub(p.At) > keepFor })
	})
}

// forget removes records.
func forget[T any](all *store.Records[T], old func(T) bool) error {
	var ids []string
	err := all.Each("", func(id string, v T) error {
		if old(v) {
			ids = append(ids, id)
		}
		return nil
	})
	for _, id := range ids {
		if err == nil {
			err = all.Delete(id)
		}
	}
	return err
}

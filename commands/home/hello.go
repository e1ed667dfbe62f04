package home

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// helloEvery is how often it is looked whether a channel that could not be found
// before is there by now.
const helloEvery = 10 * time.Minute

// spokenIn is how many of the newest operations are looked at for whether the bot
// has spoken in a channel before it kept a record of that.
const spokenIn = 200

// An introduction is written down before it is made, and for good.
type introduction struct {
	At   time.Time `json:"at"`
	Name string    `json:"name"` // of the channel, then
}

func introductions(tx *store.Tx) *store.Records[introduction] {
	return store.Feature[introduction](tx, "introduction")
}

func helloID(channel string) string { return tell.ID(placeMessage, helloSubject(channel)) }

func helloSubject(channel string) string { return "introduction " + channel }

// hello introduces the bot to the channels of the environments, to each once.
type hello struct {
	*feature
	mu    sync.Mutex
	known map[string]bool // names of channels that are done with, in this process
}

// introduce speaks in channels where the bot never has. One that the bot was not
// in before gets what was meant for it after the next start.
func (h *hello) introduce(ctx context.Context) error {
	if h.Channel == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known == nil {
		h.known = map[string]bool{}
	}
	var errs []error
	for _, name := range channels(h.Catalog()) {
		if h.known[name] {
			continue
		}
		id, err := h.Channel(ctx, name)
		var gone *integrations.Gone
		switch {
		case errors.As(err, &gone): // check says so
			continue
		case err != nil:
			errs = append(errs, fmt.Errorf("find the channel #%s: %w", name, err))
			continue
		}
		if err := h.Store.Update(ctx, func(tx *store.Tx) error { return h.meet(tx, name, id) }); err != nil {
			errs = append(errs, err)
			continue
		}
		h.known[name] = true
	}
	return errors.Join(errs...)
}

// meet opens the message in a channel, unless the bot has spoken there.
func (h *hello) meet(tx *store.Tx, name, id string) error {
	_, met, err := introductions(tx).Get(id)
	if err != nil {
		return err
	}
	if met {
		return again(tx, id)
	}
	spoken, err := spoken(tx, id)
	if err != nil {
		return err
	}
	if err := introductions(tx).Put(id, introduction{At: h.Clock.Now(), Name: name}); err != nil || spoken {
		return err
	}
	return tell.Open(tx, store.Surface{ID: helloID(id), Place: placeMessage, Card: cardHello, Subject: helloSubject(id),
		Where: map[string]string{"channel": id, "name": name}})
}

// again has a message told that could not be: the bot may have been invited since.
func again(tx *store.Tx, id string) error {
	s, err := tx.Surface(helloID(id))
	if errors.Is(err, store.ErrNotFound) || err == nil && (s.Parked == "" || s.Ref != "") {
		return nil
	} else if err != nil {
		return err
	}
	s.Parked, s.Error, s.Tries, s.IntentAt, s.Due = "", "", 0, time.Time{}, time.Time{}
	return tx.PutSurface(s)
}

// spoken says whether the bot has shown an operation in a channel: it was there
// before it introduced itself to anybody.
func spoken(tx *store.Tx, id string) (bool, error) {
	all, err := tx.Operations("", spokenIn)
	return slices.ContainsFunc(all, func(op *store.Operation) bool { return op.Channel == id }), err
}

// channels are those of the environments, in the order of the configuration.
func channels(cat *integrations.Catalog) []string {
	var out []string
	for _, e := range cat.Environments {
		for _, name := range e.Channels {
			if name = strings.TrimPrefix(name, "#"); !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// helloCard says who the bot is, with three things to try there.
func (f *feature) helloCard(_ *store.Tx, s *store.Surface) (integrations.Message, error) {
	service, env := firstPlace(f.Catalog(), s.Where["name"])
	type try struct {
		what   string
		button integrations.Button
	}
	tries := []try{
		{"See what runs where", integrations.Button{Label: "What runs where", Command: "services"}},
		{"See what is under way", integrations.Button{Label: "Status", Command: "status"}},
		{"Read what you can ask for", integrations.Button{Label: "Help", Command: "help"}},
	}
	if service != "" {
		where := service + " to " + env
		tries = []try{
			tries[0],
			{"See what a deploy of " + service + " would change in " + env + "; it changes nothing", integrations.Button{Label: fmt.Sprintf("Plan %s to %s", service, env), Command: "plan " + where}},
			{"Open a deploy pull request for it; the merge starts it, and Cancel closes it again",
				integrations.Button{Label: "Deploy " + where, Command: "deploy " + where, Confirm: "Open a pull request that deploys " + where + "?"}},
		}
	}
	m := integrations.Message{Text: "Hello, I am signalbox. From here you deploy: you ask, I open a pull request with its plan, and its merge starts the apply."}
	m.Blocks = []integrations.Block{{Text: integrations.R("👋 ", m.Text)}, {Text: integrations.R("Three things to try:")}}
	var buttons []integrations.Button
	var lines integrations.Rich
	for i, t := range tries {
		line := fmt.Sprintf("%d. %s: ", i+1, t.what)
		m.Text += "\n" + line + commands.Prompt + " " + t.button.Command
		lines = append(lines, integrations.R(line, integrations.Code(commands.Prompt+" "+t.button.Command), "\n")...)
		buttons = append(buttons, t.button)
	}
	m.Blocks[1].Text = append(m.Blocks[1].Text, append(integrations.R("\n"), lines...)...)
	m.Blocks = append(m.Blocks, integrations.Block{Buttons: buttons},
		integrations.Block{Context: integrations.R("Your Home tab, under my name, shows what waits for you. I say this once.")})
	return m, nil
}

// firstPlace is a service and an environment of it that can be asked for in a
// channel; nothing if there is none.
func firstPlace(cat *integrations.Catalog, channel string) (service, env string) {
	for _, e := range cat.Environments {
		if !slices.ContainsFunc(e.Channels, func(ch string) bool { return strings.TrimPrefix(ch, "#") == channel }) {
			continue
		}
		for _, s := range cat.Services {
			if _, there := s.Environments[e.Name]; there {
				return s.Name, e.Name
			}
		}
	}
	return "", ""
}

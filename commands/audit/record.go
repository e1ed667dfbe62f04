package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	cardRecord    = "record"
	recordFeature = "handwork"

	// dirty is the kind of hold that an empty plan ends.
	dirty = "dirty"

	mostReason = 500 // of a hold's reason, which stands in one line with others
)

// handwork is what people put on record while a target was dirty, by the id of
// the hold. It outlives the hold, for the messages.
type handwork struct {
	Target string  `json:"target"`
	Done   []entry `json:"done"`
}

type entry struct {
	Who  store.Person `json:"who"`
	What string       `json:"what"`
	At   time.Time    `json:"at"`
}

func (f *feature) recordVerb() commands.Verb {
	return commands.Verb{
		Name: "record", Summary: "Put on record what was done to a target by hand", Effect: commands.Changes,
		Args: []commands.Arg{
			{Name: "target", Kind: commands.ArgTarget, Help: "the target it was done to"},
			{Name: "what", Kind: commands.ArgText, Help: "what was done: a change in a console, an apply from a laptop"},
		},
		Examples: []string{`record {service}/{environment} "scaled the group to 6 in the console"`},
		Detail:   "The target is dirty from then on: its next plan shows what the code does not say. It is clean again when a plan of it is empty, because the change was taken into the code or undone.",
		Decide: func(_ context.Context, c *commands.Call) (commands.Act, error) {
			return func(tx *store.Tx) (commands.Reply, error) { return f.record(tx, c) }, nil
		},
	}
}

// targetOf is the one target that a name means.
func targetOf(cat *integrations.Catalog, name string) (integrations.Target, error) {
	if t, ok := cat.Target(name); ok {
		return t, nil
	}
	service, env, _ := strings.Cut(name, "/")
	s, _ := cat.Service(service)
	e, _ := cat.Environment(env)
	targets := s.Environments[e.Name].Targets
	if len(targets) == 1 {
		if t, ok := cat.Target(targets[0]); ok {
			return t, nil
		}
	}
	if len(targets) > 1 {
		return integrations.Target{}, commands.Refuse("many_targets", fmt.Sprintf("%s is more than one target: %s.", name, strings.Join(targets, ", "))).
			WithHint("Say to which of them it was done.").WithExample(fmt.Sprintf("record %s \"what was done\"", targets[0]))
	}
	return integrations.Target{}, commands.Refuse("unknown_target", fmt.Sprintf("There is no target “%s”.", name)).WithExample("services")
}

// record makes the target dirty, or adds to why it is. The audit row is written
// with it, as for every command.
func (f *feature) record(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
	t, err := targetOf(c.Catalog, c.Arg("target"))
	if err != nil {
		return commands.Reply{}, err
	}
	reply := commands.Reply{Environment: t.Environment, Target: t.Name}
	if err := commands.Allow(c, "record", t.Environment); err != nil {
		return reply, err
	}
	what := strings.TrimSpace(c.Arg("what"))
	if what == "" {
		return reply, commands.Refuse("no_text", "Say what was done: whoever plans this target next will read it.").
			WithExample(fmt.Sprintf("record %s \"scaled the group to 6 in the console\"", t.Name))
	}
	h, err := dirtyHold(tx, t.Name)
	if err != nil {
		return reply, err
	}
	if h == nil {
		h = &store.Hold{Kind: dirty, Target: t.Name, Owner: gate.ToStore(c.Who), Channel: c.Heard.Channel, Created: f.Clock.Now()}
		if h.ID, err = tx.NextID("hold"); err != nil {
			return reply, err
		}
	}
	n, err := f.add(tx, h, entry{Who: gate.ToStore(c.Who), What: what, At: f.Clock.Now()})
	if err != nil {
		return reply, err
	}
	reply.Subject = h.ID
	if err := f.markWaiting(tx, h); err != nil {
		return reply, err
	}
	return reply, tell.Open(tx, store.Surface{
		ID: tell.ID("slack.message", h.ID, cardRecord, strconv.Itoa(n)), Place: "slack.message", Card: cardRecord, Subject: h.ID,
		Where: map[string]string{"channel": c.Heard.Channel, "entry": strconv.Itoa(n)},
	})
}

// dirtyHold is the hold that makes a target dirty; nil if it is clean.
func dirtyHold(tx *store.Tx, target string) (*store.Hold, error) {
	all, err := tx.Holds()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(h *store.Hold) bool { return h.Kind == dirty && h.Target == target })
	if i < 0 {
		return nil, nil
	}
	return all[i], nil
}

// add writes an entry to the hold and to what is kept of it; it returns its
// number, counted from 1.
func (f *feature) add(tx *store.Tx, h *store.Hold, e entry) (int, error) {
	records := store.Feature[handwork](tx, recordFeature)
	work, _, err := records.Get(h.ID)
	if err != nil {
		return 0, err
	}
	work.Target = h.Target
	work.Done = append(work.Done, e)
	if h.Reason != "" {
		h.Reason += "; "
	}
	h.Reason = short(h.Reason+e.What, mostReason)
	if err := tx.PutHold(h, h.Version); err != nil {
		return 0, err
	}
	return len(work.Done), records.Put(h.ID, work)
}

// markWaiting has the operations shown anew that the target belongs to, and the
// statuses that their merges need.
func (f *feature) markWaiting(tx *store.Tx, h *store.Hold) error {
	live, err := tx.LiveOperations()
	if err != nil {
		return err
	}
	for _, op := range live {
		if !slices.Contains(op.Targets, h.Target) {
			continue
		}
		if err := tell.Mark(tx, op.ID, true); err != nil {
			return err
		}
		if op.PR == 0 {
			continue
		}
		if err := tell.Mark(tx, tell.PullSubject(op.RepoID, op.PR), true); err != nil {
			return err
		}
	}
	return nil
}

// recordCard says who did what by hand, and whether the target is still dirty.
func (f *feature) recordCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	work, _, err := store.Feature[handwork](tx, recordFeature).Get(s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	n, err := strconv.Atoi(s.Where["entry"])
	if err != nil || n < 1 || n > len(work.Done) {
		return integrations.Message{}, fmt.Errorf("show entry %q of %s: it has %d", s.Where["entry"], s.Subject, len(work.Done))
	}
	e := work.Done[n-1]
	who, where := gate.FromStore(e.Who), work.Target
	_, err = tx.Hold(s.Subject)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return integrations.Message{}, err
	}
	icon, state := "✋", where+" is dirty until a plan of it is empty: take what was done into the code, or undo it."
	if err != nil {
		icon, state = "🧹", where+" is not dirty any more."
	}
	return integrations.Message{
		Text: fmt.Sprintf("%s %s: %s did by hand: %s. %s", s.Subject, where, who.Display(), strings.TrimSuffix(e.What, "."), state),
		Blocks: []integrations.Block{
			{Text: integrations.R(icon+" ", integrations.Bold(where), ": ", integrations.Who(who), " did by hand: ", integrations.Italic(e.What))},
			{Text: integrations.R(state)},
			{Context: integrations.R(integrations.Code(s.Subject), fmt.Sprintf(" · entry %d · put on record %s", n, e.At.UTC().Format("2006-01-02 15:04 MST")))},
		},
	}, nil
}

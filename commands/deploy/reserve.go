package deploy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A target is reserved by the operation whose pull request is open on it, or
// merged and not yet applied, so that nobody's pull request takes another's
// change back unseen. A second request may queue behind the first or supersede
// it. What people merge on GitHub is not held up by this: merged jobs queue.

// reserveFlags are how a second request says what it wants.
var reserveFlags = []commands.Arg{
	{Name: "queue", Kind: commands.ArgBool, Optional: true, Help: "open it when the one before it is over"},
	{Name: "supersede", Kind: commands.ArgBool, Optional: true, Help: "close the open one and open this instead"},
}

// reservations are the operations that hold a target of op, oldest first.
func reservations(tx *store.Tx, op *store.Operation) ([]*store.Operation, error) {
	live, err := tx.LiveOperations()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(live, func(o *store.Operation) bool {
		return o.ID == op.ID || o.Kind != "deploy" || !slices.ContainsFunc(op.Targets, func(t string) bool { return slices.Contains(o.Targets, t) })
	}), nil
}

// reserve lets a request begin, queues it behind those that hold its targets, or
// closes those; without a word of the person's it refuses and offers both.
func (f *feature) reserve(tx *store.Tx, c *commands.Call, op *store.Operation) error {
	held, err := reservations(tx, op)
	if err != nil || len(held) == 0 {
		return err
	}
	switch {
	case c.Arg("supersede") != "":
		for _, o := range held {
			if err := f.supersede(tx, c, op, o); err != nil {
				return err
			}
		}
		// One that only waited for its turn is over by now, and wakes nobody again.
		if held, err = reservations(tx, op); err != nil || len(held) == 0 {
			return err
		}
	case c.Arg("queue") == "":
		return f.reserved(c, op, held)
	}
	last := held[len(held)-1]
	op.Waits = last.ID
	op.Note = fmt.Sprintf("It is opened when %s is over.", last.ID)
	return nil
}

// supersededBy is how the note of one begins that was closed for a newer one.
const supersededBy = "Superseded by "

// supersede closes an open operation for a newer one.
func (f *feature) supersede(tx *store.Tx, c *commands.Call, op, o *store.Operation) error {
	switch {
	case o.State != store.OpOpen && o.State != store.OpOpening:
		return commands.Refuse("merged", fmt.Sprintf("%s is %s, so it cannot be superseded any more.", o.ID, o.State)).
			WithHint("Queue behind it.").WithButtons(withFlag("Queue", c, "queue"))
	case o.MergeAskedBy != nil:
		return commands.Refuse("merging", fmt.Sprintf("%s is being merged: %s asked for it.", o.ID, gate.FromStore(*o.MergeAskedBy).Display())).
			WithHint("Queue behind it.").WithButtons(withFlag("Queue", c, "queue"))
	}
	if err := commands.Allow(c, "cancel", o.Environment); err != nil {
		return err
	}
	if o.CloseAskedBy != nil {
		return nil // it is on its way out
	}
	return f.closeOpen(tx, c, o, fmt.Sprintf("%s%s, as %s asked.", supersededBy, op.ID, c.Who.Display()))
}

// reserved says who holds the targets, and offers what can be done.
func (f *feature) reserved(c *commands.Call, op *store.Operation, held []*store.Operation) error {
	var lines []string
	open := true
	for _, o := range held {
		at := o.ID
		if o.PRURL != "" {
			at += " (" + o.PRURL + ")"
		}
		shared := slices.DeleteFunc(slices.Clone(o.Targets), func(t string) bool { return !slices.Contains(op.Targets, t) })
		lines = append(lines, fmt.Sprintf("%s is already being deployed by %s: %s, %s, asked by %s %s ago.", strings.Join(shared, ", "), at, title(o), o.State,
			gate.FromStore(o.Requester).Display(), gate.Age(f.Clock.Now().Sub(o.Created))))
		open = open && (o.State == store.OpOpen || o.State == store.OpOpening) && o.MergeAskedBy == nil
	}
	r := commands.Refuse("reserved", strings.Join(lines, " "))
	queue := withFlag("Queue", c, "queue")
	if !open {
		return r.WithHint("Queue it: it is opened when that is over.").WithButtons(queue)
	}
	instead := withFlag("Supersede", c, "supersede")
	instead.Style, instead.Confirm = "danger", "Close "+names(held)+" and open this instead?"
	return r.WithHint("Queue behind it, or close it and open yours instead.").WithButtons(queue, instead)
}

// withFlag is a button that says the same line with one more flag.
func withFlag(label string, c *commands.Call, flag string) integrations.Button {
	one := *c
	one.Args = map[string]string{flag: "true"}
	for k, v := range c.Args {
		if k != "queue" && k != "supersede" {
			one.Args[k] = v
		}
	}
	return integrations.Button{Label: label, Command: commands.Render(&one)}
}

func names(ops []*store.Operation) string {
	var out []string
	for _, o := range ops {
		out = append(out, o.ID)
	}
	return strings.Join(out, ", ")
}

// freed opens what waited for an operation that is over, unless something else
// still holds its targets.
func (f *feature) freed(tx *store.Tx, over *store.Operation) error {
	live, err := tx.LiveOperations()
	if err != nil {
		return err
	}
	for _, op := range live {
		if op.Waits != over.ID {
			continue
		}
		if err := f.advance(tx, op); err != nil {
			return err
		}
	}
	return nil
}

// advance opens an operation that waited, or has it wait for what is still ahead
// of it.
func (f *feature) advance(tx *store.Tx, op *store.Operation) error {
	held, err := reservations(tx, op)
	if err != nil {
		return err
	}
	held = slices.DeleteFunc(held, func(o *store.Operation) bool { return !older(o, op) })
	if len(held) > 0 {
		last := held[len(held)-1]
		if op.Waits == last.ID {
			return nil
		}
		op.Waits, op.Note = last.ID, fmt.Sprintf("It is opened when %s is over.", last.ID)
		return f.putOp(tx, op, true)
	}
	op.Waits, op.Note = "", ""
	if err := f.queueOpen(tx, op, "turn"); err != nil {
		return err
	}
	return f.putOp(tx, op, true)
}

// unstuck opens an operation whose turn came without a word: what it waits for
// is over, and nothing more will happen to that.
func (f *feature) unstuck(tx *store.Tx, op *store.Operation) error {
	if op.Waits == "" {
		return nil
	}
	ahead, err := tx.Operation(op.Waits)
	if err != nil && !errors.Is(err, store.ErrNotFound) || err == nil && !ahead.Terminal() {
		return err
	}
	return f.advance(tx, op)
}

// older says whether one operation was asked for before another.
func older(a, b *store.Operation) bool {
	if !a.Created.Equal(b.Created) {
		return a.Created.Before(b.Created)
	}
	return len(a.ID) < len(b.ID) || len(a.ID) == len(b.ID) && a.ID < b.ID // op-9 comes before op-10
}

// queueOpen queues the opening of an operation's pull request.
func (f *feature) queueOpen(tx *store.Tx, op *store.Operation, turn string) error {
	key := "open|" + op.ID
	if turn != "" {
		key += "|" + turn
	}
	_, err := insertFresh(tx, &store.Job{Key: key, Kind: kindOpen, Operation: op.ID, Repo: op.Repo, RepoID: op.RepoID, Requester: op.Requester,
		State: store.JobQueued, Created: f.Clock.Now()})
	return err
}

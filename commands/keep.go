package commands

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// keptCard tells somebody that what they asked for waits for the next process.
const keptCard = "kept"

// errKept says that an event is left undecided on purpose.
var errKept = errors.New("kept for the next process")

// Keep makes the dispatcher leave what changes something to the next process,
// for good: this one is being stopped. Questions are answered as always, and so is
// what is refused before a verb is asked. What stops something is decided too, as
// a stop may be what everybody waits for. So are webhooks: they tell what happened
// outside, they do not go stale, and what follows from them is a job, of which
// none begins any more.
func (d *Dispatcher) Keep() { d.keeps.Store(true) }

func (d *Dispatcher) keeping(v *Verb) bool {
	return d.keeps.Load() && v.Effect == Changes && !v.Halts
}

// keep tells the person, once for each event however often it is kept, and leaves
// the event as it is. It then has to be decided by another process, by the ordinary
// rules: after more than two minutes it is asked about instead.
func (d *Dispatcher) keep(ctx context.Context, it *item) error {
	if it.heard.Kind == heardHost { // whoever waits for the answer sees that it is not decided
		return errKept
	}
	id := keptID(it.event.Seq)
	err := d.update(ctx, it, func(tx *store.Tx) error {
		switch _, err := tx.Surface(id); {
		case err == nil:
			return nil
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
		return tell.Open(tx, store.Surface{ID: id, Place: placePrivate, Card: keptCard, Subject: keptSubject(it.event.Seq), Where: privately(it.heard)})
	})
	if err != nil {
		return fmt.Errorf("keep event %d: %w", it.event.Seq, err)
	}
	d.Log.Info("an event is kept for the next start", "event", it.event.Seq, "kind", it.event.Kind)
	return errKept
}

// keptSubject is not that of the event's answer, which comes besides.
func keptSubject(seq uint64) string { return "kept-" + strconv.FormatUint(seq, 10) }

func keptID(seq uint64) string { return tell.ID(placePrivate, keptSubject(seq)) }

// renderKept is the same for every event: the surface is forgotten in the
// transaction that decides it.
func renderKept(*store.Tx, *store.Surface) (integrations.Message, error) {
	text := "I am being restarted and have kept this. It is decided when I am back, if that is within two minutes; else I ask you again."
	return integrations.Message{Text: text, Blocks: []integrations.Block{{Text: integrations.R(text)}}}, nil
}

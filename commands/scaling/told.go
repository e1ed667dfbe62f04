package scaling

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// tell opens a message about a lease, or shows it anew.
func (f *Leases) tell(tx *store.Tx, l *Lease, card string) error {
	if l.Room == "" {
		return nil
	}
	return tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, l.ID, card), Place: placeMessage, Card: card, Subject: l.ID, Where: map[string]string{"channel": l.Room}})
}

func (f *Leases) markTold(tx *store.Tx, l *Lease) error { return tell.Mark(tx, l.ID, true) }

// noteStuck keeps why a lease could not be given back, and tells people once that has
// gone on for a while.
func (f *Leases) noteStuck(ctx context.Context, l *Lease, why error) error {
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		now, found, err := leases(tx).Get(l.ID)
		if err != nil || !found {
			return err
		}
		now.Why = reason(why)
		if !now.Stuck && f.Clock.Now().Sub(now.Since) > patience {
			now.Stuck = true
			if err := errors.Join(f.tell(tx, &now, cardStuck), f.audit(tx, &now, "resume", "stuck", now.Why)); err != nil {
				return err
			}
		}
		return leases(tx).Put(now.ID, now)
	})
}

// reason is an error without when it is tried again.
func reason(err error) string {
	var later *integrations.Later
	if errors.As(err, &later) {
		return later.Err.Error()
	}
	return err.Error()
}

func (l *Lease) group() string { return l.Group + " (" + l.At.String() + ")" }

// stuckCard says that processes stay suspended.
func (f *Leases) stuckCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	l, found, err := leases(tx).Get(s.Subject)
	if err != nil || !found {
		return integrations.Message{Hold: true}, err
	}
	if l.State != stateReleasing {
		text := fmt.Sprintf("%s: the processes of %s that were suspended for it run again.", l.Job, l.group())
		return integrations.Message{Hold: s.Ref == "", Text: "✅ " + text, Blocks: []integrations.Block{{Text: integrations.R("✅ ", text)}}}, nil
	}
	who := gate.FromStore(l.By)
	head := fmt.Sprintf("%s of %s were suspended for %s on %s, and cannot be resumed: %s", strings.Join(l.Ours, ", "), l.group(), l.Job, l.Target, l.Why)
	more := "Until they run, the group does not do what they do: an alarm adds no instance, a scheduled action is lost. They are tried again every minute; somebody can resume them in the console."
	return integrations.Message{
		Asks: true, Text: fmt.Sprintf("⚠️ %s: %s. %s", who.Display(), head, more),
		Blocks: []integrations.Block{{Text: integrations.R("⚠️ ", integrations.Who(who), ": ", head)}, {Context: integrations.R(more)}},
	}, nil
}

// overdueCard says that an apply goes on without its lease.
func (f *Leases) overdueCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	l, found, err := leases(tx).Get(s.Subject)
	if err != nil || !found || !l.Overdue {
		return integrations.Message{Hold: true}, err
	}
	who := gate.FromStore(l.By)
	head := fmt.Sprintf("%s on %s is not over after %s, the longest that processes of %s may be suspended for it", l.Job, l.Target, gate.Age(l.Limit), l.group())
	more := "They are resumed now: the group may start and end instances while it goes on."
	if l.State == stateOver {
		more = "They run again: the group may start and end instances while it goes on."
	}
	return integrations.Message{
		Text:   fmt.Sprintf("⏱️ %s: %s. %s", who.Display(), head, more),
		Blocks: []integrations.Block{{Text: integrations.R("⏱️ ", integrations.Who(who), ": ", head)}, {Context: integrations.R(more)}},
	}, nil
}

// prune forgets leases that people were told of a month ago.
func (f *Leases) prune(ctx context.Context) error {
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		var old []string
		err := leases(tx).Each("", func(id string, l Lease) error {
			if l.State == stateOver && f.Clock.Now().Sub(l.Ended) > keepTold {
				old = append(old, id)
			}
			return nil
		})
		for _, id := range old {
			err = errors.Join(err, leases(tx).Delete(id), tell.Forget(tx, id))
		}
		return err
	})
}

package ingress

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// tell opens a message about a lease or a rule, or shows it anew.
func (f *Windows) tell(tx *store.Tx, room, subject, card string) error {
	if room == "" {
		return nil
	}
	return tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, subject, card), Place: placeMessage, Card: card, Subject: subject, Where: map[string]string{"channel": room}})
}

func (f *Windows) mark(tx *store.Tx, subject string) error { return tell.Mark(tx, subject, true) }

func (f *Windows) markTold(tx *store.Tx, l *Lease) error {
	if !l.Stuck {
		return nil
	}
	return f.mark(tx, l.ID)
}

// noteStuck keeps why a lease could not be closed, and tells people once that has gone on
// for a while.
func (f *Windows) noteStuck(ctx context.Context, l *Lease, why error) error {
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		now, found, err := leases(tx).Get(l.ID)
		if err != nil || !found {
			return err
		}
		was := now.Why
		now.Why = reason(why)
		switch {
		case !now.Stuck && f.Clock.Now().Sub(now.Since) >= patience:
			now.Stuck = true
			f.Log.Error("a port cannot be shown to be closed", "job", now.Job, "lease", now.ID, "group", now.Group, "rule", now.Rule, "cidr", now.CIDR, "error", now.Why)
			err = errors.Join(f.tell(tx, now.Room, now.ID, cardOpen), f.audit(tx, &now, "close-port", "stuck", now.detail()+": "+now.Why))
		case now.Why != was:
			err = f.markTold(tx, &now)
		}
		return errors.Join(err, leases(tx).Put(now.ID, now))
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

// byHand is the command that closes a rule.
func byHand(i integrations.Ingress, rule, cidr string) string {
	which := "--security-group-rule-ids " + rule
	if rule == "" {
		which = fmt.Sprintf("--protocol tcp --port %d --cidr %s", i.Port, cidr)
	}
	return fmt.Sprintf("aws ec2 revoke-security-group-ingress --region %s --group-id %s %s", i.Region, i.Group, which)
}

// named is a rule as people are told of it.
func named(rule string) string {
	if rule == "" {
		return "a rule whose id is not known"
	}
	return rule
}

// openCard says that a port stays open, and that it is closed.
func (f *Windows) openCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	l, found, err := leases(tx).Get(s.Subject)
	if err != nil || !found {
		return integrations.Message{Hold: true}, err
	}
	switch l.State {
	case stateOver:
		return ended(s, fmt.Sprintf("Port %d of %s is closed to %s, which was open for %s.", l.Port, l.Group, l.CIDR, l.Job)), nil
	case stateClosing:
	default:
		return ended(s, fmt.Sprintf("Port %d of %s is open to %s again, for %s, which closes it.", l.Port, l.Group, l.CIDR, l.Job)), nil
	}
	who := gate.FromStore(l.By)
	head := fmt.Sprintf("Port %d of %s (%s) was opened to %s for %s on %s, and cannot be shown to be closed", l.Port, l.Group, l.Site, l.CIDR, l.Job, l.Target)
	return alarm(&who, head, l.Why, l.Begun, named(l.Rule), "It is tried again every minute. By hand:", byHand(l.Ingress, l.Rule, l.CIDR)), nil
}

// strayCard says that there is a rule that nobody here opened, and that it is gone.
func (f *Windows) strayCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	r, found, err := strays(tx).Get(s.Subject)
	if err != nil || !found || !r.Told {
		return integrations.Message{Hold: true}, err
	}
	if !r.Ended.IsZero() {
		return ended(s, fmt.Sprintf("The rule %s of %s, which let %s in to port %d, is gone, or a job uses it and closes it.", r.Rule, r.Group, r.CIDR, r.Port)), nil
	}
	head := fmt.Sprintf("Port %d of %s (%s) is open to %s by a rule with our tag that nobody here knows of: another signalbox opened it, or it is of a time that this one has no record of", r.Port, r.Group, r.Site, r.CIDR)
	return alarm(nil, head, r.Tag, r.Since, r.Rule, "Nothing here closes it. By hand:", byHand(r.Ingress, r.Rule, r.CIDR)), nil
}

func ended(s *store.Surface, text string) integrations.Message {
	return integrations.Message{Hold: s.Ref == "", Text: "✅ " + text, Blocks: []integrations.Block{{Text: integrations.R("✅ ", text)}}}
}

// alarm says what is open by which rule since when, in the words of another system why, and
// the command that closes it.
func alarm(who *integrations.Person, head, why string, since time.Time, rule, more, command string) integrations.Message {
	line := integrations.R("🚨 ")
	if who != nil {
		line = integrations.R("🚨 ", integrations.Who(*who), ": ")
	}
	line = append(line, integrations.R(head, " · ", integrations.Italic(why))...)
	detail := integrations.R(integrations.Code(rule), " · since ", integrations.When(since, nil), " · ", more, " ", integrations.Code(command))
	return integrations.Message{
		Asks: true, Text: line.Plain() + " · " + detail.Plain(), // which the blocks' translations cover
		Blocks: []integrations.Block{{Text: line}, {Context: detail}},
	}
}

// prune forgets what people were told of a month ago.
func (f *Windows) prune(ctx context.Context) error {
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		past := func(ended time.Time) bool { return !ended.IsZero() && f.Clock.Now().Sub(ended) > keepTold }
		var old, gone []string
		err := leases(tx).Each("", func(id string, l Lease) error {
			if past(l.Ended) {
				old = append(old, id)
			}
			return nil
		})
		err = errors.Join(err, strays(tx).Each("", func(id string, s Stray) error {
			if past(s.Ended) {
				gone = append(gone, id)
			}
			return nil
		}))
		for _, id := range old {
			err = errors.Join(err, leases(tx).Delete(id), tell.Forget(tx, id))
		}
		for _, id := range gone {
			err = errors.Join(err, strays(tx).Delete(id), tell.Forget(tx, id))
		}
		return err
	})
}

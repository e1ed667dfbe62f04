package deploy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// offer works out where a rollback of an operation that is over leads. ok is
// false where it leads nowhere: nothing was merged, something newer was, or
// nothing good came before.
func (f *feature) offer(tx *store.Tx, op *store.Operation) (b back, ok bool, err error) {
	if op.MergeSHA == "" {
		return back{}, false, nil
	}
	if op.Service == "" {
		return f.offerInfra(tx, op)
	}
	p, err := pastOf(tx, op.Service, op.Environment)
	if err != nil || p.now() == nil || p.now().ID != op.ID {
		return back{}, false, err
	}
	b = back{undo: op}
	if b.to, ok = p.last(); !ok {
		return back{}, false, nil
	}
	b.unsafe, err = unsafe(tx, p.taken(b.to), op.Targets)
	return b, true, err
}

// offerInfra does so for a merge of people, unless it was taken back already.
func (f *feature) offerInfra(tx *store.Tx, op *store.Operation) (back, bool, error) {
	for _, t := range op.Targets {
		ops, err := tx.OperationsByTarget(t, 50)
		if err != nil {
			return back{}, false, err
		}
		for _, o := range ops {
			if o.Undoes == op.ID && (o.MergeSHA != "" || !o.Terminal()) {
				return back{}, false, nil
			}
		}
	}
	b := back{undo: op, infra: true}
	var err error
	b.unsafe, err = unsafe(tx, []*store.Operation{op}, op.Targets)
	return b, true, err
}

// backButton asks for a rollback whose end was worked out before. What it would
// bring back is its version: when that has changed, the button is answered and
// does nothing.
func backButton(b back) integrations.Button {
	op := b.undo
	ask := fmt.Sprintf("Open a pull request that takes back what %s changed on %s?", op.ID, strings.Join(op.Targets, ", "))
	if !b.infra {
		to := b.to.told()
		if op.Rollback && b.to.op == op.Undoes {
			to += ", which " + op.ID + " took back"
		}
		ask = fmt.Sprintf("Open a pull request that takes %s in %s back from %s to %s?", op.Service, op.Environment, at(op), to)
	}
	return integrations.Button{Label: "Roll back", Command: "rollback " + op.ID, Version: b.stamp(), Confirm: ask}
}

// withBack adds the Roll back button to an operation that is over, and what makes
// it unsafe.
func (f *feature) withBack(tx *store.Tx, op *store.Operation, why []any, buttons ...integrations.Button) ([]any, []integrations.Button, error) {
	b, ok, err := f.offer(tx, op)
	if err != nil || !ok {
		return why, buttons, err
	}
	if b.unsafe != "" {
		why = append(why, "⚠️ Rolling back may not be enough: ", b.unsafe, ".")
	}
	return why, slices.Insert(buttons, max(0, len(buttons)-1), backButton(b)), nil // the log comes last
}

// backTitle says in one line what a rollback is.
func backTitle(op *store.Operation) string {
	switch {
	case op.Strategy == "pin":
		return fmt.Sprintf("roll back %s in %s (%s → %s)", op.Service, op.Environment, version(op.From), version(op.To))
	case op.Strategy == "promote":
		return fmt.Sprintf("roll back %s in %s (%s → %s)", op.Service, op.Environment, short(op.From), short(op.ToSHA))
	case len(op.Ships) > 0 && op.Ships[0].Number > 0 && op.Again:
		return fmt.Sprintf("bring #%d “%s” again in %s", op.Ships[0].Number, clip(op.Ships[0].Title, 60), op.Environment)
	case len(op.Ships) > 0 && op.Ships[0].Number > 0:
		return fmt.Sprintf("roll back #%d “%s” in %s", op.Ships[0].Number, clip(op.Ships[0].Title, 60), op.Environment)
	}
	return fmt.Sprintf("roll back commit %s in %s", short(op.TreeOf), op.Environment)
}

// backAsked is the first sentence of a rollback's pull request.
func backAsked(op *store.Operation, asked string) string {
	where := "**" + strings.Join(op.Targets, "**, **") + "**"
	if op.Service != "" {
		where = fmt.Sprintf("**%s** in **%s**", op.Service, op.Environment)
	}
	s := fmt.Sprintf("%s asked %s for %s to be rolled back. This undoes operation `%s`", asked, quiet(op.Asked), where, op.Undoes)
	switch {
	case op.Back != "":
		s += fmt.Sprintf(" and brings back what `%s` brought", op.Back)
	case op.Service != "":
		s += " and brings back what was there before the first deploy from here"
	}
	return s + ".\n"
}

// shipsTitle heads the list of pull requests of an operation; that of a rollback
// of a rollback lists what comes again.
func shipsTitle(op *store.Operation) string {
	switch {
	case !op.Rollback:
		return "What ships"
	case op.Again:
		return "What comes again"
	}
	return "What is taken back"
}

// earlierShown is how many of a target's newest operations are shown anew when
// another one changes it: what their cards say of going back has changed.
const earlierShown = 10

// markBeside has the cards of others on a job's target shown anew when it comes or
// goes: of those that changed the target before it, since going back to before
// them takes this change, too; and of those that wait in line with it.
func (f *feature) markBeside(tx *store.Tx, j *store.Job) error {
	ops, err := tx.OperationsByTarget(j.Target, earlierShown)
	if err != nil {
		return err
	}
	for _, op := range ops {
		if op.ID == j.Operation || !op.Terminal() {
			continue
		}
		if err := tell.Mark(tx, op.ID, false); err != nil {
			return err
		}
	}
	queue, err := tx.TargetQueue(j.Target)
	if err != nil {
		return err
	}
	for _, other := range queue {
		if other.Operation == j.Operation || other.Operation == "" {
			continue
		}
		if err := tell.Mark(tx, other.Operation, false); err != nil {
			return err
		}
	}
	return nil
}

package deploy

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/store"
)

// afterApply carries the end of an apply to everything that depends on it, in
// the transaction that records it.
func (f *feature) afterApply(tx *store.Tx, op *store.Operation, j *store.Job) error {
	if err := gate.End(tx, j); err != nil || !j.Terminal() {
		return err
	}
	if j.Again { // it was good for this attempt
		j.Again = false
		if err := tx.PutJob(j); err != nil {
			return err
		}
	}
	for _, then := range []func(*store.Tx, *store.Operation, *store.Job) error{f.soil, f.clean, f.wakeWaves, f.replanOpen, f.lookAgain} {
		if err := then(tx, op, j); err != nil {
			return err
		}
	}
	return nil
}

// settle works out an operation's state from those of its apply jobs. One that
// was superseded neither helps nor harms: what ran instead holds its change.
func (f *feature) settle(tx *store.Tx, op *store.Operation) error {
	all, err := (subject{op: op}).applies(tx)
	if err != nil {
		return err
	}
	n := map[string]int{}
	for _, j := range all {
		n[j.State]++
		if !j.Terminal() {
			n["live"]++
		}
		if j.Attempt > 0 {
			n["begun"]++
		}
	}
	good, total := n[store.JobSucceeded]+n[store.JobNoop], len(all)-n[store.JobSuperseded]
	switch {
	case len(all) == 0:
		return nil
	case n["live"] > 0 && n["begun"] == 0:
		op.State = store.OpMerged
	case n["live"] > 0:
		op.State = store.OpApplying
	case total == 0:
		op.State = store.OpClosed
	case n[store.JobNoop] == total:
		op.State = store.OpNoop
	case good == total:
		op.State = store.OpSucceeded
	case good > 0:
		op.State = store.OpPartial
	default:
		op.State = store.OpFailed
	}
	op.Ended = time.Time{}
	if op.Terminal() { // what the note told was to come
		op.Ended = f.Clock.Now()
		op.Note, err = insteadNote(tx, all)
	}
	return err
}

// insteadNote names what ran instead of jobs that were superseded.
func insteadNote(tx *store.Tx, jobs []*store.Job) (string, error) {
	var notes []string
	for _, j := range jobs {
		if j.State != store.JobSuperseded {
			continue
		}
		by := "something newer"
		switch o, err := tx.Job(j.SupersededBy); {
		case err == nil:
			by = o.ID + " of " + o.Operation
		case !errors.Is(err, store.ErrNotFound):
			return "", err
		}
		notes = append(notes, fmt.Sprintf("%s was superseded by %s: %s.", j.Target, by, strings.TrimSuffix(j.Why, ".")))
	}
	return strings.Join(notes, " "), nil
}

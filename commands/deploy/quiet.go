package deploy

import (
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Whoever was called in a thread follows it, and their phone rings at every reply
// that comes there. So a log, which is only good to know, goes into a thread that
// nobody was called in; else it is for the button, unless something went wrong.

// followed says whether somebody was called in the thread of a job's card.
func followed(tx *store.Tx, j *store.Job) (bool, error) {
	for _, subject := range []string{j.ID, j.Operation} {
		all, err := tx.SurfacesOf(subject)
		if err != nil {
			return false, err
		}
		for _, s := range all {
			if s.Where["under"] != "" && s.Where["silent"] == "" && s.Place == placeMessage {
				return true, nil
			}
		}
	}
	return false, nil
}

// wentWrong says whether a job ended as nobody hoped.
func wentWrong(j *store.Job) bool {
	switch j.State {
	case store.JobFailed, store.JobUnknown, store.JobCancelled, store.JobExpired:
		return true
	}
	return false
}

// openFinished tells of the end of an operation that did what it was to do.
func (f *feature) openFinished(tx *store.Tx, op *store.Operation) error {
	if op.State != store.OpSucceeded && op.State != store.OpNoop {
		return nil
	}
	return f.raise(tx, op, integrations.EventFinished, store.Surface{ID: tell.ID(placeMessage, op.ID, cardFinished), Place: placeMessage, Card: cardFinished, Subject: op.ID})
}

// finishedCard says so to whoever asked.
func (f *feature) finishedCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	op, err := tx.Operation(s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	text := integrations.R("✅ ", integrations.Who(known(f.Catalog(), op.Requester)), ": ", integrations.Code(op.ID), " (", title(op), ") is done: ", integrations.Bold(op.State), ".")
	m := integrations.Message{Text: op.ID + " " + text.Plain(), Blocks: []integrations.Block{{Text: text}}}
	v, err := f.view(tx, op.ID)
	m.Blocks = append(m.Blocks, v.built()...)
	return m, err
}

// overBefore says whether what a surface tells of was settled before it was told:
// it waited for the end of the quiet hours, and calls nobody for nothing.
func overBefore(s *store.Surface, settled bool) bool {
	return settled && s.Ref == "" && !s.After.IsZero()
}

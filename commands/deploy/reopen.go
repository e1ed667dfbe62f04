package deploy

import (
	"fmt"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A pull request that was closed gave its targets back, and may be reopened on
// GitHub after somebody else took them. Two open ones on a target would take each
// other's change back, so the one that comes too late is closed again.

// reopenedTooLate is how the note of such an operation begins.
const reopenedTooLate = "The pull request was opened again, and is closed: "

// openedAfterAll says whether GitHub made a pull request and lost the answer, and
// its opening was given up.
func openedAfterAll(op *store.Operation) bool { return op.PR == 0 && op.State == store.OpFailed }

// takenMeanwhile are the operations that hold the targets of one whose pull request
// is open again, and that was over.
func (f *feature) takenMeanwhile(tx *store.Tx, op *store.Operation, p *store.Pull, was string) ([]*store.Operation, error) {
	if p.State != "open" || !openedAfterAll(op) && (op.State != store.OpClosed || was != "closed") {
		return nil, nil
	}
	return reservations(tx, op)
}

// tooLate says who holds the targets, and what to do.
func (f *feature) tooLate(op *store.Operation, held []*store.Operation) string {
	at := held[0].ID
	if held[0].PRURL != "" {
		at += " (" + held[0].PRURL + ")"
	}
	return fmt.Sprintf(reopenedTooLate+"%s holds %s by now. Reopen it when that is over, or cancel %s first.", at, strings.Join(op.Targets, ", "), held[0].ID)
}

// closeAgain closes the pull request of an operation that stays closed.
func (f *feature) closeAgain(tx *store.Tx, op *store.Operation, p *store.Pull) error {
	_, err := insertFresh(tx, &store.Job{Key: fmt.Sprintf("close|%s|%s|held", op.ID, p.Head), Kind: kindClose, Operation: op.ID, Repo: op.Repo, RepoID: op.RepoID,
		PR: p.Number, Requester: op.Requester, State: store.JobQueued, Created: f.Clock.Now()})
	if err != nil {
		return err
	}
	return f.openComment(tx, p)
}

// tooLateBlocks tells whoever reopened it, where they did so.
func tooLateBlocks(op *store.Operation) []integrations.Block {
	if op == nil || !strings.HasPrefix(op.Note, reopenedTooLate) {
		return nil
	}
	return []integrations.Block{{Text: integrations.R("⚪ ", op.Note)}}
}

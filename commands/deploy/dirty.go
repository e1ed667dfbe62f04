package deploy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// dirtyOn are the dirty holds of a target: at most one that an apply left, and
// those of handwork.
func dirtyOn(tx *store.Tx, target string) (byApply *store.Hold, byHand []*store.Hold, err error) {
	all, err := tx.Holds()
	if err != nil {
		return nil, nil, err
	}
	for _, h := range all {
		switch {
		case h.Kind != store.HoldDirty || h.Target != target:
		case h.Job != "":
			byApply = h
		default:
			byHand = append(byHand, h)
		}
	}
	return byApply, byHand, nil
}

// dirtied says in a sentence what an apply left behind that did not end well,
// and "" where it left nothing: one that failed before its first effect changed
// nothing (facts/deploy.md, c, plan 5 and 6).
func dirtied(j *store.Job) string {
	why := strings.TrimSuffix(j.Why, ".")
	switch {
	case j.State == store.JobExpired:
		return fmt.Sprintf("%s was merged and not applied, because %s", j.ID, why)
	case j.Phase != phaseApply:
		return ""
	case j.State == store.JobFailed:
		return fmt.Sprintf("%s failed while it changed things: %s", j.ID, why)
	case j.State == store.JobCancelled:
		return fmt.Sprintf("%s was interrupted while it changed things", j.ID)
	}
	return ""
}

// soil keeps a target from other changes when an apply left it as nobody planned
// it. A second one that goes wrong there takes the place of the first.
func (f *feature) soil(tx *store.Tx, op *store.Operation, j *store.Job) error {
	reason := dirtied(j)
	if reason == "" {
		return nil
	}
	h, _, err := dirtyOn(tx, j.Target)
	if err != nil {
		return err
	}
	if h == nil {
		h = &store.Hold{Kind: store.HoldDirty, Target: j.Target, Created: f.Clock.Now()}
	}
	h.Job, h.SHA, h.Reason, h.Owner, h.Channel, h.Link = j.ID, j.SHA, reason, op.Requester, op.Channel, op.PRURL
	if err := tx.PutHold(h, h.Version); err != nil {
		return err
	}
	err = tx.Audit(store.AuditRow{Who: op.Requester, Act: "dirty", Subject: h.ID, Service: op.Service, Environment: op.Environment, Target: j.Target, Outcome: "done", Detail: reason, Via: "runner"})
	if err != nil {
		return err
	}
	return f.markHold(tx, h)
}

// clean ends what kept a target dirty when an apply there comes out well. Work
// by hand that was put on record while it ran may have come after it.
func (f *feature) clean(tx *store.Tx, op *store.Operation, j *store.Job) error {
	if j.State != store.JobSucceeded && j.State != store.JobNoop {
		return nil
	}
	byApply, byHand, err := dirtyOn(tx, j.Target)
	if err != nil {
		return err
	}
	if byApply != nil {
		if err := f.endDirty(tx, byApply, op.Requester, fmt.Sprintf("%s %s on it", j.ID, j.State)); err != nil {
			return err
		}
	}
	return f.endHandwork(tx, byHand, j, fmt.Sprintf("%s %s on it", j.ID, j.State))
}

// endHandwork ends the holds of handwork that a job saw the end of.
func (f *feature) endHandwork(tx *store.Tx, byHand []*store.Hold, j *store.Job, how string) error {
	for _, h := range byHand {
		if h.Created.After(j.Started) {
			continue
		}
		if err := f.endDirty(tx, h, h.Owner, how); err != nil {
			return err
		}
	}
	return nil
}

func (f *feature) endDirty(tx *store.Tx, h *store.Hold, who store.Person, how string) error {
	if err := gate.EndHold(tx, gate.Ended{Hold: *h, How: gate.EndHealed, By: who, Why: how, At: f.Clock.Now()}); err != nil {
		return err
	}
	if err := errors.Join(tell.Mark(tx, h.ID, true), f.markDirect(tx, h)); err != nil {
		return err
	}
	t, _ := f.Catalog().Target(h.Target)
	err := tx.Audit(store.AuditRow{Who: who, Act: "clean", Subject: h.ID, Environment: t.Environment, Target: h.Target, Outcome: "done", Detail: how, Via: "runner"})
	if err != nil {
		return err
	}
	return f.markHold(tx, h)
}

// markHold has everything shown anew that a hold keeps waiting, or no longer, and
// the card of the operation that left it.
func (f *feature) markHold(tx *store.Tx, h *store.Hold) error {
	ops, err := gate.Waiting(tx, f.Catalog(), h)
	if err != nil {
		return err
	}
	for _, op := range ops {
		if err := tell.Mark(tx, op.ID, true); err != nil {
			return err
		}
		if err := f.markPull(tx, &store.Job{RepoID: op.RepoID, PR: op.PR}); err != nil {
			return err
		}
	}
	if h.Job != "" {
		j, err := tx.Job(h.Job)
		if err != nil {
			return err
		}
		if err := tell.Mark(tx, j.Operation, true); err != nil {
			return err
		}
	}
	return tell.Mark(tx, h.ID, true)
}

// dirtyLine tells on the card of an operation which of its targets it left dirty.
func (f *feature) dirtyLine(tx *store.Tx, v view) (integrations.Rich, error) {
	var parts []any
	for _, j := range v.jobs {
		h, _, err := dirtyOn(tx, j.Target)
		if err != nil {
			return nil, err
		}
		if h == nil || h.Job != j.ID {
			continue
		}
		if len(parts) > 0 {
			parts = append(parts, "\n")
		}
		parts = append(parts, "🧹 ", integrations.Bold(j.Target), " is dirty (", integrations.Code(h.ID), "): until that is set right, only a retry, a rollback or what is said to be the fix passes.")
	}
	if len(parts) == 0 {
		return nil, nil
	}
	return integrations.R(parts...), nil
}

// approvable says whether an Approve would let a blocked job on: as the fix of what
// is dirty, past a base branch that was moved back, or as the second person's yes.
func approvable(op *store.Operation, j *store.Job, closed []gate.Closed) bool {
	second := op.PR > 0 && (gate.Named(closed, "policy") || gate.Named(closed, "approvals"))
	return second || gate.Named(closed, "dirty") || slices.Contains(j.Closed, "order")
}

// dirtyButtons offers, where nothing but a dirty target is in the way, what sets
// it right: the retry of the apply that left it so, and the same line said to be
// the fix.
func (f *feature) dirtyButtons(tx *store.Tx, c *commands.Call, closed []gate.Closed, refusal error) error {
	var r *commands.Refusal
	if !errors.As(refusal, &r) {
		return refusal
	}
	for _, g := range closed {
		if g.Gate != "dirty" {
			return refusal
		}
		h, err := tx.Hold(g.Hold)
		if err != nil {
			return err
		}
		if h.Job != "" {
			r.Buttons = append(r.Buttons, integrations.Button{Label: "Retry", Command: "retry " + h.Job, Confirm: fmt.Sprintf("Apply %s on %s again? It is planned again first.", h.Job, h.Target)})
		}
	}
	if c.Verb.Name != "deploy" {
		return r
	}
	fix := *c
	fix.Args = maps.Clone(c.Args)
	fix.Args["fix"] = "true"
	r.Buttons = append(r.Buttons, integrations.Button{Label: "Deploy the fix", Command: commands.Render(&fix)})
	return r
}

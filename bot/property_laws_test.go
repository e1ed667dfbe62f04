package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// The laws that every history has to keep. They are written down from the
// semantics alone and ask neither the gates nor the cards how they decide.
const (
	lawOneRun     = "one run at a time per target"
	lawAllowed    = "never an apply that no gate allowed at dequeue"
	lawReviewed   = "never an apply that nobody reviewed or confirmed"
	lawOrder      = "never a lower commit over a higher one"
	lawOnce       = "every accepted event is decided once"
	lawJobs       = "every job ends or waits for a named person"
	lawShown      = "store and surfaces agree at rest"
	lawReserved   = "one open deploy pull request per target"
	lawConverges  = "the store agrees with GitHub at rest"
	lawEveryMerge = "every merge becomes one apply per target"
)

// watched has the laws asked in the very transaction in which an apply takes its
// run lock: what the store says there is what the gates were asked about.
func (y *history) watched(k runner.Kind) runner.Kind {
	changed := k.Changed
	k.Changed = func(tx *store.Tx, j *store.Job, urgent bool) error {
		if j.State == store.JobPreparing {
			why := y.forbids(tx, j)
			y.mu.Lock()
			y.inOrder(j)
			if why != "" {
				y.breaks(lawAllowed, "%s on %s begins: %s", j.ID, j.Target, why)
			}
			y.mu.Unlock()
		}
		return changed(tx, j, urgent)
	}
	return k
}

// forbids says which rule forbids a job to start as the store stands; "" if none.
func (y *history) forbids(tx *store.Tx, j *store.Job) string {
	op, err := tx.Operation(j.Operation)
	if err != nil {
		return err.Error()
	}
	if l, err := tx.RunLock(j.Target); err != nil || l.Job != j.ID {
		return "it does not hold the run lock"
	}
	env, _ := y.catalog.Environment(op.Environment)
	y.mu.Lock()
	defer y.mu.Unlock()
	now := y.clock.Now()
	if why := y.held(tx, op, j, now); why != "" {
		return why
	}
	if env.Windows != nil && !env.Windows.At(now).Open && !passedBy(op, "window") && !op.Rollback {
		return "the deploy window is closed"
	}
	if op.Kind == "unplanned" {
		return "" // what confirms it is asked when the plan is known
	}
	if why := y.unentitled(op, j); why != "" {
		return why
	}
	if env.Approvals > 0 && !passedBy(op, "approvals") {
		if why := y.unagreed(op, j, env.Approvals); why != "" {
			return why
		}
	}
	if len(env.Checks) > 0 && !passedBy(op, "checks") {
		if c := y.hub.checks[y.hub.pull(j.PR).Head]; len(c) != 1 || c[0].State != "success" {
			return "its check is not green"
		}
	}
	return ""
}

func passedBy(op *store.Operation, gate string) bool {
	return slices.ContainsFunc(op.Passes, func(p store.Pass) bool { return slices.Contains(p.Gates, gate) })
}

// held says which hold, freeze or dirty state forbids it.
func (y *history) held(tx *store.Tx, op *store.Operation, j *store.Job, now time.Time) string {
	all, err := tx.Holds()
	if err != nil {
		return err.Error()
	}
	for _, h := range all {
		covers := h.Target == j.Target || h.Target == "" && (h.Environment == "" || h.Environment == op.Environment) &&
			(h.Service == "" || h.Service == op.Service || slices.Contains(y.catalog.Services[0].Environments[op.Environment].Targets, j.Target))
		if !covers || h.Over(now) {
			continue
		}
		own := op.Kind == "deploy" && h.Owner.Name == op.Requester.Name && h.Owner.Name == op.MergedBy.Name ||
			op.Kind == "unplanned" && j.ConfirmedBy != nil && h.Owner.Name == j.ConfirmedBy.Name
		switch {
		case h.Kind == store.HoldHold && !own:
			return fmt.Sprintf("%s of %s holds it", h.ID, h.Owner.Name)
		case h.Kind == store.HoldFreeze && !passedBy(op, "freeze"):
			return h.ID + " freezes it"
		case h.Kind == store.HoldDirty && !op.Fix && !op.Rollback && j.ApprovedBy == nil && (h.SHA == "" || h.SHA != j.SHA):
			return h.ID + " says that it is dirty"
		}
	}
	return ""
}

func (y *history) may(p *store.Person, right, env string) bool {
	if p == nil {
		return false
	}
	for _, q := range y.catalog.People {
		if q.Name == p.Name || p.Name == "" && q.GitHub == p.GitHub {
			return y.catalog.May(q, right, env)
		}
	}
	return false
}

// unentitled says that whoever asked or merged may not, and nobody who may let it
// pass.
func (y *history) unentitled(op *store.Operation, j *store.Job) string {
	p := y.hub.pull(j.PR)
	if p.MergedBy != botLogin && !strings.EqualFold(op.MergedBy.GitHub, p.MergedBy) {
		return fmt.Sprintf("%s merged it on GitHub, and the store says %s", p.MergedBy, op.MergedBy.Name)
	}
	if y.may(j.ApprovedBy, "approve", op.Environment) {
		return ""
	}
	if !y.may(&op.MergedBy, "merge", op.Environment) {
		return fmt.Sprintf("%s, who merged it, may not", op.MergedBy.Name)
	}
	if !y.may(&op.Requester, "deploy", op.Environment) {
		return fmt.Sprintf("%s, who asked for it, may not", op.Requester.Name)
	}
	return ""
}

// unagreed says that too few people besides whoever chose the head agreed to it.
// Who that is may be seen in two ways after a head was pushed back: who pushed it,
// or who wrote it. Either is enough.
func (y *history) unagreed(op *store.Operation, j *store.Job, want int) string {
	p := y.hub.pull(j.PR)
	agreed := map[string]bool{op.MergedBy.Name: true}
	for _, a := range op.Approvals {
		if a.Head == p.Head {
			agreed[a.By.Name] = true
		}
	}
	for _, login := range p.agreed(p.Head) {
		agreed[login] = true // every login here is the name
	}
	if j.ApprovedBy != nil {
		agreed[j.ApprovedBy.Name] = true
	}
	choosers := []string{op.Requester.Name}
	if op.Kind == "deploy" && p.Head != op.ToSHA {
		choosers = []string{p.pusher, y.hub.commits[p.Head].author}
	} else if op.HeadBy != nil {
		choosers = []string{op.HeadBy.Name}
	}
	for _, chooser := range choosers {
		n := 0
		for name := range agreed {
			if name != chooser && y.may(&store.Person{Name: name}, "approve", op.Environment) {
				n++
			}
		}
		if n >= want {
			return ""
		}
	}
	return fmt.Sprintf("%s agreed to %s, which %v chose", namesOf(agreed), p.Head[:7], choosers)
}

func namesOf(m map[string]bool) (out []string) {
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// mayApply is asked when an apply is about to change something; the mutex is held.
func (y *history) mayApply(t *tool, j *store.Job, lock string) {
	if t.applying > 0 {
		y.breaks(lawOneRun, "%s begins on %s while another one applies", j.ID, t.target)
	}
	if lock != j.ID {
		y.breaks(lawOneRun, "%s applies on %s, whose run lock is held by %q", j.ID, t.target, lock)
	}
	y.inOrder(j)
	if why := y.unreviewed(t, j); why != "" {
		y.breaks(lawReviewed, "%s applies on %s: %s", j.ID, t.target, why)
	}
}

// inOrder is asked when a job takes its run lock, and when its apply begins; the
// mutex is held. What was begun last counts, however it ended.
func (y *history) inOrder(j *store.Job) {
	begun := y.tools[j.Target].begun
	if len(begun) == 0 {
		return
	}
	last := begun[len(begun)-1]
	agreed := j.ApprovedBy != nil && slices.Contains(j.ApprovedFor, "order")
	switch {
	case last.sha == j.SHA:
		if last.job != j.ID && !j.Again {
			y.breaks(lawOrder, "%s takes %s to %s, as %s did already, and nobody asked for it again", j.ID, j.SHA[:7], j.Target, last.job)
		}
	case y.hub.contains(last.sha, j.SHA):
		y.breaks(lawOrder, "%s takes %s to %s after %s", j.ID, j.SHA[:7], j.Target, last.sha[:7])
	case !y.hub.contains(j.SHA, last.sha) && !agreed:
		y.breaks(lawOrder, "%s takes %s to %s, which does not contain %s, and nobody agreed to that", j.ID, j.SHA[:7], j.Target, last.sha[:7])
	}
}

// unreviewed says why a plan may not be applied on the strength of what people saw.
func (y *history) unreviewed(t *tool, j *store.Job) string {
	fresh := t.fresh[j.ID]
	env := y.catalog.Environments[slices.IndexFunc(y.catalog.Environments, func(e integrations.Environment) bool { return strings.HasSuffix(t.target, e.Name) })]
	if j.ConfirmedBy != nil && j.ConfirmedDigest == (integrations.Plans{fresh}).Digest() {
		if !y.may(j.ConfirmedBy, "confirm", env.Name) {
			return j.ConfirmedBy.Name + " confirmed it and may not"
		}
		return ""
	}
	if j.PR == 0 {
		return "it came without a pull request, and nobody confirmed its plan"
	}
	if env.Review == "none" {
		return ""
	}
	p := y.hub.pull(j.PR)
	for _, made := range t.planned[p.Head] {
		if lessThan(fresh, made.plan) && p.MergedAt.Sub(made.at) < 24*time.Hour+time.Minute {
			return ""
		}
	}
	return fmt.Sprintf("no plan of %s was like it", p.Head[:7])
}

// lessThan says that a plan is the reviewed one, or less of it and no delete.
func lessThan(fresh, reviewed integrations.Plan) bool {
	deletes := false
	for _, c := range fresh.Changes {
		deletes = deletes || slices.Contains(c.Actions, "delete")
		if !slices.ContainsFunc(reviewed.Changes, func(r integrations.Change) bool { return r.Address == c.Address && r.Hash == c.Hash }) {
			return false
		}
	}
	return len(fresh.Changes) == len(reviewed.Changes) || !deletes
}

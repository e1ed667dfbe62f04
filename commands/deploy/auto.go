package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// With `auto: main`, a merge to a service's branch asks for a deploy as whoever
// merged it. The newest wins: an open deploy that came so takes what is newer in,
// and one that only waits for its turn is made anew.

// autoFeature keeps the commit that was looked at last, by service and environment.
const autoFeature = "auto"

// firstSight stands before a commit that was there when a branch was first looked
// at: it deploys nothing, unless a push tells that it came while we were there.
const firstSight = "first "

// autoPlace is a service in an environment that deploys by itself.
type autoPlace struct {
	service, environment, repo, branch string
}

func (p autoPlace) key() string { return p.service + "|" + p.environment }

// autos are the places that deploy by themselves.
func autos(cat *integrations.Catalog) []autoPlace {
	var out []autoPlace
	for _, s := range cat.Services {
		for name, e := range s.Environments {
			if !e.Auto {
				continue
			}
			repo := s.Repository
			if s.Strategy == "pin" {
				repo = s.Source
			}
			out = append(out, autoPlace{s.Name, name, repo, s.Branch})
		}
	}
	slices.SortFunc(out, func(a, b autoPlace) int { return strings.Compare(a.key(), b.key()) })
	return out
}

// autoAt queues the deploys that a branch's new head asks for.
func (f *feature) autoAt(tx *store.Tx, repo, branch, before, head string) error {
	for _, p := range autos(f.Catalog()) {
		if p.repo != repo || p.branch != branch {
			continue
		}
		last, _, err := store.Feature[string](tx, autoFeature).Get(p.key())
		if err != nil {
			return err
		}
		seen, only := strings.CutPrefix(last, firstSight)
		if seen == head && (!only || before == "") {
			continue
		}
		if last = seen; strings.Trim(before, "0") != "" && (only || last == "") {
			last = before
		}
		j := &store.Job{Key: fmt.Sprintf("auto|%s|%s", p.key(), head), Kind: kindAuto, Repo: p.repo, Base: branch, SHA: head, State: store.JobQueued, Created: f.Clock.Now()}
		if err := setRecord(j, record{Service: p.service, To: p.environment, From: last}); err != nil {
			return err
		}
		if _, _, err := tx.InsertJob(j); err != nil {
			return err
		}
	}
	return nil
}

// reconcileAutos does the same for heads that no webhook told of. A branch seen for
// the first time deploys nothing: what is there was there before us.
func (f *feature) reconcileAutos(ctx context.Context) error {
	var errs []error
	for _, p := range autos(f.Catalog()) {
		head, err := f.Forge.BranchHead(ctx, p.repo, p.branch)
		if err != nil {
			errs = append(errs, fmt.Errorf("look at %s of %s: %w", p.branch, p.repo, err))
			continue
		}
		errs = append(errs, f.Store.Update(ctx, func(tx *store.Tx) error {
			seen := store.Feature[string](tx, autoFeature)
			if _, known, err := seen.Get(p.key()); err != nil || !known {
				return errors.Join(err, seen.Put(p.key(), firstSight+head))
			}
			return f.autoAt(tx, p.repo, p.branch, "", head)
		}))
	}
	return errors.Join(errs...)
}

// auto asks for the deploy of a branch's head as whoever merged it.
func (f *feature) auto(ctx context.Context, r *runner.Run) runner.End {
	j := r.Job
	rec := recordOf(j)
	who, err := f.broughtBy(ctx, j)
	if err != nil {
		return f.lags(j, err)
	}
	c := &commands.Call{Catalog: f.Catalog(), Who: who, Event: 0, Args: map[string]string{"service": rec.Service, "environment": rec.To}}
	op, err := f.request(ctx, c)
	var no *commands.Refusal
	switch {
	case errors.As(err, &no) && no.Code == "nothing_to_ship":
		return runner.End{State: store.JobNoop, Why: "there is nothing to ship", Save: f.autoSeen(rec, j.SHA, nil)}
	case errors.As(err, &no):
		return runner.Failed(err)
	case err != nil:
		return f.lags(j, err)
	}
	env, _ := f.Catalog().Environment(rec.To)
	op.Auto, op.Channel, op.Asked = true, f.home(env), "by a merge to "+j.Base
	if op.Channel == "" {
		return runner.End{State: store.JobFailed, Why: fmt.Sprintf("%s has no channel to show it in", rec.To)}
	}
	var wait string
	err = f.Store.View(func(tx *store.Tx) (err error) {
		wait, err = f.autoBusy(tx, op)
		return err
	})
	if err != nil {
		return again(j, err)
	}
	if wait != "" {
		return runner.End{State: store.JobQueued, Why: wait, After: lagLimit / 4}
	}
	return runner.End{State: store.JobSucceeded, Save: f.autoSeen(rec, j.SHA, func(tx *store.Tx) error { return f.autoBegin(tx, c, op) })}
}

// lags tries again what GitHub does not know yet: its webhook of a push comes
// before all of its API knows the commit.
func (f *feature) lags(j *store.Job, err error) runner.End {
	if errors.Is(err, integrations.ErrNotFound) && f.Clock.Now().Sub(j.Created) < lagLimit {
		return runner.End{State: store.JobQueued, Err: err, After: lagLimit / 10}
	}
	return again(j, err)
}

// broughtBy is who brought a commit to a branch: who merged its pull request, else
// its author.
func (f *feature) broughtBy(ctx context.Context, j *store.Job) (integrations.Person, error) {
	prs, err := f.cameBy(ctx, j, j.SHA)
	if err != nil {
		return integrations.Person{}, err
	}
	for _, pr := range prs {
		if pr.MergedBy != "" {
			return f.Catalog().PersonByGitHub(pr.MergedBy), nil
		}
	}
	from := recordOf(j).From
	if from == "" {
		return integrations.Person{}, nil
	}
	cmp, err := f.Forge.Compare(ctx, j.Repo, from, j.SHA)
	if err != nil || len(cmp.Commits) == 0 {
		return integrations.Person{}, err
	}
	return f.Catalog().PersonByGitHub(cmp.Commits[len(cmp.Commits)-1].Author), nil
}

func (f *feature) autoSeen(rec record, head string, do func(tx *store.Tx) error) func(*store.Tx, *store.Job) error {
	return func(tx *store.Tx, _ *store.Job) error {
		if do != nil {
			if err := do(tx); err != nil {
				return err
			}
		}
		return store.Feature[string](tx, autoFeature).Put(autoPlace{service: rec.Service, environment: rec.To}.key(), head)
	}
}

// autoBusy says what has to be over before an open deploy can take what is newer.
func (f *feature) autoBusy(tx *store.Tx, op *store.Operation) (string, error) {
	held, err := reservations(tx, op)
	for _, o := range held {
		if o.Auto && o.Waits == "" && (o.State == store.OpOpening || o.CloseAskedBy != nil) {
			return o.ID + " is on its way", err
		}
	}
	return "", err
}

// autoBegin opens a deploy by itself, or has an open one take what is newer in.
func (f *feature) autoBegin(tx *store.Tx, c *commands.Call, op *store.Operation) error {
	held, err := reservations(tx, op)
	if err != nil {
		return err
	}
	for _, o := range held {
		switch {
		case !o.Auto || o.Service != op.Service:
		case o.Waits != "": // it has nothing yet that anybody looked at
			if err := f.closeOpen(tx, c, o, supersededBy+"a newer merge."); err != nil {
				return err
			}
		case o.State == store.OpOpen && o.MergeAskedBy == nil && o.Strategy == "promote":
			return f.autoInclude(tx, o, op)
		case o.State == store.OpOpen && o.MergeAskedBy == nil:
			if err := f.closeOpen(tx, c, o, supersededBy+"a newer merge."); err != nil {
				return err
			}
		}
	}
	if held, err = reservations(tx, op); err != nil {
		return err
	}
	if op.ID, err = tx.NextID("op"); err != nil {
		return err
	}
	if len(held) > 0 {
		last := held[len(held)-1]
		op.Waits, op.Note = last.ID, fmt.Sprintf("It is opened when %s is over.", last.ID)
	}
	op.Branch, op.Created = fmt.Sprintf("signalbox/%s-%s-%s", op.Service, op.Environment, op.ID), f.Clock.Now()
	row := store.AuditRow{Who: op.Requester, Act: "deploy by itself", Subject: op.ID, Service: op.Service, Environment: op.Environment, Outcome: "done",
		Detail: fmt.Sprintf("%s came to %s of %s", short(op.ToSHA), op.Ref, c.Args["service"]), Via: "merge"}
	if err := errors.Join(tx.PutOperation(op), f.openCard(tx, op), tx.Audit(row)); err != nil || op.Waits != "" {
		return err
	}
	return f.queueOpen(tx, op, "")
}

// autoInclude has an open promotion take newer commits in, as Include does.
func (f *feature) autoInclude(tx *store.Tx, o, newer *store.Operation) error {
	if o.ToSHA == newer.ToSHA {
		return nil
	}
	if o.Self != nil && !o.Self.At.IsZero() {
		if err := f.selfMergeOff(tx, o, nil); err != nil {
			return err
		}
	}
	o.Note = fmt.Sprintf("Taking in what came to %s since.", o.Ref)
	if _, _, err := tx.InsertJob(&store.Job{Key: fmt.Sprintf("include|%s|%s|by itself", o.ID, newer.ToSHA), Kind: kindInclude, Operation: o.ID, Repo: o.Repo,
		RepoID: o.RepoID, PR: o.PR, SHA: newer.ToSHA, Requester: newer.Requester, State: store.JobQueued, Created: f.Clock.Now()}); err != nil {
		return err
	}
	return f.putOp(tx, o, true)
}

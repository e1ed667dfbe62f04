package past

import (
	"context"
	"slices"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// lookedThrough is how many operations of a place are looked through for the one
// that brought what runs there.
const lookedThrough = 100

// deploysOf are the merged deploys of a service in an environment, the last merged
// first: that is the order in which they changed it.
func deploysOf(tx *store.Tx, service, environment string) ([]*store.Operation, error) {
	ops, err := tx.FindOperations(store.OperationFilter{Service: service, Environment: environment, Limit: lookedThrough, Keep: func(o *store.Operation) bool {
		return o.Kind == "deploy" && o.MergeSHA != "" && o.State != store.OpClosed
	}})
	slices.SortStableFunc(ops, func(a, b *store.Operation) int { return b.Merged.Compare(a.Merged) })
	return ops, err
}

// A run is what a service runs at in an environment.
type run struct {
	environment string
	op          *store.Operation // the last deploy that succeeded; nil if none did
	newer       *store.Operation // the newest deploy since, which did not succeed, or has not yet
	sha         string           // "" if not known
	branch      string           // that is at sha, where no deploy says what runs
}

// runOf works out what runs somewhere. Where nothing was deployed from here, it
// is what the branch says that is deployed from there.
func (f *feature) runOf(ctx context.Context, svc integrations.Service, environment string) (run, error) {
	r := run{environment: environment}
	err := f.Store.View(func(tx *store.Tx) error {
		ops, err := deploysOf(tx, svc.Name, environment)
		if i := slices.IndexFunc(ops, worked); i >= 0 {
			r.op, r.sha = ops[i], ops[i].ToSHA
		}
		if len(ops) > 0 && ops[0] != r.op {
			r.newer = ops[0]
		}
		return err
	})
	if err != nil || r.op != nil || svc.Strategy != "promote" {
		return r, err
	}
	r.branch = svc.Environments[environment].Branch
	r.sha, err = f.Forge.BranchHead(ctx, svc.Repository, r.branch)
	return r, err
}

// told says what runs, and since when.
func (r run) told(a asked) integrations.Rich {
	switch {
	case r.op != nil:
		return integrations.R(r.environment, " at ", integrations.Code(version(r.op)), " (", integrations.Code(r.op.ID), ", ", a.when(r.op.Ended), ")")
	case r.branch != "":
		return integrations.R(r.environment, " at ", integrations.Code(short(r.sha)), " (the head of ", r.branch, ": nothing was deployed from here yet)")
	}
	return integrations.R(r.environment, " at a version that is not known here (nothing was deployed from here yet)")
}

// doubt says why what runs may be something else; nil if nothing speaks for that.
func (r run) doubt() integrations.Rich {
	switch {
	case r.newer == nil:
		return nil
	case failed(r.newer):
		return integrations.R("⚠️ ", integrations.Code(r.newer.ID), " to ", r.environment, " ", r.newer.State, " after that: what runs there may be a part of it.")
	case r.newer.Terminal():
		return nil
	}
	return integrations.R(integrations.Code(r.newer.ID), " to ", r.environment, " is under way (", r.newer.State, ").")
}

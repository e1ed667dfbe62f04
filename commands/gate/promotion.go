package gate

import (
	"fmt"

	"github.com/signalbox-chatops/signalbox/store"
)

// looksBack is how many operations of the earlier environment are looked through.
const looksBack = 50

// Promotion wants the same commit or version to have succeeded in the environment
// that comes first, and nothing to have gone wrong there since. A rollback is
// not held up by it.
func Promotion(tx *store.Tx, q Question) ([]Closed, error) {
	env, err := q.environment()
	if err != nil {
		return nil, err
	}
	if env.After == "" || q.Op == nil || q.Op.Service == "" || q.rollback() {
		return nil, nil
	}
	svc, ok := q.Catalog.Service(q.Op.Service)
	if !ok {
		return nil, fmt.Errorf("no service is called %q", q.Op.Service)
	}
	place, runs := svc.Environments[env.After]
	if !runs {
		return nil, nil // it has no earlier place to succeed in
	}
	if pushed(q.Op, q.Head) {
		return []Closed{{Reason: fmt.Sprintf("%s was pushed to it, which never ran in %s", short(q.Head), env.After), Opens: fmt.Sprintf("the push is taken back, or what it brings succeeds in %s", env.After)}}, nil
	}
	what, opens := shipped(q.Op), fmt.Sprintf("`/ops deploy %s %s to %s` succeeds", q.Op.Service, shipped(q.Op), env.After)
	first := Question{At: q.At, Now: q.Now, Catalog: q.Catalog, Environment: env.After, Service: q.Op.Service, Targets: place.Targets}
	if dirty, err := holdsOn(tx, first, store.HoldDirty); err != nil || len(dirty) > 0 {
		if err != nil {
			return nil, err
		}
		return []Closed{{Reason: fmt.Sprintf("%s runs first, and is not healthy: %s", env.After, dirty[0].Reason), Opens: env.After + " is set right", Since: dirty[0].Created, Link: dirty[0].Link}}, nil
	}
	earlier, err := tx.OperationsOf(q.Op.Service, env.After, looksBack)
	if err != nil {
		return nil, err
	}
	for _, o := range earlier {
		same := o.Strategy == q.Op.Strategy && o.To == q.Op.To && (o.Strategy == "pin" || o.ToSHA == q.Op.ToSHA) && !o.Rollback && !pushed(o, o.Head)
		switch o.State {
		case store.OpSucceeded, store.OpNoop:
			if same {
				return nil, nil
			}
			if o.Rollback {
				return []Closed{{Reason: fmt.Sprintf("%s was rolled back by %s since it had %s", env.After, o.ID, what), Opens: opens, Since: o.Ended}}, nil
			}
		case store.OpFailed, store.OpPartial:
			if o.MergeSHA != "" {
				return []Closed{{Reason: fmt.Sprintf("%s runs first, and %s is %s there", env.After, o.ID, o.State), Opens: opens, Since: o.Ended}}, nil
			}
		}
	}
	return []Closed{{Reason: fmt.Sprintf("%s of %s has not succeeded in %s, which comes first", what, q.Op.Service, env.After), Opens: opens}}, nil
}

// pushed says whether a promotion's head is another one than the commit that was
// asked for. A pin's head is a commit of ours on the base branch.
func pushed(o *store.Operation, head string) bool {
	return o.Strategy != "pin" && !o.Forward && head != "" && head != o.ToSHA
}

// shipped names what an operation brings: a commit or a version.
func shipped(o *store.Operation) string {
	if o.Strategy == "pin" {
		return o.To
	}
	return short(o.ToSHA)
}

package gate

import (
	"fmt"
	"slices"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// looksBack is how many operations of the earlier environment are looked through.
const looksBack = 50

// Promotion wants the same commit or version to have succeeded in the environment
// that comes first, and nothing to have gone wrong there since. What people bring
// to the branch of a place is a promotion of its head, and a version that they write
// into the file of a service is one of that version. A rollback is not held up by
// it.
func Promotion(tx *store.Tx, q Question) ([]Closed, error) {
	env, err := q.environment()
	if err != nil {
		return nil, err
	}
	if env.After == "" {
		return nil, nil
	}
	all, err := pinned(q)
	if err != nil {
		return nil, err
	}
	if !q.rollback() {
		own, err := promotes(tx, q)
		if err != nil {
			return nil, err
		}
		all = append(own, all...)
	}
	var out []Closed
	for _, op := range all {
		closed, err := ranFirst(tx, q, op, env.After)
		if err != nil {
			return nil, err
		}
		out = append(out, closed...)
	}
	return out, nil
}

// promotes are the operations that the change in question is: its own, or, of a
// pull request that no operation of a service opened, one for each service whose
// place the branch is that it goes into.
func promotes(tx *store.Tx, q Question) ([]*store.Operation, error) {
	if q.Op != nil && q.Op.Service != "" {
		return []*store.Operation{q.Op}, nil
	}
	if q.Pull == nil || q.Op != nil && q.Op.Kind != "infra" {
		return nil, nil
	}
	asked := &store.Operation{ToSHA: q.Head}
	if q.Pull.Operation != "" { // what a deploy changes beside its own targets
		op, err := tx.Operation(q.Pull.Operation)
		if err != nil {
			return nil, err
		}
		if op.Base == q.Pull.Base && op.Rollback {
			return nil, nil
		}
		if op.Base == q.Pull.Base && op.Strategy == "promote" {
			asked = op
		}
	}
	var out []*store.Operation
	for _, svc := range q.Catalog.Services {
		if place := svc.Environments[q.Environment]; brings(svc, place, q.Pull.Repo, q.Pull.Base, q.Targets) {
			out = append(out, &store.Operation{Service: svc.Name, Strategy: "promote", ToSHA: asked.ToSHA, Forward: asked.Forward})
		}
	}
	return out, nil
}

// pinned are the operations that the versions are which the change sets beside its
// own: by a pull request of people, or by a push to the one that was asked for.
func pinned(q Question) ([]*store.Operation, error) {
	if !slices.ContainsFunc(q.Catalog.Services, func(s integrations.Service) bool { return setsAny(s, q) }) {
		return nil, nil
	}
	pins := q.Pins
	if q.Job == nil && q.Pull != nil {
		facts, err := q.facts("promotion")
		if err != nil {
			return nil, err
		}
		pins = facts.Pins
	}
	var out []*store.Operation
	for _, p := range pins {
		own := q.Op != nil && q.Op.Service == p.Service && q.Op.Strategy == "pin" && q.Op.To == p.To
		if p.Environment == q.Environment && !own {
			out = append(out, &store.Operation{Service: p.Service, Strategy: "pin", To: p.To})
		}
	}
	return out, nil
}

// setsAny says whether a version of the service could stand in what is changed.
func setsAny(svc integrations.Service, q Question) bool {
	place := svc.Environments[q.Environment]
	return svc.Strategy == "pin" && slices.ContainsFunc(place.Targets, func(t string) bool { return slices.Contains(q.Targets, t) })
}

// brings says whether a merge into a branch is a promotion of a service.
func brings(svc integrations.Service, place integrations.ServiceEnvironment, repo, base string, targets []string) bool {
	return svc.Strategy != "pin" && svc.Repository == repo && place.Branch == base &&
		slices.ContainsFunc(place.Targets, func(t string) bool { return slices.Contains(targets, t) })
}

// ranFirst looks in the environment that comes first for what an operation ships.
func ranFirst(tx *store.Tx, q Question, op *store.Operation, after string) ([]Closed, error) {
	svc, ok := q.Catalog.Service(op.Service)
	if !ok {
		return nil, fmt.Errorf("no service is called %q", op.Service)
	}
	place, runs := svc.Environments[after]
	if !runs {
		return nil, nil // it has no earlier place to succeed in
	}
	if pushed(op, q.Head) {
		return []Closed{{Reason: fmt.Sprintf("%s was pushed to it, which never ran in %s", short(q.Head), after), Opens: fmt.Sprintf("the push is taken back, or what it brings succeeds in %s", after)}}, nil
	}
	what, opens := shipped(op), fmt.Sprintf("`/ops deploy %s %s to %s` succeeds", op.Service, shipped(op), after)
	first := Question{At: q.At, Now: q.Now, Catalog: q.Catalog, Environment: after, Service: op.Service, Targets: place.Targets}
	if dirty, err := holdsOn(tx, first, store.HoldDirty); err != nil || len(dirty) > 0 {
		if err != nil {
			return nil, err
		}
		return []Closed{{Reason: fmt.Sprintf("%s runs first, and is not healthy: %s", after, dirty[0].Reason), Opens: after + " is set right", Since: dirty[0].Created, Link: dirty[0].Link}}, nil
	}
	earlier, err := earlierOf(tx, svc, after)
	if err != nil {
		return nil, err
	}
	for _, o := range earlier {
		same := o.Strategy == op.Strategy && o.To == op.To && (o.Strategy == "pin" || o.ToSHA == op.ToSHA) && !o.Rollback && !pushed(o, o.Head)
		switch o.State {
		case store.OpSucceeded, store.OpNoop:
			if same {
				return nil, nil
			}
			if o.Rollback {
				return []Closed{{Reason: fmt.Sprintf("%s was rolled back by %s since it had %s", after, o.ID, what), Opens: opens, Since: o.Ended}}, nil
			}
		case store.OpFailed, store.OpPartial:
			if o.MergeSHA != "" {
				return []Closed{{Reason: fmt.Sprintf("%s runs first, and %s is %s there", after, o.ID, o.State), Opens: opens, Since: o.Ended}}, nil
			}
		}
	}
	return []Closed{{Reason: fmt.Sprintf("%s of %s has not succeeded in %s, which comes first", what, op.Service, after), Opens: opens}}, nil
}

// earlierOf are the operations of a service in an environment, and what people
// brought there by pull requests of their own, newest first.
func earlierOf(tx *store.Tx, svc integrations.Service, environment string) ([]*store.Operation, error) {
	out, err := tx.OperationsOf(svc.Name, environment, looksBack)
	if err != nil {
		return nil, err
	}
	place := svc.Environments[environment]
	for _, t := range place.Targets {
		all, err := tx.OperationsByTarget(t, looksBack)
		if err != nil {
			return nil, err
		}
		for _, o := range all {
			known := slices.ContainsFunc(out, func(k *store.Operation) bool { return k.ID == o.ID })
			switch {
			case o.Kind != "infra" || known:
			case brings(svc, place, o.Repo, o.Base, o.Targets):
				o.Strategy, o.ToSHA = "promote", o.Head
				out = append(out, o)
			case slices.ContainsFunc(o.Pins, func(p store.Pin) bool { return sets(p, svc.Name, environment) }):
				out = append(out, o)
			}
		}
	}
	for _, o := range out { // what stood in the file in the end was perhaps not what was asked for
		if i := slices.IndexFunc(o.Pins, func(p store.Pin) bool { return sets(p, svc.Name, environment) }); i >= 0 {
			o.Strategy, o.To = "pin", o.Pins[i].To
		}
	}
	slices.SortStableFunc(out, func(a, b *store.Operation) int { return b.Created.Compare(a.Created) })
	return out, nil
}

func sets(p store.Pin, service, environment string) bool {
	return p.Service == service && p.Environment == environment
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

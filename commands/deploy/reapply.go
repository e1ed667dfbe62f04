package deploy

import (
	"context"
	"fmt"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

func targetArg(help string) []commands.Arg {
	return []commands.Arg{{Name: "target", Kind: commands.ArgTarget, Help: help}}
}

// target is the one that a call names, by its own name or as a service in an
// environment that has no other.
func (f *feature) target(c *commands.Call) (integrations.Target, error) {
	name := c.Arg("target")
	if t, ok := c.Catalog.Target(name); ok {
		return t, nil
	}
	service, env, _ := strings.Cut(name, "/")
	if svc, ok := c.Catalog.Service(service); ok {
		targets := svc.Environments[env].Targets
		if len(targets) > 1 {
			return integrations.Target{}, commands.Refuse("ambiguous", fmt.Sprintf("%s has several targets.", name)).WithHint("Say which: " + strings.Join(targets, ", ") + ".")
		}
		if len(targets) == 1 {
			if t, ok := c.Catalog.Target(targets[0]); ok {
				return t, nil
			}
		}
	}
	return integrations.Target{}, commands.Refuse("unknown_target", fmt.Sprintf("There is no target “%s”.", name)).WithExample("services")
}

// aboutTarget is a verb about one target, decided in the transaction alone.
func (f *feature) aboutTarget(right string, do func(*store.Tx, *commands.Call, integrations.Target) (commands.Reply, error)) func(context.Context, *commands.Call) (commands.Act, error) {
	return func(_ context.Context, c *commands.Call) (commands.Act, error) {
		return func(tx *store.Tx) (commands.Reply, error) {
			t, err := f.target(c)
			if err != nil {
				return commands.Reply{}, err
			}
			r := commands.Reply{}
			if err = commands.Allow(c, right, t.Environment); err == nil {
				r, err = do(tx, c, t)
			}
			r.Target, r.Environment = t.Name, t.Environment
			return r, err
		}, nil
	}
}

func (f *feature) driftVerb() commands.Verb {
	return commands.Verb{
		Name: "drift", Summary: "Look now whether a target is still as it was merged", Effect: commands.Changes, Right: "plan", // it runs the repository's code
		Args: targetArg("the target"), Examples: []string{"drift {service}/{environment}"},
		Detail: "It plans the commit that was applied last, and changes nothing. What it finds gets one message, edited until it is gone. Targets with `drift` in the configuration are looked at by themselves.",
		Decide: f.aboutTarget("plan", f.askDrift),
	}
}

func (f *feature) askDrift(tx *store.Tx, c *commands.Call, t integrations.Target) (commands.Reply, error) {
	by, err := f.busy(tx, t.Name)
	if err != nil {
		return commands.Reply{}, err
	}
	if by != "" {
		return commands.Reply{}, commands.Refuse("busy", fmt.Sprintf("%s is changing %s, or is about to: what a plan found now would say nothing.", by, t.Name)).WithExample("job " + by)
	}
	last, _, err := gate.LastOn(tx, t.Name)
	if err != nil {
		return commands.Reply{}, err
	}
	j, err := f.queueLook(tx, t, fmt.Sprintf("event %d", c.Event), gate.ToStore(c.Who))
	if err != nil {
		return commands.Reply{}, err
	}
	text := fmt.Sprintf("Looking at %s: a plan of %s, which %s applied last.", t.Name, short(j.SHA), lastGood(last).Op)
	switch {
	case last.Good == nil:
		text = fmt.Sprintf("Nothing was ever applied on %s, so it cannot have drifted; planning what %s holds.", t.Name, t.Base)
	case j.SHA == "":
		text = fmt.Sprintf("%s was changed by hand; planning what %s holds, and when that is empty, the target is clean.", t.Name, t.Base)
	}
	return commands.Reply{Subject: j.ID, Private: say(text)}, f.openPlanMessage(tx, c.Heard.Channel, j.ID)
}

func lastGood(a gate.Attempted) gate.Good {
	if a.Good == nil {
		return gate.Good{}
	}
	return *a.Good
}

func (f *feature) reapplyVerb() commands.Verb {
	return commands.Verb{
		Name: "reapply", Summary: "Apply what was applied last on a target again, over what has drifted", Effect: commands.Changes, Right: "deploy",
		Args: targetArg("the target"), Examples: []string{"reapply {service}/{environment}"},
		Detail: "The commit is the one that was applied last; its plan has to be confirmed unless the environment wants no review. To bring another commit, deploy.",
		Decide: f.aboutTarget("deploy", f.reapply),
	}
}

// reapply queues an apply of the commit that succeeded last. Nothing is merged by
// it, so nobody has reviewed what it would do.
func (f *feature) reapply(tx *store.Tx, c *commands.Call, t integrations.Target) (commands.Reply, error) {
	last, ok, err := gate.LastOn(tx, t.Name)
	if err != nil {
		return commands.Reply{}, err
	}
	if !ok || last.Good == nil {
		return commands.Reply{}, commands.Refuse("never_applied", fmt.Sprintf("Nothing was ever applied on %s, so there is nothing to apply again.", t.Name)).WithExample("history")
	}
	good := *last.Good
	if err := f.reappliable(tx, c, t, last); err != nil {
		return commands.Reply{}, err
	}
	env, _ := c.Catalog.Environment(t.Environment)
	from, err := tx.Operation(good.Op)
	if err != nil {
		return commands.Reply{}, fmt.Errorf("read what applied %s: %w", short(good.SHA), err)
	}
	o, err := f.newOperation(tx, opReapply, from.RepoID, t.Repository, t.Base, env, []string{t.Name})
	if err != nil {
		return commands.Reply{}, err
	}
	o.State, o.MergeSHA, o.Head, o.Requester = store.OpMerged, good.SHA, good.SHA, gate.ToStore(c.Who)
	if !c.Heard.Private {
		o.Channel = c.Heard.Channel
	}
	q := f.question(gate.AtCommand, c.Catalog, o, nil)
	q.Actor, q.Explicit = c.Who, true
	if closed := gate.Ask(tx, q); len(closed) > 0 {
		return commands.Reply{Subject: o.ID}, f.dirtyButtons(tx, c, closed, heldRefusal(tx, c, o.Environment, closed))
	}
	if err := tx.PutOperation(o); err != nil {
		return commands.Reply{}, err
	}
	if err := f.openCard(tx, o); err != nil {
		return commands.Reply{}, err
	}
	j := &store.Job{Key: fmt.Sprintf("reapply|%s|%s|%d", t.Name, good.SHA, c.Event), Kind: kindApply, Target: t.Name, Locks: true, Order: good.Order,
		Operation: o.ID, Repo: t.Repository, RepoID: from.RepoID, SHA: good.SHA, Base: t.Base, Requester: o.Requester, Again: true,
		State: store.JobQueued, Created: f.Clock.Now()}
	if _, _, err := tx.InsertJob(j); err != nil {
		return commands.Reply{}, err
	}
	return commands.Reply{Subject: o.ID, Private: say(fmt.Sprintf("Applying %s on %s again. Its card shows how it goes.", short(good.SHA), t.Name))}, f.openJobSurfaces(tx, o, j)
}

// opReapply is the kind of an operation that applies once more what was applied.
const opReapply = "reapply"

// reappliable refuses what would take something back, or is on its way already.
func (f *feature) reappliable(tx *store.Tx, c *commands.Call, t integrations.Target, last gate.Attempted) error {
	if last.SHA != last.Good.SHA {
		return commands.Refuse("behind", fmt.Sprintf("%s of %s was begun on %s after %s, and ended as %s: applying the older one again would take it back.", short(last.SHA), last.Op, t.Name, short(last.Good.SHA), last.State)).
			WithHint("Retry that, or open a pull request that reverts it.").WithExample("retry " + last.Job)
	}
	queue, err := tx.TargetQueue(t.Name)
	if err != nil {
		return err
	}
	if len(queue) > 0 {
		return commands.Refuse("busy", fmt.Sprintf("%s of %s waits for %s or runs there already.", queue[0].ID, queue[0].Operation, t.Name)).WithExample("status " + queue[0].Operation)
	}
	l, _, err := store.Feature[look](tx, lookFeature).Get(t.Name)
	if err != nil || c.Version == 0 {
		return err
	}
	e, ok, err := store.Feature[episode](tx, episodeFeature).Get(l.Drifted)
	switch {
	case err != nil:
		return err
	case !ok || c.Version != stampOf(e.Plans.Digest()):
		return commands.Refuse("stale", fmt.Sprintf("%s is not as it was when this button was drawn.", t.Name)).WithHint("Look at the newest message, or look again.").WithExample("drift " + t.Name)
	}
	return nil
}

package drain

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// What people decide about a drain: the buttons of its card, and the lines they carry.

func say(text string) *integrations.Message { return &integrations.Message{Text: text} }

// on makes a verb's Decide of what it does to the drain that is named.
func (f *feature) on(do func(tx *store.Tx, c *commands.Call, d *Drain) (commands.Reply, error)) func(context.Context, *commands.Call) (commands.Act, error) {
	return func(_ context.Context, c *commands.Call) (commands.Act, error) {
		return func(tx *store.Tx) (commands.Reply, error) {
			d, err := find(tx, c.Arg("drain"))
			if errors.Is(err, errNobody) {
				return commands.Reply{}, noDrain(c.Arg("drain"))
			}
			if err != nil {
				return commands.Reply{}, err
			}
			return do(tx, c, d)
		}, nil
	}
}

func noDrain(typed string) error {
	return commands.Refuse("unknown_drain", fmt.Sprintf("No drain is called “%s”, and none goes on of an instance of that name.", typed)).WithExample("drains")
}

func (f *feature) confirmVerb() commands.Verb {
	return commands.Verb{
		Name: "drain-confirm", Summary: "Confirm the plan of a drain", Effect: commands.Changes, Right: right, Hidden: true,
		Args:     []commands.Arg{{Name: "drain", Kind: commands.ArgWord, Help: "drain-3, or roll-2 for that of a role"}, {Name: "digest", Kind: commands.ArgWord, Help: "of the plan that you have seen"}},
		Examples: []string{"drain-confirm drain-3 0123456789ab"},
		Decide:   f.confirm,
	}
}

// confirm looks at everything again: what is confirmed is what was shown.
func (f *feature) confirm(ctx context.Context, c *commands.Call) (commands.Act, error) {
	if err := f.clouded(); err != nil {
		return nil, err
	}
	if strings.HasPrefix(c.Arg("drain"), "roll-") {
		return f.confirmRoll(ctx, c)
	}
	d, err := f.read(c.Arg("drain"))
	if err != nil {
		return nil, noDrain(c.Arg("drain"))
	}
	m, err := f.Cloud.Machine(ctx, d.At, d.Instance)
	if err != nil {
		return nil, f.unread(d.Instance, err)
	}
	here := f.here(ctx)
	return func(tx *store.Tx) (commands.Reply, error) {
		d, found, err := drains(tx).Get(d.ID)
		reply := commands.Reply{Subject: d.ID}
		if err != nil || !found {
			return reply, err
		}
		if d.State != statePlanned {
			return reply, commands.Refuse("not_planned", fmt.Sprintf("%s is %s already.", d.ID, word(d.State))).WithExample("drains")
		}
		q, err := f.question(tx, &d, m, here)
		if err != nil {
			return reply, err
		}
		now := plan(q)
		if tx.Now().After(d.Until) || now.Digest(d.Instance) != c.Arg("digest") {
			why := "What you saw is not so any more."
			if tx.Now().After(d.Until) {
				why = "A confirmation is good for five minutes."
			}
			d.Plan, d.Until, d.Seats, d.Now = now, tx.Now().Add(confirmFor), seats(m), unasked(m, q.Role)
			reply.Outcome, reply.Private = "planned again", say(why+" It was planned again: look at its card, and confirm that.")
			if err := put(tx, &d, true); err != nil {
				return reply, err
			}
			return reply, beginAsking(tx, &d)
		}
		if len(now.Closed) > 0 {
			return reply, commands.Refuse("guarded", now.Closed[0].String()).WithExample("drains")
		}
		d.Begun, d.By = tx.Now(), gate.ToStore(c.Who)
		reply.Private = say(fmt.Sprintf("Draining %s. Its card shows how it goes.", d.machine()))
		return reply, f.launch(tx, &d)
	}, nil
}

func (f *feature) confirmRoll(ctx context.Context, c *commands.Call) (commands.Act, error) {
	var r Roll
	var found bool
	err := f.Store.View(func(tx *store.Tx) (err error) { r, found, err = rolls(tx).Get(c.Arg("drain")); return err })
	if err != nil || !found {
		return nil, noDrain(c.Arg("drain"))
	}
	if len(r.Left) == 0 {
		return nil, commands.Refuse("not_planned", r.ID+" has nothing left to drain.").WithExample("drains")
	}
	m, err := f.Cloud.Machine(ctx, r.Left[0].At, r.Left[0].ID)
	if err != nil {
		return nil, f.unread(r.Left[0].ID, err)
	}
	here := f.here(ctx)
	return func(tx *store.Tx) (commands.Reply, error) {
		r, _, err := rolls(tx).Get(r.ID)
		reply := commands.Reply{Subject: r.ID}
		if err != nil {
			return reply, err
		}
		if !r.Begun.IsZero() {
			return reply, commands.Refuse("not_planned", fmt.Sprintf("%s goes on already.", r.ID)).WithExample("drains")
		}
		q, err := f.question(tx, &Drain{Role: r.Role}, m, here)
		if err != nil {
			return reply, err
		}
		was := r.Digest
		r.Plan = plan(q)
		r.Digest = rollDigest(&r)
		if tx.Now().After(r.Until) || r.Digest != c.Arg("digest") || r.Digest != was {
			r.Until = tx.Now().Add(confirmFor)
			reply.Outcome, reply.Private = "planned again", say("What you saw is not so any more, or is older than five minutes. It was planned again: look at its card, and confirm that.")
			return reply, putRoll(tx, &r)
		}
		if len(r.Plan.Closed) > 0 {
			return reply, commands.Refuse("guarded", r.Plan.Closed[0].String()).WithExample("drains")
		}
		r.Begun, r.By = tx.Now(), gate.ToStore(c.Who)
		reply.Private = say(fmt.Sprintf("Draining %d instances of the role %s, one at a time. The card shows how it goes.", r.Of, r.Role))
		if err := f.next(tx, &r); err != nil {
			return reply, err
		}
		return reply, putRoll(tx, &r)
	}, nil
}

func (f *feature) undrainVerb() commands.Verb {
	return commands.Verb{
		Name: "undrain", Summary: "Put an instance back that is being drained, or was taken out and kept", Effect: commands.Changes, Right: right,
		Args:     []commands.Arg{{Name: "drain", Kind: commands.ArgWord, Help: "the instance, or its drain: drain-3; roll-2 for a role"}},
		Examples: []string{"undrain web-3", "undrain drain-3"},
		Detail:   "In the reverse order: its application, its load balancers, its tags. It can be done until its termination is begun.",
		Decide: func(_ context.Context, c *commands.Call) (commands.Act, error) {
			return func(tx *store.Tx) (commands.Reply, error) { return f.undrain(tx, c) }, nil
		},
	}
}

func (f *feature) undrain(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
	typed := c.Arg("drain")
	if strings.HasPrefix(typed, "roll-") {
		return f.abortRoll(tx, c)
	}
	d, err := find(tx, typed)
	if errors.Is(err, errNobody) {
		return commands.Reply{}, noDrain(typed)
	}
	if err != nil {
		return commands.Reply{}, err
	}
	reply := commands.Reply{Subject: d.ID}
	if d.State == statePlanned {
		d.State, d.Ended, d.Why = stateExpired, tx.Now(), fmt.Sprintf("%s does not want it", c.Who.Display())
		reply.Private = say("Nothing was begun, and nothing will be.")
		return reply, put(tx, d, true)
	}
	if !mayGoBack(d) {
		if d.over() {
			return reply, commands.Refuse("over", fmt.Sprintf("%s is %s already.", d.ID, word(d.State))).WithExample("drains")
		}
		return reply, commands.Refuse("too_late", fmt.Sprintf("%s is %s: that cannot be taken back.", d.machine(), word(d.State))).WithExample("drains")
	}
	reply.Private = say(fmt.Sprintf("Putting %s back. Its card shows how it goes.", d.machine()))
	return reply, f.goBack(tx, d, fmt.Sprintf("%s put it back", c.Who.Display()))
}

// goBack turns a drain round.
func (f *feature) goBack(tx *store.Tx, d *Drain, why string) error {
	d.Because = why
	to := wayBack(d)
	if to == stateUndone { // nothing was changed yet
		d.State, d.Since, d.Ended, d.Why = to, tx.Now(), tx.Now(), why
		if err := put(tx, d, true); err != nil {
			return err
		}
		d.Version++
		return f.goOn(tx, d)
	}
	if err := f.setOut(tx, d, to); err != nil {
		return err
	}
	return audit(tx, d, "going back", why)
}

func (f *feature) abortRoll(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
	r, found, err := rolls(tx).Get(c.Arg("drain"))
	if err != nil {
		return commands.Reply{}, err
	}
	if !found {
		return commands.Reply{}, noDrain(c.Arg("drain"))
	}
	reply := commands.Reply{Subject: r.ID}
	if !r.Ended.IsZero() {
		return reply, commands.Refuse("over", r.ID+" is over already.").WithExample("drains")
	}
	r.Left, r.Aborted, r.Why = nil, true, fmt.Sprintf("%s ended it", c.Who.Display())
	reply.Private = say(fmt.Sprintf("%s ends here.", r.ID))
	if r.Current == "" {
		r.Ended = tx.Now()
		return reply, putRoll(tx, &r)
	}
	if err := putRoll(tx, &r); err != nil {
		return reply, err
	}
	d, found, err := drains(tx).Get(r.Current)
	if err != nil || !found {
		return reply, err
	}
	if !mayGoBack(&d) {
		reply.Private = say(fmt.Sprintf("%s ends with %s, which is %s: that cannot be taken back.", r.ID, d.machine(), word(d.State)))
		return reply, nil
	}
	reply.Private = say(fmt.Sprintf("%s ends here, and %s is put back.", r.ID, d.machine()))
	return reply, f.goBack(tx, &d, fmt.Sprintf("%s put it back", c.Who.Display()))
}

func (f *feature) pauseVerb() commands.Verb {
	return commands.Verb{
		Name: "drain-pause", Summary: "Begin no other instance of a role", Effect: commands.Changes, Right: right, Hidden: true, Halts: true,
		Args: []commands.Arg{{Name: "drain", Kind: commands.ArgWord, Help: "roll-2"}}, Examples: []string{"drain-pause roll-2"},
		Decide: f.onRoll(func(tx *store.Tx, c *commands.Call, r *Roll) (commands.Reply, error) {
			if r.Begun.IsZero() || r.Paused {
				return commands.Reply{Subject: r.ID}, commands.Refuse("not_going", r.ID+" does not go on, so it cannot be paused.").WithExample("drains")
			}
			r.Paused, r.Why = true, fmt.Sprintf("%s paused it", c.Who.Display())
			return commands.Reply{Subject: r.ID, Private: say("The one that goes on ends as planned, and no other begins.")}, putRoll(tx, r)
		}),
	}
}

func (f *feature) resumeVerb() commands.Verb {
	return commands.Verb{
		Name: "drain-resume", Summary: "Go on with the instances of a role", Effect: commands.Changes, Right: right, Hidden: true,
		Args: []commands.Arg{{Name: "drain", Kind: commands.ArgWord, Help: "roll-2"}}, Examples: []string{"drain-resume roll-2"},
		Decide: f.onRoll(func(tx *store.Tx, _ *commands.Call, r *Roll) (commands.Reply, error) {
			if !r.Paused {
				return commands.Reply{Subject: r.ID}, commands.Refuse("not_paused", r.ID+" is not paused.").WithExample("drains")
			}
			r.Paused, r.Why = false, ""
			if err := f.next(tx, r); err != nil {
				return commands.Reply{}, err
			}
			return commands.Reply{Subject: r.ID, Private: say(fmt.Sprintf("%s goes on.", r.ID))}, putRoll(tx, r)
		}),
	}
}

func (f *feature) onRoll(do func(tx *store.Tx, c *commands.Call, r *Roll) (commands.Reply, error)) func(context.Context, *commands.Call) (commands.Act, error) {
	return func(_ context.Context, c *commands.Call) (commands.Act, error) {
		return func(tx *store.Tx) (commands.Reply, error) {
			r, found, err := rolls(tx).Get(c.Arg("drain"))
			switch {
			case err != nil:
				return commands.Reply{}, err
			case !found:
				return commands.Reply{}, noDrain(c.Arg("drain"))
			case !r.Ended.IsZero() || r.Aborted:
				return commands.Reply{Subject: r.ID}, commands.Refuse("over", r.ID+" is over already.").WithExample("drains")
			}
			return do(tx, c, &r)
		}, nil
	}
}

// keepGoing is a tick: a drain that should go on has a job, whatever became of it, and one
// that waits for a person waits no more when its instance is ended.
func (f *feature) keepGoing(ctx context.Context) error {
	if err := f.lookAfter(ctx); err != nil {
		return err
	}
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		all, err := actives(tx)
		if err != nil || len(all) == 0 {
			return err
		}
		jobs, err := tx.LiveJobs()
		if err != nil {
			return err
		}
		has := map[string]bool{}
		for _, j := range jobs {
			if j.Kind == kind {
				id, _, _ := strings.Cut(j.Key, " ")
				has[id] = true
			}
		}
		for _, d := range all {
			if d.State == stateHold || has[d.ID] {
				continue
			}
			if err := f.drive(tx, d, false); err != nil {
				return err
			}
		}
		return nil
	})
}

const keepEvery = time.Minute

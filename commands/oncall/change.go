package oncall

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// The rosters stand in the configuration, and are its keepers'; who has the pager for a
// while is for those who carry it: what changes that wants no right but the one to look.

var reasonFlag = commands.Arg{Name: "reason", Kind: commands.ArgText, Optional: true, Help: "why"}

// changing is a verb's decision that changes a rotation.
func (f *Rota) changing(do func(tx *store.Tx, a asked) (commands.Reply, error)) func(context.Context, *commands.Call) (commands.Act, error) {
	return func(ctx context.Context, c *commands.Call) (commands.Act, error) {
		a := f.asked(ctx, c)
		return func(tx *store.Tx) (commands.Reply, error) { return do(tx, a) }, nil
	}
}

func (f *Rota) takeVerb() commands.Verb {
	return commands.Verb{
		Name: "oncall take", Aliases: []string{"take-pager"}, Summary: "Take the pager for a while", Effect: commands.Changes, Right: commands.RightRead,
		Args: []commands.Arg{
			{Name: "for", Kind: commands.ArgDuration, Keyword: "for", Help: "how long: 2h, 90m, 1d"},
			scheduleArg,
			{Name: "from", Kind: commands.ArgMoment, Keyword: "from", Strict: true, Optional: true, Help: "from then on instead of now: 18:00, tomorrow 9:00"},
		},
		Flags: []commands.Arg{reasonFlag}, Examples: []string{"oncall take 2h", "oncall take 1d from tomorrow 9:00 --reason \"alice is ill\""},
		Detail: "You are on call instead of whoever is; after that the rotation goes on as if nothing had been. Whose next shift moves is told so.",
		Decide: f.changing(f.take),
	}
}

func (f *Rota) take(tx *store.Tx, a asked) (commands.Reply, error) {
	s, err := f.theSchedule(a.Call)
	if err != nil {
		return commands.Reply{}, err
	}
	long, err := time.ParseDuration(a.Arg("for"))
	if err != nil || long < time.Minute || long > longestTake {
		return commands.Reply{}, commands.Refuse("bad_span", fmt.Sprintf("The pager is taken for a minute at least, and for %d days at most.", int(longestTake.Hours()/24))).WithExample("oncall take 2h")
	}
	from, err := a.moment("from", a.now)
	if err != nil {
		return commands.Reply{}, err
	}
	if from = minute(from); from.Before(minute(a.now)) {
		return commands.Reply{}, past(from, a.zone, "oncall take 2h from tomorrow 9:00")
	}
	o := integrations.Override{Kind: integrations.OverrideTake, Person: a.Who.Name, Start: from, End: minute(from.Add(long + time.Minute - 1))}
	return f.change(tx, a, s, change{Act: "take", What: fmt.Sprintf("%s takes the pager", a.Who.Name)}, o)
}

const longestTake = 60 * 24 * time.Hour

func past(at time.Time, zone *time.Location, example string) error {
	return commands.Refuse("past", fmt.Sprintf("%s is over: what was cannot be changed.", at.In(zone).Format("2006-01-02 15:04 MST"))).WithExample(example)
}

func (f *Rota) coverVerb() commands.Verb {
	return commands.Verb{
		Name: "oncall cover", Aliases: []string{"cover"}, Summary: "Put somebody in another's place for a time", Effect: commands.Changes, Right: commands.RightRead,
		Args: []commands.Arg{
			{Name: "person", Kind: commands.ArgWord, Help: "who is not on call then"},
			{Name: "from", Kind: commands.ArgMoment, Keyword: "from", Strict: true, Help: "from when on: tomorrow 9:00, friday, 2026-12-24"},
			{Name: "to", Kind: commands.ArgMoment, Keyword: "to", Also: []string{"until", "till"}, Strict: true, Help: "until when; a day alone is its beginning"},
			{Name: "by", Kind: commands.ArgWord, Keyword: "by", Strict: true, Help: "who is on call instead"},
			scheduleArg,
		},
		Flags: []commands.Arg{reasonFlag}, Examples: []string{"oncall cover @alice from tomorrow 9:00 to friday 18:00 by @bob"},
		Detail: "It touches only what of that time is theirs. Both are told.",
		Decide: f.changing(f.cover),
	}
}

func (f *Rota) cover(tx *store.Tx, a asked) (commands.Reply, error) {
	s, err := f.theSchedule(a.Call)
	if err != nil {
		return commands.Reply{}, err
	}
	const example = "oncall cover @alice from tomorrow 9:00 to friday 18:00 by @bob"
	who, err := a.known("person", example)
	if err != nil {
		return commands.Reply{}, err
	}
	by, err := a.known("by", example)
	if err != nil {
		return commands.Reply{}, err
	}
	from, err := a.moment("from", a.now)
	if err != nil {
		return commands.Reply{}, err
	}
	to, err := a.moment("to", a.now)
	if err != nil {
		return commands.Reply{}, err
	}
	from, to = minute(from), minute(to)
	switch now := minute(a.now); {
	case who.Name == by.Name:
		return commands.Reply{}, commands.Refuse("same_person", fmt.Sprintf("%s cannot cover for themselves.", who.Name)).WithExample(example)
	case !to.After(from):
		return commands.Reply{}, commands.Refuse("backwards", fmt.Sprintf("That ends at %s, before it begins at %s.", to.In(a.zone).Format(dayAndTime), from.In(a.zone).Format(dayAndTime))).WithExample(example)
	case !to.After(now):
		return commands.Reply{}, past(to, a.zone, example)
	case to.Sub(from) > longestTake:
		return commands.Reply{}, commands.Refuse("bad_span", fmt.Sprintf("That is longer than %d days: change the roster in the configuration instead.", int(longestTake.Hours()/24))).WithExample(example)
	case from.Before(now):
		from = now
	}
	o := integrations.Override{Kind: integrations.OverrideReplace, Person: by.Name, Instead: who.Name, Start: from, End: to}
	return f.change(tx, a, s, change{Act: "cover", What: fmt.Sprintf("%s covers for %s", by.Name, who.Name)}, o)
}

// known is the person that an argument names.
func (a asked) known(arg, example string) (integrations.Person, error) {
	p, known := a.Person(a.Arg(arg))
	if !known || p.Name == "" {
		return p, commands.Refuse("unknown_person", fmt.Sprintf("I know nobody called “%s”.", p.Display())).WithHint("`" + commands.Prompt + " people` lists whom I know.").WithExample(example)
	}
	return p, nil
}

// change puts overrides in place, shows what they make different, and tells those whose
// next shift moves. All of it is one transaction.
func (f *Rota) change(tx *store.Tx, a asked, s Schedule, c change, made ...integrations.Override) (commands.Reply, error) {
	all, err := overridesOf(tx, s.Name)
	if err != nil {
		return commands.Reply{}, err
	}
	next := slices.Clone(all)
	for _, o := range made {
		if o.Order, err = tx.Next("oncall override"); err != nil {
			return commands.Reply{}, err
		}
		o.ID = fmt.Sprintf("override-%d", o.Order)
		o.Schedule, o.By, o.Reason, o.Made = s.Name, a.Who.Name, strings.TrimSpace(a.Arg("reason")), a.now
		if err := overrides(tx).Put(o.ID, o); err != nil {
			return commands.Reply{}, err
		}
		c.Overrides = append(c.Overrides, o.ID)
		next = append(next, o)
	}
	differs, err := f.differs(tx, &c, s, all, next, a.now)
	if err != nil {
		return commands.Reply{}, err
	}
	if !differs {
		return commands.Reply{}, commands.Refuse("no_change", fmt.Sprintf("That would change nothing in %s.", s.Name)).WithHint("Look who is on call then.").WithExample("oncall next " + s.Name)
	}
	return f.put(tx, a, s, c)
}

// put keeps a change of somebody's, tells of it, and answers them.
func (f *Rota) put(tx *store.Tx, a asked, s Schedule, c change) (commands.Reply, error) {
	c.Schedule, c.By, c.At, c.Reason = s.Name, gate.ToStore(a.Who), a.now, strings.TrimSpace(a.Arg("reason"))
	var err error
	if c.Waits, err = silence(tx, s); err != nil {
		return commands.Reply{}, err
	}
	room := a.Heard.Channel
	if s.Channel != "" {
		room = f.Channel(s.Channel)
	}
	if err := f.keep(tx, s, &c, room); err != nil {
		return commands.Reply{}, err
	}
	reply := commands.Reply{Subject: c.ID}
	if room != a.Heard.Channel || a.Heard.Private {
		reply.Private = &integrations.Message{Text: fmt.Sprintf("Done: %s. It is told in the channel of %s.", c.What, s.Name)}
	}
	return reply, nil
}

// keep writes a change down, opens its message, and tells those whose next shift moves.
func (f *Rota) keep(tx *store.Tx, s Schedule, c *change, room string) (err error) {
	if c.ID, err = tx.NextID("rota"); err != nil {
		return err
	}
	if err := changes(tx).Put(c.ID, *c); err != nil {
		return err
	}
	if err := tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, c.ID), Place: placeMessage, Card: cardChange, Subject: c.ID, Where: map[string]string{"channel": room, "silent": "yes"}}); err != nil {
		return err
	}
	for _, m := range c.Moved {
		p := person(f.Catalog(), m.Person)
		if p.Slack == "" || p.Name == c.By.Name {
			continue
		}
		told := store.Surface{ID: tell.ID(placeMessage, c.ID, m.Person), Place: placeMessage, Card: cardMoved, Subject: c.ID, Where: map[string]string{"channel": p.Slack, "name": m.Person}}
		if err := tell.Open(tx, told); err != nil {
			return err
		}
	}
	return nil
}

// A snapshot is a schedule as it stands, from a moment on.
type snapshot struct{ next, all []integrations.Shift }

func (f *Rota) snapshot(tx *store.Tx, s Schedule, all []integrations.Override, now time.Time) (out snapshot, err error) {
	if out.next, err = f.coming(tx, s, all, now, shownNext); err != nil {
		return out, err
	}
	shifts, err := f.with(tx, s, all, now, now.Add(ahead))
	out.all = merged(shifts)
	return out, err
}

// differs fills in what a change of the overrides makes different, and says whether it
// does at all.
func (f *Rota) differs(tx *store.Tx, c *change, s Schedule, before, after []integrations.Override, now time.Time) (bool, error) {
	was, err := f.snapshot(tx, s, before, now)
	if err != nil {
		return false, err
	}
	is, err := f.snapshot(tx, s, after, now)
	if err != nil {
		return false, err
	}
	return compare(c, was, is), nil
}

// compare fills in what is different between two snapshots, and says whether anything is.
func compare(c *change, was, is snapshot) bool {
	c.Before, c.After = was.next, is.next
	for _, name := range everybody(was.all, is.all) {
		a, b := firstOf(ownOf(was.all, name)), firstOf(ownOf(is.all, name))
		if (a == nil) != (b == nil) || a != nil && !a.is(*b) {
			c.Moved = append(c.Moved, moved{Person: name, Was: a, Is: b})
		}
	}
	return !slices.EqualFunc(was.all, is.all, func(a, b integrations.Shift) bool {
		return a.Start.Equal(b.Start) && a.End.Equal(b.End) && same(a, b)
	})
}

func firstOf(own []period) *period {
	if len(own) == 0 {
		return nil
	}
	return &own[0]
}

// everybody are all who are on call in some shifts, once each, in that order.
func everybody(all ...[]integrations.Shift) (out []string) {
	for _, shifts := range all {
		for _, x := range shifts {
			for _, d := range x.On {
				if !slices.Contains(out, d.Person) {
					out = append(out, d.Person)
				}
			}
		}
	}
	return out
}

func (f *Rota) cancelVerb() commands.Verb {
	return commands.Verb{
		Name: "oncall cancel", Summary: "Take back a take, a cover or a swap", Effect: commands.Changes, Right: commands.RightRead,
		Args:     []commands.Arg{{Name: "what", Kind: commands.ArgWord, Optional: true, Help: "rota-3, as its message says; else your own newest"}},
		Examples: []string{"oncall cancel", "oncall cancel rota-3"},
		Detail:   "What has begun ends now. Of a swap both halves are taken back.",
		Decide:   f.changing(f.cancel),
	}
}

func (f *Rota) cancel(tx *store.Tx, a asked) (commands.Reply, error) {
	if id := integrations.Fold(a.Arg("what")); strings.HasPrefix(id, "swap-") {
		return f.cancelSwap(tx, a, id)
	}
	c, err := f.undoable(tx, a)
	if err != nil {
		return commands.Reply{}, err
	}
	s, ok := f.Config().schedule(c.Schedule)
	if !ok {
		return commands.Reply{}, commands.Refuse("unknown_schedule", fmt.Sprintf("There is no schedule %s any more.", c.Schedule)).WithExample("oncall")
	}
	all, err := overridesOf(tx, s.Name)
	if err != nil {
		return commands.Reply{}, err
	}
	if s.elsewhere() {
		return f.cancelElsewhere(tx, a, s, c)
	}
	var next []integrations.Override
	now := minute(a.now)
	for _, o := range all {
		if slices.Contains(c.Overrides, o.ID) && o.End.After(now) {
			if !o.Start.Before(now) { // it never was
				if err := overrides(tx).Delete(o.ID); err != nil {
					return commands.Reply{}, err
				}
				continue
			}
			o.End = now
			if err := overrides(tx).Put(o.ID, o); err != nil {
				return commands.Reply{}, err
			}
		}
		next = append(next, o)
	}
	c.Undone = true
	if err := changes(tx).Put(c.ID, c); err != nil {
		return commands.Reply{}, err
	}
	if err := tell.Mark(tx, c.ID, false); err != nil {
		return commands.Reply{}, err
	}
	back := change{Act: "cancel", What: fmt.Sprintf("%s takes back: %s", a.Who.Name, c.What)}
	if _, err := f.differs(tx, &back, s, all, next, a.now); err != nil {
		return commands.Reply{}, err
	}
	return f.put(tx, a, s, back)
}

// cancelElsewhere takes back what another system keeps: what comes then is its to say.
func (f *Rota) cancelElsewhere(tx *store.Tx, a asked, s Schedule, c change) (commands.Reply, error) {
	for _, id := range c.Overrides {
		if err := f.drop(tx, id); err != nil {
			return commands.Reply{}, err
		}
	}
	c.Undone = true
	if err := changes(tx).Put(c.ID, c); err != nil {
		return commands.Reply{}, err
	}
	if err := tell.Mark(tx, c.ID, false); err != nil {
		return commands.Reply{}, err
	}
	return f.put(tx, a, s, change{Act: "cancel", What: fmt.Sprintf("%s takes back: %s", a.Who.Name, c.What), Ended: c.Overrides})
}

// undoable is the change that is to be taken back: the one that is named, or the newest
// own one of which something is still to come.
func (f *Rota) undoable(tx *store.Tx, a asked) (change, error) {
	live := func(c change) (bool, error) {
		if c.Undone || c.Act == "cancel" {
			return false, nil
		}
		for _, id := range c.Overrides {
			o, found, err := overrides(tx).Get(id)
			if err != nil || found && o.End.After(a.now) {
				return err == nil, err
			}
		}
		return false, nil
	}
	if word := a.Arg("what"); word != "" {
		c, found, err := changes(tx).Get(integrations.Fold(word))
		if err != nil {
			return c, err
		}
		if !found {
			return c, commands.Refuse("unknown_change", fmt.Sprintf("No change of a rotation is called “%s”.", word)).WithHint("Its id stands under its message.").WithExample("oncall cancel rota-3")
		}
		if ok, err := live(c); err != nil || !ok {
			if err == nil {
				err = commands.Refuse("over", fmt.Sprintf("%s is over, or was taken back already.", c.ID)).WithExample("oncall next")
			}
			return c, err
		}
		return c, nil
	}
	var newest change
	err := changes(tx).Each("", func(_ string, c change) error {
		ok, err := live(c)
		if ok && gate.FromStore(c.By).Same(a.Who) && !c.At.Before(newest.At) {
			newest = c
		}
		return err
	})
	if err == nil && newest.ID == "" {
		err = commands.Refuse("nothing", "Nothing of yours is in place that could be taken back.").WithHint("Name what somebody else did by the id under its message.").WithExample("oncall cancel rota-3")
	}
	return newest, err
}

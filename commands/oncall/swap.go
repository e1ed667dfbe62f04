package oncall

import (
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

func (f *Rota) swapVerb() commands.Verb {
	return commands.Verb{
		Name: "oncall swap", Aliases: []string{"swap"}, Summary: "Ask somebody to exchange a shift with you", Effect: commands.Changes, Right: commands.RightRead,
		Args: []commands.Arg{
			{Name: "person", Kind: commands.ArgWord, Keyword: "with", Help: "with whom"},
			{Name: "day", Kind: commands.ArgMoment, Keyword: "on", Help: "a day of your shift, or of theirs: 2026-12-24, friday"},
			{Name: "for", Kind: commands.ArgMoment, Keyword: "for", Strict: true, Optional: true, Help: "a day of the other one's shift; else their next one"},
			scheduleArg,
		},
		Flags: []commands.Arg{reasonFlag}, Examples: []string{"oncall swap @bob 2026-12-24", "oncall swap @bob friday for 2026-12-28"},
		Detail: "Both shifts are exchanged when they say yes; until then nothing changes. If you are on call that day it is your shift that is meant, and you get their next one.",
		Decide: f.changing(f.swap),
	}
}

func (f *Rota) swap(tx *store.Tx, a asked) (commands.Reply, error) {
	s, err := f.theSchedule(a.Call)
	if err != nil {
		return commands.Reply{}, err
	}
	const example = "oncall swap @bob 2026-12-24"
	with, err := a.known("person", example)
	if err != nil {
		return commands.Reply{}, err
	}
	if with.Name == a.Who.Name {
		return commands.Reply{}, commands.Refuse("same_person", "You cannot swap with yourself.").WithExample(example)
	}
	w := swap{Schedule: s.Name, By: gate.ToStore(a.Who), With: with.Name, State: swapAsked, Asked: a.now, Reason: strings.TrimSpace(a.Arg("reason"))}
	if err := f.choose(tx, a, s, &w); err != nil {
		return commands.Reply{}, err
	}
	again := false
	err = swaps(tx).Each("", func(_ string, o swap) error {
		again = again || o.State == swapAsked && o.Schedule == w.Schedule && o.With == w.With && o.Mine.is(w.Mine) && o.Theirs.is(w.Theirs) && gate.FromStore(o.By).Same(a.Who)
		return nil
	})
	if err == nil && again {
		err = commands.Refuse("asked", fmt.Sprintf("%s is asked that already.", w.With)).WithExample("oncall mine")
	}
	if err != nil {
		return commands.Reply{}, err
	}
	if w.ID, err = tx.NextID("swap"); err != nil {
		return commands.Reply{}, err
	}
	if err := swaps(tx).Put(w.ID, w); err != nil {
		return commands.Reply{}, err
	}
	room := a.Heard.Channel
	if s.Channel != "" {
		room = f.Channel(s.Channel)
	}
	reply := commands.Reply{Subject: w.ID}
	if room != a.Heard.Channel || a.Heard.Private {
		reply.Private = &integrations.Message{Text: fmt.Sprintf("I have asked %s in the channel of %s (%s).", w.With, s.Name, w.ID)}
	}
	return reply, tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, w.ID), Place: placeMessage, Card: cardSwap, Subject: w.ID, Where: map[string]string{"channel": room}})
}

func (p period) is(o period) bool { return p.Start.Equal(o.Start) && p.End.Equal(o.End) }

// choose finds the two shifts that are meant.
func (f *Rota) choose(tx *store.Tx, a asked, s Schedule, w *swap) error {
	day, err := a.moment("day", a.now)
	if err != nil {
		return err
	}
	other, err := a.moment("for", time.Time{})
	if err != nil {
		return err
	}
	shifts, err := f.timeline(tx, s, a.now, a.now.Add(ahead))
	if err != nil {
		return err
	}
	mine, theirs := ownOf(shifts, a.Who.Name), ownOf(shifts, w.With)
	my, well := onDay(mine, day.In(a.zone))
	their, better := onDay(theirs, day.In(a.zone))
	find := func(all []period, besides period) (period, bool) {
		if !other.IsZero() {
			p, how := onDay(all, other.In(a.zone))
			return p, how > 0
		}
		return nextOf(all, a.now, besides)
	}
	found := well+better > 0
	switch {
	case !found:
	case well >= better:
		their, found = find(theirs, my)
	default:
		my, found = find(mine, their)
	}
	switch {
	case !found:
		return commands.Refuse("no_shift", fmt.Sprintf("I find no two shifts of you and %s in %s to exchange.", w.With, s.Name)).
			WithHint(upcoming("You are on call", mine, a.zone) + " " + upcoming(w.With+" is on call", theirs, a.zone)).WithExample("oncall next " + s.Name)
	case my.Start.Before(their.End) && their.Start.Before(my.End):
		return commands.Refuse("together", fmt.Sprintf("You and %s are on call together then.", w.With)).WithExample("oncall swap @bob 2026-12-24 for 2026-12-28")
	}
	w.Mine, w.Theirs = my, their
	return nil
}

// onDay is the period that a day names, and how well: one that begins on that day is
// meant rather than one that goes on or ends then. 0 is none.
func onDay(all []period, day time.Time) (found period, how int) {
	begin := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, day.Location())
	end := begin.AddDate(0, 0, 1)
	for _, p := range all {
		switch {
		case !p.Start.Before(begin) && p.Start.Before(end) && how < 2:
			found, how = p, 2
		case p.Start.Before(end) && p.End.After(begin) && how < 1:
			found, how = p, 1
		}
	}
	return found, how
}

// nextOf is the first period that has not begun and that is apart from another.
func nextOf(all []period, now time.Time, besides period) (period, bool) {
	for _, p := range all {
		if p.Start.After(now) && (!p.Start.Before(besides.End) || !p.End.After(besides.Start)) {
			return p, true
		}
	}
	return period{}, false
}

// upcoming says when somebody is on call.
func upcoming(who string, all []period, zone *time.Location) string {
	if len(all) == 0 {
		return who + " not at all."
	}
	var parts []string
	for _, p := range all[:min(3, len(all))] {
		parts = append(parts, inWords(p, zone))
	}
	return who + " " + strings.Join(parts, "; ") + "."
}

func (f *Rota) acceptVerb() commands.Verb {
	return commands.Verb{
		Name: "oncall accept", Summary: "Say yes to a swap that you are asked for", Effect: commands.Changes, Right: commands.RightRead, Hidden: true, Who: "whoever is asked",
		Args: []commands.Arg{{Name: "swap", Kind: commands.ArgWord, Help: "its id"}}, Examples: []string{"oncall accept swap-3"},
		Decide: f.changing(f.accept),
	}
}

func (f *Rota) declineVerb() commands.Verb {
	return commands.Verb{
		Name: "oncall decline", Summary: "Say no to a swap that you are asked for", Effect: commands.Changes, Right: commands.RightRead, Hidden: true, Who: "whoever is asked",
		Args: []commands.Arg{{Name: "swap", Kind: commands.ArgWord, Help: "its id"}}, Examples: []string{"oncall decline swap-3"},
		Decide: f.changing(func(tx *store.Tx, a asked) (commands.Reply, error) {
			w, err := f.openSwap(tx, a.Arg("swap"))
			if err != nil {
				return commands.Reply{}, err
			}
			if w.With != a.Who.Name {
				return commands.Reply{}, notAsked(w)
			}
			return commands.Reply{Subject: w.ID}, f.endSwap(tx, w, swapDeclined, "")
		}),
	}
}

func notAsked(w swap) error {
	return commands.Refuse("not_asked", fmt.Sprintf("%s is asked, and nobody else can answer for them.", w.With)).WithExample("oncall swap @bob 2026-12-24")
}

// openSwap is a swap that waits for its answer.
func (f *Rota) openSwap(tx *store.Tx, id string) (swap, error) {
	w, found, err := swaps(tx).Get(integrations.Fold(id))
	switch {
	case err != nil:
	case !found:
		err = commands.Refuse("unknown_swap", fmt.Sprintf("No swap is called “%s”.", id)).WithExample("oncall swap @bob 2026-12-24")
	case w.State != swapAsked:
		err = commands.Refuse("over", fmt.Sprintf("%s is %s already.", w.ID, w.State)).WithExample("oncall next " + w.Schedule)
	case !f.Clock.Now().Before(w.before()):
		err = commands.Refuse("over", fmt.Sprintf("%s was not answered in time: one of the shifts has begun.", w.ID)).WithExample("oncall next " + w.Schedule)
	}
	return w, err
}

func (f *Rota) endSwap(tx *store.Tx, w swap, state, why string) error {
	w.State, w.Why = state, why
	if err := swaps(tx).Put(w.ID, w); err != nil {
		return err
	}
	return tell.Mark(tx, w.ID, true)
}

// accept exchanges both shifts, in one transaction, if both still are whose they were.
func (f *Rota) accept(tx *store.Tx, a asked) (commands.Reply, error) {
	w, err := f.openSwap(tx, a.Arg("swap"))
	if err != nil {
		return commands.Reply{}, err
	}
	if w.With != a.Who.Name {
		return commands.Reply{}, notAsked(w)
	}
	s, ok := f.Config().schedule(w.Schedule)
	if !ok {
		return commands.Reply{}, commands.Refuse("unknown_schedule", fmt.Sprintf("There is no schedule %s any more.", w.Schedule)).WithExample("oncall")
	}
	shifts, err := f.timeline(tx, s, a.now, a.now.Add(ahead))
	if err != nil {
		return commands.Reply{}, err
	}
	by := gate.FromStore(w.By).Name
	if !slices.ContainsFunc(ownOf(shifts, by), w.Mine.is) || !slices.ContainsFunc(ownOf(shifts, w.With), w.Theirs.is) {
		const why = "the shifts are no longer as they were when it was asked"
		if err := f.endSwap(tx, w, swapCanceled, why); err != nil {
			return commands.Reply{}, err
		}
		return commands.Reply{Subject: w.ID, Outcome: "refused", Private: &integrations.Message{Text: fmt.Sprintf("Nothing was exchanged: %s.", why)}}, nil
	}
	half := func(who, instead string, p period) integrations.Override {
		return integrations.Override{Kind: integrations.OverrideReplace, Person: who, Instead: instead, Start: p.Start, End: p.End, Swap: w.ID}
	}
	reply, err := f.change(tx, a, s, change{Act: "swap", What: fmt.Sprintf("%s and %s swap shifts", by, w.With)}, half(w.With, by, w.Mine), half(by, w.With, w.Theirs))
	if err != nil {
		return reply, err
	}
	w.Change = reply.Subject
	return reply, f.endSwap(tx, w, swapDone, "")
}

// cancelSwap takes back a question that has no answer yet.
func (f *Rota) cancelSwap(tx *store.Tx, a asked, id string) (commands.Reply, error) {
	if w, found, err := swaps(tx).Get(id); err != nil {
		return commands.Reply{}, err
	} else if found && w.State == swapDone {
		a.Call = cloneWith(a.Call, "what", w.Change)
		return f.cancel(tx, a)
	}
	w, err := f.openSwap(tx, id)
	if err != nil {
		return commands.Reply{}, err
	}
	if !gate.FromStore(w.By).Same(a.Who) {
		return commands.Reply{}, commands.Refuse("not_yours", fmt.Sprintf("%s asked for that, and can take it back.", gate.FromStore(w.By).Display())).WithExample("oncall mine")
	}
	return commands.Reply{Subject: w.ID}, f.endSwap(tx, w, swapCanceled, "")
}

func cloneWith(c *commands.Call, arg, value string) *commands.Call {
	out := *c
	out.Args = map[string]string{arg: value}
	for name, v := range c.Args {
		if name != arg {
			out.Args[name] = v
		}
	}
	return &out
}

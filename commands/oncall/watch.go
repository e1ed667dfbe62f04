package oncall

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// watch posts what is due: handoffs, posts at set times, gaps that come. How far it is
// stands in the store and moves in the transaction that opens the post, so that nothing
// is posted twice; after a standstill there is one post for all that was missed.
func (f *Rota) watch(ctx context.Context) error {
	now := f.Clock.Now()
	var errs error // of one schedule, which keeps no other from being told
	for _, s := range f.Config().Schedules {
		due := false
		err := f.Store.View(func(tx *store.Tx) (err error) {
			due, err = f.due(tx, s, now)
			return err
		})
		if err == nil && due {
			err = f.Store.Update(ctx, func(tx *store.Tx) error { return f.turn(tx, s, now) })
		}
		if err != nil && !unheard(err) { // that is told where it is asked
			errs = errors.Join(errs, fmt.Errorf("watch the schedule %s: %w", s.Name, err))
		}
	}
	return errors.Join(errs, f.expireSwaps(ctx, now))
}

// due says whether there is anything to write for a schedule.
func (f *Rota) due(tx *store.Tx, s Schedule, now time.Time) (bool, error) {
	w, known, err := watches(tx).Get(s.Name)
	if err != nil {
		return false, err
	}
	if layers, err := stale(tx, s); err != nil || len(layers) > 0 {
		return err == nil, err
	}
	if !known || !slices.Equal(w.Posts, s.Posts) || w.Zone != s.Zone || !w.Next.IsZero() && !now.Before(w.Next) {
		return true, nil
	}
	past, err := f.boundaries(tx, s, w.Through, now)
	if err != nil || len(past) > 0 || now.Sub(w.Through) > time.Hour {
		return err == nil, err
	}
	gaps, err := f.newGaps(tx, s, now)
	return len(gaps) > 0, err
}

// turn posts what is due of a schedule.
func (f *Rota) turn(tx *store.Tx, s Schedule, now time.Time) error {
	w, known, err := watches(tx).Get(s.Name)
	if err != nil {
		return err
	}
	if err := f.edit(tx, s, now); err != nil {
		return err
	}
	var post *handoff
	if known {
		if post, err = f.missed(tx, s, w, now); err != nil {
			return err
		}
	}
	if !known || !slices.Equal(w.Posts, s.Posts) || w.Zone != s.Zone || !w.Next.IsZero() && !now.Before(w.Next) {
		w.Next = s.times().After(now)
	}
	w.Through, w.Posts, w.Zone = now, s.Posts, s.Zone
	if err := watches(tx).Put(s.Name, w); err != nil {
		return err
	}
	if post != nil {
		if err := f.post(tx, s, *post, now); err != nil {
			return err
		}
	}
	return f.tellGaps(tx, s, now)
}

// missed is the one post that is due: that of the newest handoff, or of a set time; nil
// if there is none, or if it would come later than posts may.
func (f *Rota) missed(tx *store.Tx, s Schedule, w watch, now time.Time) (*handoff, error) {
	var post *handoff
	past, err := f.boundaries(tx, s, w.Through, now)
	if err != nil {
		return nil, err
	}
	if n := len(past); s.Handoffs && n > 0 {
		post = &past[n-1]
	}
	if at := s.times().Newest(w.Next, now); !at.IsZero() {
		if post == nil || !post.At.After(at) {
			planned := handoff{At: at, Planned: true, Week: true}
			if post != nil { // of the same time, or passed over: one post says both
				planned.Planned, planned.Before = false, post.Before
				planned.At = post.At
				if at.After(post.At) && now.Sub(post.At) > s.late() {
					planned.At, planned.Planned, planned.Before = at, true, nil
				}
			}
			post = &planned
		}
	}
	if post == nil || s.Channel == "" {
		return nil, nil
	}
	if post.Late = now.Sub(post.At); post.Late > s.late() {
		f.Log.Info("a post of who is on call is too late and left out", "schedule", s.Name, "due", post.At, "late", post.Late)
		return nil, nil
	}
	if post.Late < lateAfter {
		post.Late = 0
	}
	return post, nil
}

// boundaries are the handoffs after a moment until another: where somebody else comes on
// call. What somebody took just then has been told by their own message.
func (f *Rota) boundaries(tx *store.Tx, s Schedule, after, until time.Time) (out []handoff, err error) {
	if !until.After(after) {
		return nil, nil
	}
	all, err := overridesOf(tx, s.Name)
	if err != nil {
		return nil, err
	}
	from := minute(after)
	shifts, err := f.with(tx, s, all, from.Add(-time.Minute), minute(until).Add(time.Minute))
	if err != nil {
		return nil, err
	}
	shifts = merged(shifts)
	for n := 1; n < len(shifts); n++ {
		at := shifts[n].Start
		if !at.After(after) || at.After(until) || slices.ContainsFunc(all, func(o integrations.Override) bool { return minute(o.Made).Equal(at) && o.Start.Equal(at) }) {
			continue
		}
		out = append(out, handoff{At: at, Before: &shifts[n-1]})
	}
	return out, nil
}

// post opens one.
func (f *Rota) post(tx *store.Tx, s Schedule, h handoff, now time.Time) error {
	all, err := overridesOf(tx, s.Name)
	if err != nil {
		return err
	}
	next, err := f.coming(tx, s, all, now, shownNext+1)
	if err != nil {
		return err
	}
	h.Schedule, h.Now, h.Coming = s.Name, next[0], next[1:]
	if h.Waits, err = f.waits(tx); err != nil {
		return err
	}
	h.ID = fmt.Sprintf("handoff-%s-%d", s.Name, h.At.Unix())
	if _, twice, err := handoffs(tx).Get(h.ID); err != nil || twice {
		return err
	}
	if err := handoffs(tx).Put(h.ID, h); err != nil {
		return err
	}
	where := map[string]string{"channel": f.Channel(s.Channel)}
	if h.Planned {
		where["silent"] = "yes"
	}
	if err := tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, h.ID), Place: placeMessage, Card: cardHandoff, Subject: h.ID, Where: where}); err != nil || !h.Week {
		return err
	}
	return f.openWeek(tx, s, h)
}

// newGaps are those to come that nobody has been told of.
func (f *Rota) newGaps(tx *store.Tx, s Schedule, now time.Time) (out []period, err error) {
	if s.gaps() < 0 || s.Channel == "" {
		return nil, nil
	}
	shifts, err := f.timeline(tx, s, now, now.Add(s.gaps()))
	if err != nil {
		return nil, err
	}
	for n, x := range shifts {
		if n == 0 || !x.Gap() { // what has begun is not to come
			continue
		}
		_, told, err := gapsTold(tx).Get(gapKey(s.Name, x.Start))
		if err != nil {
			return nil, err
		}
		if !told {
			out = append(out, period{x.Start, x.End})
		}
	}
	return out, nil
}

// tellGaps tells of each once.
func (f *Rota) tellGaps(tx *store.Tx, s Schedule, now time.Time) error {
	gaps, err := f.newGaps(tx, s, now)
	if err != nil {
		return err
	}
	for _, g := range gaps {
		if end := now.Add(s.gaps()); !g.End.Before(minute(end)) { // it goes on behind what was looked at
			more, err := f.timeline(tx, s, g.Start, g.Start.Add(ahead))
			if err != nil {
				return err
			}
			if g.End = more[0].End; !g.End.Before(minute(g.Start.Add(ahead))) {
				g.End = time.Time{} // it does not end
			}
		}
		key := gapKey(s.Name, g.Start)
		if err := gapsTold(tx).Put(key, g); err != nil {
			return err
		}
		if err := tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, key), Place: placeMessage, Card: cardGap, Subject: key, Where: map[string]string{"channel": f.Channel(s.Channel), "schedule": s.Name}}); err != nil {
			return err
		}
	}
	return nil
}

// expireSwaps ends the questions that can no longer be answered.
func (f *Rota) expireSwaps(ctx context.Context, now time.Time) error {
	late := func(tx *store.Tx) (out []swap, err error) {
		err = swaps(tx).Each("", func(_ string, w swap) error {
			if w.State == swapAsked && !now.Before(w.before()) {
				out = append(out, w)
			}
			return nil
		})
		return out, err
	}
	var any bool
	err := f.Store.View(func(tx *store.Tx) error {
		all, err := late(tx)
		any = len(all) > 0
		return err
	})
	if err != nil || !any {
		return err
	}
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		all, err := late(tx)
		for _, w := range all {
			err = errors.Join(err, f.endSwap(tx, w, swapExpired, "one of the shifts has begun, and nobody answered"))
		}
		return err
	})
}

// handoffCard says who is on call, as it was when it was due.
func (f *Rota) handoffCard(tx *store.Tx, sf *store.Surface) (integrations.Message, error) {
	h, found, err := handoffs(tx).Get(sf.Subject)
	if err != nil || !found {
		return integrations.Message{Hold: true}, err
	}
	zone := f.zoneOf(h.Schedule)
	title := integrations.R("☎️ ", integrations.Bold(h.Schedule), ": ", f.call(h.Now, !h.Planned))
	if h.Now.Gap() {
		title = integrations.R("⚠️ ", integrations.Bold(h.Schedule), ": nobody is on call")
	} else {
		title = append(title, integrations.R(" is on call")...)
	}
	if !h.Now.End.IsZero() {
		title = append(title, integrations.R(" until ", integrations.When(h.Now.End, zone))...)
	}
	m := integrations.Message{Text: title.Plain(), Blocks: []integrations.Block{{Text: title}}}
	small := integrations.R("times are those of ", zone.String())
	if h.Before != nil {
		small = integrations.R("from ", names(*h.Before), " · ", small)
	}
	if h.Late > 0 {
		small = integrations.R("late by ", gate.Age(h.Late), " · ", small)
		m.Text += " (late by " + gate.Age(h.Late) + ")"
	}
	if len(h.Coming) > 0 {
		next := lines(h.Coming, zone)
		m.Text += "\nnext:\n" + next
		m.Blocks = append(m.Blocks, integrations.Block{Code: next})
	}
	if len(h.Waits) > 0 {
		m.Text += "\nhanded over:"
		m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R(integrations.Bold("Handed over"))})
		for _, row := range h.Waits[:min(len(h.Waits), mostWaits)] {
			m.Text += "\n" + row.Plain()
			m.Blocks = append(m.Blocks, integrations.Block{Text: row})
		}
		if more := len(h.Waits) - mostWaits; more > 0 {
			m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R(fmt.Sprintf("and %d more", more))})
		}
	}
	m.Blocks = append(m.Blocks, integrations.Block{Context: small})
	return m, nil
}

const mostWaits = 15

// call are the people of a shift; those who come on call are mentioned, and so called.
func (f *Rota) call(x integrations.Shift, mention bool) integrations.Rich {
	if !mention {
		return f.who(x)
	}
	var out integrations.Rich
	for n, d := range x.On {
		if n > 0 {
			out = append(out, integrations.R(" + ")...)
		}
		out = append(out, integrations.Who(person(f.Catalog(), d.Person)))
	}
	return out
}

// gapCard warns of a time in which nobody is on call.
func (f *Rota) gapCard(tx *store.Tx, sf *store.Surface) (integrations.Message, error) {
	g, found, err := gapsTold(tx).Get(sf.Subject)
	if err != nil || !found {
		return integrations.Message{Hold: true}, err
	}
	name := sf.Where["schedule"]
	s, _ := f.Config().schedule(name)
	zone := s.zone()
	text := integrations.R("⚠️ ", integrations.Bold(name), ": nobody is on call from ", integrations.When(g.Start, zone), ending(g.End, zone))
	m := integrations.Message{Text: text.Plain(), Blocks: []integrations.Block{{Text: text}}}
	if !f.Clock.Now().Before(g.Start) {
		return m, nil
	}
	long, ask := g.End.Sub(g.Start), "Be on call for all of that time?"
	if g.End.IsZero() || long > longestTake {
		long, ask = 24*time.Hour, "Be on call for the first day of it?"
	}
	take := fmt.Sprintf("oncall take %s %s from %q", long, name, g.Start.In(zone).Format(time.RFC3339))
	m.Blocks = append(m.Blocks, integrations.Block{Buttons: []integrations.Button{{Label: "Take it", Command: take, Confirm: ask}}},
		integrations.Block{Context: integrations.R("I say this once. A time that is meant to be empty can be left out with ", integrations.Code("gaps: -1s"), " in the configuration.")})
	return m, nil
}

// ending is when something ends; zero is never.
func ending(at time.Time, zone *time.Location) integrations.Rich {
	if at.IsZero() {
		return integrations.R(" on")
	}
	return integrations.R(" to ", integrations.When(at, zone))
}

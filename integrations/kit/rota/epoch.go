package rota

import (
	"slices"
	"time"
)

// EpochAt is the roster in force at an instant; ok is false before the first one, and
// at the layer's end. Whoever edits a roster starts from a copy of it.
func (l Layer) EpochAt(t time.Time) (e Epoch, ok bool) {
	epochs := l.sorted()
	i := epochAt(epochs, minute(t))
	if i < 0 || l.ended(minute(t)) {
		return Epoch{}, false
	}
	return epochs[i], true
}

// epochAt is the last of them that has begun, -1 if none has.
func epochAt(epochs []Epoch, sec int64) int {
	i := len(epochs) - 1
	for i >= 0 && minute(epochs[i].From) > sec {
		i--
	}
	return i
}

func (l Layer) ended(sec int64) bool { return !l.Until.IsZero() && minute(l.Until) <= sec }

// With is the layer with one more epoch. Those that would have begun when it does or
// later are dropped: it was made knowing them.
func (l Layer) With(e Epoch) Layer {
	kept := slices.DeleteFunc(slices.Clone(l.sorted()), func(o Epoch) bool { return minute(o.From) >= minute(e.From) })
	l.Epochs = append(kept, e)
	return l
}

// AtOnce makes a roster the epoch that begins now, for With: its From and its Start are
// found. Whoever has the turn keeps it, to the next handoff of the new roster. If they
// are no longer in it, the next one of the old order takes over for the rest of the
// turn, and the handoff goes on from them. Without an Anchor it keeps that of the
// roster in force. A layer that nobody has a turn in begins with the roster as it is.
func (l Layer) AtOnce(zone *time.Location, now time.Time, roster Epoch) Epoch {
	t, ok := l.running(zone, now)
	roster.From = now.Truncate(time.Minute)
	if !ok {
		return roster
	}
	i, _ := t.heir(roster.Groups)
	return t.begin(roster, i)
}

// AtNextHandoff makes a roster the epoch that begins at the next handoff of the layer,
// for With: its From and its Start are found. There, the one after whoever has the turn
// now takes over, in the new order; if whoever has it is no longer in the roster,
// whoever stands in their place, as with AtOnce. If the new roster hands over at other times, so
// that the turn which runs at that handoff has less than half of it left, whoever has
// the turn now keeps it that much longer: nobody is given the scrap of a turn. Without
// an Anchor it keeps that of the roster in force. A layer that nobody has a turn in,
// or that has no handoff within Horizon, changes at once.
func (l Layer) AtNextHandoff(zone *time.Location, now time.Time, roster Epoch) Epoch {
	t, ok := l.running(zone, now)
	if !ok || t.end == 0 {
		return l.AtOnce(zone, now, roster)
	}
	roster.From = time.Unix(t.end, 0).In(t.dial.zone)
	i, stays := t.heir(roster.Groups)
	if stays && !t.scrap(roster) {
		i++
	}
	return t.begin(roster, i)
}

// running is the turn of a layer at an instant, whatever its windows are.
type running struct {
	dial  *dial
	epoch Epoch
	group int
	end   int64 // of the turn; 0 if it has none within Horizon
}

func (l Layer) running(zone *time.Location, now time.Time) (r running, ok bool) {
	sec := minute(now)
	epochs := l.sorted()
	i := epochAt(epochs, sec)
	if i < 0 || l.ended(sec) {
		return r, false
	}
	t, ok := epochs[i].turns()
	if !ok {
		return r, false
	}
	if zone == nil {
		zone = time.UTC
	}
	r = running{dial: newDial(zone, sec, sec), epoch: epochs[i]}
	k := r.dial.turnAt(t, sec)
	r.group = r.epoch.group(k)
	r.end = r.dial.first(t.boundary(k + 1))
	if i+1 < len(epochs) {
		r.end = min(r.end, minute(epochs[i+1].From))
	}
	if l.ended(r.end) || r.end-sec > int64(Horizon/time.Second) {
		r.end = 0
	}
	return r, true
}

// begin gives a roster the Start with which group i has the turn at its From.
func (r running) begin(roster Epoch, i int) Epoch {
	t, ok := r.turnsOf(&roster)
	if !ok {
		return roster
	}
	n := int64(len(roster.Groups))
	roster.Start = int(floorMod(int64(i)-r.dial.turnAt(t, minute(roster.From)), n))
	return roster
}

// scrap says that at From less than half of the roster's turn is left.
func (r running) scrap(roster Epoch) bool {
	t, ok := r.turnsOf(&roster)
	if !ok {
		return false
	}
	from := minute(roster.From)
	k := r.dial.turnAt(t, from)
	start, end := r.dial.first(t.boundary(k)), r.dial.first(t.boundary(k+1))
	return 2*(end-from) < end-start
}

func (r running) turnsOf(roster *Epoch) (turns, bool) {
	if roster.Anchor == (Local{}) {
		roster.Anchor = r.epoch.Anchor
	}
	return roster.turns()
}

// heir is the group of a new roster that has the turn in the place of the running one:
// the same, or one that has somebody of it, and then it stays. Or else newcomers who
// stand where it stood, after the group that was before it; or the next one of the old
// order that is still there, and 0 if none is.
func (r running) heir(groups [][]string) (i int, stays bool) {
	old := r.epoch.Groups
	if i = groupIn(groups, old, r.group); i >= 0 {
		return i, true
	}
	if i = groupIn(groups, old, (r.group+len(old)-1)%len(old)); i >= 0 {
		i = (i + 1) % len(groups)
		if !slices.ContainsFunc(old, func(g []string) bool { return meet(g, groups[i]) }) {
			return i, false
		}
	}
	for n := 1; n < len(old); n++ {
		if i = groupIn(groups, old, (r.group+n)%len(old)); i >= 0 {
			return i, false
		}
	}
	return 0, false
}

// groupIn is where a group of the old roster is in the new one, -1 if it is not: the same
// people, or else somebody of them. Of a group that is there several times it is the
// one that comes as often before it as in the old roster, or the last.
func groupIn(groups, old [][]string, at int) int {
	for _, alike := range []func(a, b []string) bool{sameGroup, meet} {
		nth := 0
		for _, g := range old[:at] {
			if alike(g, old[at]) {
				nth++
			}
		}
		found := -1
		for i, g := range groups {
			if alike(g, old[at]) {
				found = i
				if nth--; nth < 0 {
					break
				}
			}
		}
		if found >= 0 {
			return found
		}
	}
	return -1
}

// sameGroup says that two groups have the same people, in any order; meet that they
// have somebody in common.
func sameGroup(a, b []string) bool {
	in := func(a, b []string) bool {
		return !slices.ContainsFunc(a, func(p string) bool { return !slices.Contains(b, p) })
	}
	return in(a, b) && in(b, a)
}

func meet(a, b []string) bool {
	return slices.ContainsFunc(a, func(p string) bool { return slices.Contains(b, p) })
}

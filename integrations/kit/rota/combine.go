package rota

import (
	"math"
	"slices"
	"time"
)

// Timeline tells who is on call in [from, to): shifts that follow each other without a
// hole and without overlap, gaps among them, no two neighbours the same. The first and
// the last are cut off at the view. Times are told in the schedule's zone. A layer or
// an override that Validate would refuse has nobody, and says nothing. It takes time
// for what changes in the view, not for how far that is from an anchor.
func Timeline(s Schedule, from, to time.Time) []Shift {
	if !from.Before(to) {
		return nil
	}
	lo, hi := from.Unix(), to.Unix()
	if to.Nanosecond() > 0 {
		hi++
	}
	w := sweep{changes: changesOf(s.Overrides, lo, hi)}
	d := newDial(s.zone(), lo, hi)
	for _, l := range s.Layers {
		w.lanes = append(w.lanes, lane{l.Priority, l.pieces(d, lo, hi)})
	}
	out := make([]Shift, 0, w.most())
	for at := lo; at < hi; {
		on, until := w.at(at, hi)
		start := time.Unix(at, 0).In(d.zone)
		switch n := len(out); {
		case n == 0:
			out = append(out, Shift{Start: start, On: w.keep(on)})
		case !slices.Equal(out[n-1].On, on):
			out[n-1].End = start
			out = append(out, Shift{Start: start, On: w.keep(on)})
		}
		at = until
	}
	out[0].Start, out[len(out)-1].End = from.In(d.zone), to.In(d.zone)
	return out
}

// lane is what is left of a layer's pieces.
type lane struct {
	priority int
	pieces   []piece
}

// sweep goes through a view once, from its start to its end.
type sweep struct {
	lanes   []lane
	changes *changes
	base    []Duty // of the instant, from several layers
	room    []Duty // for what shifts keep
	block   int    // how much of it was made last
}

// most is how many shifts there may be, as far as room for them is made beforehand.
func (w *sweep) most() int {
	n := 1 + len(w.changes.cuts)
	for _, l := range w.lanes {
		n += len(l.pieces)
	}
	return min(n, mostRoom)
}

const mostRoom = 10_000

// at is who is on call at an instant, and until when nothing changes.
func (w *sweep) at(sec, hi int64) (on []Duty, until int64) {
	base, until := w.layers(sec, hi)
	on, change := w.changes.at(sec, base)
	return on, min(until, change)
}

// layers is who is on call by the layers alone: those of the highest priority that
// have somebody, in their order, each person once.
func (w *sweep) layers(sec, hi int64) (on []Duty, until int64) {
	until = hi
	top, several := math.MinInt, false
	for i := range w.lanes {
		l := &w.lanes[i]
		for len(l.pieces) > 0 && l.pieces[0].to <= sec {
			l.pieces = l.pieces[1:]
		}
		if len(l.pieces) == 0 {
			continue
		}
		p := l.pieces[0]
		if p.from > sec {
			until = min(until, p.from)
			continue
		}
		until = min(until, p.to)
		switch {
		case on == nil || l.priority > top:
			top, on, several = l.priority, p.on, false
		case l.priority == top:
			if !several {
				w.base, several = append(w.base[:0], on...), true
			}
			for _, d := range p.on {
				w.base = insert(w.base, d)
			}
			on = w.base
		}
	}
	return on, until
}

// keep copies people, many into one piece of memory, so that each shift has its own.
func (w *sweep) keep(on []Duty) []Duty {
	if len(on) == 0 {
		return nil
	}
	if len(w.room) < len(on) {
		w.block = min(max(32, 2*w.block), 1024)
		w.room = make([]Duty, max(len(on), w.block))
	}
	out := w.room[:len(on):len(on)]
	w.room = w.room[len(on):]
	copy(out, on)
	return out
}

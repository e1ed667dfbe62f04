package tell

import (
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/window"
	"github.com/signalbox-chatops/signalbox/store"
)

// A rank is how soon people want to see something, where a place takes less than
// there is to tell.
type rank int

const (
	rankCall   rank = iota // an end, a roll-up of ends, a question: somebody waits for it
	rankState              // another state; an end that a roll-up has shown
	rankDetail             // a line of log, and what stands in a thread
)

// rankOf ranks what a surface would show now.
func rankOf(s *store.Surface, m integrations.Message, manner Manner) rank {
	switch {
	case s.Card == rollCard || fresh(s, m) || m.Asks || manner.AtMostOnce:
		return rankCall
	case s.Where["under"] != "" || s.Ref != "" && s.Urgent <= s.Shown:
		return rankDetail
	}
	return rankState
}

// fresh says that the subject has ended and nobody was shown how.
func fresh(s *store.Surface, m integrations.Message) bool {
	return m.Final != "" && m.Final != s.End
}

const (
	// endsAMinute is how many ends are shown one by one; what is more is rolled up.
	endsAMinute = 40
	// What other states leave to questions, and details to states.
	roomToAsk, roomForStates = 2, 4
	// A state that found no room looks again after that long at most: ends that
	// room was kept for may not come. A detail has time.
	mostPutOff, leastDetail = 15 * time.Second, 3 * time.Second
	// rememberEdits is how many surfaces a room knows the last edit of.
	rememberEdits = 512
)

// room is what a place takes of edits, in all its channels together. Each rank
// leaves room for those before it: as much as there are ends to come.
type room struct {
	edits  *window.Window
	ends   *window.Window // of these edits, ends shown one by one
	closed time.Time      // the place itself said no until then
	last   map[string]time.Time
}

func newRoom(edits int) *room {
	return &room{edits: window.New(edits, time.Minute), ends: window.New(endsAMinute, time.Minute), last: map[string]time.Time{}}
}

// wait is how long until an edit may be made; 0 is now. live is how many jobs may
// still end, ahead how many edits of no lower rank were put off already.
func (r *room) wait(now time.Time, k rank, end bool, live, ahead int) time.Duration {
	if wait := r.closed.Sub(now); wait > 0 {
		return wait
	}
	if k == rankCall {
		wait := r.edits.Wait(now, 0)
		if end {
			wait = max(wait, r.ends.Wait(now, 0))
		}
		return wait
	}
	kept := max(0, min(live, endsAMinute-r.ends.Used(now))) + roomToAsk
	if k == rankDetail {
		kept += roomForStates
	}
	wait := r.edits.Wait(now, kept)
	if wait == 0 {
		return 0
	}
	wait = min(r.edits.Wait(now, kept+ahead), mostPutOff)
	if k == rankDetail {
		wait = max(wait, leastDetail)
	}
	return wait
}

// take counts an edit that is made now.
func (r *room) take(now time.Time, id string, end bool) {
	r.edits.Take(now)
	if end {
		r.ends.Take(now)
	}
	if len(r.last) >= rememberEdits {
		for id, at := range r.last {
			if now.Sub(at) > time.Minute {
				delete(r.last, id)
			}
		}
	}
	r.last[id] = now
}

// book counts an edit that will be made at a later time.
func (r *room) book(at time.Time) { r.edits.Take(at) }

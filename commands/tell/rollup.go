package tell

import (
	"fmt"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Ends that a place has no room to show one by one are shown together, in one
// message of their channel, at once; each card is edited when there is room.

const (
	// rollUpEvery is how long lines are gathered before they are told: an end is
	// seen within five seconds, of which a post may wait one for its channel.
	rollUpEvery = 3 * time.Second
	// A roll-up takes lines for rollUpFor, and rollUpLines of them, which keeps it
	// within the size of a message.
	rollUpFor   = time.Minute
	rollUpLines = 60
)

// rollCard is the card of roll-up messages, rollFeature where their lines are kept.
const (
	rollCard    = "rollup"
	rollFeature = "rollup"
)

// rolled is the lines of one roll-up message.
type rolled struct {
	Lines []string  `json:"lines"`
	At    time.Time `json:"at,omitzero"` // when it was begun
}

// rollup is a roll-up message that was begun since the start.
type rollup struct {
	place, channel string
	subject        string
	began          time.Time
	due            time.Time // of its post, or of its next edit
	lines          int
	posted         bool // its next line needs an edit
	booked         bool // which there is room for
}

func (r *rollup) id() string { return ID(r.place, r.subject) }

// rollups are the newest roll-up of each channel, and older ones with an edit to
// come, by their surfaces.
type rollups map[string]*rollup

// telling says, of a roll-up that is about to be told, whether there is room for
// it: a post needs none, and that of an edit may have been taken.
func (all rollups) telling(s *store.Surface, now time.Time) bool {
	r := all[s.ID]
	if r == nil { // of before a restart
		return s.Ref == ""
	}
	ok := s.Ref == "" || r.booked
	if ok {
		r.posted, r.booked, r.due = true, false, now.Add(rollUpEvery)
	}
	return ok
}

// open finds the roll-up that takes a channel's next line. One that is posted
// needs an edit for it; when there is no room for that, a new one is begun, for
// a post needs no room.
func (all rollups) open(place, channel string, now time.Time, room *room) *rollup {
	var newest *rollup
	for id, r := range all {
		switch {
		case r.posted && now.Sub(r.began) >= 2*rollUpFor:
			delete(all, id)
		case r.place == place && r.channel == channel && (newest == nil || r.began.After(newest.began)):
			newest = r
		}
	}
	// One that could not be posted yet, because the place is away, goes on taking lines.
	if r := newest; r != nil && (!r.posted || now.Sub(r.began) < rollUpFor) && r.lines < rollUpLines {
		if !r.posted || r.booked {
			return r
		}
		at := now
		if r.due.After(at) {
			at = r.due
		}
		if room == nil || room.wait(now, rankCall, false, 0, 0) == 0 {
			if room != nil {
				room.book(at)
			}
			r.booked = true
			return r
		}
	}
	r := &rollup{place: place, channel: channel, subject: "rollup " + channel + " " + ulid.Make().String(), began: now, due: now.Add(rollUpEvery)}
	all[r.id()] = r
	return r
}

// rolledLine is an end on its way into a roll-up.
type rolledLine struct {
	into    *rollup
	surface string
	line    string
	again   time.Time // when the surface itself is looked at again
}

// rollUp sorts the ends that cannot wait into roll-ups.
func (u *turn) rollUp() (lines []rolledLine) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, s := range u.over {
		room := u.rooms[s.Place]
		l := rolledLine{into: u.rolls.open(s.Place, s.Where["channel"], u.now, room), surface: s.ID, line: u.looks[s.ID].end}
		l.into.lines++
		if s.Ref != "" && room != nil {
			l.again = u.now.Add(room.wait(u.now, rankState, false, u.live, u.ahead[s.Place]))
			u.ahead[s.Place]++
		}
		lines = append(lines, l)
	}
	return lines
}

// saveLines writes them down, with the roll-ups' surfaces.
func (u *turn) saveLines(tx *store.Tx, lines []rolledLine) error {
	all := store.Feature[rolled](tx, rollFeature)
	for _, l := range lines {
		r, _, err := all.Get(l.into.subject)
		if err != nil {
			return err
		}
		if r.Lines = append(r.Lines, l.line); r.At.IsZero() {
			r.At = u.now
		}
		if err := all.Put(l.into.subject, r); err != nil {
			return err
		}
		err = u.change(tx, l.surface, func(s *store.Surface) {
			s.End = l.line
			if s.Marked == u.looks[l.surface].marked {
				s.Due = l.again
			}
		})
		if err != nil {
			return err
		}
		err = Open(tx, store.Surface{
			ID: l.into.id(), Place: l.into.place, Card: rollCard, Subject: l.into.subject, Due: l.into.due,
			Where: map[string]string{"channel": l.into.channel},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// RollupCards are the teller's own.
func RollupCards() map[string]Card {
	return map[string]Card{rollCard: func(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
		r, found, err := store.Feature[rolled](tx, rollFeature).Get(s.Subject)
		if err != nil || !found { // pruned: it stays as it was told
			return integrations.Message{Hold: true}, err
		}
		title := fmt.Sprintf("%d operations ended", len(r.Lines))
		if len(r.Lines) == 1 {
			title = "1 operation ended"
		}
		m := integrations.Message{Text: title + "\n" + strings.Join(r.Lines, "\n"), Blocks: []integrations.Block{{Text: integrations.R(integrations.Bold(title))}}}
		for at := 0; at < len(r.Lines); at += 20 {
			text := strings.Join(r.Lines[at:min(at+20, len(r.Lines))], "\n")
			m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R(text)})
		}
		return m, nil
	}}
}

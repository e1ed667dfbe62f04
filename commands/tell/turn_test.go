package tell

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// told says whether a surface shows its subject as it is now.
func (r *hall) told(id string) func() bool {
	return func() bool { s := r.surface(id); return s.Shown == s.Marked }
}

// cards opens so many in turn in each of the channels, and waits for them.
func (r *hall) cards(n int, text string, channels ...string) (subjects []string) {
	r.t.Helper()
	for i := range n {
		subject := fmt.Sprint(text, "-", i)
		r.open(subject, text+fmt.Sprint(" ", i), map[string]string{"channel": channels[i%len(channels)]})
		subjects = append(subjects, subject)
	}
	for _, s := range subjects {
		r.wait(s+" is posted", r.told(ID("wall", s)))
	}
	return subjects
}

// edits counts those whose text begins so.
func (r *hall) edits(begin string) (n int) {
	for _, p := range r.wall.all() {
		if p.Ref != "" && strings.HasPrefix(p.Message.Text, begin) {
			n++
		}
	}
	return n
}

// In all channels together, forty ends are shown one by one. The others stand in
// one message of their channel, each once, and on their cards when there is room.
func TestRollUp(t *testing.T) {
	r := newHall(t, Manner{Edits: 48})
	r.start()
	subjects := r.cards(endsAMinute+20, "card", "ops", "net")
	for _, s := range subjects {
		r.says(s, "end of "+s, true)
	}
	rolls := func() (texts []string) {
		for _, p := range r.wall.all() {
			if strings.Contains(p.Message.Text, "operations ended") {
				texts = append(texts, p.Where["channel"]+": "+p.Message.Text)
			}
		}
		slices.Sort(texts)
		return texts
	}
	r.wait("the others are rolled up", func() bool {
		n := 0
		for _, s := range subjects {
			if r.surface(ID("wall", s)).End != "" {
				n++
			}
		}
		return n == len(subjects)
	})
	r.advance(rollUpEvery + time.Second)
	r.wait("both roll-ups", func() bool { return len(rolls()) == 2 })
	got := rolls()
	if !strings.HasPrefix(got[0], "net: 10 operations ended\nend of card-") || !strings.HasPrefix(got[1], "ops: 10 operations ended\nend of card-") {
		t.Errorf("roll-ups %q", got)
	}
	if n := r.edits("end"); n != 48-roomToAsk { // forty, and cards of the others in what room is left
		t.Errorf("%d ends were shown on their cards within the minute", n)
	}
	r.advance(time.Minute)
	r.advance(time.Minute)
	for _, s := range subjects {
		r.wait("the card of "+s+" is told at last", r.told(ID("wall", s)))
	}
	if again := rolls(); !slices.Equal(again, got) {
		t.Errorf("later the roll-ups were %q", again)
	}
}

// While forty jobs may end, lines of log and other states leave the room to them.
func TestRoomIsKeptForEnds(t *testing.T) {
	r := newHall(t, Manner{Edits: 48})
	r.update(func(tx *store.Tx) error {
		for i := range endsAMinute {
			j := &store.Job{Key: fmt.Sprint(i), Kind: "apply", Target: fmt.Sprint("t", i), Locks: true, State: store.JobQueued}
			if _, _, err := tx.InsertJob(j); err != nil {
				return err
			}
		}
		return nil
	})
	r.start()
	cards, logs, states := r.cards(endsAMinute, "card", "ops"), r.cards(20, "log", "ops"), r.cards(20, "state", "ops")
	r.advance(2 * time.Second)
	for _, s := range logs {
		r.says(s, "line of "+s, false)
	}
	r.wait("all lines are shown or put off", r.teller.Idle)
	for _, s := range states {
		r.says(s, "state of "+s, true)
	}
	r.wait("all states are shown or put off", r.teller.Idle)
	lines, others := r.edits("line"), r.edits("state of")
	if lines != 2 || others != roomForStates {
		t.Errorf("%d lines and %d states were shown while forty ends may come, want 2 and %d", lines, others, roomForStates)
	}
	r.says("log-0", "ask", true)
	for _, s := range cards {
		r.says(s, "end of "+s, true)
	}
	r.wait("all ends are shown", func() bool { return r.edits("end") == endsAMinute })
	r.wait("so is a question", func() bool { return r.edits("ask") == 1 })
}

// In one channel an end is posted before a state, a state before what stands in
// a thread; and those of a rank as they came.
func TestPostsByRank(t *testing.T) {
	r := newHall(t, Manner{Key: "channel", Edits: 48})
	ops := map[string]string{"channel": "ops"}
	r.open("root", "root", ops)
	r.start()
	r.wait("the root is posted", r.told(ID("wall", "root")))
	r.stop()
	r.open("a", "line", map[string]string{"channel": "ops", "under": ID("wall", "root")})
	r.open("b", "state 1", ops)
	r.open("c", "state 2", ops)
	r.open("d", "ask", ops)
	r.open("e", "end", ops)
	r.start()
	r.wait("all are posted", func() bool { return len(r.wall.all()) == 6 })
	if got := r.wall.texts()[1:]; !slices.Equal(got, []string{"ask", "end", "state 1", "state 2", "line"}) {
		t.Errorf("posted %q", got)
	}
}

// A channel that takes no post keeps none of its edits waiting, nor another
// channel, and is not asked again for each message that waits.
func TestALimitedChannel(t *testing.T) {
	r := newHall(t, Manner{Key: "channel", Edits: 48})
	r.start()
	card := r.cards(1, "card", "ops")[0]
	asked := 0
	r.wall.mu.Lock()
	r.wall.refuse = func(p integrations.Post) error {
		if p.Ref == "" && p.Where["channel"] == "ops" {
			asked++
			return &integrations.Later{After: time.Hour, Err: fmt.Errorf("429"), Unsent: true}
		}
		return nil
	}
	r.wall.mu.Unlock()
	for i := range 10 {
		r.open(fmt.Sprint("new-", i), "new", map[string]string{"channel": "ops"})
	}
	other := r.open("other", "other", map[string]string{"channel": "net"})
	r.says(card, "end", true)
	r.wait("the end is shown", r.told(ID("wall", card)))
	r.wait("the other channel is told", r.told(other))
	r.wait("nothing can be told", r.teller.Idle)
	r.wall.mu.Lock()
	n := asked
	r.wall.refuse = nil
	r.wall.mu.Unlock()
	if n != 1 {
		t.Errorf("the channel was asked %d times", n)
	}
	r.advance(time.Hour + time.Second)
	for i := range 10 {
		r.wait("the new ones are told", r.told(ID("wall", fmt.Sprint("new-", i))))
	}
	if r.wall.finds != 0 {
		t.Errorf("what was certainly not posted was looked for %d times", r.wall.finds)
	}
}

// A place that takes no edits for a while is not asked for each, and an end that
// comes meanwhile is rolled up: a post is another limit.
func TestEditsThatAreRefused(t *testing.T) {
	r := newHall(t, Manner{Key: "channel", Edits: 48})
	r.start()
	subjects := r.cards(5, "card", "ops")
	asked := 0
	r.wall.mu.Lock()
	r.wall.refuse = func(p integrations.Post) error {
		if p.Ref != "" {
			asked++
			return &integrations.Later{After: 30 * time.Second, Err: fmt.Errorf("429"), Unsent: true}
		}
		return nil
	}
	r.wall.mu.Unlock()
	r.says(subjects[0], "another state", true)
	r.wait("it was refused", func() bool { r.wall.mu.Lock(); defer r.wall.mu.Unlock(); return asked > 0 })
	for _, s := range subjects[1:] {
		r.says(s, "end of "+s, true)
	}
	r.wait("all are put off", r.teller.Idle)
	r.advance(rollUpEvery + time.Second)
	r.wait("the roll-up", func() bool {
		texts := r.wall.texts()
		return strings.HasPrefix(texts[len(texts)-1], "4 operations ended\n")
	})
	r.wall.mu.Lock()
	r.wall.refuse = nil
	n := asked
	r.wall.mu.Unlock()
	if n != 1 {
		t.Errorf("the place was asked %d times while it said later", n)
	}
	r.advance(time.Minute)
	for _, s := range subjects {
		r.wait(s+" is told at last", r.told(ID("wall", s)))
	}
}

// A roll-up whose post fails, because the place is away, goes on taking lines for as
// long as that lasts: there is one, and not one a minute.
func TestARollUpThatCannotBePostedTakesMore(t *testing.T) {
	now := time.Unix(1700000000, 0)
	room := newRoom(48)
	teller := New(Deps{Manners: map[string]Manner{"wall": {Edits: 48}}})
	first := teller.rolls.open("wall", "ops", now, room)
	for range 40 {
		now = now.Add(2 * time.Minute)
		teller.rolls.telling(&store.Surface{ID: first.id()}, now)
		teller.unposted(&store.Surface{ID: first.id()})
		if teller.rolls.open("wall", "ops", now, room) != first {
			t.Fatal("a second roll-up was begun while the first could not be posted")
		}
	}
	teller.rolls.telling(&store.Surface{ID: first.id()}, now)
	if teller.rolls.open("wall", "ops", now.Add(rollUpFor), room) == first {
		t.Error("one that was posted long ago takes lines")
	}
}

// What is rolled up needs an edit of the roll-up, for which room is taken when
// the line comes; without room another roll-up is begun.
func TestRollUpsWithoutRoom(t *testing.T) {
	now := time.Unix(1700000000, 0)
	all, room := rollups{}, newRoom(48)
	first := all.open("wall", "ops", now, room)
	if again := all.open("wall", "ops", now.Add(time.Second), room); again != first {
		t.Error("a roll-up that is not posted takes no second line")
	}
	if !all.telling(&store.Surface{ID: first.id()}, now.Add(rollUpEvery)) {
		t.Error("its post needs room")
	}
	now = now.Add(rollUpEvery + time.Second)
	if all.open("wall", "ops", now, room) != first || room.edits.Used(now) != 1 {
		t.Errorf("its edit takes %d of the room", room.edits.Used(now))
	}
	if !all.telling(&store.Surface{ID: first.id(), Ref: "1"}, now) || all.telling(&store.Surface{ID: first.id(), Ref: "1"}, now) {
		t.Error("an edit has room when that was taken, and once")
	}
	for room.wait(now, rankCall, false, 0, 0) == 0 {
		room.book(now)
	}
	second := all.open("wall", "ops", now, room)
	if second == first || all.open("wall", "ops", now.Add(time.Second), room) != second {
		t.Error("without room the posted one takes more, or each line begins one")
	}
	if all.open("wall", "net", now, room) == second {
		t.Error("two channels share a roll-up")
	}
}

// What a place could not take for a while comes in the order in which it was told,
// whichever of it was tried last.
func TestPostsKeepTheirTurnWhileAPlaceIsAway(t *testing.T) {
	r := newHall(t, Manner{Key: "channel"})
	tried := map[string]int{}
	away := true
	r.wall.refuse = func(p integrations.Post) error {
		if !away {
			return nil
		}
		tried[p.Message.Text]++
		time.Sleep(2 * time.Millisecond) // a refusal takes a while to come
		return &integrations.Later{After: 20 * time.Second, Err: errAway}
	}
	r.start()
	var want []string
	for i := range 4 {
		text := fmt.Sprint("card ", i)
		r.open(text, text, map[string]string{"channel": "ops"})
		want = append(want, text)
		r.advance(time.Duration(i) * time.Second)
	}
	for range 5 {
		r.advance(21 * time.Second)
	}
	r.wall.mu.Lock()
	away = false
	if len(tried) != 1 {
		t.Errorf("tried were %v, want the first alone", tried)
	}
	r.wall.mu.Unlock()
	r.advance(21 * time.Second)
	r.wait("all are posted", func() bool { return len(r.wall.all()) == len(want) })
	if got := r.wall.texts(); !slices.Equal(got, want) {
		t.Errorf("posted were %q, want %q", got, want)
	}
}

// An end that waits for its channel alone comes as itself: rolled up it would wait
// just as long.
func TestAnEndThatWaitsForItsChannelComesAsItself(t *testing.T) {
	r := newHall(t, Manner{Key: "channel", Edits: 48})
	away := true
	r.wall.refuse = func(p integrations.Post) error {
		if !away {
			return nil
		}
		return &integrations.Later{After: 20 * time.Second, Err: errAway}
	}
	r.start()
	for _, s := range []string{"card", "end of op-1"} {
		r.open(s, s, map[string]string{"channel": "ops"})
	}
	r.advance(time.Minute)
	r.wall.mu.Lock()
	away = false
	r.wall.mu.Unlock()
	r.advance(30 * time.Second)
	r.wait("both are told", func() bool { return len(r.wall.all()) == 2 })
	if got := r.wall.texts(); !slices.Equal(got, []string{"end of op-1", "card"}) {
		t.Errorf("told were %q", got)
	}
}

// What waits only because its place took something else a moment ago is still to be
// told, whoever asks before stopping is told so.
func TestWhatWaitsForItsPlaceIsNotAtRest(t *testing.T) {
	r := newHall(t, Manner{Key: "channel"})
	tries := 0
	r.wall.refuse = func(p integrations.Post) error {
		if tries++; tries > 1 {
			return nil
		}
		return &integrations.Later{After: time.Minute, Err: errAway}
	}
	for _, s := range []string{"first", "second"} {
		r.open(s, s, map[string]string{"channel": "ops"})
	}
	if r.teller.Rests(r.clock.Now()) {
		t.Error("it rests, with two to tell")
	}
	r.start()
	r.advance(0)
	if now := r.clock.Now(); !r.teller.Idle() || r.teller.Rests(now.Add(2*time.Minute)) || !r.teller.Rests(now.Add(50*time.Second)) {
		t.Error("the place takes nothing for a minute: it is idle, and rests until then")
	}
	r.advance(61 * time.Second)
	r.wait("both are told", func() bool { return len(r.wall.all()) == 2 })
	r.wait("it rests", func() bool { return r.teller.Rests(r.clock.Now().Add(time.Hour)) })
}

var errAway = errors.New("it does not answer")

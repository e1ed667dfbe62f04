package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/store"
)

// What the limits of a busy workspace come to. Slack takes fifty edits a minute
// in all channels together; an end is seen within endSeen of its job's end.
const (
	editsInAMinute = 50
	endSeen        = 5 * time.Second
)

// TestLoad has fifty targets of five repositories, told of in three channels, and
// up to 200 jobs queued on them, on a clock that stands still until nothing is
// left to do at that moment.
func TestLoad(t *testing.T) {
	for _, c := range []struct {
		name     string
		parallel int
		each     int                       // applies on each target
		takes    func(n int) time.Duration // of the n-th job
		rollUps  bool
	}{
		// Four ends every six seconds: forty in any minute, each on its own card.
		{name: "forty ends a minute", parallel: 4, each: 2, takes: func(int) time.Duration { return 6 * time.Second }},
		{name: "three ends a second", parallel: 16, each: 4, rollUps: true, takes: func(n int) time.Duration {
			return time.Duration(1+n*7%9) * time.Second
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // they mostly wait for the disk
			l := newLoad(t, c.parallel)
			l.queue(c.each, c.takes)
			l.run()
			l.checkTurns()
			l.checkPlans()
			l.checkEdits()
			l.checkEnds(c.rollUps)
			l.checkQuestions()
			l.checkNothingIsLeft()
			if most := l.most; most != c.parallel {
				t.Errorf("%d jobs ran at once, want %d", most, c.parallel)
			}
			for _, v := range l.slack.Violations() {
				t.Errorf("Slack refused: %s", v)
			}
		})
	}
}

// queue puts so many applies on each of 50 targets, with positions as their
// repositories have them and not in that order, and some plans.
func (l *load) queue(each int, takes func(n int) time.Duration) {
	l.t.Helper()
	bases := []uint64{1, 40, 700, 12_000, 90_000}
	var all []*store.Job
	for target := range 50 {
		repo := target % len(bases)
		for k := range each {
			all = append(all, &store.Job{
				Kind: "apply", Locks: true, Target: fmt.Sprintf("repo-%d/target-%02d", repo, target),
				Order: bases[repo] + uint64(target/len(bases)+k*11), Repo: fmt.Sprintf("acme/repo-%d", repo),
			})
		}
	}
	l.applies, l.plans = len(all), 5*each
	for range l.plans {
		all = append(all, &store.Job{Kind: "plan", Target: fmt.Sprintf("repo-0/target-%02d", len(all)%10*5)})
	}
	mix := rand.New(rand.NewPCG(3, 14))
	mix.Shuffle(len(all), func(a, b int) { all[a], all[b] = all[b], all[a] })
	channels := []string{"C0OPS", "C0NET", "C0DATA"}
	l.update(func(tx *store.Tx) error {
		for n, j := range all {
			j.Key, j.State, j.Operation = fmt.Sprint("load|", n), store.JobQueued, fmt.Sprintf("op-%03d", n)
			if err := l.add(tx, j, channels[n%len(channels)], takes(n), n%10 == 0); err != nil {
				return err
			}
		}
		return nil
	})
}

// Who became first in line earlier starts no later, so while a target waits no
// other one starts twice. On one target, position is the order.
func (l *load) checkTurns() {
	l.t.Helper()
	type turn struct {
		start
		nth int
	}
	var turns []turn
	last := map[string]uint64{}
	for at, s := range l.starts {
		if s.kind != "apply" {
			continue
		}
		turns = append(turns, turn{s, at})
		if s.order < last[s.target] {
			l.t.Errorf("%s: %d started after %d", s.target, s.order, last[s.target])
		}
		last[s.target] = s.order
	}
	if len(turns) < l.applies || len(last) != 50 {
		l.t.Errorf("%d starts on %d targets", len(turns), len(last))
	}
	longest := 0
	for i, a := range turns {
		for _, b := range turns[:i] {
			if b.first.After(a.first) && b.at.Before(a.at) { // at one moment, places are taken side by side
				l.t.Errorf("%s was first in line at %s, and %s, since %s, started before it", a.job, l.since(a.first), b.job, l.since(b.first))
			}
		}
		before := slices.IndexFunc(l.starts, func(s start) bool { return !s.at.Before(a.first) })
		longest = max(longest, a.nth-before)
	}
	// All other targets once, and a plan for every three of them.
	if most := 50 + 50/3 + l.parallel; longest > most {
		l.t.Errorf("a job that was first in line saw %d others start, want %d at most", longest, most)
	}
	l.t.Logf("first in line, a job saw %d others start at most; all took %s", longest, l.since(l.clock.Now()))
}

// Plans start among the applies.
func (l *load) checkPlans() {
	l.t.Helper()
	plans := 0
	for at, s := range l.starts {
		if s.kind == "plan" {
			if plans++; at > 4*plans+l.parallel {
				l.t.Errorf("plan %d was start number %d", plans, at)
			}
		}
	}
	if plans != l.plans {
		l.t.Errorf("%d plans started", plans)
	}
}

// No minute has more edits than Slack takes.
func (l *load) checkEdits() {
	l.t.Helper()
	var edits []time.Time
	for _, c := range l.calls {
		if c.method == "chat.update" {
			edits = append(edits, c.at)
		}
	}
	for i := editsInAMinute; i < len(edits); i++ {
		if d := edits[i].Sub(edits[i-editsInAMinute]); d < time.Minute {
			l.t.Fatalf("%d edits within %s, from %s on", editsInAMinute+1, d, l.since(edits[i-editsInAMinute]))
		}
	}
	l.t.Logf("%d calls, %d edits", len(l.calls), len(edits))
}

// Each end is seen in time: on its card, or in a roll-up when there are too many.
func (l *load) checkEnds(rollUps bool) {
	l.t.Helper()
	rolls := map[string]bool{}
	alone, latest := 0, time.Duration(0)
	for op, ended := range l.ended {
		seen, rolled := l.firstSeen(l.endLine(op))
		if seen.IsZero() {
			l.t.Errorf("the end of %s was never seen", op)
			continue
		}
		if !rolled {
			alone++
		}
		latest = max(latest, seen.Sub(ended))
		if seen.Sub(ended) > endSeen {
			l.t.Errorf("%s ended at %s and was seen at %s (in a roll-up: %t)", op, l.since(ended), l.since(seen), rolled)
		}
	}
	for _, c := range l.calls {
		if c.rollUp() {
			rolls[c.message] = true
		}
	}
	l.t.Logf("%d ends, %d seen on their own card, the latest after %s; %d roll-ups", len(l.ended), alone, latest, len(rolls))
	if len(l.ended) != l.applies {
		l.t.Errorf("%d operations ended", len(l.ended))
	}
	if !rollUps && len(rolls) > 0 {
		l.t.Errorf("%d roll-ups, though no more than forty ended in any minute", len(rolls))
	}
	if rollUps && len(rolls) == 0 {
		l.t.Error("no roll-up")
	}
	if want := 40; rollUps && alone < want {
		l.t.Errorf("%d ends were seen on their own card, want %d at least, which is a minute's", alone, want)
	}
}

// What somebody has to answer is seen as soon.
func (l *load) checkQuestions() {
	l.t.Helper()
	for op, asked := range l.asked {
		seen, _ := l.firstSeen(l.question(op))
		if seen.IsZero() || seen.Sub(asked) > endSeen {
			l.t.Errorf("%s asked at %s and was seen at %s", op, l.since(asked), l.since(seen))
		}
	}
	if len(l.asked) < l.applies/12 {
		l.t.Errorf("only %d operations asked something", len(l.asked))
	}
}

// Nothing is dropped: in the end each card says how it ended, and each thread
// has its log and its file.
func (l *load) checkNothingIsLeft() {
	l.t.Helper()
	cards, logs, files := map[string]string{}, map[string]string{}, 0
	for _, c := range l.calls {
		switch op, _, _ := strings.Cut(c.text, " "); {
		case c.method == "files.completeUploadExternal":
			files++
		case strings.HasPrefix(op, "op-") && !strings.Contains(c.text, "asks"):
			cards[op] = c.text
		case strings.HasPrefix(op, "job-"):
			logs[op] = c.text
		}
	}
	for op := range l.ended {
		if !strings.Contains(cards[op], l.endLine(op)) {
			l.t.Errorf("the card of %s says at last %q", op, cards[op])
		}
	}
	for job, text := range logs {
		if !strings.Contains(text, "succeeded") {
			l.t.Errorf("the log of %s says at last %q", job, text)
		}
	}
	if len(logs) != l.applies || files != l.applies {
		l.t.Errorf("%d logs and %d files were shown", len(logs), files)
	}
}

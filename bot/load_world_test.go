package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/slack"
	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
	"github.com/signalbox-chatops/signalbox/store"
)

// load is the store, the runner, the teller and the Slack client as they are in
// the bot, with the bot's own manners, against the simulated workspace. Jobs do
// nothing but take their time, by a clock that stands still while anything is
// under way: a test of minutes, in as long as its work takes.
type load struct {
	t        *testing.T
	parallel int
	applies  int
	plans    int
	clock    *stillClock
	began    time.Time
	store    *store.Store
	slack    *slacksim.Sim
	runner   *runner.Runner
	teller   *tell.Teller
	file     string // every job's whole log

	mu       sync.Mutex
	jobs     map[string]*loadJob // by operation
	first    map[string]time.Time
	starts   []start
	ended    map[string]time.Time // by operation
	asked    map[string]time.Time // likewise
	calls    []loadCall
	running  int
	most     int // that ever ran at once
	sleeping int
}

// loadJob is how a job is to go.
type loadJob struct {
	target string
	takes  time.Duration
	asks   bool // ends in needs_confirm the first time
}

// start is a job's start, and since when it had been first in line.
type start struct {
	kind, job, target string
	order             uint64
	first, at         time.Time
}

// loadCall is what Slack was asked for.
type loadCall struct {
	at              time.Time
	method, message string
	text            string
}

func (c loadCall) rollUp() bool { return strings.Contains(c.text, "ended\n") }

func newLoad(t *testing.T, parallel int) *load {
	t.Helper()
	clk := &stillClock{now: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC), timers: map[*stillTimer]bool{}}
	l := &load{t: t, parallel: parallel, clock: clk, began: clk.now, file: filepath.Join(t.TempDir(), "log"),
		jobs: map[string]*loadJob{}, first: map[string]time.Time{}, ended: map[string]time.Time{}, asked: map[string]time.Time{}}
	if err := os.WriteFile(l.file, []byte("a log\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	dir := t.TempDir()
	var err error
	if l.store, err = store.Open(filepath.Join(dir, "signalbox.db"), store.Options{Now: clk.Now, Log: log}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.must(l.store.Close()) })
	in := []string{"signalbox"}
	l.slack, err = slacksim.New(slacksim.Config{Clock: clk, Events: []string{}, Channels: []slacksim.Channel{{Name: "ops", Members: in}, {Name: "net", Members: in}, {Name: "data", Members: in}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.must(l.slack.Close()) })
	srv := httptest.NewServer(l.slack.Handler())
	t.Cleanup(srv.Close)
	l.slack.SetBase(srv.URL)
	l.slack.OnCall(l.called)
	client, err := slack.New(slack.Config{
		AppToken: integrations.NewSecret("xapp-1-sandbox"), BotToken: integrations.NewSecret("xoxb-sandbox"), APIURL: srv.URL + "/api/",
	}, clk, log)
	if err != nil {
		t.Fatal(err)
	}
	cards := tell.RollupCards()
	cards["card"], cards["log"], cards["file"], cards["question"] = l.card, l.log, l.logFile, l.questionCard
	l.teller = tell.New(tell.Deps{Store: l.store, Clock: clk, Log: log, Places: client.Places(), Manners: manners, Cards: cards})
	l.runner, err = runner.New(runner.Deps{Store: l.store, Clock: clk, Log: log, Dir: filepath.Join(dir, "work"), Parallel: parallel, Kinds: []runner.Kind{
		{Name: "apply", Heavy: true, Run: l.apply, Changed: l.changed},
		{Name: "plan", Heavy: true, Run: l.planned},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *load) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Error(err)
	}
}

func (l *load) update(do func(tx *store.Tx) error) {
	l.t.Helper()
	if err := l.store.Update(context.Background(), do); err != nil {
		l.t.Fatal(err)
	}
}

// add queues a job, with the surfaces that an apply has.
func (l *load) add(tx *store.Tx, j *store.Job, channel string, takes time.Duration, asks bool) error {
	if _, _, err := tx.InsertJob(j); err != nil {
		return err
	}
	l.jobs[j.Operation] = &loadJob{target: j.Target, takes: takes, asks: asks}
	if j.Kind != "apply" {
		return nil
	}
	card := tell.ID("slack.message", j.ID, "card")
	for _, s := range []store.Surface{
		{ID: card, Place: "slack.message", Card: "card", Subject: j.ID, Where: map[string]string{"channel": channel}},
		{ID: tell.ID("slack.message", j.ID, "log"), Place: "slack.message", Card: "log", Subject: j.ID, Where: map[string]string{"channel": channel, "under": card}},
		{ID: tell.ID("slack.file", j.ID), Place: "slack.file", Card: "file", Subject: j.ID, Where: map[string]string{"channel": channel, "under": card}},
		{ID: tell.ID("slack.message", j.ID, "question"), Place: "slack.message", Card: "question", Subject: j.ID, Where: map[string]string{"channel": channel}},
	} {
		if err := tell.Open(tx, s); err != nil {
			return err
		}
	}
	return nil
}

// apply takes its time and writes a line of log every three seconds.
func (l *load) apply(ctx context.Context, r *runner.Run) runner.End {
	defer l.runs(r.Job)()
	how := l.jobs[r.Job.Operation]
	for left := how.takes; left > 0; left -= 3 * time.Second {
		l.sleep(ctx, min(left, 3*time.Second))
		l.update(func(tx *store.Tx) error {
			j, err := tx.Job(r.Job.ID)
			if err != nil {
				return err
			}
			j.Tail += fmt.Sprintf("%s to go\n", left)
			return errors.Join(tx.PutJob(j), tell.Mark(tx, j.ID, false))
		})
	}
	if how.asks && r.Job.Attempt == 1 {
		return runner.End{State: store.JobNeedsConfirm}
	}
	return runner.End{State: store.JobSucceeded}
}

func (l *load) planned(ctx context.Context, r *runner.Run) runner.End {
	defer l.runs(r.Job)()
	l.sleep(ctx, l.jobs[r.Job.Operation].takes)
	return runner.End{State: store.JobSucceeded}
}

// runs counts a job that starts; what it returns, that it ends.
func (l *load) runs(j *store.Job) func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.starts = append(l.starts, start{kind: j.Kind, job: j.ID, target: j.Target, order: j.Order, first: l.first[j.ID], at: l.clock.Now()})
	l.running++
	l.most = max(l.most, l.running)
	return func() {
		l.mu.Lock()
		l.running--
		l.mu.Unlock()
	}
}

func (l *load) sleep(ctx context.Context, d time.Duration) {
	l.mu.Lock()
	l.sleeping++
	l.mu.Unlock()
	_ = clock.Sleep(ctx, l.clock, d)
	l.mu.Lock()
	l.sleeping--
	l.mu.Unlock()
}

// changed marks what shows a job, as a feature does.
func (l *load) changed(tx *store.Tx, j *store.Job, urgent bool) error {
	l.mu.Lock()
	switch {
	case j.Terminal():
		l.ended[j.Operation] = l.clock.Now()
	case j.State == store.JobNeedsConfirm:
		l.asked[j.Operation] = l.clock.Now()
	}
	l.mu.Unlock()
	if err := l.firsts(tx); err != nil {
		return err
	}
	return tell.Mark(tx, j.ID, urgent)
}

// firsts notes since when jobs have been first in line.
func (l *load) firsts(tx *store.Tx) error {
	live, err := tx.LiveJobs()
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	seen, was := map[string]bool{}, l.first
	l.first = map[string]time.Time{}
	for _, j := range live {
		if seen[j.Target] || !j.Locks {
			continue
		}
		seen[j.Target] = true
		if j.State == store.JobNeedsConfirm {
			continue // it waits for a person
		}
		if l.first[j.ID] = was[j.ID]; was[j.ID].IsZero() {
			l.first[j.ID] = l.clock.Now()
		}
	}
	return nil
}

// confirm answers the questions that were asked some time ago, and says when the
// next one is answered; now, if one was.
func (l *load) confirm() (next time.Time) {
	l.update(func(tx *store.Tx) error {
		live, err := tx.LiveJobs()
		if err != nil {
			return err
		}
		for _, j := range live {
			if j.State != store.JobNeedsConfirm {
				continue
			}
			at := l.asked[j.Operation].Add(20 * time.Second)
			if next.IsZero() || at.Before(next) {
				next = at
			}
			if at.After(l.clock.Now()) {
				continue
			}
			j.State = store.JobQueued
			if err := errors.Join(tx.PutJob(j), l.changed(tx, j, true)); err != nil {
				return err
			}
		}
		return nil
	})
	return next
}

// called is told each call that Slack has answered.
func (l *load) called(stage, method string, args url.Values) {
	if stage != "after" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	text := args.Get("text")
	message := args.Get("ts")
	if message == "" {
		message = fmt.Sprint("post ", len(l.calls))
	}
	l.calls = append(l.calls, loadCall{at: l.clock.Now(), method: method, message: message, text: text})
}

// firstSeen is when a line was first to be read in Slack.
func (l *load) firstSeen(line string) (at time.Time, rolled bool) {
	for _, c := range l.calls {
		if strings.Contains(c.text, line) {
			return c.at, c.rollUp()
		}
	}
	return time.Time{}, false
}

func (l *load) endLine(op string) string  { return op + " " + l.jobs[op].target + ": succeeded" }
func (l *load) question(op string) string { return op + " asks about " + l.jobs[op].target }
func (l *load) since(at time.Time) string { return at.Sub(l.began).String() }

func (l *load) card(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	j, err := tx.Job(s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	m := integrations.Message{Text: fmt.Sprintf("%s %s: %s", j.Operation, j.Target, j.State)}
	if j.Terminal() {
		m.Final = "✅ " + m.Text
	}
	return m, nil
}

func (l *load) log(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	j, err := tx.Job(s.Subject)
	return integrations.Message{Text: fmt.Sprintf("%s %s %s", j.ID, j.State, j.Tail), Hold: j.Tail == ""}, err
}

func (l *load) logFile(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	j, err := tx.Job(s.Subject)
	return integrations.Message{Hold: !j.Terminal(), File: &integrations.File{Name: j.ID + ".log", Path: l.file, Title: j.ID}}, err
}

func (l *load) questionCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	j, err := tx.Job(s.Subject)
	asks := j.State == store.JobNeedsConfirm
	return integrations.Message{Text: l.question(j.Operation), Asks: asks, Hold: !asks}, err
}

// run runs until nothing is left to do and to tell.
func (l *load) run() {
	l.t.Helper()
	l.update(l.firsts)
	ctx, cancel := context.WithCancel(context.Background())
	var loops sync.WaitGroup
	for _, run := range []func(context.Context) error{l.runner.Run, l.teller.Run} {
		loops.Go(func() { l.must(run(ctx)) })
	}
	defer loops.Wait()
	defer cancel()
	for l.left() {
		next := l.settle()
		switch answer := l.confirm(); {
		case answer.Equal(l.clock.Now()): // it was answered, and there is more to do
			continue
		case !answer.IsZero() && answer.Before(next):
			next = answer
		}
		l.clock.moveTo(next)
	}
}

// left says whether there is still something to do or to tell.
func (l *load) left() (left bool) {
	l.t.Helper()
	err := l.store.View(func(tx *store.Tx) error {
		live, err := tx.LiveJobs()
		_, due := tx.NextDue(l.began.Add(-time.Hour))
		left = len(live) > 0 || due
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return left
}

// settle waits until nothing happens any more at this moment, and says when
// something will.
func (l *load) settle() (next time.Time) {
	l.t.Helper()
	looks, made := 0, 0 // a loop that was woken needs a little time to look around
	for end := time.Now().Add(patience); looks < 3; time.Sleep(50 * time.Microsecond) {
		at, ok := l.settled()
		if n := l.clock.count(); !ok || n != made {
			looks, made = 0, n
			continue
		}
		looks, next = looks+1, at
		if time.Now().After(end) {
			l.t.Fatalf("it never settles: at %s, %d sleep, %d are active, the teller is idle: %t", l.since(l.clock.Now()), l.sleeping, l.runner.Active(), l.teller.Idle())
		}
	}
	return next
}

// settled says that each job sleeps, no other one can start, nothing can be
// told, and both loops sleep until, at the latest, there is more to do.
func (l *load) settled() (next time.Time, ok bool) {
	l.mu.Lock()
	sleeping := l.sleeping
	l.mu.Unlock()
	next, timers := l.clock.first()
	if l.runner.Active() != sleeping || timers != sleeping+2 || !l.teller.Idle() {
		return next, false
	}
	ok = true
	err := l.store.View(func(tx *store.Tx) error {
		if at, more := tx.NextDue(l.clock.Now()); more && at.Before(next) {
			ok = false
		}
		if sleeping == l.parallel {
			return nil
		}
		live, err := tx.LiveJobs()
		taken := map[string]bool{}
		for _, j := range live {
			if j.State == store.JobQueued && (!j.Locks || !taken[j.Target]) {
				ok = false
			}
			taken[j.Target] = taken[j.Target] || j.Locks
		}
		return err
	})
	return next, err == nil && ok
}

// stillClock moves only when it is told to.
type stillClock struct {
	mu     sync.Mutex
	now    time.Time
	timers map[*stillTimer]bool
	made   int // timers, ever
}

type stillTimer struct {
	clock *stillClock
	at    time.Time
	c     chan time.Time
}

func (c *stillClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *stillClock) NewTimer(d time.Duration) clock.Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made++
	t := &stillTimer{clock: c, at: c.now.Add(d), c: make(chan time.Time, 1)}
	if d <= 0 {
		t.c <- c.now
	} else {
		c.timers[t] = true
	}
	return t
}

func (t *stillTimer) C() <-chan time.Time { return t.c }

func (t *stillTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	live := t.clock.timers[t]
	delete(t.clock.timers, t)
	return live
}

// first is when the first timer fires, and how many there are.
func (c *stillClock) first() (at time.Time, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for t := range c.timers {
		if at.IsZero() || t.at.Before(at) {
			at = t.at
		}
	}
	return at, len(c.timers)
}

func (c *stillClock) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.made
}

// moveTo moves the clock forward and fires what falls due.
func (c *stillClock) moveTo(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = at
	for t := range c.timers {
		if !t.at.After(at) {
			delete(c.timers, t)
			t.c <- at
		}
	}
}

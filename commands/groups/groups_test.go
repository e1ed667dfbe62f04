package groups

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// team and chat are where the people of the group sre stand.
var (
	team = integrations.GroupSource{Kind: "team", Name: "acme/sre"}
	chat = integrations.GroupSource{Kind: "chat", Name: "sre"}
)

// world is a holder whose sources are Go values, in a bubble whose time is its own.
type world struct {
	*Holder
	t   *testing.T
	cat *integrations.Catalog

	mu      sync.Mutex
	members map[integrations.GroupSource][]string
	down    map[integrations.GroupSource]error
	reads   map[integrations.GroupSource]int
	hold    time.Duration // how long an answer takes
}

func inWorld(t *testing.T, do func(*world), live ...integrations.GroupSource) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{
			t: t, members: map[integrations.GroupSource][]string{}, down: map[integrations.GroupSource]error{}, reads: map[integrations.GroupSource]int{},
			cat: &integrations.Catalog{
				People: []integrations.Person{
					{Name: "alice", Slack: "U1", GitHub: "Alice-Archer"}, {Name: "bob", Slack: "U2", GitHub: "bob"}, {Name: "carol", Slack: "U3"},
				},
				Groups: map[string][]string{"devs": {"carol"}},
				Live:   map[string][]integrations.GroupSource{"sre": live},
				Rules:  []integrations.Rule{{Groups: []string{"sre"}, Verbs: []string{"deploy"}, Environments: []string{"*"}}},
			},
		}
		source := func(kind, what string, account func(integrations.Person) string) Source {
			return Source{What: what, Account: account, Read: func(ctx context.Context, name string) ([]string, error) {
				return w.answer(ctx, integrations.GroupSource{Kind: kind, Name: name})
			}}
		}
		w.Holder = New(Deps{Clock: clock.Real(), Catalog: func() *integrations.Catalog { return w.cat }, Sources: map[string]Source{
			"team": source("team", "GitHub team", func(p integrations.Person) string { return p.GitHub }),
			"chat": source("chat", "Slack user group", func(p integrations.Person) string { return p.Slack }),
		}})
		w.cat.Members = w.Of(w.cat)
		do(w)
	})
}

func (w *world) answer(ctx context.Context, s integrations.GroupSource) ([]string, error) {
	w.mu.Lock()
	w.reads[s]++
	hold := w.hold
	w.mu.Unlock()
	select {
	case <-time.After(hold):
	case <-ctx.Done():
		return nil, fmt.Errorf("ask: %w", ctx.Err())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.members[s], w.down[s]
}

// set says who is in a source from now on, or why it cannot say.
func (w *world) set(s integrations.GroupSource, err error, members ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.members[s], w.down[s] = members, err
}

func (w *world) read(s integrations.GroupSource) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reads[s]
}

// may checks who is let deploy, and what is said to those who are not.
func (w *world) may(want, doubt string) {
	w.t.Helper()
	var names []string
	for _, p := range w.cat.Who("deploy", "production") {
		names = append(names, p.Name)
	}
	if got := strings.Join(names, " "); got != want {
		w.t.Errorf("after %s, %q may deploy, want %q", w.since(), got, want)
	}
	err := w.cat.Doubt("deploy", "production")
	if doubt == "" && err != nil || doubt != "" && (err == nil || err.Error() != doubt) {
		w.t.Errorf("after %s the doubt is %v, want %q", w.since(), err, doubt)
	}
}

// began is when every bubble's time begins.
var began = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func (w *world) since() time.Duration { return time.Since(began) }

func TestRuleAGroupIsReadAgainAfterFiveMinutes(t *testing.T) {
	inWorld(t, func(w *world) {
		w.may("", "the GitHub team acme/sre has not been read yet")
		w.set(team, nil, "bob")
		w.Refresh(w.t.Context())
		w.may("bob", "")
		time.Sleep(5 * time.Minute)
		w.may("bob", "")
		time.Sleep(time.Second)
		w.may("", "the GitHub team acme/sre was read 5m1s ago, which is too old")
		w.Refresh(w.t.Context())
		w.may("bob", "")
	}, team)
}

// A source that cannot answer has no members; what it said before counts until it
// is too old.
func TestRuleASourceThatIsDownMeansNo(t *testing.T) {
	inWorld(t, func(w *world) {
		down := errors.New("GitHub answered 503")
		w.set(team, fmt.Errorf("read the members: %w", down))
		w.Refresh(w.t.Context())
		w.may("", "the GitHub team acme/sre cannot be read: GitHub answered 503")
		w.set(team, nil, "bob")
		time.Sleep(time.Minute)
		w.Refresh(w.t.Context())
		w.may("bob", "")
		w.set(team, down)
		time.Sleep(4 * time.Minute)
		w.Refresh(w.t.Context())
		w.may("bob", "")
		time.Sleep(2 * time.Minute)
		w.Refresh(w.t.Context())
		w.may("", "the GitHub team acme/sre was read 6m0s ago, which is too old, and cannot be read now: GitHub answered 503")
	}, team)
}

func TestWhoHasLeftIsOutWithTheNextReading(t *testing.T) {
	inWorld(t, func(w *world) {
		w.set(team, nil, "bob", "alice-archer")
		w.Refresh(w.t.Context())
		w.may("alice bob", "")
		w.set(team, nil, "alice-archer")
		time.Sleep(2*time.Minute + time.Second)
		w.Refresh(w.t.Context())
		w.may("alice", "")
	}, team)
}

// That there is no such group is an answer: nobody stays in it for five minutes.
func TestAGroupThatIsGoneIsEmptyAtOnce(t *testing.T) {
	for _, gone := range []error{fmt.Errorf("read: %w", integrations.ErrNotFound), &integrations.Gone{Why: "it is switched off"}} {
		inWorld(t, func(w *world) {
			w.set(team, nil, "bob")
			w.Refresh(w.t.Context())
			w.set(team, gone)
			time.Sleep(2*time.Minute + time.Second)
			w.Refresh(w.t.Context())
			w.may("", "the GitHub team acme/sre cannot be read: "+map[bool]string{true: "not found", false: "it is switched off"}[errors.Is(gone, integrations.ErrNotFound)])
		}, team)
	}
}

// Accounts that nobody in people has are nobody, and somebody without an account
// is not whoever has an empty one.
func TestAccountsOfStrangersAreNobody(t *testing.T) {
	inWorld(t, func(w *world) {
		w.set(team, nil, "mallory", "", "ALICE-ARCHER", "alice")
		w.set(chat, nil, "U2", "U9")
		w.Refresh(w.t.Context())
		w.may("alice bob", "") // each by one of the two
		if names, err := w.cat.Members("devs"); err != nil || len(names) != 0 {
			w.t.Errorf("the live members of a group without a source: %v, %v", names, err)
		}
	}, team, chat)
}

// One source of two is down: who is in the other may go on.
func TestTheOtherSourceStillCounts(t *testing.T) {
	inWorld(t, func(w *world) {
		w.set(team, errors.New("down"))
		w.set(chat, nil, "U3")
		w.Refresh(w.t.Context())
		w.may("carol", "the GitHub team acme/sre cannot be read: down")
	}, team, chat)
}

func TestADecisionReadsOnlyWhatIsOld(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, step := range []struct {
			wait time.Duration
			down error
			want int
		}{
			{0, nil, 1}, {2 * time.Minute, nil, 1}, {time.Second, errors.New("down"), 2}, // it fails, and is let be
			{9 * time.Second, nil, 2}, {time.Second, nil, 3}, {0, nil, 3},
		} {
			w.set(team, step.down, "bob")
			time.Sleep(step.wait)
			w.Refresh(w.t.Context())
			if got := w.read(team); got != step.want {
				w.t.Errorf("after %s it was read %d times, want %d", w.since(), got, step.want)
			}
		}
	}, team)
}

// A source that hangs keeps nobody longer than they can wait, and one that hangs
// in the minute's reading neither.
func TestASourceThatHangsHangsNoDecision(t *testing.T) {
	inWorld(t, func(w *world) {
		w.hold = time.Hour
		run, stop := context.WithCancel(w.t.Context())
		var all sync.WaitGroup
		all.Go(func() { _ = w.Run(run) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Second)
		defer cancel()
		began := time.Now()
		w.Refresh(ctx)
		if took := time.Since(began); took != 2*time.Second {
			w.t.Errorf("a decision waited %v, want 2s", took)
		}
		w.may("", "the GitHub team acme/sre has not been read yet")
		if w.Idle() {
			w.t.Error("idle while the minute's reading is under way")
		}
		time.Sleep(readWait)
		w.may("", "the GitHub team acme/sre cannot be read: it did not answer in time")
		stop()
		all.Wait()
		if !w.Idle() {
			w.t.Error("busy after the end")
		}
	}, team)
}

func TestDecisionsAtOneTimeReadOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		w.hold = time.Second
		w.set(team, nil, "bob")
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				w.Refresh(w.t.Context())
				w.may("bob", "")
			})
		}
		all.Wait()
		if got := w.read(team); got != 1 {
			w.t.Errorf("read %d times, want once", got)
		}
	}, team)
}

func TestEveryMinuteTheyAreRead(t *testing.T) {
	inWorld(t, func(w *world) {
		w.set(team, nil, "bob")
		ctx, stop := context.WithCancel(w.t.Context())
		var all sync.WaitGroup
		all.Go(func() { _ = w.Run(ctx) })
		time.Sleep(10*time.Minute + time.Second)
		if got := w.read(team); got != 11 {
			w.t.Errorf("in ten minutes it was read %d times, want 11", got)
		}
		w.may("bob", "")
		w.Wake()
		synctest.Wait()
		if got := w.read(team); got != 12 {
			w.t.Errorf("woken, it was read %d times, want 12", got)
		}
		stop()
		all.Wait()
	}, team)
}

// Without a live group there is nothing to do and no timer to wait for, until a
// reload brings one.
func TestWithoutLiveGroupsNothingIsRead(t *testing.T) {
	inWorld(t, func(w *world) {
		w.set(team, nil, "bob")
		var current atomic.Pointer[integrations.Catalog]
		current.Store(&integrations.Catalog{})
		w.Catalog = current.Load
		ctx, stop := context.WithCancel(w.t.Context())
		var all sync.WaitGroup
		all.Go(func() { _ = w.Run(ctx) })
		time.Sleep(time.Hour)
		if got := w.read(team); got != 0 {
			w.t.Errorf("read %d times, want never", got)
		}
		current.Store(w.cat)
		w.Wake()
		synctest.Wait()
		w.may("bob", "")
		stop()
		all.Wait()
	}, team)
}

// turned is a clock that can be set back.
type turned struct {
	clock.Clock
	by time.Duration
}

func (c *turned) Now() time.Time { return c.Clock.Now().Add(c.by) }

func TestAClockThatWasSetBackMakesNothingFresh(t *testing.T) {
	inWorld(t, func(w *world) {
		c := &turned{Clock: clock.Real()}
		w.Clock = c
		w.set(team, nil, "bob")
		w.Refresh(w.t.Context())
		c.by = -time.Hour
		w.may("", "the GitHub team acme/sre was read before the clock was set back")
		w.Refresh(w.t.Context())
		w.may("bob", "")
	}, team)
}

func TestAKindThatNothingReads(t *testing.T) {
	odd := integrations.GroupSource{Kind: "odd", Name: "x"}
	inWorld(t, func(w *world) {
		w.Refresh(w.t.Context())
		if err := w.cat.Doubt("deploy", ""); err == nil || !strings.Contains(err.Error(), "nothing here reads the kind odd") {
			w.t.Errorf("the doubt is %v", err)
		}
		if !slices.Equal(w.cat.Live["sre"], []integrations.GroupSource{odd}) {
			w.t.Error("the catalog was changed")
		}
	}, odd)
}

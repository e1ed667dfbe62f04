package commands

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// A team that is read when a decision asks for it.
type team struct {
	mu      sync.Mutex
	members []string
	err     error
	asked   int
}

func (t *team) set(err error, members ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.members, t.err = members, err
}

func (t *team) times() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.asked
}

// teamHouse is a house where carol may lock staging if she is in the team, which
// is known as it was when last refreshed.
func teamHouse(t *testing.T) (*house, *team) {
	there, here := &team{}, &team{}
	h := build(t, func(_ *house, d *Deps) {
		d.Catalog = func() *integrations.Catalog {
			c := testCatalog()
			c.Live = map[string][]integrations.GroupSource{"sre": {{Kind: "team", Name: "acme/sre"}}}
			c.Rules = append(c.Rules, integrations.Rule{Groups: []string{"sre"}, Verbs: []string{"lock"}, Environments: []string{"staging", "production"}})
			c.Members = func(group string) ([]string, error) {
				here.mu.Lock()
				defer here.mu.Unlock()
				if group != "sre" {
					return nil, nil
				}
				return here.members, here.err
			}
			return c
		}
		d.Refresh = func(context.Context) {
			there.mu.Lock()
			there.asked++
			members, err := there.members, there.err
			there.mu.Unlock()
			here.set(err, members...)
		}
	})
	return h.run(), there
}

const lockLine = `lock network/production "a migration"`

// Who is in a team is asked before each decision on a change, so that who has left
// has lost the right; what cannot be asked is a no, and the answer says why.
func TestADecisionAsksWhoIsInTheTeam(t *testing.T) {
	h, team := teamHouse(t)
	expect := func(want string, words ...string) {
		t.Helper()
		answer, outcome := h.says("U3", lockLine)
		if outcome != want {
			t.Errorf("outcome %q, want %q", outcome, want)
		}
		for _, w := range words {
			if !strings.Contains(answer, w) {
				t.Errorf("the answer is %q, want %q in it", answer, w)
			}
		}
		// Past the window in which the same line is taken for a slip.
		if err := h.clock.Advance(t.Context(), time.Minute, nil); err != nil {
			t.Fatal(err)
		}
	}
	expect("refused: not_allowed", "alice and bob")
	team.set(nil, "carol")
	expect("done")
	team.set(errors.New("the GitHub team acme/sre cannot be read: GitHub answered 503"))
	expect("refused: not_allowed", "The GitHub team acme/sre cannot be read: GitHub answered 503, so the answer is no.", "alice and bob")
	team.set(nil, "carol")
	expect("done")
	team.set(nil)
	expect("refused: not_allowed", "alice and bob")
}

// What only reads asks nobody, and neither does a line that is refused anyway.
func TestOnlyAChangeAsksWhoIsInTheTeam(t *testing.T) {
	h, team := teamHouse(t)
	for _, line := range []string{"status web", "help", "frobnicate the web"} {
		h.says("U3", line)
	}
	h.says("U9", lockLine) // a stranger to the configuration
	if got := team.times(); got != 0 {
		t.Errorf("the team was asked %d times, want never", got)
	}
	h.says("U3", lockLine)
	if got := team.times(); got != 1 {
		t.Errorf("the team was asked %d times, want once", got)
	}
}

// A refresh that hangs is given two seconds, and the decision is made.
func TestARefreshThatHangsHangsNoDecision(t *testing.T) {
	var limit atomic.Int64
	h := build(t, func(_ *house, d *Deps) {
		d.Refresh = func(ctx context.Context) {
			if end, ok := ctx.Deadline(); ok {
				limit.Store(int64(time.Until(end)))
			}
			<-ctx.Done()
		}
	}).run()
	if _, outcome := h.says("U1", lockLine); outcome != "done" {
		t.Errorf("outcome %q, want done", outcome)
	}
	if got := time.Duration(limit.Load()); got <= 0 || got > refreshWait {
		t.Errorf("the refresh was given %v, want %v at most", got, refreshWait)
	}
}

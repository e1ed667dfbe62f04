package runner

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/store"
)

// starts wires a kind that does nothing but say that it was started.
func (y *yard) starts(name string) {
	y.kind(Kind{Name: name, Heavy: true, Run: func(_ context.Context, r *Run) End {
		y.mu.Lock()
		defer y.mu.Unlock()
		y.started = append(y.started, r.Job.Kind+" "+r.Job.Target+" "+fmt.Sprint(r.Job.Order))
		return End{State: store.JobSucceeded}
	}})
}

// ends waits until so many jobs were started, and returns them.
func (y *yard) ends(n int) []string {
	y.t.Helper()
	started := func() []string {
		y.mu.Lock()
		defer y.mu.Unlock()
		return slices.Clone(y.started)
	}
	y.wait(fmt.Sprint(n, " jobs ran"), func() bool { return len(started()) == n })
	return started()
}

// Positions on the base branches of two repositories have nothing to do with
// each other: a target whose numbers are high waits no longer than one whose
// numbers are low. On one target they are the order.
func TestTargetsTakeTurns(t *testing.T) {
	y := newYard(t)
	y.parallel = 1
	y.starts("apply")
	for _, n := range []uint64{3, 1, 2} { // not as they came
		y.add("apply", "low", n, "")
		y.add("apply", "high", 9000+n, "")
		y.add("apply", "middle", 50+n, "")
	}
	y.start()
	got := y.ends(9)
	var targets, orders []string
	for _, s := range got {
		_, target, _ := strings.Cut(s, " ")
		target, order, _ := strings.Cut(target, " ")
		targets, orders = append(targets, target), append(orders, order[len(order)-1:])
	}
	if want := "1 1 1 2 2 2 3 3 3"; strings.Join(orders, " ") != want {
		t.Errorf("started %q: a target ran again while others waited, or out of its order", got)
	}
	for at := 0; at < 9; at += 3 {
		if turn := slices.Sorted(slices.Values(targets[at : at+3])); !slices.Equal(turn, []string{"high", "low", "middle"}) {
			t.Errorf("started %q: some target was passed over", got)
		}
	}
}

// While applies wait, a plan still gets every fourth start.
func TestPlansAreNotStarved(t *testing.T) {
	y := newYard(t)
	y.parallel = 1
	y.starts("apply")
	y.starts("plan")
	for n := range uint64(3) {
		y.add("plan", "", 100+n, "")
	}
	for n := range uint64(12) {
		y.add("apply", fmt.Sprint("target-", n), n, "")
	}
	y.start()
	var kinds strings.Builder
	for _, s := range y.ends(15) {
		kinds.WriteString(s[:1])
	}
	if want := "aaapaaapaaapaaa"; kinds.String() != want {
		t.Errorf("started %s, want %s", kinds.String(), want)
	}
}

// However long plans take, they hold one place in four while applies wait. What
// applies do not need is theirs.
func TestPlacesOfPlans(t *testing.T) {
	for parallel, want := range map[int]int{1: 1, 3: 1, 4: 1, 16: 4} {
		l, holding := line{}, 0
		for range 100 { // an apply ends at once and another one waits; no plan ends
			if l.plan(5, 20, holding, parallel) {
				holding++
			}
		}
		if holding != want {
			t.Errorf("of %d places, plans hold %d while applies wait, want %d", parallel, holding, want)
		}
		if !l.plan(0, 1, parallel-1, parallel) {
			t.Errorf("the last of %d places is not a plan's, though no apply wants it", parallel)
		}
	}
}

// Who cannot be started any more has lost its turn; who was there first keeps it.
func TestTheLineRemembers(t *testing.T) {
	now := time.Unix(1700000000, 0)
	job := func(id string, created int) *store.Job {
		return &store.Job{ID: id, Created: now.Add(time.Duration(created) * time.Second)}
	}
	a, b, c := job("a", 3), job("b", 2), job("c", 1)
	l := line{}
	for i, turn := range []struct {
		jobs []*store.Job
		want string
	}{
		{[]*store.Job{a, b}, "b a"},      // together: who was asked for first
		{[]*store.Job{a, b, c}, "b a c"}, // c could not be started before
		{[]*store.Job{a, c}, "a c"},
		{[]*store.Job{b, c, a}, "a c b"}, // b is back
	} {
		l.queue(turn.jobs, now.Add(time.Duration(i)*time.Minute))
		var ids []string
		for _, j := range turn.jobs {
			ids = append(ids, j.ID)
		}
		if got := strings.Join(ids, " "); got != turn.want {
			t.Errorf("turn %d: %s, want %s", i, got, turn.want)
		}
	}
}

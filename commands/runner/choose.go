package runner

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/signalbox-chatops/signalbox/store"
)

// appliesAPlan: while both wait for room, one start in so many is a plan's, and
// plans hold one place in so many. What was merged goes first, so that a flood of
// pull requests does not keep it waiting; what is only planned comes too.
const appliesAPlan = 4

// line is who waits for room, and since when. Order is a place on one target:
// that of an apply is a position on its base branch, and those of two
// repositories have nothing to do with each other. Between targets whoever has
// waited longest goes first, so a target's next job never starts before another
// target's that could have started when this one's last did.
type line struct {
	since   map[string]time.Time // of jobs that could start, by id
	applies int                  // started since the last plan, while plans waited
}

// firstOf returns the jobs that could start now as far as their targets are
// concerned: of those that lock a target, in the order of its queue, the first.
// A job that waits for a person keeps its place. all is in the order of the queue.
func (r *Runner) firstOf(all []*store.Job) (first []*store.Job) {
	taken := map[string]bool{}
	for _, j := range all {
		if j.Locks {
			if taken[j.Target] {
				continue
			}
			taken[j.Target] = true
		}
		if r.ready(j) {
			first = append(first, j)
		}
	}
	return first
}

// queue sorts jobs by how long they could have been started, longest first. A
// job that cannot be started any more has lost its turn. After a restart nobody
// knows: then the one that was asked for first is.
func (l *line) queue(first []*store.Job, now time.Time) {
	was := l.since
	l.since = make(map[string]time.Time, len(first))
	for _, j := range first {
		at, ok := was[j.ID]
		if !ok {
			at = now
		}
		l.since[j.ID] = at
	}
	slices.SortStableFunc(first, func(a, b *store.Job) int {
		return cmp.Or(l.since[a.ID].Compare(l.since[b.ID]), a.Created.Compare(b.Created))
	})
}

// admit starts what there is room for. all is every job that is not over.
func (r *Runner) admit(ctx context.Context, jobs *sync.WaitGroup, all []*store.Job) {
	first := r.firstOf(all)
	r.line.queue(first, r.Clock.Now())
	room, plans, running := r.places(all)
	var applies, rest []*store.Job // that need a place
	for _, j := range first {
		switch {
		case running[j.ID]:
		case !r.kinds[j.Kind].Heavy:
			r.begin(ctx, jobs, j)
		case j.Locks:
			applies = append(applies, j)
		default:
			rest = append(rest, j)
		}
	}
	for ; room > 0 && len(applies)+len(rest) > 0; room-- {
		if r.line.plan(len(applies), len(rest), plans, r.Parallel) {
			r.begin(ctx, jobs, rest[0])
			rest, plans = rest[1:], plans+1
		} else {
			r.begin(ctx, jobs, applies[0])
			applies = applies[1:]
		}
	}
}

// plan says whether the next place is a plan's, of so many of each that wait and
// so many plans that run.
func (l *line) plan(applies, waiting, running, parallel int) bool {
	turn := l.applies >= appliesAPlan-1 && running < max(1, parallel/appliesAPlan)
	plan := waiting > 0 && (applies == 0 || turn)
	if plan || waiting == 0 {
		l.applies = 0
	} else {
		l.applies++
	}
	return plan
}

// places counts the free ones and the plans that hold one.
func (r *Runner) places(all []*store.Job) (room, plans int, running map[string]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	running = map[string]bool{}
	for _, j := range all {
		if a := r.active[j.ID]; a != nil {
			running[j.ID] = true
			if a.heavy && !j.Locks {
				plans++
			}
		}
	}
	return r.Parallel - r.heavy, plans, running
}

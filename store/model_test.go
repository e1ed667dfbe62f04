package store

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"pgregory.net/rapid"
)

// The names of the model are chosen so that comparing prefixes would confuse
// them, and so that text order is not number order.
var (
	anyTarget  = rapid.SampledFrom([]string{"web", "web/staging", "web-2", "w", "web/staging2"})
	anyService = rapid.SampledFrom([]string{"", "web", "web-2", "we"})
	anyEnv     = rapid.SampledFrom([]string{"staging", "staging-2", "production"})
	anyOpState = rapid.SampledFrom([]string{OpOpen, OpMerged, OpSucceeded, OpClosed})
	anyState   = rapid.SampledFrom([]string{JobQueued, JobRunning, JobUnknown, JobSucceeded, JobFailed})
	anyRepo    = rapid.SampledFrom([]string{"acme/web", "acme/web-2"})
	anyNumber  = rapid.IntRange(1, 12)
	anyPerson  = rapid.SampledFrom([]Person{{Name: "al", Slack: "U1"}, {Name: "alice", Slack: "U1"}, {GitHub: "AL"}, {Slack: "U1"}})
	anyPause   = rapid.SampledFrom([]time.Duration{0, 0, 1, time.Hour})
)

type model struct {
	s        *Store
	clock    *movable
	ops      map[string]Operation
	jobs     map[string]Job
	pulls    map[int]Pull
	surfaces map[string]Surface
	audit    []AuditRow
	nextJob  int
	order    uint64
	surf     uint64
}

func (m *model) do(t *rapid.T, fn func(*Tx) error) {
	if err := m.s.Update(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

func (m *model) putOperation(t *rapid.T) {
	id := fmt.Sprintf("op-%d", anyNumber.Draw(t, "op"))
	old, have := m.ops[id]
	o := old
	if !have {
		o = Operation{ID: id, Service: anyService.Draw(t, "service"), Environment: anyEnv.Draw(t, "env"), RepoID: 7}
	}
	o.State = anyOpState.Draw(t, "state")
	o.PR = rapid.IntRange(0, 3).Draw(t, "pr")
	o.Targets = rapid.SliceOfNDistinct(anyTarget, 0, 3, rapid.ID[string]).Draw(t, "targets")
	m.do(t, func(tx *Tx) error { return tx.PutOperation(&o) })
	if o.Version != old.Version+1 {
		t.Fatalf("version %d after %d", o.Version, old.Version)
	}
	m.ops[id] = o
	stale := o
	stale.Version--
	if err := m.s.Update(context.Background(), func(tx *Tx) error { return tx.PutOperation(&stale) }); !errors.Is(err, ErrConflict) {
		t.Fatalf("an older version was written: %v", err)
	}
}

func (m *model) insertJob(t *rapid.T) {
	j := Job{
		Key: fmt.Sprintf("key-%d", anyNumber.Draw(t, "key")), Target: anyTarget.Draw(t, "target"), Locks: rapid.Bool().Draw(t, "locks"),
		Operation: fmt.Sprintf("op-%d", anyNumber.Draw(t, "op")), State: JobQueued, RepoID: 7, PR: rapid.IntRange(0, 3).Draw(t, "pr"),
		Order: uint64(rapid.IntRange(0, 3).Draw(t, "order")),
	}
	given := j.Order
	var inserted bool
	var existing *Job
	m.do(t, func(tx *Tx) (err error) { inserted, existing, err = tx.InsertJob(&j); return err })
	for _, other := range m.jobs {
		if other.Key == j.Key {
			if inserted || existing == nil || existing.ID != other.ID {
				t.Fatalf("key %s of %s inserted again", j.Key, other.ID)
			}
			return
		}
	}
	m.nextJob++
	if given == 0 {
		m.order++
		given = m.order
	}
	if !inserted || j.ID != fmt.Sprintf("job-%d", m.nextJob) || j.Order != given {
		t.Fatalf("inserted %v as %s in place %d", inserted, j.ID, j.Order)
	}
	m.jobs[j.ID] = j
}

func (m *model) putJob(t *rapid.T) {
	if len(m.jobs) == 0 {
		return
	}
	j := m.jobs[rapid.SampledFrom(slices.Sorted(maps.Keys(m.jobs))).Draw(t, "job")]
	j.State = anyState.Draw(t, "state")
	j.Target = anyTarget.Draw(t, "target")
	m.do(t, func(tx *Tx) error { return tx.PutJob(&j) })
	m.jobs[j.ID] = j
}

func (m *model) putPull(t *rapid.T) {
	n := anyNumber.Draw(t, "number")
	p, have := m.pulls[n]
	if !have {
		p = Pull{RepoID: 7, Number: n}
	}
	p.Repo = anyRepo.Draw(t, "repo")
	p.Head = rapid.SampledFrom([]string{"aa", "aab", "b"}).Draw(t, "head")
	p.State = rapid.SampledFrom([]string{"open", "merged", "closed"}).Draw(t, "state")
	m.do(t, func(tx *Tx) error { return tx.PutPull(&p) })
	m.pulls[n] = p
}

func (m *model) surface(t *rapid.T) {
	id := fmt.Sprintf("s-%d", rapid.IntRange(1, 4).Draw(t, "surface"))
	s, have := m.surfaces[id]
	if !have {
		m.surf++
		s = Surface{ID: id, Subject: fmt.Sprintf("op-%d", rapid.IntRange(1, 2).Draw(t, "subject")), Order: m.surf}
	}
	switch rapid.IntRange(0, 3).Draw(t, "what") {
	case 0:
		s.Shown = s.Marked
	case 1:
		s.Due = m.clock.now().Add(anyPause.Draw(t, "due"))
	case 2:
		s.Parked = rapid.SampledFrom([]string{"", "archived"}).Draw(t, "parked")
	case 3:
		if have {
			m.do(t, func(tx *Tx) error { return tx.MarkSubject(s.Subject) })
			for k, other := range m.surfaces {
				if other.Subject == s.Subject {
					other.Marked++
					m.surfaces[k] = other
				}
			}
			return
		}
	}
	put := s
	put.Marked = 0 // as one who read it before the marks came: they must stay
	if !have {
		put.Order = 0
	}
	m.do(t, func(tx *Tx) error { return tx.PutSurface(&put) })
	m.surfaces[id] = s
}

func (m *model) writeAudit(t *rapid.T) {
	r := AuditRow{
		// A clock that was set back gives a later row an earlier time.
		At: m.clock.now().Add(rapid.SampledFrom([]time.Duration{0, 0, -time.Hour}).Draw(t, "back")), Who: anyPerson.Draw(t, "who"), Act: "x", Subject: fmt.Sprintf("op-%d", anyNumber.Draw(t, "subject")), Outcome: "done",
		Service: anyService.Draw(t, "service"), Environment: anyEnv.Draw(t, "env"), Target: anyTarget.Draw(t, "target"),
	}
	m.do(t, func(tx *Tx) error { return tx.Audit(r) })
	r.Seq = uint64(len(m.audit) + 1)
	m.audit = append(m.audit, r)
}

// where returns the ids of the records that keep accepts, ordered.
func where[K comparable, T any](all map[K]T, keep func(T) bool, order func(a, b T) int, id func(T) string) []string {
	list := slices.SortedFunc(maps.Values(all), order)
	out := []string{}
	for _, r := range list {
		if keep(r) {
			out = append(out, id(r))
		}
	}
	return out
}

func same[T any](t *rapid.T, what string, got []*T, err error, id func(T) string, want []string) {
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	ids := []string{}
	for _, r := range got {
		ids = append(ids, id(*r))
	}
	if !slices.Equal(ids, want) {
		t.Fatalf("%s: got %v, want %v", what, ids, want)
	}
}

func (m *model) checkOperations(t *rapid.T, tx *Tx) {
	id := func(o Operation) string { return o.ID }
	older := func(a, b Operation) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(idNumber(a.ID), idNumber(b.ID)))
	}
	newer := func(a, b Operation) int { return older(b, a) }
	got, err := tx.LiveOperations()
	same(t, "live", got, err, id, where(m.ops, func(o Operation) bool { return !o.Terminal() }, older, id))
	for _, env := range []string{"", "staging", "staging-2", "production"} {
		for _, service := range []string{"", "web", "web-2", "we"} {
			got, err = tx.OperationsOf(service, env, 0)
			same(t, "of "+service+" "+env, got, err, id, where(m.ops, func(o Operation) bool {
				return (service == "" || service == o.Service) && (env == "" || env == o.Environment)
			}, newer, id))
		}
	}
	target := anyTarget.Draw(t, "look at")
	want := where(m.ops, func(o Operation) bool { return slices.Contains(o.Targets, target) }, newer, id)
	got, err = tx.OperationsByTarget(target, 2)
	same(t, "by target", got, err, id, want[:min(2, len(want))])
	got, err = tx.OperationByPull(7, 2)
	byID := func(a, b Operation) int { return cmp.Compare(idNumber(a.ID), idNumber(b.ID)) }
	same(t, "by pull", got, err, id, where(m.ops, func(o Operation) bool { return o.PR == 2 }, byID, id))
	before, paged := "", []string{}
	for {
		page, err := tx.Operations(before, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page {
			paged = append(paged, o.ID)
			before = o.ID
		}
		if len(page) < 2 {
			break
		}
	}
	if all := where(m.ops, func(Operation) bool { return true }, newer, id); !slices.Equal(paged, all) {
		t.Fatalf("paged %v, want %v", paged, all)
	}
}

func (m *model) checkJobs(t *rapid.T, tx *Tx) {
	id := func(j Job) string { return j.ID }
	queue := func(a, b Job) int {
		return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(idNumber(a.ID), idNumber(b.ID)))
	}
	older := func(a, b Job) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(idNumber(a.ID), idNumber(b.ID)))
	}
	newer := func(a, b Job) int { return older(b, a) }
	target, op := anyTarget.Draw(t, "target"), fmt.Sprintf("op-%d", anyNumber.Draw(t, "op"))
	got, err := tx.LiveJobs()
	same(t, "live jobs", got, err, id, where(m.jobs, func(j Job) bool { return !j.Terminal() }, queue, id))
	got, err = tx.TargetQueue(target)
	same(t, "queue", got, err, id, where(m.jobs, func(j Job) bool { return !j.Terminal() && j.Locks && j.Target == target }, queue, id))
	got, err = tx.JobsByTarget(target, 0)
	same(t, "by target", got, err, id, where(m.jobs, func(j Job) bool { return j.Target == target }, newer, id))
	got, err = tx.JobsOf(op)
	same(t, "of "+op, got, err, id, where(m.jobs, func(j Job) bool { return j.Operation == op }, older, id))
	got, err = tx.JobsByPull(7, 1)
	same(t, "by pull", got, err, id, where(m.jobs, func(j Job) bool { return j.PR == 1 }, older, id))
}

func (m *model) checkPulls(t *rapid.T, tx *Tx) {
	id := func(p Pull) string { return fmt.Sprint(p.Number) }
	order := func(a, b Pull) int { return cmp.Or(cmp.Compare(a.Repo, b.Repo), cmp.Compare(a.Number, b.Number)) }
	for _, repo := range []string{"", "acme/web", "acme/web-2", "acme/we"} {
		got, err := tx.OpenPulls(repo)
		same(t, "open in "+repo, got, err, id, where(m.pulls, func(p Pull) bool {
			return p.State == "open" && (repo == "" || repo == p.Repo)
		}, order, id))
	}
	got, err := tx.PullsByHead("acme/web", "aa")
	same(t, "by head", got, err, id, where(m.pulls, func(p Pull) bool { return p.Repo == "acme/web" && p.Head == "aa" }, order, id))
}

func (m *model) checkSurfaces(t *rapid.T, tx *Tx) {
	id := func(s Surface) string { return fmt.Sprint(s.ID, " ", s.Marked, " ", s.Shown) }
	order := func(a, b Surface) int { return cmp.Compare(a.Order, b.Order) }
	now := m.clock.now()
	dirty := func(s Surface) bool { return s.Marked > s.Shown && s.Parked == "" }
	due := where(m.surfaces, func(s Surface) bool { return dirty(s) && !s.Due.After(now) }, order, id)
	got, err := tx.DueSurfaces(now, 3)
	same(t, "due", got, err, id, due[:min(3, len(due))])
	got, err = tx.SurfacesOf("op-1")
	same(t, "of op-1", got, err, id, where(m.surfaces, func(s Surface) bool { return s.Subject == "op-1" }, order, id))
	var first *time.Time
	for _, s := range m.surfaces {
		if dirty(s) && (first == nil || s.Due.Before(*first)) {
			first = &s.Due
		}
	}
	if at, any := tx.NextDue(); any != (first != nil) || any && !at.Equal(*first) {
		t.Fatalf("next due %v %v, want %v", at, any, first)
	}
}

func (m *model) checkAudit(t *rapid.T, tx *Tx) {
	f := AuditFilter{
		Subject: rapid.SampledFrom([]string{"", "op-1", "op-2"}).Draw(t, "subject"), Service: anyService.Draw(t, "service"),
		Environment: rapid.SampledFrom([]string{"", "staging"}).Draw(t, "env"), Target: rapid.SampledFrom([]string{"", "web", "w"}).Draw(t, "target"),
		Since: rapid.SampledFrom([]time.Time{{}, start.Add(2 * time.Hour)}).Draw(t, "since"),
		Until: rapid.SampledFrom([]time.Time{{}, start, start.Add(4 * time.Hour)}).Draw(t, "until"),
		Who:   rapid.SampledFrom([]Person{{}, {Name: "al"}, {GitHub: "al"}, {Slack: "U1"}}).Draw(t, "by"), Limit: rapid.IntRange(0, 4).Draw(t, "limit"),
	}
	id := func(r AuditRow) string { return fmt.Sprint(r.Seq) }
	// By whom, spelt out: who of anyPerson a filter of Who means.
	by := map[Person][]Person{
		{Name: "al"}: {{Name: "al", Slack: "U1"}}, {GitHub: "al"}: {{GitHub: "AL"}},
		{Slack: "U1"}: {{Name: "al", Slack: "U1"}, {Name: "alice", Slack: "U1"}, {Slack: "U1"}},
	}
	byTime := slices.SortedStableFunc(slices.Values(m.audit), func(a, b AuditRow) int { return a.At.Compare(b.At) })
	want := []string{}
	for _, r := range slices.Backward(byTime) {
		fits := (f.Subject == "" || f.Subject == r.Subject) && (f.Service == "" || f.Service == r.Service) &&
			(f.Environment == "" || f.Environment == r.Environment) && (f.Target == "" || f.Target == r.Target) &&
			(f.Who == Person{} || slices.Contains(by[f.Who], r.Who)) && !r.At.Before(f.Since) && (f.Until.IsZero() || r.At.Before(f.Until))
		if fits && (f.Limit == 0 || len(want) < f.Limit) {
			want = append(want, id(r))
		}
	}
	got, err := tx.AuditRows(f)
	same(t, fmt.Sprintf("audit %+v", f), got, err, id, want)
	after, limit := rapid.IntRange(0, len(m.audit)+2).Draw(t, "after"), rapid.IntRange(0, 4).Draw(t, "rows")
	want = []string{}
	for _, r := range m.audit {
		if r.Seq > uint64(after) && (limit == 0 || len(want) < limit) {
			want = append(want, id(r))
		}
	}
	got, err = tx.AuditAfter(uint64(after), limit)
	same(t, fmt.Sprintf("%d audit rows after %d", limit, after), got, err, id, want)
}

// noLeftovers checks that every entry of every index is one that its row asks
// for, and every one that a row asks for is there.
func noLeftovers[T any](t *rapid.T, tx *Tx, tab *table[T], indexes ...[]byte) {
	want := 0
	rows := tx.b.Bucket(tab.rows)
	err := rows.ForEach(func(k, v []byte) error {
		r, err := tab.decode(k, v)
		if err != nil {
			return err
		}
		for _, e := range tab.entries(r) {
			want++
			if !bytes.Equal(tx.b.Bucket(e.index).Get(e.key), k) {
				t.Fatalf("%s %q is not in %s", tab.what, k, e.index)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, index := range indexes {
		_ = tx.b.Bucket(index).ForEach(func(_, _ []byte) error { want--; return nil })
	}
	if want != 0 {
		t.Fatalf("the indexes of %s have %d entries too many", tab.what, -want)
	}
}

func (m *model) check(t *rapid.T) {
	m.clock.move(anyPause.Draw(t, "pause"))
	err := m.s.View(func(tx *Tx) error {
		m.checkOperations(t, tx)
		m.checkJobs(t, tx)
		m.checkPulls(t, tx)
		m.checkSurfaces(t, tx)
		m.checkAudit(t, tx)
		noLeftovers(t, tx, &operations, bucketOperationsByScope, bucketOperationsByTarget, bucketOperationsByPull, bucketOperationsLive)
		noLeftovers(t, tx, &jobs, bucketJobsByKey, bucketJobsByOperation, bucketJobsByTarget, bucketJobsByPull, bucketJobsLive, bucketJobsQueue)
		noLeftovers(t, tx, &pulls, bucketPullsOpen, bucketPullsByHead)
		noLeftovers(t, tx, &surfaces, bucketSurfacesBySubject, bucketSurfacesDue)
		noLeftovers(t, tx, &audit, bucketAuditBySubject, bucketAuditByTarget, bucketAuditByScope)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Whatever is written in whatever order, every list is what a plain map, sorted
// and filtered, gives.
func TestTheIndexesAgreeWithTheRecords(t *testing.T) {
	clock := &movable{at: start}
	s := openAt(t, filepath.Join(t.TempDir(), "x.db"), clock.now)
	s.db.NoSync = true // what is on disk is not the question here
	rapid.Check(t, func(t *rapid.T) {
		m := &model{s: s, clock: clock, ops: map[string]Operation{}, jobs: map[string]Job{}, pulls: map[int]Pull{}, surfaces: map[string]Surface{}}
		clock.mu.Lock()
		clock.at = start
		clock.mu.Unlock()
		m.do(t, func(tx *Tx) error { return errors.Join(tx.willWrite(), empty(tx.b)) })
		t.Repeat(map[string]func(*rapid.T){
			"":          m.check,
			"operation": m.putOperation,
			"job":       m.insertJob,
			"job again": m.putJob,
			"pull":      m.putPull,
			"surface":   m.surface,
			"audit":     m.writeAudit,
		})
	})
}

// empty makes the store as it was when it was new.
func empty(tx *bolt.Tx) error {
	for _, name := range tree {
		if bytes.Equal(name, bucketMeta) {
			continue
		}
		if err := tx.DeleteBucket(name); err != nil {
			return err
		}
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	return nil
}

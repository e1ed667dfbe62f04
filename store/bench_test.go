package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// atOnce runs op b.N times from n goroutines and reports rate, p50 and p99.
func atOnce(b *testing.B, n int, op func(i int64) error) {
	var next atomic.Int64
	var wg sync.WaitGroup
	times := make([][]time.Duration, n)
	b.ResetTimer()
	began := time.Now()
	for g := range n {
		wg.Go(func() {
			for {
				i := next.Add(1)
				if i > int64(b.N) {
					return
				}
				t := time.Now()
				if err := op(i); err != nil {
					b.Error(err)
					return
				}
				times[g] = append(times[g], time.Since(t))
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	b.StopTimer()
	all := slices.Concat(times...)
	slices.Sort(all)
	if len(all) == 0 {
		return
	}
	b.ReportMetric(float64(all[len(all)/2].Nanoseconds())/1e3, "p50-µs")
	b.ReportMetric(float64(all[len(all)*99/100].Nanoseconds())/1e3, "p99-µs")
	b.ReportMetric(float64(len(all))/took.Seconds(), "per-s")
}

// BenchmarkUpdate is a job's transition with its audit row and its marked
// surface, on disk when Update returns. Aims: p50 at most 300 µs at one caller,
// at least 5,000 a second at 32.
func BenchmarkUpdate(b *testing.B) {
	for _, n := range []int{1, 16, 32} {
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) {
			s := openAt(b, filepath.Join(b.TempDir(), "bench.db"), time.Now)
			const jobs = 1000
			update(b, s, func(tx *Tx) error {
				for i := range jobs {
					id := strconv.Itoa(i)
					if _, _, err := tx.InsertJob(&Job{ID: "job-" + id, Key: id, Target: "t-" + id, Locks: true, State: JobQueued}); err != nil {
						return err
					}
					if err := tx.PutSurface(&Surface{ID: "s-" + id, Subject: "job-" + id, Place: "slack.message"}); err != nil {
						return err
					}
				}
				return nil
			})
			atOnce(b, n, func(i int64) error {
				id := "job-" + strconv.Itoa(int(i%jobs))
				return s.Update(context.Background(), func(tx *Tx) error {
					j, err := tx.Job(id)
					if err != nil {
						return err
					}
					if err := tx.PutJob(j); err != nil {
						return err
					}
					if err := tx.MarkSubject(id); err != nil {
						return err
					}
					return tx.Audit(AuditRow{Act: "job running", Subject: id, Target: j.Target, Outcome: "running"})
				})
			})
		})
	}
}

// delivery is a webhook of about 10 KB that no other one equals.
func delivery(n int64) Event {
	return Event{
		Kind: "github.pull_request",
		Keys: []string{fmt.Sprintf("github:%08x-%04x-11f0-8b1a-%012x", rand.Uint32(), rand.Uint32()&0xffff, n)},
		Sent: time.Now(),
		Body: webhook(n),
	}
}

// BenchmarkAccept stores webhooks of 10 KB, each on disk when Accept returns.
// Aims at 16 at once: 8,000 a second on an empty store, 4,000 on one with a
// million. The full store is made anew (a minute, 3 GB) unless
// STORE_BENCH_FULL names a file of an earlier run, which is kept.
func BenchmarkAccept(b *testing.B) {
	bodies := make([]Event, 4096) // making them is not what is measured
	for i := range bodies {
		bodies[i] = delivery(int64(i))
	}
	event := func(i int64) Event {
		e := bodies[i%int64(len(bodies))]
		e.Keys = []string{fmt.Sprintf("github:%016x-%016x", rand.Uint64(), i)}
		return e
	}
	for _, n := range []int{1, 16, 32} {
		b.Run(fmt.Sprintf("empty/callers=%d", n), func(b *testing.B) {
			s := openAt(b, filepath.Join(b.TempDir(), "bench.db"), time.Now)
			atOnce(b, n, func(i int64) error {
				_, _, err := s.Accept(context.Background(), event(i))
				return err
			})
		})
	}
	b.Run("full/callers=16", func(b *testing.B) {
		s := openAt(b, fullStore(b, 1_000_000), time.Now)
		atOnce(b, 16, func(i int64) error {
			_, _, err := s.Accept(context.Background(), event(i))
			return err
		})
	})
}

var full struct {
	sync.Mutex
	path string
}

// fullStore makes a store with n events that came in the last week, once a run.
func fullStore(b *testing.B, n int) string {
	full.Lock()
	defer full.Unlock()
	if full.path != "" {
		return full.path
	}
	path := os.Getenv("STORE_BENCH_FULL")
	if _, err := os.Stat(path); path != "" && err == nil {
		full.path = path
		return path
	}
	if path == "" {
		dir, err := os.MkdirTemp("", "signalbox-store-bench")
		if err != nil {
			b.Fatal(err)
		}
		fullDir = dir
		path = filepath.Join(dir, "full.db")
	}
	began := time.Now().Add(-7 * 24 * time.Hour)
	at := began
	s, err := Open(path, Options{Now: func() time.Time { return at }})
	if err != nil {
		b.Fatal(err)
	}
	const step = 5000
	for done := 0; done < n; done += step {
		at = began.Add(time.Duration(float64(done) / float64(n) * float64(7*24*time.Hour)))
		made := make([]*accepted, step)
		var wg sync.WaitGroup
		for half := range 2 {
			wg.Go(func() {
				for i := half; i < step; i += 2 {
					e := delivery(int64(done + i))
					e.Accepted = at
					a, err := s.prepare(e)
					if err != nil {
						b.Error(err)
						return
					}
					made[i] = a
				}
			})
		}
		wg.Wait()
		update(b, s, func(tx *Tx) error {
			for _, a := range made {
				seq, _, err := tx.accept(a)
				if err == nil {
					err = tx.Decide(seq, "done")
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	full.path = path
	return path
}

// fullDir is removed when the tests end.
var fullDir string

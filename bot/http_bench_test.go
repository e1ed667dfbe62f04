package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations/github"
	"github.com/signalbox-chatops/signalbox/store"
)

// BenchmarkWebhook is deliveries of 10 KB at 16 at once, each signed, checked
// and committed before it is answered. Aims: at least 8,000 a second into an
// empty store, 4,000 into one with a million rows. "door" is the door alone;
// "wire" has the sender and the loopback on the same processors too.
//
// The full store is made anew, which takes a minute, unless SIGNALBOX_BENCH_FULL
// names a file in which to keep it.
func BenchmarkWebhook(b *testing.B) {
	for _, full := range []bool{false, true} {
		name := "empty"
		if full {
			name = "million"
		}
		b.Run(name, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "bench.db")
			if full {
				if kept := os.Getenv("SIGNALBOX_BENCH_FULL"); kept != "" {
					path = kept
				}
			}
			s := openDoorStore(b, path)
			if full {
				fillStore(b, s, 1_000_000)
			}
			d := doorOn(s, hookSecret)
			b.Run("door", func(b *testing.B) {
				deliver(b, func(r *http.Request) (int, error) {
					w := &bareWriter{header: http.Header{}}
					d.Handler().ServeHTTP(w, r)
					return w.status, nil
				})
			})
			b.Run("wire", func(b *testing.B) { deliverByWire(b, d) })
		})
	}
}

type bareWriter struct {
	header http.Header
	status int
}

func (w *bareWriter) Header() http.Header         { return w.header }
func (w *bareWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w *bareWriter) WriteHeader(status int)      { w.status = status }

func deliverByWire(b *testing.B, d *httpDoor) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- d.Serve(ctx, ln) }()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	deliver(b, func(r *http.Request) (int, error) {
		r.URL.Scheme, r.URL.Host, r.RequestURI = "http", ln.Addr().String(), ""
		resp, err := client.Do(r)
		if err != nil {
			return 0, err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		return resp.StatusCode, err
	})
	client.CloseIdleConnections()
	stop()
	if err := <-served; err != nil {
		b.Error(err)
	}
}

// deliver sends b.N deliveries from 16 senders. They are signed beforehand, as
// that is GitHub's work.
func deliver(b *testing.B, send func(*http.Request) (int, error)) {
	type letter struct {
		body []byte
		sign string
	}
	letters := make([]letter, 64)
	for i := range letters {
		body := tenKB(uint64(i))
		letters[i] = letter{body, github.Sign(body, hookSecret)}
	}
	run := rand.Uint64()
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range 16 {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				l := letters[i%int64(len(letters))]
				r, err := http.NewRequest("POST", "/github", bytes.NewReader(l.body))
				if err != nil {
					b.Error(err)
					return
				}
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("X-GitHub-Event", "pull_request")
				r.Header.Set("X-GitHub-Delivery", fmt.Sprintf("%016x-%d", run, i))
				r.Header.Set("X-Hub-Signature-256", l.sign)
				status, err := send(r)
				if err != nil || status != http.StatusAccepted {
					b.Errorf("delivery %d: %d, %v", i, status, err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "per-s")
}

// tenKB is a body in the manner of GitHub's: users and repositories full of URLs
// that differ little, and ids and hashes that differ wholly.
func tenKB(seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	var s strings.Builder
	s.WriteString(`{"action":"synchronize","parts":[`)
	for s.Len() < 10<<10 {
		login, repo := fmt.Sprintf("user%d", r.IntN(1000)), fmt.Sprintf("acme/repo%d", r.IntN(50))
		fmt.Fprintf(&s, `{"sha":"%016x%016x%08x","user":{"login":%q,"id":%d,"node_id":"%x"`, r.Uint64(), r.Uint64(), r.Uint32(), login, r.Uint32(), r.Uint64())
		for _, what := range []string{"followers", "gists", "starred", "subscriptions", "organizations", "repos", "events", "received_events"} {
			fmt.Fprintf(&s, `,"%s_url":"https://api.github.com/users/%s/%s"`, what, login, what)
		}
		fmt.Fprintf(&s, `},"repo":{"full_name":%q,"id":%d`, repo, r.Uint32())
		for _, what := range []string{"forks", "keys", "hooks", "branches", "tags", "trees", "statuses", "commits", "compare", "pulls", "labels", "releases"} {
			fmt.Fprintf(&s, `,"%s_url":"https://api.github.com/repos/%s/%s{/sha}"`, what, repo, what)
		}
		s.WriteString("}},")
	}
	return []byte(s.String() + `null]}`)
}

// fillStore makes rows of every kind of traffic until there are n events.
func fillStore(b *testing.B, s *store.Store, n int64) {
	b.Helper()
	have := int64(0)
	if err := s.View(func(tx *store.Tx) error {
		for ; have < n; have += n / 10 {
			if _, err := tx.Event(uint64(have + n/10)); err != nil {
				return nil
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	var next atomic.Int64
	next.Store(have)
	var wg sync.WaitGroup
	for range 256 {
		wg.Go(func() {
			for i := next.Add(1); i <= n; i = next.Add(1) {
				_, _, err := s.Accept(context.Background(), store.Event{
					Kind: "github.push", Keys: []string{fmt.Sprintf("ghd:%016x-%d", rand.Uint64(), i)}, Body: []byte(`{"ref":"refs/heads/main"}`),
				})
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

package slacksim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Sim is one workspace. Its methods may be called from any goroutine.
type Sim struct {
	cfg Config
	j   *journal // nil in memory
	mux *http.ServeMux
	// methods is fixed once New has returned.
	methods map[string]method
	stop    context.Context // ends when Close begins
	end     context.CancelFunc
	wg      sync.WaitGroup // every goroutine of the workspace

	hub    hub
	limits limits
	faults faults
	down   atomic.Bool

	mu      sync.Mutex
	base    string
	closed  bool
	changed chan struct{} // closed and replaced at each change
	book    book
	acts    []*act // those whose caller is still waiting
	// triggers live for three seconds of wall time, so they are not kept.
	triggers   map[string]*trigger
	tidyAt     int // how many triggers there may be before old ones are dropped
	violations []string
	onCall     func(stage, method string, args url.Values)
	onAck      func(envelopeID, kind string)
	// firstSocket is closed when a socket has connected. Events found in the
	// store at the start wait for it.
	firstSocket chan struct{}
}

// New opens the workspace, or makes it. Users and channels of the config are
// laid over what is stored; channels keep their members, their topic and their
// archived state, user groups all that was changed. Call SetBase before anybody connects, and Close at the end.
func New(cfg Config) (*Sim, error) {
	cfg.Users = slices.Clone(cfg.Users)
	cfg.Channels = slices.Clone(cfg.Channels)
	cfg.fill()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Sim{
		methods: webAPI(),
		cfg:     cfg, base: "http://slack.invalid", changed: make(chan struct{}),
		book: newBook(), triggers: map[string]*trigger{}, firstSocket: make(chan struct{}),
	}
	s.stop, s.end = context.WithCancel(context.Background())
	s.hub.init()
	s.limits.init(s.cfg.Clock)
	if cfg.Dir != "" {
		j, err := openJournal(cfg.Dir)
		if err != nil {
			return nil, err
		}
		s.j = j
		if err := s.book.load(j); err != nil {
			_ = j.close()
			return nil, err
		}
	}
	found := s.book.pending()
	if err := s.change(s.seed); err != nil {
		_ = s.Close()
		return nil, err
	}
	s.routes()
	for _, id := range found {
		s.resume(id)
	}
	return s, nil
}

// seed lays the configured channels over the stored ones.
func (s *Sim) seed(t *tx) error {
	for _, c := range s.cfg.Channels {
		if s.book.channels[c.ID] != nil {
			continue
		}
		ch := &channel{ID: c.ID, Name: c.Name, Private: c.Private, Topic: c.Topic, Created: s.cfg.Clock.Now().Unix()}
		for _, m := range c.Members {
			u, err := s.user(m)
			if err != nil {
				return fmt.Errorf("channel %s: %w", c.Name, err)
			}
			ch.Members = append(ch.Members, u.ID)
		}
		t.channel(ch)
	}
	for _, g := range s.cfg.Groups {
		if s.book.groups[g.ID] != nil {
			continue
		}
		if err := s.setGroup(t, g); err != nil {
			return err
		}
	}
	return nil
}

// Handler serves the workspace; see the package comment for its paths.
func (s *Sim) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.down.Load() {
			http.Error(w, "upstream error", http.StatusServiceUnavailable)
			return
		}
		s.mux.ServeHTTP(w, r)
	})
}

func (s *Sim) routes() {
	s.mux = http.NewServeMux()
	s.mux.HandleFunc("/api/{method}", s.serveAPI)
	s.mux.HandleFunc("GET /link", s.serveLink)
	s.mux.HandleFunc("POST /response/{token}", s.serveResponse)
	s.mux.HandleFunc("POST /upload/{id}", s.serveUpload)
	s.mux.HandleFunc("GET /files/{id}/{name}", s.serveFile)
}

// SetBase says under which URL, without a trailing slash, Handler is mounted.
func (s *Sim) SetBase(u string) {
	s.mu.Lock()
	s.base = strings.TrimSuffix(u, "/")
	s.mu.Unlock()
}

func (s *Sim) baseURL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.base
}

// Close ends the sockets and all that waits, and then the journal. Events that
// were not acknowledged stay pending in it.
func (s *Sim) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.end()
	s.hub.closeAll()
	s.wg.Wait()
	if s.j == nil {
		return nil
	}
	return s.j.close()
}

// goes runs f as a goroutine of the workspace, unless it is closing.
func (s *Sim) goes(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.wg.Go(f)
	return true
}

// OnCall sets a hook that is called in the goroutine of each Web API call:
// "before" it acts, and "after" it has acted and before it replies.
func (s *Sim) OnCall(f func(stage, method string, args url.Values)) {
	s.mu.Lock()
	s.onCall = f
	s.mu.Unlock()
}

// OnAck sets a hook that is called when an acknowledgement arrives, before it
// is believed.
func (s *Sim) OnAck(f func(envelopeID, kind string)) {
	s.mu.Lock()
	s.onAck = f
	s.mu.Unlock()
}

// Violations lists what the client did that Slack would not have liked, oldest
// first.
func (s *Sim) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violations)
}

func (s *Sim) violate(format string, args ...any) {
	v := fmt.Sprintf(format, args...)
	s.cfg.Log.Warn("slack rule broken", "rule", v)
	s.mu.Lock()
	s.violations = append(s.violations, v)
	s.signal()
	s.mu.Unlock()
}

// Changed returns a channel that is closed at the next change of the workspace.
func (s *Sim) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// signal wakes everybody who waits for a change. The lock is held.
func (s *Sim) signal() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// tx collects the changes of one act under the lock, so that they reach the
// disk together.
type tx struct {
	s   *Sim
	ops []put
	// after runs once the changes are on disk and the lock is free.
	after []func()
}

// change runs f under the lock and returns when what it did is on disk. f checks
// before it changes: there is no way back.
func (s *Sim) change(f func(*tx) error) error {
	t := &tx{s: s}
	s.mu.Lock()
	err := f(t)
	if len(t.ops) > 0 {
		t.put(bucketMeta, "counters", s.book.counters)
		if s.j != nil {
			s.j.enqueue(t.ops)
		}
		s.signal()
	}
	s.mu.Unlock()
	if werr := s.synced(); werr != nil {
		return errors.Join(err, werr)
	}
	for _, g := range t.after {
		g()
	}
	return err
}

// view runs f under the lock, and returns when all that f saw is on disk.
func (s *Sim) view(f func() error) error {
	s.mu.Lock()
	err := f()
	s.mu.Unlock()
	return errors.Join(err, s.synced())
}

func (s *Sim) synced() error {
	if s.j == nil {
		return nil
	}
	return s.j.wait()
}

func (t *tx) put(bucket, key string, v any) {
	b, err := json.Marshal(v)
	if err != nil { // only our own types come here
		panic(fmt.Sprintf("encode %s/%s: %v", bucket, key, err))
	}
	t.ops = append(t.ops, put{bucket, key, b})
}

func (t *tx) del(bucket, key string) { t.ops = append(t.ops, put{bucket: bucket, key: key}) }

// ts makes the next message timestamp: later than every one before it, like
// 1700000000.000100.
func (t *tx) ts() string {
	c := &t.s.book.counters
	us := t.s.cfg.Clock.Now().UnixMicro()
	if us <= c.LastTS {
		us = c.LastTS + 1
	}
	c.LastTS = us
	return fmt.Sprintf("%d.%06d", us/1e6, us%1e6)
}

// id makes an identifier with prefix, never given before in this workspace.
func (t *tx) id(prefix string) string {
	t.s.book.counters.LastID++
	return prefix + strings.ToUpper(fmt.Sprintf("%08s", strconv.FormatInt(t.s.book.counters.LastID, 36)))
}

func (s *Sim) wall() time.Time { return time.Now() }

// Package githubsim is GitHub at the wire, for tests and for the sandbox: the
// REST API under /api/v3, real git repositories under /git/<owner>/<repo>.git
// over smart HTTP, and signed webhooks with a delivery list and redelivery.
//
// It stands beside the client in integrations/github and knows nothing of the
// bot. It is strict, so that what passes here passes there: it refuses what
// GitHub refuses, with GitHub's status codes and sentences, and it writes down
// every call that it does not know (Violations). It misbehaves on demand
// (Fault). All of its state is on disk, and survives SIGKILL at any instant.
package githubsim

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// User is a person or a bot with an account. Token is what they put into an
// Authorization header, or into git's password.
type User struct {
	Login, Name, Email, Token string
	Bot                       bool
}

// Repo is a repository that exists when the simulator starts. Its first content
// is written once; what it allows is read again at every start.
type Repo struct {
	Owner, Name   string
	DefaultBranch string // "main" when empty
	Public        bool
	// Collaborators maps a login to read, triage, write, maintain or admin.
	Collaborators map[string]string
	// Files is the first commit, Branches are made at it.
	Files    map[string]string
	Branches []string
	// Seed runs after Files and Branches in a work tree of the repository;
	// what it commits is pushed (every branch and tag), and what it left
	// uncommitted is committed on the default branch.
	Seed func(worktree string) error
	// Protect names the status contexts that a branch wants before a merge.
	Protect             []Protection
	DeleteBranchOnMerge bool
}

// Protection holds back merges into branches that match Branch (path.Match).
type Protection struct {
	Branch   string
	Contexts []string
}

// Hook is a webhook that exists when the simulator starts. Repo is
// "owner/name", or "*" for every repository. An empty URL is filled by
// SetHookURL, and deliveries wait for it. No Events means all of them. One with
// App is the GitHub App's own, which no repository lists.
type Hook struct {
	Repo, URL, Secret string
	Events            []string
	App               bool
}

// Org is an organisation. Whose login is in Members may see its teams, and so may
// the App's installation.
type Org struct {
	Name    string
	Members []string
	Teams   []Team
}

// Team is a team that is made when the simulator first starts; from then on
// SetTeam changes it. Parent is the slug of the team that it is a child of. A
// Secret one is seen by its own members and the App's installation.
type Team struct {
	Slug    string
	Members []string
	Parent  string
	Secret  bool
}

// App is the GitHub App that may ask for installation tokens. With a Key, its
// JWTs are verified. Bot is the login that an installation token acts as.
type App struct {
	ID, InstallationID int64
	Slug, Bot          string
	Key                *rsa.PublicKey
}

// Config is what New needs. Base may be set later by SetBase.
type Config struct {
	Dir   string
	Base  string
	Clock clock.Clock
	Log   *slog.Logger
	Users []User
	Repos []Repo
	Hooks []Hook
	Orgs  []Org
	App   App
	// OAuthApps are those by which people may sign in with a device code.
	OAuthApps []OAuthApp

	// OnRequest is called synchronously for REST calls and git pushes:
	// "before" nothing has been done, "after" all is done and on disk but the
	// reply is not written.
	OnRequest func(stage, method, path string)
	// OnDelivery is called around each attempt to send a webhook.
	OnDelivery func(stage string, d Delivery)

	// Runner is the machine of workflow runs: it prints to log, and what it returns is
	// how the run ends. Its context ends when the run is cancelled. Without one every run
	// succeeds at once. Queued, if there is one, holds a run back before that.
	Runner func(ctx context.Context, run WorkflowRun, log io.Writer) error
	Queued func(ctx context.Context, run WorkflowRun)
	// NoRunDetails is a server from before a dispatch could say which run it began.
	NoRunDetails bool
}

// Sim is a running simulator.
type Sim struct {
	cfg   Config
	dir   string
	clock clock.Clock
	log   *slog.Logger
	db    *bolt.DB
	table []route

	mu      sync.RWMutex // guards everything below up to the blank line
	base    string
	hookURL string
	state   state
	broken  error
	lags    map[int64]*lag
	senders map[int64]chan struct{}
	runners map[int64]context.CancelCauseFunc // of the workflow runs that go on

	faults     faults
	down       atomic.Bool
	commits    commitCache
	violations violations
	limits     limits

	crash  func(point string) // where tests end the process
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	client *http.Client
}

// New opens the simulator in cfg.Dir, seeds what is not there yet, and goes on
// with what a previous life had begun.
func New(cfg Config) (*Sim, error) {
	if cfg.Clock == nil {
		cfg.Clock = clock.Real()
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("open github simulator in %s: %w", cfg.Dir, err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "git"), 0o700); err != nil {
		return nil, fmt.Errorf("open github simulator: %w", err)
	}
	path := filepath.Join(dir, "github.db")
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: 5 * time.Second})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	s := &Sim{
		cfg: cfg, dir: dir, clock: cfg.Clock, log: cfg.Log, db: db,
		lags: map[int64]*lag{}, senders: map[int64]chan struct{}{}, runners: map[int64]context.CancelCauseFunc{},
		client: &http.Client{
			Timeout:       deliveryTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.table = s.routes()
	if err := s.start(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Sim) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(); err != nil {
		return err
	}
	if s.cfg.Base != "" {
		s.base = strings.TrimSuffix(s.cfg.Base, "/")
	}
	for _, r := range s.cfg.Repos {
		if err := s.ensureRepo(r); err != nil {
			return err
		}
	}
	if err := s.ensureHooks(); err != nil {
		return err
	}
	if err := s.ensureTeams(); err != nil {
		return err
	}
	s.brokenRuns()
	if err := s.commit(); err != nil {
		return err
	}
	if err := s.recover(); err != nil {
		return err
	}
	for _, r := range s.state.Repos.rows {
		s.startSender(r.ID)
	}
	return nil
}

// Close stops the senders, waits for them, and closes the store.
func (s *Sim) Close() error {
	s.cancel()
	s.wg.Wait()
	s.client.CloseIdleConnections()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close %s: %w", s.db.Path(), err)
	}
	return nil
}

// SetBase says under which URL Handler is reachable, as URLs in answers and
// payloads need it.
func (s *Sim) SetBase(url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.base = strings.TrimSuffix(url, "/")
	s.state.Meta.Base = s.base
	s.metaDirty()
	if err := s.commit(); err != nil {
		s.log.Error("set base", "err", err)
	}
}

// SetHookURL gives the hooks of the configuration that have no URL this one,
// and lets the deliveries that waited for it go.
func (s *Sim) SetHookURL(url string) {
	s.mu.Lock()
	s.hookURL = url
	s.mu.Unlock()
	s.wake()
}

// SetHooks installs what a test calls around requests and deliveries. Call it
// before the traffic starts.
func (s *Sim) SetHooks(onRequest func(stage, method, path string), onDelivery func(stage string, d Delivery)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.OnRequest, s.cfg.OnDelivery = onRequest, onDelivery
}

func (s *Sim) onRequest(stage, method, path string) {
	s.mu.RLock()
	f := s.cfg.OnRequest
	s.mu.RUnlock()
	if f != nil {
		f(stage, method, path)
	}
}

func (s *Sim) onDelivery(stage string, d Delivery) {
	s.mu.RLock()
	f := s.cfg.OnDelivery
	s.mu.RUnlock()
	if f != nil {
		f(stage, d)
	}
}

func (s *Sim) crashPoint(point string) {
	if s.crash != nil {
		s.crash(point)
	}
}

// Handler serves /api/v3, /api/graphql, /git and /login.
func (s *Sim) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/api/v3/", http.StripPrefix("/api/v3", http.HandlerFunc(s.serveAPI)))
	mux.Handle("/api/graphql", http.StripPrefix("/api", http.HandlerFunc(s.serveAPI)))
	mux.Handle("/git/", http.StripPrefix("/git", http.HandlerFunc(s.serveGit)))
	mux.Handle("/_logs/", http.StripPrefix("/_logs", http.HandlerFunc(s.serveLogs)))
	mux.Handle("/login/", http.StripPrefix("/login", http.HandlerFunc(s.serveLogin)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.down.Load() {
			http.Error(w, "Service Unavailable", http.StatusServiceUnavailable)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

type violations struct {
	mu   sync.Mutex
	list []string
}

// Violations lists the calls that GitHub would not have understood.
func (s *Sim) Violations() []string {
	s.violations.mu.Lock()
	defer s.violations.mu.Unlock()
	return append([]string(nil), s.violations.list...)
}

func (s *Sim) violation(format string, args ...any) {
	s.violations.mu.Lock()
	defer s.violations.mu.Unlock()
	s.violations.list = append(s.violations.list, fmt.Sprintf(format, args...))
}

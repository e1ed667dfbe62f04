// Package awssim is AWS at the wire, for tests and for the sandbox, as far as taking
// a machine out of service needs it: EC2, Elastic Load Balancing (both), Auto
// Scaling, Systems Manager, the container instances and the services of ECS, its
// registry, the builds of CodeBuild and their logs, the Security Token Service, the
// metrics of CloudWatch and the text messages of SNS, on one handler.
//
// It stands beside the clients in integrations/aws and knows nothing of the bot. It
// is strict, so that what passes here passes there: it refuses an action, a parameter
// or a filter that it does not know, with the service's own error. It misbehaves on
// demand (Fault).
//
// Nothing in it waits. All that happens by itself (a target that has drained, a
// member that reached Standby, a replacement) is worked out from the clock when
// somebody asks, moment by moment and in order, so a clock that jumps a day leaves
// the fleet as a day would have. The state is one file, written whole and renamed
// after every change.
package awssim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// Config is what New needs.
type Config struct {
	// Dir keeps the state in Dir/aws.json. Empty: it is in memory only.
	Dir   string
	Clock clock.Clock // the machine's when nil
	// Sessions is the clock by which assumed roles end; Clock when nil. The SDK asks for
	// new credentials by the machine's own, whatever time it is here.
	Sessions clock.Clock
	Log      *slog.Logger
	// Fleet is what exists at the first start. A state in Dir goes before it; what that
	// has never heard of is planted then too: accounts, regions, pools, groups,
	// clusters, repositories, projects.
	Fleet Fleet
	// Accounts maps an access key id to the name of an account of the fleet. Any
	// secret is taken: signatures are not checked.
	Accounts map[string]string
	// Host runs a script on an instance; RunScript when nil. It is called with the
	// simulator locked, so it must not call the simulator.
	Host func(h *Host, script string) (stdout string, exit int)
	// EarlyPolls is how many times GetCommandInvocation says InvocationDoesNotExist
	// of a new command; 0 is once, -1 never.
	EarlyPolls int
}

// Sim is a running simulator.
type Sim struct {
	cfg   Config
	clock clock.Clock
	log   *slog.Logger
	ops   map[string]*op
	busy  atomic.Int64

	mu     sync.Mutex // guards everything below
	world  *world
	polls  map[string]int // by command and instance
	calls  []Call
	faults []*Fault
	stale  []staleWorld
	asked  int  // requests so far
	dirty  bool // world is not what the file has
}

// New opens the simulator, and goes on with the state in cfg.Dir if there is one.
func New(cfg Config) (*Sim, error) {
	if cfg.Clock == nil {
		cfg.Clock = clock.Real()
	}
	if cfg.Sessions == nil {
		cfg.Sessions = cfg.Clock
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Host == nil {
		cfg.Host = RunScript
	}
	if cfg.EarlyPolls == 0 {
		cfg.EarlyPolls = 1
	}
	s := &Sim{cfg: cfg, clock: cfg.Clock, log: cfg.Log, polls: map[string]int{}}
	s.ops = operations()
	w, err := s.load()
	if err != nil {
		return nil, err
	}
	if w == nil {
		if w, err = plant(cfg.Fleet, s.clock.Now()); err != nil {
			return nil, fmt.Errorf("plant the fleet: %w", err)
		}
	} else if err := w.grow(cfg.Fleet, s.clock.Now()); err != nil {
		return nil, fmt.Errorf("plant what is new in the fleet: %w", err)
	}
	s.world, s.dirty = w, true
	for key, account := range cfg.Accounts {
		if w.account(account) == nil {
			return nil, fmt.Errorf("access key %s: no account %q in the fleet", key, account)
		}
	}
	return s, s.save()
}

// Close writes the state a last time, if the last attempt failed.
func (s *Sim) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.save()
}

// Idle reports that no request is being answered. Nothing else can be under way.
func (s *Sim) Idle() bool { return s.busy.Load() == 0 }

// look gives f the fleet as it is now.
func (s *Sim) look(f func(now time.Time)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	s.settle(now)
	f(now)
	if err := s.save(); err != nil {
		s.log.Error("aws simulator", "err", err)
	}
}

// change gives f the fleet as it is now, and keeps what f does to it.
func (s *Sim) change(f func(now time.Time) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	s.settle(now)
	err := f(now)
	s.dirty = true
	s.world.watch(now)
	return errors.Join(err, s.save())
}

func (s *Sim) path() string { return filepath.Join(s.cfg.Dir, "aws.json") }

func (s *Sim) load() (*world, error) {
	if s.cfg.Dir == "" {
		return nil, nil
	}
	b, err := os.ReadFile(s.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open aws simulator: %w", err)
	}
	w := &world{}
	if err := json.Unmarshal(b, w); err != nil {
		return nil, fmt.Errorf("read %s: %w", s.path(), err)
	}
	return w, nil
}

// save writes the state whole, if it has changed.
func (s *Sim) save() error {
	if s.cfg.Dir == "" || !s.dirty {
		return nil
	}
	b, err := json.Marshal(s.world)
	if err != nil {
		return fmt.Errorf("write %s: %w", s.path(), err)
	}
	if err := os.MkdirAll(s.cfg.Dir, 0o700); err != nil {
		return fmt.Errorf("write %s: %w", s.path(), err)
	}
	next := s.path() + ".next"
	if err := os.WriteFile(next, b, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", s.path(), err)
	}
	if err := os.Rename(next, s.path()); err != nil {
		return fmt.Errorf("write %s: %w", s.path(), err)
	}
	s.dirty = false
	return nil
}

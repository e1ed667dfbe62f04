// Package mackerelsim is Mackerel at the wire, for tests and for the sandbox, as far as
// signalbox needs it: hosts, their status, their retirement, downtimes; open alerts;
// annotations of graphs; metrics.
//
// It stands beside the client in integrations/mackerel and knows nothing of the bot. It
// is strict, so that what passes here passes there: it refuses a path, a parameter or a
// field that it does not know. It misbehaves on demand (Fault). The state is one file,
// written whole and renamed after every change.
package mackerelsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// Config is what New needs.
type Config struct {
	// Dir keeps the state in Dir/mackerel.json. Empty: it is in memory only.
	Dir   string
	Clock clock.Clock // the machine's when nil
	Log   *slog.Logger
	// Hosts are those of the first start; a state in Dir goes before them.
	Hosts []Host
	// Services are those that there are besides those of hosts' roles, each with its roles.
	Services map[string][]string
	// Keys maps an API key to whether it may write.
	Keys map[string]bool
}

// Host is one that is to be watched.
type Host struct {
	Name     string
	Instance string // its id in EC2
	Status   string // working when empty
	// Roles are "service:role".
	Roles []string
	// Unnamed says that it has no custom identifier: its agent is old, or was told
	// another one. It is found by what it says of its cloud.
	Unnamed bool
}

// View is a host as it is now.
type View struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Instance string   `json:"instance"`
	Status   string   `json:"status"`
	Roles    []string `json:"roles"`
	Retired  bool     `json:"retired"`
}

// Sim is a running simulator.
type Sim struct {
	cfg   Config
	clock clock.Clock
	log   *slog.Logger
	busy  atomic.Int64

	mu        sync.Mutex // guards everything below
	hosts     []*host
	downtimes []*downtime
	notes     []*annotation
	values    []value
	alerts    []*alert
	monitors  []string             // by name
	posted    map[string]time.Time // when a service last took values
	faults    []*Fault
	calls     []string
}

// saved is the state as it is in the file.
type saved struct {
	Hosts     []*host
	Downtimes []*downtime
	Notes     []*annotation `json:",omitempty"`
	Values    []value       `json:",omitempty"`
	Alerts    []*alert      `json:",omitempty"`
	Monitors  []string      `json:",omitempty"`
}

type host struct {
	ID, Name, Identifier, Instance, Status string
	Roles                                  []string
	Retired                                bool
	Created                                int64 // seconds since 1970
}

var statuses = []string{"working", "standby", "maintenance", "poweroff"}

// New opens the simulator, and goes on with the state in cfg.Dir if there is one.
func New(cfg Config) (*Sim, error) {
	if cfg.Clock == nil {
		cfg.Clock = clock.Real()
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Sim{cfg: cfg, clock: cfg.Clock, log: cfg.Log, posted: map[string]time.Time{}}
	found, err := s.load()
	if err != nil || found {
		return s, err
	}
	for _, h := range cfg.Hosts {
		if _, err := s.Register(h); err != nil {
			return nil, err
		}
	}
	return s, s.save()
}

// Register has a host watched, as an agent does that starts on it, and gives its id.
func (s *Sim) Register(h Host) (id string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.Status == "" {
		h.Status = statuses[0]
	}
	if !slices.Contains(statuses, h.Status) {
		return "", fmt.Errorf("register %s: no status %q", h.Name, h.Status)
	}
	made := &host{ID: fmt.Sprintf("3HxMck%05d", len(s.hosts)+1), Name: h.Name, Instance: h.Instance, Status: h.Status, Roles: h.Roles, Created: s.clock.Now().Unix()}
	if h.Instance != "" && !h.Unnamed {
		made.Identifier = h.Instance + ".ec2.amazonaws.com"
	}
	if made.Identifier != "" && slices.ContainsFunc(s.hosts, func(o *host) bool { return o.Identifier == made.Identifier && !o.Retired }) {
		return "", fmt.Errorf("register %s: the identifier %s is another's", h.Name, made.Identifier)
	}
	s.hosts = append(s.hosts, made)
	return made.ID, s.save()
}

// Set gives a host another status, as somebody does in the console; "retired" is for good.
func (s *Sim) Set(name, status string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := slices.IndexFunc(s.hosts, func(h *host) bool { return !h.Retired && (h.Name == name || h.ID == name) })
	if n < 0 {
		return fmt.Errorf("no host is called %q", name)
	}
	switch h := s.hosts[n]; {
	case status == "retired":
		h.Retired = true
	case slices.Contains(statuses, status):
		h.Status = status
	default:
		return fmt.Errorf("no status is called %q; there are %s and retired", status, strings.Join(statuses, ", "))
	}
	return s.save()
}

// Idle reports that no request is being answered. Nothing else can be under way.
func (s *Sim) Idle() bool { return s.busy.Load() == 0 }

// Hosts lists all, the retired ones too, in the order of their registration.
func (s *Sim) Hosts() []View {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]View, len(s.hosts))
	for n, h := range s.hosts {
		out[n] = View{ID: h.ID, Name: h.Name, Instance: h.Instance, Status: h.Status, Roles: append([]string{}, h.Roles...), Retired: h.Retired}
	}
	return out
}

// Calls lists what was asked so far with a valid key, such as "host.status 3HxMck00001",
// in order; what was not understood as it came: "GET /api/v0/users".
func (s *Sim) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

func (s *Sim) file() string { return filepath.Join(s.cfg.Dir, "mackerel.json") }

func (s *Sim) load() (found bool, err error) {
	if s.cfg.Dir == "" {
		return false, nil
	}
	b, err := os.ReadFile(s.file())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var in saved
	if bytes.HasPrefix(b, []byte("[")) { // of a time when there was nothing but hosts
		err = json.Unmarshal(b, &in.Hosts)
	} else {
		err = json.Unmarshal(b, &in)
	}
	if err != nil {
		return false, fmt.Errorf("read %s: %w", s.file(), err)
	}
	s.hosts, s.downtimes, s.notes, s.values, s.alerts, s.monitors = in.Hosts, in.Downtimes, in.Notes, in.Values, in.Alerts, in.Monitors
	return true, nil
}

func (s *Sim) save() error {
	if s.cfg.Dir == "" {
		return nil
	}
	b, err := json.MarshalIndent(saved{s.hosts, s.downtimes, s.notes, s.values, s.alerts, s.monitors}, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.file()+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(s.file()+".new", s.file())
}

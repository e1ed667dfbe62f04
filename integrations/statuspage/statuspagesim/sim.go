// Package statuspagesim is Statuspage at the wire, for tests and for the sandbox, as far
// as a chat needs it: one page, its components and groups, incidents and their updates.
//
// It stands beside the client in integrations/statuspage and knows nothing of the bot. It
// is strict, so that what passes here passes there: it refuses a path, a parameter or a
// field that it does not know, keeps to 60 calls a minute, and hands out all components at
// once but once a minute. It notes who would have been notified of what: everybody who subscribed is, unless
// deliver_notifications says false, as there. It misbehaves on demand (Fault). The state is
// one file, written whole and renamed after every change.
package statuspagesim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// Config is what New needs.
type Config struct {
	// Dir keeps the state in Dir/statuspage.json. Empty: it is in memory only.
	Dir   string
	Clock clock.Clock // the machine's when nil
	Log   *slog.Logger
	// Page is the id of the page, and Name what it is called.
	Page, Name string
	// Components are those of the first start, all operational; a state in Dir goes before
	// them. "EU / api" stands in the group EU.
	Components []string
	// Keys maps an API key to whether it may write.
	Keys map[string]bool
	// Free has no limit of calls in a minute, for a clock that stands still.
	Free bool
}

// Component is one as it stands at the wire.
type Component struct {
	ID       string  `json:"id"`
	PageID   string  `json:"page_id"`
	GroupID  *string `json:"group_id"`
	Group    bool    `json:"group"`
	Name     string  `json:"name"`
	Status   string  `json:"status"`
	Position int     `json:"position"`
}

// Update is a message of an incident as it stands at the wire.
type Update struct {
	ID      string    `json:"id"`
	Status  string    `json:"status"`
	Body    string    `json:"body"`
	Created time.Time `json:"created_at"`
	Deliver bool      `json:"deliver_notifications"`
}

// Incident is one as it stands at the wire. Its components are put in as they are now.
type Incident struct {
	ID         string                    `json:"id"`
	PageID     string                    `json:"page_id"`
	Name       string                    `json:"name"`
	Status     string                    `json:"status"`
	Impact     string                    `json:"impact"`
	Override   *string                   `json:"impact_override"`
	Shortlink  string                    `json:"shortlink"`
	Created    time.Time                 `json:"created_at"`
	Updated    time.Time                 `json:"updated_at"`
	Resolved   *time.Time                `json:"resolved_at"`
	Metadata   map[string]map[string]any `json:"metadata"`
	Components []Component               `json:"components"`
	Updates    []Update                  `json:"incident_updates"` // the newest first
}

// Notification is what the subscribers of the page were written.
type Notification struct {
	At       time.Time `json:"at"`
	Incident string    `json:"incident"`
	Title    string    `json:"title"`
	Status   string    `json:"status"`
	Body     string    `json:"body"`
}

// Sim is a running simulator.
type Sim struct {
	cfg   Config
	clock clock.Clock
	log   *slog.Logger
	busy  atomic.Int64

	mu     sync.Mutex // guards everything below
	state  saved
	faults []*Fault
	calls  []string
	asked  []time.Time // calls of the last minute
	whole  time.Time   // when all components were last handed out at once
}

// saved is the state as it is in the file.
type saved struct {
	Components    []*Component
	Incidents     []*stored
	Notifications []Notification
	Next          int
}

// stored is an incident with what its form at the wire leaves out.
type stored struct {
	Incident
	Named []string
}

// New opens the simulator, and goes on with the state in cfg.Dir if there is one.
func New(cfg Config) (*Sim, error) {
	if cfg.Clock == nil {
		cfg.Clock = clock.Real()
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Sim{cfg: cfg, clock: cfg.Clock, log: cfg.Log}
	found, err := s.load()
	if err != nil || found {
		return s, err
	}
	for _, name := range cfg.Components {
		s.component(name)
	}
	return s, s.save()
}

// Idle reports that no request is being answered. Nothing else can be under way.
func (s *Sim) Idle() bool { return s.busy.Load() == 0 }

// Components are all as they are now, the groups too.
func (s *Sim) Components() []Component {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Component{}
	for _, c := range s.state.Components {
		out = append(out, *c)
	}
	return out
}

// Incidents are all as they are now, the oldest first.
func (s *Sim) Incidents() []Incident {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Incident{}
	for _, i := range s.state.Incidents {
		out = append(out, s.wire(i))
	}
	return out
}

// Notifications are what the subscribers were written, the oldest first.
func (s *Sim) Notifications() []Notification {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Notification{}, s.state.Notifications...)
}

// Calls lists what was asked so far with a valid key, such as "incident.update
// inc00000001", in order; what was not understood as it came: "GET /pages/x/users".
func (s *Sim) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Post is what somebody does on Statuspage's own pages: a message of an incident, or a new
// incident where there is no id. It notifies as the page's form does that is left as it is.
func (s *Sim) Post(id, title, status, body string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := input{Status: &status, Body: &body}
	if id == "" {
		in.Name = &title
	}
	v, no := s.post(id, in)
	if no != nil {
		return "", errors.New(no.text())
	}
	return v.ID, s.save()
}

// Set gives a component a state, as somebody does on Statuspage's own pages.
func (s *Sim) Set(name, status string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := slices.IndexFunc(s.state.Components, func(c *Component) bool { return !c.Group && (c.Name == name || c.ID == name) })
	if n < 0 || !slices.Contains(componentStatuses, status) {
		return fmt.Errorf("no component %q, or no state %q", name, status)
	}
	s.state.Components[n].Status = status
	return s.save()
}

// Delete removes an incident, as somebody does on Statuspage's own pages.
func (s *Sim) Delete(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := len(s.state.Incidents)
	s.state.Incidents = slices.DeleteFunc(s.state.Incidents, func(i *stored) bool { return i.ID == id })
	if len(s.state.Incidents) == was {
		return fmt.Errorf("no incident %q", id)
	}
	return s.save()
}

func (s *Sim) id(kind string) string {
	s.state.Next++
	return fmt.Sprintf("%s%08d", kind, s.state.Next)
}

func (s *Sim) file() string { return filepath.Join(s.cfg.Dir, "statuspage.json") }

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
	if err := json.Unmarshal(b, &s.state); err != nil {
		return false, fmt.Errorf("read %s: %w", s.file(), err)
	}
	return true, nil
}

func (s *Sim) save() error {
	if s.cfg.Dir == "" {
		return nil
	}
	b, err := json.MarshalIndent(s.state, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.file()+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(s.file()+".new", s.file())
}

// Package pagerdutysim is PagerDuty at the wire, for tests and for the sandbox, as far as
// on-call schedules and incidents need it: users, schedules of layers (v2) and of shifts
// (v3), their overrides and custom shifts; services, escalation policies, incidents with
// their logs and notes, events (v2), and the webhooks (v3) that tell of them.
//
// What time does by itself (escalations, the end of a snooze, tries of a webhook) is done
// when it is asked, and by Start at its time; nothing is sent without Start.
//
// It stands beside the client in integrations/pagerduty and knows nothing of the bot. It
// works the schedules out itself, in a way of its own, so that two who understand the
// rules agree. It is strict, so that what passes here passes there: it refuses a header
// that is missing, and a path, a parameter or a field that it does not know. It misbehaves
// on demand (Fault). The state is one file, written whole and renamed after every change.
package pagerdutysim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// Config is what New needs.
type Config struct {
	// Dir keeps the state in Dir/pagerduty.json. Empty: it is in memory only.
	Dir   string
	Clock clock.Clock // the machine's when nil
	Log   *slog.Logger
	// Users and Schedules are those of the first start; a state in Dir goes before them.
	Users     []User
	Schedules []Schedule
	// Tokens are the REST API keys.
	Tokens map[string]Token
	// PerMinute is how many calls one token has in a minute; 0 is 960, as PagerDuty has it.
	PerMinute int
	// Policies, Services and Subscriptions are added to a state that has none.
	Policies      []Policy
	Services      []Service
	Subscriptions []Subscription
	// HTTP delivers webhooks; nil is one of its own.
	HTTP http.RoundTripper
}

// Token is what a REST API key may do.
type Token struct {
	Writes bool
	User   string // whose it is; "" is the account's
}

// User is one who can be on call. ID is made up when empty.
type User struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
	Role  string `json:"role"` // user when empty
}

// Schedule is of layers, or of shifts where Shifts is set. ID is made up when empty.
type Schedule struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Zone      string     `json:"zone"` // of IANA; UTC when empty
	Layers    []Layer    `json:"layers,omitempty"`
	Shifts    bool       `json:"shifts,omitempty"`
	Rotations []Rotation `json:"rotations,omitempty"`

	// What was made by calls, in the order of its making.
	Overrides []Override `json:"overrides,omitempty"`
	Custom    []Override `json:"custom,omitempty"` // without Source and Instead
}

// Override is one of either kind of schedule, or a custom shift.
type Override struct {
	ID    string    `json:"id"`
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	User  string    `json:"user"`
	// Of shifts: whose shifts (of a rotation or a custom shift), and of whom.
	Rotation    string `json:"rotation,omitempty"`
	CustomShift string `json:"custom_shift,omitempty"`
	Instead     string `json:"instead,omitempty"`
}

// Sim is a running simulator.
type Sim struct {
	cfg   Config
	clock clock.Clock
	log   *slog.Logger

	mu     sync.Mutex // guards everything below
	state  state
	faults []*Fault
	calls  []string
	used   map[string]minute // by token

	woken  chan struct{}
	stop   context.CancelFunc
	sender sync.WaitGroup
}

type state struct {
	Users     []User      `json:"users"`
	Schedules []*Schedule `json:"schedules"`
	Made      int         `json:"made"` // ids so far

	Policies      []Policy        `json:"policies,omitempty"`
	Services      []Service       `json:"services,omitempty"`
	Incidents     []*Incident     `json:"incidents,omitempty"`
	Numbers       int             `json:"numbers,omitempty"` // of incidents so far
	Changes       []Change        `json:"changes,omitempty"`
	Subscriptions []*Subscription `json:"subscriptions,omitempty"`
	Deliveries    []*Delivery     `json:"deliveries,omitempty"`
	Queued        int             `json:"queued,omitempty"` // deliveries so far
}

// New opens the simulator, and goes on with the state in cfg.Dir if there is one.
func New(cfg Config) (*Sim, error) {
	if cfg.Clock == nil {
		cfg.Clock = clock.Real()
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.PerMinute == 0 {
		cfg.PerMinute = 960
	}
	if cfg.HTTP == nil {
		cfg.HTTP = http.DefaultTransport
	}
	s := &Sim{cfg: cfg, clock: cfg.Clock, log: cfg.Log, used: map[string]minute{}, woken: make(chan struct{}, 1)}
	found, err := s.load()
	if err != nil {
		return s, err
	}
	if found {
		if err := s.seedIncidents(); err != nil {
			return nil, err
		}
		return s, s.save()
	}
	for _, u := range cfg.Users {
		if _, err := s.AddUser(u); err != nil {
			return nil, err
		}
	}
	for _, sc := range cfg.Schedules {
		if _, err := s.AddSchedule(sc); err != nil {
			return nil, err
		}
	}
	if err := s.seedIncidents(); err != nil {
		return nil, err
	}
	return s, s.save()
}

// id makes one up; "P" before it for what v2 has, 26 letters for what v3 has.
func (s *Sim) id(long bool) string {
	s.state.Made++
	if long {
		return fmt.Sprintf("ABCDEFGHIJKLMNOPQRST%06d", s.state.Made)
	}
	return fmt.Sprintf("P%06d", s.state.Made)
}

// AddUser lets somebody be on call, and gives the id.
func (s *Sim) AddUser(u User) (id string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.Name == "" || !strings.Contains(u.Email, "@") {
		return "", fmt.Errorf("add the user %q: want a name and an email", u.Name)
	}
	if u.Role == "" {
		u.Role = "user"
	}
	if u.ID == "" {
		u.ID = s.id(false)
	}
	if slices.ContainsFunc(s.state.Users, func(o User) bool { return o.ID == u.ID || strings.EqualFold(o.Email, u.Email) }) {
		return "", fmt.Errorf("add the user %s: the id or the email is another's", u.Name)
	}
	s.state.Users = append(s.state.Users, u)
	return u.ID, s.save()
}

// RemoveUser takes somebody away: they have left.
func (s *Sim) RemoveUser(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Users = slices.DeleteFunc(s.state.Users, func(u User) bool { return u.ID == id })
	return s.save()
}

// AddSchedule adds a schedule, and gives the id.
func (s *Sim) AddSchedule(sc Schedule) (id string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sc.Zone == "" {
		sc.Zone = "UTC"
	}
	if sc.ID == "" {
		sc.ID = s.id(false)
	}
	if s.schedule(sc.ID) != nil {
		return "", fmt.Errorf("add the schedule %s: the id is another's", sc.ID)
	}
	sc.Layers, sc.Rotations = slices.Clone(sc.Layers), slices.Clone(sc.Rotations) // the caller's stay as they are
	sc.Overrides, sc.Custom = slices.Clone(sc.Overrides), slices.Clone(sc.Custom)
	if err := s.check(&sc); err != nil {
		return "", fmt.Errorf("add the schedule %s: %w", sc.Name, err)
	}
	s.state.Schedules = append(s.state.Schedules, &sc)
	return sc.ID, s.save()
}

// check refuses a schedule that cannot be worked out, and fills in what was left out.
func (s *Sim) check(sc *Schedule) error {
	if _, err := time.LoadLocation(sc.Zone); err != nil || sc.Zone == "Local" {
		return fmt.Errorf("no zone is called %q", sc.Zone)
	}
	if sc.Shifts && len(sc.Layers) > 0 || !sc.Shifts && len(sc.Rotations) > 0 {
		return errors.New("it has layers, or rotations with Shifts")
	}
	for n := range sc.Layers {
		if err := s.checkLayer(&sc.Layers[n], n); err != nil {
			return err
		}
	}
	for n := range sc.Rotations {
		if err := s.checkRotation(&sc.Rotations[n], sc.Zone); err != nil {
			return err
		}
	}
	return nil
}

// Upgrade turns a schedule of layers into one of shifts, with the same id.
func (s *Sim) Upgrade(id string, rotations []Rotation) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sc := s.schedule(id)
	if sc == nil || sc.Shifts {
		return fmt.Errorf("upgrade %s: there is no such schedule of layers", id)
	}
	next := Schedule{ID: sc.ID, Name: sc.Name, Zone: sc.Zone, Shifts: true, Rotations: slices.Clone(rotations)}
	if err := s.check(&next); err != nil {
		return fmt.Errorf("upgrade %s: %w", id, err)
	}
	*sc = next
	return s.save()
}

// Users lists all.
func (s *Sim) Users() []User {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.state.Users)
}

// Schedule is one as it is now, what was made by calls too.
func (s *Sim) Schedule(id string) (Schedule, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sc := s.schedule(id)
	if sc == nil {
		return Schedule{}, false
	}
	out := *sc
	out.Overrides, out.Custom = slices.Clone(sc.Overrides), slices.Clone(sc.Custom)
	return out, true
}

// Schedules are the ids of all, in the order of their making.
func (s *Sim) Schedules() (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sc := range s.state.Schedules {
		ids = append(ids, sc.ID)
	}
	return ids
}

// Calls lists what was asked so far with a valid token, such as "schedule.get P000001",
// in order; what was not understood as it came: "GET /teams".
func (s *Sim) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

func (s *Sim) schedule(id string) *Schedule {
	for _, sc := range s.state.Schedules {
		if sc.ID == id {
			return sc
		}
	}
	return nil
}

func (s *Sim) user(id string) (User, bool) {
	n := slices.IndexFunc(s.state.Users, func(u User) bool { return u.ID == id })
	if n < 0 {
		return User{}, false
	}
	return s.state.Users[n], true
}

func (s *Sim) file() string { return filepath.Join(s.cfg.Dir, "pagerduty.json") }

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
	s.wakeUp() // what is due next may have changed
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

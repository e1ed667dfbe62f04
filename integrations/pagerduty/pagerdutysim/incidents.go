package pagerdutysim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Service is what an incident is of. ID is made up when empty.
type Service struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	RoutingKey string `json:"routing_key"` // of Events API v2
	Policy     string `json:"policy"`      // the id of its escalation policy
	Urgency    string `json:"urgency"`     // "high" when empty, "low", or "severity_based"
	// AckTimeout is after how many seconds one that was acknowledged is triggered again,
	// AutoResolve after how many one is resolved by itself; 0 is never.
	AckTimeout  int `json:"ack_timeout,omitempty"`
	AutoResolve int `json:"auto_resolve,omitempty"`
}

// Policy is an escalation policy. ID is made up when empty.
type Policy struct {
	ID     string  `json:"id"`
	Name   string  `json:"name"`
	Levels []Level `json:"levels"`
	Loops  int     `json:"loops,omitempty"` // how often it begins again
}

// Level is who is paged, and after how many minutes those of the next are.
type Level struct {
	Minutes   int      `json:"minutes"`
	Users     []string `json:"users,omitempty"`
	Schedules []string `json:"schedules,omitempty"` // by whoever is on call then
}

// The statuses of an incident.
const (
	triggered    = "triggered"
	acknowledged = "acknowledged"
	resolved     = "resolved"
)

// Incident is one as it is now.
type Incident struct {
	ID        string    `json:"id"`
	Number    int       `json:"number"`
	Status    string    `json:"status"`
	Title     string    `json:"title"`
	Key       string    `json:"key"`
	Service   string    `json:"service"` // its id, as is that of Policy
	Policy    string    `json:"policy"`
	Level     int       `json:"level"` // from 1; 0 where it was given to somebody
	Loops     int       `json:"loops,omitempty"`
	Urgency   string    `json:"urgency"`
	Priority  string    `json:"priority,omitempty"`
	Created   time.Time `json:"created"`
	Changed   time.Time `json:"changed"` // the status, the last time
	ChangedBy string    `json:"changed_by,omitempty"`
	Assigned  []Stamp   `json:"assigned,omitempty"`
	Acks      []Stamp   `json:"acks,omitempty"`
	Log       []Entry   `json:"log,omitempty"` // the oldest first
	Notes     []Note    `json:"notes,omitempty"`

	// What happens to it by itself, and when; zero is never.
	Escalates time.Time `json:"escalates,omitzero"`
	Wakes     time.Time `json:"wakes,omitzero"` // triggered again
	Ends      time.Time `json:"ends,omitzero"`
}

// Stamp is a user and a time.
type Stamp struct {
	User string    `json:"user"`
	At   time.Time `json:"at"`
}

// Entry is a line of a log. User is "" where it was nobody's doing.
type Entry struct {
	ID   string    `json:"id"`
	Kind string    `json:"kind"` // "acknowledge", as in acknowledge_log_entry
	User string    `json:"user,omitempty"`
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

// Note is what somebody wrote.
type Note struct {
	ID      string    `json:"id"`
	User    string    `json:"user"`
	At      time.Time `json:"at"`
	Content string    `json:"content"`
}

// seedIncidents adds the services, policies and subscriptions of the configuration where
// there are none yet, as in a state from before they were known.
func (s *Sim) seedIncidents() error {
	if len(s.state.Policies) == 0 {
		for _, p := range s.cfg.Policies {
			if p.ID == "" {
				p.ID = s.id(false)
			}
			if len(p.Levels) == 0 {
				return fmt.Errorf("add the escalation policy %s: it has no levels", p.Name)
			}
			for _, l := range p.Levels {
				if err := s.checkLevel(l); err != nil {
					return fmt.Errorf("add the escalation policy %s: %w", p.Name, err)
				}
			}
			s.state.Policies = append(s.state.Policies, p)
		}
	}
	if len(s.state.Services) == 0 {
		for _, v := range s.cfg.Services {
			if v.ID == "" {
				v.ID = s.id(false)
			}
			if _, ok := s.policy(v.Policy); !ok || len(v.RoutingKey) != routingKeyLength {
				return fmt.Errorf("add the service %s: it has no escalation policy, or no routing key of %d characters", v.Name, routingKeyLength)
			}
			s.state.Services = append(s.state.Services, v)
		}
	}
	if len(s.state.Subscriptions) == 0 {
		for _, sub := range s.cfg.Subscriptions {
			if sub.ID == "" {
				sub.ID = s.id(false)
			}
			sub.Active = true
			s.state.Subscriptions = append(s.state.Subscriptions, &sub)
		}
	}
	return nil
}

func (s *Sim) checkLevel(l Level) error {
	if len(l.Users)+len(l.Schedules) == 0 || l.Minutes < 1 {
		return errors.New("a level pages nobody, or for no time")
	}
	for _, u := range l.Users {
		if _, ok := s.user(u); !ok {
			return fmt.Errorf("there is no user %q", u)
		}
	}
	for _, id := range l.Schedules {
		if s.schedule(id) == nil {
			return fmt.Errorf("there is no schedule %q", id)
		}
	}
	return nil
}

func (s *Sim) policy(id string) (Policy, bool) {
	n := slices.IndexFunc(s.state.Policies, func(p Policy) bool { return p.ID == id })
	if n < 0 {
		return Policy{}, false
	}
	return s.state.Policies[n], true
}

func (s *Sim) service(is func(Service) bool) (Service, bool) {
	n := slices.IndexFunc(s.state.Services, is)
	if n < 0 {
		return Service{}, false
	}
	return s.state.Services[n], true
}

func (s *Sim) serviceOf(i *Incident) Service {
	v, _ := s.service(func(v Service) bool { return v.ID == i.Service })
	return v
}

func (s *Sim) incident(id string) *Incident {
	for _, i := range s.state.Incidents {
		if i.ID == id {
			return i
		}
	}
	return nil
}

func (s *Sim) now() time.Time { return s.clock.Now().UTC().Truncate(time.Second) }

func (s *Sim) write(i *Incident, kind, user, text string, at time.Time) {
	i.Log = append(i.Log, Entry{ID: s.id(true), Kind: kind, User: user, At: at, Text: text})
}

// nameOf is a user's, or what did it instead of one.
func (s *Sim) nameOf(user, otherwise string) string {
	if u, ok := s.user(user); ok {
		return u.Name
	}
	return otherwise
}

// open begins an incident, or gives the one that is open for the key.
func (s *Sim) open(v Service, title, key, urgency, user string) *Incident {
	for _, i := range s.state.Incidents {
		if i.Service == v.ID && i.Key == key && i.Status != resolved {
			return i
		}
	}
	now := s.now()
	s.state.Numbers++
	i := &Incident{ID: "Q" + s.id(false), Number: s.state.Numbers, Status: triggered, Title: title, Key: key, Service: v.ID, Policy: v.Policy, Urgency: urgency, Created: now, Changed: now, ChangedBy: user}
	if v.AutoResolve > 0 {
		i.Ends = now.Add(time.Duration(v.AutoResolve) * time.Second)
	}
	s.state.Incidents = append(s.state.Incidents, i)
	s.write(i, "trigger", user, "Triggered through "+s.nameOf(user, "the API")+".", now)
	s.pageLevel(i, 1, now)
	s.emit(i, "incident.triggered", user, nil)
	return i
}

// pageLevel assigns an incident to those of a level, and sets when the next is asked.
func (s *Sim) pageLevel(i *Incident, level int, at time.Time) {
	p, _ := s.policy(i.Policy)
	i.Level, i.Assigned, i.Acks, i.Wakes, i.Escalates = level, nil, nil, time.Time{}, time.Time{}
	if level < 1 || level > len(p.Levels) {
		return
	}
	l := p.Levels[level-1]
	for _, u := range s.paged(l, at) {
		i.Assigned = append(i.Assigned, Stamp{u, at})
	}
	if level < len(p.Levels) || i.Loops < p.Loops {
		i.Escalates = at.Add(time.Duration(l.Minutes) * time.Minute)
	}
}

// paged are those of a level at a time, each once.
func (s *Sim) paged(l Level, at time.Time) (who []string) {
	all := slices.Clone(l.Users)
	for _, id := range l.Schedules {
		if sc := s.schedule(id); sc != nil {
			for _, x := range sc.stretches(at, at.Add(time.Second)) {
				all = append(all, x.Users...)
			}
		}
	}
	for _, u := range all {
		if !slices.Contains(who, u) {
			who = append(who, u)
		}
	}
	return who
}

func (s *Sim) turn(i *Incident, status, user string, at time.Time) {
	i.Status, i.Changed, i.ChangedBy = status, at, user
}

// acknowledge has a user take an incident: it is theirs alone then. Nobody is a machine.
func (s *Sim) acknowledge(i *Incident, user string) {
	now := s.now()
	s.turn(i, acknowledged, user, now)
	i.Escalates = time.Time{}
	if user != "" {
		i.Assigned = []Stamp{{user, now}}
		i.Acks = append(slices.DeleteFunc(i.Acks, func(a Stamp) bool { return a.User == user }), Stamp{user, now})
	}
	if v := s.serviceOf(i); v.AckTimeout > 0 {
		i.Wakes = now.Add(time.Duration(v.AckTimeout) * time.Second)
	}
	s.write(i, "acknowledge", user, "Acknowledged by "+s.nameOf(user, "the API")+".", now)
	s.emit(i, "incident.acknowledged", user, nil)
}

// wake has an incident that was acknowledged triggered again, at the level that it was at.
func (s *Sim) wake(i *Incident, at time.Time) {
	s.turn(i, triggered, "", at)
	i.Acks, i.Wakes = nil, time.Time{}
	if p, ok := s.policy(i.Policy); ok && i.Level > 0 && i.Level <= len(p.Levels) && (i.Level < len(p.Levels) || i.Loops < p.Loops) {
		i.Escalates = at.Add(time.Duration(p.Levels[i.Level-1].Minutes) * time.Minute)
	}
	s.write(i, "unacknowledge", "", "Unacknowledged due to timeout.", at)
	s.emit(i, "incident.unacknowledged", "", nil)
}

func (s *Sim) resolve(i *Incident, user string, at time.Time) {
	s.turn(i, resolved, user, at)
	i.Assigned, i.Acks = nil, nil
	i.Escalates, i.Wakes, i.Ends = time.Time{}, time.Time{}, time.Time{}
	s.write(i, "resolve", user, "Resolved by "+s.nameOf(user, "the API")+".", at)
	s.emit(i, "incident.resolved", user, nil)
}

// reopen is what PagerDuty does with one that is over and is told another status.
func (s *Sim) reopen(i *Incident, user string) {
	now := s.now()
	s.turn(i, triggered, user, now)
	s.pageLevel(i, 1, now)
	s.write(i, "reopen", user, "Reopened by "+s.nameOf(user, "the API")+".", now)
	s.emit(i, "incident.reopened", user, nil)
}

// reassign gives an incident to users.
func (s *Sim) reassign(i *Incident, to []string, user string) {
	now := s.now()
	s.turn(i, triggered, user, now)
	i.Level, i.Assigned, i.Acks, i.Wakes, i.Escalates = 0, nil, nil, time.Time{}, time.Time{}
	var names []string
	for _, u := range to {
		i.Assigned = append(i.Assigned, Stamp{u, now})
		names = append(names, s.nameOf(u, u))
	}
	s.write(i, "assign", user, "Reassigned to "+strings.Join(names, ", ")+" by "+s.nameOf(user, "the API")+".", now)
	s.emit(i, "incident.reassigned", user, nil)
}

// delegate gives an incident to another escalation policy.
func (s *Sim) delegate(i *Incident, to Policy, user string) {
	now := s.now()
	i.Policy, i.Loops = to.ID, 0
	s.turn(i, triggered, user, now)
	s.pageLevel(i, 1, now)
	s.write(i, "delegate", user, "Delegated to "+to.Name+" by "+s.nameOf(user, "the API")+".", now)
	s.emit(i, "incident.delegated", user, nil)
}

// escalate pages those of a level; nobody is the policy itself.
func (s *Sim) escalate(i *Incident, level int, user string, at time.Time) {
	if i.Status != triggered {
		s.turn(i, triggered, user, at)
	}
	s.pageLevel(i, level, at)
	s.write(i, "escalate", user, fmt.Sprintf("Escalated to level %d by %s.", level, s.nameOf(user, "timeout")), at)
	s.emit(i, "incident.escalated", user, nil)
}

// snooze has an incident be a user's until a time.
func (s *Sim) snooze(i *Incident, user string, d time.Duration) {
	if i.Status != acknowledged || !slices.ContainsFunc(i.Acks, func(a Stamp) bool { return a.User == user }) {
		s.acknowledge(i, user)
	}
	now := s.now()
	i.Wakes = now.Add(d)
	s.write(i, "snooze", user, "Snoozed by "+s.nameOf(user, "the API")+".", now)
}

func (s *Sim) annotate(i *Incident, user, text string) Note {
	n := Note{ID: s.id(false), User: user, At: s.now(), Content: text}
	i.Notes = append(i.Notes, n)
	s.write(i, "annotate", user, text, n.At)
	s.emit(i, "incident.annotated", user, map[string]any{
		"id": n.ID, "type": "incident_note", "content": text, "trimmed": false,
		"incident": map[string]any{"id": i.ID, "type": "incident_reference", "summary": i.Title, "html_url": i.page()},
	})
	return n
}

// advance does what time does by itself, in its order, until now; it reports whether that
// was anything.
func (s *Sim) advance() (did bool) {
	for now := s.now(); ; did = true {
		at, do := s.earliest()
		if do == nil || at.After(now) {
			return did
		}
		do()
	}
}

// earliest is the next thing that time does by itself; nil is none.
func (s *Sim) earliest() (first time.Time, do func()) {
	offer := func(at time.Time, f func()) {
		if !at.IsZero() && (do == nil || at.Before(first)) {
			first, do = at, f
		}
	}
	for _, i := range s.state.Incidents {
		offer(i.Escalates, func() {
			level, p := i.Level+1, Policy{}
			if p, _ = s.policy(i.Policy); level > len(p.Levels) {
				level, i.Loops = 1, i.Loops+1
			}
			s.escalate(i, level, "", i.Escalates)
		})
		offer(i.Wakes, func() { s.wake(i, i.Wakes) })
		offer(i.Ends, func() { s.resolve(i, "", i.Ends) })
	}
	for _, sub := range s.state.Subscriptions {
		offer(sub.Until, func() { sub.Until = time.Time{} })
	}
	return first, do
}

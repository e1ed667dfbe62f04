package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// RemoteReader reads the incidents of the system that pages people. Its errors are
// *integrations.Later, *integrations.Gone, or a no for good.
type RemoteReader interface {
	// OpenIncidents are those that nobody has resolved, of the services with these ids, of
	// all where there are none.
	OpenIncidents(ctx context.Context, serviceIDs []string) ([]integrations.RemoteIncident, error)
	Incident(ctx context.Context, id string) (integrations.RemoteIncident, error)
	// Knows is *integrations.RemoteStranger for an address that no user there has.
	Knows(ctx context.Context, email string) error
}

// RemoteResponder acts on them, as the person who asked. Each act may be tried again with
// the same RemoteAct; *integrations.RemoteOver and *integrations.RemoteStranger refuse it.
type RemoteResponder interface {
	Acknowledge(ctx context.Context, a integrations.RemoteAct) (integrations.RemoteActed, error)
	Resolve(ctx context.Context, a integrations.RemoteAct) (integrations.RemoteActed, error)
	Reassign(ctx context.Context, a integrations.RemoteAct, to integrations.RemoteTarget) (integrations.RemoteActed, error)
	Escalate(ctx context.Context, a integrations.RemoteAct, level int) (integrations.RemoteActed, error)
	Snooze(ctx context.Context, a integrations.RemoteAct, d time.Duration) (integrations.RemoteActed, error)
	Note(ctx context.Context, a integrations.RemoteAct, text string) (integrations.RemoteActed, error)
}

// Remote is the system that pages people for incidents of its own, which come from there
// as alerts. What people do about them here is done there as themselves.
type Remote struct {
	System   string // its name for people: "PagerDuty"
	Source   string // the source of its alerts
	Services []string
	Read     RemoteReader
	Act      RemoteResponder
	Page     RemotePager // nil where none of its services is named
	// Mend has what was disabled there tell us again, and says what it did; nil where it
	// cannot tell us.
	Mend func(ctx context.Context) (did []string, err error)
}

// Elsewhere is what is known of an incident at the system that pages people for it.
type Elsewhere struct {
	// Wishes are what people here want done there, the oldest first; Next numbers them.
	Wishes []Wish `json:"wishes,omitempty"`
	Next   int    `json:"next,omitempty"`
	Job    bool   `json:"job,omitempty"` // one carries them out
	Why    string `json:"why,omitempty"` // the oldest still waits
	// Done is when the newest was done, and Seen when all of it was last read there.
	Done     time.Time                  `json:"done,omitzero"`
	Seen     time.Time                  `json:"seen,omitzero"`
	Assigned []integrations.AlertPerson `json:"assigned,omitempty"`
	// Of one that we had opened there: for which service, by which key, and its id once it
	// is known.
	Paged string `json:"paged,omitempty"`
	Dedup string `json:"dedup,omitempty"`
	ID    string `json:"id,omitempty"`
}

// Wish is one thing that somebody wants done there.
type Wish struct {
	N    int                       `json:"n"`
	Act  string                    `json:"act"` // a key of carriers
	By   store.Person              `json:"by"`
	As   string                    `json:"as"` // the address of By
	At   time.Time                 `json:"at"`
	To   integrations.RemoteTarget `json:"to,omitzero"`
	For  time.Duration             `json:"for,omitempty"`
	Text string                    `json:"text,omitempty"`
}

const (
	actAck      = "ack"
	actResolve  = "resolve"
	actEscalate = "escalate"
	actReassign = "reassign"
	actSnooze   = "snooze"
	actNote     = "note"

	wishFor = 24 * time.Hour // then nobody wants it any more
	knowFor = 2 * time.Second
)

// carriers do each act there.
var carriers = map[string]func(ctx context.Context, r RemoteResponder, a integrations.RemoteAct, w Wish) (integrations.RemoteActed, error){
	actAck: func(ctx context.Context, r RemoteResponder, a integrations.RemoteAct, _ Wish) (integrations.RemoteActed, error) {
		return r.Acknowledge(ctx, a)
	},
	actResolve: func(ctx context.Context, r RemoteResponder, a integrations.RemoteAct, _ Wish) (integrations.RemoteActed, error) {
		return r.Resolve(ctx, a)
	},
	actEscalate: func(ctx context.Context, r RemoteResponder, a integrations.RemoteAct, _ Wish) (integrations.RemoteActed, error) {
		return r.Escalate(ctx, a, 0)
	},
	actReassign: func(ctx context.Context, r RemoteResponder, a integrations.RemoteAct, w Wish) (integrations.RemoteActed, error) {
		return r.Reassign(ctx, a, w.To)
	},
	actSnooze: func(ctx context.Context, r RemoteResponder, a integrations.RemoteAct, w Wish) (integrations.RemoteActed, error) {
		return r.Snooze(ctx, a, w.For)
	},
	actNote: func(ctx context.Context, r RemoteResponder, a integrations.RemoteAct, w Wish) (integrations.RemoteActed, error) {
		return r.Note(ctx, a, w.Text)
	},
}

// remote is the system that pages people, nil where there is none.
func (f *feature) remote() *Remote {
	if f.Remote == nil {
		return nil
	}
	return f.Remote()
}

// elsewhere is the system that pages people for an incident; nil where that is us.
func (f *feature) elsewhere(i *Incident) *Remote {
	r := f.remote()
	if r == nil || (i.Key == "" || i.Source != r.Source) && (i.Elsewhere == nil || i.Elsewhere.Dedup == "") {
		return nil
	}
	return r
}

// wantThere has something done there by whoever asks, where the incident is of such a system.
// The caller puts the incident.
func (f *feature) wantThere(tx *store.Tx, c *commands.Call, i *Incident, w Wish) error {
	r := f.elsewhere(i)
	if r == nil {
		return nil
	}
	if c.Who.Email == "" {
		return f.unknown(r, c.Who, "")
	}
	if i.Elsewhere == nil {
		i.Elsewhere = &Elsewhere{}
	}
	w.By, w.As = gate.ToStore(c.Who), c.Who.Email
	return f.want(tx, i, w)
}

// unknown refuses somebody whom the other system does not know.
func (f *feature) unknown(r *Remote, p integrations.Person, email string) error {
	if email == "" {
		return commands.Refuse("stranger", fmt.Sprintf("%s knows people by their address, and the configuration has none of %s.", r.System, p.Display())).
			WithHint("Whoever keeps the configuration adds it under people: email. Nothing was done.")
	}
	return commands.Refuse("stranger", fmt.Sprintf("%s has no user with the address %s, which is that of %s.", r.System, email, p.Display())).
		WithHint("Whoever keeps the configuration gives them the address that they have there. Nothing was done.")
}

// known refuses those whom the other system does not know. While it does not answer
// everybody is taken for known: what is done in vain then is taken back later.
func (f *feature) known(ctx context.Context, r *Remote, p integrations.Person) error {
	if p.Email == "" {
		return f.unknown(r, p, "")
	}
	ctx, cancel := context.WithTimeout(ctx, knowFor)
	defer cancel()
	if err := r.Read.Knows(ctx, p.Email); errors.As(err, new(*integrations.RemoteStranger)) {
		return f.unknown(r, p, p.Email)
	}
	return nil
}

// asWhom looks, before an act on incidents is decided, whether whoever asks can act on them
// where they are kept.
func (f *feature) asWhom(ctx context.Context, c *commands.Call) error {
	r := f.remote()
	if r == nil || !slices.ContainsFunc(c.Verb.Args, func(a commands.Arg) bool { return a.Name == incidentArg.Name }) {
		return nil
	}
	theirs := false
	err := f.Store.View(func(tx *store.Tx) error {
		theirs = false
		if typed := c.Arg(incidentArg.Name); !slices.Contains([]string{"", "all", "mine"}, typed) {
			i, err := f.find(tx, c, typed)
			theirs = err == nil && i.open() && f.elsewhere(i) != nil
			return nil // the verb itself says what is wrong
		}
		all, err := openOnes(tx)
		for _, i := range all {
			theirs = theirs || f.elsewhere(i) != nil && i.Acked.IsZero()
		}
		return err
	})
	if err != nil || !theirs {
		return err
	}
	if err := f.known(ctx, r, c.Who); err != nil {
		return err
	}
	if to := c.Arg("to"); to != "" {
		if people, err := f.named(c, to); err == nil {
			return f.known(ctx, r, people[0])
		}
	}
	return nil
}

// whose is who somebody elsewhere is here, by the address.
func (f *feature) whose(p integrations.AlertPerson) (store.Person, bool) {
	if p.Email == "" {
		return store.Person{}, false
	}
	for _, one := range f.Catalog().People {
		if strings.EqualFold(one.Email, p.Email) {
			return gate.ToStore(one), true
		}
	}
	return store.Person{}, false
}

// calledThere says whether the other system calls somebody for an incident.
func (i *Incident) calledThere(p integrations.Person) bool {
	return i.Elsewhere != nil && slices.ContainsFunc(i.Elsewhere.Assigned, func(a integrations.AlertPerson) bool {
		return p.Email != "" && strings.EqualFold(a.Email, p.Email) || p.Name != "" && a.Email == "" && a.Name == p.Name
	})
}

// assigned are the names of those whom the other system calls.
func (i *Incident) assigned() (names []string) {
	if i.Elsewhere == nil {
		return nil
	}
	for _, a := range i.Elsewhere.Assigned {
		if a.Name != "" {
			names = append(names, a.Name)
		}
	}
	return names
}

// escalateThere has the other system call whoever is next.
func (f *feature) escalateThere(tx *store.Tx, c *commands.Call, i *Incident, r *Remote) (commands.Reply, error) {
	if text := strings.TrimSpace(c.Arg("text")); text != "" {
		i.note(Note{At: f.Clock.Now(), By: gate.ToStore(c.Who), Text: text})
		if err := f.wantThere(tx, c, i, Wish{Act: actNote, Text: text}); err != nil {
			return commands.Reply{}, err
		}
	}
	if err := f.wantThere(tx, c, i, Wish{Act: actEscalate}); err != nil {
		return commands.Reply{}, err
	}
	i.Touched = f.Clock.Now()
	return commands.Reply{Private: say(fmt.Sprintf("%s is asked to call whoever is next for %s.", r.System, i.ID))}, put(tx, i, true)
}

// reassignThere gives an incident to somebody there, who is paged for it.
func (f *feature) reassignThere(tx *store.Tx, c *commands.Call, i *Incident, r *Remote, to integrations.Person) (commands.Reply, error) {
	if to.Email == "" {
		return commands.Reply{}, f.unknown(r, to, "")
	}
	if err := f.wantThere(tx, c, i, Wish{Act: actReassign, To: integrations.RemoteTarget{Email: to.Email}}); err != nil {
		return commands.Reply{}, err
	}
	if !i.Acked.IsZero() {
		i.unack()
		if err := f.counted(tx, i, 0, -1); err != nil {
			return commands.Reply{}, err
		}
	}
	i.Owner, i.Touched = gate.ToStore(to), f.Clock.Now()
	i.Elsewhere.Assigned = []integrations.AlertPerson{{Name: to.Name, Email: to.Email}}
	return commands.Reply{Private: say(fmt.Sprintf("%s is asked to give %s to %s.", r.System, i.ID, to.Display()))}, put(tx, i, true)
}

package tell

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Notice is a surface that tells chat of an event. Which way it goes, and when, is
// for Raise to say, by the configuration.
type Notice struct {
	store.Surface        // but for its channel and what it stands under
	Event         string // integrations.EventLog …
	Service       string
	Environment   string
	Channel       string // where the event belongs; "" is nowhere
	Root          string // the surface of the card whose thread it may stand in
	// To is whom it concerns: a direct message goes to them.
	To store.Person
	// OnCall: somebody is asked who cannot wait for the morning.
	OnCall bool
}

// Raise opens what tells of an event, or marks it where it stands already. This is
// the one place that decides which way an event is told, whether it calls anybody,
// and whether it waits for the end of the quiet hours.
func Raise(tx *store.Tx, cat *integrations.Catalog, now time.Time, n Notice) error {
	_, err := tx.Surface(n.ID)
	if err == nil {
		return mark(tx, n.ID, false)
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	e, _ := integrations.NotifyEventOf(n.Event)
	env, _ := cat.Environment(n.Environment)
	s := n.Surface
	if s.Where = maps.Clone(s.Where); s.Where == nil {
		s.Where = map[string]string{}
	}
	s.Where["channel"] = n.Channel
	quiet := time.Time{}
	if e.Waits && !n.OnCall {
		quiet = env.Quiet.End(now)
	}
	s.After = quiet
	if !e.Calls {
		s.Where["silent"] = "yes"
	}
	switch way := cat.Way(n.Service, n.Environment, n.Event); way {
	case integrations.WayNone:
		return nil
	case integrations.WayDigest:
		return inDigest(tx, env, now, s)
	case integrations.WayDirect:
		if n.To.Slack != "" {
			s.Where["channel"] = n.To.Slack
			break
		}
		fallthrough // nobody knows their account
	case integrations.WayThread:
		there, err := stands(tx, n.Root)
		if err != nil {
			return err
		}
		switch {
		case there:
			s.Where["under"] = n.Root
		case !e.Calls: // a detail of what is not shown
			return nil
		}
	}
	if s.Where["channel"] == "" {
		return nil
	}
	return Open(tx, s)
}

func stands(tx *store.Tx, id string) (bool, error) {
	if id == "" {
		return false, nil
	}
	_, err := tx.Surface(id)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// DigestCard is the card of the message that tells a channel once a day of what
// waited for it; the things themselves stand in its thread.
const DigestCard = "digest"

const digestFeature = "digest"

// digested is one digest: the surfaces that stand in it.
type digested struct {
	Surfaces []string  `json:"surfaces"`
	At       time.Time `json:"at"`
}

// inDigest opens a surface in the thread of its channel's next digest.
func inDigest(tx *store.Tx, env integrations.Environment, now time.Time, s store.Surface) error {
	channel := s.Where["channel"]
	if channel == "" {
		return nil
	}
	at := env.Digest.Next(now)
	subject := strings.Join([]string{"digest", channel, at.UTC().Format(time.RFC3339)}, " ")
	all := store.Feature[digested](tx, digestFeature)
	d, found, err := all.Get(subject)
	if err != nil {
		return err
	}
	if d.At = at; !slices.Contains(d.Surfaces, s.ID) {
		d.Surfaces = append(d.Surfaces, s.ID)
	}
	if err := all.Put(subject, d); err != nil {
		return err
	}
	if !found {
		if err := pruneDigests(tx, now); err != nil {
			return err
		}
	}
	root := ID(s.Place, subject)
	err = Open(tx, store.Surface{ID: root, Place: s.Place, Card: DigestCard, Subject: subject, After: at, Where: map[string]string{"channel": channel, "silent": "yes"}})
	if err != nil {
		return err
	}
	s.Where["under"], s.After = root, at
	return Open(tx, s)
}

// Digest are the surfaces that stand in a digest, in the order in which they came;
// what was forgotten meanwhile is left out. ok says whether there is one.
func Digest(tx *store.Tx, subject string) (all []*store.Surface, ok bool, err error) {
	d, ok, err := store.Feature[digested](tx, digestFeature).Get(subject)
	if err != nil || !ok {
		return nil, false, err
	}
	for _, id := range d.Surfaces {
		s, err := tx.Surface(id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return nil, false, err
		}
		all = append(all, s)
	}
	return all, true, nil
}

// pruneDigests drops those whose day is long over; their messages stay.
func pruneDigests(tx *store.Tx, now time.Time) error {
	all := store.Feature[digested](tx, digestFeature)
	var old []string
	err := all.Each("", func(subject string, d digested) error {
		if now.Sub(d.At) > keepRollups {
			old = append(old, subject)
		}
		return nil
	})
	for _, subject := range old {
		err = errors.Join(err, all.Delete(subject), Forget(tx, subject))
	}
	return err
}

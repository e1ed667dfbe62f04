package oncall

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	cardSync = "oncall sync"

	// lookEvery is how often it is looked whether somebody changed a group or a topic by
	// hand that we have set.
	lookEvery = 6 * time.Hour
)

// Chat is what chat shows of who is on call. Errors are *integrations.Refused or
// *integrations.Gone until somebody changes something; any other is tried again.
type Chat interface {
	// SetGroupMembers gives a user group exactly these people, by their ids, and writes
	// nothing where it has them.
	SetGroupMembers(ctx context.Context, group string, users []string) error
	Topic(ctx context.Context, channel string) (string, error)
	SetTopic(ctx context.Context, channel, topic string) error
}

// A mirror is one place outside that shows who is on call: what it was last set to, when,
// and what keeps it from being set.
type mirror struct {
	Set  string    `json:"set"`
	At   time.Time `json:"at"`
	Why  string    `json:"why,omitempty"`
	Do   string    `json:"do,omitempty"`
	Tell int       `json:"tell,omitempty"` // how often it was told
}

func mirrors(tx *store.Tx) *store.Records[mirror] { return store.Feature[mirror](tx, "oncall mirror") }

// A shown is what a mirror should show.
type shown struct {
	key, channel string // the record's, and where it is said what keeps it from being set
	set          string
	why, do      string // what keeps it from being worked out
	write        func(ctx context.Context) error
}

// sync keeps user groups and topics in step with the rotations. They are projections:
// each is worked out anew from the timeline, and set when it is not as it should be.
func (f *Rota) sync(ctx context.Context) error {
	if f.Chat == nil {
		return nil
	}
	all, err := f.shown(f.Clock.Now())
	for _, s := range all {
		err = errors.Join(err, f.mirror(ctx, s))
	}
	return err
}

// shown is all that should be shown at a moment.
func (f *Rota) shown(now time.Time) (out []shown, err error) {
	cfg, cat := f.Config(), f.Catalog()
	err = f.Store.View(func(tx *store.Tx) error {
		groups, dark := map[string]*crew{}, map[string]bool{}
		var order []string
		var errs error
		for _, s := range cfg.Schedules {
			if s.Group == "" && !s.Topic {
				continue
			}
			all, err := overridesOf(tx, s.Name)
			if err != nil {
				return err
			}
			next, err := f.coming(tx, s, all, now, 1)
			if err != nil { // what shows others is kept in step all the same
				if dark[s.Group] = true; !unheard(err) {
					errs = errors.Join(errs, err)
				}
				continue
			}
			if s.Topic {
				out = append(out, f.topic(s, next[0]))
			}
			if s.Group == "" {
				continue
			}
			g := groups[s.Group]
			if g == nil {
				g = &crew{group: s.Group}
				groups[s.Group], order = g, append(order, s.Group)
			}
			g.add(cat, s, next[0])
		}
		for _, name := range order {
			if !dark[name] {
				out = append(out, groups[name].shown(f))
			}
		}
		return errs
	})
	return out, err
}

// A crew is who should be in a user group: those on call of all its schedules, and those
// who always are.
type crew struct {
	group, channel  string
	users, unlinked []string
}

func (g *crew) add(cat *integrations.Catalog, s Schedule, now integrations.Shift) {
	if g.channel == "" {
		g.channel = s.Channel
	}
	names := slices.Clone(s.Always)
	for _, d := range now.On {
		names = append(names, d.Person)
	}
	for _, n := range names {
		switch p := person(cat, n); {
		case p.Slack == "":
			g.unlinked = append(g.unlinked, n)
		case !slices.Contains(g.users, p.Slack):
			g.users = append(g.users, p.Slack)
		}
	}
}

func (g *crew) shown(f *Rota) shown {
	slices.Sort(g.users)
	s := shown{key: "group " + g.group, channel: g.channel, set: strings.Join(g.users, " ")}
	switch {
	case len(g.unlinked) > 0:
		s.why, s.do = fmt.Sprintf("the Slack account of %s is not known", strings.Join(g.unlinked, ", ")), "add it under `people` in the configuration"
	case len(g.users) == 0:
		s.why, s.do = "nobody is on call, and a user group cannot be empty", "those who were in it stay there"
	}
	s.write = func(ctx context.Context) error { return f.Chat.SetGroupMembers(ctx, g.group, g.users) }
	return s
}

// topic is what stands in the topic of a schedule's channel, between our marks; all else
// there is people's.
func (f *Rota) topic(s Schedule, now integrations.Shift) shown {
	text := names(now)
	if !now.End.IsZero() {
		text += " until " + now.End.In(s.zone()).Format(dayAndTime)
	}
	marks := s.Name
	if len(f.Config().Schedules) == 1 {
		marks = ""
	}
	return shown{key: "topic " + s.Name, channel: s.Channel, set: text, write: func(ctx context.Context) error {
		old, err := f.Chat.Topic(ctx, s.Channel)
		if err != nil {
			return err
		}
		next := f.WithTopic(old, marks, text)
		if next == old {
			return nil
		}
		return f.Chat.SetTopic(ctx, s.Channel, next)
	}}
}

// mirror sets one of them, if it is not known to be so. What is refused until somebody
// changes something is said once.
func (f *Rota) mirror(ctx context.Context, s shown) error {
	var m mirror
	err := f.Store.View(func(tx *store.Tx) (err error) { m, _, err = mirrors(tx).Get(s.key); return err })
	now := f.Clock.Now()
	if err != nil || m.Set == s.set && m.Why == s.why && now.Sub(m.At) < lookEvery {
		return err
	}
	if m.Why != "" && s.why == "" && m.Set == s.set && now.Sub(m.At) < lookEvery { // refused a moment ago
		return nil
	}
	why, do := s.why, s.do
	if why == "" {
		err := s.write(ctx)
		var no *integrations.Refused
		switch {
		case errors.As(err, &no):
			why, do = no.Why, no.Do
		case err != nil && integrations.ForGood(err):
			why = err.Error()
		case err != nil:
			f.Log.Warn("what chat shows of who is on call is not set yet", "what", s.key, "error", err)
			return nil
		}
	}
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		m, _, err := mirrors(tx).Get(s.key)
		if err != nil {
			return err
		}
		tells := why != "" && why != m.Why && s.channel != ""
		m.Set, m.At, m.Why, m.Do = s.set, now, why, do
		if tells {
			m.Tell++
		}
		if err := mirrors(tx).Put(s.key, m); err != nil || !tells {
			return err
		}
		return tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, s.key, fmt.Sprint(m.Tell)), Place: placeMessage, Card: cardSync, Subject: s.key,
			Where: map[string]string{"channel": f.Channel(s.channel), "silent": "yes", "why": why, "do": do}})
	})
}

// syncCard says what keeps a user group or a topic from being set, as it was then.
func (f *Rota) syncCard(_ *store.Tx, s *store.Surface) (integrations.Message, error) {
	kind, name, _ := strings.Cut(s.Subject, " ")
	what := integrations.R("The user group ", integrations.Bold("@"+strings.TrimPrefix(name, "@")), " does not follow who is on call: ")
	if kind == "topic" {
		what = integrations.R("The topic of this channel does not follow who is on call of ", integrations.Bold(name), ": ")
	}
	text := integrations.R("⚠️ ", what, s.Where["why"], ".")
	m := integrations.Message{Text: text.Plain(), Blocks: []integrations.Block{{Text: text}}}
	small := "I say this once; it is tried again by itself."
	if do := s.Where["do"]; do != "" {
		small = strings.ToUpper(do[:1]) + do[1:] + ". " + small
	}
	m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R(small)})
	return m, nil
}

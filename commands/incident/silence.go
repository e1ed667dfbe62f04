package incident

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A Silence keeps alerts from becoming incidents for a while. What they said is kept: what
// is still wrong at its end becomes an incident then.
type Silence struct {
	ID          string       `json:"id"` // "silence-1"
	What        string       `json:"what"`
	Environment string       `json:"environment,omitempty"`
	Reason      string       `json:"reason"`
	By          store.Person `json:"by"`
	From        time.Time    `json:"from"`
	Until       time.Time    `json:"until"`
	Over        bool         `json:"over,omitempty"`
	Count       int          `json:"count,omitempty"` // of alerts that it kept quiet
	// Recurs is the digest of the setting that it comes of by itself; "" is a person's.
	// Turn is when its turn ends by the setting.
	Recurs string    `json:"recurs,omitempty"`
	Turn   time.Time `json:"turn,omitzero"`
	// Held are the alerts that would have begun an incident, by their trails.
	Held map[string]integrations.Alert `json:"held,omitempty"`
	Lost int                           `json:"lost,omitempty"` // of those beyond mostHeld
}

const (
	mostHeld       = 500
	longestSilence = 14 * 24 * time.Hour
)

func silences(tx *store.Tx) *store.Records[Silence] { return store.Feature[Silence](tx, keptSilence) }

func (s *Silence) on(now time.Time) bool { return !s.Over && now.Before(s.Until) }

// covers says whether an alert is one of those: by its service, source, host or check.
func (s *Silence) covers(a integrations.Alert) bool {
	if s.Environment != "" && s.Environment != a.Environment {
		return false
	}
	what := integrations.Fold(s.What)
	return slices.ContainsFunc([]string{a.Service, a.Source, a.Host, a.Instance, a.Check}, func(one string) bool { return one != "" && integrations.Fold(one) == what })
}

// hush keeps an alert back: one that its source calls nobody for, or that somebody wants
// to hear nothing of.
func (f *feature) hush(tx *store.Tx, key string, a integrations.Alert) (bool, error) {
	if a.Silenced || a.Maintenance {
		return true, nil
	}
	hushed := false
	now := f.Clock.Now()
	if f.recurs(a) {
		if err := f.recur(tx, now); err != nil {
			return false, err
		}
	}
	all, err := activeSilences(tx, now)
	for _, s := range all {
		if err != nil || !s.covers(a) {
			continue
		}
		hushed = true
		if s.Count++; s.Held == nil {
			s.Held = map[string]integrations.Alert{}
		}
		if _, known := s.Held[key]; known || len(s.Held) < mostHeld {
			s.Held[key] = a
		} else {
			s.Lost++
		}
		err = silences(tx).Put(s.ID, s)
	}
	return hushed, err
}

// calm takes an alert out of the silences that hold it, also of those whose end is being
// looked into: it is well again.
func (f *feature) calm(tx *store.Tx, key string) error {
	all, err := silencesThat(tx, func(s *Silence) bool { _, held := s.Held[key]; return held && !s.Over })
	for _, s := range all {
		if err == nil {
			delete(s.Held, key)
			err = silences(tx).Put(s.ID, s)
		}
	}
	return err
}

func activeSilences(tx *store.Tx, now time.Time) ([]Silence, error) {
	return silencesThat(tx, func(s *Silence) bool { return s.on(now) })
}

func silencesThat(tx *store.Tx, is func(s *Silence) bool) (out []Silence, err error) {
	err = silences(tx).Each("", func(_ string, s Silence) error {
		if is(&s) {
			out = append(out, s)
		}
		return nil
	})
	return out, err
}

// over ends a silence: what it held and is wrong still becomes incidents.
func (f *feature) endSilence(tx *store.Tx, s Silence, cat *integrations.Catalog) (n int, err error) {
	held := s.Held
	if now := f.Clock.Now(); now.Before(s.Until) {
		s.Until = now
	}
	s.Over, s.Held = true, nil
	if err := silences(tx).Put(s.ID, s); err != nil {
		return 0, err
	}
	if err := tell.Mark(tx, s.ID, false); err != nil {
		return 0, err
	}
	for _, key := range sortedKeys(held) {
		a := held[key]
		if a.State == integrations.AlertFlapping {
			a.State = integrations.AlertFiring
		}
		i, err := f.take(tx, a, cat)
		if err != nil {
			return n, err
		}
		if i != nil {
			n++
		}
	}
	return n, nil
}

func (f *feature) silenceVerb() commands.Verb {
	return commands.Verb{
		Name: "silence", Summary: "Keep the alerts of something quiet for a while", Effect: commands.Changes, Right: right,
		Args: []commands.Arg{
			{Name: "what", Kind: commands.ArgWord, Help: "a service, a source, a host or a check"},
			{Name: "for", Kind: commands.ArgDuration, Help: "how long: 1h"},
			{Name: "reason", Kind: commands.ArgText, Help: "why"},
		},
		Flags:    []commands.Arg{{Name: "environment", Kind: commands.ArgEnvironment, Optional: true, Help: "only there"}},
		Examples: []string{"silence {service} 1h the database is moved"},
		Detail:   "What begins meanwhile is kept. What is still wrong at the end becomes an incident then.",
		Decide:   f.decide(f.silence),
	}
}

func (f *feature) silence(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
	long, err := time.ParseDuration(c.Arg("for"))
	if err != nil {
		return commands.Reply{}, err
	}
	if long <= 0 || long > longestSilence {
		return commands.Reply{}, commands.Refuse("too_long", "A silence lasts at most 14 days.").WithExample("silence " + c.Arg("what") + " 1d " + c.Arg("reason"))
	}
	now := f.Clock.Now()
	s := Silence{What: c.Arg("what"), Environment: c.Arg("environment"), Reason: strings.TrimSpace(c.Arg("reason")), By: gate.ToStore(c.Who), From: now, Until: now.Add(long)}
	if service, ok := c.Catalog.Service(s.What); ok {
		s.What = service.Name
	}
	if s.ID, err = tx.NextID("silence"); err != nil {
		return commands.Reply{}, err
	}
	if err := silences(tx).Put(s.ID, s); err != nil {
		return commands.Reply{}, err
	}
	if err := f.carry(tx, &s, c.Catalog); err != nil {
		return commands.Reply{}, err
	}
	reply := commands.Reply{Subject: s.ID, Environment: s.Environment}
	if c.Heard.Channel == "" {
		m, err := f.silenceMessage(tx, &s)
		reply.Public = &m
		return reply, err
	}
	where := map[string]string{"channel": c.Heard.Channel}
	if c.Heard.Thread != "" {
		where["thread"] = c.Heard.Thread
	}
	return reply, tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, s.ID), Place: placeMessage, Card: cardSilence, Subject: s.ID, Where: where})
}

// silenceCard is the message of a silence that somebody asked for, until it is over.
func (f *feature) silenceCard(tx *store.Tx, at *store.Surface) (integrations.Message, error) {
	s, found, err := silences(tx).Get(at.Subject)
	if err != nil || !found {
		return integrations.Message{Hold: true}, err
	}
	return f.silenceMessage(tx, &s)
}

func (f *feature) silenceMessage(tx *store.Tx, s *Silence) (integrations.Message, error) {
	by := gate.FromStore(s.By).Display()
	text := integrations.R("🔕 ", integrations.Code(s.ID), " ", integrations.Bold(s.where()), " is quiet until ", integrations.When(s.Until, nil), " · ", by, " · ", integrations.Italic(s.Reason))
	if !s.on(f.Clock.Now()) {
		text = integrations.R("🔔 ", integrations.Code(s.ID), " ", integrations.Bold(s.where()), " was quiet until ", integrations.When(s.Until, nil), " · ", by, " · ", integrations.Italic(s.Reason))
	}
	m := integrations.Message{Text: text.Plain(), Blocks: []integrations.Block{{Text: text}}}
	lines, err := f.carriedLines(tx, s.ID)
	for _, line := range lines {
		m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R(line)})
	}
	if s.on(f.Clock.Now()) {
		m.Blocks = append(m.Blocks, integrations.Block{Buttons: []integrations.Button{{Label: "End it", Command: "unsilence " + s.ID}}})
	}
	return m, err
}

// where is what is silent.
func (s *Silence) where() string {
	return where(gate.Incident{Service: s.What, Environment: s.Environment})
}

func (f *feature) unsilenceVerb() commands.Verb {
	return commands.Verb{
		Name: "unsilence", Summary: "End a silence before its time", Effect: commands.Changes, Right: right,
		Args:     []commands.Arg{{Name: "silence", Kind: commands.ArgWord, Help: "its id"}},
		Examples: []string{"unsilence silence-1"},
		Decide:   f.decide(f.unsilence),
	}
}

func (f *feature) unsilence(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
	id := integrations.Fold(c.Arg("silence"))
	s, found, err := silences(tx).Get(id)
	switch {
	case err != nil:
		return commands.Reply{}, err
	case !found:
		return commands.Reply{}, commands.Refuse("unknown_silence", fmt.Sprintf("No silence is called “%s”.", c.Arg("silence"))).WithExample("silences")
	case !s.on(f.Clock.Now()):
		return commands.Reply{}, commands.Refuse("over", fmt.Sprintf("%s is over already.", s.ID))
	}
	if err := f.lift(tx, s.ID); err != nil {
		return commands.Reply{}, err
	}
	if f.asks() {
		s.Until = f.Clock.Now()
		said := fmt.Sprintf("🔔 %s is over: %s may be heard again. What is still wrong is being looked up.", s.ID, s.What)
		return commands.Reply{Public: say(said), Subject: s.ID, Environment: s.Environment}, errors.Join(silences(tx).Put(s.ID, s), tell.Mark(tx, s.ID, false))
	}
	n, err := f.endSilence(tx, s, c.Catalog)
	if err != nil {
		return commands.Reply{}, err
	}
	text := fmt.Sprintf("🔔 %s is over: %s may be heard again.", s.ID, s.What)
	if n > 0 {
		text = fmt.Sprintf("🔔 %s is over: %s may be heard again. Still wrong: %d.", s.ID, s.What, n)
	}
	return commands.Reply{Public: say(text), Subject: s.ID, Environment: s.Environment}, nil
}

func (f *feature) silencesVerb() commands.Verb {
	return commands.Verb{
		Name: "silences", Summary: "List what is kept quiet", Effect: commands.Reads, Examples: []string{"silences"},
		Decide: f.decide(func(tx *store.Tx, _ *commands.Call) (commands.Reply, error) { return f.listSilences(tx) }),
	}
}

func (f *feature) listSilences(tx *store.Tx) (commands.Reply, error) {
	now := f.Clock.Now()
	all, err := activeSilences(tx, now)
	if err != nil {
		return commands.Reply{}, err
	}
	m := &integrations.Message{}
	add := func(row integrations.Rich) {
		m.Text += row.Plain() + "\n"
		m.Blocks = append(m.Blocks, integrations.Block{Text: row})
	}
	for _, s := range all {
		by := gate.FromStore(s.By).Display()
		if s.Recurs != "" {
			by = "every week"
		}
		add(integrations.R("🔕 ", integrations.Code(s.ID), " ", integrations.Bold(s.where()), " · until ", integrations.When(s.Until, nil), " · ", by, " · ", integrations.Italic(s.Reason), fmt.Sprintf(" · %d kept quiet", s.Count)))
		lines, err := f.carriedLines(tx, s.ID)
		if err != nil {
			return commands.Reply{}, err
		}
		for _, line := range lines {
			add(integrations.R(line))
		}
		m.Blocks = append(m.Blocks, integrations.Block{Buttons: []integrations.Button{{Label: "End it", Command: "unsilence " + s.ID}}})
	}
	for _, row := range f.toCome(now) {
		add(row)
	}
	if m.Text = strings.TrimSpace(m.Text); m.Text == "" {
		return commands.Reply{Private: say("Nothing is kept quiet.")}, nil
	}
	return commands.Reply{Private: m}, nil
}

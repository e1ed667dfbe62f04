package deploy

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A target that cannot be looked at may have drifted unseen, so that is told, too.

// blind is a time in which the looks at a target tell nothing, from the first that
// failed until one works. It has one message, which the looks after it edit.
type blind struct {
	Target string    `json:"target"`
	Job    string    `json:"job"` // the last look
	Why    string    `json:"why"`
	Tail   string    `json:"tail,omitempty"`
	Since  time.Time `json:"since"`
	Last   time.Time `json:"last"`
	Looks  int       `json:"looks"`
	Over   time.Time `json:"over,omitzero"`
}

// blindFeature keeps them by their id: "look-3".
const blindFeature = "blind"

const cardBlind = "drift look failed"

// blinded begins such a time, or adds a look to the one that goes on. A look during
// which something began to change the target was bound to fail.
func (f *feature) blinded(tx *store.Tx, j *store.Job, l *look) error {
	if by, err := f.busy(tx, j.Target); err != nil || by != "" {
		return err
	}
	all := store.Feature[blind](tx, blindFeature)
	var b blind
	var err error
	if l.Blind != "" {
		if b, _, err = all.Get(l.Blind); err != nil {
			return err
		}
	} else if l.Blind, err = tx.NextID("look"); err != nil {
		return err
	}
	now := f.Clock.Now()
	t, _ := f.Catalog().Target(j.Target)
	if b.Looks++; b.Looks == 1 {
		b.Target, b.Since = j.Target, now
		err := tx.Audit(store.AuditRow{Act: "drift look", Subject: l.Blind, Environment: t.Environment, Target: j.Target, Outcome: "failed", Detail: j.Why, Via: "runner"})
		if err != nil {
			return err
		}
	}
	b.Job, b.Why, b.Tail, b.Last = j.ID, l.Error, j.Tail, now
	if err := all.Put(l.Blind, b); err != nil {
		return err
	}
	env, _ := f.Catalog().Environment(t.Environment)
	return tell.Raise(tx, f.Catalog(), now, tell.Notice{Event: integrations.EventDrift, Environment: t.Environment, Channel: f.home(env),
		Surface: store.Surface{ID: tell.ID(placeMessage, l.Blind), Place: placeMessage, Card: cardBlind, Subject: l.Blind}})
}

// sees ends the time that goes on, if one does.
func (f *feature) sees(tx *store.Tx, l *look) error {
	if l.Blind == "" {
		return nil
	}
	all := store.Feature[blind](tx, blindFeature)
	b, _, err := all.Get(l.Blind)
	if err != nil {
		return err
	}
	b.Over = f.Clock.Now()
	if err := all.Put(l.Blind, b); err != nil {
		return err
	}
	t, _ := f.Catalog().Target(b.Target)
	err = tx.Audit(store.AuditRow{Act: "drift look", Subject: l.Blind, Environment: t.Environment, Target: b.Target, Outcome: "works again", Via: "runner"})
	if err != nil {
		return err
	}
	id := l.Blind
	l.Blind = ""
	return tell.Mark(tx, id, true)
}

// blindCard is the one message of such a time.
func (f *feature) blindCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	b, ok, err := store.Feature[blind](tx, blindFeature).Get(s.Subject)
	if err != nil || !ok {
		return integrations.Message{Hold: true}, err
	}
	why := strings.TrimSuffix(b.Why, ".")
	if !b.Over.IsZero() {
		text := integrations.R("✅ ", integrations.Bold(b.Target), " can be looked at for drift again, after ", gate.Age(b.Over.Sub(b.Since)), ". What failed: ", why, ".")
		return integrations.Message{Text: text.Plain(), Blocks: []integrations.Block{{Text: text}}}, nil
	}
	text := integrations.R("⚠️ ", integrations.Bold(b.Target), " cannot be looked at for drift: ", why, ". What changed it meanwhile is not seen.")
	m := integrations.Message{Text: text.Plain(), Blocks: []integrations.Block{{Text: text}}}
	buttons, err := f.blindMends(tx, b, &m)
	if err != nil {
		return m, err
	}
	buttons = append(buttons, integrations.Button{Label: "Log", Command: "log " + b.Job}, integrations.Button{Label: "Look again", Command: "drift " + b.Target})
	m.Blocks = append(m.Blocks, integrations.Block{Buttons: buttons})
	if b.Tail != "" {
		m.Blocks = append(m.Blocks, integrations.Block{Code: lastWords(b.Tail, 8)})
	}
	failed := "failed once, " + gate.Clock(b.Since)
	if b.Looks > 1 {
		failed = fmt.Sprintf("failed %d times, first %s, last %s", b.Looks, gate.Clock(b.Since), gate.Clock(b.Last))
	}
	m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R(integrations.Code(b.Job), " · ", failed)})
	return m, nil
}

// blindMends are the buttons of what the look that failed last offers; how the rest of
// its offers stand is said in the message.
func (f *feature) blindMends(tx *store.Tx, b blind, m *integrations.Message) ([]integrations.Button, error) {
	j, err := tx.Job(b.Job)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	buttons, lines, err := f.mendButtons(tx, j)
	for _, l := range lines {
		m.Blocks = append(m.Blocks, integrations.Block{Text: l})
	}
	return buttons, err
}

package deploy

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// episode is one drift of a target, from the look that found it until it is gone.
// It has one message, which the looks after it edit.
type episode struct {
	Target string             `json:"target"`
	SHA    string             `json:"sha"` // what was applied last
	Op     string             `json:"op"`  // by which operation
	URL    string             `json:"url,omitempty"`
	Plans  integrations.Plans `json:"plans"` // as they were at the last look
	Since  time.Time          `json:"since"`
	Last   time.Time          `json:"last"`
	Looks  int                `json:"looks"`
	Gone   time.Time          `json:"gone,omitzero"`
	How    string             `json:"how,omitempty"`
	// Record is the newest of the Records pull requests that were opened for it.
	Record      *recorded `json:"record,omitempty"`
	Records     int       `json:"records,omitempty"`
	RecordError string    `json:"record_error,omitempty"`
}

// episodeFeature keeps episodes by their id: "drift-3".
const episodeFeature = "drift"

const cardDrift = "drift"

// drifted begins an episode, or adds a look to the one that goes on.
func (f *feature) drifted(tx *store.Tx, j *store.Job, l *look, last gate.Attempted, plans integrations.Plans) error {
	all := store.Feature[episode](tx, episodeFeature)
	var e episode
	var err error
	if l.Drifted != "" {
		if e, _, err = all.Get(l.Drifted); err != nil {
			return err
		}
	} else if l.Drifted, err = tx.NextID("drift"); err != nil {
		return err
	}
	now := f.Clock.Now()
	if e.Looks++; e.Looks == 1 {
		e.Target, e.Since = j.Target, now
		t, _ := f.Catalog().Target(j.Target)
		err := tx.Audit(store.AuditRow{Act: "drift", Subject: l.Drifted, Environment: t.Environment, Target: j.Target, Outcome: "found", Detail: plans.String(), Via: "runner"})
		if err != nil {
			return err
		}
	}
	e.SHA, e.Op, e.Plans, e.Last = last.Good.SHA, last.Good.Op, plans, now
	if e.URL, err = f.filesURL(tx, j.Target); err != nil {
		return err
	}
	if err := all.Put(l.Drifted, e); err != nil {
		return err
	}
	t, _ := f.Catalog().Target(j.Target)
	env, _ := f.Catalog().Environment(t.Environment)
	return tell.Raise(tx, f.Catalog(), now, tell.Notice{Event: integrations.EventDrift, Environment: t.Environment, Channel: f.home(env),
		Surface: store.Surface{ID: tell.ID(placeMessage, l.Drifted), Place: placeMessage, Card: cardDrift, Subject: l.Drifted}})
}

// filesURL is where the files of a target stand on the forge; "" where no pull
// request has told us its address.
func (f *feature) filesURL(tx *store.Tx, target string) (string, error) {
	ops, err := tx.OperationsByTarget(target, recentOperations)
	if err != nil {
		return "", err
	}
	t, _ := f.Catalog().Target(target)
	dir := ""
	if len(t.Paths) > 0 {
		whole, _, _ := strings.Cut(t.Paths[0], "*")
		dir = strings.TrimSuffix(path.Dir(whole+"x"), ".")
	}
	for _, op := range ops {
		if root, _, ok := strings.Cut(op.PRURL, "/pull/"); ok {
			return strings.TrimSuffix(root+"/tree/"+t.Base+"/"+dir, "/"), nil
		}
	}
	return "", nil
}

// driftGone ends the episode that goes on, if one does.
func (f *feature) driftGone(tx *store.Tx, l *look, how string) error {
	if l.Drifted == "" {
		return nil
	}
	all := store.Feature[episode](tx, episodeFeature)
	e, _, err := all.Get(l.Drifted)
	if err != nil {
		return err
	}
	e.Gone, e.How = f.Clock.Now(), how
	if err := all.Put(l.Drifted, e); err != nil {
		return err
	}
	t, _ := f.Catalog().Target(e.Target)
	err = tx.Audit(store.AuditRow{Act: "drift", Subject: l.Drifted, Environment: t.Environment, Target: e.Target, Outcome: "gone", Detail: how, Via: "runner"})
	if err != nil {
		return err
	}
	id := l.Drifted
	l.Drifted = ""
	return tell.Mark(tx, id, true)
}

// driftShown says whether the message of a drift shows what a look found.
func (f *feature) driftShown(tx *store.Tx, j *store.Job) (bool, error) {
	if j.Kind != kindDrift {
		return false, nil
	}
	l, _, err := store.Feature[look](tx, lookFeature).Get(j.Target)
	return l.Drifted != "", err
}

// driftCard is the one message of an episode.
func (f *feature) driftCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	e, ok, err := store.Feature[episode](tx, episodeFeature).Get(s.Subject)
	if err != nil || !ok {
		return integrations.Message{Hold: true}, err
	}
	last := integrations.R("; last applied ", integrations.Code(short(e.SHA)), " by ", e.Op)
	line, button, err := f.recordLine(tx, e)
	if err != nil {
		return integrations.Message{}, err
	}
	if !e.Gone.IsZero() {
		text := integrations.R("✅ ", integrations.Bold(e.Target), " is as it was merged again: ", e.How, ". It had drifted since ", gate.Clock(e.Since), ": ", integrations.Code(e.Plans.String()), last)
		m := integrations.Message{Text: s.Subject + " " + text.Plain(), Blocks: []integrations.Block{{Text: text}}}
		if e.Record != nil {
			m.Text += " · " + line.Plain()
			m.Blocks = append(m.Blocks, integrations.Block{Context: line})
		}
		return m, nil
	}
	text := integrations.R("🌊 ", integrations.Bold(e.Target), " has drifted: ", integrations.Code(e.Plans.String()), last)
	m := integrations.Message{Text: s.Subject + " " + text.Plain(), Blocks: []integrations.Block{{Text: text},
		{Text: integrations.R("Something changed it that nobody merged. If it should be as merged, re-apply; if the change is right, write it into the code: Open a PR begins one that puts this on record.")}}}
	if w := (view{plans: e.Plans}).warning(); w != nil {
		m.Blocks = append(m.Blocks, integrations.Block{Text: w})
	}
	buttons := []integrations.Button{{Label: "Re-apply", Command: "reapply " + e.Target, Version: stampOf(e.Plans.Digest()), Style: "danger",
		Confirm: fmt.Sprintf("Apply %s on %s again, over what changed it (%s)?", short(e.SHA), e.Target, e.Plans)}}
	buttons = append(buttons, button)
	if line != nil {
		m.Text += " · " + line.Plain()
		m.Blocks = append(m.Blocks, integrations.Block{Text: line})
	}
	if e.URL != "" {
		buttons = append(buttons, integrations.Button{Label: "Files", URL: e.URL})
	}
	seen := "seen once, " + gate.Clock(e.Since)
	if e.Looks > 1 {
		seen = fmt.Sprintf("seen %d times, first %s, last %s", e.Looks, gate.Clock(e.Since), gate.Clock(e.Last))
	}
	m.Blocks = append(m.Blocks, integrations.Block{Buttons: buttons})
	if p := planText(e.Plans, 2000); p != "" {
		m.Blocks = append(m.Blocks, integrations.Block{Code: p})
	}
	m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R(integrations.Code(s.Subject), " · ", seen)})
	return m, nil
}

package deploy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// offered is an offer as the job that made it keeps it.
type offered struct {
	integrations.Offer
	Step    int    `json:"step"`
	By      string `json:"by"`             // the step, as it describes itself
	Attempt int    `json:"attempt"`        // it is good for what this attempt left
	Job     string `json:"job,omitempty"`  // that was asked for last to do it
	Done    string `json:"done,omitempty"` // what came of it
}

// same says whether two offers are of one kind, of one step and attempt: the later one
// takes the place of the other.
func (o offered) same(p offered) bool {
	return o.Kind == p.Kind && o.Step == p.Step && o.Attempt == p.Attempt
}

// atStep is the error of a step with offers; it says which step made them.
type atStep struct {
	step int
	by   string
	error
}

func (e *atStep) Unwrap() error { return e.error }

// ofStep notes which step's error it is, where it offers something.
func ofStep(i int, s integrations.Applier, err error) error {
	if len(integrations.Offers(err)) == 0 {
		return err
	}
	return &atStep{step: i, by: s.Describe(), error: err}
}

// offering is an end that keeps what its error offers.
func offering(end runner.End) runner.End {
	var at *atStep
	if !errors.As(end.Err, &at) {
		return end
	}
	save := end.Save
	end.Save = func(tx *store.Tx, j *store.Job) error {
		if save != nil {
			if err := save(tx, j); err != nil {
				return err
			}
		}
		rec := recordOf(j)
		for _, o := range integrations.Offers(at) {
			rec.offer(offered{Offer: o, Step: at.step, By: at.by, Attempt: j.Attempt})
		}
		return setRecord(j, rec)
	}
	return end
}

// offer adds an offer, in the place of one like it.
func (r *record) offer(o offered) {
	if i := slices.IndexFunc(r.Offers, o.same); i >= 0 {
		r.Offers[i] = o
		return
	}
	r.Offers = append(r.Offers, o)
}

// seen takes in what a probe of a step has to offer: all that there is now. What it does
// not offer any more is gone, and what was done stays told.
func (r *record) seen(attempt, step int, by string, now []integrations.Offer) {
	r.Offers = slices.DeleteFunc(r.Offers, func(o offered) bool {
		return o.Step == step && o.Attempt == attempt && o.Done == "" &&
			!slices.ContainsFunc(now, func(p integrations.Offer) bool { return p.Kind == o.Kind && p.Key == o.Key })
	})
	for _, o := range now {
		fresh := offered{Offer: o, Step: step, By: by, Attempt: attempt}
		if i := slices.IndexFunc(r.Offers, fresh.same); i < 0 || r.Offers[i].Key != o.Key || r.Offers[i].Done != "" {
			r.offer(fresh)
		}
	}
}

// taken notes that a job does an offer, and done what came of it.
func (r *record) taken(o offered, by *store.Job) {
	if i := slices.IndexFunc(r.Offers, o.same); i >= 0 {
		r.Offers[i].Job = by.ID
	}
}

func (r *record) done(o offered, by *store.Job, did string) {
	if i := slices.IndexFunc(r.Offers, o.same); i >= 0 && r.Offers[i].Key == o.Key {
		r.Offers[i].Job, r.Offers[i].Done = by.ID, did
	}
}

// offersOf are those of a job's last attempt, once that is over.
func offersOf(j *store.Job) []offered {
	if j.State != store.JobFailed && j.State != store.JobCancelled && j.State != store.JobUnknown {
		return nil
	}
	return slices.DeleteFunc(recordOf(j).Offers, func(o offered) bool { return o.Attempt != j.Attempt })
}

// mending is the job that does an offer just now; nil where none does.
func mending(tx *store.Tx, o offered) (*store.Job, error) {
	if o.Job == "" || o.Done != "" {
		return nil, nil
	}
	j, err := tx.Job(o.Job)
	if errors.Is(err, store.ErrNotFound) || err == nil && j.Terminal() {
		return nil, nil
	}
	return j, err
}

func mendButton(j *store.Job, o offered) integrations.Button {
	return integrations.Button{Label: o.Label, Command: "mend " + j.ID + " " + o.Kind, Version: stampOf(o.Key), Style: "danger", Confirm: o.Confirm}
}

// retryOver is the button of a retry that does what the offer warns of.
func retryOver(j *store.Job, o offered) integrations.Button {
	mind := fmt.Sprintf("Plan and apply %s again? Mind: %s.", j.Target, o.Retry)
	if j.State == store.JobUnknown {
		return integrations.Button{Label: "Retry", Command: "resolve " + j.ID + " retry", Version: stampOf(o.Key), Confirm: mind}
	}
	return integrations.Button{Label: "Retry", Command: "retry " + j.ID, Version: stampOf(o.Key), Confirm: mind}
}

// harm is the first thing not set right that makes a retry do harm.
func harm(j *store.Job) (offered, bool) {
	for _, o := range offersOf(j) {
		if o.Retry != "" && o.Done == "" {
			return o, true
		}
	}
	return offered{}, false
}

// mendButtons are those of what a job offers and nobody does just now, and lines says
// of the others how they stand, and what is offered where nothing else on a card does.
func (f *feature) mendButtons(tx *store.Tx, j *store.Job) (buttons []integrations.Button, lines []integrations.Rich, err error) {
	said := j.Why + recordOf(j).Probe
	for _, o := range offersOf(j) {
		by, err := mending(tx, o)
		switch {
		case err != nil:
			return nil, nil, err
		case o.Done != "":
			lines = append(lines, integrations.R("🔧 ", upper(o.Done), " (", integrations.Code(o.Job), ")"))
		case by != nil:
			lines = append(lines, integrations.R("🔧 ", integrations.Code(by.ID), " is at it, as ", integrations.Who(known(f.Catalog(), by.Requester)), " asked: ", o.Label, "."))
		default:
			buttons = append(buttons, mendButton(j, o))
			if !strings.Contains(said, o.Words) && !strings.Contains(said, upper(o.Words)) {
				lines = append(lines, integrations.R("✋ ", upper(o.Words), "."))
			}
		}
	}
	return buttons, lines, nil
}

const cardMend = "mend"

// mendCard is the post about what is set right because a person asked.
func (f *feature) mendCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	j, err := tx.Job(s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	o := recordOf(j).Mend
	if o == nil {
		return integrations.Message{Hold: true}, nil
	}
	text := integrations.R("🔧 ", integrations.Bold(j.Target), ": ", o.Label, ", as ", integrations.Who(known(f.Catalog(), j.Requester)), " asked; ", o.Words, " · ", integrations.Bold(j.State))
	m := integrations.Message{Text: j.ID + " " + text.Plain(), Blocks: []integrations.Block{{Text: text}}}
	if j.Why != "" {
		m.Text += " · " + j.Why
		m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R(upper(strings.TrimSuffix(j.Why, ".")) + ".")})
	}
	if j.State == store.JobFailed && j.FailedStep != "" && j.Tail != "" {
		m.Blocks = append(m.Blocks, integrations.Block{Code: lastWords(j.Tail, 10)})
	}
	m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R(integrations.Code(j.ID), " · about ", integrations.Code(recordOf(j).From))})
	return m, nil
}

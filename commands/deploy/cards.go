package deploy

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// logCard is the log's end, in the thread of the operation's card.
func (f *feature) logCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	j, err := tx.Job(s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	if j.Tail == "" {
		return integrations.Message{Hold: true}, nil
	}
	if rings, err := followed(tx, j); s.Ref == "" && (err != nil || rings && !wentWrong(j)) {
		return integrations.Message{Hold: true}, err
	}
	head := fmt.Sprintf("%s, attempt %d: %s", j.Target, j.Attempt, j.State)
	return integrations.Message{
		Text:   j.ID + " " + head,
		Blocks: []integrations.Block{{Text: integrations.R(integrations.Code(j.ID), " ", head)}, {Code: j.Tail}},
	}, nil
}

// jobAndOperation reads a job and the operation that it belongs to.
func jobAndOperation(tx *store.Tx, id string) (*store.Job, *store.Operation, error) {
	j, err := tx.Job(id)
	if err != nil {
		return nil, nil, err
	}
	op, err := tx.Operation(j.Operation)
	return j, op, err
}

// attentionCard calls whoever asked for what a job now needs from a person.
func (f *feature) attentionCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	j, op, err := jobAndOperation(tx, s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	was := s.Where["state"]
	if overBefore(s, j.State != was || strconv.Itoa(j.Attempt) != s.Where["attempt"]) {
		return integrations.Message{Hold: true}, nil
	}
	what := map[string]string{
		store.JobFailed:  "did not work",
		store.JobBlocked: "is blocked and waits for somebody",
		store.JobUnknown: "was interrupted, and somebody has to say how it ended",
	}[was]
	switch {
	case j.Kind == kindPlan:
		what = "could not be planned"
	case was == store.JobBlocked && byTime(j):
		what = "waits for a time"
	}
	text := integrations.R(integrations.Who(known(f.Catalog(), op.Requester)), ": ", integrations.Bold(j.Target), " ", what)
	if j.State != was || strconv.Itoa(j.Attempt) != s.Where["attempt"] {
		text = integrations.R(text, "; since then ", j.ID, " is ", j.State, ".")
	} else {
		text = integrations.R(text, ": ", strings.TrimSuffix(j.Why, "."), ".")
	}
	m := integrations.Message{Text: op.ID + " " + text.Plain(), Asks: j.State == was && strconv.Itoa(j.Attempt) == s.Where["attempt"],
		Blocks: []integrations.Block{{Text: text}}}
	if !m.Asks || was != store.JobUnknown {
		return m, nil
	}
	// The card of the operation speaks of one job at a time; where it has several,
	// another one may come first there, and each is settled where it is told of.
	applies, err := subject{op: op}.applies(tx)
	if err != nil {
		return m, err
	}
	if len(applies) > 1 {
		mends, _, err := f.mendButtons(tx, j)
		if err != nil {
			return m, err
		}
		m.Blocks = append(m.Blocks, integrations.Block{Buttons: append(mends, settling(j)...)})
	}
	return m, nil
}

// logFileCard is the whole log, once the job is over.
func (f *feature) logFileCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	j, err := tx.Job(s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	if !j.Terminal() || j.Attempt == 0 || s.Where["always"] == "" && !wentWrong(j) {
		return integrations.Message{Hold: true}, nil
	}
	path, err := runner.WholeLog(j)
	if err != nil {
		return integrations.Message{}, err
	}
	if path == "" {
		return integrations.Message{Hold: true}, nil
	}
	name := strings.ReplaceAll(j.Target, "/", "-") + "-" + j.ID + ".log"
	title := fmt.Sprintf("%s of %s, attempt %d", j.ID, j.Target, j.Attempt)
	return integrations.Message{Text: "The whole log of " + j.Target, File: &integrations.File{Name: name, Path: path, Title: title}}, nil
}

// confirmCard asks about a plan that nobody reviewed. It is asked once for each
// change set; when that is settled the message says so and loses its buttons.
func (f *feature) confirmCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	j, op, err := jobAndOperation(tx, s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	rec := recordOf(j)
	digest := rec.Plans.Digest()
	if j.State != store.JobNeedsConfirm || digest != s.Where["digest"] {
		end := j.State
		if digest == s.Where["digest"] && j.ConfirmedBy != nil && j.ConfirmedDigest == digest {
			end = "confirmed by " + gate.FromStore(*j.ConfirmedBy).Display()
		}
		text := fmt.Sprintf("%s %s: the plan of %s that was asked about here is settled: %s", op.ID, j.State, j.Target, end)
		return integrations.Message{Text: text, Blocks: []integrations.Block{{Text: integrations.R(text)}}}, nil
	}
	text := fmt.Sprintf("%s %s: %s would change %s; %s", op.ID, j.State, j.Target, rec.Plans, rec.Differs)
	if op.PRURL != "" {
		text += " · " + op.PRURL
	}
	m := integrations.Message{Text: text, Asks: true, Blocks: []integrations.Block{
		{Text: integrations.R("✋ ", integrations.Bold("Confirm the plan of "+j.Target), " · ", integrations.Code(rec.Plans.String()))},
		{Text: integrations.R(upper(rec.Differs), ".")},
	}}
	if w := (view{plans: rec.Plans}).warning(); w != nil {
		m.Blocks = append(m.Blocks, integrations.Block{Text: w})
	}
	st := stampOf(digest)
	m.Blocks = append(m.Blocks, integrations.Block{Buttons: []integrations.Button{
		{Label: "Confirm", Command: "confirm " + j.ID, Version: st, Style: "primary", Confirm: fmt.Sprintf("Apply %s on %s?", rec.Plans, j.Target)},
		{Label: "Cancel", Command: "cancel " + j.ID, Confirm: "Drop this apply? The merge stays."},
	}})
	if p := planText(rec.Plans, 2000); p != "" {
		m.Blocks = append(m.Blocks, integrations.Block{Code: p})
	}
	m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R(integrations.Code(op.ID), " · ", integrations.Code(j.ID), " · digest ", integrations.Code(digest))})
	return m, nil
}

func planText(plans integrations.Plans, limit int) string {
	var parts []string
	for _, p := range plans {
		if t := strings.TrimSpace(p.Text); t != "" {
			parts = append(parts, t)
		}
		parts = append(parts, p.Notes...)
	}
	text := strings.Join(parts, "\n\n")
	if r := []rune(text); len(r) > limit {
		text = string(r[:limit]) + "\n… cut; the pull request has more"
	}
	return text
}

// planCard is the answer to a plan that was asked for in chat.
func (f *feature) planCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	j, err := tx.Job(s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	rec := recordOf(j)
	about := short(j.SHA)
	if j.PR > 0 {
		about = fmt.Sprintf("%s#%d at %s", j.Repo, j.PR, short(j.SHA))
	}
	switch {
	case j.State == store.JobSucceeded:
	case j.Terminal():
		text := fmt.Sprintf("%s: the plan of %s at %s did not work: %s", j.ID, j.Target, about, j.Why)
		m := integrations.Message{Text: text, Blocks: []integrations.Block{{Text: integrations.R("❌ ", text)}}}
		mends, lines, err := f.mendButtons(tx, j)
		if err != nil {
			return m, err
		}
		for _, l := range lines {
			m.Blocks = append(m.Blocks, integrations.Block{Text: l})
		}
		if len(mends) > 0 {
			m.Blocks = append(m.Blocks, integrations.Block{Buttons: mends})
		}
		if j.Tail != "" {
			m.Blocks = append(m.Blocks, integrations.Block{Code: lastWords(j.Tail, 10)})
		}
		return m, nil
	default:
		text := fmt.Sprintf("%s: planning %s at %s", j.ID, j.Target, about)
		return integrations.Message{Text: text, Blocks: []integrations.Block{{Text: integrations.R("🔷 ", text)}}}, nil
	}
	text := fmt.Sprintf("%s: plan of %s at %s: %s", j.ID, j.Target, about, rec.Plans)
	m := integrations.Message{Text: text, Blocks: []integrations.Block{{Text: integrations.R("📋 ", integrations.Bold("Plan of "+j.Target), " at ", about, " · ", integrations.Code(rec.Plans.String()))}}}
	if w := (view{plans: rec.Plans}).warning(); w != nil {
		m.Blocks = append(m.Blocks, integrations.Block{Text: w})
	}
	drifted, err := f.driftShown(tx, j)
	if err != nil {
		return m, err
	}
	if rec.Line != "" && !rec.Plans.Empty() {
		m.Blocks = append(m.Blocks, integrations.Block{Buttons: []integrations.Button{{Label: "Deploy", Command: rec.Line, Style: "primary", Confirm: "Open the deploy pull request?"}}})
	}
	if p := planText(rec.Plans, 2500); p != "" && !drifted {
		m.Blocks = append(m.Blocks, integrations.Block{Code: p})
	}
	return m, nil
}

func (f *feature) pullOf(tx *store.Tx, subject string) (*store.Pull, *store.Operation, error) {
	var repoID int64
	var number int
	if _, err := fmt.Sscanf(subject, "pull %d %d", &repoID, &number); err != nil {
		return nil, nil, fmt.Errorf("read the subject %q: %w", subject, err)
	}
	p, err := tx.Pull(repoID, number)
	if err != nil {
		return nil, nil, err
	}
	if p.Operation == "" {
		return p, nil, nil
	}
	op, err := tx.Operation(p.Operation)
	return p, op, err
}

// commentCard shows a pull request's plans on GitHub, and after the merge how
// the applies ended.
func (f *feature) commentCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	p, op, err := f.pullOf(tx, s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	m := integrations.Message{Text: "signalbox", Blocks: []integrations.Block{{Header: "Plan"}}}
	for _, t := range expected(p, op) {
		planned, ok := p.Plans[t]
		if !ok {
			continue
		}
		m.Blocks = append(m.Blocks, planBlocks(t, p, planned)...)
		if planned.Head == p.Head && planned.State == "failed" {
			tail, err := tailOf(tx, planned.Job)
			if err != nil {
				return m, err
			}
			if tail != "" {
				m.Blocks = append(m.Blocks, integrations.Block{Code: lastLines(tail, 30)})
			}
		}
	}
	m.Blocks = append(m.Blocks, f.gateBlocks(tx, p, op)...)
	m.Blocks = append(m.Blocks, tooLateBlocks(op)...)
	ends, err := f.endBlocks(tx, p)
	if err != nil {
		return m, err
	}
	m.Blocks = append(m.Blocks, ends...)
	if op != nil {
		m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R("Operation ", integrations.Code(op.ID), ", asked for by ", integrations.Who(gate.FromStore(op.Requester)), ".")})
	}
	return m, nil
}

func planBlocks(target string, p *store.Pull, planned store.Planned) []integrations.Block {
	at := integrations.R(" at ", integrations.Code(short(planned.Head)))
	switch {
	case planned.Head == p.Head && renewing(planned):
		return []integrations.Block{{Text: integrations.R("🔷 ", integrations.Bold(target), at, ": it was ", integrations.Code(plansOf(planned).String()), ", and is planned again because the target was changed since")}}
	case planned.Head != p.Head || planned.State == "pending":
		return []integrations.Block{{Text: integrations.R("🔷 ", integrations.Bold(target), " is being planned at ", integrations.Code(short(p.Head)))}}
	case planned.State == "failed":
		return []integrations.Block{{Text: integrations.R("❌ ", integrations.Bold(target), at, ": ", planned.Why)}}
	}
	plans := plansOf(planned)
	out := []integrations.Block{{Text: integrations.R("📋 ", integrations.Bold(target), at, ": ", integrations.Code(plans.String()))}}
	if w := (view{plans: plans}).warning(); w != nil {
		out = append(out, integrations.Block{Text: w})
	}
	if t := planText(plans, 20000); t != "" {
		out = append(out, integrations.Block{Details: &integrations.Details{Title: "Plan of " + target, Code: t}})
	}
	return out
}

func (f *feature) endBlocks(tx *store.Tx, p *store.Pull) ([]integrations.Block, error) {
	jobs, err := tx.JobsByPull(p.RepoID, p.Number)
	if err != nil {
		return nil, err
	}
	var out []integrations.Block
	for _, j := range jobs {
		if j.Kind != kindApply {
			continue
		}
		text := integrations.R(icon(j.State)+" ", integrations.Bold(j.Target), " at ", integrations.Code(short(j.SHA)), ": ", integrations.Bold(j.State))
		if plans := recordOf(j).Plans; len(plans) > 0 {
			text = integrations.R(text, " ", integrations.Code(plans.String()))
		}
		if j.Why != "" {
			text = integrations.R(text, ", ", j.Why)
		}
		out = append(out, integrations.Block{Text: text})
		if j.State == store.JobFailed && j.Tail != "" {
			out = append(out, integrations.Block{Code: lastLines(j.Tail, 30)})
		}
	}
	if len(out) > 0 {
		out = append([]integrations.Block{{Header: "Apply"}}, out...)
	}
	return out, nil
}

// targetCard is a target's own status: the plan before the merge.
func (f *feature) targetCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	p, _, err := f.pullOf(tx, s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	planned := p.Plans[s.Where["target"]]
	state, text := "pending", "waiting to be planned"
	switch {
	case planned.Head != s.Where["sha"]:
	case renewing(planned):
		text = "being planned again after a change of the target; it was " + plansOf(planned).String()
	case planned.State == "pending":
		text = "being planned"
	case planned.State == "done":
		state, text = "success", "plan "+plansOf(planned).String()
	default:
		state, text = "failure", planned.Why
	}
	return integrations.Message{Text: text, Status: &integrations.Status{Context: s.Where["context"], State: state, Description: text}}, nil
}

// deploymentCard is an apply as GitHub's deployments show it.
func (f *feature) deploymentCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	j, op, err := jobAndOperation(tx, s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	d := &integrations.Deployment{Ref: j.SHA, Environment: op.Environment, Task: "deploy:" + j.Target, Description: j.Target + ": " + j.State}
	switch j.State {
	case store.JobQueued, store.JobBlocked, store.JobNeedsConfirm:
		d.State = "queued"
	case store.JobPreparing, store.JobDispatching, store.JobRunning:
		d.State = "in_progress"
	case store.JobSucceeded, store.JobNoop:
		d.State = "success"
	case store.JobFailed, store.JobExpired:
		d.State = "failure"
	case store.JobUnknown:
		d.State = "error"
	default:
		d.State = "inactive"
	}
	return integrations.Message{Text: d.Description, Deployment: d}, nil
}

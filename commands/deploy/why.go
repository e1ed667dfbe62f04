package deploy

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

func (f *feature) whyVerb() commands.Verb {
	return commands.Verb{
		Name: "why", Summary: "Show which gates keep something waiting, and what would open them", Effect: commands.Reads,
		Args:     []commands.Arg{{Name: "subject", Kind: commands.ArgAbout, Help: "an operation, a pull request, a job, or a target"}},
		Examples: []string{"why op-3", "why #12", "why job-7", "why {service}/{environment}"},
		Detail:   "The closed gates come first, each with its reason, since when, and what would open it. What GitHub knows is read for the answer.",
		Decide:   f.decideWhy,
	}
}

func (f *feature) decideWhy(ctx context.Context, c *commands.Call) (commands.Act, error) {
	word := c.Arg("subject")
	var s subject
	var target integrations.Target
	err := f.Store.View(func(tx *store.Tx) (err error) {
		var is bool
		if target, is = f.targetNamed(c.Catalog, word); is {
			return nil
		}
		s, err = f.findAny(tx, word, c.Heard.Channel)
		return err
	})
	var refused *commands.Refusal
	switch {
	case errors.As(err, &refused) && refused.Code == "unknown_subject":
		return nil, refused.WithHint("I answer for op-12, job-31, #12, acme/web#12 and for targets: " + targetList(c.Catalog) + ".").WithExample("why " + firstTarget(c.Catalog))
	case err != nil:
		return nil, err
	case target.Name != "":
		return func(tx *store.Tx) (commands.Reply, error) { return f.whyTarget(tx, c, target) }, nil
	}
	if len(s.ops) > 1 {
		return f.whyAll(ctx, c, s.ops)
	}
	return f.whySubject(ctx, c, s)
}

// whyAll answers for each operation of a pull request.
func (f *feature) whyAll(ctx context.Context, c *commands.Call, ops []*store.Operation) (commands.Act, error) {
	var acts []commands.Act
	for _, op := range ops {
		act, err := f.whySubject(ctx, of(c, op), subject{op: op})
		if err != nil {
			return nil, err
		}
		acts = append(acts, act)
	}
	return func(tx *store.Tx) (commands.Reply, error) {
		all := &integrations.Message{}
		for _, act := range acts {
			r, err := act(tx)
			if err != nil {
				return commands.Reply{}, err
			}
			all.Text = strings.TrimPrefix(all.Text+"\n"+r.Private.Text, "\n")
			all.Blocks = append(all.Blocks, r.Private.Blocks...)
		}
		all.Blocks = all.Blocks[:min(mostBlocks, len(all.Blocks))]
		return commands.Reply{Private: all}, nil
	}, nil
}

// targetNamed finds a target by its name, or by a service's place that has one.
func (f *feature) targetNamed(cat *integrations.Catalog, word string) (integrations.Target, bool) {
	if t, ok := cat.Target(word); ok {
		return t, true
	}
	service, env, _ := strings.Cut(word, "/")
	svc, _ := cat.Service(service)
	e, _ := cat.Environment(env)
	if place, ok := svc.Environments[e.Name]; ok && len(place.Targets) > 0 {
		return cat.Target(place.Targets[0])
	}
	return integrations.Target{}, false
}

func targetList(cat *integrations.Catalog) string {
	var out []string
	for _, t := range cat.Targets {
		out = append(out, t.Name)
	}
	if len(out) > 8 {
		return strings.Join(out[:8], ", ") + fmt.Sprintf(" and %d more", len(out)-8)
	}
	return strings.Join(out, ", ")
}

func firstTarget(cat *integrations.Catalog) string {
	if len(cat.Targets) == 0 {
		return "op-1"
	}
	return cat.Targets[0].Name
}

// whySubject reads the facts that the answer needs, then answers.
func (f *feature) whySubject(ctx context.Context, c *commands.Call, s subject) (commands.Act, error) {
	var jobs []*store.Job
	err := f.Store.View(func(tx *store.Tx) (err error) {
		jobs, err = s.applies(tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	var facts store.Facts
	if s.pull != nil && s.pull.State == "open" {
		if _, facts, err = f.factsOf(ctx, s.pull.RepoID, s.pull.Number); err != nil {
			return nil, err
		}
	}
	outside, unread := map[string]dequeued{}, map[string]error{}
	for _, j := range jobs {
		if j.Kind != kindApply || j.Terminal() {
			continue
		}
		got, err := f.applyFacts(ctx, j)
		if outside[j.ID], _ = got.(dequeued); err != nil {
			unread[j.ID] = err
		}
	}
	return func(tx *store.Tx) (commands.Reply, error) {
		now, err := f.findOne(tx, c)
		if err != nil {
			return commands.Reply{}, err
		}
		m, err := f.why(tx, c, now, facts, outside, unread)
		return commands.Reply{Private: m}, err
	}, nil
}

func (f *feature) why(tx *store.Tx, c *commands.Call, s subject, facts store.Facts, outside map[string]dequeued, unread map[string]error) (*integrations.Message, error) {
	jobs, err := s.applies(tx)
	if err != nil {
		return nil, err
	}
	b := &answer{}
	if s.op == nil && s.pull != nil {
		return f.whyPull(c, s.pull, facts, tx)
	}
	switch op := s.op; {
	case op == nil:
		b.say(fmt.Sprintf("%s is %s. %s", s.job.ID, s.job.State, s.job.Why))
		return b.message(), nil
	case op.Waits != "":
		b.head(op.ID + " waits for " + op.Waits + ", which holds its targets.")
	case op.Terminal():
		b.say(fmt.Sprintf("%s is %s: it waits for nothing. %s", op.ID, op.State, op.Note))
		return b.message(), nil
	case op.State == store.OpOpen || op.State == store.OpOpening:
		if s.pull != nil {
			withFacts(s.pull, facts)
		}
		q := f.question(gate.AtCard, c.Catalog, op, s.pull)
		q.Explicit, q.Actor = true, q.Requester
		b.gates(f.Clock.Now(), op.ID+", before its merge", gate.List(tx, q))
	}
	for _, j := range jobs {
		if j.Kind != kindApply || j.Terminal() {
			continue
		}
		if err := f.whyJob(tx, b, s.op, j, outside[j.ID], unread[j.ID]); err != nil {
			return nil, err
		}
	}
	return b.message(), nil
}

func (f *feature) whyJob(tx *store.Tx, b *answer, op *store.Operation, j *store.Job, outside dequeued, unread error) error {
	name := fmt.Sprintf("%s of %s on %s", j.ID, op.ID, j.Target)
	switch j.State {
	case store.JobQueued, store.JobBlocked:
	default:
		b.head(fmt.Sprintf("%s is %s. %s", name, j.State, j.Why))
		return nil
	}
	if unread != nil {
		b.head(fmt.Sprintf("%s: what it stands on cannot be read, so it does not start: %v", name, unread))
		return nil
	}
	var p *store.Pull
	if j.PR > 0 {
		var err error
		if p, err = tx.Pull(j.RepoID, j.PR); err != nil {
			return err
		}
		withFacts(p, outside.facts)
	}
	keepPins(f.Catalog(), op, j, outside)
	q, only := f.applyQuestion(gate.AtDequeue, op, p, j)
	q.Stands = outside.stands
	lines := gate.List(tx, q)
	if only != nil {
		lines = slices.DeleteFunc(lines, func(l gate.Line) bool { return !slices.Contains(only, l.Rule.Name) })
	}
	b.gates(f.Clock.Now(), name, lines)
	return f.whyLine(tx, b, j)
}

// whyLine says what is ahead of a job in the queue of its target.
func (f *feature) whyLine(tx *store.Tx, b *answer, j *store.Job) error {
	queue, err := tx.TargetQueue(j.Target)
	if err != nil {
		return err
	}
	var ahead []string
	for _, other := range queue {
		if other.ID == j.ID {
			break
		}
		ahead = append(ahead, fmt.Sprintf("%s of %s (%s)", other.ID, other.Operation, other.State))
	}
	if len(ahead) > 0 {
		b.line(integrations.R("🕓 ahead of it on ", j.Target, ": ", strings.Join(ahead[:min(5, len(ahead))], ", ")))
	} else if l, err := tx.RunLock(j.Target); err == nil && l.Job != j.ID {
		b.line(integrations.R("🚧 ", j.Target, " is held by ", l.Job, " for ", gate.Age(f.Clock.Now().Sub(l.Since))))
	}
	return nil
}

// whyPull answers for a pull request that nobody opened from here.
func (f *feature) whyPull(c *commands.Call, p *store.Pull, facts store.Facts, tx *store.Tx) (*integrations.Message, error) {
	b := &answer{}
	withFacts(p, facts)
	name := fmt.Sprintf("%s#%d", p.Repo, p.Number)
	switch {
	case p.State != "open":
		b.say(fmt.Sprintf("%s is %s.", name, p.State))
	case len(p.Targets) == 0 && p.ExaminedHead == p.Head:
		b.say(name + " touches no target: nothing keeps it.")
	default:
		for _, env := range f.environmentsOf(nil, p.Targets) {
			q := f.pullQuestion(c.Catalog, p, env)
			b.gates(f.Clock.Now(), name+" in "+env, gate.List(tx, q))
		}
	}
	return b.message(), nil
}

// pullQuestion is what the gates are asked about a pull request of people, for
// the targets that it touches in one environment.
func (f *feature) pullQuestion(cat *integrations.Catalog, p *store.Pull, env string) gate.Question {
	q := gate.Question{At: gate.AtCard, Now: f.Clock.Now(), Catalog: cat, Environment: env, Requester: cat.PersonByGitHub(p.Author), Pull: p, Head: p.Head}
	for _, name := range p.Targets {
		if t, ok := cat.Target(name); ok && t.Environment == env {
			q.Targets = append(q.Targets, name)
		}
	}
	return q
}

// whyTarget answers for a deploy that the asker might begin there now.
func (f *feature) whyTarget(tx *store.Tx, c *commands.Call, t integrations.Target) (commands.Reply, error) {
	b := &answer{}
	q := gate.Question{At: gate.AtCard, Now: f.Clock.Now(), Catalog: c.Catalog, Environment: t.Environment, Targets: []string{t.Name}, Actor: c.Who, Requester: c.Who, Explicit: true}
	for _, svc := range c.Catalog.Services {
		if slices.Contains(svc.Environments[t.Environment].Targets, t.Name) {
			q.Service = svc.Name
		}
	}
	lines := slices.DeleteFunc(gate.List(tx, q), func(l gate.Line) bool {
		return !slices.Contains([]string{"freeze", "hold", "dirty", "window", "cool-down"}, l.Rule.Name) // the others need a change to ask about
	})
	b.gates(q.Now, t.Name, lines)
	if l, err := tx.RunLock(t.Name); err == nil {
		b.line(integrations.R("🚧 ", l.Job, " is running on it for ", gate.Age(q.Now.Sub(l.Since))))
	} else if !errors.Is(err, store.ErrNotFound) {
		return commands.Reply{}, err
	}
	held, err := reservations(tx, &store.Operation{Targets: []string{t.Name}})
	if err != nil {
		return commands.Reply{}, err
	}
	for _, o := range held {
		b.line(integrations.R("📌 reserved by ", integrations.Code(o.ID), " of ", gate.FromStore(o.Requester).Display(), ", ", o.State))
	}
	queue, err := tx.TargetQueue(t.Name)
	if err != nil {
		return commands.Reply{}, err
	}
	for _, j := range queue {
		b.line(integrations.R("🕓 ", integrations.Code(j.ID), " of ", j.Operation, ": ", j.State, " ", j.Why))
	}
	last, ok, err := gate.LastOn(tx, t.Name)
	switch {
	case err != nil:
		return commands.Reply{}, err
	case !ok:
		b.line(integrations.R("Nothing was ever applied to it from here."))
	case last.Good != nil:
		b.line(integrations.R("Last good: ", integrations.Code(short(last.Good.SHA)), " by ", last.Good.Op, ", ", gate.Age(q.Now.Sub(last.Good.At)), " ago"))
	}
	return commands.Reply{Private: b.message(), Target: t.Name}, nil
}

// mostBlocks is how many blocks an answer has; Slack takes fifty.
const mostBlocks = 45

// answer is a message of lines.
type answer struct{ m integrations.Message }

func (b *answer) message() *integrations.Message { return &b.m }

func (b *answer) say(text string) { b.line(integrations.R(strings.TrimSpace(text))) }

func (b *answer) line(r integrations.Rich) {
	if b.m.Text != "" {
		b.m.Text += "\n"
	}
	b.m.Text += r.Plain()
	if len(b.m.Blocks) < mostBlocks {
		b.m.Blocks = append(b.m.Blocks, integrations.Block{Text: r})
	}
}

func (b *answer) head(text string) {
	b.line(integrations.R(integrations.Bold(strings.TrimSpace(text))))
}

// gates lists the closed ones first, then those that were passed, and the open
// ones in one line.
func (b *answer) gates(now time.Time, of string, lines []gate.Line) {
	var open []string
	closed := 0
	for _, l := range lines {
		if len(l.Closed) > 0 && l.Passed == nil {
			closed += len(l.Closed)
		} else if l.Passed == nil {
			open = append(open, l.Rule.Name)
		}
	}
	if closed == 0 {
		b.head("Nothing keeps " + of + ": every gate is open.")
	} else {
		b.head(of + " is kept by " + plural(closed, "closed gate") + ":")
	}
	for _, l := range lines {
		for _, c := range l.Closed {
			if l.Passed == nil {
				b.line(closedLine(now, c))
			}
		}
	}
	for _, l := range lines {
		if l.Passed != nil && len(l.Closed) > 0 {
			b.line(integrations.R("🚨 ", integrations.Bold(l.Rule.Name), " passed by ", gate.FromStore(l.Passed.By).Display(), ": ", l.Passed.Reason))
		}
	}
	if len(open) > 0 {
		text := "Open: " + strings.Join(open, ", ") + "."
		b.m.Text += "\n" + text
		b.m.Blocks = append(b.m.Blocks, integrations.Block{Context: integrations.R(text)})
	}
}

// closedLine is one closed gate: its reason, since when, what would open it.
func closedLine(now time.Time, c gate.Closed) integrations.Rich {
	parts := []any{"✋ ", integrations.Bold(c.Gate), ": ", reason(c), "."}
	if !c.Since.IsZero() {
		parts = append(parts, " Since ", gate.Clock(c.Since), " (", gate.Age(now.Sub(c.Since)), ").")
	}
	if c.Opens != "" {
		parts = append(parts, " Opens: ", coded(c.Opens), ".")
	}
	return integrations.R(parts...)
}

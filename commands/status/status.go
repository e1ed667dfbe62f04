// Package status answers questions of the present: what is under way, what there
// is, how a job goes. It changes nothing.
package status

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// Deps are what the feature works with.
type Deps struct {
	Clock clock.Clock
	// Watched are the systems of which it is said when they do not answer.
	Watched []integrations.Watched
	// Also are what other features have under way, a line each.
	Also []func(tx *store.Tx) ([]integrations.Rich, error)
}

type feature struct{ Deps }

// New is the feature.
func New(d Deps) commands.Feature {
	f := &feature{d}
	return commands.Feature{Name: "status", Words: map[string]string{"ja": ja}, Verbs: []commands.Verb{f.statusVerb(), f.servicesVerb(), f.jobVerb()}}
}

// read is a verb's decision that only reads.
func read(do func(tx *store.Tx, c *commands.Call) (*integrations.Message, error)) func(context.Context, *commands.Call) (commands.Act, error) {
	return func(_ context.Context, c *commands.Call) (commands.Act, error) {
		return func(tx *store.Tx) (commands.Reply, error) {
			m, err := do(tx, c)
			return commands.Reply{Private: m}, err
		}, nil
	}
}

// page is a list as a message: bold title, one line each.
type page struct {
	title string
	rows  []integrations.Rich
	empty string
	more  integrations.Rich
}

// shown is how many rows a message shows.
const shown = 30

func (p page) message() *integrations.Message {
	m := &integrations.Message{Text: p.title}
	if len(p.rows) == 0 {
		m.Text = p.empty
		return m
	}
	m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R(integrations.Bold(p.title))})
	for i, r := range p.rows {
		if i == shown {
			m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R(fmt.Sprintf("and %d more", len(p.rows)-i))})
			break
		}
		m.Text += "\n" + r.Plain()
		m.Blocks = append(m.Blocks, integrations.Block{Text: r})
	}
	if p.more != nil {
		m.Text += "\n" + p.more.Plain()
		m.Blocks = append(m.Blocks, integrations.Block{Context: p.more})
	}
	return m
}

func (f *feature) statusVerb() commands.Verb {
	return commands.Verb{
		Name: "status", Aliases: []string{"st"}, Summary: "Show what is under way, or one operation", Effect: commands.Reads,
		Args: []commands.Arg{
			{Name: "subject", Kind: commands.ArgSubject, Optional: true, Help: "an operation or a job"},
			{Name: "service", Kind: commands.ArgService, Optional: true, Help: "of one service"},
		},
		Examples: []string{"status", "status op-3", "status {service}"}, Decide: read(f.status),
	}
}

func (f *feature) status(tx *store.Tx, c *commands.Call) (*integrations.Message, error) {
	word := integrations.Fold(c.Arg("subject"))
	switch {
	case strings.HasPrefix(word, "job-"):
		return f.job(tx, c)
	case word != "":
		op, err := f.operation(tx, word)
		if err != nil {
			return nil, err
		}
		return f.one(tx, op)
	}
	live, err := tx.LiveOperations()
	if err != nil {
		return nil, err
	}
	p := page{title: "Under way", empty: "Nothing is under way, and nothing is locked."}
	if s := c.Arg("service"); s != "" {
		p.title, p.empty = "Under way: "+s, "Nothing of "+s+" is under way, and it is not locked. `history "+s+"` shows what was."
	}
	for _, op := range live {
		if s := c.Arg("service"); s != "" && op.Service != s {
			continue
		}
		row, err := f.line(tx, op)
		if err != nil {
			return nil, err
		}
		p.rows = append(p.rows, row)
	}
	for _, also := range f.Also {
		rows, err := also(tx)
		if err != nil {
			return nil, err
		}
		if c.Arg("service") == "" {
			p.rows = append(p.rows, rows...)
		}
	}
	if err := f.silent(tx, &p); err != nil {
		return nil, err
	}
	holds, err := tx.Holds()
	if err != nil {
		return nil, err
	}
	for _, h := range holds {
		if !h.Over(f.Clock.Now()) && touches(c, h) {
			p.rows = append(p.rows, integrations.R("🔒 ", integrations.Bold(gate.Scope(h)), held[h.Kind], gate.FromStore(h.Owner).Display(), ": ", integrations.Italic(h.Reason), more(h)))
		}
	}
	return p.message(), nil
}

// more links to where more is said of a hold, if it says where.
func more(h *store.Hold) integrations.Rich {
	if h.Link == "" {
		return nil
	}
	return integrations.R(" · ", integrations.Link(h.Link, "more"))
}

// held says by the kind of a hold what it does to its scope.
var held = map[string]string{store.HoldHold: " is locked by ", store.HoldFreeze: " is frozen by ", store.HoldDirty: " is dirty since a change of "}

// touches says whether a hold is in the way of the service that was asked about,
// by whichever name it was set; of no service, every hold is.
func touches(c *commands.Call, h *store.Hold) bool {
	s := c.Arg("service")
	if s == "" || h.Service == s {
		return true
	}
	svc, _ := c.Catalog.Service(s)
	for env, at := range svc.Environments {
		if gate.Covers(c.Catalog, h, s, env, at.Targets) {
			return true
		}
	}
	return false
}

func (f *feature) operation(tx *store.Tx, word string) (*store.Operation, error) {
	if strings.HasPrefix(word, "op-") {
		op, err := tx.Operation(word)
		if errors.Is(err, store.ErrNotFound) {
			return nil, commands.Refuse("unknown_subject", fmt.Sprintf("No operation is called “%s”.", word)).WithExample("status")
		}
		return op, err
	}
	recent, err := tx.Operations("", 500)
	if err != nil {
		return nil, err
	}
	for _, op := range recent {
		if op.PR > 0 && (word == fmt.Sprintf("#%d", op.PR) || word == integrations.Fold(fmt.Sprintf("%s#%d", op.Repo, op.PR)) || word == integrations.Fold(op.PRURL)) {
			return op, nil
		}
	}
	return nil, commands.Refuse("unknown_subject", fmt.Sprintf("No operation belongs to “%s”.", word)).WithHint("They look like op-12, #12 or acme/web#12.").WithExample("status")
}

// line is one operation in a list.
func (f *feature) line(tx *store.Tx, op *store.Operation) (integrations.Rich, error) {
	state := op.State
	jobs, err := tx.JobsOf(op.ID)
	if err != nil {
		return nil, err
	}
	for _, j := range jobs {
		if slices.Contains([]string{store.JobBlocked, store.JobNeedsConfirm, store.JobUnknown}, j.State) {
			state = j.State
		}
	}
	what := op.Service
	if what == "" {
		what = strings.Join(op.Targets, ", ")
	} else {
		what += " → " + op.Environment
	}
	row := integrations.R(integrations.Code(op.ID), " ", what, " · ", integrations.Bold(state))
	if op.PRURL != "" {
		row = append(row, integrations.R(" · ", integrations.Link(op.PRURL, fmt.Sprintf("#%d", op.PR)))...)
	}
	who := gate.FromStore(op.Requester).Display() + ", "
	if op.Requester == (store.Person{}) { // nobody asked for a commit that came by itself
		who = ""
	}
	return append(row, integrations.R(" · ", who, gate.Age(f.Clock.Now().Sub(op.Created)), " ago")...), nil
}

func (f *feature) one(tx *store.Tx, op *store.Operation) (*integrations.Message, error) {
	head, err := f.line(tx, op)
	if err != nil {
		return nil, err
	}
	p := page{title: "Operation " + op.ID, rows: []integrations.Rich{head}}
	if op.Note != "" {
		p.rows = append(p.rows, integrations.R(op.Note))
	}
	jobs, err := tx.JobsOf(op.ID)
	if err != nil {
		return nil, err
	}
	for _, j := range jobs {
		if j.Target == "" && j.State == store.JobSucceeded { // opening, merging and tidying up: the operation says so itself
			continue
		}
		p.rows = append(p.rows, jobLine(j))
	}
	for _, s := range op.Ships { // a card names only the first of them
		p.rows = append(p.rows, shipLine(s))
	}
	surfaces, err := tx.SurfacesOf(op.ID)
	for _, j := range jobs {
		of, jerr := tx.SurfacesOf(j.ID)
		surfaces, err = append(surfaces, of...), errors.Join(err, jerr)
	}
	for _, s := range surfaces {
		if s.Parked != "" {
			p.rows = append(p.rows, integrations.R("⚠️ its ", s.Card, " in ", s.Place, " cannot be shown any more: ", s.Parked))
		}
	}
	return p.message(), err
}

func shipLine(s store.Ship) integrations.Rich {
	label, _, _ := strings.Cut(s.Title, "\n")
	if s.Number > 0 {
		label = fmt.Sprintf("#%d %s", s.Number, label)
	}
	line := integrations.R("ships ", integrations.Link(s.URL, label))
	if s.Author != "" {
		line = append(line, integrations.R(" by ", s.Author)...)
	}
	return line
}

func jobLine(j *store.Job) integrations.Rich {
	r := integrations.R(integrations.Code(j.ID), " ", strings.TrimSpace(j.Kind+" "+j.Target), " · ", integrations.Bold(j.State))
	if j.Attempt > 1 {
		r = append(r, integrations.R(fmt.Sprintf(" · attempt %d", j.Attempt))...)
	}
	if j.Why != "" {
		r = append(r, integrations.R(" · ", j.Why)...)
	}
	return r
}

func (f *feature) servicesVerb() commands.Verb {
	return commands.Verb{
		Name: "services", Aliases: []string{"where"}, Summary: "List services, where they run and at what", Effect: commands.Reads,
		Examples: []string{"services"}, Decide: read(f.services),
	}
}

func (f *feature) services(tx *store.Tx, c *commands.Call) (*integrations.Message, error) {
	p := page{title: "Services", empty: "No service is configured.", more: integrations.R("Deploy one with ", integrations.Code("/ops deploy <service> to <environment>"), ".")}
	for _, s := range c.Catalog.Services {
		row := integrations.R(integrations.Bold(s.Name), " (", s.Repository, ", ", s.Strategy, ")")
		for _, e := range c.Catalog.Environments {
			if _, ok := s.Environments[e.Name]; !ok {
				continue
			}
			at, err := f.runs(tx, s.Name, e.Name)
			if err != nil {
				return nil, err
			}
			row = append(row, integrations.R(" · ", e.Name, ": ", at)...)
		}
		p.rows = append(p.rows, row)
	}
	return p.message(), nil
}

// runs says what a service was last brought to in an environment.
func (f *feature) runs(tx *store.Tx, service, env string) (integrations.Rich, error) {
	ops, err := tx.OperationsOf(service, env, 50)
	if err != nil {
		return nil, err
	}
	for _, op := range ops {
		if op.State == store.OpSucceeded || op.State == store.OpNoop {
			return integrations.R(integrations.Code(version(op)), " (", integrations.Code(op.ID), ", ", gate.Age(f.Clock.Now().Sub(op.Ended)), " ago)"), nil
		}
	}
	return integrations.R("nothing from here yet"), nil
}

func version(op *store.Operation) string {
	if op.To != "" && len(op.To) != 40 {
		return op.To
	}
	return op.ToSHA[:min(7, len(op.ToSHA))]
}

func (f *feature) jobVerb() commands.Verb {
	return commands.Verb{
		Name: "job", Summary: "Show one job: state, attempt, why, the end of its log", Effect: commands.Reads,
		Args: []commands.Arg{{Name: "subject", Kind: commands.ArgSubject, Help: "the job"}}, Examples: []string{"job job-7"}, Decide: read(f.job),
	}
}

func (f *feature) job(tx *store.Tx, c *commands.Call) (*integrations.Message, error) {
	id := integrations.Fold(c.Arg("subject"))
	j, err := tx.Job(id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, commands.Refuse("unknown_subject", fmt.Sprintf("No job is called “%s”.", id)).WithHint("`status op-3` lists the jobs of an operation.").WithExample("status")
	} else if err != nil {
		return nil, err
	}
	p := page{title: "Job " + j.ID, rows: []integrations.Rich{jobLine(j)}}
	about := integrations.R("of ", integrations.Code(j.Operation), " · ", j.Repo, " at ", integrations.Code(j.SHA[:min(7, len(j.SHA))]), " · since ", j.Created.UTC().Format("2006-01-02 15:04:05 MST"))
	if !j.Ended.IsZero() && !j.Started.IsZero() {
		about = append(about, integrations.R(" · took ", gate.Age(j.Ended.Sub(j.Started)))...)
	}
	p.rows = append(p.rows, about)
	m := p.message()
	if j.Tail != "" {
		m.Blocks = append(m.Blocks, integrations.Block{Code: j.Tail})
	}
	return m, nil
}

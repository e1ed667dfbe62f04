package audit

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/store"
)

// Of each part of a question so many rows are read at most, to be shown or sent.
const (
	mostShown    = 10_000
	mostExported = 100_000
)

// A question is what somebody wants to know. A row answers it if one of the
// filters finds it and keep, where there is one, lets it pass.
type question struct {
	about   string // "web in production by alice"
	filters []store.AuditFilter
	keep    func(*store.AuditRow) bool
	targets []string      // whose operations' rows answer it too
	since   time.Time     // zero: from the beginning
	last    time.Duration // how far back that is, where it was said so
	zone    *time.Location
	who     store.Person
	stray   string // a person who is not in the configuration, as typed
}

// title is what is shown: "Audit of web in production, last 7 days".
func (q question) title() string {
	s := "Audit"
	if q.about != "" {
		s += " " + q.about
	}
	switch {
	case q.last > 0:
		s += ", last " + gate.Age(q.last)
	case !q.since.IsZero():
		s += ", since " + q.when()
	}
	return s
}

// when is the moment from which on somebody asks, as they would say it.
func (q question) when() string { return q.since.In(q.zone).Format("2006-01-02 15:04 MST") }

// findings are the rows that answer a question, newest first.
type findings struct {
	rows  []*store.AuditRow
	names map[string]string // subjects as people write them, where that is another word
	cut   bool              // there are older ones
}

func (f *feature) understand(tx *store.Tx, c *commands.Call, zone *time.Location) (question, error) {
	q := question{zone: zone}
	usually := usual
	var err error
	switch {
	case c.Arg("subject") != "":
		usually = ""
		err = q.aboutSubject(tx, c)
	case c.Arg("target") != "":
		err = q.aboutTarget(c)
	default:
		q.aboutPlace(c)
	}
	if err != nil {
		return q, err
	}
	now := f.Clock.Now()
	var word string
	if q.since, word, err = commands.Past(c.Arg("since"), usually, now, zone, func(rest string) string { return c.Verb.Name + " " + rest }); err != nil {
		return q, err
	}
	if span.MatchString(word) {
		q.last = now.Sub(q.since)
	}
	if by := c.Arg("by"); by != "" {
		q.by(c, by)
	}
	return q, q.addOperations(tx)
}

// span is a word that says how far back, and not a moment.
var span = regexp.MustCompile(`^\d+[a-z]+$`)

// recentOps is how many operations of a target are asked about.
const recentOps = 200

// addOperations asks for the rows of the operations that touch the targets: what
// is said to an operation carries its environment and, of a merged pull request
// that is no deploy, neither a service nor a target.
func (q *question) addOperations(tx *store.Tx) error {
	seen := map[string]bool{}
	for _, t := range q.targets {
		ops, err := tx.OperationsByTarget(t, recentOps)
		if err != nil {
			return err
		}
		for _, op := range ops {
			if over := op.Terminal() && op.Ended.Before(q.since); !over && !seen[op.ID] {
				seen[op.ID] = true
				q.filters = append(q.filters, store.AuditFilter{Subject: op.ID})
			}
		}
	}
	return nil
}

// aboutPlace asks for what was done to a service, in an environment, or both.
// The rows of jobs carry their target alone.
func (q *question) aboutPlace(c *commands.Call) {
	service, env := c.Arg("service"), c.Arg("environment")
	q.filters = []store.AuditFilter{{Service: service, Environment: env}}
	switch {
	case service == "" && env == "":
		return
	case service == "":
		q.about = "in " + env
		for _, t := range c.Catalog.Targets {
			if t.Environment == env {
				q.targets = append(q.targets, t.Name)
			}
		}
	default:
		q.about = strings.TrimSuffix("of "+service+" in "+env, " in ")
		s, _ := c.Catalog.Service(service)
		for name, at := range s.Environments {
			if env == "" || name == env {
				q.targets = append(q.targets, at.Targets...)
			}
		}
	}
	for _, t := range q.targets {
		q.filters = append(q.filters, store.AuditFilter{Target: t})
	}
	q.keep = func(r *store.AuditRow) bool {
		return (service == "" || r.Service == "" || r.Service == service) && (env == "" || r.Environment == "" || r.Environment == env)
	}
}

// aboutTarget asks for what was done to a target: by its name, or to a service
// in an environment that it belongs to.
func (q *question) aboutTarget(c *commands.Call) error {
	name := c.Arg("target")
	t, ok := c.Catalog.Target(name)
	if !ok { // "web/production", which is no target's name
		call := *c
		call.Args = map[string]string{}
		call.Args["service"], call.Args["environment"], _ = strings.Cut(name, "/")
		q.aboutPlace(&call)
		t.Environment = call.Args["environment"]
	} else {
		q.about = "of " + t.Name
		q.targets, q.filters = []string{t.Name}, []store.AuditFilter{{Target: t.Name}}
		for _, s := range c.Catalog.Services {
			for env, at := range s.Environments {
				if slices.Contains(at.Targets, t.Name) {
					q.filters = append(q.filters, store.AuditFilter{Service: s.Name, Environment: env})
				}
			}
		}
		q.keep = func(r *store.AuditRow) bool { return r.Target == "" || r.Target == t.Name }
	}
	if env := c.Arg("environment"); env != "" && env != t.Environment {
		return commands.Refuse("not_there", fmt.Sprintf("%s is in %s, not in %s.", name, t.Environment, env)).WithExample("audit " + name)
	}
	if s := c.Arg("service"); s != "" {
		return commands.Refuse("two_things", fmt.Sprintf("Ask about %s or about %s, not about both at once.", s, name)).WithExample("audit " + name)
	}
	return nil
}

// aboutSubject asks for the history of one thing.
func (q *question) aboutSubject(tx *store.Tx, c *commands.Call) error {
	word := c.Arg("subject")
	if c.Arg("service")+c.Arg("target")+c.Arg("environment") != "" {
		return commands.Refuse("two_things", fmt.Sprintf("%s stands for itself: leave the service, target or environment out.", word)).WithExample("audit " + word)
	}
	subjects, err := subjectsOf(tx, word)
	if err != nil {
		return err
	}
	q.about = "of " + word
	for _, s := range subjects {
		q.filters = append(q.filters, store.AuditFilter{Subject: s})
	}
	return nil
}

// by narrows the question to a person. One whom the configuration no longer
// knows still stands in old rows, by the name they had.
func (q *question) by(c *commands.Call, word string) {
	p, known := c.Person(word)
	if !known && p.Name != "" {
		q.stray = p.Name
	}
	q.who = gate.ToStore(p)
	q.about = strings.TrimSpace(q.about + " by " + p.Display())
}

// find reads the rows, most of each filter at most, and puts them together.
func (q question) find(tx *store.Tx, most int) (findings, error) {
	out := findings{names: map[string]string{}}
	seen := map[uint64]bool{}
	oldest := time.Time{} // before it, some filter may have more
	for _, f := range q.filters {
		f.Since, f.Who, f.Limit = q.since, q.who, most
		rows, err := tx.AuditRows(f)
		if err != nil {
			return out, err
		}
		if len(rows) == most {
			out.cut = true
			if at := rows[most-1].At; at.After(oldest) {
				oldest = at
			}
		}
		for _, r := range rows {
			if !seen[r.Seq] && (q.keep == nil || q.keep(r)) {
				seen[r.Seq] = true
				out.rows = append(out.rows, r)
			}
		}
	}
	out.rows = slices.DeleteFunc(out.rows, func(r *store.AuditRow) bool { return r.At.Before(oldest) })
	slices.SortFunc(out.rows, func(a, b *store.AuditRow) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.Seq, a.Seq)) })
	for _, r := range out.rows[:min(len(out.rows), shown)] {
		var repo int64
		var n int
		if _, err := fmt.Sscanf(r.Subject, "pull %d %d", &repo, &n); err != nil {
			continue
		}
		p, err := tx.Pull(repo, n)
		if err == nil {
			out.names[r.Subject] = fmt.Sprintf("%s#%d", p.Repo, p.Number)
		} else if !errors.Is(err, store.ErrNotFound) {
			return out, err
		}
	}
	return out, nil
}

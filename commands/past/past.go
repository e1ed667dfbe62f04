// Package past answers what a team asks of its past: who deployed this, what
// is in staging and not yet in production, what went live since Friday, how often
// that goes wrong and how long it takes. It changes nothing. What happened is read
// from the store; GitHub is asked only for what lies between two commits.
package past

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// forge is what is asked of GitHub.
type forge interface {
	Compare(ctx context.Context, repo, base, head string) (integrations.Comparison, error)
	PullsOfCommit(ctx context.Context, repo, sha string) ([]integrations.PullRequest, error)
	BranchHead(ctx context.Context, repo, branch string) (string, error)
}

// Deps are what the feature works with.
type Deps struct {
	Store *store.Store
	Forge forge
	Clock clock.Clock
	Log   *slog.Logger
	// Zone is the time zone of somebody, by the id that they have in chat.
	Zone func(ctx context.Context, user string) (*time.Location, error)
	// Dir is the folder of pictures and lists until they are sent.
	Dir string
}

type feature struct {
	Deps
	files commands.Files
}

// New is the feature.
func New(d Deps) commands.Feature {
	f := &feature{d, commands.Files{Store: d.Store, Clock: d.Clock, Dir: d.Dir, Of: "past"}}
	return commands.Feature{
		Name: "past", Words: map[string]string{"ja": ja},
		Verbs: []commands.Verb{f.historyVerb(), f.whoVerb(), f.diffVerb(), f.changelogVerb(), f.statsVerb()},
		Ticks: []commands.Tick{f.files.Tick()},
		Cards: map[string]tell.Card{f.files.CardName(): f.files.Card},
	}
}

// asked is a question with the time at which it was asked, where the person is.
type asked struct {
	*commands.Call
	now  time.Time
	zone *time.Location
}

// An answer is what is said to it, and a file that goes with it.
type answer struct {
	message integrations.Message
	file    []byte
	sent    commands.Sent
}

// decide makes a verb's decision of a question that is answered outside of the
// deciding transaction: a long list must not keep everybody else from being heard.
func (f *feature) decide(do func(ctx context.Context, a asked) (answer, error)) func(context.Context, *commands.Call) (commands.Act, error) {
	return func(ctx context.Context, c *commands.Call) (commands.Act, error) {
		out, err := do(ctx, asked{Call: c, now: f.Clock.Now(), zone: commands.Zones{Of: f.Zone, Log: f.Log}.For(ctx, c)})
		if err != nil {
			return nil, err
		}
		if out.file != nil {
			if err := f.files.Write(c, out.file); err != nil {
				return nil, err
			}
		}
		return func(tx *store.Tx) (commands.Reply, error) {
			r := commands.Reply{Private: &out.message, Service: c.Arg("service"), Environment: c.Arg("environment")}
			if out.file == nil {
				return r, nil
			}
			return r, f.files.Send(tx, c, out.sent)
		}, nil
	}
}

// since is the moment from which on somebody asks, and how it was said; usual is
// meant where nothing was, and with that "" it is the zero time.
func (a asked) since(usual string) (at time.Time, word string, err error) {
	return commands.Past(a.Arg("when"), usual, a.now, a.zone, a.example)
}

// example is a line with the same verb that works.
func (a asked) example(rest string) string {
	if s := a.Arg("service"); s != "" {
		return a.Verb.Name + " " + s + " " + rest
	}
	return a.Verb.Name + " " + rest
}

// when tells a time: lately how long ago it was, else the date.
func (a asked) when(at time.Time) integrations.Rich {
	if d := a.now.Sub(at); d < 24*time.Hour {
		return integrations.R(gate.Age(d), " ago")
	}
	return integrations.R(integrations.When(at, a.zone))
}

// sinceArg is the argument that says from when on.
func sinceArg(help string) commands.Arg {
	return commands.Arg{Name: "when", Kind: commands.ArgWhen, Keyword: "since", Optional: true, Help: help}
}

var environmentArg = commands.Arg{Name: "environment", Kind: commands.ArgEnvironment, Keyword: "in", Optional: true, Help: "in one environment"}

// worked says whether an operation went live.
func worked(o *store.Operation) bool { return o.State == store.OpSucceeded || o.State == store.OpNoop }

// failed says whether an operation was merged and its apply did not succeed.
func failed(o *store.Operation) bool {
	return (o.State == store.OpFailed || o.State == store.OpPartial) && o.MergeSHA != ""
}

// last is the environment that a service's changes reach last, and that is asked
// about where none is named: "production", or else one that no other environment
// comes after.
func last(cat *integrations.Catalog, service string) string {
	order := order(cat, service)
	if slices.Contains(order, "production") {
		return "production"
	}
	if len(order) == 0 {
		return ""
	}
	return order[len(order)-1]
}

// order is the environments of a service, or all of them, each behind the one
// that it comes after, else as the configuration lists them.
func order(cat *integrations.Catalog, service string) []string {
	svc, _ := cat.Service(service)
	var out []string
	var put func(name string, deep int)
	put = func(name string, deep int) {
		e, known := cat.Environment(name)
		if _, runs := svc.Environments[e.Name]; !known || slices.Contains(out, e.Name) || service != "" && !runs {
			return
		}
		if e.After != "" && deep < len(cat.Environments) {
			put(e.After, deep+1)
		}
		if !slices.Contains(out, e.Name) {
			out = append(out, e.Name)
		}
	}
	for _, e := range cat.Environments {
		put(e.Name, 0)
	}
	return out
}

// place says of what an answer is: "web in production", "production", "everything".
func place(service, environment string) string {
	switch {
	case service == "" && environment == "":
		return "everything"
	case service == "":
		return environment
	case environment == "":
		return service
	}
	return service + " in " + environment
}

// short is a SHA as people write it.
func short(sha string) string { return sha[:min(7, len(sha))] }

// version is what an operation brought, as people name it.
func version(o *store.Operation) string {
	if o.Strategy == "pin" && o.To != "" {
		return label(o.To)
	}
	return short(cmp.Or(o.ToSHA, o.MergeSHA))
}

// label shortens a version that is a SHA.
func label(v string) string {
	if len(v) == 40 && strings.Trim(v, "0123456789abcdef") == "" {
		return short(v)
	}
	return v
}

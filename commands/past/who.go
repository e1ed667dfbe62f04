package past

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// How much is told of one environment.
const (
	carriedShown = 5 // pull requests of the newest deploy
	olderShown   = 3 // deploys before it
	mostTitle    = 80
)

func (f *feature) whoVerb() commands.Verb {
	return commands.Verb{
		Name: "who", Summary: "Say who deployed a service last, and what", Effect: commands.Reads,
		Args: []commands.Arg{
			{Name: "service", Kind: commands.ArgService, Keyword: "deployed", Also: []string{"shipped", "released", "merged", "deploys"}, Help: "the service"},
			environmentArg,
		},
		Examples: []string{"who deployed {service}", "who deployed {service} in {environment}", "who {service}"},
		Detail:   "Of each environment: what runs, who asked for it, who approved it and who merged it, with the pull requests that it carried and their authors.",
		Decide:   f.decide(f.who),
	}
}

func (f *feature) who(_ context.Context, a asked) (answer, error) {
	service := a.Arg("service")
	environments := order(a.Catalog, service)
	if e := a.Arg("environment"); e != "" {
		environments = []string{e}
	}
	s := sheet{title: integrations.R(integrations.Bold("Who deployed " + place(service, a.Arg("environment"))))}
	err := f.Store.View(func(tx *store.Tx) error {
		for _, e := range environments {
			ops, err := deploysOf(tx, service, e)
			if err != nil {
				return err
			}
			a.lastOf(&s, e, ops)
		}
		return nil
	})
	if err != nil {
		return answer{}, err
	}
	s.note("More: ", integrations.Code(commands.Prompt+" history "+service), ", ", integrations.Code(commands.Prompt+" changelog "+service+" --since friday"))
	return answer{message: s.message()}, nil
}

// lastOf tells the last deploys to one environment, the newest in full.
func (a asked) lastOf(s *sheet, environment string, ops []*store.Operation) {
	if len(ops) == 0 {
		s.line(integrations.Bold(environment), ": nothing was deployed from here yet.")
		return
	}
	newest := ops[0]
	s.line(integrations.Bold(environment), ": ", brought(newest), " · ", integrations.Bold(newest.State), " · ", a.when(ended(newest)))
	s.line(integrations.Code(newest.ID), " · ", a.people(newest), link(newest))
	s.lines = append(s.lines, a.carried(newest.Ships, carriedShown)...)
	for _, o := range ops[1:min(len(ops), 1+olderShown)] {
		s.line("before: ", brought(o), " · ", o.State, " · ", integrations.Code(o.ID), " · ", a.name(o.Requester), ", ", a.when(ended(o)), link(o))
	}
}

// ended is when an operation ended; of one that has not, when it was merged.
func ended(o *store.Operation) (at time.Time) {
	if o.Ended.IsZero() {
		return o.Merged
	}
	return o.Ended
}

// brought says from what to what an operation went.
func brought(o *store.Operation) integrations.Rich {
	from := label(o.From)
	if o.Strategy != "pin" {
		from = short(o.FromSHA)
	}
	if o.Rollback {
		return integrations.R("rolled back to ", integrations.Code(version(o)))
	}
	if from == "" {
		return integrations.R(integrations.Code(version(o)))
	}
	return integrations.R(integrations.Code(from), " → ", integrations.Code(version(o)))
}

func link(o *store.Operation) integrations.Rich {
	var out integrations.Rich
	if o.PRURL != "" {
		out = integrations.R(" · ", integrations.Link(o.PRURL, fmt.Sprintf("#%d", o.PR)))
	}
	if o.CompareURL != "" {
		out = append(out, integrations.R(" · ", integrations.Link(o.CompareURL, "compare"))...)
	}
	return out
}

// name is somebody without a mention: being asked about should not call anybody.
func (a asked) name(p store.Person) string {
	for _, q := range a.Catalog.People {
		if gate.FromStore(p).Same(q) {
			return q.Name
		}
	}
	return gate.FromStore(p).Display()
}

// author is the same of a GitHub login.
func (a asked) author(login string) string { return a.Catalog.PersonByGitHub(login).Display() }

// people says who asked for an operation, approved it, passed gates and merged it.
func (a asked) people(o *store.Operation) integrations.Rich {
	out := integrations.R("asked for by ", integrations.Bold(a.name(o.Requester)))
	var approved []string
	for _, p := range o.Approvals {
		if n := a.name(p.By); p.Head == o.Head && !slices.Contains(approved, n) {
			approved = append(approved, n)
		}
	}
	for i, n := range approved {
		out = append(out, integrations.R([]string{", approved by ", " and "}[min(i, 1)], integrations.Bold(n))...)
	}
	if o.MergedBy != (store.Person{}) {
		out = append(out, integrations.R(", merged by ", integrations.Bold(a.name(o.MergedBy)))...)
	}
	for _, p := range o.Passes {
		out = append(out, integrations.R(", gates passed alone by ", integrations.Bold(a.name(p.By)), " (", p.Why, ")")...)
	}
	return out
}

// carried are the pull requests of a deploy, a line each, so many at most.
func (a asked) carried(ships []store.Ship, most int) []integrations.Rich {
	var out []integrations.Rich
	for i, s := range ships {
		if i == most {
			out = append(out, integrations.R("• and ", counted(len(ships)-i, "more pull request")))
			break
		}
		out = append(out, a.ship(s))
	}
	return out
}

// ship is one pull request, or loose commits, as a line.
func (a asked) ship(s store.Ship) integrations.Rich {
	if s.Number == 0 {
		what := counted(s.Commits, "commit") + " without a pull request"
		if s.URL != "" {
			return integrations.R("• ", integrations.Link(s.URL, what), ": “", oneLine(s.Title, mostTitle), "” by ", a.author(s.Author))
		}
		return integrations.R("• ", what)
	}
	return integrations.R("• ", integrations.Link(s.URL, fmt.Sprintf("#%d %s", s.Number, oneLine(s.Title, mostTitle))), " by ", a.author(s.Author))
}

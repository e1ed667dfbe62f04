package past

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// What a difference may cost: GitHub is asked of each commit which pull request
// brought it.
const (
	commitsAsked = 60               // the newest of them
	atOnce       = 6                // side by side
	githubWait   = 10 * time.Second // of wall time, for all of it
	shipsShown   = 20
)

func (f *feature) diffVerb() commands.Verb {
	return commands.Verb{
		Name: "diff", Aliases: []string{"compare"}, Summary: "Show what runs in one environment and not yet in another", Effect: commands.Reads,
		Args: []commands.Arg{
			{Name: "service", Kind: commands.ArgService, Help: "the service"},
			{Name: "environment", Kind: commands.ArgEnvironment, Keyword: "in", Also: []string{"between", "from"}, Optional: true, Help: "where the changes are"},
			{Name: "other", Kind: commands.ArgEnvironment, Keyword: "and", Also: []string{"with", "vs", "vs.", "versus", "against", "but"}, Optional: true, Help: "where they are not yet; the one that comes next, unless said"},
		},
		Examples: []string{"diff {service}", "diff {service} staging production"},
		Detail:   "By the commits that really run, which are those of the last deploy that succeeded, both ways. For a service that pins versions it compares the two.",
		Decide:   f.decide(f.diff),
	}
}

func (f *feature) diff(ctx context.Context, a asked) (answer, error) {
	svc, _ := a.Catalog.Service(a.Arg("service"))
	first, second, err := a.pair(svc)
	if err != nil {
		return answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, githubWait)
	defer cancel()
	var runs [2]run
	for i, e := range []string{first, second} {
		if runs[i], err = f.runOf(ctx, svc, e); err != nil {
			return answer{}, err
		}
	}
	s := sheet{title: integrations.R(integrations.Bold(fmt.Sprintf("%s in %s and in %s", svc.Name, first, second)))}
	s.line(runs[0].told(a), " · ", runs[1].told(a))
	for _, r := range runs {
		if d := r.doubt(); d != nil {
			s.lines = append(s.lines, d)
		}
	}
	if svc.Strategy == "pin" {
		err = f.diffPins(ctx, a, &s, svc, runs)
	} else {
		err = f.diffCommits(ctx, a, &s, svc, svc.Repository, runs, [2]string{runs[0].sha, runs[1].sha})
	}
	return answer{message: s.message()}, err
}

// pair are the environments that are compared: as they were named, or else one
// and the next on the way to production.
func (a asked) pair(svc integrations.Service) (first, second string, err error) {
	first, second = a.Arg("environment"), a.Arg("other")
	way := order(a.Catalog, svc.Name)
	if len(way) < 2 {
		return "", "", commands.Refuse("one_environment", fmt.Sprintf("%s runs in one environment only, so there is nothing to compare.", svc.Name)).
			WithExample("changelog " + svc.Name + " --since friday")
	}
	if first == "" && second == "" {
		first = way[len(way)-2]
	}
	switch at := slices.Index(way, first); {
	case second != "" && first != "":
	case second != "": // "diff web and production"
		first = way[max(0, slices.Index(way, second)-1)]
	case at == len(way)-1:
		first, second = way[at-1], first
	default:
		second = way[at+1]
	}
	if first == second {
		return "", "", commands.Refuse("same_environment", fmt.Sprintf("%s is compared with itself.", first)).
			WithHint(svc.Name + " runs in " + strings.Join(way, ", ") + ".").WithExample(fmt.Sprintf("diff %s %s %s", svc.Name, way[0], way[1]))
	}
	return first, second, nil
}

// diffPins compares two versions, and what lies between them where they are refs
// of the repository that they come from.
func (f *feature) diffPins(ctx context.Context, a asked, s *sheet, svc integrations.Service, runs [2]run) error {
	var v [2]string
	for i, r := range runs {
		if r.op != nil {
			v[i] = r.op.To
		}
	}
	if v[0] == "" || v[1] == "" {
		a.offer(s, svc, runs[0], runs[1])
		return nil
	}
	if v[0] == v[1] {
		s.line("Nothing is between them: both are at ", integrations.Code(label(v[0])), ".")
		return nil
	}
	s.line(integrations.Bold("Versions"), ": ", integrations.Code(label(v[0])), " in ", runs[0].environment, ", ", integrations.Code(label(v[1])), " in ", runs[1].environment)
	if svc.Source != "" {
		err := f.diffCommits(ctx, a, s, svc, svc.Source, runs, v)
		if !errors.Is(err, integrations.ErrNotFound) {
			return err
		}
		s.note(svc.Source, " does not know both as refs, so what lies between them is not known here.")
	}
	a.offer(s, svc, runs[0], runs[1])
	return nil
}

// diffCommits tells what either side has and the other has not.
func (f *feature) diffCommits(ctx context.Context, a asked, s *sheet, svc integrations.Service, repo string, runs [2]run, at [2]string) error {
	if at[0] == at[1] {
		s.line("Nothing is between them: both run the same commit.")
		return nil
	}
	there, err := f.Forge.Compare(ctx, repo, at[1], at[0])
	if err != nil {
		return err
	}
	back := integrations.Comparison{}
	if there.Behind > 0 {
		if back, err = f.Forge.Compare(ctx, repo, at[0], at[1]); err != nil {
			return err
		}
	}
	n := f.side(ctx, a, s, svc, repo, there, runs[0].environment, runs[1].environment)
	m := f.side(ctx, a, s, svc, repo, back, runs[1].environment, runs[0].environment)
	if n+m == 0 {
		s.line("Nothing is between them: no change is in one and not in the other.")
	}
	if n > 0 {
		a.offer(s, svc, runs[0], runs[1])
	}
	return nil
}

// side tells the commits of a comparison: what has and lacks them. It returns how
// many there are.
func (f *feature) side(ctx context.Context, a asked, s *sheet, svc integrations.Service, repo string, c integrations.Comparison, has, lacks string) int {
	ships, unasked := f.ships(ctx, svc, repo, c.Commits)
	n := 0
	var authors []string
	for _, x := range ships {
		n += x.Commits
		if who := a.author(x.Author); !slices.Contains(authors, who) {
			authors = append(authors, who)
		}
	}
	if n == 0 {
		return 0
	}
	head := integrations.R(integrations.Bold("In "+has+", not in "+lacks), ": ", counted(n, "commit"), " by ", oneLine(strings.Join(authors, ", "), 200))
	if c.URL != "" {
		head = append(head, integrations.R(" · ", integrations.Link(c.URL, "compare"))...)
	}
	s.lines = append(append(s.lines, head), a.carried(ships, shipsShown)...)
	if unasked > 0 {
		s.note("GitHub was not asked, or did not say, which pull requests brought ", counted(unasked, "commit"), ".")
	}
	return n
}

// ships groups commits by the pull request that brought each, the newest first;
// those of none come last. Commits that only a deploy made are left out. unasked
// is of how many GitHub was not asked, or did not answer.
func (f *feature) ships(ctx context.Context, svc integrations.Service, repo string, commits []integrations.Commit) (out []store.Ship, unasked int) {
	newest := slices.Clone(commits)
	slices.Reverse(newest)
	found := f.pullsOf(ctx, repo, newest[:min(len(newest), commitsAsked)])
	var loose store.Ship
	for i, c := range newest {
		if i >= len(found) || found[i].err != nil {
			unasked++
		} else if pr, deploys, ok := broughtBy(found[i].pulls, svc, repo); ok {
			at := slices.IndexFunc(out, func(s store.Ship) bool { return s.Number == pr.Number })
			if at < 0 {
				at = len(out)
				out = append(out, store.Ship{Number: pr.Number, Title: pr.Title, Author: pr.Author, URL: pr.URL})
			}
			out[at].Commits++
			continue
		} else if deploys {
			continue
		}
		if loose.Commits++; loose.Title == "" {
			first, _, _ := strings.Cut(c.Message, "\n")
			loose.Title, loose.Author, loose.URL = first, c.Author, c.URL
		}
	}
	if loose.Commits > 0 {
		out = append(out, loose)
	}
	return out, unasked
}

type pullsFound struct {
	pulls []integrations.PullRequest
	err   error
}

// pullsOf asks of each commit which pull requests it came by.
func (f *feature) pullsOf(ctx context.Context, repo string, commits []integrations.Commit) []pullsFound {
	out := make([]pullsFound, len(commits))
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i, c := range commits {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			out[i].pulls, out[i].err = f.Forge.PullsOfCommit(ctx, repo, c.SHA)
		})
	}
	all.Wait()
	return out
}

// broughtBy picks the merged pull request that brought a commit to the branch that
// is deployed. deploys says that there is none, because a deploy made the commit.
func broughtBy(pulls []integrations.PullRequest, svc integrations.Service, repo string) (pr integrations.PullRequest, deploys, ok bool) {
	var into []string
	for _, e := range svc.Environments {
		into = append(into, e.Branch)
	}
	for _, p := range pulls {
		switch {
		case p.State != "merged":
		case repo == svc.Repository && svc.Strategy == "promote" && (slices.Contains(into, p.Base) || strings.HasPrefix(p.Branch, "signalbox/")):
			deploys = true
		default:
			return p, false, true
		}
	}
	return pr, deploys, false
}

// offer is the button that deploys what runs in one environment to the other, for
// those who may.
func (a asked) offer(s *sheet, svc integrations.Service, from, to run) {
	ref := from.sha
	if svc.Strategy == "pin" && from.op != nil {
		ref = from.op.To
	}
	if ref == "" || !a.Catalog.May(a.Who, "deploy", to.environment) || len(s.buttons) > 0 {
		return
	}
	s.buttons = append(s.buttons, integrations.Button{
		Label: oneLine(fmt.Sprintf("Deploy %s to %s", svc.Name, to.environment), 70), Style: "primary",
		Command: fmt.Sprintf("deploy %s %s to %s", svc.Name, ref, to.environment),
	})
}

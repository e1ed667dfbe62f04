package commands

import (
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// target reads "web/production", "web production", "web in production" or the
// name of a configured target.
func (g *grammar) target(word string, toks []token) reading {
	for _, w := range spellings(word) {
		if name, ok := g.targetNamed(w); ok {
			return fit(name, 1)
		}
	}
	used := 1
	if _, isService := g.cat.Service(word); isService && len(toks) > 1 && toks[1].flag == "" {
		next := 1
		if len(toks) > 2 && preposition(toks[1]) {
			next = 2
		}
		if name, ok := g.targetNamed(word + "/" + toks[next].text); ok {
			return fit(name, next+1)
		}
	}
	all := g.targetNames()
	p := &problem{code: "unknown_target", what: fmt.Sprintf("There is no target %s.", show(word)), all: all}
	p.near = nearest(word, all, 3)
	if len(p.near) == 0 {
		for _, n := range all { // one half of a target's name
			for _, half := range strings.Split(n, "/") {
				if integrations.Fold(half) == g.halfName(word) {
					p.all = append([]string{n}, slices.DeleteFunc(slices.Clone(p.all), func(x string) bool { return x == n })...)
				}
			}
		}
	}
	return misfit(word, used, p)
}

// about reads a subject, or a target as target does.
func (g *grammar) about(word string, toks []token) reading {
	if r := subject(word); r.problem == nil {
		return r
	}
	r := g.target(word, toks)
	if r.problem != nil {
		r.problem.code = "unknown_subject"
		r.problem.what = fmt.Sprintf("%s names no operation, job, pull request or target: say op-12, job-31, #12, acme/web#12 or a target.", show(word))
	}
	return r
}

// halfName is the canonical name, folded, of a service or an environment.
func (g *grammar) halfName(word string) string {
	if e, ok := g.cat.Environment(word); ok {
		word = e.Name
	} else if s, ok := g.cat.Service(word); ok {
		word = s.Name
	}
	return integrations.Fold(word)
}

func (g *grammar) targetNamed(word string) (string, bool) {
	if t, ok := g.cat.Target(word); ok {
		return t.Name, true
	}
	first, second, ok := strings.Cut(narrow(word), "/")
	if !ok {
		return "", false
	}
	if s, ok := g.cat.Service(first); ok {
		if e, ok := g.cat.Environment(second); ok {
			if _, ok := s.Environments[e.Name]; ok {
				return s.Name + "/" + e.Name, true
			}
		}
	}
	if e, ok := g.cat.Environment(second); ok {
		if t, ok := g.cat.Target(first + "/" + e.Name); ok {
			return t.Name, true
		}
	}
	return "", false
}

// targetNames lists the pairs of service and environment, and the configured targets.
func (g *grammar) targetNames() []string {
	var out []string
	for _, s := range g.cat.Services {
		for _, e := range g.cat.Environments {
			if _, ok := s.Environments[e.Name]; ok {
				out = append(out, s.Name+"/"+e.Name)
			}
		}
	}
	for _, t := range g.cat.Targets {
		if !slices.Contains(out, t.Name) {
			out = append(out, t.Name)
		}
	}
	return out
}

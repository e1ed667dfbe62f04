package commands

import (
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Everything is the value of an ArgScope that leaves nothing out.
const Everything = "everything"

// everything are the words for it.
var everything = []string{Everything, "all", "全部", "すべて", "全て"}

// Scope is what a hold can hold: one target, a service in an environment, a
// service wherever it runs, an environment, or, when all of it is empty,
// everything.
type Scope struct{ Service, Environment, Target string }

// ScopeOf finds what a word names: "web/production", "dns", "web", "production"
// or "everything", by aliases too. The narrower reading comes first: what is a
// service in an environment, then a target's name, a service, an environment.
func ScopeOf(cat *integrations.Catalog, word string) (Scope, bool) {
	if first, second, ok := strings.Cut(narrow(word), "/"); ok {
		s, okS := cat.Service(first)
		e, okE := cat.Environment(second)
		if _, runs := s.Environments[e.Name]; okS && okE && runs {
			return Scope{Service: s.Name, Environment: e.Name}, true
		}
		if t, ok := cat.Target(first + "/" + e.Name); okE && ok {
			return Scope{Target: t.Name}, true
		}
	}
	if t, ok := cat.Target(word); ok {
		return Scope{Target: t.Name}, true
	}
	if s, ok := cat.Service(word); ok {
		return Scope{Service: s.Name}, true
	}
	if e, ok := cat.Environment(word); ok {
		return Scope{Environment: e.Name}, true
	}
	return Scope{}, slices.Contains(everything, integrations.Fold(word))
}

// String is the scope as it is typed.
func (s Scope) String() string {
	switch {
	case s.Target != "":
		return s.Target
	case s.Service != "" && s.Environment != "":
		return s.Service + "/" + s.Environment
	case s.Service+s.Environment != "":
		return s.Service + s.Environment
	}
	return Everything
}

// Environments are those that a scope touches. One that the configuration no
// longer knows touches all of them: nobody can tell any more what it was for.
func (s Scope) Environments(cat *integrations.Catalog) []string {
	if e, ok := cat.Environment(s.Environment); ok {
		return []string{e.Name}
	}
	if t, ok := cat.Target(s.Target); ok {
		return []string{t.Environment}
	}
	svc, isService := cat.Service(s.Service)
	var out []string
	for _, e := range cat.Environments {
		if _, runs := svc.Environments[e.Name]; runs || !isService {
			out = append(out, e.Name)
		}
	}
	return out
}

// AllowAll is Allow for each of several environments, except that it is enough
// to speak in a channel of one of them.
func AllowAll(c *Call, right string, environments []string) error {
	if len(environments) == 0 {
		return Allow(c, right, "")
	}
	var elsewhere error
	here := false
	for _, env := range environments {
		err := Allow(c, right, env)
		switch {
		case err == nil:
			here = true
		case linked(c) == nil && (right == RightRead || c.Catalog.May(c.Who, right, env)):
			elsewhere = err // they may, and only the channel is wrong
		default:
			return err
		}
	}
	if here {
		return nil
	}
	return elsewhere
}

// scope reads what a hold can hold, with ids the id of a hold too. "web
// production" and "web in production" are the service there.
func (g *grammar) scope(word string, toks []token, ids bool) reading {
	if ids && subjectID.MatchString(integrations.Fold(narrow(word))) {
		if id := integrations.Fold(narrow(word)); strings.HasPrefix(id, "hold-") {
			return fit(id, 1)
		}
	}
	for _, w := range spellings(word) {
		s, ok := ScopeOf(g.cat, w)
		if !ok {
			continue
		}
		if s.Service != "" && s.Environment == "" {
			if r, ok := g.scopeThere(s.Service, toks); ok {
				return r
			}
		}
		return fit(s.String(), 1)
	}
	all := g.scopeNames()
	p := &problem{code: "unknown_scope", what: fmt.Sprintf("There is no target, service or environment %s.", show(word)), all: all}
	p.near = nearest(word, all, 3)
	return misfit(word, 1, p)
}

// scopeThere reads the environment behind a service's name. A word that nearly
// is one is asked about: without it the whole service would be meant.
func (g *grammar) scopeThere(service string, toks []token) (reading, bool) {
	next := 1
	if len(toks) > 2 && preposition(toks[1]) {
		next = 2
	}
	if len(toks) <= next || toks[next].quoted || toks[next].flag != "" {
		return reading{}, false
	}
	word := toks[next].text
	var names []string
	for _, e := range g.cat.Environments {
		names = append(append(names, e.Name), e.Aliases...)
	}
	if e, ok := g.cat.Environment(word); ok {
		pair := service + "/" + e.Name
		if s, ok := ScopeOf(g.cat, pair); ok {
			return fit(s.String(), next+1), true
		}
		p := &problem{code: "unknown_scope", what: fmt.Sprintf("%s has no environment %s.", service, e.Name), all: g.placesOf(service)}
		return misfit(pair, next+1, p), true
	}
	p := &problem{code: "unknown_scope", what: fmt.Sprintf("There is no environment %s.", show(word)), all: g.placesOf(service)}
	for _, n := range nearest(word, names, 3) {
		e, _ := g.cat.Environment(n)
		if s, ok := ScopeOf(g.cat, service+"/"+e.Name); ok && !slices.Contains(p.near, s.String()) {
			p.near = append(p.near, s.String())
		}
	}
	return misfit(service+"/"+word, next+1, p), len(p.near) > 0
}

// placesOf are the places where a service runs.
func (g *grammar) placesOf(service string) []string {
	s, _ := g.cat.Service(service)
	var out []string
	for _, e := range g.cat.Environments {
		if _, runs := s.Environments[e.Name]; runs {
			out = append(out, s.Name+"/"+e.Name)
		}
	}
	return out
}

// scopeNames lists everything that a hold can hold, the narrowest first.
func (g *grammar) scopeNames() []string {
	out := g.targetNames()
	for _, s := range g.cat.Services {
		out = append(out, s.Name)
	}
	for _, e := range g.cat.Environments {
		out = append(out, e.Name)
	}
	slices.Sort(out[len(g.targetNames()):])
	return append(out, Everything)
}

package commands

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// NewModal asks for what a call lacks, with what was understood filled in.
// Required arguments and what was given come first, the rest is optional.
func NewModal(verbs []Verb, c *Call, missing []Arg) *integrations.Modal {
	title := capital(c.Verb.Name)
	m := &integrations.Modal{Title: title, Submit: title, Verb: c.Verb.Name, Intro: c.Verb.Summary}
	for _, args := range [][]Arg{c.Verb.Args, c.Verb.Flags} {
		for _, a := range args {
			asked := slices.ContainsFunc(missing, func(x Arg) bool { return x.Name == a.Name })
			m.Inputs = append(m.Inputs, input(verbs, c, a, asked))
		}
	}
	slices.SortStableFunc(m.Inputs, func(a, b integrations.Input) int { return rank(a) - rank(b) })
	return m
}

// rank puts what a form cannot do without, and what it was given, before the rest: a
// phone shows the first few.
func rank(in integrations.Input) int {
	if !in.Optional || in.Value != "" {
		return 0
	}
	return 1
}

// hints say how an argument is written whose Help says nothing.
var hints = map[ArgKind]string{
	ArgHold:     "hold-4, web/production, a target, a service, an environment, or everything", // which there are, only the store knows
	ArgAbout:    "op-12, job-31, #12, acme/web#12, or a target: web/production",
	ArgDuration: "90m, 2h, 2h30m, 1d",
	ArgWhen:     "friday, yesterday, last week, 7d, 2026-11-20 10:00",
	ArgMoment:   "18:00, tomorrow, friday 9:00, 2h, 2026-12-24 10:00",
	ArgThing:    "a service, or op-12, #12 or acme/web#12",
	ArgSubject:  "op-12, job-31, #12, acme/web#12 or a pull request's address",
}

func input(verbs []Verb, c *Call, a Arg, asked bool) integrations.Input {
	in := integrations.Input{
		Name:     a.Name,
		Label:    capital(a.Name),
		Hint:     a.Help,
		Value:    c.Args[a.Name],
		Optional: !asked && (a.Optional || !slices.ContainsFunc(c.Verb.Args, func(x Arg) bool { return x.Name == a.Name })),
		Long:     a.Kind == ArgText,
	}
	add := func(value, label string) {
		in.Options = append(in.Options, integrations.Option{Value: value, Label: label})
	}
	g := &grammar{verbs, c.Catalog}
	switch a.Kind {
	case ArgService:
		for _, s := range c.Catalog.Services {
			add(s.Name, s.Name)
		}
	case ArgEnvironment:
		s, known := c.Catalog.Service(serviceOf(c))
		for _, e := range c.Catalog.Environments {
			if _, has := s.Environments[e.Name]; has || !known {
				add(e.Name, e.Name)
			}
		}
	case ArgTarget:
		for _, n := range g.targetNames() {
			add(n, n)
		}
	case ArgSchedule:
		for _, s := range c.Catalog.Schedules {
			add(s.Name, s.Name)
		}
	case ArgScope:
		for _, n := range g.scopeNames() {
			add(n, n)
		}
	case ArgVerb:
		for _, v := range verbs {
			add(v.Name, v.Name)
		}
	case ArgBool:
		add("true", "Yes")
		add("false", "No")
	case ArgDuration:
		in.Value = shortDuration(in.Value)
	}
	for _, word := range a.Choices {
		add(word, capital(word))
	}
	if in.Hint == "" {
		in.Hint = hints[a.Kind]
	}
	return in
}

func serviceOf(c *Call) string {
	for _, a := range c.Verb.Args {
		if (a.Kind == ArgService || a.Kind == ArgThing) && c.Args[a.Name] != "" {
			return c.Args[a.Name]
		}
	}
	return ""
}

// FromValues understands a submitted modal: the same call as the line would be,
// checked again.
func FromValues(verbs []Verb, cat *integrations.Catalog, verb string, values map[string]string) Understanding {
	g := &grammar{verbs, cat}
	v := g.verbNamed(verb)
	if v == nil {
		return Understanding{Refusal: Refuse("unknown_verb", fmt.Sprintf("There is no command %s any more.", show(verb))).WithExample("help")}
	}
	u := &understood{}
	for _, args := range [][]Arg{v.Args, v.Flags} {
		for i := range args {
			a := &args[i]
			value := strings.TrimFunc(values[a.Name], isSpace)
			switch {
			case value == "":
			case a.Kind == ArgText:
				u.picks = append(u.picks, pick{a, fit(value, 0)})
			default:
				toks := []token{{text: value}}
				if a.Kind == ArgDuration || a.Kind == ArgWhen || a.Kind == ArgMoment { // "2 hours"
					toks = tokens(value, nil)
				}
				u.picks = append(u.picks, pick{a, a.among(g.resolve(a.Kind, toks))})
			}
		}
	}
	g.complete(u, v)
	out := g.judge(v, "", u)
	out.Call.Line = Render(out.Call)
	return out
}

func capital(s string) string {
	r := []rune(strings.ReplaceAll(s, "_", " "))
	if len(r) > 0 {
		r[0] = unicode.ToUpper(r[0])
	}
	return string(r)
}

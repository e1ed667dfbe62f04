package commands

import (
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// What a reading costs. The cheapest reading of a line is the one that was meant.
const (
	costMissing  = 30 // a required argument is not there
	costSkipped  = 40 // … and a later one stands in its place
	costLeft     = 70 // words that nothing reads; more than a word that does not fit
	costKeyword  = 50 // "to" read as the beginning of a text
	costText     = 5  // a text that no keyword introduces
	costConfused = 2  // a ref that is also the name of an environment
	gainKeyword  = -1
)

// A pick is an argument with what it was read as.
type pick struct {
	arg *Arg
	reading
}

// understood is a line's best reading under one verb.
type understood struct {
	picks   []pick
	missing []Arg
	left    string // words that nothing reads
	flaws   []pick // picks with a problem
	misread []*problem
}

func (u *understood) value(name string) string {
	for _, p := range u.picks {
		if p.arg.Name == name {
			return p.value
		}
	}
	return ""
}

// understand reads the tokens behind a verb.
func (g *grammar) understand(v *Verb, line string, toks []token) *understood {
	u := &understood{}
	rest := g.takeFlags(u, v, line, toks)
	m := &matcher{g: g, line: line, toks: rest, best: 1 << 30, cache: map[cacheKey]reading{}}
	for i := range v.Args {
		a := &v.Args[i]
		if slices.ContainsFunc(u.picks, func(p pick) bool { return p.arg == a }) {
			m.flagged = append(m.flagged, a)
		} else {
			m.args = append(m.args, a)
		}
	}
	m.walk(0, 0, 0, false)
	u.picks = append(u.picks, m.found...)
	if m.left < len(rest) {
		u.left = m.raw(m.left)
	}
	g.complete(u, v)
	return u
}

// complete fills in defaults, drops empty values and gathers what is wrong.
func (g *grammar) complete(u *understood, v *Verb) {
	u.picks = slices.DeleteFunc(u.picks, func(p pick) bool { return p.problem == nil && strings.TrimSpace(p.value) == "" })
	given := func(name string) bool {
		return slices.ContainsFunc(u.picks, func(p pick) bool { return p.arg.Name == name })
	}
	for n, args := range [][]Arg{v.Args, v.Flags} {
		for i := range args {
			a := &args[i]
			asked := slices.ContainsFunc(u.missing, func(m Arg) bool { return m.Name == a.Name })
			switch {
			case given(a.Name) || asked:
			case a.Default != "":
				r := fit(a.Default, 0)
				if a.Kind != ArgText {
					r = g.resolve(a.Kind, []token{{text: a.Default}})
				}
				u.picks = append(u.picks, pick{a, r})
			case !a.Optional && n == 0: // a flag is never required
				u.missing = append(u.missing, *a)
			}
		}
	}
	if _, service := g.cat.Service(u.valueOf(ArgThing)); service && u.valueOf(ArgEnvironment) == "" {
		for _, a := range v.Args {
			if a.Kind == ArgEnvironment && !given(a.Name) && !slices.ContainsFunc(u.missing, func(m Arg) bool { return m.Name == a.Name }) {
				u.missing = append(u.missing, a)
			}
		}
	}
	g.checkPair(u, v)
	for _, p := range u.picks {
		if p.problem != nil {
			u.flaws = append(u.flaws, p)
		}
	}
}

// checkPair asks whether the service has the environment.
func (g *grammar) checkPair(u *understood, v *Verb) {
	s, ok := g.cat.Service(u.valueOf(ArgService))
	if !ok {
		s, ok = g.cat.Service(u.valueOf(ArgThing))
	}
	if !ok {
		return
	}
	for i, p := range u.picks {
		if p.arg.Kind != ArgEnvironment {
			continue
		}
		var all []string
		for _, e := range g.cat.Environments {
			if _, has := s.Environments[e.Name]; has {
				all = append(all, e.Name)
			}
		}
		if p.problem != nil {
			p.problem.all = all
			continue
		}
		if _, has := s.Environments[p.value]; has {
			continue
		}
		u.picks[i].problem = &problem{
			code: "unknown_environment",
			what: fmt.Sprintf("%s has no environment %s.", s.Name, p.value),
			all:  all,
		}
	}
}

// valueOf is the value of the first argument of a kind that fits.
func (u *understood) valueOf(kind ArgKind) string {
	for _, p := range u.picks {
		if p.arg.Kind == kind && p.problem == nil {
			return p.value
		}
	}
	return ""
}

// A matcher looks for the cheapest way to read tokens as positional arguments.
type matcher struct {
	g    *grammar
	line string
	toks []token
	args []*Arg
	// flagged are the arguments that were given as flags.
	flagged []*Arg
	cache   map[cacheKey]reading

	path  []pick
	best  int
	found []pick
	left  int // the first token that the best reading leaves over
}

type cacheKey struct {
	kind ArgKind
	at   int
}

// walk reads the tokens from ti on as the arguments from ai on. gap says that a
// required argument before has been left out.
func (m *matcher) walk(ai, ti, cost int, gap bool) {
	if cost >= m.best {
		return
	}
	if ai == len(m.args) {
		if n := len(m.toks) - ti; n > 0 {
			cost += costLeft + costText*(n-1)
		}
		if cost < m.best {
			m.best, m.found, m.left = cost, slices.Clone(m.path), ti
		}
		return
	}
	a := m.args[ai]
	if slices.ContainsFunc(m.path, func(p pick) bool { return p.arg == a }) { // named beside its service
		m.walk(ai+1, ti, cost, gap)
		return
	}
	if ti < len(m.toks) {
		if a.Kind == ArgText {
			m.walkText(ai, ti, cost, gap)
		} else {
			m.walkWord(ai, ti, cost, gap)
		}
	}
	if a.Optional {
		m.walk(ai+1, ti, cost, gap)
	} else {
		m.walk(ai+1, ti, cost+costMissing, true)
	}
}

func (m *matcher) walkWord(ai, ti, cost int, gap bool) {
	a := m.args[ai]
	if introduces(a, m.toks[ti]) {
		if ti+1 == len(m.toks) { // the line ends where the argument should stand
			m.walk(ai+1, ti+1, cost+costMissing, true)
		} else {
			r := a.among(m.resolve(a.Kind, ti+1))
			m.with(pick{a, r}, func() { m.walk(ai+1, ti+1+r.used, cost+r.cost+gainKeyword, gap) })
		}
	}
	if a.Strict {
		return
	}
	if gap {
		cost += costSkipped
	}
	if a.Kind == ArgService && ai+1 < len(m.args) && m.args[ai+1].Kind == ArgRef {
		if s, r, ok := m.serviceAtRef(ti); ok {
			m.with(pick{a, s}, func() {
				m.with(pick{m.args[ai+1], r}, func() { m.walk(ai+2, ti+1, cost+r.cost, gap) })
			})
		}
	}
	if env := m.environmentAfter(ai); env != nil {
		if s, e, ok := m.serviceThere(ti); ok {
			m.with(pick{a, s}, func() {
				m.with(pick{env, e}, func() { m.walk(ai+1, ti+1, cost, gap) })
			})
		}
	}
	r := a.among(m.resolve(a.Kind, ti))
	if m.keyword(ti) {
		word := m.toks[ti].text
		r = misfit(word, 1, &problem{code: "misplaced", what: fmt.Sprintf("%s stands where a %s should; put it in quotes if it is one.", show(word), a.Name)})
	}
	if a.Kind == ArgRef && m.resolve(ArgEnvironment, ti).problem == nil {
		cost += costConfused
	}
	m.with(pick{a, r}, func() { m.walk(ai+1, ti+r.used, cost+r.cost, gap) })
}

// walkText gives the rest of the line to a text.
func (m *matcher) walkText(ai, ti, cost int, gap bool) {
	a, start := m.args[ai], ti
	switch {
	case introduces(a, m.toks[ti]):
		start++
		cost += gainKeyword
	default:
		cost += costText
		if gap {
			cost += costSkipped
		}
		if slices.ContainsFunc(m.flagged, func(a *Arg) bool { return introduces(a, m.toks[ti]) }) {
			return // "deploy web to staging --to production" says no reason, it says it twice
		}
		for _, other := range m.args[:ai] {
			if !slices.ContainsFunc(m.path, func(p pick) bool { return p.arg == other }) && introduces(other, m.toks[ti]) {
				cost += costKeyword
			}
		}
		if t := m.toks[ti]; !t.quoted && dashes(t.text) == len(t.text) {
			start++ // "deploy web to staging -- a hotfix"
		}
	}
	if start == len(m.toks) {
		return
	}
	m.with(pick{a, fit(m.raw(start), len(m.toks)-start)}, func() { m.walk(ai+1, len(m.toks), cost, gap) })
	// One in quotes ends with them, where another text can follow: open "Slow pages" we look into it.
	if next := slices.IndexFunc(m.args[ai+1:], func(a *Arg) bool { return a.Kind == ArgText }); next >= 0 && m.toks[start].quoted && start+1 < len(m.toks) {
		m.with(pick{a, fit(m.toks[start].text, 1)}, func() { m.walk(ai+1, start+1, cost, gap) })
	}
}

// keyword says whether a token is a keyword of this verb, and so no name.
func (m *matcher) keyword(ti int) bool {
	is := func(a *Arg) bool { return a.Kind != ArgText && introduces(a, m.toks[ti]) }
	return slices.ContainsFunc(m.args, is) || slices.ContainsFunc(m.flagged, is)
}

func (m *matcher) with(p pick, do func()) {
	m.path = append(m.path, p)
	do()
	m.path = m.path[:len(m.path)-1]
}

func (m *matcher) resolve(kind ArgKind, at int) reading {
	key := cacheKey{kind, at}
	r, ok := m.cache[key]
	if !ok {
		r = m.g.resolve(kind, m.toks[at:])
		m.cache[key] = r
	}
	return r
}

// serviceAtRef reads "web@v1.2".
func (m *matcher) serviceAtRef(ti int) (service, atRef reading, ok bool) {
	t := m.toks[ti]
	word := t.text
	if t.link != nil {
		word = t.link.label
	}
	left, right, cut := strings.Cut(narrow(word), "@")
	s, known := m.g.cat.Service(left)
	if t.quoted || t.flag != "" || !cut || !known {
		return reading{}, reading{}, false
	}
	return fit(s.Name, 1), ref(right), true
}

// environmentAfter is the argument that says where the service of another one runs,
// if that can be named with it in one word.
func (m *matcher) environmentAfter(ai int) *Arg {
	if k := m.args[ai].Kind; k != ArgService && k != ArgThing {
		return nil
	}
	for _, a := range m.args[ai+1:] {
		if a.Kind == ArgEnvironment {
			return a
		}
	}
	return nil
}

// serviceThere reads "web/staging".
func (m *matcher) serviceThere(ti int) (service, environment reading, ok bool) {
	t := m.toks[ti]
	if t.quoted || t.flag != "" || t.link != nil {
		return reading{}, reading{}, false
	}
	for _, w := range spellings(t.text) {
		left, right, cut := strings.Cut(narrow(w), "/")
		s, known := m.g.cat.Service(left)
		e, there := m.g.cat.Environment(right)
		if _, whole := m.g.cat.Service(w); cut && known && there && !whole {
			return fit(s.Name, 1), fit(e.Name, 1), true
		}
	}
	return reading{}, reading{}, false
}

// raw is the line from a token on, as it was typed but without the flags that
// stood in it. A text that is one quoted text loses its quotes.
func (m *matcher) raw(from int) string {
	return rawText(m.line, m.toks[from:])
}

func rawText(line string, toks []token) string {
	if len(toks) == 1 && toks[0].quoted {
		return toks[0].text
	}
	var b strings.Builder
	for i, t := range toks {
		switch {
		case i == 0:
		case strings.TrimFunc(line[toks[i-1].end:t.start], isSpace) == "":
			b.WriteString(line[toks[i-1].end:t.start])
		default: // a flag stood between
			b.WriteByte(' ')
		}
		b.WriteString(line[t.start:t.end])
	}
	return b.String()
}

// introduces says whether a token is the keyword of an argument.
func introduces(a *Arg, t token) bool {
	if t.quoted || t.link != nil {
		return false
	}
	word := integrations.Fold(t.text)
	switch {
	case a.Keyword != "" && word == integrations.Fold(a.Keyword), slices.Contains(a.Also, word):
		return true
	case a.Kind == ArgEnvironment:
		return preposition(t)
	case a.Kind == ArgText:
		return word == "because" || word == "because:" || word == "reason:"
	}
	return false
}

// preposition says whether a token may stand before an environment.
func preposition(t token) bool {
	if t.quoted {
		return false
	}
	switch integrations.Fold(t.text) {
	case "to", "in", "on", "into", "->", "→", "=>":
		return true
	}
	return false
}

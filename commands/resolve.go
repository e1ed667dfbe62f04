package commands

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// How well words fit an argument. The numbers are the cost of reading them so.
const (
	fits = 0
	near = 20 // misspelt: something close to it exists
	bad  = 60
)

// A reading is what words mean as an argument.
type reading struct {
	value   string
	used    int // how many tokens
	cost    int
	problem *problem // nil if it fits
}

// A problem is why a word is not what it should be.
type problem struct {
	code string
	what string
	near []string // values that were probably meant, best first
	all  []string // what exists, where that can be listed
}

func (p *problem) cost() int {
	if len(p.near) > 0 {
		return near
	}
	return bad
}

func fit(value string, used int) reading { return reading{value: value, used: used} }

func misfit(value string, used int, p *problem) reading {
	return reading{value: value, used: used, cost: p.cost(), problem: p}
}

// resolve reads the tokens at the front of toks as an argument of a kind.
// ArgText is not read here: it takes the rest of the line.
func (g *grammar) resolve(kind ArgKind, toks []token) reading {
	t := toks[0]
	if t.flag != "" {
		return misfit(t.text, 1, &problem{code: "unknown_flag", what: fmt.Sprintf("There is no flag %s here.", t.text)})
	}
	word := t.text
	if t.link != nil {
		word = t.link.label
	}
	if strings.TrimSpace(word) == "" {
		return misfit("", 1, &problem{code: "missing_value", what: "An empty text stands where a word should."})
	}
	switch kind {
	case ArgService:
		return g.service(word)
	case ArgEnvironment:
		return g.environment(word)
	case ArgSchedule:
		return g.schedule(word)
	case ArgTarget:
		return g.target(word, toks)
	case ArgScope, ArgHold:
		return g.scope(word, toks, kind == ArgHold)
	case ArgVerb:
		return g.verb(word, toks)
	case ArgSubject:
		if t.link != nil && strings.Contains(t.link.url, "://") {
			word = t.link.url
		}
		return subject(word)
	case ArgThing:
		if r := subjectAt(word); r.problem == nil {
			return r
		}
		return g.service(word)
	case ArgAbout:
		if t.link != nil && strings.Contains(t.link.url, "://") {
			if r := subject(t.link.url); r.problem == nil {
				return r
			}
		}
		return g.about(word, toks)
	case ArgDuration:
		return duration(toks)
	case ArgWhen:
		return moments(toks, past)
	case ArgMoment:
		return moments(toks, toCome)
	case ArgBool:
		return boolean(word)
	case ArgRef:
		return ref(narrow(word))
	}
	if t.link != nil && strings.HasPrefix(t.link.url, "<") {
		word = t.link.url
	}
	return fit(narrow(word), 1)
}

// among holds a reading to the words that the argument may be.
func (a *Arg) among(r reading) reading {
	if len(a.Choices) == 0 || r.problem != nil || r.value == "" {
		return r
	}
	for _, w := range spellings(r.value) {
		for _, c := range a.Choices {
			if integrations.Fold(c) == integrations.Fold(strings.NewReplacer("-", "_", " ", "_").Replace(w)) {
				r.value = c
				return r
			}
		}
	}
	what := fmt.Sprintf("%s is no %s.", show(r.value), strings.ReplaceAll(a.Name, "-", " "))
	return misfit(r.value, r.used, &problem{code: "unknown_" + strings.ReplaceAll(a.Name, "-", "_"), what: what, near: nearest(r.value, a.Choices, 2), all: a.Choices})
}

// spellings are the ways a word may have been meant, as typed first: people end
// lines with a full stop and paste names out of formatted text.
func spellings(word string) []string {
	out := []string{word}
	if s := strings.Trim(word, "`*_~"); s != word && s != "" {
		out = append(out, s)
	}
	if s := strings.TrimRight(word, ".,;:!?。、！？`*_~"); s != word && s != "" {
		out = append(out, strings.TrimLeft(s, "`*_~"))
	}
	return out
}

func (g *grammar) service(word string) reading {
	var names, all []string
	for _, s := range g.cat.Services {
		all = append(all, s.Name)
		names = append(append(names, s.Name), s.Aliases...)
	}
	for _, w := range spellings(word) {
		if s, ok := g.cat.Service(w); ok {
			return fit(s.Name, 1)
		}
	}
	p := &problem{code: "unknown_service", what: fmt.Sprintf("There is no service %s.", show(word)), all: all}
	for _, n := range nearest(word, names, 3) {
		if s, ok := g.cat.Service(n); ok && !slices.Contains(p.near, s.Name) {
			p.near = append(p.near, s.Name)
		}
	}
	return misfit(word, 1, p)
}

func (g *grammar) schedule(word string) reading {
	var names, all []string
	for _, s := range g.cat.Schedules {
		all = append(all, s.Name)
		names = append(append(names, s.Name), s.Aliases...)
	}
	for _, w := range spellings(word) {
		if s, ok := g.cat.Schedule(w); ok {
			return fit(s.Name, 1)
		}
	}
	p := &problem{code: "unknown_schedule", what: fmt.Sprintf("There is no schedule %s.", show(word)), all: all}
	for _, n := range nearest(word, names, 3) {
		if s, ok := g.cat.Schedule(n); ok && !slices.Contains(p.near, s.Name) {
			p.near = append(p.near, s.Name)
		}
	}
	return misfit(word, 1, p)
}

func (g *grammar) environment(word string) reading {
	var names, all []string
	for _, e := range g.cat.Environments {
		all = append(all, e.Name)
		names = append(append(names, e.Name), e.Aliases...)
	}
	for _, w := range spellings(word) {
		if e, ok := g.cat.Environment(w); ok {
			return fit(e.Name, 1)
		}
	}
	p := &problem{code: "unknown_environment", what: fmt.Sprintf("There is no environment %s.", show(word)), all: all}
	for _, n := range nearest(word, names, 3) {
		if e, ok := g.cat.Environment(n); ok && !slices.Contains(p.near, e.Name) {
			p.near = append(p.near, e.Name)
		}
	}
	return misfit(word, 1, p)
}

func (g *grammar) verb(word string, toks []token) reading {
	if len(g.verbs) == 0 { // a call that is rendered was understood before
		return fit(word, 1)
	}
	if v, used := g.verbAt(toks); v != nil {
		return fit(v.Name, used)
	}
	p := &problem{code: "unknown_verb", what: fmt.Sprintf("There is no command %s.", show(word))}
	for _, v := range g.nearVerbs(word) {
		p.near = append(p.near, v.Name)
	}
	return misfit(word, 1, p)
}

var (
	subjectID   = regexp.MustCompile(`^([a-z]+)-([0-9]{1,18})$`)
	subjectRun  = regexp.MustCompile(`^(op|job|hold)([0-9]{1,18})$`)
	subjectPull = regexp.MustCompile(`^([\w.-]+/[\w.-]+)?#([0-9]{1,9})$`)
	subjectPath = regexp.MustCompile(`^/(?:.*/)?([\w.-]+/[\w.-]+)/pull/([0-9]{1,9})(?:/.*)?$`)
)

// subjectAt is a subject, or a pull request at one head: "#12@3f2a…".
func subjectAt(word string) reading {
	pull, sha, at := strings.Cut(strings.TrimRight(word, ".,"), "@")
	if r := subject(pull); at && sha != "" && r.problem == nil {
		return fit(r.value+"@"+sha, 1)
	}
	return subject(word)
}

// subject reads "op-12", "#12", "acme/web#12" or a pull request's address, which
// becomes "acme/web#12".
func subject(word string) reading {
	for _, w := range spellings(word) {
		w = narrow(w)
		low := integrations.Fold(w)
		switch {
		case subjectID.MatchString(low):
			return fit(low, 1)
		case subjectRun.MatchString(low):
			return fit(subjectRun.ReplaceAllString(low, "$1-$2"), 1)
		case subjectPull.MatchString(w):
			return fit(w, 1)
		case strings.Contains(w, "://"):
			if u, err := url.Parse(w); err == nil {
				if m := subjectPath.FindStringSubmatch(u.Path); m != nil {
					return fit(m[1]+"#"+m[2], 1)
				}
			}
		}
	}
	r := misfit(word, 1, &problem{
		code: "bad_subject",
		what: fmt.Sprintf("%s names no operation, job or pull request: say op-12, job-31, #12, acme/web#12 or a pull request's address.", show(word)),
	})
	r.cost++ // a word that is wrong anyway is more often meant as a name
	return r
}

// IsSubject says whether a word has the form of a subject.
func IsSubject(word string) bool { return subject(word).problem == nil }

var units = map[string]time.Duration{
	"s": time.Second, "sec": time.Second, "secs": time.Second, "second": time.Second, "seconds": time.Second, "秒": time.Second,
	"m": time.Minute, "min": time.Minute, "mins": time.Minute, "minute": time.Minute, "minutes": time.Minute, "分": time.Minute,
	"h": time.Hour, "hr": time.Hour, "hrs": time.Hour, "hour": time.Hour, "hours": time.Hour, "時間": time.Hour,
	"d": 24 * time.Hour, "day": 24 * time.Hour, "days": 24 * time.Hour, "日": 24 * time.Hour,
	"w": 7 * 24 * time.Hour, "week": 7 * 24 * time.Hour, "weeks": 7 * 24 * time.Hour, "週間": 7 * 24 * time.Hour,
}

// longest is what a duration may be: more is a slip of the finger.
const longest = 366 * 24 * time.Hour

func duration(toks []token) reading {
	word := toks[0].text
	for _, w := range spellings(word) {
		if d, ok := parseDuration(integrations.Fold(w)); ok {
			return fit(d.String(), 1)
		}
	}
	if len(toks) > 1 && toks[1].flag == "" && !toks[1].quoted {
		if d, ok := parseDuration(integrations.Fold(word + toks[1].text)); ok {
			return fit(d.String(), 2)
		}
	}
	return misfit(word, 1, &problem{
		code: "bad_duration",
		what: fmt.Sprintf("%s is not a time span: say 90m, 2h, 2h30m or 1d.", show(word)),
	})
}

// Duration reads a time span as people type it ("90m", "2h30m", "7d"), up to 366
// days and to the second; false if it is none.
func Duration(s string) (time.Duration, bool) { return parseDuration(integrations.Fold(s)) }

func parseDuration(s string) (time.Duration, bool) {
	var sum time.Duration
	for s != "" {
		n := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if n <= 0 {
			return 0, false
		}
		number, err := strconv.ParseFloat(s[:n], 64)
		if err != nil {
			return 0, false
		}
		s = s[n:]
		n = strings.IndexFunc(s, func(r rune) bool { return unicode.IsDigit(r) })
		if n < 0 {
			n = len(s)
		}
		unit, ok := units[s[:n]]
		if !ok || number*float64(unit) > float64(longest) {
			return 0, false
		}
		sum += time.Duration(number * float64(unit))
		if sum > longest {
			return 0, false
		}
		s = s[n:]
	}
	return sum.Round(time.Second), sum.Round(time.Second) > 0
}

func boolean(word string) reading {
	switch integrations.Fold(word) {
	case "true", "yes", "on", "1", "はい":
		return fit("true", 1)
	case "false", "no", "off", "0", "いいえ":
		return fit("", 1)
	}
	return misfit(word, 1, &problem{code: "bad_value", what: fmt.Sprintf("%s is neither yes nor no.", show(word))})
}

// ref refuses what git could take for an option and what no ref may hold.
func ref(word string) reading {
	if word == "" || len(word) > 250 || !utf8.ValidString(word) || dashes(word) > 0 ||
		strings.ContainsFunc(word, func(r rune) bool {
			return unicode.IsControl(r) || isSpace(r) || strings.ContainsRune(`~^:?*[\`, r)
		}) || strings.Contains(word, "..") || strings.Contains(word, "@{") {
		return misfit(word, 1, &problem{code: "bad_ref", what: fmt.Sprintf("%s is no branch, tag or commit.", show(word))})
	}
	return fit(word, 1)
}

// show puts a typed word into a sentence: short, and in quotes.
func show(word string) string {
	const most = 40
	if r := []rune(word); len(r) > most {
		word = string(r[:most]) + "…"
	}
	return "“" + word + "”"
}

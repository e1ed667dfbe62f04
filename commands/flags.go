package commands

import (
	"fmt"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// takeFlags reads the flags out of toks, wherever they stand, and returns the
// rest. An argument may be given as a flag too: --service web, --to staging.
func (g *grammar) takeFlags(u *understood, v *Verb, line string, toks []token) []token {
	var rest []token
	for i := 0; i < len(toks); i++ {
		t := toks[i]
		a, p := v.flag(t)
		switch {
		case p != nil:
			u.misread = append(u.misread, p)
		case a == nil:
			rest = append(rest, t)
			continue
		}
		if a == nil {
			continue
		}
		if u.value(a.Name) != "" {
			u.misread = append(u.misread, &problem{code: "twice", what: fmt.Sprintf("--%s is given twice.", a.Name)})
		}
		r, ok := g.flagValue(v, a, line, t, toks[i+1:])
		if !ok {
			u.missing = append(u.missing, *a)
			continue
		}
		i += r.used
		u.picks = append(u.picks, pick{a, r})
	}
	return rest
}

// flag finds the argument that a token names as a flag. A name that is nearly
// right comes with the argument and a problem; one that is nothing with a
// problem alone, if it can be nothing but a flag.
func (v *Verb) flag(t token) (*Arg, *problem) {
	if t.flag == "" {
		return nil, nil
	}
	var names []string
	for _, args := range [][]Arg{v.Flags, v.Args} {
		for i := range args {
			a := &args[i]
			if t.flag == integrations.Fold(a.Name) || a.Keyword != "" && t.flag == integrations.Fold(a.Keyword) {
				return a, nil
			}
			names = append(names, a.Name)
		}
	}
	p := &problem{code: "unknown_flag", what: fmt.Sprintf("%s has no flag %s.", v.Name, show(t.text)), near: nearest(t.flag, names, 1)}
	for _, f := range v.Flags {
		p.all = append(p.all, "--"+f.Name)
	}
	if len(p.near) == 0 {
		if t.long {
			return nil, p
		}
		return nil, nil // a dash before a word of a text
	}
	for _, args := range [][]Arg{v.Flags, v.Args} {
		for i := range args {
			if args[i].Name == p.near[0] {
				return &args[i], p
			}
		}
	}
	return nil, p
}

// flagValue reads the value of a flag from the token itself or from those
// behind it; used counts the latter.
func (g *grammar) flagValue(v *Verb, a *Arg, line string, t token, behind []token) (reading, bool) {
	if t.value != nil {
		if strings.TrimSpace(*t.value) == "" {
			return reading{}, false
		}
		if a.Kind == ArgText {
			return fit(*t.value, 0), true
		}
		r := a.among(g.resolve(a.Kind, []token{{text: *t.value}}))
		r.used = 0
		return r, true
	}
	if a.Kind == ArgBool {
		return fit("true", 0), true
	}
	n := 0
	for n < len(behind) {
		if next, _ := v.flag(behind[n]); next != nil {
			break
		}
		n++
		if a.Kind == ArgText && behind[0].quoted {
			break
		}
	}
	if n == 0 {
		return reading{}, false
	}
	if a.Kind == ArgText {
		return fit(rawText(line, behind[:n]), n), true
	}
	return a.among(g.resolve(a.Kind, behind[:n])), true
}

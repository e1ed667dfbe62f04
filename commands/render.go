package commands

import (
	"maps"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Render writes a call as the line that means it: the one form that buttons
// carry, that the audit shows and by which two requests are the same.
func Render(c *Call) string {
	line := render(c, false)
	if c.Catalog == nil {
		return line
	}
	// Where the short form would be read as something else, every argument is named.
	g := &grammar{cat: c.Catalog}
	toks := tokens(line, nil)
	if n := len(strings.Fields(c.Verb.Name)); len(toks) >= n {
		u := g.understand(c.Verb, line, toks[n:])
		got := map[string]string{}
		for _, p := range u.picks {
			got[p.arg.Name] = p.value
		}
		if maps.Equal(got, c.Args) && len(u.misread) == 0 && u.left == "" {
			return line
		}
	}
	return render(c, true)
}

func render(c *Call, named bool) string {
	var b strings.Builder
	b.WriteString(c.Verb.Name)
	for _, a := range c.Verb.Args {
		v, ok := c.Args[a.Name]
		switch {
		case !ok:
		case named:
			b.WriteString(" --" + a.Name + "=" + word(a.Kind, v, true))
		default:
			if a.Keyword != "" {
				b.WriteString(" " + a.Keyword)
			}
			b.WriteString(" " + word(a.Kind, v, false))
		}
	}
	for _, a := range c.Verb.Flags {
		v, ok := c.Args[a.Name]
		switch {
		case !ok:
		case a.Kind == ArgBool:
			b.WriteString(" --" + a.Name)
		case named:
			b.WriteString(" --" + a.Name + "=" + word(a.Kind, v, true))
		default:
			b.WriteString(" --" + a.Name + " " + word(a.Kind, v, false))
		}
	}
	return b.String()
}

func word(kind ArgKind, v string, always bool) string {
	switch {
	case kind == ArgText:
		return quote(v)
	case kind == ArgDuration:
		return shortDuration(v)
	case always || v == "" || dashes(v) > 0 || strings.ContainsFunc(v, isSpace) || beginsQuoted(v) || introducesAny(v):
		return quote(v)
	}
	return v
}

func beginsQuoted(v string) bool {
	r, _ := utf8.DecodeRuneInString(v)
	return strings.ContainsRune(doubleQuotes+singleQuotes, r)
}

func introducesAny(v string) bool {
	t := token{text: v}
	return preposition(t) || introduces(&Arg{Kind: ArgText}, t)
}

// shortDuration is "2h" for "2h0m0s".
func shortDuration(v string) string {
	d, err := time.ParseDuration(v)
	if err != nil {
		return v
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Usage shows how a verb is written: "deploy <service> [<ref>] to <environment> [because <reason>] [--force]".
func Usage(v Verb) string {
	var b strings.Builder
	b.WriteString(v.Name)
	for _, a := range v.Args {
		s := "<" + a.Name + ">"
		if a.Keyword != "" {
			s = a.Keyword + " " + s
		}
		if a.Optional {
			s = "[" + s + "]"
		}
		b.WriteString(" " + s)
	}
	for _, a := range v.Flags {
		s := "--" + a.Name
		if a.Kind != ArgBool {
			s += " <" + string(a.Kind) + ">"
		}
		b.WriteString(" [" + s + "]")
	}
	return b.String()
}

// Examples are a verb's examples with names of this workspace.
func Examples(v Verb, cat *integrations.Catalog) []string {
	service, environment := "web", "staging"
	if cat != nil && len(cat.Environments) > 0 {
		environment = cat.Environments[0].Name
	}
	if cat != nil && len(cat.Services) > 0 {
		service = cat.Services[0].Name
		for _, e := range cat.Environments { // one that the service has
			if _, ok := cat.Services[0].Environments[e.Name]; ok {
				environment = e.Name
				break
			}
		}
	}
	var out []string
	for _, e := range v.Examples {
		out = append(out, strings.NewReplacer("{service}", service, "{environment}", environment).Replace(e))
	}
	return out
}

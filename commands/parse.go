package commands

import (
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Prompt is what people type before a line.
const Prompt = "/ops"

// longestLine is what a line may hold, in bytes.
const longestLine = 8000

// longestButton is what a button's line may hold: less than what chats carry.
const longestButton = 1500

// Understanding is what a line was understood as: a Call, complete or with
// arguments Missing; or a Refusal.
type Understanding struct {
	// Call is as much as was understood, also beside a Refusal; nil if no verb was.
	Call *Call
	// Missing are the arguments to ask for.
	Missing []Arg
	// Notes say how a misspelt line was read; only lines that read are read so.
	Notes   []string
	Refusal *Refusal
	// Close says that the refusal is about a slip of the finger: what was meant
	// is offered in its buttons.
	Close bool
}

// grammar is the language at one moment: the verbs, and the names that the
// configuration gives to things.
type grammar struct {
	verbs []Verb
	cat   *integrations.Catalog
}

// Parse understands one line. wire says that it comes from chat as chat sent it,
// with &amp; and <…|…>; the line of a button does not. A line is understood from
// its first word, never from one in its middle.
func Parse(verbs []Verb, cat *integrations.Catalog, text string, wire bool) Understanding {
	g := &grammar{verbs, cat}
	if most := longestLine; wire && len(text) > most || len(text) > 3*most { // rendered, a line can grow
		return Understanding{Refusal: Refuse("too_long", fmt.Sprintf("That line is longer than %d bytes.", most)).WithHint("Put what is long where it can be linked to.").WithExample("help")}
	}
	line, links := text, []link(nil)
	if wire {
		line, links = decode(text, g.nameOf)
	}
	toks := tokens(line, links)
	if len(toks) > 0 && integrations.Fold(toks[0].text) == Prompt {
		toks = toks[1:]
	}
	if len(toks) == 0 {
		return g.helpOn(nil, line)
	}
	first := toks[0].text
	if first == "?" || toks[0].flag == "help" || toks[0].flag == "h" {
		return g.helpOn(nil, line)
	}
	v, used := g.verbAt(toks)
	if v == nil {
		return g.unknownVerb(first, line, toks)
	}
	u := g.sentence(v, line, toks[used:])
	if r, ok := g.misspeltPair(toks, line); ok && used == 1 && (u.Refusal != nil || len(u.Notes) > 0) {
		return r
	}
	return u
}

// verbAt is the verb at the front of the tokens, and of how many of them its name is
// made: "oncall take" is a verb of its own beside "oncall".
func (g *grammar) verbAt(toks []token) (v *Verb, used int) {
	for n := min(longestVerb, len(toks)); n > 0; n-- {
		name, ok := nameOf(toks[:n])
		if !ok {
			continue
		}
		for _, w := range spellings(name) {
			if v := g.verbNamed(w); v != nil {
				return g.taken(v, toks[n:]), n
			}
		}
	}
	return nil, 0
}

// taken is the verb that takes a line from the one of its name, by what follows; else that
// one itself.
func (g *grammar) taken(v *Verb, rest []token) *Verb {
	for n := range g.verbs {
		if begins := g.verbs[n].Takes[v.Name]; begins != "" && len(rest) > 0 && strings.HasPrefix(integrations.Fold(rest[0].text), begins) {
			return &g.verbs[n]
		}
	}
	return v
}

// longestVerb is of how many words the name of a verb is made at most.
const longestVerb = 2

// nameOf are tokens as the name of a verb; one of several words is not quoted, and has
// no flags in it.
func nameOf(toks []token) (string, bool) {
	var words []string
	for _, t := range toks {
		if len(toks) > 1 && (t.quoted || t.flag != "" || t.link != nil) {
			return "", false
		}
		words = append(words, t.text)
	}
	return strings.Join(words, " "), true
}

// sentence understands what stands behind a verb.
func (g *grammar) sentence(v *Verb, line string, toks []token) Understanding {
	if wantsHelp(v, toks) {
		if u := g.helpOn(v, line); u.Call != nil {
			return u
		}
	}
	return g.judge(v, line, g.understand(v, line, toks))
}

func (g *grammar) nameOf(id string) string {
	if p := g.cat.PersonBySlack(id); p.Linked() {
		return p.Name
	}
	return id
}

// verbNamed finds a verb by its name or an alias, or by the plural of one.
func (g *grammar) verbNamed(word string) *Verb {
	folded := integrations.Fold(word)
	for _, w := range []string{folded, strings.TrimSuffix(folded, "s"), folded + "s"} {
		for i := range g.verbs {
			v := &g.verbs[i]
			if w != "" && slices.ContainsFunc(v.names(), func(n string) bool { return integrations.Fold(n) == w }) {
				return v
			}
		}
	}
	return nil
}

func (v *Verb) names() []string { return append([]string{v.Name}, v.Aliases...) }

// nearVerbs are the verbs that a word was probably meant to be, best first.
func (g *grammar) nearVerbs(word string) []*Verb {
	var names []string
	for _, v := range g.verbs {
		if !v.Hidden {
			names = append(names, v.names()...)
		}
	}
	var out []*Verb
	for _, n := range nearest(word, names, 4) {
		if v := g.verbNamed(n); v != nil && !slices.Contains(out, v) && len(out) < 3 {
			out = append(out, v)
		}
	}
	return out
}

func wantsHelp(v *Verb, toks []token) bool {
	if len(toks) == 1 && (toks[0].text == "?" || integrations.Fold(toks[0].text) == "help" && len(v.Args) > 0 && v.Args[0].Kind != ArgWord) {
		return true
	}
	return slices.ContainsFunc(toks, func(t token) bool {
		a, _ := v.flag(t)
		return a == nil && (t.flag == "help" || t.flag == "h" && !t.long)
	})
}

// helpOn is the call of help about a verb, or about all.
func (g *grammar) helpOn(about *Verb, line string) Understanding {
	v := g.verbNamed("help")
	if v == nil {
		return Understanding{Refusal: Refuse("empty", "There is nothing to do in an empty line.")}
	}
	c := &Call{Verb: v, Line: line, Args: map[string]string{}, Catalog: g.cat}
	if about != nil && len(v.Args) > 0 && v.Args[0].Kind == ArgVerb {
		c.Args[v.Args[0].Name] = about.Name
	}
	return Understanding{Call: c}
}

func (g *grammar) unknownVerb(word, line string, toks []token) Understanding {
	if u, ok := g.misspeltPair(toks, line); ok {
		return u
	}
	return g.misspelt(word, line, g.nearVerbs(word), toks[1:])
}

// misspeltPair understands two words that are nearly the name of a verb.
func (g *grammar) misspeltPair(toks []token, line string) (Understanding, bool) {
	if len(toks) < 2 {
		return Understanding{}, false
	}
	name, ok := nameOf(toks[:2])
	near := slices.DeleteFunc(g.nearVerbs(name), func(v *Verb) bool {
		_, second, two := strings.Cut(v.Name, " ")
		return !two || len(nearest(toks[1].text, []string{second}, 1)) == 0
	})
	if !ok || len(near) == 0 {
		return Understanding{}, false
	}
	return g.misspelt(name, line, near, toks[2:]), true
}

// misspelt offers the verbs that a word was probably meant to be, with the rest of the
// line.
func (g *grammar) misspelt(word, line string, candidates []*Verb, rest []token) Understanding {
	r := Refuse("unknown_verb", fmt.Sprintf("There is no command %s.", show(word)))
	if len(candidates) == 0 {
		r.Hint = "`" + Prompt + " help` lists them all."
		r.Example = "help"
		return Understanding{Refusal: r}
	}
	// A line that only reads is run as it was probably meant.
	if best := candidates[0]; best.Effect == Reads && !slices.ContainsFunc(candidates, func(v *Verb) bool { return v.Effect == Changes }) {
		if u := g.sentence(best, line, rest); u.Refusal == nil && len(u.Missing) == 0 {
			u.Notes = append([]string{fmt.Sprintf("I read %s as %s.", show(word), best.Name)}, u.Notes...)
			return u
		}
	}
	var names []string
	for _, v := range candidates {
		names = append(names, v.Name)
		u := g.sentence(v, line, rest)
		switch {
		case u.Refusal == nil && u.Call.Verb == v:
			r.Buttons = append(r.Buttons, offer(u.Call)...)
		case u.Refusal != nil:
			r.Buttons = append(r.Buttons, u.Refusal.Buttons...)
		}
	}
	if len(r.Buttons) > 3 {
		r.Buttons = r.Buttons[:3]
	}
	r.Hint = "Did you mean " + strings.Join(names, " or ") + "?"
	r.Example = g.example(candidates[0])
	return Understanding{Refusal: r, Close: true}
}

// judge makes the best reading of a line into a call or a refusal.
func (g *grammar) judge(v *Verb, line string, u *understood) Understanding {
	c := &Call{Verb: v, Line: line, Args: map[string]string{}, Catalog: g.cat}
	for _, p := range u.picks {
		if p.problem == nil {
			c.Args[p.arg.Name] = p.value
		}
	}
	out := Understanding{Call: c, Missing: u.missing}
	var problems []*problem
	for _, p := range u.flaws {
		problems = append(problems, p.problem)
	}
	problems = append(problems, u.misread...)
	if u.left != "" {
		problems = append(problems, &problem{code: "extra_words", what: fmt.Sprintf("I do not know what %s is meant to say to %s.", show(u.left), v.Name)})
	}
	if len(problems) == 0 {
		return out
	}
	mended, ok := u.mend(c)
	if ok && v.Effect == Reads {
		out.Call = mended
		for _, p := range problems {
			out.Notes = append(out.Notes, p.note())
		}
		return out
	}
	out.Refusal = g.refuse(v, problems)
	if ok {
		out.Close = u.left == ""
		out.Refusal.Buttons = u.offers(c, mended)
	}
	return out
}

func (p *problem) note() string {
	if len(p.near) > 0 {
		return fmt.Sprintf("%s I read it as %s.", p.what, p.near[0])
	}
	return p.what + " I left it out."
}

// mend is the call as it was probably meant. ok is false if that cannot be told.
func (u *understood) mend(c *Call) (*Call, bool) {
	mended := *c
	mended.Args = map[string]string{}
	for k, v := range c.Args {
		mended.Args[k] = v
	}
	for _, p := range u.flaws {
		if len(p.problem.near) == 0 {
			return nil, false
		}
		mended.Args[p.arg.Name] = p.problem.near[0]
	}
	for _, p := range u.misread {
		if len(p.near) == 0 {
			return nil, false
		}
	}
	return &mended, true
}

// offers are the buttons for what was probably meant: one for each name near
// the one misspelt word, or one that mends all.
func (u *understood) offers(c, mended *Call) []integrations.Button {
	if len(u.flaws) != 1 {
		return offer(mended)
	}
	var out []integrations.Button
	for _, n := range u.flaws[0].problem.near {
		one := *c
		one.Args = map[string]string{}
		for k, v := range c.Args {
			one.Args[k] = v
		}
		one.Args[u.flaws[0].arg.Name] = n
		out = append(out, offer(&one)...)
	}
	return out
}

// offer is a button that types a line; none if the line is too long for one.
func offer(c *Call) []integrations.Button {
	line := Render(c)
	if len(line) > longestButton {
		return nil
	}
	label := line
	if r := []rune(label); len(r) > 70 {
		label = string(r[:69]) + "…"
	}
	return []integrations.Button{{Label: label, Command: line}}
}

// refuse says what is wrong with a line, what there is, and a line that works.
func (g *grammar) refuse(v *Verb, problems []*problem) *Refusal {
	r := Refuse(problems[0].code, problems[0].what)
	for _, p := range problems[1:] {
		r.What += " " + p.what
	}
	var hints []string
	for _, p := range problems {
		switch {
		case len(p.near) > 0:
			hints = append(hints, "Did you mean "+strings.Join(p.near, " or ")+"?")
		case len(p.all) > 0:
			hints = append(hints, "There is "+list(p.all, 8)+".")
		case p.code == "unknown_flag":
			hints = append(hints, "Put a text that begins with a dash in quotes.")
		}
	}
	if len(hints) == 0 {
		hints = append(hints, "It is written: "+Usage(*v))
	}
	r.Hint = strings.Join(hints, " ")
	r.Example = g.example(v)
	return r
}

// example is a line with a verb that works here.
func (g *grammar) example(v *Verb) string {
	if ex := Examples(*v, g.cat); len(ex) > 0 {
		return ex[0]
	}
	return v.Name
}

// Package help holds the verbs by which people find out what there is: help,
// made of the same values as the parser, and whoami. Both work for everybody;
// people nobody has linked learn nothing of the workspace from them.
package help

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// New is the feature; verbs lists the whole language, this feature's included.
func New(verbs func() []commands.Verb) commands.Feature {
	f := &feature{verbs}
	return commands.Feature{Name: "help", Words: map[string]string{"ja": ja}, Verbs: []commands.Verb{
		{
			Name: "help", Summary: "Say what there is, or how one command is written", Effect: commands.Reads, Open: true,
			Args:     []commands.Arg{{Name: "command", Kind: commands.ArgVerb, Optional: true, Help: "the command you want to know about"}},
			Examples: []string{"help", "help deploy"},
			Decide:   f.help,
		},
		{
			Name: "whoami", Aliases: []string{"me"}, Summary: "Say who I take you for and what you may do", Effect: commands.Reads, Open: true,
			Examples: []string{"whoami"},
			Decide:   f.whoami,
		},
	}}
}

type feature struct{ verbs func() []commands.Verb }

func (f *feature) help(_ context.Context, c *commands.Call) (commands.Act, error) {
	// Somebody unknown is shown the language, with made-up names in it.
	cat := c.Catalog
	if !known(c) {
		cat = nil
	}
	name := c.Arg("command")
	if name == "" {
		return say(f.all(c, cat)), nil
	}
	for _, v := range f.verbs() {
		if v.Name == name {
			return say(one(v, c, cat)), nil
		}
	}
	return nil, commands.Refuse("unknown_verb", fmt.Sprintf("There is no command “%s”.", name)).WithExample("help")
}

func say(m integrations.Message) commands.Act {
	return func(*store.Tx) (commands.Reply, error) { return commands.Reply{Private: &m}, nil }
}

// known says whether the person is one of ours, in our own workspace.
func known(c *commands.Call) bool { return c.Who.Linked() && !c.Heard.Stranger }

// all lists the verbs, first those that change something, each with an example.
func (f *feature) all(c *commands.Call, cat *integrations.Catalog) integrations.Message {
	var m message
	m.line("What you can ask for, here or by mentioning me:")
	for _, group := range []struct {
		title  string
		effect commands.Effect
	}{{"Changes something", commands.Changes}, {"Only looks", commands.Reads}} {
		var rich integrations.Rich
		for _, v := range f.verbs() {
			if v.Hidden || v.Effect != group.effect {
				continue
			}
			line := v.Name
			if ex := commands.Examples(v, cat); len(ex) > 0 {
				line = ex[0]
			}
			mark := ""
			if v.Effect == commands.Changes && !mayAnywhere(v, c) {
				mark = " (not you)"
			}
			rich = append(rich, integrations.R(integrations.Code(commands.Prompt+" "+line), "  "+v.Summary+mark+"\n")...)
		}
		if len(rich) > 0 {
			m.header(group.title)
			m.rich(rich)
		}
	}
	m.context(integrations.R("More about one: ", integrations.Code(commands.Prompt+" help deploy"), ". Slash commands do not work in threads; there, mention me."))
	return m.done()
}

func mayAnywhere(v commands.Verb, c *commands.Call) bool {
	if v.Open || known(c) && v.Who == "" && commands.RightOf(&v) == commands.RightRead {
		return true
	}
	return known(c) && c.Catalog.May(c.Who, commands.RightOf(&v), "")
}

// one explains a verb.
func one(v commands.Verb, c *commands.Call, cat *integrations.Catalog) integrations.Message {
	var m message
	m.header(commands.Prompt + " " + v.Name)
	effect := "It only looks."
	if v.Effect == commands.Changes {
		effect = "It changes something."
	}
	summary := v.Summary
	if summary != "" {
		summary += ". "
	}
	m.line(summary + effect)
	if v.Detail != "" {
		m.line(v.Detail)
	}
	m.code(commands.Prompt + " " + commands.Usage(v))
	m.rich(arguments(v))
	var examples integrations.Rich
	for _, ex := range commands.Examples(v, cat) {
		examples = append(examples, integrations.R(integrations.Code(commands.Prompt+" "+ex), "\n")...)
	}
	if len(examples) > 0 {
		m.rich(append(integrations.R(integrations.Bold("Examples"), "\n"), examples...))
	}
	if len(v.Aliases) > 0 {
		m.context(integrations.R("Also: " + strings.Join(v.Aliases, ", ")))
	}
	if known(c) {
		m.context(integrations.R(whoMay(v, c.Catalog)))
	}
	return m.done()
}

func arguments(v commands.Verb) (rich integrations.Rich) {
	add := func(name string, a commands.Arg) {
		text := a.Help
		if text == "" {
			text = kinds[a.Kind]
		}
		if a.Default != "" {
			text += " (" + a.Default + " unless said)"
		} else if a.Optional && !strings.HasPrefix(name, "--") {
			text += " (may be left out)"
		}
		rich = append(rich, integrations.R(integrations.Code(name), "  "+text+"\n")...)
	}
	for _, a := range v.Args {
		add(a.Name, a)
	}
	for _, a := range v.Flags {
		add("--"+a.Name, a)
	}
	return rich
}

var kinds = map[commands.ArgKind]string{
	commands.ArgService:     "a service",
	commands.ArgEnvironment: "an environment",
	commands.ArgSchedule:    "an on-call schedule",
	commands.ArgMoment:      "a time: 18:00, tomorrow, friday 9:00, 2h, 2026-12-24 10:00",
	commands.ArgTarget:      "a target: web/production",
	commands.ArgScope:       "web/production, a target, a service, an environment, or everything",
	commands.ArgHold:        "hold-4, or what it holds: web/production, a target, a service, an environment, everything",
	commands.ArgRef:         "a branch, tag or commit",
	commands.ArgSubject:     "op-12, job-31, #12, acme/web#12 or a pull request's address",
	commands.ArgThing:       "a service, or op-12, job-31, #12, acme/web#12 or a pull request's address",
	commands.ArgVerb:        "a command",
	commands.ArgDuration:    "a time span: 90m, 2h, 1d",
	commands.ArgWord:        "a word",
	commands.ArgText:        "a text, to the end of the line",
	commands.ArgBool:        "yes, if it is there",
}

// whoMay is the sentence on who may use a verb, environment by environment
// where that differs.
func whoMay(v commands.Verb, cat *integrations.Catalog) string {
	if v.Open {
		return "Everybody may ask it."
	}
	right := commands.RightOf(&v)
	if right == commands.RightRead {
		return "Everybody who is linked may ask it."
	}
	var lines []string
	for _, e := range cat.Environments {
		names := "nobody"
		if who := cat.Who(right, e.Name); len(who) > 0 {
			var list []string
			for _, p := range who {
				list = append(list, p.Display())
			}
			names = strings.Join(list, ", ")
		}
		lines = append(lines, e.Name+": "+names)
	}
	if len(lines) == 0 {
		return "Nobody may: no environment is configured."
	}
	return "Who may: " + strings.Join(lines, "; ") + "."
}

func (f *feature) whoami(_ context.Context, c *commands.Call) (commands.Act, error) {
	var m message
	h := c.Heard
	if !known(c) {
		m.line(fmt.Sprintf("I do not know you. Your Slack id is %s.", h.User))
		switch {
		case h.Stranger:
			m.line("You are here from another workspace, and I take orders from this one alone.")
		default:
			if slices.ContainsFunc(f.verbs(), func(v commands.Verb) bool { return v.Name == "link" }) {
				m.line("Say which GitHub account is yours, and you may look at everything:")
				m.code(commands.Prompt + " link octocat")
			}
			m.line("Or have whoever keeps my configuration add you:")
			m.code(fmt.Sprintf("people:\n  - name: %s\n    slack: %s\n    github: your GitHub login", nameFor(h), h.User))
			m.line("and put that name into a group that may do what you need.")
		}
		return say(m.done()), nil
	}
	p := c.Who
	m.line("You are " + p.Display() + ".")
	m.fields(
		integrations.Field{Name: "Slack", Value: integrations.R(or(p.Slack, "not known"))},
		integrations.Field{Name: "GitHub", Value: integrations.R(or(p.GitHub, "not linked: merges and approvals on GitHub are not known to be yours"))},
		integrations.Field{Name: "Groups", Value: integrations.R(or(strings.Join(c.Catalog.GroupsOf(p), ", "), "none"))},
	)
	m.line("You may look at everything.")
	any := false
	for _, e := range c.Catalog.Environments {
		if rights := f.rights(c, e.Name); len(rights) > 0 {
			any = true
			m.line(fmt.Sprintf("In %s you may %s%s.", e.Name, strings.Join(rights, ", "), where(e)))
		}
	}
	if !any {
		m.line("You may change nothing: no rule of the policy names a group of yours.")
	}
	return say(m.done()), nil
}

// rights are those that the person has in an environment, of the verbs there are.
func (f *feature) rights(c *commands.Call, environment string) []string {
	var out []string
	for _, v := range f.verbs() {
		right := commands.RightOf(&v)
		if v.Effect == commands.Changes && !v.Open && right != commands.RightRead && !slices.Contains(out, right) && c.Catalog.May(c.Who, right, environment) {
			out = append(out, right)
		}
	}
	return out
}

func where(e integrations.Environment) string {
	if len(e.Channels) == 0 {
		return ""
	}
	var out []string
	for _, ch := range e.Channels {
		out = append(out, "#"+strings.TrimPrefix(ch, "#"))
	}
	return ", from " + strings.Join(out, " or ")
}

func nameFor(h integrations.Heard) string { return or(h.UserName, "your-name") }

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

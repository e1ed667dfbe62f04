package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
)

// Nobody types the number of an operation on a phone. These verbs are about
// something that has one and have no button all the same, each with its reason.
var buttonless = map[string]string{
	"break-glass":  "it is rare and meant to be slow: its form asks for the operation and the reason that everybody will read",
	"config":       "what it proposes is in words; for a role that was asked for, Grant does it",
	"oncall cover": "its form asks for two people and two times, which no message knows",
	"oncall swap":  "its form asks for a person and a day, which no message knows",
	"silence":      "its form asks for what is to be quiet, in a word of whatever watches it",
	"waive":        "it is for the rare hour in which CI is down: its form asks for the operation and the reason that everybody will read",
	"role":         "its form asks for the group, which is a word of the configuration",
}

// picked are the kinds of arguments that a form lets one choose, or that are in
// one's own words anyway. Every other names something by its number.
var picked = []commands.ArgKind{commands.ArgService, commands.ArgEnvironment, commands.ArgTarget, commands.ArgScope, commands.ArgVerb, commands.ArgBool, commands.ArgText, commands.ArgDuration, commands.ArgSchedule, commands.ArgMoment}

// Every changing verb can be had without writing a line: said bare it opens a form
// with all that it needs, or does what it does; and what is about something with a
// number is on a button.
func TestEveryChangeIsOnAButtonOrAForm(t *testing.T) {
	cat := &integrations.Catalog{
		Environments: []integrations.Environment{{Name: "staging"}},
		Services:     []integrations.Service{{Name: "web", Environments: map[string]integrations.ServiceEnvironment{"staging": {}}}},
		Targets:      []integrations.Target{{Name: "web/staging", Environment: "staging"}},
	}
	verbs, on := ourVerbs(t), buttonVerbs(t, os.DirFS("../commands"))
	for _, v := range verbs {
		if v.Effect != commands.Changes {
			continue
		}
		if wrong := byForm(verbs, cat, v); wrong != "" {
			t.Errorf("%s: %s", v.Name, wrong)
		}
		numbered := slices.ContainsFunc(v.Args, func(a commands.Arg) bool { return !a.Optional && !slices.Contains(picked, a.Kind) })
		why, excused := buttonless[v.Name]
		switch {
		case numbered && !on[v.Name] && !excused:
			t.Errorf("%s is about something with a number, and no button carries it: give it one, or a reason in buttonless", v.Name)
		case excused && (!numbered || on[v.Name]):
			t.Errorf("%s needs no excuse: %s", v.Name, why)
		}
	}
	for name := range buttonless {
		if !slices.ContainsFunc(verbs, func(v commands.Verb) bool { return v.Name == name }) {
			t.Errorf("there is no verb %s", name)
		}
	}
}

// byForm says what is wrong with a verb's bare line.
func byForm(verbs []commands.Verb, cat *integrations.Catalog, v commands.Verb) string {
	u := commands.Parse(verbs, cat, v.Name, false)
	if u.Refusal != nil {
		return "its bare line is refused: " + u.Refusal.Error()
	}
	if len(u.Missing) == 0 {
		return "" // it does what it does
	}
	m := commands.NewModal(verbs, u.Call, u.Missing)
	for _, a := range slices.Concat(v.Args, v.Flags) {
		at := slices.IndexFunc(m.Inputs, func(in integrations.Input) bool { return in.Name == a.Name })
		if at < 0 {
			return "its form does not ask for " + a.Name
		}
		if in := m.Inputs[at]; in.Hint == "" && len(in.Options) == 0 && a.Kind != commands.ArgText {
			return "its form does not say how " + a.Name + " is written"
		}
	}
	return ""
}

// buttonVerbs are the first words of the commands of all buttons in the sources, one of
// each and two.
func buttonVerbs(t *testing.T, tree fs.FS) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		b, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, b, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			pair, ok := n.(*ast.KeyValueExpr)
			if !ok {
				return true
			}
			if key, ok := pair.Key.(*ast.Ident); ok && key.Name == "Command" {
				words := strings.SplitN(firstString(pair.Value)+"  ", " ", 3) // a verb has one or two
				out[words[0]], out[words[0]+" "+words[1]] = true, true
			}
			return true
		})
		return nil
	})
	if err != nil || len(out) == 0 {
		t.Fatalf("no button was found: %v", err)
	}
	return out
}

// firstString is the text that an expression begins with, "" where it is not known.
func firstString(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BinaryExpr:
		return firstString(e.X)
	case *ast.BasicLit:
		s, _ := strconv.Unquote(e.Value)
		return s
	}
	return ""
}

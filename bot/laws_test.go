package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// This file holds the laws of the house as a function over a tree of files;
// wire_test.go applies it to the house, and to small trees that break each law.

const ourModule = "github.com/signalbox-chatops/signalbox"

// source is a Go file as the laws see it.
type source struct {
	file    string // "commands/lock/lock.go"
	dir     string
	test    bool
	imports []string // ours without the module's name: "store"
	inits   bool
}

// brokenLaws returns a sentence for each breach, sorted.
func brokenLaws(tree fs.FS) ([]string, error) {
	files, err := readSources(tree)
	if err != nil {
		return nil, err
	}
	out, err := strangersAtTheTop(tree)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if f.inits && !f.test {
			out = append(out, f.file+" has an init; things are registered in bot/wire.go")
		}
		for _, i := range f.imports {
			if why := forbidden(f, i); why != "" {
				out = append(out, fmt.Sprintf("%s imports %s: %s", f.file, i, why))
			}
		}
	}
	out = append(out, unwired(files)...)
	slices.Sort(out)
	return slices.Compact(out), nil
}

func readSources(tree fs.FS) (out []source, err error) {
	err = fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		base := path.Base(name)
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(base, ".go") || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_"):
			return nil
		}
		s, err := readSource(tree, name)
		out = append(out, s)
		return err
	})
	return out, err
}

func readSource(tree fs.FS, name string) (source, error) {
	s := source{file: name, dir: path.Dir(name), test: strings.HasSuffix(name, "_test.go")}
	b, err := fs.ReadFile(tree, name)
	if err != nil {
		return s, err
	}
	f, err := parser.ParseFile(token.NewFileSet(), name, b, parser.SkipObjectResolution)
	if err != nil {
		return s, err
	}
	for _, i := range f.Imports {
		what, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return s, fmt.Errorf("%s: import %s: %w", name, i.Path.Value, err)
		}
		s.imports = append(s.imports, strings.TrimPrefix(what, ourModule+"/"))
	}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			s.inits = true
		}
	}
	return s, nil
}

// atTheTop is everything that may stand there, besides names with a leading dot
// and what .gitignore keeps out of the repository.
var atTheTop = []string{"bot", "commands", "integrations", "store", "docs", "go.mod", "go.sum", "Dockerfile", "README.md", "LICENSE"}

func strangersAtTheTop(tree fs.FS) (out []string, err error) {
	entries, err := fs.ReadDir(tree, ".")
	if err != nil {
		return nil, err
	}
	ignore, err := fs.ReadFile(tree, ".gitignore")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		ignored := !e.IsDir() && slices.ContainsFunc(strings.Fields(string(ignore)), func(pattern string) bool {
			ok, err := path.Match(strings.TrimPrefix(pattern, "/"), e.Name())
			return ok && err == nil
		})
		if !ignored && !strings.HasPrefix(e.Name(), ".") && !slices.Contains(atTheTop, e.Name()) {
			out = append(out, e.Name()+" stands at the top level, where only the floors do")
		}
	}
	return out, nil
}

// within says whether a folder is another one or stands in it.
func within(dir, folder string) bool { return dir == folder || strings.HasPrefix(dir, folder+"/") }

// ours says whether an import is of this module, whose name readSource cut off.
func ours(what string) bool {
	return slices.ContainsFunc([]string{"bot", "commands", "integrations", "store"}, func(floor string) bool { return within(what, floor) })
}

// room is a folder's place in the house, and its own folder there.
func room(dir string) (kind, own string) {
	parts := strings.Split(dir, "/")
	at := func(n int) string { return strings.Join(parts[:min(n, len(parts))], "/") }
	switch {
	case within(dir, "bot/sandbox"), within(dir, "commands/runner"), within(dir, "commands/gate"), within(dir, "commands/tell"), within(dir, "integrations/kit"):
		return at(2), at(2)
	case within(dir, "integrations/integrationstest"):
		return "suites", at(2)
	case parts[0] == "commands" && len(parts) > 1:
		return "feature", at(2)
	case parts[0] == "integrations" && len(parts) > 2 && slices.Contains(parts[2:], parts[1]+"sim"):
		return "simulator", at(2)
	case parts[0] == "integrations" && len(parts) > 1:
		return "system", at(2)
	}
	return parts[0], at(1)
}

// mayImport says which rooms a room may import, besides its own folder. Each
// room is named once, so that one that is not here may import nothing of ours.
var mayImport = map[string][]string{
	"bot":              {"bot/sandbox", "commands", "commands/runner", "commands/gate", "commands/tell", "integrations", "integrations/kit", "store"},
	"bot/sandbox":      {"simulator", "integrations", "integrations/kit"},
	"feature":          {"commands", "commands/runner", "commands/gate", "commands/tell", "integrations", "integrations/kit", "store"},
	"commands":         {"commands/runner", "commands/gate", "commands/tell", "integrations", "integrations/kit", "store"},
	"commands/runner":  {"commands/gate", "commands/tell", "integrations", "integrations/kit", "store"},
	"commands/gate":    {"integrations", "integrations/kit", "store"},
	"commands/tell":    {"integrations", "integrations/kit", "store"},
	"suites":           {"integrations", "integrations/kit"},
	"system":           {"integrations", "integrations/kit"},
	"simulator":        {"integrations", "integrations/kit"},
	"integrations":     {"integrations/kit"},
	"integrations/kit": nil,
	"store":            nil,
}

// doors are the files of the process that speak to systems: wire.go, which
// names features too, the doors, what starts them and what checks them.
var doors = []string{"bot/wire.go", "bot/app.go", "bot/serve.go", "bot/check.go", "bot/slack.go", "bot/http.go"}

// forbidden says why a file may not import something; "" if it may.
func forbidden(f source, what string) string {
	from, own := room(f.dir)
	if !ours(what) {
		return forbiddenLibrary(f, from, what)
	}
	to, _ := room(what)
	switch {
	case within(what, own) && !(from == "bot" || from == "commands" || from == "integrations"):
		if from == "system" && to == "simulator" && !f.test {
			return "only tests and the sandbox run against a simulator"
		}
		return ""
	case what == f.dir: // a test from outside its package
		return ""
	case from == "bot" && to == "feature":
		if f.file == "bot/wire.go" {
			return ""
		}
		return "features are named in bot/wire.go alone"
	case from == "bot" && (to == "system" || to == "simulator" || to == "suites"):
		if f.test || to == "system" && slices.Contains(doors, f.file) {
			return ""
		}
		return "systems are named in bot/wire.go and the doors alone"
	case from == "system" && to == "suites" && f.test:
		return ""
	case slices.Contains(mayImport[from], to):
		return ""
	case from == "feature" && to == "feature":
		return "a feature reaches another one by stored facts, never by its code"
	case to == "system" || to == "simulator":
		return "only bot knows the systems"
	}
	return "imports point down, and this floor does not stand on that one"
}

// forbiddenLibrary is forbidden for code that is not ours.
func forbiddenLibrary(f source, from, what string) string {
	switch {
	case within(what, "go.etcd.io/bbolt") && from != "store" && from != "simulator":
		// A simulator is another process's memory, and keeps its own file.
		return "the database is the store's alone"
	case what == "os/exec" && !f.test && (from == "system" || from == "integrations" || from == "feature" || strings.HasPrefix(from, "commands")):
		return "programs are started under the step shim, by integrations.Exec"
	case within(what, "github.com/chromedp") && from != "bot" && from != "bot/sandbox":
		return "browser tests live in bot"
	}
	return ""
}

// unwired names each feature and each package of a system that nobody uses: a
// feature or system has to be in bot/wire.go, or in what is there; a simulator
// or a suite in some other package.
func unwired(files []source) (out []string) {
	byWire, bySystems, byAnybody := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, f := range files {
		from, own := room(f.dir)
		for _, i := range f.imports {
			if i == f.dir {
				continue
			}
			byAnybody[i] = true
			if f.file == "bot/wire.go" {
				_, owner := room(i)
				byWire[i], byWire[owner] = true, true
			}
			if from == "system" && !f.test && within(i, own) {
				bySystems[i] = true
			}
		}
	}
	for _, f := range files {
		kind, own := room(f.dir)
		switch {
		case kind == "feature" && !byWire[own]:
			out = append(out, own+" is wired nowhere: give it its two lines in bot/wire.go")
		case kind == "system" && (!byWire[own] || !byWire[f.dir] && !bySystems[f.dir]):
			out = append(out, f.dir+" is wired nowhere: give it its two lines in bot/wire.go")
		case (kind == "simulator" || kind == "suites") && !byAnybody[f.dir]:
			out = append(out, f.dir+" is used nowhere, neither by the sandbox nor by a test")
		}
	}
	return out
}

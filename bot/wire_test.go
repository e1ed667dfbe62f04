package main

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestTheLawsOfTheHouse(t *testing.T) {
	house := os.DirFS("..")
	broken, err := brokenLaws(house)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range broken {
		t.Error(b)
	}
	files, err := readSources(house)
	if err != nil {
		t.Fatal(err)
	}
	rooms := map[string]bool{}
	for _, f := range files {
		kind, _ := room(f.dir)
		rooms[kind] = true
	}
	for _, want := range []string{"bot", "bot/sandbox", "feature", "commands", "commands/runner", "system", "simulator", "integrations", "integrations/kit", "store"} {
		if !rooms[want] {
			t.Errorf("no file of the room %q was read, so its laws were not tried", want)
		}
	}
}

// goFile is a Go file that imports things; ours are written without the module.
func goFile(imports ...string) *fstest.MapFile {
	var b strings.Builder
	b.WriteString("package x\n")
	for _, i := range imports {
		if ours(i) {
			i = ourModule + "/" + i
		}
		b.WriteString("import _ \"" + i + "\"\n")
	}
	return &fstest.MapFile{Data: []byte(b.String())}
}

// smallHouse has each kind of room once, or twice, and keeps the laws.
func smallHouse() fstest.MapFS {
	return fstest.MapFS{
		".gitignore": {Data: []byte("/signalbox\n*.test\n")},
		"signalbox":  {}, "bot.test": {}, "go.mod": {}, "README.md": {}, "docs/a.md": {}, ".ci/run": {},
		"bot/wire.go":      goFile("commands", "commands/deploy", "commands/lock", "integrations/slack", "integrations/aws/ec2", "store", "github.com/x/y"),
		"bot/app.go":       goFile("bot/sandbox", "commands/runner", "integrations/slack", "os/exec"),
		"bot/bot_test.go":  goFile("integrations/slack/slacksim", "integrations/slack", "github.com/chromedp/chromedp"),
		"bot/sandbox/s.go": goFile("integrations/slack/slacksim", "integrations/kit/clock"),

		"commands/c.go":             goFile("commands/runner", "commands/tell", "integrations", "store"),
		"commands/c_test.go":        goFile("commands", "store"),
		"commands/runner/r.go":      goFile("commands/gate", "commands/tell", "integrations/kit/proc", "store"),
		"commands/gate/g.go":        goFile("integrations", "store"),
		"commands/tell/t.go":        goFile("integrations", "store"),
		"commands/deploy/d.go":      goFile("commands", "commands/gate", "commands/deploy/pin", "integrations/kit/clock", "store"),
		"commands/deploy/pin/p.go":  goFile("integrations"),
		"commands/lock/l.go":        goFile("commands"),
		"commands/lock/testdata/x":  {},
		"commands/lock/_old/old.go": goFile("commands/deploy"),

		"integrations/i.go":                  goFile("integrations/kit/redact"),
		"integrations/kit/clock/c.go":        goFile("time"),
		"integrations/kit/redact/r.go":       goFile("strings"),
		"integrations/kit/proc/p.go":         goFile("integrations/kit/redact", "os/exec"),
		"integrations/slack/s.go":            goFile("integrations", "integrations/kit/clock"),
		"integrations/slack/s_test.go":       goFile("integrations/slack/slacksim", "integrations/integrationstest", "os/exec"),
		"integrations/slack/slacksim/s.go":   goFile("integrations/kit/clock", "go.etcd.io/bbolt", "os/exec"),
		"integrations/aws/ec2/e.go":          goFile("integrations", "integrations/aws/sign"),
		"integrations/aws/sign/s.go":         goFile("crypto/hmac"),
		"integrations/integrationstest/a.go": goFile("integrations", "testing"),

		"store/s.go":      goFile("go.etcd.io/bbolt"),
		"store/s_test.go": goFile("store"),
	}
}

// Each law is seen failing: one change to a house that keeps them all, and the
// breach is named.
func TestEachLawCanFail(t *testing.T) {
	broken, err := brokenLaws(smallHouse())
	if err != nil || len(broken) > 0 {
		t.Fatalf("the small house is not clean: %q, %v", broken, err)
	}
	initial := &fstest.MapFile{Data: []byte("package x\nfunc init() {}\n")}
	for _, c := range []struct {
		name, file string
		with       *fstest.MapFile // nil takes the file away
		want       string
	}{
		{"an upward import", "integrations/slack/up.go", goFile("commands"), "integrations/slack/up.go imports commands: imports point down"},
		{"an upward import of the store", "store/up.go", goFile("integrations"), "store/up.go imports integrations: imports point down"},
		{"an upward import in a test", "store/up_test.go", goFile("commands"), "store/up_test.go imports commands: imports point down"},
		{"the process imported", "commands/lock/up.go", goFile("bot"), "imports bot: imports point down"},
		{"the sandbox imported by a feature", "commands/lock/up.go", goFile("bot/sandbox"), "imports bot/sandbox: imports point down"},
		{"a gate that runs", "commands/gate/up.go", goFile("commands/runner"), "imports commands/runner: imports point down"},
		{"a runner that speaks the language", "commands/runner/up.go", goFile("commands"), "imports commands: imports point down"},
		{"the words that know the store", "integrations/up.go", goFile("store"), "imports store: imports point down"},
		{"a tool that knows the words", "integrations/kit/clock/up.go", goFile("integrations"), "imports integrations: imports point down"},
		{"a system in the store", "integrations/slack/up.go", goFile("store"), "imports store: imports point down"},
		{"a feature that imports a system", "commands/lock/s.go", goFile("integrations/slack"), "imports integrations/slack: only bot knows the systems"},
		{"a feature's test that imports a simulator", "commands/lock/s_test.go", goFile("integrations/slack/slacksim"), "imports integrations/slack/slacksim: only bot knows the systems"},
		{"a feature that imports a feature", "commands/lock/d.go", goFile("commands/deploy"), "commands/lock/d.go imports commands/deploy: a feature reaches another one by stored facts"},
		{"a feature that imports a part of a feature", "commands/lock/d.go", goFile("commands/deploy/pin"), "a feature reaches another one by stored facts"},
		{"a system that imports a system", "integrations/slack/a.go", goFile("integrations/aws/ec2"), "imports integrations/aws/ec2: only bot knows the systems"},
		{"the language that knows a feature", "commands/d.go", goFile("commands/deploy"), "commands/d.go imports commands/deploy: imports point down"},
		{"the sandbox with a client of its own", "bot/sandbox/c.go", goFile("integrations/slack"), "imports integrations/slack: only bot knows the systems"},
		{"a client that holds its simulator", "integrations/slack/sim.go", goFile("integrations/slack/slacksim"), "only tests and the sandbox run against a simulator"},
		{"a feature named outside wire.go", "bot/app.go", goFile("bot/sandbox", "commands/lock"), "bot/app.go imports commands/lock: features are named in bot/wire.go alone"},
		{"a feature named in a test", "bot/lock_test.go", goFile("commands/lock"), "features are named in bot/wire.go alone"},
		{"a system named outside the doors", "bot/life.go", goFile("integrations/slack"), "bot/life.go imports integrations/slack: systems are named in bot/wire.go and the doors alone"},
		{"a simulator in the process", "bot/app.go", goFile("bot/sandbox", "integrations/slack/slacksim"), "systems are named in bot/wire.go and the doors alone"},
		{"an unwired feature", "commands/drain/d.go", goFile("commands"), "commands/drain is wired nowhere"},
		{"an unwired system", "integrations/mackerel/m.go", goFile("integrations"), "integrations/mackerel is wired nowhere"},
		{"an unwired part of a system", "integrations/aws/elb/e.go", goFile("integrations"), "integrations/aws/elb is wired nowhere"},
		{"a system wired by a test alone", "bot/wire.go", goFile("commands/deploy", "commands/lock", "integrations/aws/ec2"), "integrations/slack is wired nowhere"},
		{"no table at all", "bot/wire.go", nil, "commands/deploy is wired nowhere"},
		{"an idle simulator", "integrations/aws/awssim/a.go", goFile("integrations"), "integrations/aws/awssim is used nowhere"},
		{"an init", "commands/lock/i.go", initial, "commands/lock/i.go has an init"},
		{"a bbolt leak", "commands/lock/b.go", goFile("go.etcd.io/bbolt"), "commands/lock/b.go imports go.etcd.io/bbolt: the database is the store's alone"},
		{"a bbolt leak in a test", "bot/b_test.go", goFile("go.etcd.io/bbolt/errors"), "the database is the store's alone"},
		{"a program started past the shim", "integrations/slack/x.go", goFile("os/exec"), "programs are started under the step shim"},
		{"a program started by a feature", "commands/lock/x.go", goFile("os/exec"), "programs are started under the step shim"},
		{"a browser test elsewhere", "integrations/slack/p_test.go", goFile("github.com/chromedp/chromedp"), "browser tests live in bot"},
		{"another floor", "internal/x.go", goFile(), "internal stands at the top level"},
		{"another file at the top", "main.go", goFile(), "main.go stands at the top level"},
	} {
		t.Run(c.name, func(t *testing.T) {
			house := smallHouse()
			if house[c.file] = c.with; c.with == nil {
				delete(house, c.file)
			}
			broken, err := brokenLaws(house)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(broken, func(b string) bool { return strings.Contains(b, c.want) }) {
				t.Errorf("want %q, got %q", c.want, broken)
			}
		})
	}
}

func TestLawsOfAFileThatIsNotGo(t *testing.T) {
	house := smallHouse()
	house["store/bad.go"] = &fstest.MapFile{Data: []byte("not Go")}
	if _, err := brokenLaws(house); err == nil {
		t.Error("a file that cannot be read was passed over")
	}
}

// Every room has its law, so that a new one is not lawless by accident.
func TestEveryRoomHasItsLaw(t *testing.T) {
	for file := range maps.Keys(smallHouse()) {
		if !strings.HasSuffix(file, ".go") || strings.Contains(file, "_old") {
			continue
		}
		kind, _ := room(file[:strings.LastIndex(file, "/")])
		if _, ok := mayImport[kind]; !ok {
			t.Errorf("%s stands in the room %q, which has no law", file, kind)
		}
	}
}

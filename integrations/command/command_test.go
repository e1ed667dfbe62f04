package command

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
)

func TestMain(m *testing.M) { integrationstest.Main(m, nil) }

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func exit(code int) *int { return &code }

// tool is a program of the repository with a dry run.
func tool(body string) func(testing.TB, string, string) {
	return func(t testing.TB, tree, _ string) {
		t.Helper()
		write(t, filepath.Join(tree, "want"), "it\n")
		write(t, filepath.Join(tree, "tool.sh"), `
echo "secret $SUITE_SECRET"
case $1 in
plan) if cmp -s want "$OUTSIDE/have"; then echo nothing to do; else echo "+ it"; fi ;;
apply) `+body+`; cp want "$OUTSIDE/have"; echo ran >>"$OUTSIDE/runs" ;;
esac
`)
	}
}

func TestContract(t *testing.T) {
	integrationstest.Applier(t, integrationstest.ApplierSuite{
		Make: func(t testing.TB, outside string) integrations.Applier {
			a, err := Step(Config{Name: "tool", Plan: Argv{"sh", "tool.sh", "plan"}, Apply: Argv{"sh", "tool.sh", "apply"},
				Nothing: Sign{Pattern: "^nothing to do$"}, Add: `^\+ (.*)`, Set: map[string]string{"OUTSIDE": outside}})
			if err != nil {
				t.Fatal(err)
			}
			return a
		},
		Change: tool("true"),
		Fails: func(t testing.TB, tree, outside string) string {
			tool("echo it is not to be; exit 7")(t, tree, outside)
			return "it is not to be"
		},
		Leaks: func(t testing.TB, tree, outside string) []string {
			tool("true")(t, tree, outside)
			return nil
		},
		Hangs: func(t testing.TB, tree, outside, child string) {
			tool("sh -c 'echo $$ > "+child+".new; mv "+child+".new "+child+"; exec sleep 600' & wait")(t, tree, outside)
		},
		Long: func(t testing.TB, tree, outside string) {
			tool(`echo "`+integrationstest.FirstLine+`"; head -c 1200000 /dev/zero | tr '\0' x | fold -w 99; echo; echo "`+integrationstest.LastLine+`"`)(t, tree, outside)
		},
	})
}

// shape is how one tool is used, and what stands in for it.
type shape struct {
	config Config
	file   string // what it wants
	first  string
	plan   string // of first
	then   string
	change string // from first to then
	names  []string
}

var shapes = map[string]shape{
	"chef-client": {
		config: Config{Plan: Argv{"chef-client", "--local-mode", "--why-run"}, Apply: Argv{"chef-client", "--local-mode"},
			Nothing:  Sign{Pattern: `^(Infra Phase complete|Chef (Infra )?Client finished), 0/\d+ resources would have been updated`},
			Pending:  Sign{Pattern: `^(Infra Phase complete|Chef (Infra )?Client finished), [1-9]\d*/\d+ resources would have been updated`},
			Change:   `^ +- Would (.*)`,
			Volatile: []string{`^\[\d{4}-\d\d-\d\dT\S+\]`}},
		file: "cookbook", first: "/etc/motd hello\n/etc/hosts here\n", plan: "+0 ~2 -0", then: "/etc/motd hello\n/etc/hosts there\n", change: "+0 ~1 -0",
		names: []string{"update content in file /etc/hosts"},
	},
	"roadwork": {
		config: Config{Plan: Argv{"roadwork", "--apply", "--dry-run"}, Apply: Argv{"roadwork", "--apply"}, Nothing: Sign{Pattern: "^No change$"},
			Add: `^Create ResourceRecordSet: (.*) \(dry-run\)$`, Destroy: `^Delete ResourceRecordSet: (.*) \(dry-run\)$`, Env: []string{"AWS_SECRET_ACCESS_KEY"}},
		file: "Routefile", first: "a.example.com. A\nb.example.com. A\n", plan: "+2 ~0 -0", then: "a.example.com. A\nb.example.com. CNAME\n", change: "+1 ~0 -1",
		names: []string{"b.example.com. CNAME", "b.example.com. A"},
	},
	"dnscontrol": {
		config: Config{Plan: Argv{"dnscontrol", "preview", "--expect-no-changes"}, Apply: Argv{"dnscontrol", "push"},
			Nothing: Sign{Exit: exit(0)}, Pending: Sign{Exit: exit(1), Pattern: `^Done\. [1-9]\d* corrections?\.`},
			Add: `^#\d+: \+ CREATE (.*)`, Change: `^#\d+: ± MODIFY (.*)`, Destroy: `^#\d+: - DELETE (.*)`},
		file: "dnsconfig.js", first: "A foo.example.com 1.2.3.4\n", plan: "+1 ~0 -0", then: "A bar.example.com 1.2.3.4\n", change: "+1 ~0 -1",
		names: []string{"A bar.example.com 1.2.3.4", "A foo.example.com 1.2.3.4"},
	},
	"mysqldiff": {
		config: Config{Plan: Argv{"mysqldiff", "db:shop", "schema.sql"}, Apply: Argv{"mysqldiff", "--batch-apply", "db:shop", "schema.sql"},
			Nothing: Sign{Pattern: `\A\s*\z`}, Add: `^CREATE TABLE (\S+)`, Change: `^ALTER TABLE (\S+)`, Destroy: `^DROP TABLE (\S+);`,
			Volatile: []string{`^## Run on .*`}},
		file: "schema.sql", first: "orders (id int)\nusers (id int)\n", plan: "+2 ~0 -0", then: "orders (id bigint)\n", change: "+0 ~1 -1",
		names: []string{"orders", "users"},
	},
}

// Each tool is read as it speaks: its stand-in in testdata ends and prints as the tool does.
func TestShapes(t *testing.T) {
	for name, s := range shapes {
		t.Run(name, func(t *testing.T) {
			at := newPlace(t)
			a := at.step(s.config)
			if got := a.Describe(); got != name {
				t.Errorf("described as %q", got)
			}
			at.write(s.file, s.first)
			at.plan(a, s.plan)
			at.apply(a)
			at.plan(a, "+0 ~0 -0")
			at.write(s.file, s.then)
			first := at.plan(a, s.change)
			var names []string
			for _, c := range first[0].Changes {
				names = append(names, c.Address)
			}
			if !reflect.DeepEqual(names, s.names) {
				t.Errorf("it changes %q, want %q\n%s", names, s.names, first[0].Text)
			}
			if strings.Contains(first[0].Text, "\x1b") {
				t.Errorf("its text is for a terminal: %q", first[0].Text)
			}
			if again := at.plan(a, s.change); again.Digest() != first.Digest() {
				t.Errorf("the same plan has another digest; is something volatile?\n%s\n%s", first[0].Text, again[0].Text)
			}
			if probe, err := a.Probe(t.Context(), at.run()); err != nil || probe.Clean || !strings.Contains(probe.Text, "would still change "+s.change) {
				t.Errorf("probe says %+v (%v)", probe, err)
			}
			at.apply(a)
			if probe, err := a.Probe(t.Context(), at.run()); err != nil || !probe.Clean {
				t.Errorf("probe says %+v (%v)", probe, err)
			}
		})
	}
}

// place is a work tree, with a state that the stand-ins change.
type place struct {
	t       testing.TB
	tree    string
	state   string
	secrets map[string]string
}

func newPlace(t *testing.T) *place {
	bin, err := filepath.Abs("testdata/bin")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	return &place{t: t, tree: t.TempDir(), state: filepath.Join(t.TempDir(), "state"), secrets: map[string]string{"AWS_SECRET_ACCESS_KEY": "k-e-y-of-aws", "OTHER": "not-for-roadwork"}}
}

func (p *place) write(name, text string) { write(p.t, filepath.Join(p.tree, name), text) }

func (p *place) step(c Config) *Applier {
	p.t.Helper()
	if c.Set == nil {
		c.Set = map[string]string{}
	}
	c.Set["STATE"] = p.state
	a, err := Step(c)
	if err != nil {
		p.t.Fatal(err)
	}
	return a
}

func (p *place) run() integrations.Run {
	return integrations.Run{Target: "dns/production", Tree: p.tree, SHA: strings.Repeat("ab", 20), Work: p.t.TempDir(), HashKey: []byte("key"), Exec: integrationstest.NewExec(p.t, p.secrets)}
}

func (p *place) plan(a *Applier, want string) integrations.Plans {
	p.t.Helper()
	got, err := a.Plan(p.t.Context(), p.run())
	if err != nil {
		p.t.Fatal(integrationstest.Explain(err))
	}
	if plans := (integrations.Plans{got}); plans.String() != want || plans.Empty() != (want == "+0 ~0 -0") {
		p.t.Errorf("planned %s, want %s: %+v", plans, want, got)
	}
	return integrations.Plans{got}
}

func (p *place) apply(a *Applier) {
	p.t.Helper()
	r := p.run()
	if _, err := a.Plan(p.t.Context(), r); err != nil {
		p.t.Fatal(integrationstest.Explain(err))
	}
	if err := a.Apply(p.t.Context(), r); err != nil {
		p.t.Fatal(integrationstest.Explain(err))
	}
}

// An exit code that says "pending" says "broken" too, of dnscontrol for one.
func TestAFailureIsNoPlan(t *testing.T) {
	at := newPlace(t)
	var failed *integrations.CommandError
	_, err := at.step(shapes["dnscontrol"].config).Plan(t.Context(), at.run()) // there is no dnsconfig.js
	if !errors.As(err, &failed) || failed.Code != 1 || failed.Step != "dnscontrol plan" || !strings.Contains(failed.Tail, "dnsconfig.js: no such file") {
		t.Errorf("dnscontrol without its file: %v", err)
	}
	at.write("cookbook", "/etc/motd hello\n")
	chef := shapes["chef-client"].config
	chef.Plan = append(chef.Plan[:len(chef.Plan):len(chef.Plan)], "--fail")
	if _, err = at.step(chef).Plan(t.Context(), at.run()); !errors.As(err, &failed) || !strings.Contains(failed.Tail, "RecipeNotFound") {
		t.Errorf("Chef without its recipe: %v", err)
	}
	chef = shapes["chef-client"].config
	chef.Plan = Argv{"echo", "Chef has learned", "another sentence"}
	if _, err = at.step(chef).Plan(t.Context(), at.run()); !errors.As(err, &failed) || !strings.Contains(err.Error(), "neither nothing nor pending") || !strings.Contains(failed.Tail, "another sentence") {
		t.Errorf("a sentence that nobody knows: %v", err)
	}
	chef.Dir = "cookbooks"
	if _, err = at.step(chef).Plan(t.Context(), at.run()); err == nil || !strings.Contains(err.Error(), "there is no folder cookbooks in the repository at abababababab") {
		t.Errorf("no folder: %v", err)
	}
	chef = shapes["chef-client"].config
	chef.Plan = Argv{"no-such-tool"}
	if _, err = at.step(chef).Plan(t.Context(), at.run()); !errors.As(err, &failed) || !strings.Contains(err.Error(), "no-such-tool") {
		t.Errorf("no program: %v", err)
	}
	chef.Plan, chef.Timeout = Argv{"sleep", "600"}, 50*time.Millisecond
	if _, err = at.step(chef).Plan(t.Context(), at.run()); !errors.As(err, &failed) || !strings.Contains(err.Error(), "longer than its limit") {
		t.Errorf("a dry run that does not end: %v", err)
	}
}

// Only what env names is seen, and nothing of it is shown.
func TestEnvironment(t *testing.T) {
	at := newPlace(t)
	c := Config{Plan: Argv{"sh", "-c", `echo "key $AWS_SECRET_ACCESS_KEY, other ${OTHER-unset}, set $REGION"`}, Apply: Argv{"true"}, Nothing: Sign{Pattern: "^nothing"},
		Add: "key (.*)", Set: map[string]string{"REGION": "eu-west-1"}}
	if p := at.plan(at.step(c), "+1 ~0 -0"); p[0].Text != "key <redacted>, other <redacted>, set eu-west-1" || p[0].Changes[0].Address != "<redacted>, other <redacted>, set eu-west-1" {
		t.Errorf("without env it says %+v", p[0])
	}
	c.Env = []string{"AWS_SECRET_ACCESS_KEY"}
	first := at.plan(at.step(c), "+1 ~0 -0")
	if first[0].Text != "key <redacted>, other unset, set eu-west-1" {
		t.Errorf("with env it says %+v", first[0])
	}
	at.secrets["AWS_SECRET_ACCESS_KEY"] = "another-key"
	if second := at.plan(at.step(c), "+1 ~0 -0"); second[0].Text != first[0].Text || second.Digest() == first.Digest() {
		t.Error("what is redacted makes no difference between plans")
	}
	c.Env = []string{}
	if p := at.plan(at.step(c), "+1 ~0 -0"); !strings.HasPrefix(p[0].Text, "key , other unset") {
		t.Errorf("with an empty env it says %q", p[0].Text)
	}
}

func TestCounts(t *testing.T) {
	at := newPlace(t)
	c := Config{Plan: Argv{"printf", `Plan: 12 to add, 0 to change, 3 to destroy.\n`}, Apply: Argv{"true"}, Pending: Sign{Pattern: "^Plan: "},
		Add: `(?P<n>\d+) to add`, Change: `(?P<n>\d+) to change`, Destroy: `(?P<n>\d+) to destroy`}
	if p := at.plan(at.step(c), "+12 ~0 -3"); len(p[0].Changes) != 2 || p.Destroyed() == nil {
		t.Errorf("plan is %+v", p[0])
	}
	c.Plan = Argv{"echo", "all is well"}
	at.plan(at.step(c), "+0 ~0 -0")
	c.Pending.Pattern, c.Plan = "(?i)something", Argv{"echo", "something"}
	if p := at.plan(at.step(c), "+0 ~1 -0"); len(p[0].Notes) != 1 || !strings.Contains(p[0].Notes[0], "no counts") {
		t.Errorf("plan is %+v", p[0])
	}
	c.Plan = Argv{"sh", "-c", "echo something; for i in $(seq 1 40000); do echo line $i; done; echo at last"}
	if p := at.plan(at.step(c), "+0 ~1 -0"); len(p[0].Text) > maxText || !strings.HasPrefix(p[0].Text, "something") || !strings.HasSuffix(p[0].Text, "at last") {
		t.Errorf("a long plan is %d bytes: %.100s", len(p[0].Text), p[0].Text)
	}
}

func TestValidate(t *testing.T) {
	err := Config{Dir: "../x", Plan: Argv{"dnscontrol preview"}, Nothing: Sign{Exit: exit(300)}, Add: "(", Change: "x*", Volatile: []string{"["},
		Env: []string{"a-b", "KEY"}, Set: map[string]string{"KEY": "k", "PATH": "/", "1": ""}, Timeout: -1}.Validate()
	const want = `add: "(" is no pattern: error parsing regexp: missing closing ): ` + "`(?m)(`" + `
apply: is missing; want a list, the program first, such as [dnscontrol, push]
change: "x*" matches where nothing stands
dir: "../x" must be a folder inside the repository, such as "dns"
env: "a-b" is not the name of an environment variable
nothing.exit: 300 is no exit code; want 0 to 255
plan: "dnscontrol preview" is one word, and no shell takes it apart; want a list such as [dnscontrol, preview]
set: "1" is not the name of an environment variable
set: KEY is set by something else
set: PATH is set by something else
timeout: -1ns is negative
volatile[0]: "[" is no pattern: error parsing regexp: missing closing ]: ` + "`[`"
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	if err := (Config{Plan: Argv{"a"}, Apply: Argv{"b"}}).Validate(); err == nil || !strings.HasPrefix(err.Error(), "nothing: is missing") {
		t.Errorf("without a sign: %v", err)
	}
	for name, s := range shapes {
		if err := s.config.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// BenchmarkOverhead is a plan and an apply over the tool's own time. Aim: 50 ms a step.
func BenchmarkOverhead(b *testing.B) {
	at := &place{t: b, tree: b.TempDir(), state: filepath.Join(b.TempDir(), "state")}
	a := at.step(Config{Plan: Argv{"sh", "-c", "echo something"}, Apply: Argv{"sh", "-c", "echo done"}, Nothing: Sign{Pattern: "^nothing"}})
	integrationstest.Overhead(b, a, at.run, []string{"sh", "-c", "echo something"}, []string{"sh", "-c", "echo done"})
}

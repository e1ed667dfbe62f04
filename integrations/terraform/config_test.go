package terraform

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
)

// Each option that would break a promise is refused, with the promise.
func TestRefusedArguments(t *testing.T) {
	for _, c := range []struct {
		command, arg, why string
	}{
		{"apply", "-auto-approve", "the plan file that people saw"},
		{"apply", "other.tfplan", "the only plan file that is applied is signalbox's own"},
		{"apply", "-destroy", "the plan file that people saw"},
		{"apply", "-target=a.b", "put it under plan"},
		{"plan", "-destroy", "destroy everything"},
		{"plan", "--destroy=true", "destroy everything"},
		{"plan", "-out=x", "the plan file is signalbox's own"},
		{"plan", "-detailed-exitcode", "failure"},
		{"plan", "-refresh-only", "only in the state"},
		{"plan", "-replace=a.b", "replace it again"},
		{"plan", "-var=a=b", "vars says it"},
		{"plan", "-var-file=a", "var_files says it"},
		{"plan", "-json", "the log is for people"},
		{"plan", "-target", ""}, // the tool's to judge
		{"plan", "a.b", "-name=value"},
		{"plan", " -compact-warnings", "a space"},
		{"plan", "-", "no option"},
		{"plan", "-compact-warnings", "beside the counts"},
		{"init", "-backend=false", "no state"},
		{"init", "-backend-config=a=b", "backend_files say it"},
		{"init", "-migrate-state", "copy a state"},
		{"init", "-force-copy", "copy a state"},
		{"init", "-from-module=x", "other code"},
		{"init", "-reconfigure", "anyway"},
		{"init", "-chdir=/", "dir says"},
		{"init", "-input=true", "nobody is there to answer"},
		{"init", "-lockfile=readonly", ""},
		{"init", "-upgrade", ""},
		{"plan", "-lock=false", "two runs could write one state"},
		{"apply", "-lock=false", "two runs could write one state"},
		{"apply", "-lock-timeout=1s", "lock_timeout says it"},
		{"apply", "-state=x", "the backend says"},
		{"apply", "-state-out=x", "the backend says"},
		{"apply", "-backup=x", "the backend says"},
		{"apply", "-parallelism=1", "parallelism says it"},
	} {
		cfg := Config{Dir: "."}
		list := map[string]*[]string{"init": &cfg.ExtraArgs.Init, "plan": &cfg.ExtraArgs.Plan, "apply": &cfg.ExtraArgs.Apply}[c.command]
		*list = []string{c.arg}
		err := cfg.Validate()
		switch {
		case c.why == "" && err != nil:
			t.Errorf("%s %s: %v", c.command, c.arg, err)
		case c.why != "" && (err == nil || !strings.HasPrefix(err.Error(), "extra_args."+c.command+": ") || !strings.Contains(err.Error(), c.why)):
			t.Errorf("%s %s: it says %v, not why: %s", c.command, c.arg, err, c.why)
		}
	}
	if err := (Config{Dir: ".", Tool: "pulumi"}).Validate(); err == nil || err.Error() != `tool: "pulumi" is neither terraform nor tofu` {
		t.Errorf("another tool: %v", err)
	}
}

// argv is what a run's commands were, a line each.
func argv(t *testing.T, e integrations.Exec) string {
	t.Helper()
	left := e.(*integrationstest.Exec).Left(t)
	return strings.ReplaceAll(left, `","`, " ")
}

func TestExtraArguments(t *testing.T) {
	m := newModule(t)
	m.write(pair)
	a := m.step(func(c *Config) {
		c.ExtraArgs = ExtraArgs{Init: []string{"-get=true"}, Plan: []string{"-target=terraform_data.one", "-refresh=false"}, Apply: []string{"-compact-warnings"}}
	})
	p, r := m.plan(a)
	if (integrations.Plans{p}).String() != "+1 ~0 -0" || !strings.Contains(strings.Join(p.Notes, " "), "Warning: Resource targeting is in effect") {
		t.Errorf("the plan is %+v", p)
	}
	if err := a.Apply(t.Context(), r); err != nil {
		t.Fatal(explain(err))
	}
	ran := argv(t, r.Exec)
	for _, want := range []string{"-get=true", "-target=terraform_data.one -refresh=false", "-compact-warnings " + filepath.Join(r.Work, planFile)} {
		if !strings.Contains(ran, want) {
			t.Errorf("nothing ran with %s:\n%s", want, ran)
		}
	}
	if b, err := os.ReadFile(m.state); err != nil || strings.Contains(string(b), `"two"`) {
		t.Errorf("the state is %s (%v)", b, err)
	}
	r, _ = m.run()
	if _, err := m.step(func(c *Config) { c.ExtraArgs.Plan = []string{"-no-such-option"} }).Plan(t.Context(), r); err == nil || !strings.Contains(explain(err), "flag provided but not defined") {
		t.Errorf("an option that there is not: %v", err)
	}
}

// OpenTofu takes the same arguments. It is not run here: a stand-in of that name hands
// them to Terraform, which refuses what it does not know.
func TestTheToolOfAStep(t *testing.T) {
	m := newModule(t)
	m.write(pair)
	real, err := exec.LookPath("terraform")
	if err != nil {
		t.Fatal(err)
	}
	bin, said := t.TempDir(), filepath.Join(t.TempDir(), "said")
	if err := os.WriteFile(filepath.Join(bin, "tofu"), []byte("#!/bin/sh\necho \"$@\" >> "+said+"\nexec "+real+" \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	a := m.step(func(c *Config) { c.Tool = "tofu" })
	if got := a.Describe(); got != "tofu network/production" || a.tool.cache != m.tool.cache || a.tool.init != m.tool.init {
		t.Errorf("it is %s, with a cache of its own at %s", got, a.tool.cache)
	}
	p, r := m.plan(a)
	if !strings.HasPrefix(p.Tool, "tofu 1.") {
		t.Errorf("it was planned by %s", p.Tool)
	}
	if err := a.Apply(t.Context(), r); err != nil {
		t.Fatal(explain(err))
	}
	if probe, err := a.Probe(t.Context(), r); err != nil || !probe.Clean {
		t.Errorf("the probe says %+v (%v)", probe, err)
	}
	over, b := m.http(pair)
	c := over.c
	c.Tool = "tofu"
	if over, err = m.tool.Step(c); err != nil {
		t.Fatal(err)
	}
	run, err := m.errored(over, b)
	mend, _ := m.again(run)
	if did, err := over.Mend(t.Context(), mend, offered(t, err, offerSave)); err != nil || did != "The state was saved." {
		t.Errorf("it says %q, %v", did, err)
	}
	b.lockAs("lock-1")
	run, _ = m.run()
	_, err = over.Plan(t.Context(), run)
	run, _ = m.run()
	if _, err := over.Mend(t.Context(), run, offered(t, err, offerUnlock)); err != nil || b.locked() != "" {
		t.Errorf("it says %v, and %q is held", err, b.locked())
	}
	text, err := os.ReadFile(said)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"init -input=false -no-color", "plan -input=false -no-color -out=", "show -json ", "apply -input=false -no-color ", "state pull", "state push ", "force-unlock -force lock-1"} {
		if !strings.Contains("\n"+string(text), "\n"+want) {
			t.Errorf("tofu was never told to %q:\n%s", want, text)
		}
	}
	if a := m.step(func(c *Config) { c.Tool = "terraform" }); a.tool != m.tool {
		t.Error("the process's own tool is made anew")
	}
}

// A workspace that is not there is made by the apply, and the plan says that it holds
// nothing yet; one that is there says no such thing.
func TestAWorkspaceThatIsNotThere(t *testing.T) {
	m := newModule(t)
	m.write(pair)
	a := m.step(func(c *Config) {
		c.Workspace = "blue"
		c.Backend["workspace_dir"] = filepath.Join(filepath.Dir(m.state), "w")
	})
	note := "The workspace blue holds nothing yet; if it is not there, the apply makes it."
	p := m.apply(a)
	if len(p.Notes) != 1 || p.Notes[0] != note {
		t.Errorf("its notes are %q", p.Notes)
	}
	if !exists(filepath.Join(filepath.Dir(m.state), "w", "blue")) || exists(m.state) {
		t.Error("the state is not that workspace's")
	}
	m.write(strings.Replace(pair, "one $", "another $", 1))
	if p, _ := m.plan(a); len(p.Notes) != 0 || (integrations.Plans{p}).String() != "+0 ~1 -0" {
		t.Errorf("another plan there: %+v", p)
	}
	if p, _ := m.plan(m.step(nil)); len(p.Notes) != 0 || (integrations.Plans{p}).String() != "+2 ~0 -0" {
		t.Errorf("the default workspace: %+v", p)
	}
}

// A try in the folder of an earlier one whose backend was another reads the new one, and
// copies no state from there.
func TestAnotherBackend(t *testing.T) {
	m := newModule(t)
	m.write(pair)
	m.apply(m.step(nil))
	_, r := m.plan(m.step(nil))
	other := filepath.Join(t.TempDir(), "other.tfstate")
	p, err := m.step(func(c *Config) { c.Backend = map[string]string{"path": other} }).Plan(t.Context(), r)
	if err != nil {
		t.Fatal(explain(err))
	}
	if (integrations.Plans{p}).String() != "+2 ~0 -0" || exists(other) {
		t.Errorf("it is planned against the old state, or that was copied: %+v", p)
	}
}

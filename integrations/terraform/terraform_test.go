package terraform

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
)

const network = `
variable "size" { default = 1 }
variable "password" {
  type      = string
  sensitive = true
}
resource "terraform_data" "net" {
  input            = "size ${var.size} ${var.password}"
  triggers_replace = [var.size]
}
resource "terraform_data" "label" { input = "label ${var.size}" }
output "size" { value = var.size }
`

func TestPlanApplyAndNothingLeft(t *testing.T) {
	m := newModule(t)
	m.write(network)
	a := m.step(nil)
	if got := a.Describe(); got != "terraform network/production" {
		t.Errorf("described as %q", got)
	}
	p, r := m.plan(a)
	if p.Step != a.Describe() || p.Add != 2 || p.Change != 0 || p.Destroy != 0 || !strings.HasPrefix(p.Tool, "terraform 1.") {
		t.Errorf("plan is %+v", p)
	}
	var addresses []string
	for _, c := range p.Changes {
		addresses = append(addresses, c.Address+" "+strings.Join(c.Actions, ","))
		if len(c.Hash) != 32 {
			t.Errorf("hash of %s is %q", c.Address, c.Hash)
		}
	}
	if got := strings.Join(addresses, "; "); got != "terraform_data.label create; terraform_data.net create; output.size update" {
		t.Errorf("changes are %s", got)
	}
	if !strings.Contains(p.Text, "terraform_data.net will be created") || !strings.Contains(p.Text, "Plan: 2 to add, 0 to change, 0 to destroy.") || strings.Contains(p.Text, "Saved the plan to") {
		t.Errorf("text is %s", p.Text)
	}
	if _, err := os.Stat(m.state); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("planning wrote the state: %v", err)
	}
	if err := a.Apply(t.Context(), r); err != nil {
		t.Fatal(explain(err))
	}
	if b, err := os.ReadFile(m.state); err != nil || !strings.Contains(string(b), `"label 1"`) {
		t.Errorf("the state is %s (%v)", b, err)
	}
	again, _ := m.plan(a)
	if !(integrations.Plans{again}).Empty() || !strings.Contains(again.Text, "No changes.") {
		t.Errorf("after the apply the plan is %+v", again)
	}
}

func TestAnApplyIsFollowedNotRepeated(t *testing.T) {
	m := newModule(t)
	m.write(network)
	a := m.step(nil)
	_, r := m.plan(a)
	for range 2 { // the second as after a restart
		if err := a.Apply(t.Context(), r); err != nil {
			t.Fatal(explain(err))
		}
	}
	// Another runner that does not know of the first effect is refused by the tool.
	r.Exec = func() integrations.Exec { _, e := m.run(); return e }()
	err := a.Apply(t.Context(), r)
	var failed *integrations.CommandError
	if !errors.As(err, &failed) || failed.Code != 1 || !strings.Contains(failed.Tail, "Saved plan is stale") {
		t.Errorf("the same plan applied twice: %v", err)
	}
}

func TestReplaceUpdateDestroyMove(t *testing.T) {
	m := newModule(t)
	m.write(network)
	m.apply(m.step(nil))
	bigger := m.step(func(c *Config) { c.Vars = map[string]string{"size": "2"} })
	p, _ := m.plan(bigger)
	plans := integrations.Plans{p}
	if plans.String() != "+1 ~1 -1" || !reflect.DeepEqual(plans.Replaced(), []string{"terraform_data.net"}) || plans.Destroyed() != nil {
		t.Errorf("plan is %v, replaces %v, destroys %v", plans, plans.Replaced(), plans.Destroyed())
	}
	for _, c := range p.Changes {
		if c.Replaces() && !reflect.DeepEqual(c.ReplacePaths, []string{`["triggers_replace"]`}) {
			t.Errorf("it is replaced because of %q", c.ReplacePaths)
		}
	}
	same, _ := m.plan(bigger)
	if (integrations.Plans{same}).Digest() != plans.Digest() {
		t.Error("the same plan twice has two digests")
	}
	m.write(strings.ReplaceAll(network, `"label ${var.size}"`, `"label! ${var.size}"`))
	other, _ := m.plan(bigger)
	if (integrations.Plans{other}).String() != plans.String() || (integrations.Plans{other}).Digest() == plans.Digest() {
		t.Errorf("another value has the same digest, or another count: %v", integrations.Plans{other})
	}
	r, _ := m.run()
	r.HashKey = []byte("another key")
	keyed, err := bigger.Plan(t.Context(), r)
	if err != nil {
		t.Fatal(explain(err))
	}
	if keyed.Changes[0].Hash == other.Changes[0].Hash {
		t.Error("the hash does not depend on its key")
	}

	m.write(strings.ReplaceAll(network, `"terraform_data" "label"`, `"terraform_data" "tag"`) + "moved {\n from = terraform_data.label\n to = terraform_data.tag\n}\n")
	moved, _ := m.plan(m.step(nil))
	if (integrations.Plans{moved}).Empty() || len(moved.Changes) != 1 || moved.Changes[0].Address != "terraform_data.tag" || moved.Add+moved.Change+moved.Destroy != 0 {
		t.Errorf("a move is %+v", moved)
	}
	m.write("variable \"password\" {}\nresource \"terraform_data\" \"label\" { input = \"label 1\" }\n")
	less, _ := m.plan(m.step(nil))
	if got := (integrations.Plans{less}); got.String() != "+0 ~0 -1" || !reflect.DeepEqual(got.Destroyed(), []string{"terraform_data.net"}) {
		t.Errorf("plan is %v, destroys %v", got, got.Destroyed())
	}
}

func TestOutputsAloneAreAChange(t *testing.T) {
	m := newModule(t)
	m.write(network)
	m.apply(m.step(nil))
	m.write(strings.Replace(network, "value = var.size", "value = var.size + 1", 1))
	p := m.apply(m.step(nil))
	if (integrations.Plans{p}).Empty() || len(p.Changes) != 1 || p.Changes[0].Address != "output.size" || len(p.Notes) == 0 || p.Notes[0] != "1 output changes: size" {
		t.Errorf("plan is %+v", p)
	}
	if again, _ := m.plan(m.step(nil)); !(integrations.Plans{again}).Empty() {
		t.Errorf("it was not applied: %+v", again)
	}
}

func TestAPlanHoldsNoSecret(t *testing.T) {
	m := newModule(t)
	m.write(network + "output \"copied\" {\n value = nonsensitive(var.password)\n}\n")
	m.apply(m.step(nil))
	p, r := m.plan(m.step(func(c *Config) { c.Vars = map[string]string{"size": "12"} }))
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "hunter22") || !strings.Contains(p.Text, "redacted") {
		t.Errorf("the plan is %s", b)
	}
	log, err := proc.Tail(r.Exec.(*integrationstest.Exec).Current(), 1<<20)
	if err != nil || strings.Contains(string(log), "hunter22") {
		t.Errorf("the log is %s (%v)", log, err)
	}
}

func TestTheToolsOwnWords(t *testing.T) {
	m := newModule(t)
	var failed *integrations.CommandError

	m.write("resource \"terraform_data\" \"x\" {\n input = var.nope\n}\n")
	r, _ := m.run()
	if _, err := m.step(nil).Plan(t.Context(), r); !errors.As(err, &failed) || failed.Step != "terraform plan" || !strings.Contains(failed.Tail, "Reference to undeclared input variable") {
		t.Errorf("a broken module: %v", err)
	}
	m.write("broken {{\n")
	if _, err := m.step(nil).Plan(t.Context(), r); !errors.As(err, &failed) || failed.Step != "terraform init" {
		t.Errorf("no HCL: %v", err)
	}
	if _, err := m.step(func(c *Config) { c.Dir = "dns" }).Plan(t.Context(), r); err == nil || !strings.Contains(err.Error(), "there is no folder dns in the repository at abababababab") {
		t.Errorf("no folder: %v", err)
	}
	if err := os.Symlink("/etc", filepath.Join(m.tree, "out")); err != nil {
		t.Fatal(err)
	}
	if _, err := m.step(func(c *Config) { c.Dir = "out" }).Plan(t.Context(), r); err == nil || !strings.Contains(err.Error(), "escapes") {
		t.Errorf("a folder that leads out: %v", err)
	}
	m.tool = NewTool("/no/such/terraform", "")
	if _, err := m.step(nil).Plan(t.Context(), r); !errors.As(err, &failed) || !strings.Contains(err.Error(), "/no/such/terraform") {
		t.Errorf("no program: %v", err)
	}
}

const slow = `
variable "password" {}
resource "terraform_data" "slow" {
  provisioner "local-exec" { command = "touch $GATE.begun; while [ ! -e $GATE ]; do sleep 0.02; done" }
}
resource "terraform_data" "late" {
  depends_on = [terraform_data.slow]
}
`

// begin starts an apply that waits, and returns what ends it.
func begin(t *testing.T, m *module) (r integrations.Run, e *integrationstest.Exec, open func(), done chan error) {
	t.Helper()
	gate := filepath.Join(t.TempDir(), "gate")
	m.write(strings.ReplaceAll(slow, "$GATE", gate))
	a := m.step(nil)
	_, r = m.plan(a)
	e = r.Exec.(*integrationstest.Exec)
	done = make(chan error, 1)
	go func() { done <- a.Apply(t.Context(), r) }()
	until(t, "the apply is under way", func() bool { return exists(gate + ".begun") })
	t.Cleanup(func() {
		if err := proc.Kill(e.Current()); err != nil {
			t.Error(err)
		}
	})
	return r, e, func() {
		if err := os.WriteFile(gate, nil, 0o600); err != nil {
			t.Error(err)
		}
	}, done
}

func TestALockedState(t *testing.T) {
	m := newModule(t)
	_, _, open, done := begin(t, m)
	a := m.step(nil)
	r, _ := m.run()
	_, err := a.Plan(t.Context(), r)
	var failed *integrations.CommandError
	if !errors.As(err, &failed) || !strings.Contains(failed.Tail, "Error acquiring the state lock") || !strings.Contains(failed.Tail, "OperationTypeApply") {
		t.Fatalf("plan while the state is locked: %v", err)
	}
	probe, err := a.Probe(t.Context(), r)
	if err != nil || probe.Clean || !strings.Contains(probe.Text, "The state is locked") || !strings.Contains(probe.Text, "OperationTypeApply") || !strings.Contains(probe.Text, "would still change +2 ~0 -0") {
		t.Errorf("probe says %+v (%v)", probe, err)
	}
	waiting := m.step(func(c *Config) { c.LockTimeout = 2 * time.Minute })
	planned := make(chan error, 1)
	r2, _ := m.run()
	go func() {
		_, err := waiting.Plan(t.Context(), r2)
		planned <- err
	}()
	open()
	if err := <-done; err != nil {
		t.Error(explain(err))
	}
	if err := <-planned; err != nil {
		t.Errorf("a plan that waits for the lock: %s", explain(err))
	}
	if probe, err := a.Probe(t.Context(), r); err != nil || !probe.Clean || probe.Text != "A plan finds nothing left to do." {
		t.Errorf("probe says %+v (%v)", probe, err)
	}
}

func TestAnApplyThatWasInterrupted(t *testing.T) {
	m := newModule(t)
	_, e, _, done := begin(t, m)
	if err := proc.Interrupt(e.Current()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, integrations.ErrInterrupted) {
		t.Errorf("apply: %v", err)
	}
	r, _ := m.run()
	probe, err := m.step(nil).Probe(t.Context(), r)
	if err != nil || probe.Clean || !strings.Contains(probe.Text, "terraform_data.slow (delete, create)") {
		t.Errorf("probe says %+v (%v)", probe, err)
	}
}

func TestAnApplyThatWasKilledIsUnknown(t *testing.T) {
	m := newModule(t)
	r, e, _, done := begin(t, m)
	if err := proc.Kill(e.Current()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, integrations.ErrUnknown) {
		t.Errorf("apply: %v", err)
	}
	a := m.step(nil)
	probe, err := a.Probe(t.Context(), r)
	if err != nil || probe.Clean || !strings.Contains(probe.Text, "would still change") {
		t.Errorf("probe says %+v (%v)", probe, err)
	}
}

func TestSettings(t *testing.T) {
	m := newModule(t)
	m.write("variable \"a\" {}\nvariable \"b\" { type = list(string) }\nvariable \"password\" {}\noutput \"o\" { value = \"${var.a}-${var.b[0]}-${terraform.workspace}\" }\n")
	dir := filepath.Join(m.tree, "network")
	if err := os.WriteFile(filepath.Join(dir, "common.tfvars"), []byte("a = \"from file\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "backend.conf"), []byte("workspace_dir = \""+filepath.Dir(m.state)+"/w\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	a := m.step(func(c *Config) {
		c.VarFiles, c.BackendFiles = []string{"../common.tfvars"}, []string{"../backend.conf"}
		c.Vars = map[string]string{"b": `["x y"]`}
		c.Parallelism, c.LockTimeout = 2, time.Second
	})
	p := m.apply(a)
	if !strings.Contains(p.Text, `"from file-x y-default"`) {
		t.Errorf("text is %s", p.Text)
	}
	blue := m.step(func(c *Config) {
		c.Workspace, c.VarFiles, c.Vars = "blue", []string{"../common.tfvars"}, map[string]string{"b": `["x y"]`}
	})
	if got := blue.Describe(); got != "terraform network/production (blue)" {
		t.Errorf("described as %q", got)
	}
	if p := m.apply(blue); !strings.Contains(p.Text, `"from file-x y-blue"`) {
		t.Errorf("text is %s", p.Text)
	}
}

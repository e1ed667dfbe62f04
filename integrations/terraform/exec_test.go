package terraform

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
)

func TestMain(m *testing.M) { integrationstest.Main(m, nil) }

// module is a root module in a work tree, with a state that outlives the tree.
type module struct {
	t     testing.TB
	tool  *Tool
	tree  string
	state string
}

func newModule(t testing.TB) *module {
	t.Helper()
	if _, err := exec.LookPath("terraform"); err != nil {
		t.Skip("terraform is not on PATH")
	}
	m := &module{t: t, tool: NewTool("terraform", filepath.Join(t.TempDir(), "cache")), tree: t.TempDir(), state: filepath.Join(t.TempDir(), "net.tfstate")}
	return m
}

// write makes main.tf; the backend block is added.
func (m *module) write(body string) {
	m.t.Helper()
	dir := filepath.Join(m.tree, "network", "production")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte("terraform {\n  backend \"local\" {}\n}\n"+body), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m *module) config() Config {
	return Config{Dir: "network/production", Backend: map[string]string{"path": m.state}}
}

func (m *module) step(change func(*Config)) *Applier {
	m.t.Helper()
	c := m.config()
	if change != nil {
		change(&c)
	}
	a, err := m.tool.Step(c)
	if err != nil {
		m.t.Fatal(err)
	}
	return a
}

// run is a new attempt.
func (m *module) run() (integrations.Run, *integrationstest.Exec) {
	e := integrationstest.NewExec(m.t, map[string]string{"TF_VAR_password": "hunter22"})
	return integrations.Run{
		Target: "network/production", Environment: "production", Job: "j1", SHA: strings.Repeat("ab", 20),
		Tree: m.tree, Work: m.t.TempDir(), Keep: filepath.Join(m.t.TempDir(), "kept", "step-1"), HashKey: []byte("key"), Exec: e,
	}, e
}

func (m *module) plan(a *Applier) (integrations.Plan, integrations.Run) {
	m.t.Helper()
	r, _ := m.run()
	p, err := a.Plan(m.t.Context(), r)
	if err != nil {
		m.t.Fatal(explain(err))
	}
	return p, r
}

func (m *module) apply(a *Applier) integrations.Plan {
	m.t.Helper()
	p, r := m.plan(a)
	if err := a.Apply(m.t.Context(), r); err != nil {
		m.t.Fatal(explain(err))
	}
	return p
}

func explain(err error) string { return integrationstest.Explain(err) }

func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

package demo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
)

// here runs commands in this process, as the step shim would in another.
type here struct{ log bytes.Buffer }

func (h *here) Run(_ context.Context, c integrations.Command) (integrations.Output, error) {
	if !filepath.IsAbs(c.Dir) {
		return integrations.Output{}, errors.New("run nowhere")
	}
	var out bytes.Buffer
	if code := Main(c.Argv[2:], &out, &h.log); code != 0 {
		return integrations.Output{Code: code}, &integrations.CommandError{Step: c.Step, Code: code, Tail: h.log.String()}
	}
	if !c.Capture {
		h.log.Write(out.Bytes())
	}
	return integrations.Output{Stdout: out.Bytes()}, nil
}

func (h *here) Effect(ctx context.Context, _ string, c integrations.Command) (integrations.Output, error) {
	return h.Run(ctx, c)
}

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const source = `
locals {
  version = trimspace(file("${path.module}/../VERSION"))
}

resource "terraform_data" "release" {
  input = { version = local.version }
}

resource "terraform_data" "replica" {
  count = 2
}
`

func TestPlanAndApply(t *testing.T) {
	tree, state, exec := t.TempDir(), filepath.Join(t.TempDir(), "deep", "web.tfstate"), &here{}
	write(t, filepath.Join(tree, "VERSION"), "1.0.0\n")
	write(t, filepath.Join(tree, "deploy", "main.tf"), source)
	a, err := Make("", func(into any) error {
		*into.(*Config) = Config{Dir: "deploy", State: state}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	run := integrations.Run{Tree: tree, Work: t.TempDir(), HashKey: []byte("key"), Exec: exec}
	plan := func(want string) integrations.Plans {
		t.Helper()
		p, err := a.Plan(t.Context(), run)
		if err != nil {
			t.Fatal(err)
		}
		if got := (integrations.Plans{p}).String(); got != want {
			t.Errorf("planned %s, want %s\n%s", got, want, p.Text)
		}
		return integrations.Plans{p}
	}
	apply := func() {
		t.Helper()
		if err := a.Apply(t.Context(), run); err != nil {
			t.Fatal(err)
		}
	}
	first := plan("+2 ~0 -0")
	if again := plan("+2 ~0 -0"); again.Digest() != first.Digest() {
		t.Error("the same plan has another digest")
	}
	apply()
	plan("+0 ~0 -0")
	if p, err := a.Probe(t.Context(), run); err != nil || !p.Clean {
		t.Errorf("probe: %+v %v", p, err)
	}

	write(t, filepath.Join(tree, "VERSION"), "1.1.0\n")
	second := plan("+0 ~2 -0")
	if p, err := a.Probe(t.Context(), run); err != nil || p.Clean || !strings.Contains(p.Text, "~ terraform_data.release") {
		t.Errorf("probe: %+v %v", p, err)
	}
	apply()
	var stale *integrations.CommandError
	if err := a.Apply(t.Context(), run); !errors.As(err, &stale) || !strings.Contains(stale.Tail, "stale") {
		t.Errorf("the same plan twice: %v", err)
	}
	write(t, filepath.Join(tree, "VERSION"), "1.2.0\n")
	if third := plan("+0 ~2 -0"); third.Digest() == second.Digest() {
		t.Error("other values have the same digest")
	}
	write(t, filepath.Join(tree, "deploy", "main.tf"), strings.Replace(source, `resource "terraform_data" "replica" {`+"\n  count = 2\n}\n", "", 1))
	plan("+0 ~1 -1")
	if !strings.Contains(exec.log.String(), "This is a demonstration") {
		t.Error("it does not say what it is")
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []Config{{Dir: "../x", State: "/s"}, {Dir: "x", State: "s"}, {Dir: "/x"}} {
		if c.Validate() == nil {
			t.Errorf("%+v is let pass", c)
		}
	}
	dir := t.TempDir()
	state := filepath.Join(dir, "real.tfstate")
	write(t, state, `{"version":4,"terraform_version":"1.11.4","serial":3,"resources":[]}`)
	write(t, filepath.Join(dir, "main.tf"), source)
	var out, errOut bytes.Buffer
	if Main([]string{"plan", dir, ".", state, ""}, &out, &errOut) == 0 || !strings.Contains(errOut.String(), "1.11.4") {
		t.Errorf("a state of the real Terraform is taken over: %s", errOut.String())
	}
	errOut.Reset()
	if Main([]string{"plan", dir, ".", filepath.Join(dir, "none"), ""}, &out, &errOut) == 0 || !strings.Contains(errOut.String(), "escapes") {
		t.Errorf("a file outside the tree is read: %s", errOut.String())
	}
	if Main([]string{"destroy"}, &out, &errOut) == 0 {
		t.Error("an unknown word is let pass")
	}
}

func TestMain(m *testing.M) {
	integrationstest.Main(m, map[string]func([]string, io.Writer, io.Writer) int{"demo": Main})
}

// It prints no more than its changes and ends at once, so that no more can be asked of it.
func TestContract(t *testing.T) {
	integrationstest.Applier(t, integrationstest.ApplierSuite{
		Make: func(t testing.TB, outside string) integrations.Applier {
			a, err := Make("", func(into any) error {
				*into.(*Config) = Config{State: filepath.Join(outside, "it.tfstate")}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return a
		},
		Change: func(t testing.TB, tree, _ string) {
			write(t, filepath.Join(tree, "main.tf"), "resource \"terraform_data\" \"it\" {\n}\n")
		},
		Fails: func(t testing.TB, tree, outside string) string {
			write(t, filepath.Join(outside, "it.tfstate"), `{"version":4,"terraform_version":"1.11.4","serial":3,"resources":[]}`)
			return "was written by Terraform 1.11.4"
		},
	})
}

package serverspec_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
	"github.com/signalbox-chatops/signalbox/integrations/serverspec"
)

func TestMain(m *testing.M) {
	integrationstest.Main(m, map[string]func([]string, io.Writer, io.Writer) int{serverspec.Word: serverspec.Main})
}

func needRSpec(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("rspec"); err != nil {
		t.Skip("rspec is not on PATH")
	}
}

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// step makes one with these settings over the defaults.
func step(t testing.TB, dir string, set func(*serverspec.Config)) integrations.Applier {
	t.Helper()
	a, err := serverspec.Make(dir, func(v any) error {
		c := v.(*serverspec.Config)
		c.Dir = "serverspec"
		if set != nil {
			set(c)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

const head = "require 'serverspec'\nset :backend, :exec\n"

// Serverspec changes nothing; the one example here leaves a mark, so that it is seen that
// it ran, and how often.
func TestServerspec(t *testing.T) {
	needRSpec(t)
	spec := func(t testing.TB, tree, body string) {
		write(t, tree, "serverspec/spec/web_spec.rb", head+"describe 'the host' do\n  it 'is as it should be' do\n"+body+"\n  end\nend\n")
	}
	integrationstest.Applier(t, integrationstest.ApplierSuite{
		Reads: true,
		Make:  func(t testing.TB, _ string) integrations.Applier { return step(t, t.TempDir(), nil) },
		Change: func(t testing.TB, tree, outside string) {
			spec(t, tree, fmt.Sprintf("File.write(%q, 'ran', mode: 'a')", filepath.Join(outside, "mark")))
		},
		Fails: func(t testing.TB, tree, _ string) string {
			spec(t, tree, "expect(file('/nowhere/at/all')).to exist")
			return `expected File "/nowhere/at/all" to exist`
		},
		Leaks: func(t testing.TB, tree, _ string) []string {
			spec(t, tree, "puts ENV['SUITE_SECRET']\nraise \"it is #{ENV['SUITE_SECRET']}\"")
			return nil
		},
		Hangs: func(t testing.TB, tree, _, child string) {
			spec(t, tree, fmt.Sprintf("system %q", "echo $$ > "+child+"; exec sleep 600"))
		},
		Long: func(t testing.TB, tree, _ string) {
			spec(t, tree, fmt.Sprintf("puts %q\n200000.times { |n| puts n }\nputs %q", integrationstest.FirstLine, integrationstest.LastLine))
		},
	})
}

// a world is one target with this step.
type world struct {
	*testing.T
	tree, data string
}

func (w *world) run(sha string, earlier ...string) integrations.Run {
	return integrations.Run{Target: "image/web", Environment: "test", Job: "j", SHA: strings.Repeat(sha, 20), Tree: w.tree, Work: w.TempDir(), Earlier: earlier, HashKey: []byte("key"), Exec: integrationstest.NewExec(w, nil)}
}

func (w *world) plan(a integrations.Applier, r integrations.Run) integrations.Plan {
	w.Helper()
	p, err := a.Plan(w.Context(), r)
	if err != nil {
		w.Fatal(integrationstest.Explain(err))
	}
	return p
}

// handed is the work folder of an earlier step that left an artifact.
func (w *world) handed(one integrations.Artifact) string {
	w.Helper()
	r := integrations.Run{Work: w.TempDir()}
	if err := r.PutArtifacts([]integrations.Artifact{one}); err != nil {
		w.Fatal(err)
	}
	return r.Work
}

// The plan names each example; a failed one is told with its message, and counted.
func TestExamplesAreNamedAndCounted(t *testing.T) {
	needRSpec(t)
	w := &world{t, t.TempDir(), t.TempDir()}
	write(t, w.tree, "serverspec/spec/web_spec.rb", head+`
describe file(ENV['SIGNALBOX_FILE']) do
  it { should contain ENV['WORD'] }
  it { should be_mode 7 }
end
describe 'the port' do
  it 'is open'
end
`)
	image := filepath.Join(t.TempDir(), "image.txt")
	write(t, filepath.Dir(image), "image.txt", "hello\n")
	a := step(t, w.data, func(c *serverspec.Config) { c.Set = map[string]string{"WORD": "hello"} })
	r := w.run("a1", w.handed(integrations.Artifact{Step: "packer web.json", Kind: integrations.ArtifactFile, ID: image, Sources: "s1"}))
	p := w.plan(a, r)
	var names []string
	for _, c := range p.Changes {
		names = append(names, c.Address)
	}
	want := []string{`File "` + image + `" (spec/web_spec.rb:5)`, `File "` + image + `" (spec/web_spec.rb:6)`, "the port is open (spec/web_spec.rb:9)"}
	if !slices.Equal(names, want) {
		t.Errorf("it would run %q, want %q", names, want)
	}
	if !strings.HasPrefix(p.Text, "3 examples would run on "+image+":\n? File") {
		t.Errorf("the plan is\n%s", p.Text)
	}
	err := a.Apply(t.Context(), r)
	var failed *integrations.CommandError
	if !errors.As(err, &failed) || failed.Code != 1 {
		t.Fatalf("it ends with %v", err)
	}
	for _, part := range []string{"1 of 3 examples failed: ", `File "` + image + `" is expected to be mode 7 (spec/web_spec.rb:6): `} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("it lacks %q: %v", part, err)
		}
	}
	got, bad := integrations.TestsIn(r.Work)
	if bad != nil || got.Examples != 3 || got.Failed != 1 || got.Pending != 1 || got.Step != a.Describe() || !slices.Equal(got.Of, []string{image}) {
		t.Errorf("it counts %+v (%v)", got, bad)
	}
	if probe, err := a.Probe(t.Context(), r); err != nil || probe.Clean {
		t.Errorf("after a failure the probe says %+v (%v)", probe, err)
	}
}

// What has passed is not tried again, unless something before it changes, or what it is
// tried on is another.
func TestPassedTestsAreRunAgainWhereThingsChange(t *testing.T) {
	needRSpec(t)
	w := &world{t, t.TempDir(), t.TempDir()}
	write(t, w.tree, "serverspec/spec/web_spec.rb", head+"describe file('/') do\n  it { should be_directory }\nend\n")
	a := step(t, w.data, nil)
	one := integrations.Artifact{Step: "packer web.json", Kind: integrations.ArtifactAMI, ID: "eu-west-1:ami-1", Sources: "s1"}
	r := w.run("a1", w.handed(one))
	w.plan(a, r)
	if err := a.Apply(t.Context(), r); err != nil {
		t.Fatal(integrationstest.Explain(err))
	}
	if p := w.plan(a, w.run("b2", w.handed(one))); len(p.Changes) > 0 || !strings.Contains(p.Text, "have passed at a1a1a1a1a1a1: 1 example, 0 failed, 0 pending") {
		t.Errorf("the plan of what has passed is %+v", p)
	}
	r = w.run("b2", w.handed(one))
	r.Before = integrations.Plans{{Add: 1}}
	if p := w.plan(a, r); len(p.Changes) != 1 {
		t.Errorf("after what changes, the plan is %+v", p)
	}
	other := one
	other.ID = "eu-west-1:ami-2"
	if p := w.plan(a, w.run("b2", w.handed(other))); len(p.Changes) != 1 {
		t.Errorf("on another image the plan is %+v", p)
	}
	write(t, w.tree, "serverspec/spec/more_spec.rb", head+"describe file('/tmp') do\n  it { should be_directory }\nend\n")
	if p := w.plan(a, w.run("b2", w.handed(one))); len(p.Changes) != 2 {
		t.Errorf("with another spec the plan is %+v", p)
	}
}

// Where nothing is tested, nothing has passed.
func TestNoExampleIsAMistake(t *testing.T) {
	needRSpec(t)
	w := &world{t, t.TempDir(), t.TempDir()}
	for name, c := range map[string]struct{ spec, say string }{
		"none":   {head, "there is no example, so that nothing was tested"},
		"broken": {"raise 'no such host'\n", "no such host"},
	} {
		write(t, w.tree, "serverspec/spec/web_spec.rb", c.spec)
		_, err := step(t, w.data, nil).Plan(t.Context(), w.run("a1"))
		var failed *integrations.CommandError
		if !errors.As(err, &failed) || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: it says %v", name, err)
		}
	}
}

func TestConfig(t *testing.T) {
	_, err := serverspec.Make("", func(v any) error {
		*v.(*serverspec.Config) = serverspec.Config{Dir: "../x", Files: []string{"-x"}, RSpec: serverspec.Argv{"bundle exec rspec"}, Env: []string{"A-B"}, Set: map[string]string{"PATH": "/", "C D": ""}, Timeout: -1}
		return nil
	})
	want := `dir: "../x" must be a folder inside the repository, such as "serverspec"
env: "A-B" is not the name of an environment variable
files: "-x" must be a file or a folder inside the repository, from dir
rspec: "bundle exec rspec" is one word, and no shell takes it apart; want a list such as [bundle, exec, rspec]
set: "C D" is not the name of an environment variable
set: PATH is set by something else
timeout: -1ns is negative`
	if err == nil || err.Error() != want {
		t.Errorf("it says\n%v\nwant\n%s", err, want)
	}
}

package packer_test

import (
	"encoding/json"
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
	"github.com/signalbox-chatops/signalbox/integrations/packer"
)

func TestMain(m *testing.M) {
	integrationstest.Main(m, map[string]func([]string, io.Writer, io.Writer) int{packer.Word: packer.Main})
}

func needPacker(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("packer"); err != nil {
		t.Skip("packer is not on PATH")
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

// step makes one with these settings; what was built last is remembered in dir.
func step(t testing.TB, dir string, images integrations.Images, c packer.Config) integrations.Finisher {
	t.Helper()
	a, err := packer.NewTool(images, nil).Make(dir, func(v any) error { *v.(*packer.Config) = c; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return a.(integrations.Finisher)
}

// template is a JSON one that builds a file after a script.
func template(file, script string) string {
	b, err := json.Marshal(map[string]any{
		"variables":    map[string]string{"secret": "{{env `SUITE_SECRET`}}"},
		"builders":     []any{map[string]string{"type": "file", "target": file, "content": "an image"}},
		"provisioners": []any{map[string]any{"type": "shell-local", "inline": []string{script}}},
	})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// folder is the same in HCL2.
func folder(file, script string) string {
	return fmt.Sprintf(`variable "secret" {
  type    = string
  default = "none"
}
source "file" "web" {
  target  = %q
  content = "an image"
}
build {
  sources = ["source.file.web"]
  provisioner "shell-local" { inline = [%q] }
}
`, file, script)
}

func suite(template, name string, of func(file, script string) string) integrationstest.ApplierSuite {
	put := func(t testing.TB, tree, outside, script string) {
		write(t, tree, "packer/"+name, of(filepath.Join(outside, "image.txt"), script))
	}
	return integrationstest.ApplierSuite{
		Make: func(t testing.TB, outside string) integrations.Applier {
			return step(t, t.TempDir(), nil, packer.Config{Dir: "packer", Template: template})
		},
		Change: func(t testing.TB, tree, outside string) { put(t, tree, outside, "true") },
		Fails: func(t testing.TB, tree, outside string) string {
			put(t, tree, outside, "exit 7")
			return "Script exited with non-zero exit status: 7"
		},
		Leaks: func(t testing.TB, tree, outside string) []string {
			put(t, tree, outside, `echo "it is $SUITE_SECRET and $PKR_VAR_secret"`)
			return nil
		},
		Hangs: func(t testing.TB, tree, outside, child string) {
			put(t, tree, outside, "echo $$ > "+child+"; exec sleep 600")
		},
		Long: func(t testing.TB, tree, outside string) {
			put(t, tree, outside, fmt.Sprintf("echo '%s'; for i in $(seq 1 1200); do printf '%%01000d\\n' $i; done; echo '%s'", integrationstest.FirstLine, integrationstest.LastLine))
		},
		Secrets: map[string]string{"PKR_VAR_secret": "c0rrect-horse"},
	}
}

func TestPackerJSON(t *testing.T) {
	needPacker(t)
	integrationstest.Applier(t, suite("web.json", "web.json", template))
}

func TestPackerHCL(t *testing.T) {
	needPacker(t)
	integrationstest.Applier(t, suite(".", "web.pkr.hcl", folder))
}

// a world is one target with this step alone.
type world struct {
	*testing.T
	tree, data, outside string
	exec                *integrationstest.Exec
}

func newWorld(t *testing.T) *world {
	return &world{t, t.TempDir(), t.TempDir(), t.TempDir(), integrationstest.NewExec(t, nil)}
}

// run is a new job at a commit.
func (w *world) run(sha string) integrations.Run {
	w.exec = integrationstest.NewExec(w, nil)
	return integrations.Run{Target: "image/web", Environment: "test", Job: "j", SHA: strings.Repeat(sha, 20), Tree: w.tree, Work: w.TempDir(), HashKey: []byte("key"), Exec: w.exec}
}

func (w *world) plan(a integrations.Applier, r integrations.Run) integrations.Plan {
	w.Helper()
	p, err := a.Plan(w.Context(), r)
	if err != nil {
		w.Fatal(integrationstest.Explain(err))
	}
	return p
}

func (w *world) apply(a integrations.Applier, r integrations.Run) {
	w.Helper()
	if err := a.Apply(w.Context(), r); err != nil {
		w.Fatal(integrationstest.Explain(err))
	}
}

func (w *world) want(text, part string) {
	w.Helper()
	if !strings.Contains(text, part) {
		w.Errorf("it lacks %q:\n%s", part, text)
	}
}

// What differs from the last build is the plan; the same sources are built once, unless
// what was built is gone.
func TestSourcesAreBuiltOnce(t *testing.T) {
	needPacker(t)
	w := newWorld(t)
	image := filepath.Join(w.outside, "image.txt")
	write(t, w.tree, "packer/web.json", template(image, "cat ../app/version"))
	write(t, w.tree, "app/version", "1\n")
	write(t, w.tree, "README.md", "web\n")
	a := step(t, w.data, nil, packer.Config{Dir: "packer", Template: "web.json", Sources: []string{"app"}, Vars: map[string]string{"secret": "red"}})
	r := w.run("a1")
	p := w.plan(a, r)
	w.want(p.Text, "It was not built before. Its 3 sources:\n  + (the step's settings)\n  + app/version\n  + packer/web.json\nsecret = \"red\"")
	w.want(p.Text, "web")
	w.apply(a, r)
	own, err := r.Own()
	if err != nil || len(own) != 1 || own[0].ID != image || own[0].Kind != integrations.ArtifactFile || own[0].SHA != r.SHA || own[0].Step != a.Describe() {
		t.Fatalf("it left %+v (%v)", own, err)
	}

	write(t, w.tree, "README.md", "the web\n")
	again := w.run("b2")
	if p = w.plan(a, again); len(p.Changes) > 0 {
		t.Errorf("the same sources: %+v", p.Changes)
	}
	w.want(p.Text, image+" was built from a1a1a1a1a1a1 of the same sources")
	if handed, err := again.Own(); err != nil || !slices.Equal(handed, own) {
		t.Errorf("it hands on %+v (%v)", handed, err)
	}

	probing := w.run("b2")
	if probe, err := a.Probe(t.Context(), probing); err != nil || !probe.Clean {
		t.Errorf("the probe says %+v (%v)", probe, err)
	}
	if handed, err := probing.Own(); err != nil || !slices.Equal(handed, own) {
		t.Errorf("a probe hands on %+v (%v)", handed, err)
	}

	write(t, w.tree, "app/version", "2\n")
	write(t, w.tree, "app/more", "x\n")
	p = w.plan(a, w.run("c3"))
	w.want(p.Text, image+" was built from a1a1a1a1a1a1. Since then:\n  + app/more\n  ~ app/version\n")
	if err := os.Remove(filepath.Join(w.tree, "app/more")); err != nil {
		t.Fatal(err)
	}
	write(t, w.tree, "app/version", "1\n")
	if p = w.plan(a, w.run("d4")); len(p.Changes) > 0 {
		t.Errorf("as they were: %+v", p.Changes)
	}
	if err := os.WriteFile(image, []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	p = w.plan(a, w.run("e5"))
	if p.Add != 1 {
		t.Errorf("of what was changed since: %+v", p.Changes)
	}
	w.want(strings.Join(p.Notes, "\n"), "is gone or was changed since")
}

// What the null builder makes is nothing, which is built once all the same.
func TestNothingIsNoArtifact(t *testing.T) {
	needPacker(t)
	w := newWorld(t)
	write(t, w.tree, "null.json", `{"builders": [{"type": "null", "communicator": "none"}]}`)
	a := step(t, w.data, nil, packer.Config{Template: "null.json"})
	r := w.run("a1")
	w.plan(a, r)
	w.apply(a, r)
	if own, err := r.Own(); err != nil || len(own) > 0 {
		t.Errorf("it left %+v (%v)", own, err)
	}
	p := w.plan(a, w.run("b2"))
	if len(p.Changes) > 0 {
		t.Errorf("the plan is %+v", p.Changes)
	}
	w.want(p.Text, "It was built, and left no artifact, from a1a1a1a1a1a1")
}

// A template with a mistake is found by the plan, in Packer's words.
func TestAMistakeIsFoundByThePlan(t *testing.T) {
	needPacker(t)
	w := newWorld(t)
	write(t, w.tree, "bad.json", `{"builders": [{"type": "nonsense"}]}`)
	_, err := step(t, w.data, nil, packer.Config{Template: "bad.json"}).Plan(t.Context(), w.run("a1"))
	var failed *integrations.CommandError
	if !errors.As(err, &failed) || failed.Step != "packer validate" || !strings.Contains(err.Error(), `Failed to initialize build "nonsense"`) {
		t.Errorf("it says %v", err)
	}
}

// One build of two fails: what the other made is named, as it is left behind.
func TestWhatIsLeftOfAFailedBuildIsNamed(t *testing.T) {
	needPacker(t)
	w := newWorld(t)
	image := filepath.Join(w.outside, "good.txt")
	write(t, w.tree, "two.json", fmt.Sprintf(`{"builders": [
  {"name": "good", "type": "file", "target": %q, "content": "x"},
  {"name": "bad", "type": "null", "communicator": "none"}],
 "provisioners": [{"type": "shell-local", "only": ["bad"], "inline": ["exit 3"]}]}`, image))
	a := step(t, w.data, nil, packer.Config{Template: "two.json"})
	r := w.run("a1")
	w.plan(a, r)
	err := a.Apply(t.Context(), r)
	if err == nil || !strings.Contains(err.Error(), "bad: Script exited with non-zero exit status: 3") {
		t.Errorf("it says %v", err)
	}
	w.want(integrationstest.Explain(err), "Built all the same, and left: "+image)
	if p := w.plan(a, w.run("b2")); p.Add != 1 {
		t.Errorf("after a failure the plan is %+v", p.Changes)
	}
}

func TestConfig(t *testing.T) {
	for want, c := range map[string]packer.Config{
		`dir: "/x" must be a folder inside the repository, such as "packer"
env: "A B" is not the name of an environment variable
only: "a,b" is not one build
pin: names no service or no environment; want some such as [{service: web, environment: production}]
sources: "../y" must be a file or a folder inside the repository, from its root
template: is missing; want a file from dir, such as web.json, or . for a folder of HCL2 files
timeout: -1ns is negative
var_files: "-z" must be a file inside the repository, from dir
vars: "1" is not the name of a variable`: {
			Dir: "/x", VarFiles: []string{"-z"}, Vars: map[string]string{"1": ""}, Only: []string{"a,b"}, Sources: []string{"../y"},
			Env: []string{"A B"}, Pin: []integrations.Pin{{Service: "web"}}, Timeout: -1,
		},
		`account: there is no account "other" in aws.accounts; it has ["main"]`: {Template: "a.json", Account: "other"},
		"pin: no": {Template: "a.json", Pin: []integrations.Pin{{Service: "web", Environment: "production"}}},
	} {
		no := func(integrations.Pin) error { return errors.New("no") }
		_, err := packer.NewTool(&account{}, no).Make(t.TempDir(), func(v any) error { *v.(*packer.Config) = c; return nil })
		if err == nil || err.Error() != want {
			t.Errorf("it says\n%v\nwant\n%s", err, want)
		}
	}
}

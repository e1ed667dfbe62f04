package packer_test

import (
	"context"
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

// account is images of AWS, as far as this step asks for them.
type account struct {
	images map[string]*integrations.Image // by their ids
	refuse error
}

var home = integrations.Site{Account: "main", Region: "eu-west-1"}

func (a *account) Sites() []integrations.Site { return []integrations.Site{home} }

func (a *account) Image(_ context.Context, at integrations.Site, id string) (*integrations.Image, error) {
	return a.images[id], a.refuse
}

func (a *account) ImagesTagged(_ context.Context, at integrations.Site, key, value string) (out []integrations.Image, _ error) {
	for _, i := range a.images {
		if i.Tags[key] == value {
			out = append(out, *i)
		}
	}
	return out, a.refuse
}

func (a *account) TagImage(_ context.Context, at integrations.Site, id string, tags map[string]string) error {
	if a.refuse != nil {
		return a.refuse
	}
	for k, v := range tags {
		a.images[id].Tags[k] = v
	}
	return nil
}

// An AMI is tagged once it is tested, is looked for before it is built again, and is built
// again when it has failed its tests.
func TestOnlyATestedImageIsTagged(t *testing.T) {
	bin, err := filepath.Abs("testdata/bin")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	w := newWorld(t)
	write(t, w.tree, "ami.json", "eu-west-1:ami-0abc,us-east-1:ami-0def\n")
	at := &account{images: map[string]*integrations.Image{"ami-0abc": {ID: "ami-0abc", Tags: map[string]string{}}}}
	a := step(t, w.data, at, packer.Config{Template: "ami.json", Pin: []integrations.Pin{{Service: "web", Environment: "production"}}})
	build := func(sha string) integrations.Run {
		t.Helper()
		r := w.run(sha)
		w.plan(a, r)
		w.apply(a, r)
		return r
	}
	r := build("a1")
	both := []string{"eu-west-1:ami-0abc", "us-east-1:ami-0def"}
	if built, err := a.Finish(t.Context(), r, nil); err != nil || len(built) != 2 || built[0].ID != both[0] || built[0].Passed > 0 || len(at.images["ami-0abc"].Tags) > 0 {
		t.Errorf("untested it is %+v (%v), with the tags %v", built, err, at.images["ami-0abc"].Tags)
	}
	failing := []integrations.Tests{{Examples: 3, Failed: 1, Of: both}}
	if built, err := a.Finish(t.Context(), r, failing); err != nil || built[0].Failed != 1 || len(at.images["ami-0abc"].Tags) > 0 {
		t.Errorf("of what failed its tests it says %+v (%v), with the tags %v", built, err, at.images["ami-0abc"].Tags)
	}
	if p := w.plan(a, w.run("b2")); p.Add != 1 || !strings.Contains(strings.Join(p.Notes, ""), "was built from a1a1a1a1a1a1 of the same sources, and failed its tests") {
		t.Errorf("what failed its tests is not built again: %+v", p)
	}

	r = build("b2")
	passing := []integrations.Tests{{Examples: 3, Pending: 1, Of: both[:1]}, {Examples: 9, Of: []string{"another"}}}
	at.refuse = errors.New("EC2 does not want to")
	if _, err := a.Finish(t.Context(), r, passing); err == nil || !strings.Contains(err.Error(), "eu-west-1:ami-0abc was built and tested, and is not tagged: EC2 does not want to") {
		t.Errorf("a tag that was refused is told as %v", err)
	}
	at.refuse = nil
	next := w.run("c3")
	p := w.plan(a, next)
	if p.Change != 1 || p.Add > 0 || p.Changes[0].Address != "the tag signalbox:tested of eu-west-1:ami-0abc" {
		t.Errorf("without the tag the plan is %+v", p)
	}
	w.apply(a, next)
	if _, effects := w.exec.Ran(); effects > 0 {
		t.Error("for the tag it was built again")
	}
	built, err := a.Finish(t.Context(), next, passing)
	if err != nil || built[0].Passed != 2 || built[0].Pending != 1 || built[0].SHA != r.SHA || built[0].Pins[0].Version != "ami-0abc" {
		t.Errorf("tested it is %+v (%v)", built, err)
	}
	if got := at.images["ami-0abc"].Tags[integrations.TagTested]; got != r.SHA {
		t.Errorf("its tag is %q, and it was built from %s", got, r.SHA)
	}
	if p := w.plan(a, w.run("d4")); len(p.Changes) > 0 {
		t.Errorf("tagged, the plan is %+v", p)
	}
	delete(at.images, "ami-0abc")
	if p := w.plan(a, w.run("e5")); p.Add != 1 || !strings.Contains(strings.Join(p.Notes, ""), "eu-west-1:ami-0abc, which was built of the same sources, is gone") {
		t.Errorf("deregistered, the plan is %+v", p)
	}
}

// Of a build that was killed only AWS knows, where the template tells it which build it is.
func TestAProbeLooksForTheBuild(t *testing.T) {
	w := newWorld(t)
	write(t, w.tree, "ami.json", "eu-west-1:ami-0abc\n")
	at := &account{images: map[string]*integrations.Image{}}
	a := step(t, w.data, at, packer.Config{Template: "ami.json"})
	r := w.run("a1")
	probe, err := a.Probe(t.Context(), r)
	if err != nil || probe.Clean {
		t.Fatalf("%+v (%v)", probe, err)
	}
	_, name, _ := strings.Cut(probe.Text, "There is no AMI with the tag signalbox:run=")
	name, _, _ = strings.Cut(name, ",")
	if name == "" {
		t.Fatalf("it does not say what it looks for: %s", probe.Text)
	}
	at.images["ami-0abc"] = &integrations.Image{ID: "ami-0abc", Tags: map[string]string{integrations.TagRun: name}}
	if probe, err = a.Probe(t.Context(), r); err != nil || probe.Clean {
		t.Fatalf("%+v (%v)", probe, err)
	}
	w.want(probe.Text, "Of this build there is eu-west-1:ami-0abc")
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

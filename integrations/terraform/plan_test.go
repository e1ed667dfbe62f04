package terraform

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

func read(t *testing.T, json, told string) integrations.Plan {
	t.Helper()
	a, err := NewTool("tofu", "").Step(Config{Dir: "."})
	if err != nil {
		t.Fatal(err)
	}
	p, err := a.read([]byte(json), told, []byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestNotes(t *testing.T) {
	p := read(t, `{"format_version":"1.2","terraform_version":"1.9.0","complete":false,
	"resource_drift":[{"address":"a.b","mode":"managed","change":{"actions":["update"]}}],
	"checks":[{"address":{"kind":"check","to_display":"check.health"},"status":"fail"}],
	"resource_changes":[
	 {"address":"a.gone","mode":"managed","change":{"actions":["forget"],"before":{}}},
	 {"address":"a.in","mode":"managed","change":{"actions":["no-op"],"before":{},"after":{},"importing":{"id":"i-1"}}},
	 {"address":"a.same","mode":"managed","change":{"actions":["no-op"],"before":{},"after":{}}},
	 {"address":"a.old","deposed":"00ff","mode":"managed","change":{"actions":["delete"],"before":{}}},
	 {"address":"data.x.y","mode":"data","change":{"actions":["read"],"after":{}}}]}`,
		"│ Warning: Argument is deprecated\n│ Warning: Argument is deprecated\n")
	if p.Tool != "tofu 1.9.0" || p.Step != "tofu ." || p.Add != 0 || p.Change != 0 || p.Destroy != 1 {
		t.Errorf("plan is %+v", p)
	}
	want := []string{
		"1 changed outside of Terraform: a.b",
		"1 will no longer be managed, and is not destroyed: a.gone",
		"The plan is not complete: another will be needed after this one.",
		"Check check.health did not pass.",
		"Warning: Argument is deprecated",
	}
	if strings.Join(p.Notes, "\n") != strings.Join(want, "\n") {
		t.Errorf("notes are %q", p.Notes)
	}
	if want := "  ~ a.gone (forget)\n  ~ a.in (import)\n  - a.old (deposed 00ff) (delete)\n <= data.x.y (read)"; "  "+strings.TrimLeft(p.Text, " ") != want {
		t.Errorf("text is %q", p.Text)
	}
}

func TestLargeNumbersAreNotEqual(t *testing.T) {
	plan := func(n string) integrations.Plans {
		return integrations.Plans{read(t, `{"format_version":"1.2","resource_changes":[{"address":"a.b","mode":"managed","change":{"actions":["update"],"before":{"n":1},"after":{"n":`+n+`}}}]}`, "")}
	}
	if plan("9007199254740993").Digest() == plan("9007199254740992").Digest() {
		t.Error("two numbers were rounded to one")
	}
}

func TestALargePlanIsListed(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"format_version":"1.2","resource_changes":[`)
	for i := range 3000 {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString(`{"address":"module.a_rather_long_name.aws_instance.web[` + strings.Repeat("9", 1+i%5) + `]","mode":"managed","change":{"actions":["delete","create"],"replace_paths":[["ami"]]}}`)
	}
	b.WriteString("]}")
	p := read(t, b.String(), "the end of a log that was cut")
	if len(p.Text) > maxText || !strings.HasPrefix(p.Text, "-/+ module.a_rather_long_name.aws_instance.web[9] (delete, create) because of [\"ami\"]\n") || !strings.Contains(p.Text, "more") {
		t.Errorf("text has %d bytes: %.200s", len(p.Text), p.Text)
	}
	if p.Add != 3000 || p.Destroy != 3000 {
		t.Errorf("counted +%d -%d", p.Add, p.Destroy)
	}
}

func TestAPlanThatCannotBeRead(t *testing.T) {
	a, err := NewTool("terraform", "").Step(Config{Dir: "."})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "{", "{}", `{"format_version":"2.0"}`} {
		if _, err := a.read([]byte(bad), "", nil); err == nil || !strings.HasPrefix(err.Error(), "terraform .: read the plan: ") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestMistakesInTheSettings(t *testing.T) {
	bad := Config{Dir: "../x", VarFiles: []string{"/etc/a"}, BackendFiles: []string{"../../b"}, Vars: map[string]string{"a=b": ""}, Backend: map[string]string{"-x": ""}, LockTimeout: -time.Second, Parallelism: -1}
	_, err := NewTool("terraform", "").Make("", func(into any) error { *into.(*Config) = bad; return nil })
	if err == nil {
		t.Fatal("all of it was taken")
	}
	for _, want := range []string{"dir: ", "var_files: ", "backend_files: ", "vars: ", "backend: ", "lock_timeout: ", "parallelism: "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing is said of %q: %v", want, err)
		}
	}
	step, err := NewTool("terraform", "").Make("", func(any) error { return nil })
	if err != nil || step.Describe() != "terraform ." {
		t.Errorf("the defaults: %v, %v", step, err)
	}
	wrong := errors.New("no such field")
	if _, err := NewTool("terraform", "").Make("", func(any) error { return wrong }); !errors.Is(err, wrong) {
		t.Errorf("a field that is not there: %v", err)
	}
}

func TestWhichTool(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	if got := NewTool("", "").Name(); got != "terraform" {
		t.Errorf("with none it is %q", got)
	}
	for _, name := range []string{"tofu", "terraform"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
		if got := NewTool("", "").Name(); got != name {
			t.Errorf("it is %q, want %q", got, name)
		}
	}
	if got := NewTool("/opt/tofu", "").Name(); got != "tofu" {
		t.Errorf("it is %q", got)
	}
}

func TestAnAccountThatWasCutIsNotShown(t *testing.T) {
	const json = `{"format_version":"1.2","resource_changes":[{"address":"a.b","mode":"managed","change":{"actions":["create"]}}],
	"output_changes":{"o":{"actions":["create"],"after":"x"}}}`
	whole := "Terraform used the selected providers to generate the following execution\nplan.\n\nTerraform will perform the following actions:\n\n  # a.b\n\nPlan: 1 to add.\n\nChanges to Outputs:\n  + o\n"
	if got := read(t, json, "a.b: Refreshing...\n\n"+whole+"\n─────\n\nTo apply it ...").Text; got != strings.TrimSpace(whole) {
		t.Errorf("text is %q", got)
	}
	if got := read(t, json, whole[len(whole)-40:]).Text; got != "  + a.b (create)\n  ~ output.o (update)" {
		t.Errorf("text is %q", got)
	}
}

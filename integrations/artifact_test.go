package integrations

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What steps leave for those after them is read in their order; nothing that a step puts
// into the place of a note is followed.
func TestArtifactsAreHandedOn(t *testing.T) {
	first, second := Run{Work: t.TempDir()}, Run{Work: t.TempDir()}
	want := []Artifact{{Step: "one", ID: "a"}, {Step: "two", ID: "b"}, {Step: "two", ID: "c"}}
	for r, some := range map[*Run][]Artifact{&first: want[:1], &second: want[1:]} {
		if err := r.PutArtifacts([]Artifact{{ID: "an older one"}}); err != nil {
			t.Fatal(err)
		}
		if err := r.PutArtifacts(some); err != nil {
			t.Fatal(err)
		}
	}
	third := Run{Work: t.TempDir(), Earlier: []string{first.Work, t.TempDir(), second.Work}}
	got, err := third.Artifacts()
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%s (%v)", diff, err)
	}
	if own, err := third.Own(); len(own) > 0 || err != nil {
		t.Errorf("it left nothing, and has %+v (%v)", own, err)
	}
	if left, err := os.ReadDir(first.Work); err != nil || len(left) != 1 {
		t.Errorf("beside the note there is %v (%v)", left, err)
	}
	note := filepath.Join(first.Work, artifactsFile)
	if err := errors.Join(os.Remove(note), os.Symlink(filepath.Join(second.Work, artifactsFile), note)); err != nil {
		t.Fatal(err)
	}
	if got, err := third.Artifacts(); err == nil {
		t.Errorf("a link was followed to %+v", got)
	}
}

// The sums of a folder change with what is in it, with nothing else, and with the key.
func TestSums(t *testing.T) {
	r := Run{Tree: t.TempDir(), SHA: strings.Repeat("ab", 20), HashKey: []byte("key")}
	put := func(name, text string, mode os.FileMode) {
		t.Helper()
		file := filepath.Join(r.Tree, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), mode), os.Chmod(file, mode)); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to string) {
		t.Helper()
		at := filepath.Join(r.Tree, "dir/link")
		if err := os.Remove(at); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if err := os.Symlink(to, at); err != nil {
			t.Fatal(err)
		}
	}
	put("dir/a", "1", 0o600)
	put("dir/.git/HEAD", "x", 0o600)
	put("other", "1", 0o600)
	link("/etc/passwd")
	sum := func() string {
		t.Helper()
		all, err := r.Sums("step", "dir")
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != 2 || all["dir/a"] == "" || all["dir/link"] == "" {
			t.Fatalf("the sums are of %v", all)
		}
		return r.KeyedAll(all)
	}
	first := sum()
	put("other", "2", 0o600)
	put("dir/.git/HEAD", "y", 0o600)
	if sum() != first {
		t.Error("it changes with what is elsewhere")
	}
	for what, change := range map[string]func(){
		"content": func() { put("dir/a", "2", 0o600) }, "mode": func() { put("dir/a", "1", 0o700) }, "link": func() { link("/etc/group") },
		"key": func() { r.HashKey = []byte("another") },
	} {
		put("dir/a", "1", 0o600)
		link("/etc/passwd")
		if change(); sum() == first {
			t.Errorf("it does not change with the %s", what)
		}
	}
	if _, err := r.Sums("step", "nowhere"); err == nil || err.Error() != "step: read its sources: there is no nowhere in the repository at abababababab" {
		t.Errorf("of what is not there it says %v", err)
	}
}

// What is remembered is of one step of one target.
func TestMemory(t *testing.T) {
	m := Memory{Dir: filepath.Join(t.TempDir(), "packer")}
	at := Run{Target: "image/web"}
	var got string
	if err := m.Get(at, "packer web.json", &got); err != nil || got != "" {
		t.Errorf("before anything it remembers %q (%v)", got, err)
	}
	for _, said := range []string{"one", "two"} {
		if err := m.Put(at, "packer web.json", said); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Get(at, "packer web.json", &got); err != nil || got != "two" {
		t.Errorf("it remembers %q (%v)", got, err)
	}
	for _, other := range []struct {
		Run
		step string
	}{{Run{Target: "image/db"}, "packer web.json"}, {at, "packer db.json"}} {
		got = ""
		if err := m.Get(other.Run, other.step, &got); err != nil || got != "" {
			t.Errorf("of %s of %s it remembers %q (%v)", other.step, other.Target, got, err)
		}
	}
}

// A tool's last words are one line, however many it takes.
func TestWithWords(t *testing.T) {
	of := func(tail string, err error) string {
		return WithWords(&CommandError{Step: "packer build", Code: 1, Tail: tail, Err: err}, "Error: ").Error()
	}
	for got, want := range map[string]string{
		of("Error: one\nError: web: it\n  broke\n", nil): "packer build: web: it broke",
		of("nothing", nil):                           "packer build: exit code 1",
		of("Error: one", ErrInterrupted):             "packer build: interrupted by a person",
		of("Error: "+strings.Repeat("é", 9999), nil): "packer build: " + strings.Repeat("é", mostWords) + "…",
	} {
		if got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
}

package integrations

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFolder(t *testing.T) {
	r := Run{Tree: t.TempDir(), SHA: strings.Repeat("ab", 20)}
	if err := os.Mkdir(filepath.Join(r.Tree, "dns"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc", filepath.Join(r.Tree, "out")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.Tree, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"", ".", "dns"} {
		if got, err := r.Folder("it", dir); err != nil || got != filepath.Join(r.Tree, dir) {
			t.Errorf("%q is %q (%v)", dir, got, err)
		}
	}
	for dir, want := range map[string]string{"none": "it: there is no folder none in the repository at abababababab", "out": "escapes", "file": "file is not a folder", "../x": "escapes"} {
		if got, err := r.Folder("it", dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is %q (%v)", dir, got, err)
		}
	}
}

// The work folder belongs to the user whom steps run as, and the bot may be root.
func TestMarkFollowsNothing(t *testing.T) {
	r := Run{Work: t.TempDir()}
	precious := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(precious, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(precious, filepath.Join(r.Work, "it")); err != nil {
		t.Fatal(err)
	}
	if err := r.Mark("it", true); err != nil || !r.Marked("it") {
		t.Errorf("marked %v (%v)", r.Marked("it"), err)
	}
	if b, err := os.ReadFile(precious); err != nil || string(b) != "kept" {
		t.Errorf("what a link led to is %q (%v)", b, err)
	}
	for range 2 {
		if err := r.Mark("it", false); err != nil || r.Marked("it") {
			t.Errorf("marked %v (%v)", r.Marked("it"), err)
		}
	}
}

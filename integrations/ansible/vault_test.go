package ansible

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// What ansible-vault itself encrypted is decrypted as it does.
func TestDecrypt(t *testing.T) {
	need(t)
	for _, text := range []string{"a: b\n", "", strings.Repeat("x", 16), strings.Repeat("long line\n", 1000), "ünïcödé \x00"} {
		all := envelopesIn(encrypt(t, text, vaultPassword))
		if len(all) != 1 {
			t.Fatalf("found %d envelopes", len(all))
		}
		if got, err := all[0].decrypt(vaultPassword); err != nil || got != text {
			t.Errorf("%.20q is decrypted to %.20q (%v)", text, got, err)
		}
		tampered := all[0]
		inner, err := hex.DecodeString(tampered.body)
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(string(inner), "\n")
		first := "0"
		if parts[2][0] == '0' {
			first = "1"
		}
		parts[2] = first + parts[2][1:]
		tampered.body = hex.EncodeToString([]byte(strings.Join(parts, "\n")))
		if got, err := tampered.decrypt(vaultPassword); err == nil {
			t.Errorf("what was tampered with is decrypted to %.20q", got)
		}
		if got, err := all[0].decrypt("another"); err == nil {
			t.Errorf("another password opens it: %q", got)
		}
	}
}

// A vaulted text as it was made by ansible-vault, with the id "prod" and the password
// "sesame"; it holds "hunter22".
func TestFindsVaulted(t *testing.T) {
	need(t)
	whole := encrypt(t, "hunter22", "sesame", "prod")
	tree := t.TempDir()
	write(t, filepath.Join(tree, "whole"), whole)
	write(t, filepath.Join(tree, "deep", "block.yml"), "a: 1\nb:\n  c: !vault |\n          "+indent(whole, 10)+"\n  d: 2\ne: !vault |\n  "+indent(whole, 2)+"\n")
	write(t, filepath.Join(tree, "string.yml"), `f: !vault "`+strings.ReplaceAll(strings.TrimSpace(whole), "\n", `\n`)+`"`+"\ng: ab\n")
	write(t, filepath.Join(tree, ".git", "object"), whole)
	write(t, filepath.Join(tree, "prose.md"), "It begins with $ANSIBLE_VAULT;1.1;AES256, and goes on.\n")
	if err := os.Symlink("/etc/passwd", filepath.Join(tree, "link")); err != nil {
		t.Fatal(err)
	}
	texts, sealed, err := vaulted(tree, map[string]string{"other": "wrong", "prod": "sesame"})
	if want := slices.Repeat([]string{"hunter22"}, 4); err != nil || !reflect.DeepEqual(texts, want) || sealed != 1 { // the prose
		t.Errorf("found %q, %d sealed (%v)", texts, sealed, err)
	}
	texts, sealed, err = vaulted(tree, map[string]string{"default": "sesame"}) // Ansible tries every password too
	if err != nil || len(texts) != 4 || sealed != 1 {
		t.Errorf("found %q, %d sealed (%v)", texts, sealed, err)
	}
}

func TestHidden(t *testing.T) {
	got := hidden("user: app\nport: 54321\non: true\nlist: [one, {two: 2.5}]\nkey: |\n  a\n  b\n")
	for _, want := range []string{"app", "54321", "one", "2.5", "a\nb\n"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not hidden: %q", want, got)
		}
	}
	if slices.Contains(got, "true") {
		t.Error("every truth is hidden")
	}
	if got := hidden("{ no yaml"); !reflect.DeepEqual(got, []string{"{ no yaml"}) {
		t.Errorf("of what is no YAML %q is hidden", got)
	}
}

func FuzzEnvelope(f *testing.F) {
	f.Add("$ANSIBLE_VAULT;1.1;AES256\n3633\n")
	f.Add("$ANSIBLE_VAULT;1.2;AES256;prod\\n6162630a\n")
	f.Add("x: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  61620a61620a6162\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, e := range envelopesIn(text) {
			if got, err := e.decrypt("password"); err == nil {
				t.Errorf("%q is opened: %q", text, got)
			}
		}
	})
}

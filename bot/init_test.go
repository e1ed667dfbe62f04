package main

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// initIn answers init's questions in a folder.
func initIn(t *testing.T, dir, said string, force bool) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := initCommand{Dir: dir, Force: force}.Run(&scene{ctx: t.Context(), in: strings.NewReader(said), out: &out, log: slog.New(slog.DiscardHandler)})
	return strings.ReplaceAll(out.String(), dir, "{dir}"), err
}

func filesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range all {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name()] = string(b)
	}
	return out
}

// Each folder of testdata/init holds what was answered, what was said, and the
// files that were written.
func TestInitGolden(t *testing.T) {
	cases, err := filepath.Glob("testdata/init/*")
	if err != nil || len(cases) == 0 {
		t.Fatal(cases, err)
	}
	for _, c := range cases {
		t.Run(filepath.Base(c), func(t *testing.T) {
			want := filesIn(t, c)
			dir := t.TempDir()
			out, err := initIn(t, dir, want["answers"], false)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			got := filesIn(t, dir)
			for _, name := range []string{configFile, slackManifestFile, gitHubAppFile} {
				if got[name] == "" {
					t.Errorf("%s is not written", name)
				}
			}
			got["said"] = out
			for name, text := range got {
				if *update {
					if err := os.WriteFile(filepath.Join(c, name), []byte(text), 0o644); err != nil {
						t.Fatal(err)
					}
				} else if text != want[name] {
					t.Errorf("%s is now\n%s\nIf that is right: go test ./bot -run TestInitGolden -update", name, text)
				}
			}
			if strings.Contains(got[configFile], "xoxb-1") || strings.Contains(got[configFile], "PRIVATE KEY") {
				t.Errorf("a secret stands in the configuration:\n%s", got[configFile])
			}
			// What check says once the secrets are there: the key is a file of this machine.
			key := filepath.Join(t.TempDir(), "key.pem")
			if err := os.WriteFile(key, []byte("-----BEGIN PRIVATE KEY-----\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			env := map[string]string{"SLACK_APP_TOKEN": "xapp-1", "SLACK_BOT_TOKEN": "xoxb-1", "GITHUB_APP_ID": "12", "GITHUB_INSTALLATION_ID": "34", "WEBHOOK_SECRET": "0123456789abcdef"}
			config, err := parseConfig(configFile, []byte(strings.Replace(got[configFile], keyFile, key, 1)), func(name string) (string, bool) { v, ok := env[name]; return v, ok })
			if err != nil {
				t.Fatal(err)
			}
			if err := config.wired(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Nothing is overwritten, and nothing is asked before that is said.
func TestInitOverwritesNothing(t *testing.T) {
	const said = "acme/web\n\n\n\nalice U01ALICE alice\n\n"
	for _, name := range []string{configFile, slackManifestFile, gitHubAppFile} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte("mine\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := initIn(t, dir, said, false)
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "--force") || out != "" {
			t.Errorf("%s is there: %v, said %q", name, err, out)
		}
		if got := filesIn(t, dir); len(got) != 1 || got[name] != "mine\n" {
			t.Errorf("it left %v", got)
		}
		if _, err := initIn(t, dir, said, true); err != nil || filesIn(t, dir)[name] == "mine\n" {
			t.Errorf("with --force: %v, %s is as it was", err, name)
		}
	}
}

// From a pipe a wrong answer ends it: the next line answers another question.
func TestInitWrongAnswers(t *testing.T) {
	good := []string{"acme/web", "staging production", "deploy/{environment}", "ops", "alice U01ALICE alice-archer", "https://signalbox.example.com"}
	for _, c := range []struct {
		question int
		said     string
		want     string
	}{
		{1, "", "it needs an answer"},
		{1, "web", "want one like acme/web"},
		{1, "acme/web/x", "want one like acme/web"},
		{1, "acme/{web}", "want one like acme/web"},
		{2, "staging staging", "there twice"},
		{2, "st@ging", `"st@ging" is not a name`},
		{2, ",", "at least"},
		{3, "/deploy/{environment}", "want one like deploy/{environment}"},
		{3, "../{environment}", "want one like"},
		{3, "deploy/{service}/{environment}", "want one like"},
		{3, "deploy", "the same folder for staging and production"},
		{4, "#ops and others", "want one like ops"},
		{5, "", "it needs an answer"},
		{5, "alice", "want three words"},
		{5, "alice W1 x y", "want three words"},
		{5, "alice alice alice", "begins with U"},
		{5, "alice U01ALICE al_ice", "not a GitHub login"},
		{5, "a@b U01ALICE alice", "is not a name"},
		{6, "http://signalbox.example.com", "want one like https://"},
		{6, "signalbox.example.com", "want one like https://"},
		{6, "https://signalbox.example.com/?x=1", "want one like https://"},
	} {
		dir := t.TempDir()
		said := append([]string{}, good...)
		said[c.question-1] = c.said
		out, err := initIn(t, dir, strings.Join(said, "\n")+"\n", false)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("question %d, %q: %v\n%s", c.question, c.said, err, out)
		}
		if got := filesIn(t, dir); len(got) > 0 {
			t.Errorf("question %d, %q: files were written: %v", c.question, c.said, got)
		}
	}
	for n := range good {
		dir := t.TempDir()
		if _, err := initIn(t, dir, strings.Join(good[:n], "\n"), false); !errors.Is(err, io.ErrUnexpectedEOF) || len(filesIn(t, dir)) > 0 {
			t.Errorf("%d answers: %v", n, err)
		}
	}
}

// A person is told what is wrong and asked again.
func TestInitAsksAgain(t *testing.T) {
	var out bytes.Buffer
	a, err := interview(strings.NewReader("web\nacme/web\n\n\n\nalice\nalice U01ALICE alice\nnone\n"), &out, "", true)
	if err != nil {
		t.Fatal(err)
	}
	if a.repository != "acme/web" || a.channel != "ops" || a.publicURL != "" || len(a.environments) != 2 {
		t.Errorf("it understood %+v", a)
	}
	if n := strings.Count(out.String(), "1/6"); n != 2 || !strings.Contains(out.String(), "want one like acme/web") {
		t.Errorf("it asked %d times:\n%s", n, out.String())
	}
}

// In a clone, the repository is known.
func TestInitKnowsTheClone(t *testing.T) {
	for address, want := range map[string]string{
		"https://github.com/acme/web.git": "acme/web", "git@github.com:acme/web.git": "acme/web", "ssh://git@github.com/acme/web": "acme/web",
		"https://gitlab.com/acme/web.git": "", "https://github.com/acme": "",
	} {
		dir := t.TempDir()
		for _, args := range [][]string{{"init", "-q"}, {"remote", "add", "origin", address}} {
			if out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
				t.Skipf("git: %v %s", err, out)
			}
		}
		if got := originOf(t.Context(), dir); got != want {
			t.Errorf("a clone of %s is %q, want %q", address, got, want)
		}
	}
}

// Every shortcut leads to a verb that there is, and brings what a message says into
// an argument that it has; Slack takes their names.
func TestShortcutsLeadSomewhere(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range shortcuts {
		if seen[s.ID()] || len([]rune(s.Name)) > 24 || len([]rune(s.Description)) > 150 {
			t.Errorf("Slack takes no shortcut %+v", s)
		}
		seen[s.ID()] = true
		found := false
		for _, v := range ourVerbs(t) {
			if v.Name != s.Verb {
				continue
			}
			found = s.Message == ""
			for _, a := range v.Args {
				found = found || a.Name == s.Message
			}
		}
		if !found {
			t.Errorf("the shortcut %q leads to no verb %q that takes %q", s.Name, s.Verb, s.Message)
		}
	}
}

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What a person types at the shell, what they read, and how the process ends.
func TestCommandLine(t *testing.T) {
	wrong := filepath.Join(t.TempDir(), "signalbox.yaml")
	if err := os.WriteFile(wrong, []byte("listen: nowhere\nslak: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	flies := filepath.Join(t.TempDir(), "signalbox.yaml")
	if err := os.WriteFile(flies, []byte(`inbound: none
slack: {app_token: xapp-1, bot_token: xoxb-1}
github: {token: t}
people: [{name: bob, slack: U0BOB}]
groups: {all: [bob]}
environments: {staging: {}}
policy: [{groups: [all], verbs: [fly], environments: [staging]}]
`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args      []string
		code      int
		out, errs string
	}{
		{[]string{"version"}, exitOK, "signalbox ", ""},
		{[]string{"manifest"}, exitOK, "/ops", ""},
		{[]string{"--help"}, exitOK, "sandbox", ""},
		{[]string{"serve", "--help"}, exitOK, "--config", ""},
		{nil, exitMisuse, "", "signalbox --help"},
		{[]string{"depoly"}, exitMisuse, "", "depoly"},
		{[]string{"serve", "--port", "1"}, exitMisuse, "", "--port"},
		{[]string{"check", "--config", "/nonexistent/signalbox.yaml"}, exitFailed, "", "/nonexistent/signalbox.yaml"},
		{[]string{"check", "--config", wrong}, exitMisuse, "", `signalbox.yaml:2: field "slak"`},
		{[]string{"check", "--config", flies}, exitMisuse, "", `signalbox.yaml:7: field "policy[0].verbs[0]": unknown verb "fly"`},
		{[]string{"serve", "--config", wrong}, exitMisuse, "", `signalbox.yaml:1: field "listen"`},
		{[]string{"sandbox", "--addr", "0.0.0.0:1", "--data", filepath.Join(t.TempDir(), "d")}, exitFailed, "", "loopback"},
		{[]string{"step", "x"}, exitFailed, "", "step"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			var out, errs bytes.Buffer
			if code := cli(c.args, &out, &errs); code != c.code {
				t.Errorf("ends with %d, want %d", code, c.code)
			}
			if !strings.Contains(out.String(), c.out) || !strings.Contains(errs.String(), c.errs) {
				t.Errorf("out: %s\nerr: %s", out.String(), errs.String())
			}
			if c.code == exitMisuse && out.Len() > 0 {
				t.Errorf("misuse is answered on standard output: %s", out.String())
			}
		})
	}
}

func signalSelf(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), s); err != nil {
		t.Error(err)
	}
}

func TestSignals(t *testing.T) {
	t.Run("the first one ends the context", func(t *testing.T) {
		var errs bytes.Buffer
		code := underSignals(&errs, func(ctx context.Context, _ <-chan struct{}) error {
			signalSelf(t, syscall.SIGTERM)
			<-ctx.Done()
			return ctx.Err()
		})
		if code != exitOK {
			t.Errorf("ends with %d: %s", code, errs.String())
		}
	})
	t.Run("the second one does not wait", func(t *testing.T) {
		var errs bytes.Buffer
		release := make(chan struct{})
		defer close(release)
		code := underSignals(&errs, func(ctx context.Context, _ <-chan struct{}) error {
			signalSelf(t, syscall.SIGINT)
			<-ctx.Done()
			signalSelf(t, syscall.SIGINT)
			<-release
			return nil
		})
		if code != exitAborted || !strings.Contains(errs.String(), "aborted") {
			t.Errorf("ends with %d: %s", code, errs.String())
		}
	})
	t.Run("a hangup reloads", func(t *testing.T) {
		var errs bytes.Buffer
		code := underSignals(&errs, func(_ context.Context, reload <-chan struct{}) error {
			signalSelf(t, syscall.SIGHUP)
			select {
			case <-reload:
				return errTold
			case <-time.After(30 * time.Second):
				return errors.New("nothing was reloaded")
			}
		})
		if code != exitFailed || errs.Len() > 0 {
			t.Errorf("ends with %d: %s", code, errs.String())
		}
	})
}

func TestFindingsOfThisMachine(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if f := checkData(dir); !f.OK {
		t.Errorf("a good data folder: %+v", f)
	}
	if f := checkData(filepath.Join(dir, "none")); f.OK || f.Warn || !strings.Contains(f.Do, "install -d") {
		t.Errorf("no data folder: %+v", f)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if f := checkData(filepath.Join(dir, "file")); f.OK || f.Warn {
		t.Errorf("a file for a data folder: %+v", f)
	}
	if f := checkRunnerUser(""); f.OK || !f.Warn {
		t.Errorf("no runner user: %+v", f)
	}
	for _, name := range []string{"root", "nobody-of-that-name"} {
		if f := checkRunnerUser(name); f.OK || f.Warn {
			t.Errorf("runner user %s: %+v", name, f)
		}
	}
	if f := checkTerraform(t.Context(), "/nonexistent/terraform"); f.OK || f.Do == "" {
		t.Errorf("no terraform: %+v", f)
	}
}

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Each finding is a line as soon as it is made, and what to do stands below.
func TestFindingsAreToldOneByOne(t *testing.T) {
	var out bytes.Buffer
	p := newFindingPrinter(&out)
	for _, c := range []struct {
		f    integrations.Finding
		want string
	}{
		{integrations.Finding{What: "git", OK: true, Say: "git version 2.47"}, "✓ ok     git                                git version 2.47\n"},
		{integrations.Finding{What: "Runner user", Warn: true, Say: "the bot's own", Do: "name one"}, "! warn   Runner user                        the bot's own\n           → name one\n"},
		{integrations.Finding{What: strings.Repeat("x", 40), Say: "is not there"}, "✗ WRONG  " + strings.Repeat("x", 40) + " is not there\n"},
	} {
		out.Reset()
		if p.print(c.f); out.String() != c.want {
			t.Errorf("it says\n%qwant\n%q", out.String(), c.want)
		}
	}
	out.Reset()
	if p.sum(); out.String() != "\n1 right, 1 to look at, 1 wrong\n" {
		t.Errorf("in the end it says %q", out.String())
	}
	p.colours = true
	out.Reset()
	if p.print(integrations.Finding{What: "git", OK: true}); !strings.HasPrefix(out.String(), "\x1b[32m✓ ok   \x1b[0m  git") {
		t.Errorf("at a terminal it says %q", out.String())
	}
}

// check --offline asks nobody: tokens that no system knows are no matter.
func TestCheckOffline(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "signalbox.yaml")
	config := "inbound: none\ndata: " + dir + "\nslack: {app_token: xapp-1, bot_token: xoxb-1, api_url: 'http://127.0.0.1:1/'}\ngithub: {token: t, api_url: 'http://127.0.0.1:1/'}\n"
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := cli([]string{"check", "--offline", "--config", file}, &out, &errs); code != exitOK {
		t.Errorf("it ends with %d\n%s%s", code, out.String(), errs.String())
	}
	if strings.Contains(out.String(), "Slack") || !strings.Contains(out.String(), "✓ ok     Configuration") {
		t.Errorf("it says\n%s", out.String())
	}
	out.Reset()
	if code := cli([]string{"check", "--config", file}, &out, &errs); code != exitFailed || !strings.Contains(out.String(), "✗ WRONG  Slack bot token") {
		t.Errorf("without it, it ends with %d\n%s", code, out.String())
	}
}

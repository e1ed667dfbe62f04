package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/signalbox-chatops/signalbox/commands/tell"
)

const serviceFile = "../docs/signalbox.service"

// readUnit reads a systemd unit: the values of each setting, "Service.KillMode".
func readUnit(t *testing.T, text string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	section := ""
	for n, line := range strings.Split(text, "\n") {
		key, value, ok := strings.Cut(line, "=")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]"):
			section = strings.Trim(line, "[]")
		case !ok || section == "" || strings.HasSuffix(line, `\`):
			t.Errorf("line %d is not understood: %q", n+1, line)
		default:
			out[section+"."+key] = append(out[section+"."+key], value)
		}
	}
	return out
}

func service(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(serviceFile)
	if err != nil {
		t.Fatal(err)
	}
	return readUnit(t, string(text))
}

// What the house relies on: a running step survives a stop and is found again, the
// bot comes back, and what it needs from root is there.
func TestServiceUnit(t *testing.T) {
	u := service(t)
	for key, want := range map[string]string{
		"Service.Type":                     "exec",
		"Service.KillMode":                 "process",
		"Service.Restart":                  "always",
		"Service.RestartPreventExitStatus": strconv.Itoa(exitMisuse),
		"Service.OOMPolicy":                "continue",
		"Service.ExecReload":               "/bin/kill -HUP $MAINPID",
		"Service.StateDirectory":           strings.TrimPrefix(defaultConfig().Data, "/var/lib/"),
		"Service.StateDirectoryMode":       "0711",
		"Service.UMask":                    "0022",
		"Service.NoNewPrivileges":          "yes",
		"Service.CapabilityBoundingSet":    "CAP_SETUID CAP_SETGID CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_KILL",
		"Unit.StartLimitIntervalSec":       "0",
	} {
		if got := u[key]; !slices.Equal(got, []string{want}) {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	for key, why := range map[string]string{
		"PrivateTmp":       "its folder goes from under a running step when the unit stops",
		"RuntimeDirectory": "it goes from under a running step when the unit stops",
		"DynamicUser":      "it brings PrivateTmp, and another user at the next start",
		"RemoveIPC":        "it reaches running steps",
		"ProtectProc":      "the next bot must see the steps of the last",
		"ProcSubset":       "the next bot must see the steps of the last",
		"PrivatePIDs":      "the next bot must see the steps of the last",
		"PrivateUsers":     "runner.user could not be become",
		"ExecStop":         "SIGTERM to the bot is the way to stop it",
		"ExecStopPost":     "SIGTERM to the bot is the way to stop it",
	} {
		if got, there := u["Service."+key]; there {
			t.Errorf("%s is %q: %s", key, got, why)
		}
	}
}

// systemd kills a process that takes longer to stop than it was given.
func TestServiceUnitGivesAStopItsTime(t *testing.T) {
	given, err := time.ParseDuration(strings.Replace(service(t)["Service.TimeoutStopSec"][0], "min", "m", 1))
	if err != nil {
		t.Fatal(err)
	}
	a := &app{teller: &tell.Teller{}, options: options{Config: &Config{}}}
	if most := stopWait + stopLimit(a.workers()) + 2*stopWait; given < most { // and the two doors
		t.Errorf("a stop is given %v, and may take %v", given, most)
	}
}

// The line that starts it is one that the command line understands.
func TestServiceUnitStartsTheBot(t *testing.T) {
	words := strings.Fields(service(t)["Service.ExecStart"][0])
	if words[0] != "/usr/local/bin/signalbox" {
		t.Errorf("it starts %s", words[0])
	}
	var c commandLine
	k, err := kong.New(&c, kong.Writers(io.Discard, io.Discard), kong.Exit(func(int) {}))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := k.Parse(words[1:])
	if err != nil || parsed.Command() != "serve" || c.LogFormat != "json" || !filepath.IsAbs(c.Serve.Config) {
		t.Errorf("%q is %+v (%v)", words, c.Serve, err)
	}
}

// systemd finds nothing wrong with it, where there is one to ask.
func TestServiceUnitIsVerified(t *testing.T) {
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze")
	}
	text, err := os.ReadFile(serviceFile)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "signalbox.service")
	put(t, path, strings.Replace(string(text), "/usr/local/bin/signalbox", self, 1), 0o600)
	out, err := exec.CommandContext(t.Context(), tool, "verify", path).CombinedOutput()
	if err != nil || strings.Contains(string(out), "signalbox.service") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// The manual sends people to the file, and holds no second one.
func TestServiceUnitIsInTheManual(t *testing.T) {
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "(signalbox.service)") || strings.Contains(string(text), "[Service]\nType") {
		t.Error("docs/operations.md does not point to signalbox.service alone")
	}
}

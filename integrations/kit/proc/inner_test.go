package proc

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func inner(script string, in ...string) (i Inner, out, events *bytes.Buffer) {
	out, events = &bytes.Buffer{}, &bytes.Buffer{}
	return Inner{Argv: []string{"sh", "-c", script}, Env: []string{"PATH=/usr/bin:/bin"}, Dir: "/", Out: out, In: in, Events: events}, out, events
}

func TestInner(t *testing.T) {
	i, out, events := inner(`cat /dev/fd/3; cat <&4; echo err >&2; echo told >&5; exit 7`, "one\n", "two\n")
	if code, err := i.Run(); code != 7 || err != nil || out.String() != "one\ntwo\nerr\n" || events.String() != "told\n" {
		t.Errorf("code %d (%v), it said %q, and told %q", code, err, out, events)
	}
	i, _, _ = inner(`kill -TERM $$`)
	if code, err := i.Run(); code != 128+int(syscall.SIGTERM) || err != nil {
		t.Errorf("ended by a signal it is %d (%v)", code, err)
	}
	i, _, _ = inner("", "never read")
	i.Argv = []string{"no-such-program"}
	if code, err := i.Run(); code != -1 || !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("a program that is not there: %d, %v", code, err)
	}
}

// What goes on in the background holds the outputs open, and is not waited for.
func TestInnerDoesNotWaitForWhatIsLeft(t *testing.T) {
	i, out, events := inner(`echo told >&3; sleep 600 & echo $!`)
	began := time.Now()
	code, err := i.Run()
	if code != 0 || err != nil || events.String() != "told\n" || time.Since(began) > 30*time.Second {
		t.Errorf("code %d (%v) after %v, it told %q", code, err, time.Since(began), events)
	}
	exec.Command("kill", strings.TrimSpace(out.String())).Run()
}

// An interrupt is for the command, whose end is then ours.
func TestInnerOutlivesAnInterrupt(t *testing.T) {
	i, out, _ := inner(`trap 'echo interrupted; exit 9' INT; kill -INT $PPID; kill -INT $$; exit 1`)
	if code, err := i.Run(); code != 9 || err != nil || out.String() != "interrupted\n" {
		t.Errorf("code %d (%v), it said %q, and we are %d", code, err, out, os.Getpid())
	}
}

package proc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The test binary is also the shim, and a bot that gets killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 {
		switch os.Args[1] {
		case "step":
			os.Exit(Main(os.Args[2]))
		case "bot":
			os.Exit(bot(os.Args[2], os.Args[3:]))
		}
	}
	os.Exit(m.Run())
}

var shimArgv = []string{"/proc/self/exe", "step"}

func TestAStepRunsAndLeavesItsExit(t *testing.T) {
	spec := sh(`echo out; echo err >&2; echo "$PLAIN $HOME"; pwd; exit 7`)
	spec.Env = append(spec.Env, "PLAIN=plain")
	spec.Dir = t.TempDir()
	dir := start(t, spec, Secrets{})
	exit := wait(t, dir)
	if exit.Code != 7 || exit.Signal != "" || exit.Err != "" || exit.Interrupted || exit.TimedOut {
		t.Errorf("exit is %+v", exit)
	}
	if exit.Started.IsZero() || exit.Ended.Before(exit.Started) {
		t.Errorf("it ran from %v to %v", exit.Started, exit.Ended)
	}
	if got, want := logOf(t, dir), "out\nerr\nplain \n"+spec.Dir+"\n"; got != want {
		t.Errorf("log is %q, want %q", got, want)
	}
	wantState(t, dir, Exited)
	if err := Start(t.Context(), shimArgv, dir, spec, Secrets{}); !errors.Is(err, ErrStarted) {
		t.Errorf("a second start: %v", err)
	}
}

func TestAProgramThatIsNotThere(t *testing.T) {
	for _, argv := range [][]string{{"no-such-program"}, {"/no/such/program"}, {"/etc/passwd"}} {
		dir := start(t, Spec{Argv: argv, Dir: "/", Env: []string{"PATH=/usr/bin:bin"}}, Secrets{})
		exit := wait(t, dir)
		if exit.Code != -1 || !exit.Started.IsZero() || !strings.Contains(exit.Err, argv[0]) {
			t.Errorf("%s: exit is %+v", argv[0], exit)
		}
	}
	spec := sh("true")
	spec.Dir = "/no/such/dir"
	if exit := wait(t, start(t, spec, Secrets{})); exit.Code != -1 || !strings.Contains(exit.Err, "/no/such/dir") {
		t.Errorf("exit is %+v", exit)
	}
}

func TestAStepOutlivesTheBot(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "step")
	gate := filepath.Join(t.TempDir(), "gate")
	cmd := exec.Command("/proc/self/exe", "bot", dir, "sh", "-c", "echo one; while [ ! -e "+gate+" ]; do sleep 0.01; done; echo two; exit 3")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 7)
	if _, err := io.ReadFull(out, line); err != nil || string(line) != "started" {
		t.Fatalf("the bot said %q: %v", line, err)
	}
	until(t, "the tool wrote", func() bool { return logOf(t, dir) == "one\n" })
	id, err := readIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP} {
		if err := syscall.Kill(id.PID, sig); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	wantState(t, dir, Running)
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if exit := wait(t, dir); exit.Code != 3 || exit.Interrupted {
		t.Errorf("exit is %+v", exit)
	}
	if got := logOf(t, dir); got != "one\ntwo\n" {
		t.Errorf("log is %q", got)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	dir := start(t, sh("sleep 600"), Secrets{})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := Wait(ctx, dir); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wait: %v", err)
	}
	id, err := readIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := id.poll(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wait without pidfd: %v", err)
	}
	wantState(t, dir, Running)
}

func TestKillMakesItLost(t *testing.T) {
	note := filepath.Join(t.TempDir(), "pids")
	// One child in the tool's group, one in a group of its own, one in a session of its own.
	dir := start(t, sh("sleep 600 & echo $! >>"+note+"; set -m; sleep 600 & echo $! >>"+note+
		"; setsid sh -c 'echo $$ >>"+note+"; exec sleep 600' & wait; wait; wait"), Secrets{})
	var pids []string
	until(t, "all children run", func() bool {
		b, _ := os.ReadFile(note)
		pids = strings.Fields(string(b))
		return len(pids) == 3
	})
	done := make(chan error, 1)
	go func() {
		_, err := Wait(t.Context(), dir)
		done <- err
	}()
	if err := Kill(dir); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, ErrLost) {
		t.Errorf("wait after kill: %v", err)
	}
	wantState(t, dir, Lost)
	for _, pid := range pids {
		if b, err := os.ReadFile("/proc/" + pid + "/stat"); err == nil && !bytes.Contains(b, []byte(") Z ")) {
			t.Errorf("process %s survived: %s", pid, b)
		}
	}
	if err := Kill(dir); err != nil {
		t.Errorf("a second kill: %v", err)
	}
}

func TestAShimThatWasKilledLeavesItsTool(t *testing.T) {
	dir := start(t, sh("echo ready; exec sleep 600"), Secrets{})
	id, err := readIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the tool runs", func() bool { b, _ := id.brood(nil); return len(b) == 1 && logOf(t, dir) == "ready\n" })
	if err := syscall.Kill(id.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, "the step is lost", func() bool { s, _, _ := Status(dir); return s == Lost })
	if n, err := Leftovers(dir); err != nil || n != 1 {
		t.Errorf("%d leftovers (%v), want 1", n, err)
	}
	if err := Kill(dir); err != nil {
		t.Fatal(err)
	}
	if n, err := Leftovers(dir); err != nil || n != 0 {
		t.Errorf("%d leftovers (%v), want none", n, err)
	}
}

func TestInterruptReachesTheToolOnce(t *testing.T) {
	dir := start(t, sh(`n=0; trap 'n=$((n+1)); echo int $n' INT; echo ready; i=0; while [ ! -e `+t.TempDir()+`/x ] && [ $i -lt 60 ]; do sleep 0.01; [ $n -gt 0 ] && i=$((i+1)); done; exit 5`), Secrets{})
	until(t, "the tool is ready", func() bool { return logOf(t, dir) == "ready\n" })
	for range 3 {
		if err := Interrupt(dir); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the tool was interrupted", func() bool { return strings.Contains(logOf(t, dir), "int 1") })
	if err := Interrupt(dir); err != nil {
		t.Fatal(err)
	}
	exit := wait(t, dir)
	if exit.Code != 5 || !exit.Interrupted || exit.TimedOut {
		t.Errorf("exit is %+v", exit)
	}
	if got := logOf(t, dir); got != "ready\nint 1\n" {
		t.Errorf("log is %q", got)
	}
	if err := Interrupt(dir); err != nil {
		t.Errorf("interrupt after the end: %v", err)
	}
}

func TestTimeoutInterruptsThenKills(t *testing.T) {
	spec := sh("exec sleep 600")
	spec.Timeout = 20 * time.Millisecond
	if exit := wait(t, start(t, spec, Secrets{})); !exit.TimedOut || exit.Signal != "SIGINT" || exit.Code != -1 {
		t.Errorf("exit is %+v", exit)
	}
	spec = sh("trap '' INT; sleep 600; sleep 600")
	spec.Timeout, spec.Grace = time.Second, 20*time.Millisecond // time enough to set the trap
	if exit := wait(t, start(t, spec, Secrets{})); !exit.TimedOut || exit.Signal != "SIGKILL" {
		t.Errorf("exit is %+v", exit)
	}
}

func TestSecretsStandNowhere(t *testing.T) {
	secret := "the-hunter-22"
	spec := sh(`echo "it is $TOKEN and $OTHER"; printf '%s' "$TOKEN" | base64; echo ready; sleep 600`)
	dir := start(t, spec, Secrets{Env: map[string]string{"TOKEN": secret, "OTHER": "x"}, Redact: []string{"ready?"}})
	until(t, "the tool is ready", func() bool { return strings.HasSuffix(logOf(t, dir), "ready\n") })
	if got, want := logOf(t, dir), "it is <redacted> and x\n<redacted>\nready\n"; got != want {
		t.Errorf("log is %q, want %q", got, want)
	}
	id, err := readIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, name := range []string{"cmdline", "environ"} {
		files = append(files, fmt.Sprintf("/proc/%d/%s", id.PID, name))
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		files = append(files, filepath.Join(dir, e.Name()))
		if info, err := e.Info(); err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", e.Name(), info.Mode())
		}
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil && !errors.Is(err, os.ErrPermission) {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(secret)) {
			t.Errorf("%s holds the secret", f)
		}
	}
}

func TestTheSecretsDescriptorDoesNotReachTheTool(t *testing.T) {
	r, w, err := os.Pipe() // nor does what the bot was started with
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if _, err := unix.FcntlInt(r.Fd(), unix.F_SETFD, 0); err != nil {
		t.Fatal(err)
	}
	dir := start(t, Spec{Argv: []string{"ls", "/proc/self/fd"}, Dir: "/", Env: []string{"PATH=/usr/bin:/bin"}}, Secrets{})
	wait(t, dir)
	if got := logOf(t, dir); got != "0\n1\n2\n3\n" { // 3 is the folder it lists
		t.Errorf("the tool holds %q", got)
	}
}

func TestAShimWithoutSecretsGivesUp(t *testing.T) {
	dir := t.TempDir()
	if err := prepare(dir, sh("touch ran")); err != nil {
		t.Fatal(err)
	}
	for _, said := range []string{"", `{"env":{"A":"b"`} {
		cmd := exec.Command("/proc/self/exe", "step", dir)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, said)
		w.Close()
		cmd.ExtraFiles = []*os.File{r}
		out, err := cmd.CombinedOutput()
		r.Close()
		if err == nil || !strings.Contains(string(out), "read secrets from descriptor 3") {
			t.Errorf("after %q: %v %s", said, err, out)
		}
		wantState(t, dir, NotStarted)
	}
}

func TestStates(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "step")
	wantState(t, dir, Absent)
	if _, err := Wait(t.Context(), dir); !errors.Is(err, ErrNotStarted) {
		t.Errorf("wait for no step: %v", err)
	}
	if err := prepare(dir, sh("true")); err != nil {
		t.Fatal(err)
	}
	wantState(t, dir, NotStarted)
	for range 2 {
		if err := Void(dir); err != nil {
			t.Fatal(err)
		}
	}
	wantState(t, dir, NotStarted)
	if err := launch(shimArgv, dir, Secrets{}); !errors.Is(err, ErrNotStarted) && !strings.Contains(fmt.Sprint(err), ErrStarted.Error()) {
		t.Errorf("a shim in a void folder: %v", err)
	}
	wantState(t, dir, NotStarted)
	running := start(t, sh("sleep 600"), Secrets{})
	if err := Void(running); !errors.Is(err, ErrStarted) {
		t.Errorf("void of a running step: %v", err)
	}
}

func TestAReusedProcessNumberIsLost(t *testing.T) {
	me, err := self()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*identity){
		"start time": func(id *identity) { id.Start++ },
		"boot":       func(id *identity) { id.Boot = "another" },
	} {
		dir := t.TempDir()
		id := me
		change(&id)
		b, err := json.Marshal(id)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, pidFile), b, 0o600); err != nil {
			t.Fatal(err)
		}
		wantState(t, dir, Lost)
		if err := errors.Join(Interrupt(dir), Kill(dir)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTwoShimsInOneFolderRunItOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "step")
	note := filepath.Join(t.TempDir(), "ran")
	if err := prepare(dir, sh("echo x >>"+note)); err != nil {
		t.Fatal(err)
	}
	errs := make(chan error, 4)
	for range cap(errs) {
		go func() { errs <- launch(shimArgv, dir, Secrets{}) }()
	}
	won := 0
	for range cap(errs) {
		if <-errs == nil {
			won++
		}
	}
	wait(t, dir)
	if b, err := os.ReadFile(note); won != 1 || string(b) != "x\n" {
		t.Errorf("%d shims won, it ran %q (%v)", won, b, err)
	}
}

func TestWhatAStepLeavesBehindIsEnded(t *testing.T) {
	note := filepath.Join(t.TempDir(), "pid")
	dir := start(t, sh("setsid sh -c 'echo $$ >"+note+"; exec sleep 600' & while [ ! -s "+note+" ]; do sleep 0.01; done; echo done"), Secrets{})
	if exit := wait(t, dir); exit.Code != 0 {
		t.Errorf("exit is %+v", exit)
	}
	pid, err := os.ReadFile(note)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/proc/" + strings.TrimSpace(string(pid))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the daemon of a step outlived it: %v", err)
	}
	if got := logOf(t, dir); got != "done\n" {
		t.Errorf("log is %q", got)
	}
}

func TestRunAs(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	work, err := os.MkdirTemp("/tmp", "work")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(work) })
	if err := os.WriteFile(filepath.Join(work, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(work, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/root", filepath.Join(work, "dir")); err != nil {
		t.Fatal(err)
	}
	spec := sh("id -u; id -G; echo x >mine && echo wrote; echo e >/dev/stderr; cat /proc/$PPID/environ 2>&1 >/dev/null | sed 's/.*: //'")
	spec.Dir, spec.RunAs, spec.Own = work, &User{UID: 65534, GID: 65534}, []string{work}
	dir := start(t, spec, Secrets{Env: map[string]string{"T": "hunter22"}})
	wait(t, dir)
	if got, want := logOf(t, dir), "65534\n65534\nwrote\ne\nPermission denied\n"; got != want {
		t.Errorf("log is %q, want %q", got, want)
	}
	for _, path := range []string{outside, "/root"} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if st := info.Sys().(*syscall.Stat_t); st.Uid != 0 {
			t.Errorf("%s was given away", path)
		}
	}
}

func BenchmarkStartToExit(b *testing.B) {
	for b.Loop() {
		dir := filepath.Join(b.TempDir(), "s")
		if err := Start(b.Context(), shimArgv, dir, Spec{Argv: []string{"/bin/true"}, Dir: "/"}, Secrets{}); err != nil {
			b.Fatal(err)
		}
		wait(b, dir)
	}
}

func BenchmarkToolAlone(b *testing.B) {
	for b.Loop() {
		if err := exec.Command("/bin/true").Run(); err != nil {
			b.Fatal(err)
		}
	}
}

func TestTeeShowsWhatIsCaptured(t *testing.T) {
	spec := sh(`printf 'the tok'; echo on stderr >&2; printf 'en-12345\nmore\n'; head -c 300000 /dev/zero | tr '\0' x; echo; echo end`)
	spec.Capture, spec.Tee, spec.LogCap = true, true, 64<<10
	dir := start(t, spec, Secrets{Redact: []string{"token-12345"}})
	if exit := wait(t, dir); exit.Code != 0 || exit.OutCut {
		t.Errorf("exit is %+v", exit)
	}
	out, err := Out(dir)
	if err != nil || len(out) < 300000 || !strings.HasPrefix(string(out), "the token-12345\nmore\n") {
		t.Errorf("captured %d bytes (%v)", len(out), err)
	}
	log := logOf(t, dir)
	for _, want := range []string{"the <redacted>\n", "on stderr\n", "more\n", "are left out here", "\nend\n"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	if len(log) > 70<<10 || strings.Contains(log, "12345") {
		t.Errorf("the log of %d bytes is %.200s", len(log), log)
	}
}

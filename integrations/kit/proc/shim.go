package proc

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/redact"
)

const (
	secretsFD     = 3
	defaultGrace  = 10 * time.Minute
	defaultLogCap = 8 << 20
	defaultOutCap = 256 << 20
	exitRoom      = 4 << 10 // an exit file fits in it
	maxErrText    = 2 << 10
)

// Main is the shim: it runs the step whose folder is given, or for "-" the one
// that comes by its pipe, and returns the shim's own exit code, which is 0
// whenever the exit file was written. Only Start and Spares start it.
func Main(stepdir string) int {
	if err := shim(stepdir); err != nil {
		fmt.Fprintf(os.Stderr, "step %s: %v\n", stepdir, err)
		return 1
	}
	return 0
}

func shim(stepdir string) error {
	// A handler, not "ignore": what is ignored would be ignored by the command too.
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGQUIT)
	if err := errors.Join(HardenSelf(), adoptOrphans()); err != nil {
		return err
	}
	keepDescriptors()
	pipe := os.NewFile(secretsFD, "secrets")
	var given handed
	if err := json.NewDecoder(pipe).Decode(&given); err != nil {
		if stepdir == spareDir && errors.Is(err, io.EOF) {
			return nil // it was not needed
		}
		return fmt.Errorf("read secrets from descriptor %d: %w", secretsFD, err)
	}
	secrets := given.Secrets
	if stepdir == spareDir {
		stepdir = given.Dir
		if err := moveIn(stepdir); err != nil {
			return err
		}
	}
	var spec Spec
	if err := readJSON(filepath.Join(stepdir, specFile), &spec); err != nil {
		return err
	}
	exitAt, err := reserveExit(stepdir)
	if err != nil {
		return err
	}
	me, err := self()
	if err != nil {
		return err
	}
	if err := claim(stepdir, me, !spec.Repeatable); err != nil {
		return fmt.Errorf("write down who runs it: %w", err)
	}
	if err := pipe.Close(); err != nil {
		return err
	}
	return writeExit(stepdir, exitAt, runTool(stepdir, spec, secrets, signals), !spec.Repeatable)
}

// runTool runs the command to its end and tells how it ended.
func runTool(stepdir string, spec Spec, secrets Secrets, signals <-chan os.Signal) Exit {
	values := append([]string{}, secrets.Redact...)
	for _, v := range secrets.Env {
		values = append(values, v)
	}
	r := redact.New(values)
	log := newCappedLog(stepdir, orDefault(spec.LogCap, defaultLogCap))
	whole := &shared{w: log}
	clean, beside := r.Writer(whole), r.Writer(whole) // each keeps back lines of its own
	exit, cmd, d := startTool(stepdir, spec, secrets, clean, beside)
	if cmd != nil {
		exit = follow(cmd, spec, signals)
		sweep(cmd.Process.Pid)
		exit.OutCut = d.wait()
	}
	clean.Close()
	beside.Close()
	exit.LogErr = log.close()
	exit.Err = r.String(exit.Err)
	if exit.Ended.IsZero() {
		exit.Ended = time.Now()
	}
	return exit
}

// shared is a writer of two streams.
type shared struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}

// startTool returns the started command, or no command and why. What is captured goes
// to beside as well, where that is wanted.
func startTool(stepdir string, spec Spec, secrets Secrets, log, beside io.Writer) (Exit, *exec.Cmd, *drains) {
	no := func(err error) (Exit, *exec.Cmd, *drains) { return Exit{Code: -1, Err: err.Error()}, nil, nil }
	env := append([]string{}, spec.Env...)
	for k, v := range secrets.Env {
		env = append(env, k+"="+v)
	}
	path, err := lookPath(spec.Argv[0], env)
	if err != nil {
		return no(err)
	}
	if _, err := os.Stat(spec.Dir); err != nil {
		return no(err) // the system would blame the program
	}
	cmd := &exec.Cmd{Path: path, Args: spec.Argv, Dir: spec.Dir, Env: env, SysProcAttr: &syscall.SysProcAttr{Setpgid: true}}
	if u := spec.RunAs; u != nil {
		if int(u.UID) != os.Geteuid() || int(u.GID) != os.Getegid() {
			cmd.SysProcAttr.Credential = &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.Groups}
		}
		for _, dir := range spec.Own {
			if err := give(dir, *u); err != nil {
				return no(err)
			}
		}
	}
	d := &drains{}
	defer d.closeWriters()
	if cmd.Stderr, err = d.add(log, 0, spec.RunAs); err != nil {
		return no(err)
	}
	cmd.Stdout = cmd.Stderr
	if spec.Capture {
		out, err := os.OpenFile(filepath.Join(stepdir, outFile), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return no(err)
		}
		if cmd.Stdout, err = d.add(out, orDefault(spec.OutCap, defaultOutCap), spec.RunAs); err != nil {
			return no(err)
		}
		if spec.Tee {
			d.pipes[len(d.pipes)-1].also = beside
		}
	}
	if err := cmd.Start(); err != nil {
		return no(err)
	}
	d.start()
	return Exit{}, cmd, d
}

func orDefault(v, otherwise int64) int64 {
	if v > 0 {
		return v
	}
	return otherwise
}

// lookPath finds the program in the PATH of the command's own environment.
func lookPath(name string, env []string) (string, error) {
	if strings.ContainsRune(name, '/') {
		return name, nil
	}
	for _, dir := range filepath.SplitList(lastValue(env, "PATH")) {
		path := filepath.Join(dir, name)
		if !filepath.IsAbs(path) {
			continue
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
}

func lastValue(env []string, key string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(env[i], key+"="); ok {
			return v
		}
	}
	return ""
}

// follow waits for the command, passes an interrupt on once, and enforces the
// time-out.
func follow(cmd *exec.Cmd, spec Spec, signals <-chan os.Signal) Exit {
	exit := Exit{Started: time.Now()}
	group := -cmd.Process.Pid
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		awaitExit(cmd.Process.Pid) // it stays a zombie, so that its number is not given away
	}()
	var timeout, grace <-chan time.Time
	if spec.Timeout > 0 {
		timeout = time.After(spec.Timeout)
	}
	for running := true; running; {
		select {
		case <-ended:
			running = false
		case sig := <-signals:
			if sig == syscall.SIGINT && !exit.Interrupted {
				exit.Interrupted = true
				if !exit.TimedOut {
					syscall.Kill(group, syscall.SIGINT)
				}
			}
		case <-timeout:
			exit.TimedOut = true
			if !exit.Interrupted {
				syscall.Kill(group, syscall.SIGINT)
			}
			grace = time.After(time.Duration(orDefault(int64(spec.Grace), int64(defaultGrace))))
		case <-grace:
			syscall.Kill(group, syscall.SIGKILL)
		}
	}
	syscall.Kill(group, syscall.SIGKILL) // what it left in its group
	err := cmd.Wait()
	exit.Ended = time.Now()
	if cmd.ProcessState == nil {
		exit.Code, exit.Err = -1, err.Error()
		return exit
	}
	exit.Code = cmd.ProcessState.ExitCode()
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		exit.Signal = signalName(ws.Signal())
	}
	return exit
}

// reserveExit makes room for the exit file, so that a disk that is full by the
// end of the step cannot keep it from being written.
func reserveExit(stepdir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(stepdir, fmt.Sprintf(".%s.%d", exitFile, os.Getpid())), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	if err := reserve(f, exitRoom); err != nil {
		f.Close()
		return nil, fmt.Errorf("reserve %d bytes for the exit file: %w", exitRoom, err)
	}
	return f, nil
}

// writeExit writes the exit file, trying for as long as the disk is full: a
// step must not become lost for want of a few bytes.
func writeExit(stepdir string, f *os.File, exit Exit, sync bool) error {
	if len(exit.Err) > maxErrText {
		exit.Err = exit.Err[:maxErrText]
	}
	b, err := json.Marshal(exit)
	if err != nil {
		return err
	}
	for {
		err := finish(stepdir, f, b, sync)
		if err == nil {
			return f.Close()
		}
		if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
			return fmt.Errorf("write the exit file: %w", err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func finish(stepdir string, f *os.File, b []byte, sync bool) error {
	if _, err := f.WriteAt(b, 0); err != nil {
		return err
	}
	if err := f.Truncate(int64(len(b))); err != nil {
		return err
	}
	if sync {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	if err := os.Rename(f.Name(), filepath.Join(stepdir, exitFile)); err != nil || !sync {
		return err
	}
	return syncDir(stepdir)
}

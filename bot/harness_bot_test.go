package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/bot/sandbox"
	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
)

// addrs are those that were given to somebody.
var addrs sync.Map

// freeAddr is a loopback address from a range that outgoing connections do not
// use, so that the bot finds it free again after a restart.
func freeAddr(t testing.TB) string {
	t.Helper()
	for n := range 2000 {
		addr := "127.0.0.1:" + strconv.Itoa(20000+(os.Getpid()*131+n*7+int(time.Now().UnixNano()%5000))%12000)
		if _, given := addrs.LoadOrStore(addr, true); given { // and nobody listens there yet
			continue
		}
		if l, err := net.Listen("tcp", addr); err == nil {
			_ = l.Close()
			return addr
		}
	}
	t.Fatal("no free port")
	return ""
}

// start starts the bot in a process of its own, and does not wait for it.
func (b *box) start() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bot != nil {
		return
	}
	b.dead.Store(false)
	self, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	if b.binary != "" {
		self = b.binary
	}
	log, err := os.OpenFile(filepath.Join(b.dir, "bot.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		b.t.Fatal(err)
	}
	defer log.Close()
	fmt.Fprintf(log, "---- start %s\n", time.Now().Format(time.RFC3339Nano))
	cmd := exec.Command(self, "serve", "--config", filepath.Join(b.dir, "signalbox.yaml"), "--log-level", "debug")
	cmd.Env = append(append(os.Environ(), asBot+"=1", "GORACE=atexit_sleep_ms=0", "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE="), b.env...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.dir, log, log
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	ended := make(chan struct{})
	b.bot, b.ended = cmd, ended
	go func() { // ends with the process, which kill and stop wait for
		_ = cmd.Wait()
		close(ended)
	}()
}

// pid is the bot's process.
func (b *box) pid() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bot.Process.Pid
}

// ready says whether the bot has recovered and hears Slack.
func (b *box) ready() bool {
	if in := b.inside.Load(); in != nil {
		return b.slack.Sockets() > 0
	}
	resp, err := http.Get("http://" + b.listen + "/readyz")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode == http.StatusOK
}

// kill ends the bot as a power cut would, and nothing that it started.
func (b *box) kill() {
	b.signal(syscall.SIGKILL)
	b.untilEnded()
}

// stop asks the bot to end, and waits for it; stopped tells with which exit code.
func (b *box) stop() { b.stopped() }

func (b *box) stopped() int {
	b.signal(syscall.SIGTERM)
	return b.untilEnded()
}

// signal sends the bot a signal, and does not wait for what it does.
func (b *box) signal(sig syscall.Signal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bot != nil {
		_ = b.bot.Process.Signal(sig) // it may have ended by itself
	}
}

// untilEnded waits for the end of the bot's process and returns its exit code, -1
// if there was none or a signal ended it.
func (b *box) untilEnded() int {
	b.mu.Lock()
	cmd, ended := b.bot, b.ended
	b.mu.Unlock()
	if cmd == nil {
		return -1
	}
	select {
	case <-ended:
	case <-time.After(patience):
		b.t.Error("the bot does not end")
		_ = cmd.Process.Kill()
		<-ended
	}
	b.mu.Lock()
	if b.bot == cmd {
		b.bot = nil
	}
	b.mu.Unlock()
	return cmd.ProcessState.ExitCode()
}

// cut kills the bot; until starts it again.
func (b *box) cut() {
	b.kill()
	b.dead.Store(true)
}

// restart kills the bot and starts it again.
func (b *box) restart() {
	b.kill()
	b.start()
}

// checkLogs looks for faults that the bot and its shims survived.
func (b *box) checkLogs() {
	for _, path := range append(b.steps("/shim.log"), filepath.Join(b.dir, "bot.log")) {
		text, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			b.t.Error(err)
		}
		for _, fault := range []string{"DATA RACE", "panic"} {
			if i := bytes.Index(text, []byte(fault)); i >= 0 {
				b.t.Errorf("%s: %s", path, text[max(0, i-200):min(len(text), i+3000)])
			}
		}
	}
}

// sweep ends what the bot's steps have left running.
func (b *box) sweep() {
	for _, dir := range b.steps("") {
		if err := proc.Void(dir); err == nil {
			continue
		}
		if err := proc.Kill(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
			b.t.Log(err)
		}
	}
}

// steps are the folders of the steps of a name, such as "terraform-apply".
func (b *box) steps(name string) []string {
	dirs, err := filepath.Glob(filepath.Join(b.dir, "bot", "work", "*", "log-*", "[0-9]*"+name))
	if err != nil {
		b.t.Fatal(err)
	}
	return dirs
}

// runInside runs the bot in the test's own process, on the box's clock. stop ends
// it.
func (b *box) runInside() (stop func()) {
	b.t.Helper()
	config, err := loadConfig(filepath.Join(b.dir, "signalbox.yaml"))
	if err != nil {
		b.t.Fatal(err)
	}
	log, err := os.OpenFile(filepath.Join(b.dir, "bot.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		b.t.Fatal(err)
	}
	b.github.SetHookURL(b.base + "/bot/github")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { // waited for by stop
		done <- run(ctx, options{
			Config: config, Clock: b.clock, Inside: true, Started: func(in sandbox.Bot) { b.inside.Store(&in) },
			Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
	}()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
				b.t.Errorf("the bot ended with: %v", err)
			}
			b.inside.Store(nil)
			_ = log.Close()
		})
	}
	b.t.Cleanup(stop)
	b.until("the bot is up", func() bool { return b.inside.Load() != nil && (b.deaf || b.ready()) })
	return stop
}

// advance moves the clock of an inside bot and waits until all that this caused
// is done. What was under way before is let finish first.
func (b *box) advance(d time.Duration) {
	b.t.Helper()
	b.settle()
	settle := func(context.Context) error {
		b.settle()
		return nil
	}
	if err := b.clock.Advance(b.t.Context(), d, settle); err != nil {
		b.t.Fatal(err)
	}
}

// settle waits until an inside bot has nothing to do now.
func (b *box) settle() {
	b.t.Helper()
	quiet := 0 // a timer that fired needs a little time to become work
	b.until("the bot is idle", func() bool {
		if quiet++; b.inside.Load().UnderWay() != "" {
			quiet = 0
		}
		return quiet == 3
	})
}

// Package sandbox joins the simulators, a movable clock and the real bot into
// one workspace that needs no account, and gives it a page and a control API.
// It stands beside package main, which hands it the bot as a function: nothing
// of the bot is different here but the URLs it talks to.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
	"github.com/signalbox-chatops/signalbox/integrations/github/githubsim"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/mackerel/mackerelsim"
	"github.com/signalbox-chatops/signalbox/integrations/pagerduty/pagerdutysim"
	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
	"github.com/signalbox-chatops/signalbox/integrations/statuspage/statuspagesim"
)

// Bot is what a running bot shows of itself.
type Bot struct {
	Handler     http.Handler  // its HTTP door and pages
	UnderWay    func() string // what is being decided, done or told; empty when all is quiet
	WaitDecided func(ctx context.Context, key string) error
	// OnHost types a line as a user of the machine that the bot runs on, and returns
	// what is printed there and the exit code.
	OnHost func(ctx context.Context, user, line string) (text string, code int)
}

// Options say where the sandbox lives and how the bot is run.
type Options struct {
	Addr string // loopback only; port 0 picks one
	Data string // "" is a folder in the user's cache
	Out  io.Writer
	Log  *slog.Logger
	// Shortcuts are those of the bot's Slack app.
	Shortcuts []Shortcut
	// Patience and Quiet are those of the simulated Slack with what people do, where
	// they are not the usual ones: a slow machine needs more of both.
	Patience, Quiet time.Duration
	// Stands keeps the clock still but for /sim/clock/advance.
	Stands bool
	// Run runs the bot until ctx ends. It calls started once, when its doors
	// are open.
	Run func(ctx context.Context, configYAML []byte, clk clock.Clock, started func(Bot)) error
}

// Shortcut is an entry of Slack's menus.
type Shortcut = slacksim.Shortcut

// DefaultAddr is where the sandbox is found when nobody says otherwise.
const DefaultAddr = "127.0.0.1:8421"

const (
	startLimit = 60 * time.Second // of wall time, for the bot to open its doors
	stopLimit  = 10 * time.Second
	graceLimit = 250 * time.Millisecond
)

// world is a running sandbox.
type world struct {
	data   string
	base   string // http://127.0.0.1:8421
	clk    *movedClock
	slack  *slacksim.Sim
	github *githubsim.Sim
	aws    *awssim.Sim
	tool   string // what applies: "terraform", "tofu" or "demo"
	// ansible is whether there is Ansible, too.
	ansible bool
	log     *slog.Logger

	mackerel   *mackerelsim.Sim
	enlisting  sync.Mutex // held while agents register their hosts
	pagerDuty  *pagerdutysim.Sim
	statuspage *statuspagesim.Sim

	bot    atomic.Pointer[Bot]
	moving chan struct{} // holds one token: one advance at a time

	shortcuts []Shortcut
	patience  time.Duration
	quiet     time.Duration
	stands    bool
}

// Main opens the workspace in opt.Data, or makes it, and runs it until ctx ends.
func Main(ctx context.Context, opt Options) (err error) {
	w := &world{log: opt.Log, moving: make(chan struct{}, 1), shortcuts: opt.Shortcuts, patience: opt.Patience, quiet: opt.Quiet, stands: opt.Stands}
	unlock, err := w.open(opt.Data)
	if err != nil {
		return err
	}
	defer unlock()
	listener, err := listen(opt.Addr)
	if err != nil {
		return err
	}
	w.base = "http://" + listener.Addr().String()
	if err := w.simulate(); err != nil {
		return errors.Join(err, listener.Close())
	}
	server := &http.Server{Handler: w.routes(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(opt.Log.Handler(), slog.LevelDebug)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }() // ended by the Shutdown below, and waited for there
	defer func() { err = errors.Join(err, w.close(server, served)) }()
	return w.runBot(ctx, opt, served)
}

// open finds or makes the data folder and keeps a second sandbox out of it.
func (w *world) open(data string) (unlock func(), err error) {
	if data == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("find a folder for the sandbox (name one with --data): %w", err)
		}
		data = filepath.Join(cache, "signalbox-sandbox")
	}
	if w.data, err = filepath.Abs(data); err != nil {
		return nil, fmt.Errorf("open %s: %w", data, err)
	}
	if err := os.MkdirAll(w.data, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(w.data, "sandbox.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("open %s: another sandbox runs there; stop it, or name another folder with --data", w.data)
	}
	return func() { _ = lock.Close() }, nil
}

func listen(addr string) (net.Listener, error) {
	if addr == "" {
		addr = DefaultAddr
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: want an address like %s", addr, DefaultAddr)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("listen on %s: the sandbox has no passwords, so it listens on the loopback alone (127.0.0.1)", addr)
	}
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen on %s: somebody else does; name another with --addr, or let it pick with --addr 127.0.0.1:0", addr)
	}
	return l, err
}

// simulate opens the simulators, seeded.
func (w *world) simulate() (err error) {
	if w.clk, err = openClock(filepath.Join(w.data, "clock.json"), w.stands); err != nil {
		return err
	}
	w.tool, w.ansible = findTool(), findAnsible()
	if err := w.seed(); err != nil {
		return fmt.Errorf("seed the sandbox in %s: %w", w.data, err)
	}
	if w.slack, err = slacksim.New(w.slackConfig()); err != nil {
		return err
	}
	w.slack.SetBase(w.base + "/slack")
	if w.github, err = githubsim.New(w.githubConfig(true)); err != nil {
		return errors.Join(err, w.slack.Close())
	}
	if err := w.simulateFleet(); err != nil {
		return errors.Join(err, w.slack.Close(), w.github.Close())
	}
	if err := w.simulatePager(); err != nil {
		return errors.Join(fmt.Errorf("open pagerduty simulator: %w", err), w.slack.Close(), w.github.Close(), w.aws.Close())
	}
	if err := w.simulatePage(); err != nil {
		return errors.Join(fmt.Errorf("open statuspage simulator: %w", err), w.slack.Close(), w.github.Close(), w.aws.Close())
	}
	w.github.SetBase(w.base)
	w.github.SetHookURL(w.base + "/bot/github")
	return nil
}

// runBot runs the bot until ctx ends or it fails, and says when it is ready.
func (w *world) runBot(ctx context.Context, opt Options, served <-chan error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	config, err := w.botConfig()
	if err != nil {
		return err
	}
	started, ended := make(chan Bot, 1), make(chan error, 1)
	go func() { // waited for at both ends of this function
		ended <- opt.Run(ctx, config, w.clk, func(b Bot) { started <- b })
	}()
	limit := time.NewTimer(startLimit)
	defer limit.Stop()
	for ready := false; ; {
		select {
		case b := <-started:
			w.bot.Store(&b)
			if err := w.connected(ctx, limit.C); err != nil {
				cancel()
				return errors.Join(err, ignoreCanceled(<-ended))
			}
			limit.Stop()
			ready = true
			w.pagerDuty.Start() // whose webhooks the bot can take now
			fmt.Fprintf(opt.Out, "signalbox sandbox %s\n", w.base)
			fmt.Fprintf(opt.Out, "It lives in %s, and goes on from there when it is started again. Applies run by %s.\n", w.data, toolNames[w.tool])
		case err := <-ended:
			w.bot.Store(nil)
			if err == nil && ctx.Err() == nil {
				return errors.New("the bot ended by itself")
			}
			return ignoreCanceled(err)
		case err := <-served:
			cancel()
			return errors.Join(fmt.Errorf("serve %s: %w", w.base, err), ignoreCanceled(<-ended))
		case <-limit.C:
			if !ready {
				cancel()
				return errors.Join(fmt.Errorf("the bot did not start within %s", startLimit), ignoreCanceled(<-ended))
			}
		}
	}
}

func ignoreCanceled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// connected waits until the bot holds a socket: before that, Slack refuses what
// people type.
func (w *world) connected(ctx context.Context, limit <-chan time.Time) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for w.slack.Sockets() == 0 {
		select {
		case <-ctx.Done():
			return nil
		case <-limit:
			return fmt.Errorf("the bot did not connect to the simulated Slack within %s", startLimit)
		case <-tick.C:
		}
	}
	return nil
}

// close stops what simulate and Main started, last first.
func (w *world) close(server *http.Server, served <-chan error) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	w.pagerDuty.Close()
	errs := []error{w.slack.Close()} // ends its sockets, which Shutdown does not wait for
	// The bot has ended, so that few answers are under way; connections that
	// were dialled and never used would make Shutdown wait for seconds.
	brief, cancelBrief := context.WithTimeout(ctx, graceLimit)
	defer cancelBrief()
	if err := server.Shutdown(brief); err != nil {
		errs = append(errs, server.Close())
	}
	select {
	case err := <-served:
		if !errors.Is(err, http.ErrServerClosed) {
			errs = append(errs, err)
		}
	case <-ctx.Done():
	}
	errs = append(errs, w.github.Close(), w.aws.Close(), w.clk.save(true))
	return errors.Join(errs...)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
)

// The exit codes of every command but step, which ends as its tool did.
const (
	exitOK      = 0
	exitFailed  = 1 // it did not work, or check found something wrong
	exitMisuse  = 2 // the command line or the configuration is wrong
	exitAborted = 3 // a second signal did not wait for the end
)

func main() {
	// A step is started many times a day and before anything else is needed.
	if len(os.Args) == 3 && os.Args[1] == "step" {
		os.Exit(proc.Main(os.Args[2]))
	}
	if len(os.Args) > 1 && tools[os.Args[1]] != nil {
		os.Exit(tools[os.Args[1]](os.Args[2:], os.Stdout, os.Stderr))
	}
	os.Exit(cli(os.Args[1:], os.Stdout, os.Stderr))
}

type commandLine struct {
	Serve    serveCommand    `cmd:"" help:"Run the bot."`
	Sandbox  sandboxCommand  `cmd:"" help:"Run the bot in a simulated workspace that needs no account."`
	Init     initCommand     `cmd:"" help:"Ask six questions and write a configuration, the Slack app's manifest and the GitHub App's permissions."`
	Manifest manifestCommand `cmd:"" help:"Print the Slack app's manifest, ready to paste."`
	Check    checkCommand    `cmd:"" help:"Read the configuration and try every token, permission and tool."`
	Ops      opsCommand      `cmd:"" help:"Type a command on this machine, as your own user: it needs no Slack."`
	Audit    auditCommand    `cmd:"" help:"Print the audit as JSON lines."`
	Version  versionCommand  `cmd:"" help:"Print the version."`
	Step     stepCommand     `cmd:"" hidden:"" help:"Run one step of a job; signalbox starts this itself."`

	LogFormat string `enum:"text,json" default:"text" help:"How log lines are written to stderr: text or json."`
	LogLevel  string `enum:"debug,info,warn,error" default:"info" help:"The least that is logged: debug, info, warn or error."`
}

// scene is what a command gets from the process it runs in.
type scene struct {
	ctx    context.Context
	in     io.Reader
	out    io.Writer
	log    *slog.Logger
	reload <-chan struct{} // a SIGHUP each
}

// cli runs one command line and returns its exit code.
func cli(args []string, out, errOut io.Writer) int {
	var c commandLine
	ended := -1
	k, err := kong.New(&c,
		kong.Name("signalbox"),
		kong.Description("Deploys and infrastructure from Slack, interlocked and on record."),
		kong.Writers(out, errOut),
		kong.Exit(func(code int) { ended = code }), // after --help
		kong.UsageOnError(),
	)
	if err != nil {
		fmt.Fprintln(errOut, "signalbox:", err)
		return exitMisuse
	}
	parsed, err := k.Parse(args)
	switch {
	case ended >= 0:
		return ended
	case err != nil:
		fmt.Fprintf(errOut, "signalbox: %v (signalbox --help lists the commands)\n", err)
		return exitMisuse
	}
	return underSignals(errOut, func(ctx context.Context, reload <-chan struct{}) error {
		return parsed.Run(&scene{ctx: ctx, in: os.Stdin, out: out, log: newLog(errOut, c.LogFormat, c.LogLevel), reload: reload})
	})
}

func newLog(w io.Writer, format, level string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo // kong has checked it
	}
	o := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// underSignals runs f with a context that the first SIGINT or SIGTERM ends. The
// second one does not wait for f.
func underSignals(errOut io.Writer, f func(context.Context, <-chan struct{}) error) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stops, hups := make(chan os.Signal, 2), make(chan os.Signal, 1)
	signal.Notify(stops, syscall.SIGINT, syscall.SIGTERM)
	signal.Notify(hups, syscall.SIGHUP)
	defer signal.Stop(stops)
	defer signal.Stop(hups)
	reload, done := make(chan struct{}, 1), make(chan error, 1)
	go func() { done <- f(ctx, reload) }() // waited for below, unless it is aborted
	for stopping := false; ; {
		select {
		case err := <-done:
			return exitCode(err, errOut)
		case <-hups:
			select {
			case reload <- struct{}{}:
			default: // one is waiting already, and will read the newest file
			}
		case s := <-stops:
			if stopping {
				fmt.Fprintf(errOut, "signalbox: %v again: aborted\n", s)
				return exitAborted
			}
			stopping = true
			cancel()
		}
	}
}

// errTold ends a command that has said on its own what is wrong.
var errTold = errors.New("told")

func exitCode(err error, errOut io.Writer) int {
	var config *ConfigError
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return exitOK
	case errors.Is(err, errTold):
		return exitFailed
	case errors.As(err, &config):
		fmt.Fprintln(errOut, err)
		return exitMisuse
	}
	fmt.Fprintln(errOut, "signalbox:", err)
	return exitFailed
}

type configFlag struct {
	Config string `default:"signalbox.yaml" env:"SIGNALBOX_CONFIG" placeholder:"FILE" help:"The configuration file."`
}

type versionCommand struct{}

func (versionCommand) Run(s *scene) error {
	_, err := fmt.Fprintf(s.out, "signalbox %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// release is set by who builds outside of a clone: -ldflags "-X main.release=1.4.0".
var release string

// version is what the build was called, the module's version, or the commit that
// was built.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	commit, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+changes"
		}
	}
	if v := info.Main.Version; v != "" && v != "(devel)" || commit == "" {
		return v
	}
	return commit + dirty
}

type stepCommand struct {
	Dir string `arg:"" help:"The folder that describes the step."`
}

func (c stepCommand) Run(*scene) error { return errors.New("step: call it as the first and only word") }

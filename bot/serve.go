package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/signalbox-chatops/signalbox/bot/sandbox"
	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/github"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/slack"
)

type serveCommand struct{ configFlag }

func (c serveCommand) Run(s *scene) error {
	config, err := loadConfig(c.Config)
	if err != nil {
		return err
	}
	findings(s.ctx, config, warn(s.log))
	ctx, cancel := context.WithCancel(s.ctx)
	var looking sync.WaitGroup
	defer looking.Wait()
	defer cancel()
	looking.Go(func() { // the doors do not wait for it
		outside(ctx, config, slog.New(slog.DiscardHandler), func(all ...integrations.Finding) {
			if ctx.Err() == nil {
				warn(s.log)(all...)
			}
		})
	})
	return run(s.ctx, options{Config: config, Clock: clock.Real(), Log: s.log, Reload: s.reload})
}

type sandboxCommand struct {
	Addr string `default:"127.0.0.1:8421" help:"Where the one page and everything else is served; loopback only, port 0 picks one."`
	Data string `placeholder:"DIR" help:"The folder that holds the whole workspace; one in the user's cache unless said."`
	// How long the simulated Slack waits for answers, where that is not the usual.
	Patience, Quiet time.Duration `kong:"-"`
	// Stands keeps its clock still but for what is said to it.
	Stands bool `kong:"-"`
}

func (c sandboxCommand) Run(s *scene) error { return c.run(s, func(b []byte) []byte { return b }) }

// run runs the sandbox with a configuration that edit may change: its
// conversations try other settings than a newcomer's.
func (c sandboxCommand) run(s *scene, edit func([]byte) []byte) error {
	return sandbox.Main(s.ctx, sandbox.Options{Addr: c.Addr, Data: c.Data, Out: s.out, Log: s.log, Shortcuts: sandboxShortcuts(), Patience: c.Patience, Quiet: c.Quiet, Stands: c.Stands,
		Run: func(ctx context.Context, configYAML []byte, clk clock.Clock, started func(sandbox.Bot)) error {
			config, err := parseConfig("sandbox.yaml", edit(configYAML), os.LookupEnv)
			if err != nil {
				return err
			}
			return run(ctx, options{Config: config, Clock: clk, Log: s.log, Reload: s.reload, Started: started, Inside: true})
		}})
}

// sandboxShortcuts are the app's shortcuts as its manifest has them.
func sandboxShortcuts() (out []sandbox.Shortcut) {
	for _, s := range shortcuts {
		out = append(out, sandbox.Shortcut{Name: s.Name, CallbackID: s.ID(), Message: s.Message != ""})
	}
	return out
}

// appFiles are what the two systems are told of the bot, by the names that init
// writes them under, and the page where the GitHub App is registered by hand.
func appFiles(organisation, hook string) (files map[string][]byte, link string) {
	return map[string][]byte{slackManifestFile: slack.Manifest(commands.Prompt, shortcuts), gitHubAppFile: github.AppManifest(organisation, hook)}, github.AppLink(organisation, hook)
}

type manifestCommand struct{}

func (manifestCommand) Run(s *scene) error {
	_, err := fmt.Fprintf(s.out, "%s", slack.Manifest(commands.Prompt, shortcuts))
	return err
}

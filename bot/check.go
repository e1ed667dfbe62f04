package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/github"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/slack"
)

type checkCommand struct {
	configFlag
	Offline bool `help:"Look at the configuration and this machine alone, and ask neither Slack nor GitHub."`
}

func (c checkCommand) Run(s *scene) error {
	cfg, err := loadConfig(c.Config)
	if err != nil {
		return err
	}
	if err := cfg.wired(); err != nil {
		return err
	}
	p := newFindingPrinter(s.out)
	findings(s.ctx, cfg, p.print)
	if !c.Offline {
		outside(s.ctx, cfg, s.log, p.print)
	}
	if p.sum(); p.wrong > 0 {
		return errTold
	}
	return nil
}

// say is told of each finding as it is made.
type say func(...integrations.Finding)

// wired returns the mistakes that show only beside what is wired: settings of
// steps, and rights that no verb has.
func (c *Config) wired() error {
	var w wired
	w, err := wire(features(systems{log: slog.New(slog.DiscardHandler), verbs: func() []commands.Verb { return w.verbs }}))
	if err != nil {
		return err
	}
	_, err = c.Catalog(appliers(c, ""))
	return errors.Join(err, c.checkRights(rights(w.verbs)))
}

// findings looks at this machine: what would keep the bot from doing its work,
// whatever the systems outside say.
func findings(ctx context.Context, c *Config, tell say) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tell(integrations.Finding{What: "Configuration", OK: true, Say: fmt.Sprintf("%s: %d services, %d targets, %d people", c.file, len(c.Services), len(c.Targets), len(c.People))})
	tell(checkGit(ctx))
	if uses(c, "terraform") {
		tell(checkTerraform(ctx, c.Runner.Terraform))
	}
	for _, t := range []struct{ applier, what, program, arg, install string }{
		{"ansible", "Ansible", "ansible-playbook", "--version", "ansible-core"},
		{"packer", "Packer", "packer", "version", "packer"},
		{"serverspec", "RSpec", "rspec", "--version", "ruby-serverspec"},
	} {
		if uses(c, t.applier) {
			tell(checkTool(ctx, t.what, t.program, t.arg, t.install))
		}
	}
	tell(checkData(c.Data), checkRunnerUser(c.Runner.User))
	tell(alertFindings(c)...)
	tell(textFindings(c)...)
}

// outside asks Slack and GitHub whether the tokens, scopes, channels, webhooks and
// branches are as they should be.
func outside(ctx context.Context, c *Config, log *slog.Logger, tell say) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	chat, err := slack.New(c.slack(), clock.Real(), log)
	if err != nil {
		tell(integrations.Finding{What: "Slack", Say: err.Error(), Do: "mend the tokens in " + c.file})
	} else {
		for f := range chat.Findings(ctx, c.channels()) {
			tell(f)
		}
	}
	tell(cloudFindings(ctx, c.AWS, c.Birth)...)
	tell(pagerDutyFindings(ctx, c)...)
	tell(statuspageFindings(ctx, c.Statuspage)...)
	tell(silenceFindings(ctx, c)...)
	tell(groupFindings(ctx, c)...)
	tell(ingressFindings(ctx, c)...)
	tell(phoneFindings(ctx, c, c.texted().phones)...)
	tell(proxyFindings(ctx, c.HAProxy)...)
	client, err := github.New(c.github(), clock.Real(), log)
	if err != nil {
		tell(integrations.Finding{What: "GitHub", Say: err.Error(), Do: "mend the token or the App in " + c.file})
		return
	}
	defer client.Close()
	watch := map[string][]string{}
	for _, t := range c.Targets {
		if !slices.Contains(watch[t.Repository], t.Base) {
			watch[t.Repository] = append(watch[t.Repository], t.Base)
		}
	}
	for f := range client.Findings(ctx, watch) {
		tell(f)
	}
	if chat != nil {
		tell(checkGroups(ctx, c, systems{slack: chat, github: client})...)
	}
	if c.PublicURL != "" && c.Inbound == "webhook" {
		tell(checkPublic(ctx, c.PublicURL))
	}
}

// checkPublic tries the address at which GitHub is to reach us. While the bot is
// not running nothing answers there, which is no mistake of the configuration.
func checkPublic(ctx context.Context, url string) integrations.Finding {
	f := integrations.Finding{What: "Public URL", Warn: true, Do: "start the bot, and see that what stands before it passes POST /github on to `listen`"}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(url, "/")+"/healthz", nil)
	if err != nil {
		f.Say = err.Error()
		return f
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		f.Say = err.Error()
		return f
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		f.Say = fmt.Sprintf("%s answers %s", req.URL, resp.Status)
		return f
	}
	return integrations.Finding{What: "Public URL", OK: true, Say: url + " reaches a bot"}
}

// channels are all that the configuration names.
func (c *Config) channels() []string {
	var out []string
	for _, e := range c.Environments {
		for _, name := range e.Channels {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// warn logs what start-up should not pass over in silence.
func warn(log *slog.Logger) say {
	return func(all ...integrations.Finding) {
		for _, f := range all {
			if !f.OK {
				log.Warn("check", "what", f.What, "say", f.Say, "do", f.Do)
			}
		}
	}
}

// uses says whether a target has a step of that applier.
func uses(c *Config, applier string) bool {
	for _, t := range c.Targets {
		for _, s := range t.Apply {
			if s.Kind == applier {
				return true
			}
		}
	}
	return false
}

// toolVersion is the first line that a tool says of itself.
func toolVersion(ctx context.Context, name, arg string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, path, arg)
	cmd.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1")
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", path, arg, err)
	}
	first, _, _ := strings.Cut(string(out), "\n")
	return fmt.Sprintf("%s (%s)", strings.TrimSpace(first), path), nil
}

func checkGit(ctx context.Context) integrations.Finding {
	f := integrations.Finding{What: "git"}
	say, err := toolVersion(ctx, "git", "--version")
	if err != nil {
		f.Say, f.Do = err.Error(), "Install git 2.31 or newer."
		return f
	}
	f.OK, f.Say = true, say
	return f
}

func checkTool(ctx context.Context, what, program, arg, install string) integrations.Finding {
	f := integrations.Finding{What: what}
	say, err := toolVersion(ctx, program, arg)
	if err != nil {
		f.Say, f.Do = err.Error(), "Install "+install+", such that "+program+" is on PATH."
		return f
	}
	f.OK, f.Say = true, say
	return f
}

func checkTerraform(ctx context.Context, path string) integrations.Finding {
	f := integrations.Finding{What: "Terraform"}
	names := []string{"terraform", "tofu"}
	if path != "" {
		names = []string{path}
	}
	for _, name := range names {
		say, err := toolVersion(ctx, name, "version")
		if err == nil {
			f.OK, f.Say = true, say
			return f
		}
		if f.Say == "" {
			f.Say = err.Error()
		}
	}
	f.Do = "Install terraform or tofu, or name it in runner.terraform."
	return f
}

// checkData tries what the store needs: a folder that nobody else reads, and a
// file in it that can be written and synced.
func checkData(dir string) integrations.Finding {
	f := integrations.Finding{What: "Data folder", Say: dir}
	info, err := os.Stat(dir)
	switch {
	case os.IsNotExist(err):
		f.Say, f.Do = dir+" is not there", fmt.Sprintf("Make it: install -d -m 711 %s (and give it to the user signalbox runs as).", dir)
		return f
	case err != nil:
		f.Say = err.Error()
		return f
	case !info.IsDir():
		f.Say, f.Do = dir+" is not a folder", "Name another in data."
		return f
	}
	if err := tryWrite(dir); err != nil {
		f.Say, f.Do = err.Error(), "Let the user signalbox runs as write there."
		return f
	}
	// Others may pass through, as the runner's user must, and see nothing.
	if info.Mode().Perm()&0o066 != 0 {
		f.Warn, f.Say, f.Do = true, fmt.Sprintf("%s can be read by others (%s)", dir, info.Mode().Perm()), "chmod 711 "+dir
		return f
	}
	f.OK = true
	return f
}

func tryWrite(dir string) error {
	t, err := os.CreateTemp(dir, ".check-")
	if err != nil {
		return err
	}
	defer os.Remove(t.Name())
	if _, err := t.WriteString("signalbox\n"); err != nil {
		_ = t.Close() // what went wrong before it is what is told
		return err
	}
	if err := t.Sync(); err != nil {
		_ = t.Close() // what went wrong before it is what is told
		return fmt.Errorf("sync %s: %w", filepath.Base(t.Name()), err)
	}
	return t.Close()
}

func checkRunnerUser(name string) integrations.Finding {
	f := integrations.Finding{What: "Runner user"}
	if name == "" {
		f.Warn, f.Say = true, "steps run as the bot's own user, and so may read its files"
		f.Do = "Make a user for the steps and name it in runner.user (signalbox then has to be started as root)."
		return f
	}
	u, err := user.Lookup(name)
	switch {
	case err != nil:
		f.Say, f.Do = err.Error(), fmt.Sprintf("useradd --system %s", name)
	case u.Uid == "0":
		f.Say, f.Do = name+" is root", "Name a user without rights."
	case runtime.GOOS == "linux" && os.Getuid() != 0:
		f.Say, f.Do = fmt.Sprintf("%s exists, but only root may start steps as another user", name), "Start signalbox as root, or leave runner.user empty."
	default:
		f.OK, f.Say = true, fmt.Sprintf("%s (uid %s)", name, u.Uid)
	}
	return f
}

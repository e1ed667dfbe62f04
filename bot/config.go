package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/calendar"
)

// Config is everything the operator says, checked. A field's yaml tag is its
// name in the file; `yaml:",key"` takes the key of the mapping it stands under,
// so that lists keep the order of the file; what has a field with "inline" may be
// written as that field alone.
type Config struct {
	Listen       string              `yaml:"listen"`
	Inbound      string              `yaml:"inbound"`
	PublicURL    string              `yaml:"public_url"`
	Data         string              `yaml:"data"`
	Slack        SlackConfig         `yaml:"slack"`
	GitHub       GitHubConfig        `yaml:"github"`
	Runner       RunnerConfig        `yaml:"runner"`
	Home         HomeConfig          `yaml:"config"`
	Heartbeat    HeartbeatConfig     `yaml:"heartbeat"`
	AWS          AWSConfig           `yaml:"aws"`
	HAProxy      HAProxyConfig       `yaml:"haproxy"`
	Drain        DrainConfig         `yaml:"drain"`
	Ingress      IngressConfig       `yaml:"ingress"`
	Birth        BirthConfig         `yaml:"birth"`
	Mackerel     MackerelConfig      `yaml:"mackerel"`
	OnCall       OnCallConfig        `yaml:"oncall"`
	Rounds       RoundsConfig        `yaml:"rounds"`
	PagerDuty    PagerDutyConfig     `yaml:"pagerduty"`
	Statuspage   StatuspageConfig    `yaml:"statuspage"`
	Alerts       []AlertsConfig      `yaml:"alerts"`
	Incidents    IncidentsConfig     `yaml:"incidents"`
	Digest       WeeklyConfig        `yaml:"digest"`
	People       []PersonConfig      `yaml:"people"`
	Groups       []GroupConfig       `yaml:"groups"`
	Policy       []RuleConfig        `yaml:"policy"`
	Environments []EnvironmentConfig `yaml:"environments"`
	Services     []ServiceConfig     `yaml:"services"`
	Targets      []TargetConfig      `yaml:"targets"`

	file    string
	r       *configReader // where each field stands, for the checks that come later
	sources []alertSource // made of Alerts
}

// SlackConfig is the workspace.
type SlackConfig struct {
	AppToken    integrations.Secret `yaml:"app_token"`
	BotToken    integrations.Secret `yaml:"bot_token"`
	APIURL      string              `yaml:"api_url"` // "" is Slack's own
	Connections int                 `yaml:"connections"`
	SecondAfter time.Duration       `yaml:"second_after"`
	Language    string              `yaml:"language"` // of who asked for none: "en" or "ja"
}

// GitHubConfig is the forge: a token or an App.
type GitHubConfig struct {
	Token          integrations.Secret   `yaml:"token"`
	App            *GitHubAppConfig      `yaml:"app"`
	APIURL         string                `yaml:"api_url"` // "" is GitHub's own
	GitURL         string                `yaml:"git_url"`
	WebhookSecrets []integrations.Secret `yaml:"webhook_secrets"` // two while one is being rotated
	MergeMethod    string                `yaml:"merge_method"`    // of the merges that people ask for here
	OAuth          GitHubOAuthConfig     `yaml:"oauth"`
	Bots           []string              `yaml:"bots"` // logins of machines, besides those that end with [bot]
}

// GitHubOAuthConfig is the OAuth app by which people show which account is theirs.
// It needs no secret.
type GitHubOAuthConfig struct {
	ClientID string `yaml:"client_id"`
}

// HomeConfig is where this configuration has its own repository.
type HomeConfig struct {
	Repository string `yaml:"repository"`
	Path       string `yaml:"path"`
	Base       string `yaml:"base"`
	Follow     bool   `yaml:"follow"`  // what is merged there becomes the running configuration
	Channel    string `yaml:"channel"` // where a change is told; "" is the first of the environments
}

// GitHubAppConfig is an installed GitHub App.
type GitHubAppConfig struct {
	ID             int64               `yaml:"id"`
	InstallationID int64               `yaml:"installation_id"`
	PrivateKey     integrations.Secret `yaml:"private_key"` // PEM
}

// RunnerConfig is how jobs run on this machine.
type RunnerConfig struct {
	Parallel    int           `yaml:"parallel"`
	User        string        `yaml:"user"`      // "" is the bot's own
	Terraform   string        `yaml:"terraform"` // a path; "" looks for terraform, then tofu, on PATH
	DrainOnStop bool          `yaml:"drain_on_stop"`
	DrainLimit  time.Duration `yaml:"drain_limit"` // of wall time
	LogCap      ByteSize      `yaml:"log_cap"`
	Timeout     time.Duration `yaml:"timeout"`
	Env         []string      `yaml:"env"` // names that are passed on to steps
}

// ByteSize is a number of bytes, written "4MB" (1 MB is 1024 kB of 1024 bytes).
type ByteSize int64

// PersonConfig is one person and their accounts.
type PersonConfig struct {
	Name   string `yaml:"name"`
	Slack  string `yaml:"slack"`
	GitHub string `yaml:"github"`
	Email  string `yaml:"email"`
	Phone  string `yaml:"phone"` // in E.164: "+819012345678"
	Host   string `yaml:"host"`  // their user name on this machine
}

// GroupConfig is some people under a name: a list, or a mapping of where they
// stand, all of which count.
type GroupConfig struct {
	Name       string   `yaml:",key"`
	People     []string `yaml:"people,inline"`
	GitHubTeam string   `yaml:"github_team"`
	SlackGroup string   `yaml:"slack_group"`
}

// RuleConfig says what groups may do, and where.
type RuleConfig struct {
	Groups       []string `yaml:"groups"`
	Verbs        []string `yaml:"verbs"`
	Environments []string `yaml:"environments"`
}

// EnvironmentConfig is one environment.
type EnvironmentConfig struct {
	Name         string        `yaml:",key"`
	Aliases      []string      `yaml:"aliases"`
	Channels     []string      `yaml:"channels"`
	SecondPerson bool          `yaml:"second_person"` // short for approvals: 1
	Approvals    int           `yaml:"approvals"`
	Approvers    string        `yaml:"approvers"` // a group
	OnCall       []string      `yaml:"on_call"`
	Review       string        `yaml:"review"`
	Merge        string        `yaml:"merge"` // "by_hand" or "when_green"
	MergeAfter   time.Duration `yaml:"merge_after"`
	Checks       []string      `yaml:"checks"`
	After        string        `yaml:"after"` // the environment that comes first
	Ships        string        `yaml:"ships"` // "off", "show" or "gate"
	TellAuthors  *bool         `yaml:"tell_authors"`

	Windows  calendar.Spec `yaml:"windows"`
	CoolDown time.Duration `yaml:"cool_down"`
	OnOpen   string        `yaml:"on_open"`

	Notify map[string]string `yaml:"notify"` // a way for each event
	Quiet  QuietConfig       `yaml:"quiet"`
	Digest DigestConfig      `yaml:"digest"`
}

// QuietConfig are the hours of each day in which what is only good to know waits.
type QuietConfig struct {
	From string `yaml:"from"` // "22:00"
	To   string `yaml:"to"`
	Zone string `yaml:"zone"` // "" is that of the windows
}

// DigestConfig is when the digest of the day is told.
type DigestConfig struct {
	At   string `yaml:"at,inline"` // "09:00"
	Zone string `yaml:"zone"`      // "" is that of the quiet hours
}

// ServiceConfig is one service.
type ServiceConfig struct {
	Name         string                     `yaml:",key"`
	Aliases      []string                   `yaml:"aliases"`
	Repository   string                     `yaml:"repository"`
	Strategy     string                     `yaml:"strategy"`
	Branch       string                     `yaml:"branch"`
	Source       string                     `yaml:"source"`
	OnCall       []string                   `yaml:"on_call"`
	Environments []ServiceEnvironmentConfig `yaml:"environments"`
}

// ServiceEnvironmentConfig is a service in one environment.
type ServiceEnvironmentConfig struct {
	Name    string   `yaml:",key"`
	Branch  string   `yaml:"branch"`
	File    string   `yaml:"file"`
	Key     string   `yaml:"key"`
	Targets []string `yaml:"targets"`
	Auto    string   `yaml:"auto"` // the branch whose merges deploy by themselves

	Notify map[string]string `yaml:"notify"` // as of an environment, for this service there
}

// TargetConfig is one target and the steps that apply it.
type TargetConfig struct {
	Name        string                         `yaml:",key"`
	Environment string                         `yaml:"environment"`
	Repository  string                         `yaml:"repository"`
	Base        string                         `yaml:"base"`
	Paths       []string                       `yaml:"paths"`
	Wave        int                            `yaml:"wave"`
	Coalesce    bool                           `yaml:"coalesce"`
	Drift       time.Duration                  `yaml:"drift"`
	Timeout     time.Duration                  `yaml:"timeout"` // of an apply; 0 is none but those of its commands
	PlanEnv     map[string]integrations.Secret `yaml:"plan_env"`
	ApplyEnv    map[string]integrations.Secret `yaml:"apply_env"`
	ASG         []ScalingConfig                `yaml:"asg"`
	Mackerel    GraphsConfig                   `yaml:"mackerel"`
	Apply       []StepConfig                   `yaml:"apply"`
}

// GraphsConfig is on which graphs of Mackerel the applies of a target are marked.
type GraphsConfig struct {
	Service string   `yaml:"service,inline"`
	Roles   []string `yaml:"roles"` // of the service; none is all of it
}

func defaultConfig() *Config {
	return &Config{
		Listen:  "127.0.0.1:8420",
		Inbound: "webhook",
		Data:    "/var/lib/signalbox",
		Slack:   SlackConfig{Connections: 2, SecondAfter: 3 * time.Minute, Language: "en"},
		GitHub:  GitHubConfig{MergeMethod: "merge"},
		Home:    HomeConfig{Path: "signalbox.yaml", Base: "main"},
		Runner: RunnerConfig{
			Parallel: 4, LogCap: 4 << 20, Timeout: 2 * time.Hour, DrainLimit: 30 * time.Minute,
			Env: []string{"PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"},
		},
	}
}

// loadConfig reads a file. Its error holds every mistake there is.
func loadConfig(path string) (*Config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return parseConfig(path, b, os.LookupEnv)
}

// parseConfig reads the text of a configuration called name, over the defaults.
func parseConfig(name string, b []byte, env func(string) (string, bool)) (*Config, error) {
	c := defaultConfig()
	c.file = name
	c.r = &configReader{file: name, env: env, lines: map[string]int{}}
	if c.r.read(b, c) {
		c.fill()
		c.check()
	}
	if err := c.r.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// lastOfOrder says whether an environment is the last that a change reaches: none
// comes after it, and it comes after one, or is the only one.
func (c *Config) lastOfOrder(name string) bool {
	after := len(c.Environments) == 1
	for _, e := range c.Environments {
		if e.After == name {
			return false
		}
		after = after || e.Name == name && e.After != ""
	}
	return after
}

// fill puts in the defaults that depend on other fields.
func (c *Config) fill() {
	for i := range c.Environments {
		e := &c.Environments[i]
		orElse(&e.Review, "required")
		orElse(&e.Merge, "by_hand")
		if e.MergeAfter == 0 {
			e.MergeAfter = 30 * time.Second
		}
		orElse(&e.OnOpen, "ask")
		orElse(&e.Ships, "show")
		if e.TellAuthors == nil {
			last := c.lastOfOrder(e.Name)
			e.TellAuthors = &last
		}
		orElse(&e.Quiet.Zone, e.Windows.Zone)
		orElse(&e.Digest.At, "09:00")
		orElse(&e.Digest.Zone, e.Quiet.Zone)
		if e.SecondPerson && e.Approvals == 0 {
			e.Approvals = 1
		}
	}
	c.fillIngress()
	for i := range c.Targets {
		orElse(&c.Targets[i].Base, "main")
		for j := range c.Targets[i].ASG {
			c.fillScaling(&c.Targets[i].ASG[j])
		}
	}
	for i := range c.Services {
		s := &c.Services[i]
		orElse(&s.Branch, "main")
		if s.Strategy != "pin" {
			continue
		}
		for j := range s.Environments {
			e := &s.Environments[j]
			if e.Branch != "" {
				continue
			}
			e.Branch = "main"
			for _, t := range c.Targets {
				if slices.Contains(e.Targets, t.Name) {
					e.Branch = t.Base
				}
			}
		}
	}
}

func orElse(p *string, v string) {
	if *p == "" {
		*p = v
	}
}

// ConfigError is every mistake of a configuration, in the order of the file.
type ConfigError struct {
	Mistakes []Mistake
	filled   []string // what stood in variables and files: no channel may show it
}

// Mistake is one of them.
type Mistake struct {
	File  string
	Line  int
	Field string // "" when it concerns no field
	What  string
}

func (m Mistake) String() string {
	at := fmt.Sprintf("%s:%d: ", m.File, m.Line)
	if m.Field != "" {
		at += fmt.Sprintf("field %q: ", m.Field)
	}
	return at + m.What
}

func (e *ConfigError) Error() string {
	lines := make([]string, len(e.Mistakes))
	for i, m := range e.Mistakes {
		lines[i] = m.String()
	}
	return strings.Join(lines, "\n")
}

// nearest says `; did you mean "x"?` when one of the names is close to what was
// written, and else nothing.
func nearest(got string, names []string) string {
	best, at := "", 3
	folded := integrations.Fold(got)
	for _, n := range names {
		d := levenshtein.ComputeDistance(folded, integrations.Fold(n))
		if d < at && d <= (len([]rune(n))+1)/2 {
			best, at = n, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// oneOf words the refusal of a value that must be one of a few.
func oneOf(what, got string, allowed []string) string {
	if len(allowed) == 0 {
		return fmt.Sprintf("unknown %s %q; there is none", what, got)
	}
	shown := allowed
	more := ""
	if len(shown) > 12 {
		more = fmt.Sprintf(" and %d more", len(shown)-12)
		shown = shown[:12]
	}
	return fmt.Sprintf("unknown %s %q; there is %s%s%s", what, got, strings.Join(shown, ", "), more, nearest(got, allowed))
}

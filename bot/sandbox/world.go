package sandbox

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
	"github.com/signalbox-chatops/signalbox/integrations/github/githubsim"
	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

const (
	botToken      = "xoxb-sandbox"
	appToken      = "xapp-1-sandbox"
	botLogin      = "signalbox"
	webhookSecret = "sandbox-webhook-secret"
	oauthApp      = "sandbox" // by its client id
)

// A person of the workspace; zone is the time zone that they have set in Slack.
type person struct{ name, real, zone string }

// people are who one can be in the sandbox. A person's GitHub token is their
// name and "-token", as is the bot's.
var people = []person{
	{"alice", "Alice Archer", "Etc/UTC"}, {"bob", "Bob Brunel", "Asia/Tokyo"}, {"carol", "Carol Crossing", "America/New_York"},
}

// targets are the units of shared state, and the folder each is applied from.
var targets = []struct{ name, environment, repository, base, dir, paths, more string }{
	{"web/staging", "staging", "acme/web", "deployment/staging", "deploy/staging", "**", ""},
	{"web/production", "production", "acme/web", "deployment/production", "deploy/production", "**", "mackerel: {service: web, roles: [app, worker]}"},
	{"api/staging", "staging", "acme/infra", "main", "api/staging", "api/staging/**", "asg: [{group: api, account: staging}]"},
	{"api/production", "production", "acme/infra", "main", "api/production", "api/production/**", "asg: [{group: api, account: main}]; mackerel: api"},
	{"network/production", "production", "acme/infra", "main", "network/production", "network/production/**", ""},
	{"dns/production", "production", "acme/infra", "main", "dns/production", "dns/production/**", "wave: 1; coalesce: true"},
}

var toolNames = map[string]string{
	"terraform": "terraform", "tofu": "tofu",
	"demo": "the built-in demonstration step, since neither terraform nor tofu is on PATH",
}

// findTool names what applies the demo infrastructure.
func findTool() string {
	for _, t := range []string{"terraform", "tofu"} {
		if _, err := exec.LookPath(t); err == nil {
			return t
		}
	}
	return "demo"
}

// hostsTarget is applied in three steps.
const hostsTarget = "hosts/production"

// vaultPassword opens what is vaulted in acme/infra.
const vaultPassword = "sandbox-vault-password"

// findAnsible says whether there is Ansible, without which its step is left out.
func findAnsible() bool {
	_, err := exec.LookPath("ansible-playbook")
	return err == nil
}

// stateFile is where a target's state is kept.
func (w *world) stateFile(target string) string {
	return filepath.Join(w.data, "tfstate", filepath.FromSlash(target)+".tfstate")
}

func (w *world) stateFiles() map[string]string {
	out := map[string]string{hostsTarget: w.stateFile(hostsTarget)}
	for _, t := range targets {
		out[t.name] = w.stateFile(t.name)
	}
	return out
}

func (w *world) slackConfig() slacksim.Config {
	c := slacksim.Config{
		Dir: filepath.Join(w.data, "slack"), Clock: w.clk, Log: w.log.With("simulator", "slack"),
		Patience: w.patience, Quiet: w.quiet, BotToken: botToken, AppToken: appToken, BotName: botLogin, Decided: w.decided, Shortcuts: w.shortcuts,
	}
	members := []string{botLogin}
	for _, p := range people {
		c.Users = append(c.Users, slacksim.User{Name: p.name, RealName: p.real, Email: p.name + "@acme.example", TZ: p.zone})
		members = append(members, p.name)
	}
	c.Channels = []slacksim.Channel{
		{Name: "ops", Members: members, Topic: "Deploys and infrastructure"},
		{Name: "alerts", Members: members, Topic: "What is wrong, and who has it"},
	}
	c.Groups = []slacksim.Group{{Handle: "oncall", Name: "On call", Members: []string{people[0].name}}}
	return c
}

func (w *world) githubConfig(hooks bool) githubsim.Config {
	c := githubsim.Config{Dir: filepath.Join(w.data, "github"), Base: w.base, Clock: w.clk, Log: w.log.With("simulator", "github")}
	may := map[string]string{botLogin: "admin", "alice": "write", "bob": "write", "carol": "read"} // an admin may list webhooks
	for _, p := range people {
		c.Users = append(c.Users, githubsim.User{Login: p.name, Name: p.real, Email: p.name + "@acme.example", Token: p.name + "-token"})
	}
	c.Users = append(c.Users, githubsim.User{Login: botLogin, Name: botLogin, Email: botLogin + "@acme.example", Token: botLogin + "-token", Bot: true})
	for _, r := range []struct {
		name     string
		branches []string
	}{
		{"web", []string{"deployment/staging", "deployment/production"}}, {"api", nil}, {"infra", nil}, {"tickets", []string{"deployment/staging"}},
	} {
		repo := githubsim.Repo{Owner: "acme", Name: r.name, Branches: r.branches, Collaborators: may, Files: repoFiles(r.name)}
		repo.Seed = seeds[r.name]
		c.Repos = append(c.Repos, repo)
	}
	c.OAuthApps = []githubsim.OAuthApp{{ClientID: oauthApp}}
	if hooks {
		c.Hooks = []githubsim.Hook{{Repo: "*", Secret: webhookSecret}}
	}
	return c
}

//go:embed repos
var repos embed.FS

// repoFiles is the first commit of a repository.
func repoFiles(name string) map[string]string {
	out := map[string]string{}
	root := "repos/" + name
	err := fs.WalkDir(repos, root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := repos.ReadFile(path)
		if err != nil {
			return err
		}
		out[strings.TrimPrefix(path, root+"/")] = string(b)
		return nil
	})
	if err != nil { // they are part of the binary
		panic(fmt.Sprintf("read the files of acme/%s: %v", name, err))
	}
	return out
}

// botConfig is the bot's configuration file: that of a real workspace, but for
// its URLs.
func (w *world) botConfig() ([]byte, error) {
	hosts := filepath.Join(w.data, "hosts")
	for _, dir := range []string{"bot", "tfstate", filepath.Dir("tfstate/" + hostsTarget), "hosts"} {
		if err := os.MkdirAll(filepath.Join(w.data, dir), 0o700); err != nil {
			return nil, err
		}
	}
	type target struct {
		Name, Environment, Repository, Base, Dir, Paths, State string
		More                                                   []string // settings of its own
	}
	var list []target
	for _, t := range targets {
		state := w.stateFile(t.name)
		if err := os.MkdirAll(filepath.Dir(state), 0o700); err != nil {
			return nil, err
		}
		list = append(list, target{t.name, t.environment, t.repository, t.base, t.dir, t.paths, state, strings.Split(t.more, "; ")})
	}
	var b strings.Builder
	err := configTemplate.Execute(&b, map[string]any{
		"Base": w.base, "Data": filepath.Join(w.data, "bot"), "AppToken": appToken, "BotToken": botToken,
		"GitHubToken": botLogin + "-token", "WebhookSecret": webhookSecret, "Targets": list, "Tool": w.tool, "AWSKey": awssim.DemoKey,
		"Second": map[string]string{"Account": secondAccount, "Region": secondRegion, "Role": secondRole, "External": secondExternal}, "MackerelKey": mackerelKey,
		"HostsTarget": hostsTarget, "Hosts": hosts, "Zone": filepath.Join(hosts, "zone"), "HostsState": w.stateFile(hostsTarget), "Ansible": w.ansible, "VaultPassword": vaultPassword,
		"TicketsImage": ticketsImage, "PagerDutyKey": pagerDutyKey, "DatabaseID": databaseID, "StatuspageKey": statuspageKey, "StatuspageID": statuspageID,
	})
	return []byte(b.String()), err
}

// The values are quoted as Go quotes them, which YAML reads too.
var configTemplate = template.Must(template.New("config").Parse(`# The sandbox writes this for the bot that it runs.
listen: 127.0.0.1:0
inbound: webhook
public_url: {{.Base}}/bot
data: {{printf "%q" .Data}}
slack:
  app_token: {{.AppToken}}
  bot_token: {{.BotToken}}
  api_url: {{.Base}}/slack/api/
github:
  token: {{.GitHubToken}}
  api_url: {{.Base}}/api/v3/
  git_url: {{.Base}}/git
  webhook_secrets: [{{.WebhookSecret}}]
{{- if eq .Tool "tofu"}}
runner:
  terraform: tofu
{{- end}}
aws:
  accounts:
    - {name: main, regions: [ap-northeast-1], endpoint: {{.Base}}/aws, access_key_id: {{.AWSKey}}, secret_access_key: sandbox-secret-key}
    - {name: {{.Second.Account}}, regions: [{{.Second.Region}}], role: "{{.Second.Role}}", external_id: {{.Second.External}}, endpoint: {{.Base}}/aws, access_key_id: {{.AWSKey}}, secret_access_key: sandbox-secret-key}
mackerel:
  url: {{.Base}}/mackerel
  api_key: {{.MackerelKey}}
pagerduty:
  url: {{.Base}}/pagerduty
  events_url: {{.Base}}/pagerduty/events
  token: {{.PagerDutyKey}}
  routing_keys: {web: sandbox-routing-key-of-web-00000, database: sandbox-routing-key-of-db-000000}
statuspage:
  url: {{.Base}}/statuspage/v1
  api_key: {{.StatuspageKey}}
  page: {{.StatuspageID}}
  channel: ops
oncall:
  schedules:
    platform:
      zone: Asia/Tokyo
      channel: alerts
      handoffs: true
      group: oncall
      topic: true
      posts: ["0 10 * * mon"]
      layers:
        - name: primary
          people: [alice, bob]
          from: 2026-01-05 10:00
          turn: weekly
    database:
      zone: Asia/Tokyo
      channel: alerts
      pagerduty: {{.DatabaseID}}
incidents:
  channel: alerts
  escalations:
    - steps:
        - {call: [platform], wait: 5m}
        - {call: [alice, bob], wait: 10m}
      repeat: 1
rounds:
  channel: alerts
  zone: Asia/Tokyo
alerts:
  sensu: {tokens: [sandbox]}
  pingdom: {tokens: [sandbox]}
  mackerel: {tokens: [sandbox]}
  alertmanager: {tokens: [sandbox]}
  # There is no Amazon here that signs, and none that a subscription could be confirmed with.
  cloudwatch: {tokens: [sandbox], settings: {confirm_by_hand: true}}
  pagerduty: {tokens: [sandbox], secrets: [sandbox]}
  anything:
    kind: described
    tokens: [sandbox]
    settings: {id: /id, key: [/key], title: [/title], text: [/text], state: /state, states: {firing: firing, resolved: resolved, flapping: flapping}, severity: /severity, service: /service, environment: /environment, host: /host, instance: /instance, check: /check, value: /value, url: /url, runbook: /runbook, image: /image, labels: /labels, at: /at, by: /by}
drain:
  roles:
    app: {unit: app.service, port: 8080, healthy_percent: 60, logs: fluentd, buffers: [/var/log/td-agent/buffer]}
    worker: {unit: worker.service, port: 9000, logs: fluentd, buffers: [/var/log/td-agent/buffer]}
    task: {unit: docker.service, port: 8080, logs: fluentd, buffers: [/var/log/td-agent/buffer], ecs_cluster: apps}
birth:
  on_call: [alice]
  roles:
    app:
      steps:
        - {name: provision, kind: provision, run: /opt/app/provision, limit: 10m}
        - {name: smoke, kind: test, run: /opt/app/smoke, args: [--all], limit: 5m}
people:
  - {name: alice, slack: U0ALICE, github: alice, email: alice@acme.example, host: alice}
  - {name: bob, slack: U0BOB, github: bob, email: bob@acme.example, host: bob}
  - {name: carol, slack: U0CAROL, github: carol, email: carol@acme.example, host: carol}
groups:
  deployers: [alice, bob]
policy:
  - {groups: [deployers], verbs: ["*"], environments: ["*"]}
environments:
  staging:
    aliases: [stg]
    channels: [ops]
    review: none
    notify: {drift: channel} # seen at once here, and not in tomorrow's digest
  production:
    aliases: [prod, 本番]
    channels: [ops]
    second_person: true
    notify: {drift: channel}
services:
  web:
    repository: acme/web
    strategy: promote
    environments:
      staging: {branch: deployment/staging, targets: [web/staging]}
      production: {branch: deployment/production, targets: [web/production]}
  api:
    repository: acme/infra
    strategy: pin
    source: acme/api
    environments:
      staging: {file: api/staging/terraform.tfvars, key: api_version, targets: [api/staging]}
      production: {file: api/production/terraform.tfvars, key: api_version, targets: [api/production]}
  tickets:
    repository: acme/tickets
    strategy: promote
    environments:
      staging: {branch: deployment/staging, targets: [tickets/staging]}
targets:
{{- range .Targets}}
  {{.Name}}:
    environment: {{.Environment}}
    repository: {{.Repository}}
    base: {{.Base}}
    paths: ["{{.Paths}}"]
{{- range .More}}{{if .}}
    {{.}}
{{- end}}{{end}}
    apply:
{{- if eq $.Tool "demo"}}
      - demo: {dir: {{.Dir}}, state: {{printf "%q" .State}}}
{{- else}}
      - terraform: {dir: {{.Dir}}, backend: {path: {{printf "%q" .State}}}}
{{- end}}
{{- end}}
  # Three steps of one merge. Its hosts are folders, and its zone is a file.
  {{.HostsTarget}}:
    environment: production
    repository: acme/infra
    base: main
    paths: ["hosts/**"]
{{- if .Ansible}}
    plan_env: {VAULT_PASSWORD: {{.VaultPassword}}}
    apply_env: {VAULT_PASSWORD: {{.VaultPassword}}}
{{- end}}
    apply:
{{- if eq $.Tool "demo"}}
      - demo: {dir: hosts/network, state: {{printf "%q" .HostsState}}}
{{- else}}
      - terraform: {dir: hosts/network, backend: {path: {{printf "%q" .HostsState}}}}
{{- end}}
{{- if .Ansible}}
      - ansible: {dir: hosts/ansible, playbook: site.yml, inventory: [hosts.ini], vault: {default: VAULT_PASSWORD}, extra_vars: {root: {{printf "%q" .Hosts}}}}
{{- end}}
      - command:
          name: zone
          dir: hosts/dns
          plan: [sh, sync, --dry-run, records, {{printf "%q" .Zone}}]
          apply: [sh, sync, records, {{printf "%q" .Zone}}]
          nothing: {pattern: "^nothing to do$"}
          add: "^create (.*)"
          destroy: "^delete (.*)"
  tickets/staging:
    environment: staging
    repository: acme/tickets
    base: deployment/staging
    paths: ["**"]
    plan_env: {AWS_ACCESS_KEY_ID: {{.AWSKey}}, AWS_SECRET_ACCESS_KEY: sandbox-secret-key}
    apply_env: {AWS_ACCESS_KEY_ID: {{.AWSKey}}, AWS_SECRET_ACCESS_KEY: sandbox-secret-key}
    apply:
      - ecs: {cluster: tickets, service: tickets, container: app, image: {{.TicketsImage}}, account: main, poll: 500ms}
`))

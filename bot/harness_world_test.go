package main

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations/github/githubsim"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

// boxWorld describes a box: alice and bob, who may deploy everywhere, and carol,
// who may not; acme/web (service web, which staging and production promote) and
// acme/infra (network/lab, whose plans are reviewed).
type boxWorld struct {
	b     *box
	clock *clock.Movable
	// tool is runner.terraform: the stand-in of this box, "" for the real one.
	tool    string
	inbound string
	user    string // runner.user
	// deploy is the Terraform of acme/web's deploy folders.
	deploy string
	// files are more of acme/web.
	files map[string]string
	// groups is the group deployers, who may do everything everywhere.
	groups string
	// staging is added to the target web/staging, runner to that part.
	staging, runner string
	// The secrets of the simulators, and how the configuration says those that it
	// does not say as they are.
	slackToken, githubToken, hookSecret string
	said                                map[string]string
	// mayHooks lets the bot look at its webhooks, at the address that it knows.
	mayHooks bool
	// edit changes the configuration as it is written.
	edit func(string) string
	// renovate is a bot that opens pull requests; environments is added to both
	// staging and production.
	renovate     bool
	environments string
}

func newBoxWorld(b *box) *boxWorld {
	w := &boxWorld{b: b, inbound: "webhook", tool: filepath.Join(b.dir, "bin", "terraform"), deploy: "# release\n",
		groups: "[alice, bob]", environments: ", notify: {log_file: thread}", // a whole log is one more thing to be cut at
		slackToken: "xoxb-sandbox", githubToken: "signalbox-token", hookSecret: "sandbox-webhook-secret"}
	for _, d := range []string{"bin", "tool", "tfstate"} {
		if err := os.MkdirAll(filepath.Join(b.dir, d), 0o777); err != nil {
			b.t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(b.dir, d), 0o777); err != nil { // past the umask
			b.t.Fatal(err)
		}
	}
	return w
}

func (w *boxWorld) slack() slacksim.Config {
	c := slacksim.Config{Dir: filepath.Join(w.b.dir, "slack"), Log: slog.New(slog.DiscardHandler), BotToken: w.slackToken}
	if w.clock != nil {
		c.Clock = w.clock
	}
	members := []string{"signalbox", "alice", "bob", "carol"}
	for _, name := range members[1:] {
		c.Users = append(c.Users, slacksim.User{Name: name, Email: name + "@acme.example"})
	}
	c.Groups = []slacksim.Group{{Handle: "pager", Members: []string{"carol"}}}
	c.Channels = []slacksim.Channel{{Name: "ops", Members: members}, {Name: "alerts", Members: members}}
	return c
}

func (w *boxWorld) github() githubsim.Config {
	c := githubsim.Config{Dir: filepath.Join(w.b.dir, "github"), Base: w.b.base, Log: slog.New(slog.DiscardHandler)}
	if w.clock != nil {
		c.Clock = w.clock
	}
	for _, name := range []string{"alice", "bob", "carol", "signalbox"} {
		c.Users = append(c.Users, githubsim.User{Login: name, Name: name, Email: name + "@acme.example", Token: name + "-token"})
	}
	c.Users[3].Bot, c.Users[3].Token = true, w.githubToken
	may := map[string]string{"signalbox": "write", "alice": "write", "bob": "write", "carol": "read"}
	if w.renovate {
		c.Users = append(c.Users, githubsim.User{Login: "renovate[bot]", Name: "renovate[bot]", Email: "renovate@acme.example", Token: "renovate-token", Bot: true})
		may["renovate[bot]"] = "write"
	}
	if w.mayHooks {
		may["signalbox"] = "admin"
	}
	c.Repos = []githubsim.Repo{
		{
			Owner: "acme", Name: "web", Collaborators: may, Branches: []string{"deployment/staging", "deployment/production"},
			Files: map[string]string{"VERSION": "1.0.0\n", "deploy/staging/main.tf": w.deploy, "deploy/production/main.tf": w.deploy},
			Seed: func(tree string) error {
				return os.WriteFile(filepath.Join(tree, "VERSION"), []byte("1.1.0\n"), 0o600)
			},
		},
		{Owner: "acme", Name: "infra", Collaborators: may, Files: map[string]string{"network/main.tf": "# 1\n", "README.md": "# infra\n"}},
	}
	maps.Copy(c.Repos[0].Files, w.files)
	c.Hooks = []githubsim.Hook{{Repo: "*", Secret: w.hookSecret}}
	c.Orgs = []githubsim.Org{{Name: "acme", Members: []string{"signalbox"}, Teams: []githubsim.Team{{Slug: "sre", Members: []string{"bob"}}}}}
	return c
}

// write puts the stand-in and the configuration on disk.
func (w *boxWorld) write() {
	dir := w.b.dir
	if w.tool != "" {
		put(w.b.t, w.tool, strings.ReplaceAll(standIn, "HERE", filepath.Join(dir, "tool")), 0o755)
	}
	runner := ""
	if w.tool != "" {
		runner += fmt.Sprintf("  terraform: %q\n", w.tool)
	}
	if w.user != "" {
		runner += fmt.Sprintf("  user: %s\n", w.user)
	}
	if runner += w.runner; runner != "" {
		runner = "runner:\n" + runner
	}
	said := func(secret string) string {
		if as, ok := w.said[secret]; ok {
			return as
		}
		return secret
	}
	public := ""
	if w.mayHooks {
		public = "public_url: " + w.b.base + "/bot\n"
	}
	text := strings.NewReplacer("PUBLIC\n", public,
		"SLACKTOKEN", said(w.slackToken), "GITHUBTOKEN", said(w.githubToken), "HOOKSECRET", said(w.hookSecret),
		"LISTEN", w.b.listen, "INBOUND", w.inbound, "DIR", dir, "BASE", w.b.base, "RUNNER\n", runner, "STAGING\n", w.staging, "GROUPS", w.groups,
		"review: none}", "review: none"+w.environments+"}", "second_person: true}", "second_person: true"+w.environments+"}",
		"lab: {channels: [ops]}", "lab: {channels: [ops]"+w.environments+"}",
	).Replace(boxConfig)
	if w.edit != nil {
		text = w.edit(text)
	}
	put(w.b.t, filepath.Join(dir, "signalbox.yaml"), text, 0o600)
}

func put(t testing.TB, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

const boxConfig = `listen: LISTEN
inbound: INBOUND
PUBLIC
data: "DIR/bot"
slack:
  app_token: xapp-1-sandbox
  bot_token: SLACKTOKEN
  api_url: BASE/slack/api/
github:
  token: GITHUBTOKEN
  api_url: BASE/api/v3/
  git_url: BASE/git
  webhook_secrets: [HOOKSECRET]
RUNNER
people:
  - {name: alice, slack: U0ALICE, github: alice, email: alice@acme.example, host: alice}
  - {name: bob, slack: U0BOB, github: bob, email: bob@acme.example, host: bob}
  - {name: carol, slack: U0CAROL, github: carol, email: carol@acme.example, host: carol}
groups:
  deployers: GROUPS
policy:
  - {groups: [deployers], verbs: ["*"], environments: ["*"]}
environments:
  staging: {aliases: [stg], channels: [ops], review: none}
  lab: {channels: [ops]}
  production: {aliases: [prod, 本番], channels: [ops], second_person: true}
services:
  web:
    repository: acme/web
    strategy: promote
    environments:
      staging: {branch: deployment/staging, targets: [web/staging]}
      production: {branch: deployment/production, targets: [web/production]}
targets:
  web/staging:
    environment: staging
    repository: acme/web
    base: deployment/staging
    paths: ["**"]
STAGING
    apply:
      - terraform: {dir: deploy/staging, backend: {path: "DIR/tfstate/staging"}}
  web/production:
    environment: production
    repository: acme/web
    base: deployment/production
    paths: ["**"]
    apply:
      - terraform: {dir: deploy/production, backend: {path: "DIR/tfstate/production"}}
  network/lab:
    environment: lab
    repository: acme/infra
    base: main
    paths: ["network/**"]
    apply:
      - terraform: {dir: network, backend: {path: "DIR/tfstate/network"}}
`

// standIn stands where Terraform does: it takes the same words, keeps what it
// made in the backend's file, and changes something exactly when its input has
// changed. It says in HERE where it is ("at-plan"), waits while it is told to
// ("hold-plan"), and writes a line of "effects" for each apply that it begins.
const standIn = `#!/bin/sh
here=HERE
verb=$1
for last; do :; done
meet() { : > "$here/at-$1"; while [ -e "$here/hold-$1" ]; do sleep 0.02; done; }
trap 'meet interrupt; echo interrupted; exit 130' INT
[ "$verb" = apply ] || meet "$verb"
case $verb in
version) echo "Terraform v1.0.0 (a stand-in)" ;;
init)
	for a; do case $a in -backend-config=path=*) echo "${a#*path=}" > "$TF_DATA_DIR.backend" ;; esac; done
	echo "Initialized." ;;
plan)
	for a; do case $a in -out=*) out=${a#-out=} ;; esac; done
	state=$(cat "$TF_DATA_DIR.backend")
	have=$(cat "$state" 2>/dev/null)
	want=$(cat *.tf ../../VERSION 2>/dev/null | cksum | cut -d' ' -f1)
	[ -e destroys.tf ] && kind=delete
	echo "$want ${have:-none} $state ${kind:-update}" > "$out"
	if [ -x "$here/during-plan" ]; then "$here/during-plan" || exit 1; fi
	echo "Plan: from ${have:-none} to $want." ;;
show)
	read want have state action < "$last"
	before="{\"v\":\"$have\"}"
	[ "$have" = none ] && action=create before=null
	[ "$have" = "$want" ] && action=no-op
	echo "{\"format_version\":\"1.2\",\"terraform_version\":\"1.0.0\",\"resource_changes\":[{\"address\":\"release.web\",\"mode\":\"managed\",\"type\":\"release\",\"name\":\"web\",\"provider_name\":\"standin\",\"change\":{\"actions\":[\"$action\"],\"before\":$before,\"after\":{\"v\":\"$want\"},\"after_unknown\":{}}}]}" ;;
apply)
	read want have state kind < "$last"
	now=$(cat "$state" 2>/dev/null)
	[ "${now:-none}" = "$have" ] || { echo "Error: Saved plan is stale"; exit 1; }
	echo "apply $want" >> "$here/effects"
	echo "release.web: Modifying..."
	meet apply
	if [ -x "$here/during-apply" ]; then "$here/during-apply" || exit 1; fi
	if [ -e "$here/fail-apply" ]; then echo "Error: it was told to fail"; exit 1; fi
	echo "$want" > "$state"
	echo "Apply complete!" ;;
esac
`

// tell and untell make and remove a file that the stand-in looks at.
func (b *box) tell(name string) { put(b.t, filepath.Join(b.dir, "tool", name), "", 0o666) }

func (b *box) untell(name string) {
	if err := os.Remove(filepath.Join(b.dir, "tool", name)); err != nil && !os.IsNotExist(err) {
		b.t.Fatal(err)
	}
}

// told says whether the stand-in has made a file.
func (b *box) told(name string) bool {
	_, err := os.Stat(filepath.Join(b.dir, "tool", name))
	return err == nil
}

// effects are the applies that were begun, ever.
func (b *box) effects() []string {
	text, err := os.ReadFile(filepath.Join(b.dir, "tool", "effects"))
	if err != nil && !os.IsNotExist(err) {
		b.t.Fatal(err)
	}
	return strings.Fields(strings.ReplaceAll(string(text), "apply ", ""))
}

// realTerraform makes the box use the machine's Terraform, which writes the same
// markers from a provisioner.
func realTerraform(t *testing.T) func(*boxWorld) {
	t.Helper()
	if _, err := exec.LookPath("terraform"); err != nil {
		t.Skip("no terraform")
	}
	return func(w *boxWorld) {
		w.tool = ""
		w.deploy = strings.ReplaceAll(provisioned, "HERE", filepath.Join(w.b.dir, "tool"))
	}
}

const provisioned = `terraform {
  backend "local" {}
}

resource "terraform_data" "release" {
  input = trimspace(file("${path.module}/../../VERSION"))

  provisioner "local-exec" {
    command = "echo apply ${self.input} >> HERE/effects; touch HERE/at-apply; while [ -e HERE/hold-apply ]; do sleep 0.02; done"
  }
}
`

package main

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
)

// applierBase is the configuration around an example of docs/appliers.md.
const applierBase = `listen: 127.0.0.1:8420
inbound: none
data: /var/lib/signalbox
slack: {app_token: xapp-1-A, bot_token: xoxb-1}
github: {token: github_pat_1}
people: [{name: alice, slack: U01ALICE, github: alice}]
groups: {everybody: [alice]}
policy: [{groups: [everybody], verbs: ["*"], environments: ["*"]}]
environments: {production: {}}
`

// applierTrees are the repositories of the examples, by target, and what they need.
var applierTrees = map[string]struct {
	program string // that is not a stand-in
	files   map[string]string
}{
	"network/production": {"terraform", map[string]string{"network/main.tf": `terraform {
  backend "local" {}
}
variable "region" {}
variable "password" { sensitive = true }
resource "terraform_data" "it" { input = var.region }
`}},
	"hosts/production": {"ansible-playbook", map[string]string{
		"ansible/production.ini": "[web]\nweb-1 ansible_connection=local ansible_python_interpreter=/usr/bin/python3\n",
		"ansible/site.yml":       "- hosts: all\n  gather_facts: false\n  tasks:\n  - name: the region\n    copy: {content: \"{{ region }}\", dest: /srv/tfstate/region}\n",
	}},
	"bastions/production": {"ansible-playbook", map[string]string{
		"ansible/production.ini": "bastion ansible_connection=local ansible_python_interpreter=/usr/bin/python3\n",
		"ansible/bastions.yml":   "- hosts: all\n  gather_facts: false\n  tasks:\n  - copy: {content: \"it\", dest: /srv/tfstate/it}\n",
	}},
	"cookbook/production": {"", map[string]string{"chef/cookbook": "/etc/motd hello\n"}},
	"route53/production":  {"", map[string]string{"route53/Routefile": "a.example.com. A\n"}},
	"dns/production":      {"", map[string]string{"dns/dnsconfig.js": "A foo.example.com 1.2.3.4\n"}},
	"schema/production":   {"", map[string]string{"schema/schema.sql": "orders (id int)\n"}},
}

// Each example of docs/appliers.md is loaded, planned and applied, after which nothing is
// left to do.
func TestApplierExamples(t *testing.T) {
	doc, err := os.ReadFile("../docs/appliers.md")
	if err != nil {
		t.Fatal(err)
	}
	bin, err := filepath.Abs("../integrations/command/testdata/bin")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	seen := map[string]bool{}
	for _, part := range strings.Split(string(doc), "```yaml\n")[1:] {
		example, _, _ := strings.Cut(part, "```")
		name := strings.TrimSuffix(strings.TrimSpace(strings.Split(example, "\n")[1]), ":")
		seen[name] = true
		t.Run(name, func(t *testing.T) { runExample(t, name, example) })
	}
	if want := slices.Sorted(maps.Keys(applierTrees)); !slices.Equal(slices.Sorted(maps.Keys(seen)), want) {
		t.Errorf("docs/appliers.md shows %q, want %q", slices.Sorted(maps.Keys(seen)), want)
	}
}

func runExample(t *testing.T, name, example string) {
	of := applierTrees[name]
	if of.program != "" {
		if _, err := exec.LookPath(of.program); err != nil {
			t.Skip(of.program + " is not on PATH")
		}
	}
	tree, outside := t.TempDir(), t.TempDir()
	for file, text := range of.files {
		file = filepath.Join(tree, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "/srv/tfstate", outside)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := parseConfig("signalbox.yaml", []byte(applierBase+strings.ReplaceAll(example, "/srv/tfstate", outside)), func(name string) (string, bool) { return "value-of-" + name, true })
	if err != nil {
		t.Fatal(err)
	}
	cat, err := c.Catalog(appliers(c, ""))
	if err != nil {
		t.Fatal(err)
	}
	target, ok := cat.Target(name)
	if !ok || len(target.Steps) != 1 {
		t.Fatalf("the target is %+v", target)
	}
	step := target.Steps[0]
	e := integrationstest.NewExec(t, map[string]string{})
	for k, v := range target.ApplyEnv {
		e.Secrets[k] = v.Reveal()
	}
	r := integrations.Run{Target: name, Tree: tree, Work: t.TempDir(), SHA: strings.Repeat("ab", 20), HashKey: []byte("key"), Exec: e, Ingress: doorman{}}
	for _, empty := range []bool{false, true} {
		p, err := step.Plan(t.Context(), r)
		if err != nil {
			t.Fatal(integrationstest.Explain(err))
		}
		if plans := (integrations.Plans{p}); plans.Empty() != empty {
			t.Errorf("planned %s: %+v", plans, p)
		}
		if err := step.Apply(t.Context(), r); err != nil {
			t.Fatal(integrationstest.Explain(err))
		}
	}
}

// doorman opens nothing, and says that it did.
type doorman struct{}

func (doorman) Open(context.Context, integrations.Run, integrations.Ingress) error { return nil }
func (doorman) Close(context.Context, integrations.Run, integrations.Ingress)      {}

// What is no list is a mistake that shows one.
func TestACommandIsAList(t *testing.T) {
	const target = `targets:
  dns/production:
    environment: production
    repository: acme/infra
    base: main
    paths: ["dns/**"]
    apply:
      - command: {plan: dnscontrol preview, apply: [dnscontrol, push], nothing: {pattern: x}}
`
	c, err := parseConfig("signalbox.yaml", []byte(applierBase+target), func(string) (string, bool) { return "", false })
	if err == nil {
		_, err = c.Catalog(appliers(&Config{}, ""))
	}
	const want = "signalbox.yaml:17: field \"targets.dns/production.apply[0].command.plan\": want a list such as [chef-client, --why-run], not a single value"
	if err == nil || err.Error() != want {
		t.Errorf("it is told\n%v\nwant\n%s", err, want)
	}
}

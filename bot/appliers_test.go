package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
	"github.com/signalbox-chatops/signalbox/integrations/circleci/circlecisim"
	"github.com/signalbox-chatops/signalbox/integrations/github/githubsim"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/kit/remote"
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
	programs string // that are no stand-ins
	files    map[string]string
}{
	"image/production": {"packer rspec", map[string]string{
		"packer/web.json":             `{"variables": {"region": "", "password": "{{env \"PKR_VAR_password\"}}"}, "builders": [{"type": "file", "target": "/srv/tfstate/image", "content": "region {{user \"region\"}}"}]}`,
		"serverspec/spec/web_spec.rb": "require 'serverspec'\nset :backend, :exec\ndescribe file(ENV['SIGNALBOX_FILE']) do\n  it { should contain \"region #{ENV['EXPECTED_REGION']}\" }\nend\n",
	}},
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
	"cluster/production":  {"", nil},
	"search/production":   {"", nil},
	"batch/production":    {"", nil},
}

// applierCIs are the CIs of the examples that run on one, which have the file that is shown
// below the example. They put what is to be said of where they are into it.
var applierCIs = map[string]func(t *testing.T, file, config string) string{
	"cluster/production": func(t *testing.T, file, config string) string {
		sim, err := githubsim.New(githubsim.Config{
			Dir: t.TempDir(), Users: []githubsim.User{{Login: "ci", Token: "value-of-CI_WRITE"}},
			Repos: []githubsim.Repo{{Owner: "acme", Name: "infra", Files: map[string]string{".github/workflows/cluster.yml": file}, Collaborators: map[string]string{"ci": "write"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(sim.Handler())
		sim.SetBase(server.URL)
		t.Cleanup(func() {
			server.Close()
			if err := sim.Close(); err != nil {
				t.Error(err)
			}
		})
		return strings.Replace(config, "github: {token", "github: {api_url: "+server.URL+"/api/v3, token", 1)
	},
	"search/production": func(t *testing.T, file, config string) string {
		var applied atomic.Bool
		sim := circlecisim.New(circlecisim.Config{
			Token: "value-of-CIRCLE_TOKEN", Project: "gh/acme/search", Branches: map[string]string{"main": strings.Repeat("cd", 20)}, File: file,
			Runner: func(_ context.Context, r circlecisim.Run, log io.Writer) error {
				text := "+ an index"
				if applied.Load() {
					text = "No changes."
				}
				applied.CompareAndSwap(false, r.Workflow == "deploy")
				_, err := fmt.Fprintf(log, "%s\n%s\n%s\n", remote.PlanBegins, text, remote.PlanEnds)
				return err
			},
		})
		server := httptest.NewServer(sim.Handler())
		sim.SetBase(server.URL)
		t.Cleanup(func() { sim.Close(); server.Close() })
		return strings.Replace(config, "- circleci:\n", "- circleci:\n          url: "+server.URL+"/api/v2\n", 1)
	},
	"batch/production": func(t *testing.T, _, config string) string {
		return config + "aws: {accounts: [{name: production, regions: [ap-northeast-1], endpoint: \"" + exampleAWS(t) + "\"}]}\n"
	},
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
		example, rest, _ := strings.Cut(part, "```")
		_, file, _ := strings.Cut(rest, "```yml\n")
		file, _, _ = strings.Cut(file, "```")
		name := strings.TrimSuffix(strings.TrimSpace(strings.Split(example, "\n")[1]), ":")
		seen[name] = true
		t.Run(name, func(t *testing.T) { runExample(t, name, example, file) })
	}
	if want := slices.Sorted(maps.Keys(applierTrees)); !slices.Equal(slices.Sorted(maps.Keys(seen)), want) {
		t.Errorf("docs/appliers.md shows %q, want %q", slices.Sorted(maps.Keys(seen)), want)
	}
}

func runExample(t *testing.T, name, example, shown string) {
	of := applierTrees[name]
	for _, program := range strings.Fields(of.programs) {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is not on PATH")
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
	config := applierBase + strings.ReplaceAll(example, "/srv/tfstate", outside)
	if ci := applierCIs[name]; ci != nil {
		config = strings.Replace(ci(t, shown, config), "          project:", "          poll: 50ms\n          project:", 1)
		config = strings.Replace(config, "          limit: 30m", "          limit: 30m\n          poll: 50ms", 1)
	}
	c, err := parseConfig("signalbox.yaml", []byte(config), func(name string) (string, bool) { return "value-of-" + name, true })
	if err != nil {
		t.Fatal(err)
	}
	c.Data = t.TempDir()
	cat, err := c.Catalog(appliers(c, ""))
	if err != nil {
		t.Fatal(err)
	}
	target, ok := cat.Target(name)
	if !ok || len(target.Steps) == 0 {
		t.Fatalf("the target is %+v", target)
	}
	e := integrationstest.NewExec(t, map[string]string{})
	for k, v := range target.ApplyEnv {
		e.Secrets[k] = v.Reveal()
	}
	for _, empty := range []bool{false, true} {
		plans, runs := planned(t, target, integrations.Run{Target: name, Tree: tree, SHA: strings.Repeat("ab", 20), HashKey: []byte("key"), Ingress: doorman{}}, e)
		if plans.Empty() != empty {
			t.Errorf("planned %s: %+v", plans, plans)
		}
		for i, step := range target.Steps {
			runs[i].Before, runs[i].Exec = nil, ofStep{e, fmt.Sprint(i)}
			if err := step.Apply(t.Context(), runs[i]); err != nil {
				t.Fatal(integrationstest.Explain(err))
			}
		}
	}
}

// ofStep keeps the effects of different steps apart, as the runner does.
type ofStep struct {
	integrations.Exec
	prefix string
}

func (o ofStep) Effect(ctx context.Context, name string, c integrations.Command) (integrations.Output, error) {
	return o.Exec.Effect(ctx, o.prefix+" "+name, c)
}

// planned plans the steps of a target, each after those before it.
func planned(t *testing.T, target integrations.Target, r integrations.Run, e integrations.Exec) (plans integrations.Plans, runs []integrations.Run) {
	t.Helper()
	for _, step := range target.Steps {
		r.Work, r.Exec, r.Before = t.TempDir(), e, plans
		p, err := step.Plan(t.Context(), r)
		if err != nil {
			t.Fatal(integrationstest.Explain(err))
		}
		plans, runs = append(plans, p), append(runs, r)
		r.Earlier = append(slices.Clone(r.Earlier), r.Work)
	}
	return plans, runs
}

// exampleAWS is what an example finds in its account. Each call takes some seconds there.
func exampleAWS(t *testing.T) string {
	at := clock.NewMovable(0)
	sim, err := awssim.New(awssim.Config{Clock: at, Fleet: awssim.Fleet{In: []awssim.Estate{{Projects: []awssim.Project{{Name: "deploy-batch"}}}}}, Accounts: map[string]string{"value-of-WRITE_ID": "main"}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := at.Advance(t.Context(), 5*time.Second, nil); err != nil {
			t.Error(err)
		}
		sim.Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
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

// An image is pinned where there is a version of its own to set.
func TestWhereAnImageIsPinned(t *testing.T) {
	c := &Config{Services: []ServiceConfig{
		{Name: "fleet", Strategy: "pin", Environments: []ServiceEnvironmentConfig{{Name: "production"}}},
		{Name: "api", Strategy: "pin", Source: "acme/api"}, {Name: "web", Strategy: "promote"},
	}}
	for p, want := range map[integrations.Pin]string{
		{Service: "fleet", Environment: "production"}: "<nil>",
		{Service: "fleet", Environment: "staging"}:    `the service "fleet" does not run in "staging"`,
		{Service: "api", Environment: "production"}:   `the versions of the service "api" are commits of acme/api; want one without a source`,
		{Service: "web", Environment: "production"}:   `the service "web" has the strategy promote; want one that is deployed by a version in a file, with the strategy pin`,
		{Service: "db", Environment: "production"}:    `there is no service "db"`,
	} {
		if got := fmt.Sprint(c.pinned(p)); got != want {
			t.Errorf("%+v: it says %s, want %s", p, got, want)
		}
	}
}

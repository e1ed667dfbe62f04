package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
)

var update = flag.Bool("update", false, "write the golden files anew")

func testEnv(name string) (string, bool) {
	v, ok := map[string]string{
		"SLACK_APP_TOKEN": "xapp-1-very-secret", "SLACK_BOT_TOKEN": "xoxb-very-secret",
		"GITHUB_TOKEN": "ghp_very_secret", "WEBHOOK_SECRET": "webhook-very-secret", "PARALLEL": "7",
	}[name]
	return v, ok
}

// goldenStep is a step with settings of each kind.
type goldenStep struct {
	Dir           string
	BackendConfig map[string]string `yaml:"backend_config"`
	VarFiles      []string          `yaml:"var_files"`
	integrations.Applier
}

func goldenAppliers() map[string]applierMaker {
	return map[string]applierMaker{"terraform": func(_ string, decode func(any) error) (integrations.Applier, error) {
		s := &struct {
			Dir           string
			BackendConfig map[string]string `yaml:"backend_config"`
			VarFiles      []string          `yaml:"var_files"`
		}{}
		if err := decode(s); err != nil {
			return nil, err
		}
		if s.Dir == "" {
			return nil, errors.New("dir is missing")
		}
		return &goldenStep{Dir: s.Dir, BackendConfig: s.BackendConfig, VarFiles: s.VarFiles}, nil
	}}
}

func allMistakes(name string, b []byte) error {
	c, err := parseConfig(name, b, testEnv)
	if err != nil {
		return err
	}
	if err := c.checkRights([]string{"deploy", "plan", "merge", "approve", "lock"}); err != nil {
		return err
	}
	_, err = c.Catalog(goldenAppliers())
	return err
}

// Every file of testdata/config is a whole configuration with one kind of
// mistake, and its golden file says what the operator is told.
func TestConfigMistakes(t *testing.T) {
	files, err := filepath.Glob("testdata/config/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("found %d files: %v", len(files), err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".yaml"), func(t *testing.T) {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			got := "right\n"
			if err := allMistakes(filepath.Base(f), b); err != nil {
				got = err.Error() + "\n"
			}
			if strings.HasPrefix(filepath.Base(f), "right") != (got == "right\n") {
				t.Errorf("its name and its verdict differ: %s", got)
			}
			if strings.Contains(got, "very-secret") || strings.Contains(got, "very_secret") {
				t.Errorf("a secret is shown: %s", got)
			}
			golden := strings.TrimSuffix(f, ".yaml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata/config", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestConfigCatalog(t *testing.T) {
	c, err := parseConfig("right.yaml", read(t, "right.yaml"), testEnv)
	if err != nil {
		t.Fatal(err)
	}
	if c.Runner.Parallel != 7 || c.Slack.BotToken.Reveal() != "xoxb-very-secret" || c.Runner.LogCap != 8<<20 {
		t.Errorf("values: %+v", c.Runner)
	}
	cat, err := c.Catalog(goldenAppliers())
	if err != nil {
		t.Fatal(err)
	}
	alice := cat.PersonBySlack("U01ALICE")
	if !cat.May(alice, "deploy", "production") || cat.May(cat.PersonBySlack("U03CAROL"), "deploy", "production") {
		t.Error("the policy is not what the file says")
	}
	if e, ok := cat.Environment("本番"); !ok || e.Name != "production" || e.Approvals != 1 || e.Review != "required" {
		t.Errorf("environment: %+v", e)
	}
	web, _ := cat.Service("WEB")
	if d := cmp.Diff([]string{"web/production"}, web.Environments["production"].Targets); d != "" {
		t.Error(d)
	}
	api, _ := cat.Service("api")
	if api.Environments["production"].Branch != "main" {
		t.Errorf("a pin's branch is that of its target: %+v", api)
	}
	target, _ := cat.Target("web/production")
	if target.PlanEnv["AWS_TOKEN"].Reveal() != "ghp_very_secret" {
		t.Error("plan_env is not filled in")
	}
	if api, _ := cat.Target("api/production"); api.Timeout != 40*time.Minute || target.Timeout != 0 {
		t.Errorf("timeouts: %v, %v", api.Timeout, target.Timeout)
	}
	step := target.Steps[0].(*goldenStep)
	if step.Dir != "deploy/production" || step.BackendConfig["path"] != "/tmp/${x}.tfstate" {
		t.Errorf("step: %+v", step)
	}
	if s := fmt.Sprintf("%+v %#v", c, target); strings.Contains(s, "very-secret") || strings.Contains(s, "very_secret") {
		t.Error("printing the configuration shows a secret")
	}
}

func TestConfigDiff(t *testing.T) {
	text := string(read(t, "right.yaml"))
	old, err := parseConfig("a", []byte(text), testEnv)
	if err != nil {
		t.Fatal(err)
	}
	if d := diffConfig(old, old); len(d) > 0 {
		t.Errorf("against itself: %v", d)
	}
	for _, r := range [][2]string{
		{"parallel: ${PARALLEL}", "parallel: 3"},
		{"bot_token: ${SLACK_BOT_TOKEN}", "bot_token: xoxb-another"},
		{"deployers: [alice, bob]", "deployers: [alice]"},
		{"dir: deploy/production", "dir: deploy/other"},
		{"aliases: [stg]", "review: none"},
	} {
		if !strings.Contains(text, r[0]) {
			t.Fatalf("%q is not in right.yaml", r[0])
		}
		text = strings.Replace(text, r[0], r[1], 1)
	}
	new, err := parseConfig("b", []byte(text), testEnv)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"environments.staging.aliases: removed, was [stg]",
		"environments.staging.review: required → none",
		"groups.deployers: [alice bob] → [alice]",
		"runner.parallel: 7 → 3",
		"slack.bot_token: changed",
		"targets.web/production.apply[0].terraform: changed",
	}
	if d := cmp.Diff(want, diffConfig(old, new)); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestConfigLiveGroups(t *testing.T) {
	c, err := parseConfig("live.yaml", read(t, "right-live-groups.yaml"), testEnv)
	if err != nil {
		t.Fatal(err)
	}
	cat, err := c.Catalog(goldenAppliers())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]integrations.GroupSource{
		"sre": {{Kind: "github_team", Name: "acme/sre"}}, "pager": {{Kind: "slack_group", Name: "S0614TZR7"}}, "night": {{Kind: "slack_group", Name: "@night-shift"}},
		"all": {{Kind: "github_team", Name: "acme/night_shift"}, {Kind: "slack_group", Name: "night.shift"}},
	}
	if d := cmp.Diff(want, cat.Live); d != "" {
		t.Errorf("live (-want +got)\n%s", d)
	}
	if d := cmp.Diff([]string{"carol"}, cat.Groups["all"]); d != "" {
		t.Errorf("listed (-want +got)\n%s", d)
	}
	for kind := range groupSources(systems{}) {
		if kind != "github_team" && kind != "slack_group" {
			t.Errorf("no group of this test is a %s", kind)
		}
	}
	old, err := parseConfig("a", read(t, "right.yaml"), testEnv)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(read(t, "right.yaml")), "deployers: [alice, bob]", "deployers: {people: [alice], github_team: acme/sre}", 1)
	new, err := parseConfig("b", []byte(text), testEnv)
	if err != nil {
		t.Fatal(err)
	}
	changes := []string{"groups.deployers: [alice bob] → [alice]", "groups.deployers.github_team: added acme/sre"}
	if d := cmp.Diff(changes, diffConfig(old, new)); d != "" {
		t.Errorf("diff (-want +got)\n%s", d)
	}
}

// The only site there is need not be named, nor what is suspended by default.
func TestConfigScaling(t *testing.T) {
	c, err := parseConfig("asg.yaml", read(t, "right-asg.yaml"), testEnv)
	if err != nil {
		t.Fatal(err)
	}
	cat, err := c.Catalog(goldenAppliers())
	if err != nil {
		t.Fatal(err)
	}
	at := integrations.Site{Account: "main", Region: "ap-northeast-1"}
	want := []integrations.Scaling{
		{Site: at, Group: "web", Processes: []string{"AZRebalance", "AlarmNotification", "ScheduledActions", "ReplaceUnhealthy", "InstanceRefresh"}, Limit: 30 * time.Minute},
		{Site: at, Group: "worker", Processes: []string{"AZRebalance"}, Limit: 10 * time.Minute},
	}
	if d := cmp.Diff(want, cat.Targets[0].Scaling); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func FuzzConfig(f *testing.F) {
	files, err := filepath.Glob("testdata/config/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseConfig("f", b, testEnv)
		var told *ConfigError
		switch {
		case err == nil:
			_, _ = c.Catalog(goldenAppliers())
			if d := diffConfig(c, c); len(d) > 0 {
				t.Errorf("differs from itself: %v", d)
			}
		case !errors.As(err, &told) || len(told.Mistakes) == 0:
			t.Errorf("an error that names no mistake: %v", err)
		}
	})
}

func TestConfigMergeMethodReachesGitHub(t *testing.T) {
	c, err := parseConfig("right.yaml", read(t, "right.yaml"), testEnv)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.github().MergeMethod; got != "merge" {
		t.Errorf("unsaid it is %q, want merge", got)
	}
	c.GitHub.MergeMethod = "rebase"
	if got := c.github().MergeMethod; got != "rebase" {
		t.Errorf("it is %q, want rebase", got)
	}
}

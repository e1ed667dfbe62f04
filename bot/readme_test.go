package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/alertmanager"
	"github.com/signalbox-chatops/signalbox/integrations/ansible"
	"github.com/signalbox-chatops/signalbox/integrations/aws/codebuild"
	"github.com/signalbox-chatops/signalbox/integrations/aws/ecs"
	"github.com/signalbox-chatops/signalbox/integrations/circleci"
	"github.com/signalbox-chatops/signalbox/integrations/cloudwatch"
	"github.com/signalbox-chatops/signalbox/integrations/command"
	"github.com/signalbox-chatops/signalbox/integrations/described"
	"github.com/signalbox-chatops/signalbox/integrations/github"
	"github.com/signalbox-chatops/signalbox/integrations/mackerel"
	"github.com/signalbox-chatops/signalbox/integrations/packer"
	"github.com/signalbox-chatops/signalbox/integrations/sensu"
	"github.com/signalbox-chatops/signalbox/integrations/serverspec"
	"github.com/signalbox-chatops/signalbox/integrations/terraform"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	readmeFile  = "../README.md"
	exampleFile = "../docs/signalbox.example.yaml"
)

// ourVerbs are the verbs as the process has them.
func ourVerbs(t *testing.T) []commands.Verb {
	t.Helper()
	var w wired
	all := features(systems{log: slog.New(slog.DiscardHandler), verbs: func() []commands.Verb { return w.verbs }})
	w, err := wire(all)
	if err != nil {
		t.Fatal(err)
	}
	return w.verbs
}

// marked returns what stands between two marks of the README, and what is
// around it.
func marked(t *testing.T, name string) (before, inside, after string) {
	t.Helper()
	b, err := os.ReadFile(readmeFile)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+name+" -->\n", "<!-- end of "+name+" -->"
	before, rest, ok := strings.Cut(string(b), begin)
	inside, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("README.md has no %s…%s", begin, end)
	}
	return before + begin, inside, end + after
}

// rows are the cells of a Markdown table, without its head.
func rows(t *testing.T, table string) (out [][]string) {
	t.Helper()
	for _, line := range strings.Split(strings.TrimSpace(table), "\n") {
		line = strings.ReplaceAll(line, `\|`, "\x00")
		var cells []string
		for _, c := range strings.Split(strings.Trim(line, "|"), "|") {
			cells = append(cells, strings.ReplaceAll(strings.TrimSpace(c), "\x00", "|"))
		}
		out = append(out, cells)
	}
	if len(out) < 3 {
		t.Fatalf("no table: %q", table)
	}
	return out[2:]
}

// The table of verbs is written by this test, with -update, from the values
// that the parser reads.
func TestReadmeVerbs(t *testing.T) {
	var b strings.Builder
	b.WriteString("| you type | it | right | |\n| --- | --- | --- | --- |\n")
	for _, v := range ourVerbs(t) {
		if v.Hidden {
			continue
		}
		effect := "reads"
		if v.Effect == commands.Changes {
			effect = "changes"
		}
		right := "`" + commands.RightOf(&v) + "`"
		switch {
		case v.Open:
			right = "everybody"
		case v.Who != "":
			right = v.Who
		}
		fmt.Fprintf(&b, "| `%s %s` | %s | %s | %s |\n", commands.Prompt, strings.ReplaceAll(commands.Usage(v), "|", `\|`), effect, right, strings.ReplaceAll(v.Summary, "|", `\|`))
	}
	before, got, after := marked(t, "verbs")
	if *update {
		if err := os.WriteFile(readmeFile, []byte(before+b.String()+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(b.String(), got); d != "" {
		t.Errorf("README.md is behind the verbs; go test ./bot -run TestReadmeVerbs -update writes it anew (-want +got)\n%s", d)
	}
}

// keys are the names in the file of everything that can be configured, with
// their defaults. Lists and maps stand with one element.
func keys(v reflect.Value, path string, into map[string]string) {
	switch {
	case v.Type() == stepType:
		into[path+".<applier>"] = ""
	case v.Type() == settingsType:
		into[path] = ""
	case v.Type() == secretType || v.Type() == durationType || v.Type() == sizeType:
		into[path] = shown(v)
	case v.Kind() == reflect.Pointer:
		keys(reflect.New(v.Type().Elem()).Elem(), path, into)
	case v.Kind() == reflect.Struct:
		byName, names := fields(v.Type())
		if i, ok := byName[""]; ok {
			into[path] = shown(v.FieldByIndex(i))
		}
		for _, name := range names {
			keys(v.FieldByIndex(byName[name]), join(path, name), into)
		}
	case v.Kind() == reflect.Slice && (v.Type().Elem().Kind() == reflect.Struct && v.Type().Elem() != secretType):
		element := reflect.New(v.Type().Elem()).Elem()
		if v.Len() > 0 {
			element = v.Index(0)
		}
		if _, ok := keyField(v.Type().Elem()); ok {
			keys(element, path+".<name>", into)
			return
		}
		keys(element, path+"[]", into)
	default:
		into[path] = shown(v)
	}
}

// shown is a default as the README writes it; nothing is "".
func shown(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case integrations.Secret:
		return ""
	case time.Duration:
		if x == 0 {
			return ""
		}
		s := x.String()
		for _, zero := range []string{"m0s", "h0m"} {
			if strings.HasSuffix(s, zero) {
				s = s[:len(s)-2]
			}
		}
		return "`" + s + "`"
	case bool:
		return fmt.Sprintf("`%v`", x)
	case []string:
		if len(x) == 0 {
			return ""
		}
		return "`" + strings.Join(x, "`, `") + "`"
	}
	if v.IsZero() || v.Kind() == reflect.Slice || v.Kind() == reflect.Map {
		return ""
	}
	return fmt.Sprintf("`%v`", v.Interface())
}

// allKeys are those of the file, with the defaults that depend on the element.
func allKeys() map[string]string {
	c := defaultConfig()
	c.Environments = make([]EnvironmentConfig, 1)
	c.Services = make([]ServiceConfig, 1)
	c.Targets = []TargetConfig{{ASG: make([]ScalingConfig, 1)}}
	c.fill()
	out := map[string]string{}
	keys(reflect.ValueOf(*c), "", out)
	return out
}

// kindKeys are those of the settings that a kind decodes itself.
func kindKeys(settings any) map[string]string {
	out := map[string]string{}
	keys(reflect.ValueOf(settings), "", out)
	return out
}

// tables are the settings, by the README's tables of them.
func tables() map[string]map[string]string {
	return map[string]map[string]string{
		"configuration": allKeys(), "terraform": kindKeys(terraform.Config{}), "ecs": kindKeys(ecs.Default()), "codebuild": kindKeys(codebuild.Default()), "command": kindKeys(command.Config{}), "ansible": kindKeys(ansible.Config{}), "actions": kindKeys(github.DefaultActions()), "circleci": kindKeys(circleci.Default()), "packer": kindKeys(packer.Config{}), "serverspec": kindKeys(serverspec.Config{}), "cloudwatch": kindKeys(cloudwatch.Config{}), "described": kindKeys(described.Config{}),
		"alertmanager": kindKeys(alertmanager.Config{}), "sensu": kindKeys(sensu.Config{}), "mackerel": kindKeys(mackerel.AlertsConfig{}),
	}
}

// The tables of settings name each one, with its default; what it is for is
// written by hand.
func TestReadmeConfiguration(t *testing.T) {
	for name, want := range tables() {
		_, table, _ := marked(t, name)
		got := map[string]string{}
		for _, r := range rows(t, table) {
			if len(r) != 3 || r[2] == "" {
				t.Errorf("%s: a row does not have three cells: %q", name, r)
				continue
			}
			key := strings.Trim(r[0], "`")
			if _, twice := got[key]; twice {
				t.Errorf("%s: %s is there twice", name, key)
			}
			got[key] = r[1]
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("README.md is behind the settings in the table %q (-code +README)\n%s", name, d)
		}
	}
}

func exampleEnv(name string) (string, bool) {
	v, ok := map[string]string{
		"SLACK_APP_TOKEN": "xapp-1-A", "SLACK_BOT_TOKEN": "xoxb-1", "GITHUB_TOKEN": "github_pat_1", "WEBHOOK_SECRET": "long enough to be one",
		"HEARTBEAT_URL": "https://hc-ping.com/1", "WEB_PLAN_KEY": "read-only", "WEB_APPLY_KEY": "may change", "MACKEREL_KEY": "k", "PAGERDUTY_TOKEN": "pd", "STATUSPAGE_KEY": "sp", "PAGERDUTY_WEBHOOK_SECRET": "pw", "ALERT_TOKEN": "long-enough-to-be-one", "ZABBIX_TOKEN": "another-long-enough", "AM_HOOK_TOKEN": "a-third-long-enough", "MACKEREL_HOOK_TOKEN": "a-fourth-long-enough", "AM_TOKEN": "am", "SENSU_KEY": "sk", "SHOP_PLAN_KEY": "shop-reads", "SHOP_APPLY_KEY": "shop-may-change", "CLOUDFLARE_READ": "r", "CLOUDFLARE_WRITE": "w", "VAULT_PASSWORD": "vp", "CI_READ": "ci-reads", "CI_WRITE": "ci-dispatches", "CIRCLE_TOKEN": "ct", "BATCH_APPLY_KEY": "batch-may-change",
	}[name]
	return v, ok
}

// The example is a right configuration, and it names every setting, if only in
// a comment.
func TestExampleConfiguration(t *testing.T) {
	b, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	c, err := parseConfig(exampleFile, b, exampleEnv)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.checkRights(rights(ourVerbs(t))); err != nil {
		t.Error(err)
	}
	cat, err := c.Catalog(appliers(c, ""))
	if err != nil {
		t.Fatal(err)
	}
	if len(cat.Targets) < 3 || len(cat.Services) < 2 || len(cat.Rules) < 2 {
		t.Errorf("the example shows too little: %d targets, %d services, %d rules", len(cat.Targets), len(cat.Services), len(cat.Rules))
	}
	names := strings.FieldsFunc(string(b), func(r rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz_:", r) })
	for _, all := range tables() {
		for key := range all {
			for _, part := range strings.Split(strings.ReplaceAll(key, "[]", ""), ".") {
				if !strings.HasPrefix(part, "<") && !slices.Contains(names, part+":") {
					t.Errorf("the example does not name %s", key)
				}
			}
		}
	}
}

// What follows, up to the end mark, stands in the README as the whole of a new
// feature's folder, under its own package name.

// New is the feature: one verb, which changes nothing.
func New() commands.Feature {
	return commands.Feature{Name: "hello", Verbs: []commands.Verb{{
		Name:     "hello",
		Summary:  "Greet somebody",
		Args:     []commands.Arg{{Name: "whom", Kind: commands.ArgWord, Optional: true, Default: "world"}},
		Examples: []string{"hello bob"},
		Decide: func(_ context.Context, c *commands.Call) (commands.Act, error) {
			return func(*store.Tx) (commands.Reply, error) {
				return commands.Reply{Private: &integrations.Message{Text: "Hello, " + c.Arg("whom") + "."}}, nil
			}, nil
		},
	}}}
}

// The end mark.

// The README's example of a new feature is the code above, which compiles, and
// is wired like the others.
func TestReadmeFeature(t *testing.T) {
	b, err := os.ReadFile("readme_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(b), "under its own package name.\n\n")
	code, _, _ = strings.Cut(code, "\n// The end mark.\n")
	_, block, _ := marked(t, "feature")
	if !strings.Contains(block, code) || len(code) < 200 {
		t.Errorf("README.md does not show the example of readme_test.go:\n%s", code)
	}
	w, err := wire([]commands.Feature{New()})
	if err != nil || len(w.verbs) != 1 {
		t.Fatalf("wired %+v, %v", w.verbs, err)
	}
	act, err := w.verbs[0].Decide(t.Context(), &commands.Call{Args: map[string]string{"whom": "bob"}})
	if err != nil {
		t.Fatal(err)
	}
	if reply, err := act(nil); err != nil || reply.Private.Text != "Hello, bob." {
		t.Errorf("it says %+v, %v", reply.Private, err)
	}
}

// Files that the README and the documents point at are there.
func TestReadmeLinks(t *testing.T) {
	for _, doc := range []string{readmeFile, "../docs/operations.md", "../docs/when-it-is-down.md"} {
		b, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, part := range strings.Split(string(b), "](")[1:] {
			to, _, _ := strings.Cut(part, ")")
			to, _, _ = strings.Cut(to, "#")
			if to == "" || strings.Contains(to, "://") {
				continue
			}
			found++
			if _, err := os.Stat(strings.TrimSuffix(doc, doc[strings.LastIndex(doc, "/")+1:]) + to); err != nil {
				t.Errorf("%s points at %s: %v", doc, to, err)
			}
		}
		if found == 0 {
			t.Errorf("%s points at no file of ours", doc)
		}
	}
}

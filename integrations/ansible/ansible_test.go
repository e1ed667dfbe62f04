package ansible

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
)

func TestMain(m *testing.M) {
	integrationstest.Main(m, map[string]func([]string, io.Writer, io.Writer) int{"ansible": Main})
}

func need(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("ansible-playbook"); err != nil {
		t.Skip("ansible-playbook is not on PATH")
	}
}

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const vaultPassword = "open-sesame-17"

// encrypt has the real ansible-vault encrypt a text.
func encrypt(t testing.TB, text, password string, more ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	write(t, file, password+"\n")
	if len(more) == 0 {
		more = []string{"--vault-password-file", file}
	} else {
		more = []string{"--vault-id", more[0] + "@" + file, "--encrypt-vault-id", more[0]}
	}
	cmd := exec.Command("ansible-vault", append([]string{"encrypt", "--output", "-"}, more...)...)
	cmd.Stdin, cmd.Env = strings.NewReader(text), append(os.Environ(), "HOME="+t.TempDir())
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ansible-vault: %v, %s", err, out)
	}
	return string(out)
}

// indent makes a text a block of YAML.
func indent(text string, by int) string {
	return strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+strings.Repeat(" ", by))
}

// quick keeps Ansible from looking for an interpreter on each host, and from copying.
const quick = "[defaults]\ninterpreter_python = /usr/bin/python3\n[connection]\npipelining = true\n"

const head = `- hosts: all
  connection: local
  gather_facts: false
  tasks:
`

func tasks(body string) func(testing.TB, string, string) {
	return func(t testing.TB, tree, outside string) {
		t.Helper()
		write(t, filepath.Join(tree, "play", "ansible.cfg"), quick)
		write(t, filepath.Join(tree, "play", "site.yml"), head+strings.ReplaceAll(body, "OUTSIDE", outside))
	}
}

func TestContract(t *testing.T) {
	need(t)
	step := func(t testing.TB, _ string) integrations.Applier {
		a, err := Step(Config{Dir: "play", Playbook: "site.yml", Inventory: []string{"localhost,"}, Vault: map[string]string{"default": "VAULT_PASSWORD"}})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	shell := func(script string) string {
		return "  - name: it\n    shell: |\n      " + strings.ReplaceAll(script, "\n", "\n      ") + "\n    args: {creates: OUTSIDE/done}\n"
	}
	integrationstest.Applier(t, integrationstest.ApplierSuite{
		Make: step,
		Change: func(t testing.TB, tree, outside string) {
			tasks("  - name: it\n    copy: {content: \"{{ 'it' | twice }}\\n\", dest: OUTSIDE/it}\n")(t, tree, outside)
			write(t, filepath.Join(tree, "play", "filter_plugins", "twice.py"), "class FilterModule(object):\n    def filters(self):\n        return {'twice': lambda s: s + s}\n")
		},
		Fails: func(t testing.TB, tree, outside string) string {
			tasks(shell("echo it is not to be; exit 7"))(t, tree, outside)
			return "it is not to be"
		},
		Leaks: func(t testing.TB, tree, outside string) []string {
			tasks(`  - name: leak {{ db_password }} {{ lookup('env', 'SUITE_SECRET') }}
    copy: {content: "password={{ db_password }}\nkey={{ key }}\nenv={{ lookup('env', 'SUITE_SECRET') }}\n", dest: OUTSIDE/conf}
  - debug: {msg: "{{ db_password }} {{ lookup('env', 'SUITE_SECRET') }} {{ lookup('env', 'VAULT_PASSWORD') }}."}
  - fail: {msg: "{{ key }}"}
    ignore_errors: true
  - shell: "echo {{ db_password | quote }}; exit 3"
    args: {creates: OUTSIDE/none}
`)(t, tree, outside)
			write(t, filepath.Join(tree, "play", "group_vars", "all", "vault.yml"), encrypt(t, "db_password: hunter22-vaulted\nkey: |\n  first-line-of-the-key\n  second-line-of-the-key\n", vaultPassword))
			return []string{"hunter22-vaulted", "first-line-of-the-key", "second-line-of-the-key"}
		},
		Hangs: func(t testing.TB, tree, outside, child string) {
			tasks(shell("echo $$ > "+child+".new; mv "+child+".new "+child+"; exec sleep 600"))(t, tree, outside)
		},
		Long: func(t testing.TB, tree, outside string) {
			tasks("  - debug: {msg: \""+integrationstest.FirstLine+"\"}\n  - debug: {msg: \"{{ 'x y ' * 300000 }}\"}\n    when: not ansible_check_mode\n"+
				"  - copy: {content: it, dest: OUTSIDE/small}\n  - debug: {msg: \""+integrationstest.LastLine+"\"}\n")(t, tree, outside)
		},
		Secrets: map[string]string{"VAULT_PASSWORD": vaultPassword},
	})
}

// place is a work tree whose playbooks change a folder outside.
type place struct {
	t       testing.TB
	tree    string
	outside string
	secrets map[string]string
	exec    *integrationstest.Exec // of the last run
	work    string
}

func newPlace(t testing.TB) *place {
	need(t)
	p := &place{t: t, tree: t.TempDir(), outside: t.TempDir(), secrets: map[string]string{}}
	p.write("ansible.cfg", quick)
	return p
}

func (p *place) write(name, text string) {
	p.t.Helper()
	write(p.t, filepath.Join(p.tree, name), strings.ReplaceAll(text, "OUTSIDE", p.outside))
}

func (p *place) run() integrations.Run {
	p.exec, p.work = integrationstest.NewExec(p.t, p.secrets), p.t.TempDir()
	return integrations.Run{Target: "hosts/production", Tree: p.tree, SHA: strings.Repeat("ab", 20), Work: p.work, HashKey: []byte("key"), Exec: p.exec}
}

func (p *place) step(c Config) *Applier {
	p.t.Helper()
	if c.Playbook == "" {
		c.Playbook = "site.yml"
	}
	if c.Inventory == nil {
		c.Inventory = []string{"localhost,"}
	}
	a, err := Step(c)
	if err != nil {
		p.t.Fatal(err)
	}
	return a
}

func (p *place) plan(a *Applier, want string) (integrations.Plan, integrations.Run) {
	p.t.Helper()
	r := p.run()
	got, err := a.Plan(p.t.Context(), r)
	if err != nil {
		p.t.Fatal(integrationstest.Explain(err))
	}
	if s := (integrations.Plans{got}).String(); s != want {
		p.t.Errorf("planned %s, want %s: %+v", s, want, got)
	}
	return got, r
}

func entries(p integrations.Plan) string {
	var out []string
	for _, c := range p.Changes {
		out = append(out, c.Address+" "+strings.Join(c.Actions, ","))
	}
	return strings.Join(out, "\n")
}

func TestWhatFails(t *testing.T) {
	at := newPlace(t)
	var failed *integrations.CommandError
	try := func(what string, a *Applier, code int, want ...string) {
		t.Helper()
		_, err := a.Plan(t.Context(), at.run())
		if !errors.As(err, &failed) || failed.Code != code || failed.Step != "ansible check" {
			t.Fatalf("%s: %v", what, err)
		}
		for _, w := range want {
			if !strings.Contains(failed.Tail, w) {
				t.Errorf("%s: it lacks %q:\n%s", what, w, failed.Tail)
			}
		}
	}
	at.write("site.yml", head+"  - stat: {path: /}\n    failed_when: inventory_hostname == 'web-2'\n")
	hosts := Config{Inventory: []string{"web-1,web-2"}}
	try("a host that fails", at.step(hosts), 2, "PLAY RECAP", "Failed: web-2")
	at.write("site.yml", "- hosts: web\n  tasks: []\n")
	try("no host", at.step(hosts), 1, "no host")
	at.write("site.yml", "- hosts: all\n  gather_facts: false\n  tasks:\n  - ping:\n")
	at.write("hosts.ini", "gone ansible_host=127.0.0.1 ansible_port=1 ansible_ssh_common_args='-o ConnectTimeout=2'\n")
	try("a host that is not there", at.step(Config{Inventory: []string{"hosts.ini"}}), 4, "UNREACHABLE", "Unreachable: gone")
	at.write("site.yml", "- hosts: [\n")
	try("no YAML", at.step(hosts), 4, "Syntax Error")
	try("no password", at.step(Config{Vault: map[string]string{"default": "VAULT_PASSWORD"}}), 1, "vault default: VAULT_PASSWORD is empty; put the password into plan_env")
	if _, err := at.step(Config{Dir: "play"}).Plan(t.Context(), at.run()); err == nil || !strings.Contains(err.Error(), "there is no folder play in the repository at abababababab") {
		t.Errorf("no folder: %v", err)
	}
	t.Setenv("PATH", "/nowhere")
	try("no Ansible", at.step(hosts), 1, `"ansible-playbook": executable file not found`)
}

// The password is in nothing that another process or a later one may read: it goes by a
// pipe, and Ansible's own environment does not have it.
func TestThePasswordOfAVault(t *testing.T) {
	at := newPlace(t)
	at.secrets = map[string]string{"ONE": vaultPassword, "TWO": "another-password-2", "KEEP": "kept-for-ansible"}
	at.write("one.yml", encrypt(t, "one: first-vaulted\n", vaultPassword))
	at.write("two.yml", "two: !vault |\n  "+indent(encrypt(t, "second-vaulted", "another-password-2", "prod"), 2)+"\nplain: 1\n")
	at.write("lost.yml", encrypt(t, "lost: third-vaulted\n", "nobody-knows-it"))
	at.write("site.yml", head+`  - include_vars: "{{ item }}"
    loop: [one.yml, two.yml]
  - shell: "tr '\\0' '\\n' < /proc/$PPID/environ; env; cat /proc/[0-9]*/cmdline | tr '\\0' ' '; ls -l /dev/fd/ ; echo {{ one }} {{ two }}; grep -rl open-sesame OUTSIDE/.. || true"
    check_mode: false
    changed_when: false
    register: seen
  - copy: {content: "{{ seen.stdout }}", dest: OUTSIDE/seen}
`)
	a := at.step(Config{Vault: map[string]string{"default": "ONE", "prod": "TWO"}})
	p, r := at.plan(a, "+0 ~1 -0")
	if len(p.Notes) != 1 || p.Notes[0] != "1 vaulted value cannot be decrypted with the passwords of vault" {
		t.Errorf("notes are %q", p.Notes)
	}
	if err := a.Apply(t.Context(), r); err != nil {
		t.Fatal(integrationstest.Explain(err))
	}
	b, err := os.ReadFile(filepath.Join(at.outside, "seen"))
	if err != nil {
		t.Fatal(err)
	}
	seen := string(b)
	for _, want := range []string{"first-vaulted second-vaulted", "KEEP=kept-for-ansible"} {
		if !strings.Contains(seen, want) {
			t.Errorf("Ansible does not know %s:\n%s", want, seen)
		}
	}
	for _, not := range []string{vaultPassword, "another-password-2"} {
		if strings.Contains(seen, not) {
			t.Errorf("a module sees %s:\n%s", not, seen)
		}
		if left := at.exec.Left(t); strings.Contains(left, not) {
			t.Errorf("%s is on disk:\n%s", not, left)
		}
	}
	if !strings.Contains(p.Text, "+<redacted> <redacted>\n") {
		t.Errorf("the diff does not show what is redacted:\n%s", p.Text)
	}
	left := p.Text + at.exec.Left(t) + fmt.Sprint(p.Changes)
	for _, not := range []string{"first-vaulted", "second-vaulted"} {
		if strings.Contains(left, not) {
			t.Errorf("%s is shown:\n%s", not, left)
		}
	}
	work, err := os.ReadDir(at.work)
	if err != nil || len(work) != 0 {
		t.Errorf("the work folder keeps %v (%v)", work, err)
	}
}

func TestValidate(t *testing.T) {
	err := Config{Dir: "/x", Playbook: "../site.yml", Inventory: []string{"--list", "/etc/hosts", "web-1,"}, Limit: "-x", Tags: []string{"a,b"}, ExtraVars: map[string]string{"a-b": ""},
		ExtraVarsFiles: []string{""}, Vault: map[string]string{"a@b": "PASSWORD", "prod": "the password"}, Timeout: -time.Second}.Validate()
	const want = `dir: "/x" must be a folder inside the repository, such as "ansible"
extra_vars: "a-b" is not the name of a variable
extra_vars_files: "" must be a file inside the repository, from dir
inventory: "--list" is an option; want a file from dir, such as hosts.ini, or hosts, such as "web-1,"
inventory: "/etc/hosts" must be a file inside the repository, from dir
limit: "-x" is an option; want a pattern of hosts, such as web:!web-9
playbook: "../site.yml" must be a file inside the repository, from dir
tags: "a,b" is not one tag
timeout: -1s is negative
vault.prod: "the password" is not a variable of plan_env and apply_env; want its name, such as vault: {default: VAULT_PASSWORD}
vault: "a@b" is not a vault id; without one it is default`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	if err := (Config{}).Validate(); err == nil || err.Error() != "playbook: is missing; want a file from dir, such as site.yml" {
		t.Errorf("of nothing: %v", err)
	}
}

func TestMainRefuses(t *testing.T) {
	for _, args := range [][]string{nil, {"check"}, {"list", "--"}, {"check", "--what", "--"}} {
		var out, errOut bytes.Buffer
		if code := Main(args, &out, &errOut); code != 1 || !strings.HasPrefix(errOut.String(), "Error: ") || out.Len() > 0 {
			t.Errorf("%q: %d, %q, %q", args, code, out.String(), errOut.String())
		}
	}
}

// BenchmarkOverhead is a check and an apply over Ansible's own time. Aim: 50 ms a step.
func BenchmarkOverhead(b *testing.B) {
	at := newPlace(b)
	at.secrets["VAULT_PASSWORD"] = vaultPassword
	at.write("vault.yml", encrypt(b, "password: hunter22-vaulted\n", vaultPassword))
	at.write("site.yml", head+"  - command: \"true\"\n")
	a := at.step(Config{Vault: map[string]string{"default": "VAULT_PASSWORD"}})
	password := filepath.Join(b.TempDir(), "password")
	write(b, password, vaultPassword)
	argv := []string{"ansible-playbook", "--diff", "--inventory=localhost,", "--vault-password-file=" + password, "site.yml"}
	integrationstest.Overhead(b, a, at.run, append(argv[:4:4], "--check", "site.yml"), argv)
}

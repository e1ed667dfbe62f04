package ansible

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
)

var (
	tokyo   = integrations.Site{Account: "main", Region: "ap-northeast-1"}
	allowed = []integrations.Ingress{{Site: tokyo, Group: "sg-0a000000000000001", Port: 22}, {Site: tokyo, Group: "sg-0a000000000000001", Port: 2222}}
)

// doors is a fake of who opens ports: it writes down what is asked of it, and makes a file
// while one is open.
type doors struct {
	t      testing.TB
	file   string
	refuse error
	asked  []integrations.Ingress
	did    string
}

func (d *doors) Open(_ context.Context, r integrations.Run, i integrations.Ingress) error {
	d.did, d.asked = d.did+"o", append(d.asked, i)
	if d.refuse != nil {
		return d.refuse
	}
	write(d.t, d.file, "")
	return nil
}

func (d *doors) Close(_ context.Context, r integrations.Run, i integrations.Ingress) {
	d.did += "c"
	if err := os.Remove(d.file); err != nil {
		d.t.Error(err)
	}
}

// windowed is a step whose playbook works only while the port is open.
func windowed(t *testing.T, more string) (*place, *Applier, *doors) {
	at := newPlace(t)
	d := &doors{t: t, file: filepath.Join(at.outside, "open")}
	at.write("site.yml", head+"  - stat: {path: OUTSIDE/open}\n    register: door\n    failed_when: not door.stat.exists\n  - copy: {content: it, dest: OUTSIDE/it}\n"+more)
	a, err := Step(Config{Playbook: "site.yml", Inventory: []string{"localhost,"}, SSHWindow: Window{Group: "sg-0a000000000000001"}}, allowed...)
	if err != nil {
		t.Fatal(err)
	}
	return at, a, d
}

// The port is open while Ansible runs, for a check and a probe as for the playbook, for
// longer than that may take, and closed each time.
func TestThePortIsOpenMeanwhile(t *testing.T) {
	at, a, d := windowed(t, "")
	r := at.run()
	r.Ingress = d
	p, err := a.Plan(t.Context(), r)
	if err != nil || (integrations.Plans{p}).String() != "+0 ~1 -0" || d.did != "oc" {
		t.Fatalf("planned %+v, %v, %q", p, integrationstest.Explain(err), d.did)
	}
	if err := a.Apply(t.Context(), r); err != nil || d.did != "ococ" {
		t.Fatalf("applied: %v, %q", integrationstest.Explain(err), d.did)
	}
	left, err := a.Probe(t.Context(), r)
	if err != nil || !left.Clean || d.did != "ocococ" {
		t.Fatalf("probed %+v, %v, %q", left, integrationstest.Explain(err), d.did)
	}
	want := allowed[0]
	want.Limit = integrations.IngressTimeout + integrations.IngressGrace
	for _, i := range d.asked {
		if i != want {
			t.Errorf("asked for %+v, want %+v", i, want)
		}
	}
	if _, err := a.Plan(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if err := a.Apply(t.Context(), r); err != nil || d.did != "ococococ" { // nothing to do: nothing is opened
		t.Errorf("applied nothing: %v, %q", err, d.did)
	}
}

// What fails closes the port too.
func TestThePortIsClosedAfterAFailure(t *testing.T) {
	at, a, d := windowed(t, "  - fail: {msg: no}\n    when: not ansible_check_mode\n")
	r := at.run()
	r.Ingress = d
	if _, err := a.Plan(t.Context(), r); err != nil {
		t.Fatal(integrationstest.Explain(err))
	}
	if err := a.Apply(t.Context(), r); err == nil || d.did != "ococ" {
		t.Errorf("%v, %q", err, d.did)
	}
}

// A port that cannot be opened runs nothing; but what was begun before a restart is
// followed all the same.
func TestThePortCannotBeOpened(t *testing.T) {
	at, a, d := windowed(t, "")
	r := at.run()
	r.Ingress = d
	if _, err := a.Plan(t.Context(), r); err != nil {
		t.Fatal(integrationstest.Explain(err))
	}
	d.refuse = errors.New("the group is full")
	for name, do := range map[string]func() error{
		"plan":  func() error { _, err := a.Plan(t.Context(), r); return err },
		"probe": func() error { _, err := a.Probe(t.Context(), r); return err },
	} {
		if err := do(); !errors.Is(err, d.refuse) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := a.Apply(t.Context(), r); !errors.Is(err, d.refuse) {
		t.Errorf("apply: %v", err)
	}
	if _, err := os.Stat(filepath.Join(at.outside, "it")); err == nil || strings.Contains(d.did[2:], "c") {
		t.Errorf("it ran: %v, %q", err, d.did)
	}
	d.refuse = nil
	if err := a.Apply(t.Context(), r); err != nil {
		t.Fatal(integrationstest.Explain(err))
	}
	d.refuse = errors.New("the group is full")
	write(t, d.file, "") // as the lease of before has it
	if err := a.Apply(t.Context(), r); err != nil {
		t.Errorf("what was begun is not followed: %v", err)
	}
	if err := os.Remove(filepath.Join(at.outside, "it")); err != nil {
		t.Fatal(err)
	}
	d.refuse = nil
	if _, err := a.Plan(t.Context(), r); err != nil { // the next attempt
		t.Fatal(integrationstest.Explain(err))
	}
	if d.refuse = errors.New("the group is full"); !errors.Is(a.Apply(t.Context(), r), d.refuse) {
		t.Error("the next attempt takes it for open")
	}
	if err := a.Apply(t.Context(), at.run()); err == nil || !strings.Contains(err.Error(), "nothing here can open it") {
		t.Errorf("nobody opens it: %v", err)
	}
}

// A bot that is stopped leaves the port open for the playbook, which goes on without it;
// of a check, which is begun again, it does not.
func TestThePortOfABotThatIsStopped(t *testing.T) {
	at, a, d := windowed(t, "")
	r := at.run()
	r.Ingress = d
	if _, err := a.Plan(t.Context(), r); err != nil {
		t.Fatal(integrationstest.Explain(err))
	}
	ctx, stop := context.WithCancel(t.Context())
	last := &integrations.Command{}
	r.Exec = stopping{r.Exec, stop, last}
	_ = a.Apply(ctx, r)
	if last.Timeout != integrations.IngressTimeout || last.Timeout >= d.asked[len(d.asked)-1].Limit {
		t.Errorf("it may take %v, and the port is open for %v", last.Timeout, d.asked[len(d.asked)-1].Limit)
	}
	if d.did != "oco" {
		t.Errorf("the apply did %q", d.did)
	}
	if err := os.Remove(d.file); err != nil {
		t.Fatal(err)
	}
	ctx, stop = context.WithCancel(t.Context())
	r.Exec = stopping{r.Exec, stop, last}
	_, _ = a.Plan(ctx, r)
	if d.did != "ocooc" {
		t.Errorf("the check did %q", d.did)
	}
}

// stopping is a bot that is stopped while something runs.
type stopping struct {
	integrations.Exec
	stop func()
	last *integrations.Command
}

func (s stopping) Run(ctx context.Context, c integrations.Command) (integrations.Output, error) {
	s.stop()
	*s.last = c
	return integrations.Output{}, ctx.Err()
}

func (s stopping) Effect(ctx context.Context, _ string, c integrations.Command) (integrations.Output, error) {
	s.stop()
	*s.last = c
	return integrations.Output{}, ctx.Err()
}

func TestWhichPort(t *testing.T) {
	for what, c := range map[string]struct {
		w    Window
		want string
	}{
		"by its group":    {Window{Group: "sg-0a000000000000001"}, ""},
		"all of it":       {Window{"sg-0a000000000000001", 2222, "main", "ap-northeast-1"}, ""},
		"no group":        {Window{Port: 22}, "ssh_window: group is missing; want the id of a security group that ingress.groups names"},
		"another group":   {Window{Group: "sg-0b000000000000001"}, `ssh_window: group "sg-0b000000000000001" may not be opened; ingress.groups does not name it`},
		"another port":    {Window{Group: "sg-0a000000000000001", Port: 23}, "ssh_window: port 23 of sg-0a000000000000001 may not be opened; ingress.groups allows 22, 2222"},
		"another account": {Window{Group: "sg-0a000000000000001", Account: "x"}, `ssh_window: account is "x", and ingress.groups has sg-0a000000000000001 in "main"`},
		"another region":  {Window{Group: "sg-0a000000000000001", Region: "x"}, `ssh_window: region is "x", and ingress.groups has sg-0a000000000000001 in "ap-northeast-1"`},
	} {
		_, err := Step(Config{Playbook: "site.yml", SSHWindow: c.w}, allowed...)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", what, got, c.want)
		}
	}
	_, err := Step(Config{Playbook: "site.yml", Timeout: 3 * time.Hour, SSHWindow: Window{Group: "sg-0a000000000000001"}}, allowed...)
	if err == nil || err.Error() != "timeout: 3h0m0s is longer than a port may be open; with ssh_window it is 2h0m0s at most" {
		t.Errorf("for long: %v", err)
	}
}

// fakeSSH stands where ssh does: it runs what it is to run on this machine, leaves a
// master behind, and ends one that it is told to end.
const fakeSSH = `#!/bin/sh
for a; do
	case $a in
	ControlPath=*) path=${a#ControlPath=}; path=${path%\"}; path=${path#\"} ;;
	-O) exits=1 ;;
	esac
	last=$a
done
[ -n "$path" ] || exit 0 # Ansible asks whether it knows masters at all
if [ -n "$exits" ]; then echo "exit" >> OUTSIDE/masters; rm "$path"; exit; fi
case $path in OUTSIDE/*) echo "in the folder of ansible.cfg" >> OUTSIDE/masters ;; esac
[ -e "$path" ] || { echo "master ${#path}" >> OUTSIDE/masters; : > "$path"; }
exec /bin/sh -c "$last"
`

// No connection outlives a run for which a port was opened, wherever ansible.cfg keeps it;
// of other runs they are left for the next one.
func TestNoConnectionIsLeft(t *testing.T) {
	for _, alone := range []bool{true, false} {
		at := newPlace(t)
		bin := t.TempDir()
		write(t, filepath.Join(bin, "ssh"), strings.ReplaceAll(fakeSSH, "OUTSIDE", at.outside))
		if err := os.Chmod(filepath.Join(bin, "ssh"), 0o700); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
		at.write("ansible.cfg", quick+"[ssh_connection]\npipelining = true\ncontrol_path = OUTSIDE/kept\n")
		at.write("site.yml", "- hosts: all\n  gather_facts: false\n  tasks:\n  - copy: {content: it, dest: OUTSIDE/it}\n")
		d := &doors{t: t, file: filepath.Join(at.outside, "open")}
		c := Config{Playbook: "site.yml", Inventory: []string{"web-1,"}}
		if alone {
			c.SSHWindow.Group = "sg-0a000000000000001"
		}
		a, err := Step(c, allowed...)
		if err != nil {
			t.Fatal(err)
		}
		r := at.run()
		r.Ingress = d
		if _, err := a.Plan(t.Context(), r); err != nil {
			t.Fatal(integrationstest.Explain(err))
		}
		b, err := os.ReadFile(filepath.Join(at.outside, "masters"))
		if err != nil {
			t.Fatal(err)
		}
		did := strings.Fields(string(b))
		if alone && (len(did) != 3 || did[0] != "master" || did[2] != "exit" || len(did[1]) > 2 || did[1] > "90") {
			t.Errorf("it did\n%s", b)
		}
		if !alone && (!strings.Contains(string(b), "in the folder of ansible.cfg") || strings.Contains(string(b), "exit")) {
			t.Errorf("without a window it did\n%s", b)
		}
	}
}

// The sockets of SSH are in a folder of which their names stay short enough, and that
// nobody else may look into.
func TestTheSocketsOfSSH(t *testing.T) {
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), strings.Repeat("x", 90))} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		t.Setenv("TMPDIR", dir)
		m, err := keepMasters()
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(m.dir)
		if err != nil || len(m.dir) > longestDir || info.Mode().Perm() != 0o700 {
			t.Errorf("it is %s, %v (%v)", m.dir, info.Mode(), err)
		}
		var said strings.Builder
		m.end(&said)
		if _, err := os.Stat(m.dir); !errors.Is(err, os.ErrNotExist) || said.Len() > 0 {
			t.Errorf("left is %s: %v, %q", m.dir, err, said.String())
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left in %s: %v (%v)", dir, left, err)
		}
	}
}

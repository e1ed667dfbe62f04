package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	doorGroup = "sg-0a000000000000001"
	doorSelf  = "54.65.0.7/32"
	doorOther = "54.65.0.9/32" // that somebody else lets in
)

// doorway is a box whose web/staging is applied by Ansible, which needs a port open: the
// playbook says that it has begun, and waits while it is told to.
type doorway struct {
	*box
	sim *awssim.Sim
	// strike is told of each call to EC2, by its action and how often that was called; it
	// may kill the bot. acted says that the call is done, and not answered yet.
	strike atomic.Pointer[func(action string, nth int, acted bool) bool]
}

const doorPlaybook = `- hosts: all
  connection: local
  gather_facts: false
  tasks:
  - name: the release
    shell: "echo apply it >> HERE/effects; touch HERE/at-apply; while [ -e HERE/hold-apply ]; do sleep 0.02; done"
    args: {creates: HERE/done}
`

func newDoorway(t *testing.T, change ...func(*boxWorld)) *doorway {
	t.Helper()
	if _, err := exec.LookPath("ansible-playbook"); err != nil {
		t.Skip("ansible-playbook is not on PATH")
	}
	sim, err := awssim.New(awssim.Config{Log: slog.New(slog.DiscardHandler), Accounts: map[string]string{awssim.DemoKey: "main"}, Fleet: awssim.Fleet{
		Accounts: []awssim.Account{{Name: "main", Number: "123456789012"}}, Regions: []string{"ap-northeast-1"},
		In: []awssim.Estate{{SecurityGroups: []awssim.SecurityGroup{{ID: doorGroup, Tags: map[string]string{"Role": "door"}, Rules: []awssim.SecurityRule{{From: 22, To: 22, CIDR: doorOther}}}}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	d := &doorway{sim: sim}
	server := httptest.NewServer(http.HandlerFunc(d.serve))
	t.Cleanup(server.Close)
	d.box = newBox(t, func(w *boxWorld) {
		w.deploy = strings.ReplaceAll(doorPlaybook, "HERE", filepath.Join(w.b.dir, "tool"))
		w.edit = func(config string) string {
			before, rest, _ := strings.Cut(config, "      - terraform: {dir: deploy/staging")
			_, after, _ := strings.Cut(rest, "\n")
			step := "      - ansible: {dir: deploy/staging, playbook: main.tf, inventory: [\"localhost,\"], extra_vars: {ansible_python_interpreter: /usr/bin/python3}, ssh_window: " + doorGroup + "}\n"
			return before + step + after + "aws:\n  accounts:\n    - {name: main, regions: [ap-northeast-1], endpoint: \"" + server.URL + "\", access_key_id: " + awssim.DemoKey + ", secret_access_key: secret}\n" +
				"ingress:\n  address: " + strings.TrimSuffix(doorSelf, "/32") + "\n  groups: [" + doorGroup + "]\n"
		}
		for _, c := range change {
			c(w)
		}
	})
	return d
}

func (d *doorway) serve(w http.ResponseWriter, r *http.Request) {
	held := httptest.NewRecorder()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	q, _ := url.ParseQuery(string(body)) // what is none has no action
	action, nth := q.Get("Action"), 1
	for _, c := range d.sim.Calls() {
		if c.Name == "ec2:"+action {
			nth++
		}
	}
	strike := func(acted bool) bool {
		f := d.strike.Load()
		return f != nil && (*f)(action, nth, acted)
	}
	if strike(false) {
		panic(http.ErrAbortHandler)
	}
	d.sim.Handler().ServeHTTP(held, r)
	if strike(true) {
		panic(http.ErrAbortHandler)
	}
	for k, v := range held.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(held.Code)
	_, _ = w.Write(held.Body.Bytes())
}

// own are the rules that let this machine in.
func (d *doorway) own() (out []string) {
	for _, r := range d.sim.Rules(doorGroup) {
		if r.CIDR == doorSelf {
			out = append(out, r.ID+" "+r.Tags[integrations.TagWindow])
		}
	}
	return out
}

// untilLooked waits until the probe has looked at what nobody knows the end of, which
// opens the port once more.
func (d *doorway) untilLooked() {
	d.t.Helper()
	d.untilCard("op-1", ": unknown")
	d.until("the probe has looked", func() bool { return strings.Contains(string(d.card("op-1").Blocks), "A check would still change") })
}

// untilClosed waits until nothing lets this machine in any more, and no lease is left; what
// somebody else let in is.
func (d *doorway) untilClosed() {
	d.t.Helper()
	d.until("the port is closed", func() bool { return len(d.own()) == 0 && len(d.leases()) == 0 })
	if all := d.sim.Rules(doorGroup); len(all) != 1 || all[0].CIDR != doorOther {
		d.t.Errorf("the group is left with %+v", all)
	}
}

// leases are the windows that are not over, as their feature keeps them.
func (d *doorway) leases() (out []string) {
	d.book(func(tx *store.Tx) error {
		out = nil
		return store.Feature[struct{ State string }](tx, "ingress").Each("", func(id string, l struct{ State string }) error {
			if l.State != "over" {
				out = append(out, id+" "+l.State)
			}
			return nil
		})
	})
	return out
}

// acts are those of a job that the audit has, the oldest first.
func (d *doorway) acts(job string) string {
	var out []string
	d.book(func(tx *store.Tx) error {
		out = nil
		rows, err := tx.AuditAfter(0, 1000)
		for _, r := range rows {
			if r.Subject == job && strings.HasSuffix(r.Act, "-port") {
				out = append(out, r.Act)
			}
		}
		return err
	})
	return strings.Join(out, " ")
}

// applies comes to the middle of the playbook.
func (d *doorway) applies() {
	d.t.Helper()
	d.tell("hold-apply")
	d.start()
	d.say("alice", "/ops deploy web to staging")
	d.untilCard("op-1", ": open", "plan +0 ~1 -0")
	d.pressMerge("op-1")
	d.until("the playbook has begun", func() bool { return d.told("at-apply") })
}

// A port is open to this machine while a playbook runs, and closed when it has ended:
// also when the bot is killed meanwhile, when the playbook ends while there is no bot,
// when the bot is stopped, and when the playbook itself is killed so that nobody knows how
// far it came.
func TestAPortIsOpenWhileAPlaybookRuns(t *testing.T) {
	for name, c := range map[string]struct {
		dies  func(d *doorway)
		state string
	}{
		"the bot lives": {func(d *doorway) { d.untell("hold-apply") }, "succeeded"},
		"the bot dies": {func(d *doorway) {
			d.restart()
			d.until("the bot is back", d.ready)
			d.untell("hold-apply")
		}, "succeeded"},
		"it is stopped": {func(d *doorway) {
			d.stop()
			if len(d.own()) != 1 {
				d.t.Errorf("the playbook goes on, and open is %q", d.own())
			}
			d.start()
			d.untell("hold-apply")
		}, "succeeded"},
		"it ends without": {func(d *doorway) {
			d.kill()
			d.untell("hold-apply")
			d.untilStep(d.step("-apply"), proc.Exited)
			d.start()
		}, "succeeded"},
		"all is killed": {func(d *doorway) {
			d.kill()
			if err := proc.Kill(d.step("-apply")); err != nil {
				d.t.Fatal(err)
			}
			d.start()
		}, "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDoorway(t)
			d.applies()
			job := d.applyJob().ID
			if own := d.own(); len(own) != 1 || !strings.Contains(own[0], " "+job+" until ") {
				t.Errorf("while %s runs, open is %q", job, own)
			}
			d.ask("bob", "/ops status", "port 22 is open to "+doorSelf)
			c.dies(d)
			if d.untilCard("op-1", ": "+c.state); c.state == "unknown" {
				d.untilLooked()
			}
			d.untilClosed()
			if n := len(d.effects()); n != 1 {
				t.Errorf("the playbook ran %d times", n)
			}
			if acts := d.acts(job); !strings.HasPrefix(acts, "open-port close-port open-port ") || !strings.HasSuffix(acts, " close-port") {
				t.Errorf("the audit of %s has %q", job, acts)
			}
		})
	}
}

// The bot is killed before and after each change of the group, once its answer is lost and
// with it the id of the rule: in the plan as in the apply, no rule of ours is left, and the
// playbook runs once.
func TestABotThatIsKilledAtAPort(t *testing.T) {
	for _, action := range []string{"DescribeSecurityGroupRules", "AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"} {
		for _, acted := range []bool{false, true} {
			for _, nth := range []int{1, 3} { // of the first plan, and of the apply
				t.Run(fmt.Sprint(action, " ", nth, " acted ", acted), func(t *testing.T) {
					t.Parallel()
					d := newDoorway(t)
					var struck atomic.Bool
					strike := func(what string, n int, done bool) bool {
						if what != action || n != nth || done != acted || !struck.CompareAndSwap(false, true) {
							return false
						}
						d.cut()
						return true
					}
					d.strike.Store(&strike)
					d.start()
					d.say("alice", "/ops deploy web to staging")
					d.untilCard("op-1", ": open", "plan +0 ~1 -0")
					d.pressMerge("op-1")
					d.untilTold("op-1", "succeeded")
					d.untilClosed()
					if n := len(d.effects()); n != 1 || !struck.Load() {
						t.Errorf("the playbook ran %d times; the bot was killed: %v", n, struck.Load())
					}
				})
			}
		}
	}
}

// A bot that comes back when a window's time is long over, and the playbook was killed
// with its machine, closes it at once.
func TestABotThatWasDeadPastTheWindow(t *testing.T) {
	t.Parallel()
	d := newDoorway(t, func(w *boxWorld) { w.clock = clock.NewMovable(0) })
	stop := d.runInside()
	d.tell("hold-apply")
	d.say("alice", "/ops deploy web to staging")
	d.untilCard("op-1", ": open", "plan +0 ~1 -0")
	d.pressMerge("op-1")
	d.until("the playbook has begun", func() bool { return d.told("at-apply") })
	stop()
	if len(d.own()) != 1 {
		t.Errorf("the playbook goes on, and open is %q", d.own())
	}
	if err := proc.Kill(d.step("-apply")); err != nil {
		t.Fatal(err)
	}
	if err := d.clock.Advance(t.Context(), 24*time.Hour, nil); err != nil {
		t.Fatal(err)
	}
	d.runInside()
	d.untilLooked()
	d.untilClosed()
}

// A port that EC2 does not close is told of in chat, once, in the language of whoever reads
// it, with the command that closes it; and its end in the same message.
func TestAPortThatCannotBeClosedIsAnAlarm(t *testing.T) {
	for language, says := range map[string]struct{ open, closed string }{
		"en": {"was opened to 54.65.0.7/32 for job-2 on web/staging, and cannot be shown to be closed · ", "is closed to 54.65.0.7/32, which was open for job-2."},
		"ja": {"閉じたことを確認できません", "54.65.0.7/32に対して閉じました"},
	} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			d := newDoorway(t, func(w *boxWorld) {
				w.clock = clock.NewMovable(0)
				was := w.edit
				w.edit = func(text string) string {
					return strings.Replace(was(text), "slack:\n", "slack:\n  language: "+language+"\n", 1)
				}
			})
			d.runInside()
			if err := d.sim.Fault(awssim.Fault{Kind: "error", Action: "RevokeSecurityGroupIngress", Code: "UnauthorizedOperation", Count: -1}); err != nil {
				t.Fatal(err)
			}
			d.say("alice", "/ops deploy web to staging")
			d.untilCard("op-1", "op-1", "+0 ~1 -0")
			alarms := func() (out []string) {
				for _, m := range d.history("") {
					if strings.Contains(m.Text, doorGroup) {
						out = append(out, m.Text)
					}
				}
				return out
			}
			for range 3 {
				d.advance(time.Minute)
			}
			rule, _, _ := strings.Cut(d.own()[0], " ")
			by := "aws ec2 revoke-security-group-ingress --region ap-northeast-1 --group-id " + doorGroup + " --security-group-rule-ids " + rule
			d.until("people are told", func() bool { return len(alarms()) > 0 })
			for range 5 {
				d.advance(time.Minute)
			}
			if got := alarms(); len(got) != 1 || !strings.Contains(got[0], says.open) || !strings.Contains(got[0], by) {
				t.Errorf("told is %q, want %q and %q", got, says.open, by)
			}
			d.sim.ClearFaults()
			d.advance(time.Minute)
			d.untilClosed()
			d.until("its end is told", func() bool { return strings.Contains(strings.Join(alarms(), "\n"), says.closed) })
			if got := alarms(); len(got) != 1 {
				t.Errorf("told is %q", got)
			}
		})
	}
}

// check asks EC2 whether the ports may be opened, and by which address we come to them.
func TestCheckLooksAtPorts(t *testing.T) {
	d := newDoorway(t)
	c, err := loadConfig(filepath.Join(d.dir, "signalbox.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if all := ingressFindings(t.Context(), c); len(all) != 1 || !all[0].OK || !strings.Contains(all[0].Say, "port 22 may be opened") {
		t.Errorf("as it should be: %+v", all)
	}
	for said, ok := range map[string]bool{"54.65.0.7\n": true, "10.0.0.7\n": false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, said) }))
		c.Ingress.Address, c.Ingress.AddressURL = "", server.URL
		all := ingressFindings(t.Context(), c)
		server.Close()
		if len(all) != 2 || all[0].OK != ok || !all[1].OK {
			t.Errorf("told %q: %+v", said, all)
		}
	}
	c.Ingress = IngressConfig{}
	if all := ingressFindings(t.Context(), c); len(all) > 0 {
		t.Errorf("without any: %+v", all)
	}
}

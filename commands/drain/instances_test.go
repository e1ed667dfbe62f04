package drain

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// The tag, the group and the pools of an instance may say different things; the list
// tells so, and of one that a drain moves it does not.
func TestInstancesThatContradictThemselves(t *testing.T) {
	r := newRoom(t, 6)
	line := func(name string) string {
		for _, l := range strings.Split(r.must(alice, "instances").Private.Text, "\n") {
			if strings.HasPrefix(l, name+" ") {
				return l
			}
		}
		t.Fatalf("no line of %s", name)
		return ""
	}
	if got := line("web-1"); strings.Contains(got, "⚠️") {
		t.Errorf("all is well: %s", got)
	}
	r.fleet.boxes["i-1"].lifecycle = integrations.MemberStandby
	r.fleet.boxes["i-2"].running = false
	tag(r.fleet.boxes["i-3"], "standby")
	tag(r.fleet.boxes["i-4"], draining)
	r.fleet.boxes["i-6"].Notice = "marked-for-termination"
	r.watch.host("i-3").Status = integrations.HostStandby
	r.watch.host("i-4").Status = integrations.HostStandby
	d := r.begins("drain web-5")
	r.goes(func() bool { return r.drain(d.ID).State == stateWait })
	for name, want := range map[string]string{
		"web-1": "⚠️ it says working, and its group Standby", "web-2": "⚠️ it says working, and web: unhealthy", "web-3": "⚠️ it says standby, and web sends it requests",
		"web-4": "⚠️ it says that it is draining, and no drain goes on", "web-5": "drain-1 waiting for its load balancers", "web-6": "⚠️ EC2 takes it back (marked-for-termination)",
	} {
		if got := line(name); !strings.HasSuffix(got, want) {
			t.Errorf("%s, want %q", got, want)
		}
	}
}

// Its monitoring may say something else of an instance, or not know it, or know one that
// there is not. What a drain moves contradicts nothing, and a monitoring that does not
// answer is said to.
func TestInstancesThatTheirMonitoringSeesOtherwise(t *testing.T) {
	r := newRoom(t, 7)
	all := func(line string) string {
		t.Helper()
		return r.must(alice, strings.TrimSpace("instances "+line)).Private.Text
	}
	if got := all(""); strings.Contains(got, "⚠️") || strings.Contains(got, "onitoring") {
		t.Errorf("all is well: %s", got)
	}
	r.fleet.boxes["i-1"].lifecycle = integrations.MemberStandby
	for instance, status := range map[string]string{"i-1": integrations.HostStandby, "i-2": integrations.HostMaintenance, "i-6": integrations.HostPoweroff} {
		r.watch.host(instance).Status = status
	}
	tag(r.fleet.boxes["i-3"], "")
	r.watch.host("i-3").Status = integrations.HostStandby
	r.watch.hosts["i-4"] = nil
	r.watch.hosts["i-99"] = &integrations.MonitoredHost{ID: "h99", Name: "web-99", Status: integrations.HostWorking}
	d := r.begins("drain web-5")
	r.goes(func() bool { return r.drain(d.ID).State == stateWait })
	list := all("")
	for name, want := range map[string]string{
		"web-1": "⚠️ it says working, and its group Standby · ⚠️ it says working, and its monitoring standby",
		"web-2": " old · ⚠️ nobody watches it: its monitoring says maintenance", "web-3": " old · ⚠️ web sends it requests, and its monitoring says standby",
		"web-4": " old · ⚠️ its monitoring does not know it", "web-5": "drain-1 waiting for its load balancers",
		"web-6": " old · ⚠️ nobody watches it: its monitoring says poweroff", "web-7": " old",
	} {
		if !strings.Contains(list+"\n", want+"\n") {
			t.Errorf("%s, want %q in:\n%s", name, want, list)
		}
	}
	const gone = "In the monitoring, and no instance of these accounts: web-99 i-99 (working)."
	if !strings.HasSuffix(list, "\n"+gone) {
		t.Errorf("what there is not:\n%s", list)
	}
	if got := all("role=app"); strings.Contains(got, "web-99") {
		t.Errorf("of one role, nobody knows what there is not:\n%s", got)
	}
	// A young one is not there yet, and one that is stopped is no longer to be watched.
	tag(r.fleet.boxes["i-3"], working)
	r.watch.host("i-3").Status = integrations.HostWorking
	r.fleet.boxes["i-4"].Launched = r.clock.Now().Add(-registers + time.Second)
	r.fleet.boxes["i-3"].State = "stopped"
	list = all("")
	if !strings.Contains(list, " ⚠️ it is stopped, and its monitoring says working\n") || strings.Contains(list, "does not know it") {
		t.Errorf("stopped and young:\n%s", list)
	}
	r.fleet.boxes["i-4"].Launched = r.clock.Now().Add(-registers)
	if list = all(""); !strings.Contains(list, "does not know it") {
		t.Errorf("no longer young:\n%s", list)
	}
	r.watch.blind = func() error { return errors.New("403: no permission to read") }
	for _, line := range []string{"", "role=app"} {
		if list = all(line); strings.Contains(list, "does not know it") || !strings.HasSuffix(list, "\nTheir monitoring cannot be read now, and is not compared: “403: no permission to read”.") {
			t.Errorf("it does not answer:\n%s", list)
		}
	}
	r.f.Monitor = nil
	r.feat = New(r.f.Deps)
	if list = all(""); strings.Contains(list, "onitoring") {
		t.Errorf("there is none:\n%s", list)
	}
}

// What others do with an instance is said of it, and it contradicts nothing meanwhile.
func TestInstancesThatAreBorn(t *testing.T) {
	r := newRoom(t, 3)
	r.f.Notes = func(*store.Tx) (map[string]integrations.Rich, error) {
		return map[string]integrations.Rich{"i-2": integrations.R(integrations.Code("birth-1"), " smoke")}, nil
	}
	r.feat = New(r.f.Deps)
	tag(r.fleet.boxes["i-2"], "standby")
	got := r.must(alice, "instances").Private.Text
	if !strings.Contains(got, "web-2 i-2 · standby · ") || !strings.Contains(got, " old · birth-1 smoke\n") || strings.Contains(got, "⚠️") {
		t.Error(got)
	}
	r.fleet.boxes["i-2"].lifecycle = integrations.MemberWaiting
	if reply := r.must(alice, "drain web-2"); reply.Private == nil || !strings.Contains(reply.Private.Text, "G4 group: it is Pending:Wait in web, and not InService.") {
		t.Errorf("one that is being born may be drained: %+v", reply)
	}
}

func tag(b *box, status string) { b.Tags["Status"], b.Status = status, status }

// Where there are several accounts, each instance says whose it is; and names that several
// have are proposed once.
func TestInstancesOfSeveralAccounts(t *testing.T) {
	r := newRoom(t, 3)
	b := r.fleet.boxes["i-3"]
	if got := r.must(alice, "instances").Private.Text; strings.Contains(got, "main") {
		t.Errorf("there is one account: %s", got)
	}
	b.Site.Account, b.Name = "other", "web-2"
	list := r.must(alice, "instances").Private.Text
	for _, want := range []string{"web-1 i-1 · working · main/", "web-2 i-2 · working · main/", "web-2 i-3 · working · other/"} {
		if !strings.Contains(list, want) {
			t.Errorf("want %q in %s", want, list)
		}
	}
	_, err := r.says(alice, "drain web-7")
	var no *commands.Refusal
	if !errors.As(err, &no) || no.Hint != "There are web-1, web-2." {
		t.Errorf("%+v", err)
	}
}

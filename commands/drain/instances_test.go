package drain

import (
	"strings"
	"testing"

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

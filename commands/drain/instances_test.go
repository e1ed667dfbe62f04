package drain

import (
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
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

func tag(b *box, status string) { b.Tags["Status"], b.Status = status, status }

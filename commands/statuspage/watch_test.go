package statuspage

import (
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// passes looks at the page again.
func (r *room) passes(d time.Duration) {
	r.t.Helper()
	r.clock.move(d)
	if err := r.f.look(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func TestWhatOthersDoOnThePageIsShown(t *testing.T) {
	r := newRoom(t)
	i := r.site.post("", integrations.PagePost{Title: "Theirs", Status: "investigating", Body: "Hm.", Components: map[string]string{"c-web": "partial_outage"}})
	r.passes(0)
	if where := r.where(i.ID); where != "C-ops" {
		t.Fatalf("it is shown in %q", where)
	}
	has(t, r.shown(i.ID), "Theirs · investigating", "Hm.", "🟠 web", "[Resolve…]")
	r.site.post(i.ID, integrations.PagePost{Status: "identified", Body: "Found."})
	r.site.set("c-web", "major_outage")
	r.passes(time.Minute) // which is too early to look
	has(t, r.shown(i.ID), "Theirs · investigating")
	r.passes(2 * time.Minute)
	has(t, r.shown(i.ID), "Theirs · identified", "Found.", "🔴 web")
	r.site.post(i.ID, integrations.PagePost{Status: "resolved", Body: "Over."})
	r.passes(3 * time.Minute)
	has(t, r.shown(i.ID), "✅", "resolved", "Over.")
	lacks(t, r.shown(i.ID), "[Resolve…]")
}

func TestAnIncidentThatIsDeletedIsSaidToBeGone(t *testing.T) {
	r := newRoom(t)
	i := r.site.post("", integrations.PagePost{Title: "Theirs", Status: "investigating", Body: "Hm."})
	r.passes(0)
	r.site.incidents = nil
	r.passes(3 * time.Minute)
	has(t, r.shown(i.ID), "is not on the page any more")
	lacks(t, r.shown(i.ID), "[Update…]")
}

func TestAPageThatIsSilentIsSaidToBeSo(t *testing.T) {
	r := newRoom(t)
	i := r.site.post("", integrations.PagePost{Title: "Theirs", Status: "investigating", Body: "Hm."})
	r.passes(0)
	r.site.fault = func(string, bool) error { return faults["lost"] }
	r.passes(3 * time.Minute)
	lacks(t, r.shown(i.ID), "does not answer")
	r.passes(3 * time.Minute)
	has(t, r.shown(i.ID), "Statuspage does not answer: “connection reset by peer”")
	r.site.fault = nil
	r.passes(3 * time.Minute)
	lacks(t, r.shown(i.ID), "does not answer")
}

// What was read before a post does not overwrite what was posted.
func TestAnOlderSightIsNotTaken(t *testing.T) {
	r := newRoom(t)
	id := r.must(openLine)
	r.pressed(id, "Confirm")
	incident := r.goes(id, time.Minute).Incident
	r.clock.move(3 * time.Minute)
	r.site.fault = func(call string, before bool) error {
		if call != "unresolved" || before {
			return nil
		}
		r.site.fault = nil
		r.clock.move(time.Second)
		id := r.must("statuspage update " + incident + " identified Found.")
		r.pressed(id, "Confirm")
		r.goes(id, time.Minute)
		return nil
	}
	r.passes(0)
	has(t, r.shown(incident), "identified", "Found.")
}

func TestThePageIsShown(t *testing.T) {
	r := newRoom(t)
	reply, err := r.says("statuspage", 0)
	if err != nil {
		t.Fatal(err)
	}
	has(t, reply.Private.Text, "Everything is operational", "🟢 operational: web, api, dns")
	r.site.set("c-web", "partial_outage")
	r.site.post("", integrations.PagePost{Title: "Theirs", Status: "investigating", Body: "Hm.", Impact: "major"})
	reply, err = r.says("statuspage", 0)
	if err != nil {
		t.Fatal(err)
	}
	has(t, reply.Private.Text, "1 incident is open", "🟠 partial_outage: web\n🟢 operational: api, dns", "inc-1 Theirs · investigating · impact major · Hm.")
}

package statuspage

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

const openLine = `statuspage open "Checkout is slow" --impact minor --components web,api=partial_outage --component-status degraded_performance We are looking into it.`

func TestAnIncidentIsShownBeforeItIsPosted(t *testing.T) {
	r := newRoom(t)
	id := r.must(openLine)
	has(t, r.shown(id), "Customers will read of a new incident", "Checkout is slow · investigating · impact minor", "We are looking into it.",
		"web: operational → degraded_performance", "api: operational → partial_outage", "subscribers are not written to, unless", "[Confirm][Confirm and notify subscribers][Cancel]")
	if len(r.site.incidents) > 0 {
		t.Error("it is posted before it is confirmed")
	}
	for _, b := range r.message(id).Blocks {
		for _, button := range b.Buttons {
			if asks := button.Confirm != ""; asks != (button.Label == "Confirm and notify subscribers") {
				t.Errorf("%s asks %q", button.Label, button.Confirm)
			}
		}
	}
	if reply := r.pressed(id, "Confirm"); reply.Outcome != "confirmed, subscribers are not notified" {
		t.Errorf("the audit says %q", reply.Outcome)
	}
	has(t, r.shown(id), "is being posted")
	n := r.goes(id, time.Minute)
	if n.State != statePosted || len(r.site.incidents) != 1 || len(r.site.written) > 0 {
		t.Fatalf("%s, %d incidents, subscribers read %q", n.State, len(r.site.incidents), r.site.written)
	}
	has(t, r.shown(id), "is posted", "subscribers are not written to")
	has(t, r.shown(n.Incident), "Checkout is slow", "🟠 api partial_outage · 🟡 web degraded_performance", "We are looking into it.", "[Update…][Resolve…][On the page]")
	if where := r.where(n.Incident); where != "C-ops" {
		t.Errorf("its message is in %q", where)
	}
}

// where is the channel of an incident's message.
func (r *room) where(incident string) (out string) {
	r.view(func(tx *store.Tx) error {
		all, err := tx.SurfacesOf(incidentSubject(incident))
		for _, s := range all {
			out += s.Where["channel"]
		}
		return err
	})
	return out
}

func TestSubscribersAreWrittenToByTheirOwnButton(t *testing.T) {
	r := newRoom(t)
	id := r.must(openLine)
	r.pressed(id, "Confirm and notify subscribers")
	r.goes(id, time.Minute)
	if len(r.site.written) != 1 || r.site.written[0] != "Checkout is slow: We are looking into it." {
		t.Errorf("they read %q", r.site.written)
	}
	has(t, r.shown(id), "subscribers are written to")
	r.view(func(tx *store.Tx) error {
		all, err := tx.AuditRows(store.AuditFilter{})
		if len(all) == 0 || all[0].Outcome != "posted, subscribers were notified" || all[0].Who.Name != "alice" {
			t.Errorf("the audit says %+v", all)
		}
		return err
	})
}

func TestAnIncidentGoesOnAndIsOver(t *testing.T) {
	r := newRoom(t)
	id := r.must(openLine)
	r.pressed(id, "Confirm")
	incident := r.goes(id, time.Minute).Incident
	id = r.must("statuspage update " + incident + " identified --components web=major_outage We have found it.")
	has(t, r.shown(id), "Customers will read more of an incident", "investigating → identified", "web: degraded_performance → major_outage")
	r.pressed(id, "Confirm")
	r.goes(id, time.Minute)
	has(t, r.shown(incident), "identified", "We have found it.", "🔴 web")
	id = r.must("statuspage resolve " + incident + " All is well.")
	has(t, r.shown(id), "is over", "web: major_outage → operational", "api: partial_outage → operational")
	r.pressed(id, "Confirm")
	r.goes(id, time.Minute)
	has(t, r.shown(incident), "✅", "resolved", "All is well.")
	lacks(t, r.shown(incident), "[Resolve…]")
	if r.message(incident).Final == "" {
		t.Error("it has no last word")
	}
	has(t, r.refused("statuspage update "+incident+" monitoring More", "over"), "is over: it is resolved")
	if len(r.site.written) > 0 {
		t.Errorf("subscribers read %q", r.site.written)
	}
}

func TestComponentsOfAResolvedIncidentCanBeLeft(t *testing.T) {
	for flag, want := range map[string]string{"": "operational", "--components none": "degraded_performance", "--components web=partial_outage": "partial_outage"} {
		r := newRoom(t)
		id := r.must(`statuspage open "Slow" --components web=degraded_performance Hm.`)
		r.pressed(id, "Confirm")
		incident := r.goes(id, time.Minute).Incident
		id = r.must("statuspage resolve " + incident + " " + flag + " Well.")
		r.pressed(id, "Confirm")
		r.goes(id, time.Minute)
		if got := r.site.components[0].Status; got != want {
			t.Errorf("%q: web is %s, want %s", flag, got, want)
		}
	}
}

func TestAComponentAlone(t *testing.T) {
	r := newRoom(t)
	id := r.must("statuspage component web major_outage")
	has(t, r.shown(id), "web: operational → major_outage", "[Confirm][Cancel]", "the page writes to nobody of it")
	r.pressed(id, "Confirm")
	if n := r.goes(id, time.Minute); n.State != statePosted || r.site.components[0].Status != "major_outage" {
		t.Errorf("%s: %+v", n.State, r.site.components)
	}
	has(t, r.refused("statuspage component web major_outage", "already"), "web is major_outage already")
	if _, err := r.says("statuspage notify "+id, 1); err == nil {
		t.Error("what is posted can be confirmed again")
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	r := newRoom(t)
	has(t, r.refused(`statuspage open "X" --components wep=partial_outage Y`, "unknown_component"), "Did you mean web?", "There are web, api, dns.", "--components web=partial_outage")
	has(t, r.refused(`statuspage open "X" --components web Y`, "unknown_state"), "What is the state of web?", "major_outage")
	has(t, r.refused(`statuspage open "X" --components web=broken Y`, "unknown_state"), "“broken” is no state")
	has(t, r.refused(`statuspage open "X" --components web=partial_outage,web=major_outage Y`, "twice"), "named twice")
	has(t, r.refused(`statuspage open "`+strings.Repeat("x", 256)+`" Y`, "long_title"), "256 characters", "255")
	has(t, r.refused("statuspage update inc-9 identified Y", "unknown_incident"), "No incident is open")
	has(t, r.refused("statuspage component www major_outage", "unknown_component"), "There are web, api, dns.")
	r.site.post("", integrations.PagePost{Title: "Theirs", Status: "investigating"})
	has(t, r.refused("statuspage update inc-9 identified Y", "unknown_incident"), "Open are inc-1 “Theirs”.", "statuspage update inc-1 identified")
	has(t, r.refused("statuspage confirm notice-99", "unknown_notice"), "notice-99")
	r.site.fault = func(string, bool) error { return &integrations.Later{Err: errors.New("503")} }
	has(t, r.refused("statuspage", "unread"), "cannot be read now: “503”")
	has(t, r.refused(openLine, "unread"), "Nothing was posted.")
	r.f.Page, r.feat = nil, New(Deps{})
	has(t, r.refused("statuspage", "no_page"), "No status page is configured")
	u := commands.Parse(New(r.f.Deps).Verbs, &integrations.Catalog{}, "statuspage update inc-1 identifed Y", false)
	if u.Refusal == nil || !strings.Contains(u.Refusal.Error(), "Did you mean identified?") {
		t.Errorf("a misspelt status: %v", u.Refusal)
	}
}

func TestTwoComponentsOfOneNameAreToldApart(t *testing.T) {
	r := newRoom(t)
	r.site.components = []integrations.PageComponent{{ID: "1", Name: "api", Group: "EU", Status: "operational"}, {ID: "2", Name: "api", Group: "US East", Status: "operational"}}
	has(t, r.refused("statuspage component api major_outage", "which_component"), "EU/api, US East/api", "statuspage component EU/api major_outage")
	id := r.must(`statuspage component "us east/api" major_outage`)
	has(t, r.shown(id), "US East/api: operational → major_outage")
}

// A confirmation is of what was shown, and of nothing else.
func TestWhatWasShownIsConfirmed(t *testing.T) {
	for name, tt := range map[string]struct {
		meanwhile func(r *room)
		note      string
	}{
		"late":                  {func(r *room) { r.clock.move(confirmFor + time.Second) }, "more than five minutes ago"},
		"a component moved":     {func(r *room) { r.site.set("c-web", "major_outage") }, "The page has changed meanwhile"},
		"another incident":      {func(r *room) { r.site.post("", integrations.PagePost{Title: "Theirs", Status: "investigating"}) }, "The page has changed meanwhile"},
		"both":                  {func(r *room) { r.clock.move(time.Hour); r.site.set("c-web", "major_outage") }, "more than five minutes ago"},
		"a component elsewhere": {func(r *room) { r.site.set("c-dns", "major_outage") }, ""},
		"just in time":          {func(r *room) { r.clock.move(confirmFor) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t)
			id := r.must(openLine)
			was := r.message(id)
			tt.meanwhile(r)
			reply := r.pressed(id, "Confirm")
			n := r.goes(id, time.Minute)
			if tt.note == "" {
				if n.State != statePosted {
					t.Errorf("it is %s: %s", n.State, n.Note)
				}
				return
			}
			if n.State != stateAsking || len(r.site.posts) > 0 || reply.Private == nil {
				t.Fatalf("it is %s", n.State)
			}
			has(t, reply.Private.Text+r.shown(id), tt.note)
			if name == "a component moved" { // the button of before is not for what is shown now
				for _, b := range was.Blocks {
					if len(b.Buttons) > 0 {
						if _, err := r.says(b.Buttons[1].Command, b.Buttons[1].Version); err != nil {
							t.Fatal(err)
						}
					}
				}
				if n := r.goes(id, time.Minute); n.State != stateAsking {
					t.Fatalf("an old button confirms: %s", n.State)
				}
				has(t, r.shown(id), "not drawn for what is shown now")
			}
			r.pressed(id, "Confirm")
			if n := r.goes(id, time.Minute); n.State != statePosted || len(r.site.posts) != 1 || len(r.site.written) > 0 {
				t.Errorf("it is %s, and %q was posted", n.State, r.site.posts)
			}
		})
	}
}

func TestATypedConfirmationConfirmsNothing(t *testing.T) {
	r := newRoom(t)
	id := r.must(openLine)
	r.must("statuspage notify " + id)
	if n := r.notice(id); n.State != stateAsking {
		t.Errorf("it is %s", n.State)
	}
}

func TestTheFirstClickCounts(t *testing.T) {
	r := newRoom(t)
	id := r.must(openLine)
	card := r.message(id)
	r.pressed(id, "Confirm")
	for _, b := range card.Blocks {
		for _, button := range b.Buttons {
			if button.Label == "Cancel" {
				continue
			}
			if _, err := r.says(button.Command, button.Version); err == nil {
				t.Errorf("%s works after Confirm", button.Label)
			}
		}
	}
	r.goes(id, time.Minute)
	if _, err := r.says("statuspage cancel "+id, 0); err == nil {
		t.Error("what is posted can be cancelled")
	}
	if len(r.site.posts) != 1 || len(r.site.written) > 0 {
		t.Errorf("%q was posted, subscribers read %q", r.site.posts, r.site.written)
	}
}

func TestWhatNobodyConfirmsIsClosed(t *testing.T) {
	r := newRoom(t)
	id := r.must(openLine)
	if err := r.f.ageing(t.Context()); err != nil || r.notice(id).Old {
		t.Fatal("it is old at once", err)
	}
	r.clock.move(confirmFor + time.Second)
	if err := r.f.ageing(t.Context()); err != nil {
		t.Fatal(err)
	}
	has(t, r.shown(id), "its buttons show it anew")
	r.clock.move(askFor)
	if err := r.f.ageing(t.Context()); err != nil {
		t.Fatal(err)
	}
	has(t, r.shown(id), "cancelled", "nobody confirmed it within a day")
	r.clock.move(keepFor + time.Hour)
	if err := r.f.prune(t.Context()); err != nil || r.notice(id).ID != "" {
		t.Errorf("it is kept: %v", err)
	}
	other := r.must(openLine)
	r.pressed(other, "Cancel")
	has(t, r.shown(other), "cancelled", "alice")
}

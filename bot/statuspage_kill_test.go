package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations/statuspage/statuspagesim"
)

// The process is killed at each post that it makes to the status page, before it is done,
// and after it is done and not known to be: each stands on the page once, and no subscriber
// is written to who should not be.
func TestANoticeIsKilledAtEachPost(t *testing.T) {
	t.Parallel()
	sim, err := statuspagesim.New(statuspagesim.Config{Page: "kctbh9vrtdwd", Components: []string{"web"}, Keys: map[string]bool{"a-key": true}})
	if err != nil {
		t.Fatal(err)
	}
	var b *box
	var mu sync.Mutex
	seen, kills := map[string]int{}, 0
	// hit says whether the process is to die now: at the first of a kind before it is done,
	// at the second after.
	hit := func(method string, after bool) bool {
		mu.Lock()
		defer mu.Unlock()
		if !after {
			seen[method]++
		}
		if die := seen[method] == 1 && !after || seen[method] == 2 && after; !die {
			return false
		}
		kills++
		return true
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && hit(r.Method, false) {
			b.cut()
			return
		}
		if sim.Handler().ServeHTTP(w, r); r.Method != http.MethodGet && hit(r.Method, true) {
			b.cut()
		}
	}))
	t.Cleanup(server.Close)
	b = newBox(t, func(w *boxWorld) {
		w.edit = func(config string) string {
			return config + "\nstatuspage:\n  url: " + server.URL + "/v1\n  api_key: a-key\n  page: kctbh9vrtdwd\n"
		}
	})
	b.start()
	b.say("alice", `/ops statuspage open "Checkout is slow" --components web=partial_outage We are looking into it.`)
	b.untilCard("notice-1", "Customers will read")
	b.click("alice", b.card("notice-1").TS, "Confirm")
	b.untilCard("notice-1", "is posted")
	id := sim.Incidents()[0].ID
	b.say("alice", "/ops statuspage resolve "+id+" All is well.")
	b.untilCard("notice-2", "Customers will read")
	b.click("alice", b.card("notice-2").TS, "Confirm and notify subscribers")
	b.untilCard("notice-2", "is posted")
	mu.Lock()
	if kills != 4 {
		t.Errorf("it was killed %d times, at %v", kills, seen)
	}
	mu.Unlock()
	all := sim.Incidents()
	if len(all) != 1 || len(all[0].Updates) != 2 || all[0].Status != "resolved" || sim.Components()[0].Status != "operational" {
		t.Errorf("the page has %+v", all)
	}
	if told := sim.Notifications(); len(told) != 1 || !strings.Contains(told[0].Body, "All is well.") {
		t.Errorf("subscribers read %+v", told)
	}
}

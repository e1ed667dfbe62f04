package oncall

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/store"
)

// get asks for the calendar at an address that somebody was told.
func (r *room) get(address, tag string) *httptest.ResponseRecorder {
	r.t.Helper()
	mux := http.NewServeMux()
	for pattern, h := range r.f.Feature().Serves {
		mux.Handle(pattern, h)
	}
	w, q := httptest.NewRecorder(), httptest.NewRequest("GET", address, nil)
	q.Header.Set("If-None-Match", tag)
	mux.ServeHTTP(w, q)
	return w
}

// calendar asks for a calendar, and gives its address.
func (r *room) calendar(line string) string {
	r.t.Helper()
	_, address, ok := strings.Cut(r.must(bob, line).Private.Text, "\n")
	address, _, _ = strings.Cut(address, "\n")
	if !ok || !strings.HasPrefix(address, "https://ops.example/oncall/") {
		r.t.Fatalf("%s gives %q", line, address)
	}
	return address
}

func TestACalendar(t *testing.T) {
	r := newRoom(t, daily())
	r.refuses(bob, "oncall calendar", "no_url")
	r.f.URL = "https://ops.example/"
	mine, all := r.calendar("oncall calendar"), r.calendar("oncall calendar platform")
	w := r.get(mine, "")
	if w.Code != 200 || w.Header().Get("Content-Type") != feedType || strings.Contains(w.Body.String(), "carol") || !strings.Contains(w.Body.String(), "SUMMARY:bob on call: platform") {
		t.Errorf("his own is %d:\n%.600s", w.Code, w.Body)
	}
	tag := w.Header().Get("ETag")
	if w := r.get(mine, tag); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
		t.Errorf("asked again it is %d", w.Code)
	}
	r.must(bob, "oncall take 2h")
	if w := r.get(mine, tag); w.Code != 200 || !strings.Contains(w.Body.String(), "DTSTART:20260304T030000Z") {
		t.Errorf("what he took is not in it: %d\n%.900s", w.Code, w.Body)
	}
	if w := r.get(all, ""); !strings.Contains(w.Body.String(), "carol") || !strings.Contains(w.Body.String(), "alice") {
		t.Errorf("that of all is %.600s", w.Body)
	}
	// Another address ends the old one, of the same calendar alone.
	again := r.calendar("oncall calendar")
	for address, want := range map[string]int{mine: 404, again: 200, all: 200, strings.TrimSuffix(again, ".ics"): 404, "https://ops.example/oncall/.ics": 404, "https://ops.example/oncall/x.ics": 404} {
		if w := r.get(address, ""); w.Code != want {
			t.Errorf("%s is %d, want %d", address, w.Code, want)
		}
	}
}

// A calendar speaks as its reader does.
func TestACalendarInJapanese(t *testing.T) {
	r := newRoom(t, daily())
	r.f.URL = "https://ops.example/"
	r.f.Language = func(_ *store.Tx, s *store.Surface) (string, error) {
		return map[string]string{bob.Slack: "ja"}[s.Where["user"]], nil
	}
	for line, want := range map[string]string{"oncall calendar": "SUMMARY:bob オンコール: platform", "oncall calendar platform": "SUMMARY:alice オンコール: platform"} {
		if w := r.get(r.calendar(line), ""); !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s lacks %q:\n%.900s", line, want, w.Body)
		}
	}
}

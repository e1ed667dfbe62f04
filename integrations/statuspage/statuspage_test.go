package statuspage_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/statuspage"
	"github.com/signalbox-chatops/signalbox/integrations/statuspage/statuspagesim"
)

const (
	key    = "an-api-key"
	pageID = "kctbh9vrtdwd"
)

type still struct {
	mu  sync.Mutex
	now time.Time
}

func (c *still) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }
func (c *still) move(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
	c.mu.Unlock()
}
func (c *still) NewTimer(time.Duration) clock.Timer { panic("nothing here sleeps") }

// site is a page at the wire, and a client of it.
type site struct {
	*testing.T
	clock  *still
	sim    *statuspagesim.Sim
	client *statuspage.Client
	url    string
}

func found(t *testing.T, edit ...func(*statuspagesim.Config)) *site {
	t.Helper()
	clk := &still{now: time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)}
	cfg := statuspagesim.Config{Clock: clk, Page: pageID, Name: "Acme", Components: []string{"web", "EU / api", "US / api"}, Keys: map[string]bool{key: true, "reads": false}}
	for _, e := range edit {
		e(&cfg)
	}
	sim, err := statuspagesim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(server.Close)
	s := &site{T: t, clock: clk, sim: sim, url: server.URL + "/v1"}
	s.client = s.with(key, pageID)
	return s
}

func (s *site) with(key, page string) *statuspage.Client {
	return statuspage.New(statuspage.Config{APIKey: integrations.NewSecret(key), Page: page, URL: s.url}, statuspage.Options{Clock: s.clock})
}

func (s *site) fault(f statuspagesim.Fault) {
	s.Helper()
	if err := s.sim.Fault(f); err != nil {
		s.Fatal(err)
	}
}

func (s *site) open(p integrations.PagePost) integrations.PageIncident {
	s.Helper()
	i, err := s.client.OpenIncident(s.Context(), p)
	if err != nil {
		s.Fatal(err)
	}
	return i
}

var slow = integrations.PagePost{Title: "Checkout is slow", Status: "investigating", Body: "We are looking into it.", Impact: "minor", Nonce: "n-1"}

func TestComponentsAreReadByPages(t *testing.T) {
	s := found(t)
	for range 3 { // all at once may be asked for once a minute
		all, err := s.client.Components(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := []integrations.PageComponent{{Name: "web", Status: "operational"}, {Name: "api", Group: "EU", Status: "operational"}, {Name: "api", Group: "US", Status: "operational"}}
		for n := range all {
			all[n].ID = ""
		}
		if d := cmp.Diff(want, all); d != "" {
			t.Error(d)
		}
	}
}

func TestMoreThanAPageIsRead(t *testing.T) {
	s := found(t, func(c *statuspagesim.Config) { c.Components = make([]string, 250); c.Free = true })
	if all, err := s.client.Components(t.Context()); err != nil || len(all) != 250 {
		t.Errorf("%d components, %v", len(all), err)
	}
}

// deliver_notifications is true where nothing is said: it is always said.
func TestNobodyIsNotifiedUnlessThatIsSaid(t *testing.T) {
	s := found(t)
	i := s.open(slow)
	update := integrations.PagePost{Status: "identified", Body: "Found.", Nonce: "n-2"}
	if _, err := s.client.UpdateIncident(t.Context(), i.ID, update); err != nil {
		t.Fatal(err)
	}
	if err := s.client.SetComponent(t.Context(), s.sim.Components()[0].ID, "major_outage"); err != nil {
		t.Fatal(err)
	}
	if all := s.sim.Notifications(); len(all) > 0 {
		t.Fatalf("subscribers read %+v", all)
	}
	update.Notify, update.Body = true, "Mended."
	if _, err := s.client.UpdateIncident(t.Context(), i.ID, update); err != nil {
		t.Fatal(err)
	}
	if all := s.sim.Notifications(); len(all) != 1 || all[0].Body != "Mended." || all[0].Incident != i.ID {
		t.Errorf("subscribers read %+v", all)
	}
	if _, err := s.sim.Post(i.ID, "", "monitoring", "By hand"); err != nil || len(s.sim.Notifications()) != 2 {
		t.Error("the simulator does not notify where nothing is said", err)
	}
}

func TestAnIncidentIsOpenedUpdatedFoundAndResolved(t *testing.T) {
	s := found(t)
	web, eu := s.sim.Components()[0].ID, s.sim.Components()[2].ID
	p := slow
	p.Components = map[string]string{web: "partial_outage"}
	i := s.open(p)
	if i.ID == "" || i.Title != slow.Title || i.Status != "investigating" || i.Impact != "minor" || i.URL == "" || i.Nonce != "n-1" || !i.Opened.Equal(s.clock.Now()) {
		t.Errorf("%+v", i)
	}
	if len(i.Components) != 1 || i.Components[0].Status != "partial_outage" || len(i.Updates) != 1 || i.Updates[0].Body != slow.Body {
		t.Errorf("%+v", i)
	}
	if f, ok, err := s.client.FindIncident(t.Context(), "n-1"); err != nil || !ok || f.ID != i.ID {
		t.Errorf("%+v %v %v", f, ok, err)
	}
	if _, ok, err := s.client.FindIncident(t.Context(), "n-"); err != nil || ok {
		t.Error("a part of a nonce is found", err)
	}
	s.clock.move(time.Minute)
	u, err := s.client.UpdateIncident(t.Context(), i.ID, integrations.PagePost{Status: "identified", Body: "Found.", Nonce: "n-2", Components: map[string]string{eu: "degraded_performance"}})
	if err != nil || u.Nonce != "n-2" || len(u.Components) != 2 || u.Updates[0].Body != "Found." || u.Impact != "minor" {
		t.Errorf("%+v %v", u, err)
	}
	if open, err := s.client.Unresolved(t.Context()); err != nil || len(open) != 1 || open[0].Over() {
		t.Errorf("%+v %v", open, err)
	}
	if _, err = s.client.UpdateIncident(t.Context(), i.ID, integrations.PagePost{Status: "resolved", Body: "Over.", Nonce: "n-3", Components: map[string]string{web: "operational"}}); err != nil {
		t.Fatal(err)
	}
	got, err := s.client.Incident(t.Context(), i.ID)
	if err != nil || !got.Over() || !got.Resolved.Equal(s.clock.Now()) || got.Components[0].Status != "operational" {
		t.Errorf("%+v %v", got, err)
	}
	if open, err := s.client.Unresolved(t.Context()); err != nil || len(open) > 0 {
		t.Errorf("%+v %v", open, err)
	}
	var gone *integrations.Gone
	if _, err := s.client.Incident(t.Context(), "nothing"); !errors.As(err, &gone) {
		t.Errorf("%v", err)
	}
}

// What others keep in an incident's metadata stays there.
func TestOthersMetadataStays(t *testing.T) {
	var sent string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch {
			b := make([]byte, r.ContentLength)
			_, _ = r.Body.Read(b)
			sent = string(b)
		}
		_, _ = w.Write([]byte(`{"id":"inc1","metadata":{"jira":{"issue_id":"value"},"signalbox":{"nonce":"old"}}}`))
	}))
	defer server.Close()
	c := statuspage.New(statuspage.Config{APIKey: integrations.NewSecret(key), Page: pageID, URL: server.URL}, statuspage.Options{})
	if _, err := c.UpdateIncident(t.Context(), "inc1", integrations.PagePost{Status: "identified", Body: "x", Nonce: "new"}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"jira":{"issue_id":"value"}`, `"signalbox":{"nonce":"new"}`, `"deliver_notifications":false`} {
		if !strings.Contains(sent, want) {
			t.Errorf("no %s in %s", want, sent)
		}
	}
}

// Each error is a word of integrations, and holds no key.
func TestErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		fault  statuspagesim.Fault
		do     func(s *site) error
		later  bool
		unsent bool
		after  time.Duration
		gone   bool
		says   string
	}{
		"420":      {fault: statuspagesim.Fault{Kind: "throttle", RetryAfter: "30"}, later: true, unsent: true, after: 30 * time.Second, says: "420 Too Many Requests: Too many requests"},
		"429":      {fault: statuspagesim.Fault{Kind: "throttle", Status: 429}, later: true, unsent: true, after: 10 * time.Second, says: "429"},
		"for ever": {fault: statuspagesim.Fault{Kind: "throttle", RetryAfter: "86400"}, later: true, unsent: true, after: 2 * time.Minute, says: "420"},
		"a date":   {fault: statuspagesim.Fault{Kind: "throttle", RetryAfter: "Wed, 04 Mar 2026 10:00:45 GMT"}, later: true, unsent: true, after: 45 * time.Second, says: "420"},
		"5xx":      {fault: statuspagesim.Fault{Kind: "error", Status: 503, RetryAfter: "7"}, later: true, after: 7 * time.Second, says: "503"},
		"reset":    {fault: statuspagesim.Fault{Kind: "reset"}, later: true, after: 2 * time.Second, says: "open the incident"},
		"lost":     {fault: statuspagesim.Fault{Kind: "lost"}, later: true, after: 2 * time.Second, says: "open the incident"},
		"html":     {fault: statuspagesim.Fault{Kind: "error", Status: 418, Message: "<html>"}, says: "418"},
		"fields":   {fault: statuspagesim.Fault{Kind: "error", Status: 422, Message: `{"error":{"name":["is bad"]}}`}, says: "422 Unprocessable Entity: name [is bad]"},
		"validation": {do: func(s *site) error {
			_, err := s.client.OpenIncident(s.Context(), integrations.PagePost{Status: "wrong"})
			return err
		}, says: "422 Unprocessable Entity: Name can't be blank, Status is not included in the list"},
		"long": {do: func(s *site) error {
			p := slow
			p.Body = strings.Repeat("長", 25001)
			_, err := s.client.OpenIncident(s.Context(), p)
			return err
		}, says: "Body is too long"},
		"wrong key":    {do: func(s *site) error { _, err := s.with("hunter2", pageID).Components(s.Context()); return err }, says: "401 Unauthorized: Could not authenticate; it needs a valid API key"},
		"reads only":   {do: func(s *site) error { _, err := s.with("reads", pageID).OpenIncident(s.Context(), slow); return err }, says: "403 Forbidden"},
		"wrong page":   {do: func(s *site) error { _, err := s.with(key, "nopage").Components(s.Context()); return err }, gone: true, says: "404 Not Found"},
		"no id":        {do: func(s *site) error { _, err := s.client.Incident(s.Context(), "../components"); return err }, says: "is no id of Statuspage"},
		"gone":         {do: func(s *site) error { _, err := s.client.UpdateIncident(s.Context(), "inc9", slow); return err }, gone: true, says: "Incident not found"},
		"no component": {do: func(s *site) error { return s.client.SetComponent(s.Context(), "com9", "operational") }, gone: true, says: "Component not found"},
	} {
		t.Run(name, func(t *testing.T) {
			s := found(t)
			if tt.do == nil {
				tt.do = func(s *site) error { _, err := s.client.OpenIncident(s.Context(), slow); return err }
				s.fault(tt.fault)
			}
			err := tt.do(s)
			if err == nil {
				t.Fatal("no error")
			}
			var later *integrations.Later
			if is := errors.As(err, &later); is != tt.later || is && (later.Unsent != tt.unsent || later.After != tt.after) {
				t.Errorf("%+v", later)
			}
			if errors.As(err, new(*integrations.Gone)) != tt.gone || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v", err)
			}
			if n := len(s.sim.Incidents()); n != map[bool]int{true: 1}[name == "lost"] {
				t.Errorf("%d incidents", n)
			}
		})
	}
}

// While a pause is asked for nobody is asked, and after it they are again.
func TestAPauseIsKept(t *testing.T) {
	s := found(t)
	s.fault(statuspagesim.Fault{Kind: "throttle", RetryAfter: "30"})
	_, _ = s.client.Components(t.Context())
	asked := len(s.sim.Calls())
	s.clock.move(29 * time.Second)
	var later *integrations.Later
	if _, err := s.client.OpenIncident(t.Context(), slow); !errors.As(err, &later) || !later.Unsent || later.After != time.Second || len(s.sim.Calls()) != asked {
		t.Errorf("%v, %d calls", err, len(s.sim.Calls())-asked)
	}
	s.clock.move(time.Second)
	s.open(slow)
}

func TestTheLimitOfTheWire(t *testing.T) {
	s := found(t)
	for range 60 {
		if _, err := s.client.Unresolved(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var later *integrations.Later
	if _, err := s.client.Unresolved(t.Context()); !errors.As(err, &later) || later.After != 61*time.Second {
		t.Fatalf("%v", err)
	}
	s.clock.move(61 * time.Second)
	if _, err := s.client.Unresolved(t.Context()); err != nil {
		t.Error(err)
	}
}

// A read that was lost on its way is tried again, a change never.
func TestNoChangeIsSentTwice(t *testing.T) {
	s := found(t)
	s.fault(statuspagesim.Fault{Kind: "lost", Action: "incident.create"})
	s.fault(statuspagesim.Fault{Kind: "error", Action: "components.list"})
	if _, err := s.client.OpenIncident(t.Context(), slow); err == nil {
		t.Error("a lost answer passed for one")
	}
	if _, err := s.client.Components(t.Context()); err != nil {
		t.Error(err)
	}
	if calls := s.sim.Calls(); !slices.Equal(calls, []string{"incident.create", "components.list", "components.list"}) {
		t.Errorf("%q", calls)
	}
}

func TestCheck(t *testing.T) {
	for name, tt := range map[string]struct {
		key, page string
		bare      bool
		ok        bool
		say, do   string
	}{
		"well":          {key: key, page: pageID, ok: true, say: `the page "Acme" is there, with 3 components`},
		"wrong key":     {key: "x", page: pageID, say: "401", do: "make an API key"},
		"wrong page":    {key: key, page: "nopage", say: "there is no page nopage", do: "copy the page's id"},
		"no components": {key: key, page: pageID, bare: true, say: "with 0 components", do: "make components"},
	} {
		t.Run(name, func(t *testing.T) {
			s := found(t, func(c *statuspagesim.Config) {
				if tt.bare {
					c.Components = nil
				}
			})
			all := s.with(tt.key, tt.page).Check(t.Context())
			if len(all) != 1 || all[0].OK != tt.ok || !strings.Contains(all[0].Say, tt.say) || !strings.Contains(all[0].Do, tt.do) || all[0].Warn != tt.bare {
				t.Errorf("%+v", all)
			}
		})
	}
}

// A proposal of a component that the page does not have is found.
func TestCheckLooksAtProposals(t *testing.T) {
	s := found(t)
	c := statuspage.Config{APIKey: integrations.NewSecret(key), Page: pageID, URL: s.url, Offers: []integrations.PageOffer{{Components: []string{"Web"}}, {Components: []string{"api", "shop"}}}}
	all := statuspage.New(c, statuspage.Options{}).Check(t.Context())
	if len(all) != 2 || !all[0].OK || all[1].What != "statuspage.offers[1]" || !strings.Contains(all[1].Say, `no component "shop"`) {
		t.Errorf("%+v", all)
	}
}

func TestConfigTellsEveryMistakeAtOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		in   statuspage.Config
		want []string
	}{
		"nothing is no page": {},
		"all that there is":  {in: statuspage.Config{APIKey: integrations.NewSecret("k-1"), Page: pageID, Channel: "#ops", Every: time.Minute, URL: "https://host/v1"}},
		"only a channel": {in: statuspage.Config{Channel: "ops"}, want: []string{
			"api_key: is missing; make one in Statuspage under your avatar, API info",
			"page: is missing; its id stands in Statuspage under your avatar, API info, such as kctbh9vrtdwd"}},
		"wrong": {in: statuspage.Config{APIKey: integrations.NewSecret("OAuth hunter2"), Page: "https://status.acme.example", Every: time.Second, URL: "http://me:hunter2@host"}, want: []string{
			`api_key: has characters in it that no key has; want the key alone, in one line, without "OAuth"`,
			`page: "https://status.acme.example" is no id of a page; want one like kctbh9vrtdwd, not its address`,
			"every: is 1s; want 1m0s to 1h0m0s",
			"url: is not a URL; want one like https://api.statuspage.io/v1"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			if err := tt.in.Validate(); err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
	if (statuspage.Config{}).Often() != 3*time.Minute || len((statuspage.Config{}).Secrets()) > 0 || !(statuspage.Config{}).None() {
		t.Error("nothing is something")
	}
}

package pagerdutysim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// inbox is whom webhooks are sent to.
type inbox struct {
	mu     sync.Mutex
	answer func(event string) int // 0 is none
	got    []string               // "12:00 <event> <id>"
	bodies []string
	clock  interface{ Now() time.Time }
	hang   chan struct{} // it answers when this is closed
}

func (x *inbox) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var in struct {
		Event struct {
			Type string `json:"event_type"`
		} `json:"event"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	x.mu.Lock()
	id := r.Header.Get("X-Webhook-Id")
	x.got = append(x.got, fmt.Sprintf("%s %s %s", x.clock.Now().UTC().Format("02 15:04"), strings.TrimPrefix(in.Event.Type, "incident."), strings.TrimLeft(id[len(id)-12:], "0")))
	x.bodies = append(x.bodies, string(body)+r.Header.Get("X-PagerDuty-Signature"))
	hang, status := x.hang, http.StatusOK
	if x.answer != nil {
		status = x.answer(in.Event.Type)
	}
	x.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	if status == 0 {
		return nil, errors.New("nobody is there")
	}
	return &http.Response{StatusCode: status, Body: http.NoBody}, nil
}

func (x *inbox) says(answer func(event string) int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.answer = answer
}

func (x *inbox) took() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := x.got
	x.got = nil
	return out
}

func inPost(t *testing.T, cfg Config, do func(b *bench, x *inbox)) {
	t.Helper()
	x := &inbox{}
	cfg.HTTP = x
	if cfg.Subscriptions == nil {
		cfg.Subscriptions = []Subscription{{ID: "H", URL: "http://bot/alerts/pagerduty", Secret: "sandbox"}}
	}
	inBench(t, cfg, func(b *bench) {
		x.clock = b.clock
		b.Start()
		defer b.Close()
		do(b, x)
	})
}

// move moves the clock, and waits at every timer for what comes of it.
func (b *bench) move(d time.Duration) {
	b.Helper()
	synctest.Wait()
	settle := func(context.Context) error { synctest.Wait(); return nil }
	if err := b.clock.Advance(b.Context(), d, settle); err != nil {
		b.Fatal(err)
	}
	if !b.Idle() {
		b.Error("it is not idle when all is quiet")
	}
}

func TestWebhooksTellWhatTimeDoes(t *testing.T) {
	inPost(t, paging(), func(b *bench, x *inbox) {
		b.trigger("web", "slow")
		b.move(5 * time.Hour)
		b.equal("it told", x.took(), []string{"01 12:00 triggered 1", "01 12:05 escalated 2", "01 12:15 escalated 3", "01 12:20 escalated 4", "01 16:00 resolved 5"})
	})
}

// What is not answered is sent again for two days under its id, and what comes later of
// its incident, and of no other, waits behind it.
func TestAWebhookIsTriedForTwoDays(t *testing.T) {
	for _, status := range []int{0, 429, 500, 503} {
		inPost(t, paging(), func(b *bench, x *inbox) {
			x.says(func(event string) int {
				if event == "incident.triggered" {
					return status
				}
				return 202
			})
			id := b.trigger("quiet", "slow")
			if err := b.Act(id, "PC", "resolve", ""); err != nil {
				b.Error(err)
			}
			b.move(10 * time.Minute)
			b.equal("at first", x.took(), []string{"01 12:00 triggered 1", "01 12:01 triggered 1", "01 12:03 triggered 1", "01 12:07 triggered 1"})
			x.says(nil)
			b.move(10 * time.Minute)
			b.equal("then", x.took(), []string{"01 12:15 triggered 1", "01 12:15 resolved 2"})
			x.mu.Lock()
			for _, body := range x.bodies[1:5] {
				b.equal("it is the same", body, x.bodies[0])
			}
			x.mu.Unlock()
			x.says(func(string) int { return status })
			b.trigger("quiet", "slower")
			b.move(72 * time.Hour)
			all := x.took()
			if last := all[len(all)-1]; !strings.HasPrefix(last, "03 12:") || len(all) < 48 || len(all) > 60 {
				b.Errorf("it was sent %d times, the last %s", len(all), last)
			}
			if d := b.Deliveries(); d[2].Ended != dropped || d[2].Tries != len(all) {
				b.Errorf("%+v", d[2])
			}
		})
	}
}

func TestOtherIncidentsDoNotWait(t *testing.T) {
	inPost(t, paging(), func(b *bench, x *inbox) {
		first := true
		x.says(func(string) int {
			if first {
				first = false
				return 503
			}
			return 200
		})
		b.trigger("quiet", "slow")
		b.move(time.Second)
		b.trigger("quiet", "slower")
		b.move(2 * time.Minute)
		b.equal("it told", x.took(), []string{"01 12:00 triggered 1", "01 12:00 triggered 2", "01 12:01 triggered 1"})
	})
}

// Three that are refused in a row disable a subscription for a day, and lose what happens.
func TestRefusalsDisableASubscription(t *testing.T) {
	inPost(t, paging(), func(b *bench, x *inbox) {
		refused := 0
		x.says(func(string) int {
			if refused++; refused == 3 { // one that is taken in between begins the count anew
				return 200
			}
			return 401
		})
		for n := range 7 {
			b.trigger("quiet", fmt.Sprint(n))
			b.move(time.Second)
		}
		if got := x.took(); len(got) != 6 {
			b.Errorf("it sent %q", got)
		}
		if d := b.Deliveries(); len(d) != 6 || d[0].Ended != dropped || d[0].Tries != 1 || d[2].Ended != delivered {
			b.Errorf("%+v", d)
		}
		if got := b.must("GET /webhook_subscriptions")["webhook_subscriptions"].([]any)[0].(map[string]any)["delivery_method"].(map[string]any); got["temporarily_disabled"] != true || got["secret"] != nil {
			b.Errorf("%v", got)
		}
		x.says(nil)
		b.move(24 * time.Hour)
		if got := x.took(); len(got) != 0 {
			b.Errorf("it sent %q", got)
		}
		b.trigger("quiet", "after a day")
		b.move(time.Second)
		b.equal("after a day", x.took(), []string{"02 12:00 triggered 7"})
		if code, _ := b.ask("POST /webhook_subscriptions/H/enable {}"); code != 400 {
			b.Errorf("what is not disabled is enabled: %d", code)
		}
	})
}

func TestWebhooksMisbehave(t *testing.T) {
	for kind, want := range map[string][]string{
		"lose_webhook": {"01 12:00 resolved 2"},
		"twice":        {"01 12:00 triggered 1", "01 12:00 triggered 1", "01 12:00 resolved 2"},
		"reorder":      {"01 12:00 resolved 2", "01 12:00 triggered 1"},
		"disable":      nil,
	} {
		inPost(t, paging(), func(b *bench, x *inbox) {
			if err := b.Fault(Fault{Kind: kind, Action: "incident.triggered"}); err != nil {
				b.Fatal(err)
			}
			id := b.trigger("quiet", "slow")
			b.move(time.Second)
			if err := b.Act(id, "PC", "resolve", ""); err != nil {
				b.Error(err)
			}
			b.move(time.Second)
			b.equal(kind, x.took(), want)
		})
	}
	inPost(t, paging(), func(b *bench, x *inbox) { // nothing comes that could go before it
		if err := b.Fault(Fault{Kind: "reorder"}); err != nil {
			b.Fatal(err)
		}
		b.trigger("quiet", "slow")
		b.move(2 * time.Minute)
		b.equal("late", x.took(), []string{"01 12:01 triggered 1"})
		for _, f := range []Fault{{Kind: "twice", Action: "incidents.list"}, {Kind: "lost", Action: "incident.triggered"}} {
			if b.Fault(f) == nil {
				b.Errorf("%+v was taken", f)
			}
		}
	})
}

// A service's subscription hears of it alone, one of some events of those alone, one that
// is switched off of nothing.
func TestASubscriptionHearsWhatItWants(t *testing.T) {
	cfg := paging()
	cfg.Subscriptions = []Subscription{{ID: "H1", URL: "http://a", Service: "SW"}, {ID: "H2", URL: "http://b", Events: []string{"incident.resolved"}}, {ID: "H3", URL: "http://c"}}
	inPost(t, cfg, func(b *bench, x *inbox) {
		b.must(`PUT /webhook_subscriptions/H3 {"webhook_subscription":{"active":false}}`)
		id := b.trigger("quiet", "slow")
		if err := b.Act(id, "PC", "resolve", ""); err != nil {
			b.Error(err)
		}
		b.trigger("web", "slow")
		b.move(time.Second)
		var to []string
		for _, d := range b.Deliveries() {
			to = append(to, d.Subscription+" "+d.Event)
		}
		b.equal("they heard", to, []string{"H2 incident.resolved", "H1 incident.triggered"})
		b.must("POST /webhook_subscriptions/H2/ping {}")
		b.move(time.Second)
		if got := x.took(); len(got) != 3 || !strings.Contains(got[2], "pagey.ping") {
			b.Errorf("%q", got)
		}
		b.must("DELETE /webhook_subscriptions/H2")
		if got := len(b.Subscriptions()); got != 2 {
			b.Errorf("%d", got)
		}
	})
}

// A webhook on its way when all is killed is sent again under its id, one that waits at
// its time, and an escalation is made up for.
func TestWebhooksSurviveAKill(t *testing.T) {
	cfg := paging()
	cfg.Dir = t.TempDir()
	inPost(t, cfg, func(b *bench, x *inbox) {
		x.hang = make(chan struct{})
		b.trigger("web", "slow")
		synctest.Wait()
		if b.Idle() {
			b.Error("it is idle while it delivers")
		}
		b.Close() // the answer is never heard
		b.equal("sent", x.took(), []string{"01 12:00 triggered 1"})
		close(x.hang)
		start := func() *Sim {
			again, err := New(Config{Dir: cfg.Dir, Clock: b.clock, HTTP: x, Policies: cfg.Policies, Services: cfg.Services, Subscriptions: b.Subscriptions()})
			if err != nil {
				b.Fatal(err)
			}
			if again.Idle() {
				b.Error("it is idle while something is due")
			}
			again.Start()
			synctest.Wait()
			again.Close()
			return again
		}
		start()
		b.equal("sent again", x.took(), []string{"01 12:00 triggered 1"})
		b.pass(6 * time.Minute)
		again := start()
		b.equal("made up for", x.took(), []string{"01 12:06 escalated 2"})
		if n := len(again.Services()); n != 2 {
			b.Errorf("%d services", n)
		}
		third, err := New(Config{Dir: cfg.Dir, Clock: b.clock, HTTP: x})
		if err != nil {
			b.Fatal(err)
		}
		if d := third.Deliveries(); len(d) != 2 || d[0].Ended != delivered || d[1].Ended != delivered {
			b.Errorf("%+v", d)
		}
		if n := third.Incidents()[0].Number; n != 1 || !third.Idle() {
			b.Errorf("%d", n)
		}
	})
}

// A state from before incidents were known gets what the configuration has.
func TestAnOldStateGetsServices(t *testing.T) {
	dir := t.TempDir()
	inBench(t, Config{Dir: dir}, func(b *bench) {
		cfg := paging()
		cfg.Dir, cfg.Policies = dir, cfg.Policies[1:]
		cfg.Services = cfg.Services[1:]
		again, err := New(cfg)
		if err != nil || len(again.Services()) != 1 {
			b.Error(err)
		}
	})
}

func TestOldDeliveriesAreForgotten(t *testing.T) {
	inPost(t, paging(), func(b *bench, x *inbox) {
		for range deliveredKept + 20 {
			b.trigger("quiet", "slow")
		}
		b.move(time.Second)
		if n := len(b.Deliveries()); n != deliveredKept {
			b.Errorf("%d are kept", n)
		}
	})
}

package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

const incidentAlerts = `alerts:
  anything:
    kind: described
    tokens: [anything-token-0123456789]
    settings: {id: /id, key: [/key], title: [/title], state: /state, states: {firing: firing, resolved: resolved}, severity: /severity, service: /service, environment: /environment, at: /at}
incidents:
  channel: ops
`

// sends delivers an alert until somebody has taken it, as sources do, and says whether
// that was at all.
func (b *box) sends(to, body string) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, to, strings.NewReader(body))
		if err != nil {
			return false
		}
		r.Header.Set("Authorization", "Bearer anything-token-0123456789")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			continue // nobody is there
		}
		_ = resp.Body.Close()
		if resp.StatusCode/100 == 2 {
			return true
		}
	}
	return false
}

// alarm is an incident as its feature keeps it, as far as these tests look.
type alarm struct {
	Key, Storm string
	Count      int
	Members    *struct{ All int }
}

func (b *box) incidents() (all []alarm) {
	b.book(func(tx *store.Tx) error {
		all = nil
		return store.Feature[alarm](tx, gate.IncidentFeature).Each("", func(_ string, i alarm) error {
			all = append(all, i)
			return nil
		})
	})
	return all
}

// A thousand alerts at once, and the process is killed in the middle, twice: none is lost,
// none counts twice, and people read a handful of messages.
func TestAStormIsKilled(t *testing.T) {
	t.Parallel()
	b := newBox(t, func(w *boxWorld) { w.edit = func(text string) string { return text + incidentAlerts } })
	b.start()
	b.until("the bot is up", b.ready)
	const all, senders = 1000, 8
	var sent, lost atomic.Int32
	var working sync.WaitGroup
	for s := range senders {
		working.Go(func() {
			for n := s; n < all; n += senders {
				body := fmt.Sprintf(`{"id":"delivery-%d","key":"host-%d/disk","title":"The disk of host-%d is full","state":"firing","severity":"critical"}`, n, n, n)
				if !b.sends("http://"+b.listen+"/alerts/anything", body) {
					lost.Add(1)
				}
				sent.Add(1)
			}
		})
	}
	for _, at := range []int32{250, 600} {
		b.until(fmt.Sprintf("%d are sent", at), func() bool { return sent.Load() >= at })
		b.kill()
		b.start()
	}
	working.Wait()
	if lost.Load() > 0 {
		t.Fatalf("%d alerts were taken by nobody", lost.Load())
	}
	b.until("the bot is up", b.ready)
	b.until("all is decided and told", func() bool {
		for _, e := range b.alertEvents() {
			if e.Decided.IsZero() {
				return false
			}
		}
		return len(b.undone()) == 0
	})
	keys, members, storms := map[string]int{}, 0, 0
	for _, i := range b.incidents() {
		if i.Members != nil {
			storms, members = storms+1, members+i.Members.All
			continue
		}
		keys[i.Key] += i.Count
	}
	alone := 0
	for _, i := range b.incidents() {
		if i.Members == nil && i.Storm == "" {
			alone++
		}
	}
	for key, count := range keys {
		if count != 1 {
			t.Errorf("%s counts %d alerts", key, count)
		}
	}
	if len(keys) != all || alone+members != all {
		t.Errorf("there are incidents of %d keys, %d by themselves and %d in storms; want %d", len(keys), alone, members, all)
	}
	if told := b.alarms(); len(told) != alone+storms || storms != 1 || alone > 6 {
		t.Errorf("people read %d messages, of %d incidents and %d storms: %q", len(told), alone, storms, told)
	}
}

// alarms are the messages of incidents in #ops.
func (b *box) alarms() (out []string) {
	for _, m := range b.history("") {
		if strings.Contains(m.Text, " incident-") {
			out = append(out, m.Text)
		}
	}
	return out
}

// Three steps across two restarts, during which their time comes: each person is called
// once for each.
func TestAnEscalationAcrossRestarts(t *testing.T) {
	t.Parallel()
	b := newBox(t, func(w *boxWorld) {
		w.clock = clock.NewMovable(0)
		w.edit = func(text string) string {
			return text + incidentAlerts + "  escalations:\n    - steps: [{call: [alice], wait: 5m}, {call: [bob], wait: 10m}, {call: [carol, alice], wait: 10m}]\n"
		}
	})
	stop := b.runInside()
	if !b.sends(b.base+"/bot/alerts/anything", `{"id":"1","key":"web-1/disk","title":"The disk of web-1 is full","state":"firing","severity":"critical"}`) {
		t.Fatal("the alert is not taken")
	}
	called := func(want string) {
		t.Helper()
		b.settle()
		got := ""
		for _, who := range []string{"alice", "bob", "carol"} {
			ch, err := b.slack.DirectMessages(who)
			if err != nil {
				t.Fatal(err)
			}
			all, err := b.slack.History(ch, "")
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, m := range all {
				if strings.Contains(m.Text, "The disk of web-1 is full") && m.Bot {
					n++
				}
			}
			got += fmt.Sprintf("%s %d ", who, n)
		}
		if got = strings.TrimSpace(got); got != want {
			t.Errorf("called are %s, want %s", got, want)
		}
	}
	b.until("alice is called", func() bool { return len(b.alarms()) == 1 })
	called("alice 1 bob 0 carol 0")
	for _, c := range []struct {
		down time.Duration
		want string
	}{{6 * time.Minute, "alice 1 bob 1 carol 0"}, {11 * time.Minute, "alice 2 bob 1 carol 1"}} {
		stop()
		if err := b.clock.Advance(t.Context(), c.down, nil); err != nil {
			t.Fatal(err)
		}
		stop = b.runInside()
		b.advance(time.Minute)
		called(c.want)
	}
	b.advance(30 * time.Minute)
	called("alice 2 bob 1 carol 1")
	if all := b.alarms(); len(all) != 1 || !strings.Contains(all[0], "nobody came") {
		t.Errorf("the messages say %q", all)
	}
}

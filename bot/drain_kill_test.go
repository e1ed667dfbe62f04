package main

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// quick is a clock of a cloud that does in a second what takes ten.
type quick struct {
	clock.Clock
	began time.Time
}

func (q quick) Now() time.Time { return q.began.Add(10 * time.Since(q.began)) }

// changing are the calls of a drain that change something.
var changing = []string{"CreateTags", "EnterStandby", "SendCommand", "TerminateInstanceInAutoScalingGroup"}

// The process is killed at each change that a drain makes, before it is done and after
// it is done and not known to be: the instance is terminated once, with its logs
// shipped, and its group is as it was.
func TestADrainIsKilledAtEachChange(t *testing.T) {
	t.Parallel()
	fleet := awssim.Demo()
	fleet.In[0].Pools[0].Delay = 10 * time.Second
	sim, err := awssim.New(awssim.Config{Fleet: fleet, Clock: quick{clock.Real(), time.Now()}, Log: slog.New(slog.DiscardHandler), Accounts: map[string]string{awssim.DemoKey: "main"}})
	if err != nil {
		t.Fatal(err)
	}
	var b *box
	var mu sync.Mutex
	seen, kills, unproved := map[string]int{}, 0, int64(0)
	// hit says whether the process is to die at a call now: at the first of its kind
	// before it is done, at the second after.
	hit := func(action string, after bool) bool {
		mu.Lock()
		defer mu.Unlock()
		if action == "SendCommand" && seen["CreateTags"] == 0 { // what is only asked for the plan
			return false
		}
		if !after {
			seen[action]++
		}
		if die := seen[action] == 1 && !after || seen[action] == 2 && after; !die {
			return false
		}
		kills++
		return true
	}
	inner := sim.Handler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		i := slices.IndexFunc(changing, func(a string) bool {
			return strings.Contains(string(body), "Action="+a+"&") || strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+a)
		})
		if i < 0 {
			inner.ServeHTTP(w, r)
			return
		}
		if hit(changing[i], false) {
			b.cut()
			return
		}
		if changing[i] == "TerminateInstanceInAutoScalingGroup" {
			for _, one := range sim.Instances() {
				if one.Name == "web-3" {
					mu.Lock()
					unproved += one.BufferBytes
					mu.Unlock()
				}
			}
		}
		inner.ServeHTTP(w, r)
		if hit(changing[i], true) {
			b.cut()
		}
	}))
	t.Cleanup(server.Close)
	b = newBox(t, func(w *boxWorld) {
		w.edit = func(config string) string {
			return config + `
aws:
  accounts:
    - {name: main, regions: [ap-northeast-1], endpoint: ` + server.URL + `, access_key_id: ` + awssim.DemoKey + `, secret_access_key: sandbox-secret-key}
drain:
  roles:
    app: {unit: app.service, port: 8080, logs: fluentd, buffers: [/var/log/td-agent/buffer]}
`
		}
	})
	b.start()
	b.say("alice", "/ops drain web-3")
	b.untilCard("drain-1", ": planned")
	b.click("alice", b.card("drain-1").TS, "Confirm")
	b.untilCard("drain-1", ": flush") // which takes ten seconds at least, and is not missed
	b.untilCard("drain-1", ": done")
	mu.Lock()
	defer mu.Unlock()
	if kills < 6 {
		t.Errorf("it was killed %d times, at %v", kills, seen)
	}
	if unproved > 0 {
		t.Errorf("it was terminated with %d bytes in its buffer", unproved)
	}
	over := 0
	for _, i := range sim.Instances() {
		if i.State != "running" {
			over++
		}
	}
	for _, g := range sim.Groups() {
		if g.Name == "web" && (g.Desired != 12 || over != 1) {
			t.Errorf("the group wants %d, and %d instances are over", g.Desired, over)
		}
	}
}

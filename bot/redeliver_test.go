package main

import (
	"slices"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/github/githubsim"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// Webhooks that did not arrive, because they were lost on the way or because the
// bot was not there, are asked for again, once, and decided once.
func TestFailedDeliveriesAreSentAgain(t *testing.T) {
	for name, fail := range map[string]func(b *box, merge func()){
		"lost on the way": func(b *box, merge func()) {
			b.runInside()
			b.say("alice", "/ops deploy web to staging")
			b.untilCard("op-1", ": open", "plan +1 ~0 -0")
			if err := b.github.Fault(githubsim.FaultSpec{Kind: "lose_webhook", Event: "pull_request", Count: 1}); err != nil {
				b.t.Fatal(err)
			}
			merge()
			b.advance(5 * time.Minute)
		},
		"nobody there": func(b *box, merge func()) {
			stop := b.runInside()
			b.say("alice", "/ops deploy web to staging")
			b.untilCard("op-1", ": open", "plan +1 ~0 -0")
			stop()
			merge()
			b.runInside() // which looks at once
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t, func(w *boxWorld) { w.clock, w.mayHooks = clock.NewMovable(0), true })
			fail(b, func() {
				b.mergeOnGitHub()
				if err := b.github.WaitIdle(t.Context()); err != nil {
					t.Fatal(err)
				}
			})
			b.untilTold("op-1", "succeeded")
			var lost, again []string
			b.until("what was lost is delivered", func() bool {
				lost, again = nil, nil
				for _, d := range b.github.Deliveries() {
					switch {
					case d.Redelivery && d.StatusCode == 202:
						again = append(again, d.GUID)
					case !d.Pending && d.StatusCode != 202:
						lost = append(lost, d.GUID)
					}
				}
				return len(lost) > 0 && len(lost) == len(again)
			})
			if !slices.Equal(lost, again) {
				t.Errorf("lost %v, sent again %v", lost, again)
			}
			b.advance(5 * time.Minute)
			b.ask("alice", "/ops deliveries", "sent again, and arrived")
			b.advance(time.Hour)
			b.checkOnce("op-1")
			n := 0
			for _, d := range b.github.Deliveries() {
				if d.Redelivery {
					n++
				}
			}
			if n != len(lost) {
				t.Errorf("%d were sent again, of %d lost", n, len(lost))
			}
		})
	}
}

package main

import (
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
	"github.com/signalbox-chatops/signalbox/store"
)

// A target's timeout interrupts its apply, once, across a restart of the bot: it has
// failed with that reason, everywhere, and its log is kept.
func TestAnApplyThatTakesLongerThanItsTarget(t *testing.T) {
	t.Parallel()
	b := applying(t, func(w *boxWorld) { w.staging = "    timeout: 3s\n" })
	b.restart()
	b.until("the apply is interrupted", func() bool { return b.told("at-interrupt") })
	b.untilStep(b.step("-apply"), proc.Exited)
	why := "it took longer than its limit of 3s and was interrupted"
	card := b.untilCard("op-1", ": failed", why)
	b.untilTold("op-1", "failed")
	b.checkOnce("op-1")
	j := b.applyJob()
	if j.State != store.JobFailed || j.Why != why || j.Interrupts != 1 || !strings.Contains(j.Tail, "interrupted") {
		t.Errorf("%s is %s because %q after %d interrupts, tail %q", j.ID, j.State, j.Why, j.Interrupts, j.Tail)
	}
	called := 0
	for _, m := range b.history(card.TS) {
		if strings.Contains(m.Text, "web/staging did not work: "+why) {
			called++
		}
	}
	if called != 1 {
		t.Errorf("whoever asked was called %d times", called)
	}
}

package incident

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// faults are what can go wrong at a call: before it is done, or after it and before that
// is known here.
var faults = map[string]error{
	"killed":    errKilled,
	"lost":      &integrations.Later{After: 2 * time.Second, Err: errors.New("connection reset by peer")},
	"throttled": &integrations.Later{After: 40 * time.Second, Err: errors.New("429 Too Many Requests"), Unsent: true},
}

// Broken at any call, once, in any way, before or after it is done: one silence is made at
// the source, never two, and when it is ended here none is left there.
func TestBrokenAtEachCall(t *testing.T) {
	for fault := range faults {
		for _, ends := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, ended %v", fault, ends), func(t *testing.T) {
				t.Parallel()
				for n := 0; ; n++ {
					d := newDesk(t)
					e := d.carries("alertmanager")
					k, reached, after := 0, false, false
					e.fault = func(call string, before bool) error {
						if k++; k-1 != n || !before && fault == "throttled" {
							return nil
						}
						reached, after = true, !before
						return faults[fault]
					}
					d.says("bob", "silence web 1h the disks are replaced")
					d.rounds(1)
					if ends { // while nobody knows yet
						d.says("bob", "unsilence silence-1")
					}
					d.rounds(20)
					if want := map[bool]int{true: 0, false: 1}[ends]; e.inForce() != want || len(e.silences) > 1 {
						t.Errorf("broken at %d, done %v: %d are made, %d in force; it asked %v", n, after, len(e.silences), e.inForce(), e.asked)
					}
					want := map[bool]string{true: "🔔 alertmanager has it no more.", false: "🔕 alertmanager calls nobody either."}[ends]
					if got := d.said("silence-1"); got[0] != want {
						t.Errorf("broken at %d: it says %q", n, got)
					}
					if !reached {
						if n < 1 {
							t.Errorf("there are only %d calls", n)
						}
						return
					}
				}
			})
		}
	}
}

// The process is killed after the source has made it and before that is written down: the
// next one looks before it asks again.
func TestKilledBeforeItIsWrittenDown(t *testing.T) {
	d := newDesk(t)
	e := d.carries("alertmanager")
	e.fault = func(call string, before bool) error {
		if call == "make" && !before {
			return errKilled
		}
		return nil
	}
	d.says("bob", "silence web 1h the disks are replaced")
	d.rounds(1)
	e.fault = nil
	d.rounds(1)
	d.saying("silence-1", "🔕 alertmanager calls nobody either.", "[End it]")
	if got := strings.Join(e.asked, " "); got != "make find" || e.inForce() != 1 {
		t.Errorf("it asked %s; %d are in force", got, e.inForce())
	}
}

// What was asked for and is not found may be on its way: it is given its time, and a look
// that nobody answers is no leave to ask again.
func TestALostAnswerIsGivenItsTime(t *testing.T) {
	d := newDesk(t)
	e := d.carries("alertmanager")
	lost := true
	e.fault = func(call string, before bool) error {
		switch {
		case call == "make" && before && lost:
			lost = false
			return faults["lost"]
		case call == "find" && len(e.asked) < 4:
			return faults["throttled"]
		}
		return nil
	}
	d.says("bob", "silence web 1h the disks are replaced")
	d.rounds(2)
	d.saying("silence-1", "⏳ alertmanager does not have it yet: its answer was lost, and it cannot be looked for: “429 Too Many Requests”", "[End it]")
	d.rounds(20)
	if got := strings.Join(e.asked, " "); got != "make find find find make" || e.inForce() != 1 {
		t.Errorf("it asked %s", got)
	}
}

// A context that ends leaves it as it was tried.
func TestAContextThatEnds(t *testing.T) {
	d := newDesk(t)
	e := d.carries("alertmanager")
	ctx, cancel := context.WithCancel(context.Background())
	e.fault = func(call string, before bool) error {
		if cancel(); !before {
			return fmt.Errorf("make: %w", ctx.Err())
		}
		return nil
	}
	d.says("bob", "silence web 1h the disks are replaced")
	if err := d.ticking("carry the silences")(ctx); err != nil {
		t.Error(err)
	}
	e.fault = nil
	d.rounds(1)
	if got := strings.Join(e.asked, " "); got != "make find" || e.inForce() != 1 {
		t.Errorf("it asked %s", got)
	}
}

// What was asked for can arrive after its answer was lost: it is neither made again before
// that, nor taken for removed.
func TestWhatArrivesLate(t *testing.T) {
	for _, ends := range []bool{false, true} {
		d := newDesk(t)
		e := d.carries("alertmanager")
		var sent integrations.Quiet
		e.fault = func(call string, before bool) error {
			if call == "make" && before && sent.Nonce == "" {
				if err := d.store.View(func(tx *store.Tx) error {
					all, err := carriedOf(tx, "silence-1")
					sent = all[0].Quiet
					return err
				}); err != nil {
					t.Fatal(err)
				}
				return faults["lost"]
			}
			return nil
		}
		d.says("bob", "silence web 1h the disks are replaced")
		d.rounds(1)
		if ends {
			d.says("bob", "unsilence silence-1")
		}
		d.rounds(1)
		e.silences = append(e.silences, sent)
		d.rounds(10)
		if want := map[bool]int{true: 0, false: 1}[ends]; len(e.silences) != 1 || e.inForce() != want {
			t.Errorf("ended %v: %d are made, %d in force; it asked %v", ends, len(e.silences), e.inForce(), e.asked)
		}
	}
}

// Somebody ends it while the source is being asked to make it.
func TestEndedWhileItIsMade(t *testing.T) {
	for _, early := range []bool{false, true} {
		d := newDesk(t)
		e := d.carries("alertmanager")
		ended := false
		e.fault = func(call string, before bool) error {
			if call == "make" && before == early && !ended {
				ended = true
				d.says("bob", "unsilence silence-1")
			}
			return nil
		}
		d.says("bob", "silence web 1h the disks are replaced")
		d.rounds(3)
		d.saying("silence-1", "🔔 alertmanager has it no more.")
		if e.inForce() > 0 {
			t.Errorf("%d are in force; it asked %v", e.inForce(), e.asked)
		}
	}
}

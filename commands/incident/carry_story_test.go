package incident

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/signalbox-chatops/signalbox/store"
)

// Whatever is typed, broken, killed and waited for, in any order: no silence is made twice
// at its source, and once all is well again each source has what is said of it.
func TestASilenceIsCarriedOnceWhateverHappens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		d := newDesk(t)
		if rapid.Bool().Draw(rt, "recurring") {
			r := nightly()
			r.During, r.Environment = []string{"daily 00:00-12:00"}, ""
			d.cfg.Silences = []Recurring{r}
		}
		e := d.carries("alertmanager")
		n := 0
		d.breaks(rt, e)
		rt.Repeat(map[string]func(*rapid.T){
			"silence": func(*rapid.T) {
				n++
				d.says("bob", "silence web 2h the disks are replaced")
			},
			"unsilence": func(rt *rapid.T) {
				which := rapid.SampledFrom([]string{"recurring-1", fmt.Sprintf("silence-%d", rapid.IntRange(1, max(n, 1)).Draw(rt, "which"))}).Draw(rt, "id")
				_, _ = d.tries("bob", "unsilence "+which)
			},
			"round":   func(*rapid.T) { d.rounds(1) },
			"break":   func(rt *rapid.T) { d.breaks(rt, e) },
			"mend":    func(*rapid.T) { e.fault = nil },
			"restart": func(*rapid.T) { d.starts() },
			"wait": func(rt *rapid.T) {
				if err := d.clock.Advance(t.Context(), time.Duration(rapid.IntRange(1, 60).Draw(rt, "minutes"))*time.Minute, nil); err != nil {
					t.Fatal(err)
				}
				d.tick()
			},
			"": func(rt *rapid.T) { madeOnce(rt, e) },
		})
		e.fault = nil
		d.rounds(20)
		madeOnce(rt, e)
		d.accords(rt, e)
	})
}

// breaks has one of the next calls broken, in some way, before it is done or after.
func (d *desk) breaks(rt *rapid.T, e *elsewhere) {
	at := rapid.IntRange(0, 5).Draw(rt, "at")
	fault := rapid.SampledFrom([]string{"killed", "lost", "throttled"}).Draw(rt, "fault")
	k := 0
	e.fault = func(_ string, before bool) error {
		if k++; k-1 != at || !before && fault == "throttled" {
			return nil
		}
		return faults[fault]
	}
}

func madeOnce(rt *rapid.T, e *elsewhere) {
	seen := map[string]bool{}
	for _, q := range e.silences {
		if seen[q.Nonce] {
			rt.Fatalf("%s is made twice; it asked %v", q.ID, e.asked)
		}
		seen[q.Nonce] = true
	}
}

// accords compares what is written down with what is there.
func (d *desk) accords(rt *rapid.T, e *elsewhere) {
	there := map[string]bool{}
	for n, q := range e.silences {
		there[q.Nonce] = !e.removed[fmt.Sprintf("s%d", n+1)]
	}
	now := d.clock.Now()
	err := d.store.View(func(tx *store.Tx) error {
		return carried(tx).Each("", func(key string, c Carried) error {
			s, _, err := silences(tx).Get(c.Quiet.ID)
			if err != nil || c.over(now) {
				return err
			}
			if wanted := s.on(now) && s.Until.Equal(c.Quiet.Until); there[c.Quiet.Nonce] != wanted || (c.State == carryMade) != wanted {
				rt.Errorf("%s is %s, wanted %v, there %v; it asked %v", key, c.State, wanted, there[c.Quiet.Nonce], e.asked)
			}
			return nil
		})
	})
	if err != nil {
		rt.Fatal(err)
	}
}

package oncall

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A change is what somebody changed in a rotation, as it is shown.
type change struct {
	ID       string       `json:"id"`
	Schedule string       `json:"schedule"`
	Act      string       `json:"act"` // "take", "cover", "swap", "cancel"
	What     string       `json:"what"`
	By       store.Person `json:"by"`
	Reason   string       `json:"reason,omitempty"`
	At       time.Time    `json:"at"`
	// Overrides are the ids of what it made or ended.
	Overrides []string             `json:"overrides"`
	Before    []integrations.Shift `json:"before"`
	After     []integrations.Shift `json:"after"`
	Moved     []moved              `json:"moved,omitempty"`
	// Ended are the ids of overrides that the system that keeps the schedule is to end.
	Ended []string `json:"ended,omitempty"`
	// Refused is why that system did not take it, Waits why it does not have it yet.
	Refused string `json:"refused,omitempty"`
	Waits   string `json:"waits,omitempty"`
	// Undone says that what it made has been cancelled since.
	Undone bool `json:"undone,omitempty"`
}

// A moved is somebody whose next shift is another one after a change.
type moved struct {
	Person string  `json:"person"`
	Was    *period `json:"was,omitempty"` // nil: none in sight
	Is     *period `json:"is,omitempty"`
}

// A period is from Start until before End.
type period struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// A swap is a question to somebody whether they exchange a shift.
type swap struct {
	ID       string       `json:"id"`
	Schedule string       `json:"schedule"`
	By       store.Person `json:"by"`
	With     string       `json:"with"`
	Mine     period       `json:"mine"`   // of whoever asks
	Theirs   period       `json:"theirs"` // of whoever is asked
	Reason   string       `json:"reason,omitempty"`
	State    string       `json:"state"`
	Asked    time.Time    `json:"asked"`
	Why      string       `json:"why,omitempty"`
	Change   string       `json:"change,omitempty"`
}

// States of a swap.
const (
	swapAsked    = "asked"
	swapDone     = "done"
	swapDeclined = "declined"
	swapCanceled = "cancelled"
	swapExpired  = "expired"
)

// before is when it has to be answered.
func (s swap) before() time.Time {
	if s.Mine.Start.Before(s.Theirs.Start) {
		return s.Mine.Start
	}
	return s.Theirs.Start
}

// A handoff is a post that says who is on call.
type handoff struct {
	ID       string               `json:"id"`
	Schedule string               `json:"schedule"`
	At       time.Time            `json:"at"` // when it was due
	Late     time.Duration        `json:"late,omitempty"`
	Planned  bool                 `json:"planned,omitempty"` // it is a set time, and no handoff
	Week     bool                 `json:"week,omitempty"`    // a picture of the week ahead goes with it
	Now      integrations.Shift   `json:"now"`
	Before   *integrations.Shift  `json:"before,omitempty"`
	Coming   []integrations.Shift `json:"coming"`
	Waits    []integrations.Rich  `json:"waits,omitempty"`
}

// A watch is how far the posts of a schedule are.
type watch struct {
	// Through is until when handoffs have been looked at.
	Through time.Time `json:"through"`
	// Next is when the next post at a set time is due, by the expressions in Posts.
	Next  time.Time `json:"next,omitzero"`
	Posts []string  `json:"posts,omitempty"`
	Zone  string    `json:"zone,omitempty"`
}

func overrides(tx *store.Tx) *store.Records[integrations.Override] {
	return store.Feature[integrations.Override](tx, "oncall override")
}
func changes(tx *store.Tx) *store.Records[change] { return store.Feature[change](tx, "oncall change") }
func swaps(tx *store.Tx) *store.Records[swap]     { return store.Feature[swap](tx, "oncall swap") }
func handoffs(tx *store.Tx) *store.Records[handoff] {
	return store.Feature[handoff](tx, "oncall handoff")
}
func watches(tx *store.Tx) *store.Records[watch] { return store.Feature[watch](tx, "oncall watch") }

// gapsTold are the gaps that were told, by schedule and start.
func gapsTold(tx *store.Tx) *store.Records[period] { return store.Feature[period](tx, "oncall gap") }

func gapKey(schedule string, start time.Time) string {
	return fmt.Sprintf("%s %d", schedule, start.Unix())
}

// overridesOf are those of a schedule, oldest first.
func overridesOf(tx *store.Tx, schedule string) (out []integrations.Override, err error) {
	err = overrides(tx).Each("", func(_ string, o integrations.Override) error {
		if o.Schedule == schedule {
			out = append(out, o)
		}
		return nil
	})
	slices.SortFunc(out, func(a, b integrations.Override) int { return int(a.Order) - int(b.Order) })
	return out, err
}

// prune removes what is long over.
func (f *Rota) prune(ctx context.Context) error {
	if err := f.sweepWeeks(); err != nil {
		return fmt.Errorf("remove pictures of weeks: %w", err)
	}
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		old := tx.Now().Add(-keepFor)
		if err := drop(overrides(tx), func(o integrations.Override) bool { return o.End.Before(old) && o.Made.Before(old) }); err != nil {
			return err
		}
		if err := dropTold(tx, changes(tx), func(c change) bool { return c.At.Before(old) }); err != nil {
			return err
		}
		if err := dropTold(tx, swaps(tx), func(s swap) bool { return s.State != swapAsked && s.Asked.Before(old) }); err != nil {
			return err
		}
		if err := dropTold(tx, handoffs(tx), func(h handoff) bool { return h.At.Before(old) }); err != nil {
			return err
		}
		return dropTold(tx, gapsTold(tx), func(p period) bool { return p.Start.Before(old) && p.End.Before(old) })
	})
}

func drop[T any](r *store.Records[T], over func(T) bool) error {
	return dropEach(r, over, func(string) error { return nil })
}

func dropTold[T any](tx *store.Tx, r *store.Records[T], over func(T) bool) error {
	return dropEach(r, over, func(k string) error { return tell.Forget(tx, k) })
}

func dropEach[T any](r *store.Records[T], over func(T) bool, also func(key string) error) error {
	var keys []string
	err := r.Each("", func(k string, v T) error {
		if over(v) {
			keys = append(keys, k)
		}
		return nil
	})
	for _, k := range keys {
		if err == nil {
			err = r.Delete(k)
		}
		if err == nil {
			err = also(k)
		}
	}
	return err
}

// names are the people of a shift, in words.
func names(s integrations.Shift) string {
	if s.Gap() {
		return "nobody"
	}
	var out []string
	for _, d := range s.On {
		out = append(out, d.Person)
	}
	return strings.Join(out, " + ")
}

// same says whether the same people are on call in two shifts.
func same(a, b integrations.Shift) bool { return names(a) == names(b) }

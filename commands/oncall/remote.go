package oncall

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/rota"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	remoteEvery = 15 * time.Second
	// refreshEvery is how often a schedule that is kept elsewhere is read anew, and
	// againEvery how often it is tried while that does not work.
	refreshEvery = 5 * time.Minute
	againEvery   = time.Minute
	// remoteBack and remoteAhead are which days are read. Calendars tell of the past, in
	// which what was cut off looks like another shift; posts may be late; and a digest
	// compares two weeks.
	remoteBack, remoteAhead = 31, 60
	// trusted is how old what was read may be for the gates.
	trusted = time.Hour
)

// Source keeps schedules of its own, by id. Errors are *integrations.Later where it is to
// be tried again; any other is for good.
type Source interface {
	Timeline(ctx context.Context, id string, from, to time.Time) ([]integrations.Shift, error)
	// Override makes an override, if it is not there yet, and gives what Cancel takes.
	Override(ctx context.Context, id string, o integrations.Override) (remote string, err error)
	// Find gives what Cancel takes of an override that Override has made, and of which
	// nobody has heard; "" where there is none.
	Find(ctx context.Context, id string, o integrations.Override) (remote string, err error)
	Cancel(ctx context.Context, id, remote string) error
}

// A read is what a schedule that is kept elsewhere was when it was last read.
type read struct {
	ID     string               `json:"id"` // there
	From   time.Time            `json:"from"`
	To     time.Time            `json:"to"`
	At     time.Time            `json:"at"`
	Shifts []integrations.Shift `json:"shifts"`
	Why    string               `json:"why,omitempty"`  // it could not be read since
	Tried  time.Time            `json:"tried,omitzero"` // when that was, the last time
}

func reads(tx *store.Tx) *store.Records[read] { return store.Feature[read](tx, "oncall read") }

// ends are overrides that are to be taken back elsewhere, by their ids here. One without a
// Remote may have been made there all the same.
func ends(tx *store.Tx) *store.Records[integrations.Override] {
	return store.Feature[integrations.Override](tx, "oncall end")
}

// elsewhere says whether another system keeps a schedule.
func (s Schedule) elsewhere() bool { return s.PagerDuty != "" }

// ofRead is a schedule that is kept elsewhere, for the calculator: each of its shifts is
// a layer of its own.
func (s Schedule) ofRead(r read) rota.Schedule {
	out := rota.Schedule{Name: s.Name, Zone: s.zone()}
	for n, x := range r.Shifts {
		if x.Gap() {
			continue
		}
		var who []string
		for _, d := range x.On {
			who = append(who, d.Person)
		}
		e := rota.Epoch{From: x.Start, Anchor: rota.LocalOf(x.Start.In(out.Zone)), Unit: "monthly", Every: mostEvery, Groups: [][]string{who}}
		out.Layers = append(out.Layers, rota.Layer{Name: fmt.Sprint(n), Epochs: []rota.Epoch{e}, Until: x.End})
	}
	return out
}

// readOf is what was read of a schedule; it is unheard of if it never was.
func readOf(tx *store.Tx, s Schedule) (read, error) {
	r, found, err := reads(tx).Get(s.Name)
	if err == nil && (!found || r.ID != s.PagerDuty || r.At.IsZero()) {
		what := fmt.Sprintf("PagerDuty has not been asked yet who is on call of %s.", s.Name)
		if found && r.ID == s.PagerDuty && r.Why != "" {
			what = fmt.Sprintf("PagerDuty has not told who is on call of %s: “%s”.", s.Name, r.Why)
		}
		return r, commands.Refuse(codeUnheard, what).WithHint("I ask it again every minute.").WithExample("oncall " + s.Name)
	}
	return r, err
}

const codeUnheard = "unheard"

// unheard says that another system has not told of a schedule yet.
func unheard(err error) bool {
	var no *commands.Refusal
	return errors.As(err, &no) && no.Code == codeUnheard
}

// fresh is an error if what was read is too old to be relied on.
func (f *Rota) fresh(tx *store.Tx, s Schedule) error {
	if !s.elsewhere() {
		return nil
	}
	r, err := readOf(tx, s)
	if age := f.Clock.Now().Sub(r.At); err == nil && age > trusted {
		err = fmt.Errorf("PagerDuty was last heard of %s %s ago: %s", s.Name, age.Round(time.Minute), r.Why)
	}
	return err
}

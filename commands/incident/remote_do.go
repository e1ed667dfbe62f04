package incident

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A job of this kind does at the other system what people wanted of one incident, wish by
// wish in their order. It can be killed anywhere: a wish goes in the transaction that keeps
// what came of it, and is tried again until then. The other system finds what it has done
// already.
const kindRemote = "incident-remote"

const (
	mostRetry  = time.Minute
	leastRetry = time.Second
)

type remoteData struct {
	Incident string `json:"incident"`
}

func beginCarrying(tx *store.Tx, id string, n int) error {
	data, err := json.Marshal(remoteData{id})
	if err != nil {
		return err
	}
	_, _, err = tx.InsertJob(&store.Job{Key: fmt.Sprintf("%s wish %d", id, n), Kind: kindRemote, State: store.JobQueued, Data: data})
	return err
}

func (f *feature) doThere(ctx context.Context, r *runner.Run) runner.End {
	var data remoteData
	if err := json.Unmarshal(r.Job.Data, &data); err != nil {
		return runner.Failed(fmt.Errorf("read what %s is for: %w", r.Job.ID, err))
	}
	for {
		more, after, err := f.doOne(ctx, data.Incident)
		switch {
		case ctx.Err() != nil:
			return runner.End{State: store.JobQueued, Uncounted: true}
		case err != nil:
			return runner.End{State: store.JobQueued, Uncounted: true, After: afterTrouble, Err: err}
		case after > 0:
			return runner.End{State: store.JobQueued, Uncounted: true, After: after}
		case !more:
			return runner.End{State: store.JobSucceeded}
		}
	}
}

const afterTrouble = 5 * time.Second

// doOne does the oldest wish of an incident, and says whether there are more; after is
// when to come again for the same one. An error is of the store.
func (f *feature) doOne(ctx context.Context, id string) (more bool, after time.Duration, err error) {
	var i Incident
	err = f.Store.View(func(tx *store.Tx) (err error) { i, _, err = records(tx).Get(id); return err })
	if err != nil || i.Elsewhere == nil || len(i.Elsewhere.Wishes) == 0 {
		return false, 0, err
	}
	w := i.Elsewhere.Wishes[0]
	acted, failed := f.do(ctx, &i, w)
	if ctx.Err() != nil {
		return false, 0, nil
	}
	var later *integrations.Later
	if errors.As(failed, &later) && f.Clock.Now().Sub(w.At) < wishFor {
		return false, min(max(later.After, leastRetry), mostRetry), f.waits(ctx, id, w, failed)
	}
	err = f.Store.Update(ctx, func(tx *store.Tx) error {
		i, _, err := records(tx).Get(id)
		if err != nil || i.Elsewhere == nil || len(i.Elsewhere.Wishes) == 0 || i.Elsewhere.Wishes[0].N != w.N {
			return err
		}
		more, err = f.settle(tx, &i, w, acted, failed)
		return err
	})
	return more, 0, err
}

// plain is an error for people: when it is tried again is ours to say.
func plain(err error) string {
	var later *integrations.Later
	if errors.As(err, &later) && later.Err != nil {
		return later.Err.Error()
	}
	return err.Error()
}

// waits keeps why a wish is still waiting.
func (f *feature) waits(ctx context.Context, id string, w Wish, failed error) error {
	why := plain(failed)
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		i, found, err := records(tx).Get(id)
		if err != nil || !found || i.Elsewhere == nil || i.Elsewhere.Why == why {
			return err
		}
		if i.Elsewhere.Why == "" {
			f.Log.Warn("the other system is not told yet", "incident", id, "act", w.Act, "error", failed)
		}
		i.Elsewhere.Why = why
		return put(tx, &i, false)
	})
}

// settle keeps what came of a wish. What was shown here before the other system said yes
// is taken back where it says no.
func (f *feature) settle(tx *store.Tx, i *Incident, w Wish, acted integrations.RemoteActed, failed error) (more bool, err error) {
	now, e := f.Clock.Now(), i.Elsewhere
	e.Wishes, e.Why, e.Done = e.Wishes[1:], "", now
	more = len(e.Wishes) > 0
	e.Job = more
	var over *integrations.RemoteOver
	var gone *integrations.Gone
	switch {
	case failed == nil:
		if acted.Incident.ID != "" {
			e.Assigned = acted.Incident.Assigned
		}
		err = f.agreed(tx, i, w, acted)
	case errors.As(failed, &over):
		err = f.overThere(tx, i, w, over.Incident)
	case errors.As(failed, &gone):
		err = f.overThere(tx, i, w, integrations.RemoteIncident{ResolvedBy: integrations.AlertPerson{Name: "deleted"}})
	default:
		f.Log.Warn("the other system says no", "incident", i.ID, "act", w.Act, "as", w.As, "error", failed)
		if undo := undoes[w.Act]; undo != nil {
			err = undo(f, tx, i, w)
		}
		if err == nil {
			err = f.tell(tx, i, w, saidNo, plain(failed))
		}
	}
	if err != nil {
		return more, err
	}
	return more, put(tx, i, true)
}

// agreed is what comes of an act that was done, or was so.
func (f *feature) agreed(tx *store.Tx, i *Incident, w Wish, acted integrations.RemoteActed) error {
	switch {
	case w.Act == actAck && acted.Already && acted.By != (integrations.AlertPerson{}) && !strings.EqualFold(acted.By.Email, w.As):
		by, _ := f.whose(acted.By)
		name := cmp.Or(by.Name, acted.By.Name, acted.By.Email)
		if i.open() {
			i.ack(f.Clock.Now(), by, name)
		}
		return f.tell(tx, i, w, saidFirst, name)
	case w.Act == actEscalate && !acted.Already:
		return f.tell(tx, i, w, saidCalls, strings.Join(i.assigned(), ", "))
	case w.Act == actNote && acted.Cut:
		return f.tell(tx, i, w, saidCut, "")
	}
	return nil
}

// overThere ends what is over there already.
func (f *feature) overThere(tx *store.Tx, i *Incident, w Wish, r integrations.RemoteIncident) error {
	by, _ := f.whose(r.ResolvedBy)
	name := cmp.Or(by.Name, r.ResolvedBy.Name, i.Source)
	if w.Act == actResolve {
		if !i.open() { // somebody was faster, there
			i.OverBy, i.OverName = by, name
		}
		return f.tell(tx, i, w, saidOver, name)
	}
	if i.open() {
		i.Over, i.OverBy, i.OverName = f.Clock.Now(), by, name
		if err := f.end(tx, i); err != nil {
			return err
		}
	}
	return f.tell(tx, i, w, saidOver, name)
}

// undoes take back what was shown here of an act that the other system refused.
var undoes = map[string]func(f *feature, tx *store.Tx, i *Incident, w Wish) error{
	actAck: (*feature).undoAck,
	actSnooze: func(f *feature, tx *store.Tx, i *Incident, w Wish) error {
		i.Snoozed = time.Time{}
		return nil
	},
	actResolve: func(f *feature, tx *store.Tx, i *Incident, w Wish) error {
		if i.open() || i.OverBy != w.By {
			return nil
		}
		return f.revive(tx, i)
	},
}

func (f *feature) undoAck(tx *store.Tx, i *Incident, w Wish) error {
	if !i.open() || i.AckedBy != w.By {
		return nil
	}
	i.unack()
	f.turn(i)
	return f.counted(tx, i, 0, -1)
}

// revive has an incident go on that was ended here alone.
func (f *feature) revive(tx *store.Tx, i *Incident) error {
	for _, key := range f.trailsOf(i) {
		t, _, err := trails(tx).Get(key)
		if err != nil || t.Open != "" { // it came back as another
			return err
		}
		if n := len(t.Past); n > 0 && t.Past[n-1] == i.ID {
			t.Past = t.Past[:n-1]
		}
		t.Open = i.ID
		if err := trails(tx).Put(key, t); err != nil {
			return err
		}
	}
	i.Over, i.OverBy, i.OverName = time.Time{}, store.Person{}, ""
	f.turn(i)
	return f.counted(tx, i, 1, acks(i))
}

// What is told under an incident of what the other system said.
const (
	saidNo    = "no"
	saidFirst = "first"
	saidCalls = "calls"
	saidCut   = "cut"
	saidOver  = "over"
)

// tell says in the thread of an incident what came of a wish.
func (f *feature) tell(tx *store.Tx, i *Incident, w Wish, what, more string) error {
	system := i.Source
	if r := f.elsewhere(i); r != nil {
		system = r.System
	}
	return f.under(tx, i, cardThere, fmt.Sprintf("%d-%s", w.N, what), map[string]string{
		"what": what, "act": w.Act, "by": byWhom(w), "system": system, "more": cut(more, mostText),
	})
}

// verbOf is what people type for an act; the others are typed as they are called.
var verbOf = map[string]string{actResolve: "all-clear"}

// thereCard says in the thread what the other system said.
func (f *feature) thereCard(_ *store.Tx, s *store.Surface) (integrations.Message, error) {
	w := s.Where
	by, system, more := w["by"], w["system"], w["more"]
	var row integrations.Rich
	switch w["what"] {
	case saidNo:
		row = integrations.R("⛔ ", system, " did not take ", by, "'s ", integrations.Code(cmp.Or(verbOf[w["act"]], w["act"])), ": ", integrations.Italic(more))
	case saidFirst:
		row = integrations.R("☝️ ", more, " was first, in ", system, ": it is theirs, and not ", by, "'s.")
	case saidCalls:
		row = integrations.R("📟 ", system, " calls ", more, " now · asked for by ", by)
		if more == "" {
			row = integrations.R("📟 ", system, " calls whoever is next now · asked for by ", by)
		}
	case saidCut:
		row = integrations.R("✂️ The note was too long for ", system, ", and ends early there.")
	default:
		row = integrations.R("🟢 It was over in ", system, " already: ", more, " said so.")
	}
	return integrations.Message{Text: row.Plain(), Blocks: []integrations.Block{{Text: row}}}, nil
}

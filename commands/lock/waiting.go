package lock

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// mostOffered is how many waiting jobs get buttons in one message.
const mostOffered = 8

// waiting are the blocked jobs that wait for a hold, or for one of its kind that
// stands in the same place.
func (f *feature) waiting(tx *store.Tx, h *store.Hold) ([]*store.Job, error) {
	jobs, err := tx.LiveJobs()
	if err != nil {
		return nil, err
	}
	var out []*store.Job
	for _, j := range jobs {
		if j.State != store.JobBlocked || len(j.Closed) > 0 && !slices.Contains(j.Closed, h.Kind) {
			continue
		}
		in, err := f.covers(tx, h, j)
		if err != nil {
			return nil, err
		}
		if in {
			out = append(out, j)
		}
	}
	return out, nil
}

// covers says whether a hold holds what a job changes, as the gate asks it.
func (f *feature) covers(tx *store.Tx, h *store.Hold, j *store.Job) (bool, error) {
	service, environment := "", ""
	op, err := tx.Operation(j.Operation)
	switch {
	case err == nil:
		service, environment = op.Service, op.Environment
	case errors.Is(err, store.ErrNotFound):
		t, _ := f.Catalog().Target(j.Target)
		environment = t.Environment
	default:
		return false, err
	}
	return gate.Covers(f.Catalog(), h, service, environment, []string{j.Target}), nil
}

// holding are the live holds that still keep a job waiting.
func (f *feature) holding(tx *store.Tx, j *store.Job) ([]*store.Hold, error) {
	all, err := f.live(tx)
	if err != nil {
		return nil, err
	}
	var out []*store.Hold
	for _, h := range all {
		in, err := f.covers(tx, h, j)
		if err != nil {
			return nil, err
		}
		if in {
			out = append(out, h)
		}
	}
	return out, nil
}

// goOn lets what waited for a released hold alone go on where the environment
// says so; every gate is asked again when its turn comes. After a stop nothing
// does, and nothing that was dirty: both were alarms.
func (f *feature) goOn(tx *store.Tx, h *store.Hold, by integrations.Person) ([]*store.Job, error) {
	if h.Stop || h.Kind == store.HoldDirty {
		return nil, nil
	}
	waiting, err := f.waiting(tx, h)
	if err != nil {
		return nil, err
	}
	var out []*store.Job
	for _, j := range waiting {
		t, _ := f.Catalog().Target(j.Target)
		env, _ := f.Catalog().Environment(t.Environment)
		if env.OnOpen != "run" || !slices.Equal(j.Closed, []string{h.Kind}) {
			continue
		}
		if still, err := f.holding(tx, j); err != nil || len(still) > 0 {
			if err != nil {
				return nil, err
			}
			continue
		}
		j.State, j.Why = store.JobQueued, fmt.Sprintf("%s released %s", by.Display(), h.ID)
		if err := tx.PutJob(j); err != nil {
			return nil, err
		}
		err := tx.Audit(store.AuditRow{Who: gate.ToStore(by), Act: "job queued", Subject: j.ID, Environment: env.Name, Target: j.Target,
			Outcome: "done", Detail: "on_open: run, and " + h.ID + " was released", Via: "slack"})
		if err != nil {
			return nil, err
		}
		if err := tell.Mark(tx, j.Operation, true); err != nil {
			return nil, err
		}
		out = append(out, j)
	}
	return out, nil
}

// offer says that a hold is over, and asks about each job that waited for it. room
// is the channel where it is asked, if it is one: elsewhere than in a channel of a
// job's environment its buttons would be refused.
func (f *feature) offer(tx *store.Tx, text string, waiting []*store.Job, room string) (integrations.Message, error) {
	if len(waiting) == 0 {
		return *say(text), nil
	}
	head := text + "\nThese waited for it and do not start by themselves:"
	if len(waiting) == 1 {
		head = text + "\nThis waited for it and does not start by itself:"
	}
	m := integrations.Message{Text: head, Blocks: []integrations.Block{{Text: integrations.R(head)}}}
	for i, j := range waiting {
		if i == mostOffered {
			more := fmt.Sprintf("… and %d more: `/ops status` shows them.", len(waiting)-i)
			m.Text += "\n" + more
			m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R(more)})
			break
		}
		still, err := f.holding(tx, j)
		if err != nil {
			return m, err
		}
		line := fmt.Sprintf("%s of %s (%s)", j.ID, j.Operation, j.Target)
		if who := gate.FromStore(j.Requester); who.Linked() {
			line += ", asked for by " + who.Display()
		}
		for _, h := range still {
			line += "; still " + f.sentence(h)
		}
		buttons := []integrations.Button{
			{Label: "Retry", Command: "retry " + j.ID, Style: "primary"},
			{Label: "Cancel", Command: "cancel " + j.ID, Confirm: "Drop " + j.ID + ", the apply on " + j.Target + "? The merge stays."},
		}
		if there := f.elsewhere(j, room); there != "" {
			line, buttons = line+"; it is asked about in "+there, nil
		}
		m.Text += "\n" + line
		if m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R(line)}); buttons != nil {
			m.Blocks = append(m.Blocks, integrations.Block{Buttons: buttons})
		}
	}
	return m, nil
}

// elsewhere is the channel of a job's environment, if room is none of its channels.
func (f *feature) elsewhere(j *store.Job, room string) string {
	t, _ := f.Catalog().Target(j.Target)
	env, _ := f.Catalog().Environment(t.Environment)
	if room == "" || len(env.Channels) == 0 || slices.ContainsFunc(env.Channels, func(ch string) bool { return f.Channel(ch) == room }) {
		return ""
	}
	return "#" + strings.TrimPrefix(env.Channels[0], "#")
}

// openAsk opens a new message about what waited, in each channel that showed the
// hold: an edit of its card makes no phone ring.
func (f *feature) openAsk(tx *store.Tx, h *store.Hold) error {
	rooms, err := f.shownIn(tx, h)
	if err != nil {
		return err
	}
	for _, room := range rooms {
		err := tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, h.ID, cardOpened, room), Place: placeMessage, Card: cardOpened, Subject: h.ID, Where: map[string]string{"channel": room}})
		if err != nil {
			return err
		}
	}
	return nil
}

// shownIn are the channels where a hold's card stands, or would.
func (f *feature) shownIn(tx *store.Tx, h *store.Hold) ([]string, error) {
	all, err := tx.SurfacesOf(h.ID)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, s := range all {
		if room := s.Where["channel"]; s.Card == cardHold && room != "" && !slices.Contains(out, room) {
			out = append(out, room)
		}
	}
	if len(out) == 0 {
		out = f.rooms(f.Catalog(), h, integrations.Heard{Channel: h.Channel})
	}
	return out, nil
}

// askedAbout are the jobs that the messages of an ended hold still ask about.
const askedAbout = "hold asked about"

// remember keeps the jobs that the messages of a hold that just ended ask about.
func (f *feature) remember(tx *store.Tx, h *store.Hold) error {
	waiting, err := f.waiting(tx, h)
	if err != nil || len(waiting) == 0 {
		return err
	}
	var ids []string
	for _, j := range waiting {
		ids = append(ids, j.ID)
	}
	return store.Feature[[]string](tx, askedAbout).Put(h.ID, ids)
}

// waited are the jobs that the messages of an ended hold still ask about. What came
// to wait later, for another one in the same place, never waited for this one.
func (f *feature) waited(tx *store.Tx, h *store.Hold) ([]*store.Job, error) {
	ids, _, err := store.Feature[[]string](tx, askedAbout).Get(h.ID)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	waiting, err := f.waiting(tx, h)
	return slices.DeleteFunc(waiting, func(j *store.Job) bool { return !slices.Contains(ids, j.ID) }), err
}

// markAsking has the messages of ended holds shown anew that still ask about a job:
// they name what else holds it.
func (f *feature) markAsking(tx *store.Tx) error {
	return store.Feature[[]string](tx, askedAbout).Each("", func(hold string, _ []string) error { return tell.Mark(tx, hold, false) })
}

// markCause has the operation shown anew whose apply left something dirty; it is
// over, and its card says what is dirty.
func (f *feature) markCause(tx *store.Tx, h *store.Hold) error {
	if h.Job == "" {
		return nil
	}
	j, err := tx.Job(h.Job)
	if errors.Is(err, store.ErrNotFound) || err == nil && j.Operation == "" {
		return nil
	} else if err != nil {
		return err
	}
	return tell.Mark(tx, j.Operation, true)
}

// movedOn are the jobs that still wait, by the ended hold whose messages ask about
// one that waits no more.
func (f *feature) movedOn(tx *store.Tx) (map[string][]string, error) {
	out := map[string][]string{}
	err := store.Feature[[]string](tx, askedAbout).Each("", func(hold string, jobs []string) error {
		e, _, err := gate.EndedHold(tx, hold)
		if err != nil {
			return err
		}
		still, err := f.waited(tx, &e.Hold) // one that waits for something else by now does not count
		if err != nil {
			return err
		}
		var left []string
		for _, j := range still {
			left = append(left, j.ID)
		}
		if len(left) < len(jobs) {
			out[hold] = left
		}
		return nil
	})
	return out, err
}

// showMovedOn takes what waits no more out of the messages that ask about it.
func (f *feature) showMovedOn(tx *store.Tx) error {
	moved, err := f.movedOn(tx)
	if err != nil {
		return err
	}
	for hold, left := range moved {
		records := store.Feature[[]string](tx, askedAbout)
		if len(left) > 0 {
			err = records.Put(hold, left)
		} else {
			err = records.Delete(hold)
		}
		if err == nil {
			err = tell.Mark(tx, hold, false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

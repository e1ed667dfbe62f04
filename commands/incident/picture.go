package incident

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// The picture of an incident stands in its thread, as a message of its own: one that cannot
// be fetched or drawn keeps nothing else from being told. It is the source's own, or else
// one of the metric that is drawn here.

const (
	kindPicture = "incident-picture" // of the jobs that draw

	drawnBefore = 3 * time.Hour    // of the incident, that a drawn picture shows
	drawFor     = 10 * time.Minute // after which it is not drawn any more
	drawAgain   = 30 * time.Second
	drawLimit   = 10 * time.Second // of one try, in wall time
)

type pictureData struct {
	Incident string    `json:"incident"`
	Wanted   time.Time `json:"wanted"`
}

// picture has that of a new incident shown.
func (f *feature) picture(tx *store.Tx, i *Incident) error {
	a := i.Alert
	if strings.HasPrefix(a.Image, "https://") { // Slack fetches nothing else
		return f.under(tx, i, cardPicture, "0", map[string]string{"url": a.Image, "of": i.Title})
	}
	if f.Draw == nil || a.Metric.Name == "" || len(i.measured()) == 0 {
		return nil
	}
	data, err := json.Marshal(pictureData{i.ID, f.Clock.Now()})
	if err != nil {
		return err
	}
	_, _, err = tx.InsertJob(&store.Job{Key: i.ID + " picture", Kind: kindPicture, State: store.JobQueued, Data: data})
	return err
}

// measured are the names under which the monitoring may know what it is about.
func (i *Incident) measured() []string {
	all := []string{i.Alert.Instance, i.Alert.HostID, i.Alert.Host, i.Service}
	return slices.Compact(slices.DeleteFunc(all, func(s string) bool { return s == "" }))
}

// pictureCard is the source's own.
func (f *feature) pictureCard(_ *store.Tx, s *store.Surface) (integrations.Message, error) {
	alt := integrations.R("the graph of ", "“"+cut(s.Where["of"], 200)+"”").Plain()
	return integrations.Message{Text: alt + ": " + s.Where["url"], Blocks: []integrations.Block{{Picture: &integrations.Picture{URL: s.Where["url"], Alt: alt}}}}, nil
}

// draw is the job that draws one. Drawn again after it was killed, it is the same file, and
// the same message.
func (f *feature) draw(ctx context.Context, r *runner.Run) runner.End {
	var data pictureData
	if err := json.Unmarshal(r.Job.Data, &data); err != nil {
		return runner.Failed(fmt.Errorf("read what %s is for: %w", r.Job.ID, err))
	}
	var i Incident
	err := f.Store.View(func(tx *store.Tx) (err error) { i, _, err = records(tx).Get(data.Incident); return err })
	if err != nil {
		return runner.End{State: store.JobQueued, Uncounted: true, After: afterTrouble, Err: err}
	}
	if f.Draw == nil || !i.open() {
		return runner.End{State: store.JobSucceeded}
	}
	limited, cancel := context.WithTimeout(ctx, drawLimit)
	defer cancel()
	now := f.Clock.Now()
	d, err := f.Draw(limited, i.measured(), i.Alert.Metric.Name, i.Channel, i.Opened.Add(-drawnBefore), now)
	var no *commands.Refusal
	switch {
	case ctx.Err() != nil:
		return runner.End{State: store.JobQueued, Uncounted: true}
	case err != nil && (!errors.As(err, &no) || no.Code == "away") && now.Sub(data.Wanted) < drawFor:
		return runner.End{State: store.JobQueued, Uncounted: true, After: drawAgain}
	case err != nil:
		f.Log.Debug("an incident has no picture", "incident", i.ID, "error", err)
		return runner.End{State: store.JobSucceeded} // nobody waits for it
	}
	if err := f.drawn.WriteOf(i.ID, d.PNG); err != nil {
		return runner.End{State: store.JobQueued, Uncounted: true, After: drawAgain, Err: err}
	}
	return runner.End{State: store.JobSucceeded, Save: func(tx *store.Tx, _ *store.Job) error {
		return f.drawn.SendOf(tx, i.ID, commands.Sent{Name: d.Name, Title: d.Title, Alt: d.Alt, Channel: i.Channel, Under: tell.ID(placeMessage, i.ID)})
	}}
}

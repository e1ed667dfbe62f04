package incident

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// The source's own picture stands in the thread, where Slack can fetch it.
func TestThePictureOfASource(t *testing.T) {
	for url, want := range map[string]bool{"https://mackerel.example/embed/alert.png": true, "http://10.0.0.7/a.png": false, "": false} {
		d := newDesk(t)
		d.sends(d.alert(integrations.AlertFiring, func(a *integrations.Alert) { a.Image = url }))
		d.sends(d.alert(integrations.AlertFiring, func(a *integrations.Alert) { a.Image = url }))
		shown := 0
		err := d.store.View(func(tx *store.Tx) error {
			all, err := tx.SurfacesOf("incident-1")
			for _, s := range all {
				m, err := d.feat.Cards[s.Card](tx, s)
				if err != nil {
					return err
				}
				for _, b := range m.Blocks {
					if b.Picture != nil && b.Picture.URL == url && strings.Contains(b.Picture.Alt, "disk is full on web-1") && s.Where["under"] != "" {
						shown++
					}
				}
			}
			return err
		})
		if err != nil || shown != map[bool]int{true: 1, false: 0}[want] {
			t.Errorf("%q is shown %d times, %v", url, shown, err)
		}
	}
}

// drawing is a desk at which metrics are drawn; each call of draw is one try.
func drawing(t *testing.T, draw func(of []string, metric, channel string, from, until time.Time) (integrations.Drawn, error)) *desk {
	d := newDesk(t)
	d.draw = func(_ context.Context, of []string, metric, channel string, from, until time.Time) (integrations.Drawn, error) {
		return draw(of, metric, channel, from, until)
	}
	d.starts()
	d.sends(d.alert(integrations.AlertFiring, func(a *integrations.Alert) {
		a.Metric, a.Instance = integrations.Metric{Name: "cpu.user", Value: "97"}, "i-0abc"
	}))
	return d
}

// files are the pictures that were sent, each with whether it is on disk.
func (d *desk) files() (out []string) {
	d.t.Helper()
	err := d.store.View(func(tx *store.Tx) error {
		s, err := tx.Surface(tell.ID("slack.file", "incident-graph-incident-1"))
		if errors.Is(err, store.ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		m, err := d.feat.Cards[s.Card](tx, s)
		if err != nil {
			return err
		}
		body, err := os.ReadFile(m.File.Path)
		out = append(out, m.File.Title+": "+string(body)+" under "+s.Where["under"])
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return out
}

// paints runs the job that draws, as the runner does, until it ends.
func (d *desk) paints(times int) string {
	d.t.Helper()
	for range times {
		job, err := (*store.Job)(nil), error(nil)
		err = d.store.View(func(tx *store.Tx) (err error) { job, err = tx.JobByKey("incident-1 picture"); return err })
		if err != nil {
			return err.Error()
		}
		end := d.feat.Kinds[1].Run(context.Background(), &runner.Run{Job: job})
		if end.Save != nil {
			err = d.store.Update(context.Background(), func(tx *store.Tx) error { return end.Save(tx, job) })
		}
		if err != nil {
			d.t.Fatal(err)
		}
		if end.State != store.JobQueued {
			return end.State
		}
		d.moves(max(end.After, time.Second))
	}
	return store.JobQueued
}

func TestAMetricIsDrawn(t *testing.T) {
	tries := 0
	d := drawing(t, func(of []string, metric, channel string, from, until time.Time) (integrations.Drawn, error) {
		if tries++; tries == 1 {
			return integrations.Drawn{}, commands.Refuse("away", "The monitoring does not answer now.")
		}
		if strings.Join(of, ",") != "i-0abc,web-1,web" || metric != "cpu.user" || channel != "C-alerts" || until.Sub(from) < 3*time.Hour {
			t.Errorf("asked for are %q of %q for %s over %v", metric, of, channel, until.Sub(from))
		}
		return integrations.Drawn{Name: "a.png", Title: "web-1: cpu.user", Alt: "it rises", PNG: []byte("PNG")}, nil
	})
	if got := d.paints(5); got != store.JobSucceeded || tries != 2 {
		t.Fatalf("after %d tries it is %s", tries, got)
	}
	want := []string{"web-1: cpu.user: PNG under " + tell.ID(placeMessage, "incident-1")}
	if got := d.files(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("sent are %q, want %q", got, want)
	}
	d.starts() // killed before the job was known to be over: it is the same file and message
	if got := d.paints(5); got != store.JobSucceeded || len(d.files()) != 1 {
		t.Errorf("drawn again it is %s, sent are %q", got, d.files())
	}
	if all, err := filepath.Glob(filepath.Join(d.dir, "pictures", "*")); err != nil || len(all) != 1 {
		t.Errorf("on disk are %q, %v", all, err)
	}
}

func TestAMetricThatIsNotDrawn(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"unknown":    {commands.Refuse("unknown", "Nothing is called so."), store.JobSucceeded},
		"silent":     {commands.Refuse("away", "It does not answer."), store.JobSucceeded},
		"unexpected": {errors.New("the picture is too large"), store.JobSucceeded},
	} {
		tries := 0
		d := drawing(t, func([]string, string, string, time.Time, time.Time) (integrations.Drawn, error) {
			tries++
			return integrations.Drawn{}, c.err
		})
		if got := d.paints(100); got != c.want || len(d.files()) > 0 || (name == "unknown") != (tries == 1) || tries > 25 {
			t.Errorf("%s: after %d tries it is %s, sent are %q", name, tries, got, d.files())
		}
	}
	d := drawing(t, func([]string, string, string, time.Time, time.Time) (integrations.Drawn, error) {
		t.Error("it is drawn")
		return integrations.Drawn{}, nil
	})
	d.says("bob", "all-clear incident-1")
	if got := d.paints(5); got != store.JobSucceeded {
		t.Errorf("it is %s", got)
	}
}

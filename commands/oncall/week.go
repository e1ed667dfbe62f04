package oncall

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	cardWeek  = "oncall week"
	placeFile = "slack.file"
	// drawnAhead is how far shifts are read for a picture of a week: far enough to say
	// until when the last one goes on.
	drawnAhead = 22 * 24 * time.Hour
)

// openWeek has the week ahead drawn under a post at a set time: people look rather than
// read.
func (f *Rota) openWeek(tx *store.Tx, s Schedule, h handoff) error {
	return tell.Open(tx, store.Surface{ID: tell.ID(placeFile, h.ID), Place: placeFile, Card: cardWeek, Subject: h.ID, Where: map[string]string{"channel": f.Channel(s.Channel), "silent": "yes"}})
}

// weekCard is the picture. It is drawn when it is to be shown, once.
func (f *Rota) weekCard(tx *store.Tx, sf *store.Surface) (integrations.Message, error) {
	h, found, err := handoffs(tx).Get(sf.Subject)
	s, known := f.Config().schedule(h.Schedule)
	if err != nil || !found || !known || sf.Ref != "" {
		return integrations.Message{Hold: true}, err
	}
	shifts, err := f.timeline(tx, s, h.At.Add(-36*time.Hour), h.At.Add(drawnAhead))
	if err != nil {
		return integrations.Message{}, err
	}
	language, err := f.Language(tx, sf)
	if err != nil {
		return integrations.Message{}, err
	}
	w := weekPicture{title: s.Name, zone: s.zone(), from: h.At, now: h.At, lanes: []weekLane{{s.Name, shifts}}, language: language, people: s.people()}
	path := filepath.Join(f.Dir, h.ID+".png")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		body, err := w.draw()
		if err == nil {
			err = os.MkdirAll(f.Dir, 0o700)
		}
		if err == nil {
			err = os.WriteFile(path, body, 0o600)
		}
		if err != nil {
			return integrations.Message{}, fmt.Errorf("draw the week of %s: %w", s.Name, err)
		}
	}
	title := "The week ahead of " + s.Name
	return integrations.Message{Text: title, File: &integrations.File{Name: h.ID + ".png", Path: path, Title: title, Alt: w.alt()}}, nil
}

// people are all that the layers name.
func (s Schedule) people() (out []string) {
	for _, l := range s.Layers {
		for _, turn := range l.Turns() {
			out = append(out, turn...)
		}
	}
	return out
}

// sweepWeeks removes pictures that were shown long ago.
func (f *Rota) sweepWeeks() error {
	all, err := os.ReadDir(f.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range all {
		if info, err2 := e.Info(); err2 == nil && time.Since(info.ModTime()) > keepPictures { // files go by wall time
			err = errors.Join(err, os.Remove(filepath.Join(f.Dir, e.Name())))
		}
	}
	return err
}

const keepPictures = 7 * 24 * time.Hour

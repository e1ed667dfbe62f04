package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

const placeFile = "slack.file"

// How long a file is kept that somebody asked for: it is sent within moments.
const (
	KeepFiles  = 24 * time.Hour // in domain time, after it was asked for
	KeepOrphan = time.Hour      // in wall time, where the message that sends it was never stored
)

// Files are what a feature sends to the people who asked for it, each to that
// person alone in a direct message, or where Sent says. A file is written before its message is
// stored; one that is not stored after all is swept up.
type Files struct {
	Store *store.Store
	Clock clock.Clock
	Dir   string // where they are kept until they are sent
	Of    string // the feature: begins the files' names on disk, and names their card
}

// A Sent is one file as its reader sees it: its name, its title and, of a
// picture, what it shows. Channel is where everybody sees it; "" is a direct message. Under
// is the surface in whose thread it stands.
type Sent struct{ Name, Title, Alt, Channel, Under string }

// CardName is what the feature calls the card of its files.
func (f Files) CardName() string { return f.Of + " file" }

// Tick is the sweeping up.
func (f Files) Tick() Tick {
	return Tick{Name: "remove " + f.Of + " files that were sent", Every: time.Hour, Run: f.sweep}
}

func (f Files) subject(event uint64) string { return f.Of + "-" + strconv.FormatUint(event, 10) }

// Write puts the file that a call asked for on disk. There is one a call.
func (f Files) Write(c *Call, body []byte) error {
	return f.write(f.subject(c.Event), body)
}

// WriteOf puts one on disk that nobody asked for: that of a thing, of which there is one.
func (f Files) WriteOf(thing string, body []byte) error { return f.write(f.Of+"-"+thing, body) }

func (f Files) write(subject string, body []byte) error {
	err := os.MkdirAll(f.Dir, 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(f.Dir, subject), body, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write the %s file: %w", f.Of, err)
	}
	return nil
}

// Send has the file that was written for a call sent, in the transaction that
// answers it.
func (f Files) Send(tx *store.Tx, c *Call, s Sent) error {
	s.Channel = cmp.Or(s.Channel, c.Heard.User)
	return f.send(tx, f.subject(c.Event), s)
}

// SendOf has the file of a thing sent.
func (f Files) SendOf(tx *store.Tx, thing string, s Sent) error { return f.send(tx, f.Of+"-"+thing, s) }

func (f Files) send(tx *store.Tx, subject string, s Sent) error {
	return tell.Open(tx, store.Surface{
		ID: tell.ID(placeFile, subject), Place: placeFile, Card: f.CardName(), Subject: subject,
		Where: filled(map[string]string{"channel": s.Channel, "name": s.Name, "title": s.Title, "alt": s.Alt, "under": s.Under}),
	})
}

// Card renders a file that is on its way.
func (f Files) Card(_ *store.Tx, s *store.Surface) (integrations.Message, error) {
	return integrations.Message{Text: s.Where["title"], File: &integrations.File{
		Name: s.Where["name"], Title: s.Where["title"], Alt: s.Where["alt"], Path: filepath.Join(f.Dir, s.Subject),
	}}, nil
}

// sweep removes the files that were sent, with what remembers them.
func (f Files) sweep(ctx context.Context) error {
	all, err := os.ReadDir(f.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("list the %s files: %w", f.Of, err)
	}
	for _, e := range all {
		if !strings.HasPrefix(e.Name(), f.Of+"-") {
			continue
		}
		old := false
		err := f.Store.Update(ctx, func(tx *store.Tx) (err error) {
			old, err = f.old(tx, e)
			return err
		})
		if err == nil && old {
			err = os.Remove(filepath.Join(f.Dir, e.Name()))
		}
		if err != nil {
			return fmt.Errorf("remove the %s file %s: %w", f.Of, e.Name(), err)
		}
	}
	return nil
}

// old says whether a file is no longer needed, and forgets its surface if so.
func (f Files) old(tx *store.Tx, e fs.DirEntry) (bool, error) {
	s, err := tx.Surface(tell.ID(placeFile, e.Name()))
	switch {
	case errors.Is(err, store.ErrNotFound):
		info, err := e.Info()
		return err == nil && time.Since(info.ModTime()) > KeepOrphan, nil
	case err != nil:
		return false, err
	case f.Clock.Now().Sub(s.Created) <= KeepFiles:
		return false, nil
	}
	return true, tx.DeleteSurface(s.ID)
}

package audit

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	cardFile  = "audit file"
	placeFile = "slack.file"

	keepFiles  = 24 * time.Hour // after they were asked for; they are sent within moments
	keepOrphan = time.Hour      // of wall time, for a file whose message was never stored
)

// jsonLine is a row as every export writes it: one line of JSON, times in UTC.
func jsonLine(r *store.AuditRow) ([]byte, error) {
	utc := *r
	utc.At = r.At.UTC()
	b, err := json.Marshal(utc)
	if err != nil {
		return nil, fmt.Errorf("write audit row %d as JSON: %w", r.Seq, err)
	}
	return append(b, '\n'), nil
}

// subjectOf is the subject of the file that one event asked for, and its name on disk.
func subjectOf(event uint64) string { return fmt.Sprintf("audit-%d", event) }

// send writes the rows to a file, oldest first, and has it sent to the person
// alone. The file is written before its message is stored; one that is not
// stored after all is swept up.
func (f *feature) send(c *commands.Call, q question, found findings) (commands.Act, error) {
	rows := slices.Clone(found.rows)
	slices.SortFunc(rows, func(a, b *store.AuditRow) int { return cmp.Compare(a.Seq, b.Seq) })
	var b bytes.Buffer
	for _, r := range rows {
		l, err := jsonLine(r)
		if err != nil {
			return nil, err
		}
		b.Write(l)
	}
	subject := subjectOf(c.Event)
	err := os.MkdirAll(f.asked(), 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(f.asked(), subject), b.Bytes(), 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("write the file of audit rows: %w", err)
	}
	name := "audit-" + f.Clock.Now().UTC().Format("2006-01-02-1504") + ".jsonl"
	text := fmt.Sprintf("%s: %d rows, sent to you as %s in a direct message.", q.title(), len(rows), name)
	if len(rows) == 1 {
		text = strings.Replace(text, "1 rows", "1 row", 1)
	}
	if found.cut {
		text += " These are the newest; older ones are in the files of the months on the bot's machine."
	}
	return func(tx *store.Tx) (commands.Reply, error) {
		m := integrations.Message{Text: text}
		return commands.Reply{Private: &m}, tell.Open(tx, store.Surface{
			ID: tell.ID(placeFile, subject), Place: placeFile, Card: cardFile, Subject: subject,
			Where: map[string]string{"channel": c.Heard.User, "name": name, "title": q.title()},
		})
	}, nil
}

func (f *feature) fileCard(_ *store.Tx, s *store.Surface) (integrations.Message, error) {
	return integrations.Message{Text: s.Where["title"], File: &integrations.File{
		Name: s.Where["name"], Title: s.Where["title"], Path: filepath.Join(f.asked(), s.Subject),
	}}, nil
}

// sweep removes the files that were sent, with what remembers them.
func (f *feature) sweep(ctx context.Context) error {
	all, err := os.ReadDir(f.asked())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("list the files of audit rows: %w", err)
	}
	for _, e := range all {
		if !strings.HasPrefix(e.Name(), "audit-") {
			continue
		}
		old := false
		err := f.Store.Update(ctx, func(tx *store.Tx) error {
			s, err := tx.Surface(tell.ID(placeFile, e.Name()))
			switch {
			case errors.Is(err, store.ErrNotFound):
				info, err := e.Info()
				old = err == nil && time.Since(info.ModTime()) > keepOrphan
				return nil
			case err != nil:
				return err
			}
			if old = f.Clock.Now().Sub(s.Created) > keepFiles; !old {
				return nil
			}
			return tx.DeleteSurface(s.ID)
		})
		if err == nil && old {
			err = os.Remove(filepath.Join(f.asked(), e.Name()))
		}
		if err != nil {
			return fmt.Errorf("remove the file %s of audit rows: %w", e.Name(), err)
		}
	}
	return nil
}

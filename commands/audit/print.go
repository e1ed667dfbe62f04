package audit

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/store"
)

// lookWait is how long the store is waited for: a bot that runs holds it for good.
const lookWait = 200 * time.Millisecond

// Print writes the rows from since on (zero: all) as JSON lines, oldest first. It
// reads the database at path; if the running bot holds that, it reads the months'
// files in dir instead, which are a second behind, and tells note so.
func Print(path, dir string, since time.Time, out io.Writer, note func(string)) error {
	s, err := store.Open(path, store.Options{ReadOnly: true, Timeout: lookWait, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		if _, gone := os.Stat(path); gone != nil {
			return fmt.Errorf("print the audit: %w", err)
		}
		files, listed := months(dir)
		if listed != nil || len(files) == 0 {
			return fmt.Errorf("print the audit: %w; and there is no export in %s to read instead", err, dir)
		}
		note(fmt.Sprintf("the database cannot be read (%v); these rows are from the export in %s, which the running bot writes a second later", err, dir))
		return printFiles(files, since, out)
	}
	var rows []*store.AuditRow
	err = s.View(func(tx *store.Tx) (err error) {
		rows, err = tx.AuditRows(store.AuditFilter{Since: since})
		return err
	})
	if err = errors.Join(err, s.Close()); err != nil { // let go of before it is printed: a reader may be slow
		return fmt.Errorf("print the audit: %w", err)
	}
	slices.SortFunc(rows, func(a, b *store.AuditRow) int { return int(a.Seq) - int(b.Seq) })
	w := bufio.NewWriter(out)
	for _, r := range rows {
		l, err := jsonLine(r)
		if err == nil {
			_, err = w.Write(l)
		}
		if err != nil {
			return err
		}
	}
	return w.Flush()
}

// printFiles prints the whole lines of the months from since on. A last line
// that is being written is left out.
func printFiles(files []string, since time.Time, out io.Writer) error {
	w := bufio.NewWriter(out)
	for _, path := range files {
		if !since.IsZero() && filepath.Base(path) < monthOf(since) {
			continue
		}
		if err := printFile(path, since, w); err != nil {
			return fmt.Errorf("print %s: %w", path, err)
		}
	}
	return w.Flush()
}

func printFile(path string, since time.Time, w *bufio.Writer) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	for n := 1; ; n++ {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var row struct {
			At time.Time `json:"at"`
		}
		if err := json.Unmarshal(line, &row); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if row.At.Before(since) {
			continue
		}
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
}

package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/store"
)

const (
	exportPause = time.Second      // wall time from one writing to the next: rows come in bursts, and each writing is synced
	exportRetry = 10 * time.Second // wall time, after one that did not work
	exportBatch = 1000             // rows that are read at once
	tailBytes   = 64 << 10         // of a file's end that are read first
)

// exporter appends every audit row to the file of its month, once and in the
// order of its number. The files say themselves how far they go; the store stays
// the truth, and is never kept waiting.
type exporter struct {
	store *store.Store
	log   *slog.Logger
	dir   string

	known bool   // last is what the files end with
	last  uint64 // number of the last row that is written and synced
	said  string // the trouble that was logged
}

// Run exports until ctx ends, and then once more what has come meanwhile.
func (e *exporter) Run(ctx context.Context) error {
	changed, stop := e.store.Watch(store.TopicAudit)
	defer stop()
	for {
		wake, pause := changed, exportPause
		if e.report(e.catchUp()) {
			wake, pause = nil, exportRetry
		}
		if wake != nil {
			select {
			case <-ctx.Done():
				e.report(e.catchUp())
				return nil
			case <-wake:
			}
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			e.report(e.catchUp())
			return nil
		case <-timer.C:
		}
	}
}

// report logs trouble once, and its end; it says whether there is some.
func (e *exporter) report(err error) bool {
	switch {
	case err == nil && e.said != "":
		e.log.Info("audit export: it works again", "dir", e.dir, "last", e.last)
		e.said = ""
	case err != nil && e.said != err.Error():
		e.log.Error("audit export: rows wait in the store until it works", "dir", e.dir, "error", err)
		e.said = err.Error()
	}
	return err != nil
}

// catchUp writes what is not written yet. After an error it does not trust what
// it knew, and reads the ends of the files again.
func (e *exporter) catchUp() (err error) {
	defer func() { e.known = err == nil }()
	if !e.known {
		if err := e.open(); err != nil {
			return err
		}
	}
	for {
		rows, err := e.after(e.last, exportBatch)
		if err != nil || len(rows) == 0 {
			return err
		}
		if err := e.write(rows); err != nil {
			return err
		}
	}
}

func (e *exporter) after(seq uint64, limit int) (rows []*store.AuditRow, err error) {
	err = e.store.View(func(tx *store.Tx) error {
		rows, err = tx.AuditAfter(seq, limit)
		return err
	})
	return rows, err
}

// write appends rows, those of one month after the other, each synced before the
// next is begun: whatever row stands in a file, all before it stand in theirs.
func (e *exporter) write(rows []*store.AuditRow) error {
	for len(rows) > 0 {
		month := monthOf(rows[0].At)
		n := slices.IndexFunc(rows, func(r *store.AuditRow) bool { return monthOf(r.At) != month })
		if n < 0 {
			n = len(rows)
		}
		var b bytes.Buffer
		for _, r := range rows[:n] {
			l, err := jsonLine(r)
			if err != nil {
				return err
			}
			b.Write(l)
		}
		if err := appendTo(filepath.Join(e.dir, month), b.Bytes()); err != nil {
			return fmt.Errorf("export audit rows: %w", err)
		}
		e.last, rows = rows[n-1].Seq, rows[n:]
	}
	return nil
}

// monthOf is the name of the file that holds the rows of a time.
func monthOf(at time.Time) string { return at.UTC().Format("2006-01") + ".jsonl" }

var monthForm = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}\.jsonl$`)

// months are the files of a folder, oldest month first.
func months(dir string) ([]string, error) {
	all, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, f := range all {
		if monthForm.MatchString(f.Name()) {
			out = append(out, filepath.Join(dir, f.Name()))
		}
	}
	return out, nil
}

func appendTo(path string, b []byte) error {
	_, err := os.Stat(path)
	fresh := errors.Is(err, os.ErrNotExist)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil || !fresh {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// open finds out how far the files go, cuts off what a crash left half written,
// and holds the last row against the store.
func (e *exporter) open() error {
	if err := os.MkdirAll(e.dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of the audit's export: %w", err)
	}
	files, err := months(e.dir)
	if err != nil {
		return fmt.Errorf("list the audit's export: %w", err)
	}
	var last store.AuditRow
	for _, path := range files {
		r, err := mend(path)
		if err != nil {
			return fmt.Errorf("read the end of %s: %w", path, err)
		}
		if r.Seq > last.Seq {
			last = r
		}
	}
	e.last = last.Seq
	if e.last == 0 {
		return nil
	}
	rows, err := e.after(e.last-1, 1)
	if err == nil && (len(rows) == 0 || rows[0].Seq != last.Seq || !rows[0].At.Equal(last.At)) {
		err = fmt.Errorf("the files in %s end with row %d of %s, which the database does not hold: if a backup was restored, move the folder away, and it is written anew",
			e.dir, last.Seq, last.At.UTC().Format(time.RFC3339))
	}
	return err
}

// mend returns the last whole row of a file (zero: there is none) and cuts off
// what stands behind it.
func mend(path string) (last store.AuditRow, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return last, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return last, err
	}
	size := info.Size()
	for n := min(tailBytes, size); ; n = min(4*n, size) {
		b := make([]byte, n)
		if _, err := f.ReadAt(b, size-n); err != nil && !errors.Is(err, io.EOF) {
			return last, err
		}
		at := 0
		if n < size { // the first line of what was read is not whole
			at = bytes.IndexByte(b, '\n') + 1
		}
		row, good := lastRow(b[at:])
		if row.Seq == 0 && n < size {
			continue
		}
		if whole := size - n + int64(at+good); whole < size {
			return row, errors.Join(f.Truncate(whole), f.Sync())
		}
		return row, nil
	}
}

// lastRow reads lines up to the first that is none; good is where that begins.
func lastRow(b []byte) (last store.AuditRow, good int) {
	for {
		n := bytes.IndexByte(b[good:], '\n')
		if n < 0 {
			return last, good
		}
		var r store.AuditRow
		if err := json.Unmarshal(b[good:good+n], &r); err != nil || r.Seq == 0 {
			return last, good
		}
		last, good = r, good+n+1
	}
}

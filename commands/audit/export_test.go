package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/signalbox-chatops/signalbox/store"
)

func (d *desk) exporter() *exporter {
	return &exporter{store: d.store, log: quiet, dir: filepath.Join(d.dir, "audit")}
}

// exported are the numbers in the months' files, file by file.
func exported(t interface{ Fatal(...any) }, dir string) map[string][]uint64 {
	out := map[string][]uint64{}
	files, err := months(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for l := range bytes.Lines(raw) {
			var r store.AuditRow
			if err := json.Unmarshal(l, &r); err != nil || l[len(l)-1] != '\n' {
				t.Fatal(path, string(l), err)
			}
			if month := monthOf(r.At); month != filepath.Base(path) {
				t.Fatal("a row of ", month, " stands in ", path)
			}
			out[filepath.Base(path)] = append(out[filepath.Base(path)], r.Seq)
		}
	}
	return out
}

// Rows from before there was an export are in it too, by the month of their time
// in UTC, whatever the clock did.
func TestEveryRowIsExportedInTheFileOfItsMonth(t *testing.T) {
	d := newDesk(t)
	tokyo := time.FixedZone("JST", 9*3600)
	d.rows(
		store.AuditRow{At: time.Date(2026, 10, 31, 12, 0, 0, 0, time.UTC), Act: "a"},
		store.AuditRow{At: time.Date(2026, 11, 1, 8, 59, 0, 0, tokyo), Act: "still October in UTC"},
		store.AuditRow{At: time.Date(2026, 11, 1, 9, 0, 0, 0, tokyo), Act: "November"},
		store.AuditRow{At: time.Date(2026, 10, 31, 23, 0, 0, 0, time.UTC), Act: "the clock was set back"},
		store.AuditRow{At: time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC), Act: "b", Detail: "a\nb <c> \u2028 \"d\""},
	)
	e := d.exporter()
	if err := e.catchUp(); err != nil {
		t.Fatal(err)
	}
	want := map[string][]uint64{"2026-10.jsonl": {1, 2, 4}, "2026-11.jsonl": {3, 5}}
	if got := exported(t, e.dir); !cmp.Equal(got, want) {
		t.Errorf("exported %v, want %v", got, want)
	}
	raw, err := os.ReadFile(filepath.Join(e.dir, "2026-11.jsonl"))
	if err != nil || !strings.HasPrefix(string(raw), `{"seq":3,"at":"2026-11-01T00:00:00Z","who":{},"act":"November",`) {
		t.Errorf("a line: %s, %v", raw, err)
	}
	for path, mode := range map[string]os.FileMode{e.dir: 0o700, filepath.Join(e.dir, "2026-10.jsonl"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("mode of %s: %v, %v", path, info.Mode(), err)
		}
	}
}

// Whatever is lost of the end of the newest file by a crash, and whenever: each
// row stands in the files once, in the order of its number.
func TestARowIsExportedOnceAcrossCrashes(t *testing.T) {
	// A check syncs a hundred times, so there are fewer of them unless it is said
	// how many.
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		if err := checks.Value.Set("15"); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = checks.Value.Set(checks.DefValue) }()
	}
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "x")
		if err != nil {
			r.Fatal(err)
		}
		s, err := store.Open(filepath.Join(dir, "signalbox.db"), store.Options{Log: quiet})
		if err != nil {
			r.Fatal(err)
		}
		defer s.Close()
		fresh := func() *exporter { return &exporter{store: s, log: quiet, dir: filepath.Join(dir, "audit")} }
		e, n := fresh(), 0
		at := time.Date(2026, 1, 20, 0, 0, 0, 0, time.UTC)
		r.Repeat(map[string]func(*rapid.T){
			"rows": func(r *rapid.T) {
				var rows []store.AuditRow
				for range rapid.IntRange(1, 8).Draw(r, "rows") {
					at = at.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 200, 800, -100}).Draw(r, "hours")) * time.Hour)
					rows = append(rows, store.AuditRow{At: at, Act: "x", Detail: strings.Repeat("é", rapid.SampledFrom([]int{0, 0, 0, 10, 40_000}).Draw(r, "size"))})
				}
				err := s.Update(context.Background(), func(tx *store.Tx) (err error) {
					for _, row := range rows {
						err = errors.Join(err, tx.Audit(row))
					}
					return err
				})
				if err != nil {
					r.Fatal(err)
				}
				n += len(rows)
			},
			"export": func(r *rapid.T) {
				if err := e.catchUp(); err != nil {
					r.Fatal(err)
				}
			},
			"restart": func(*rapid.T) { e = fresh() },
			// Of what was not synced a crash leaves any part. That is in one file:
			// what was written before another one is synced.
			"crash": func(r *rapid.T) {
				path, synced, size := newest(r, e.dir)
				if path == "" {
					r.Skip("nothing is exported yet")
				}
				if err := os.Truncate(path, rapid.Int64Range(synced, size).Draw(r, "left")); err != nil {
					r.Fatal(err)
				}
				e = fresh()
			},
			// A row is torn in the file that is begun.
			"torn": func(r *rapid.T) {
				if err := os.MkdirAll(e.dir, 0o700); err != nil {
					r.Fatal(err)
				}
				path, _, _ := newest(r, e.dir)
				if path == "" || rapid.Bool().Draw(r, "a new month") {
					path = filepath.Join(e.dir, "2031-01.jsonl")
				}
				f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
				if err != nil {
					r.Fatal(err)
				}
				defer f.Close()
				torn := rapid.SampledFrom([]string{`{"seq":`, "\x00\x00\x00\n\x00", `{"seq":9999,"at":"2026-01-01T00:00:00Z"`, "\n"}).Draw(r, "torn")
				if _, err := io.WriteString(f, torn); err != nil {
					r.Fatal(err)
				}
				e = fresh()
			},
			"": func(r *rapid.T) {},
		})
		if err := fresh().catchUp(); err != nil {
			r.Fatal(err)
		}
		var all []uint64
		for file, seqs := range exported(r, e.dir) {
			if !slices.IsSorted(seqs) {
				r.Fatalf("%s is not in order: %v", file, seqs)
			}
			all = append(all, seqs...)
		}
		slices.Sort(all)
		for i, seq := range all {
			if seq != uint64(i+1) {
				r.Fatalf("exported %v of %d", all, n)
			}
		}
		if len(all) != n {
			r.Fatalf("%d rows of %d are exported", len(all), n)
		}
	})
}

// newest is the file that the row with the highest number stands in, how much of
// it came before what stands in other files, and its size.
func newest(t interface{ Fatal(...any) }, dir string) (path string, before, size int64) {
	if _, err := os.Stat(dir); err != nil {
		return "", 0, 0
	}
	files, err := months(dir)
	if err != nil {
		t.Fatal(err)
	}
	var last, others uint64
	var raw []byte
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if r, _ := lastRow(b); r.Seq > last {
			last, others, path, raw = r.Seq, last, f, b
		} else {
			others = max(others, r.Seq)
		}
	}
	for l := range bytes.Lines(raw) {
		if r, _ := lastRow(l); r.Seq == 0 || r.Seq > others {
			break
		}
		before += int64(len(l))
	}
	return path, before, int64(len(raw))
}

// A backup that was restored gives numbers out again: the files must not go on as
// if nothing had happened.
func TestFilesThatAreAheadOfTheStoreStopTheExport(t *testing.T) {
	d := newDesk(t)
	d.rows(store.AuditRow{Act: "a"}, store.AuditRow{Act: "b"})
	e := d.exporter()
	if err := e.catchUp(); err != nil {
		t.Fatal(err)
	}
	for _, rows := range [][]store.AuditRow{nil, {{Act: "another a", At: d.clock.Now()}, {Act: "another b", At: d.clock.Now()}, {Act: "c", At: d.clock.Now()}}} {
		if err := d.store.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(d.dir, "signalbox.db")); err != nil {
			t.Fatal(err)
		}
		d.store = d.open()
		d.rows(rows...)
		before := exported(t, e.dir)
		if err := d.exporter().catchUp(); err == nil || !strings.Contains(err.Error(), "move the folder away") {
			t.Fatalf("with %d other rows: %v", len(rows), err)
		}
		if after := exported(t, e.dir); !cmp.Equal(before, after) {
			t.Errorf("the files were changed: %v", after)
		}
	}
	if err := os.Rename(e.dir, e.dir+".old"); err != nil {
		t.Fatal(err)
	}
	e = d.exporter()
	if err := e.catchUp(); err != nil || fmt.Sprint(exported(t, e.dir)[monthOf(d.clock.Now())]) != "[1 2 3]" {
		t.Errorf("with the folder moved away: %v, %v", exported(t, e.dir), err)
	}
}

type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *said) count(text string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.b.String(), text)
}

// A folder that cannot be written keeps nothing waiting: it is logged, once, and
// what was missed is written when it can be.
func TestAnExportThatCannotBeWrittenIsSaidOnceAndMadeUp(t *testing.T) {
	d := newDesk(t)
	var log said
	e := d.exporter()
	e.log = slog.New(slog.NewTextHandler(&log, nil))
	if err := os.WriteFile(e.dir, []byte("a file in the way"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.rows(store.AuditRow{Act: "a"})
	for range 3 {
		if !e.report(e.catchUp()) {
			t.Fatal("no trouble")
		}
	}
	if n := log.count("level=ERROR"); n != 1 {
		t.Errorf("said %d times", n)
	}
	if err := os.Remove(e.dir); err != nil {
		t.Fatal(err)
	}
	if e.report(e.catchUp()) || log.count("it works again") != 1 {
		t.Error("it does not say that it works again")
	}
	if got := exported(t, e.dir); len(got) != 1 {
		t.Errorf("exported %v", got)
	}
}

// What a writing that failed has left behind is not taken for what was known.
func TestAWritingThatFailedHalfWayIsMended(t *testing.T) {
	d := newDesk(t)
	d.rows(store.AuditRow{Act: "a"})
	e := d.exporter()
	if err := e.catchUp(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(e.dir, monthOf(d.clock.Now()))
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d.rows(store.AuditRow{Act: "b"})
	if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := e.catchUp(); err == nil {
		t.Fatal("it was written into a folder")
	}
	half := append(raw, `{"seq":2,"at":"20`...)
	if err := errors.Join(os.Remove(path), os.WriteFile(path, half, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := e.catchUp(); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(exported(t, e.dir)[filepath.Base(path)]); got != "[1 2]" {
		t.Errorf("exported %s", got)
	}
}

// The worker writes what comes while it runs, and at its end what came last.
func TestTheExportFollowsTheStore(t *testing.T) {
	d := newDesk(t)
	d.rows(store.AuditRow{Act: "before"})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.feat.Workers[0].Run(ctx) }()
	month, dir := monthOf(d.clock.Now()), filepath.Join(d.dir, "audit")
	wait := func(want string) {
		t.Helper()
		got := ""
		for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
			if _, err := os.Stat(dir); err != nil {
				continue
			}
			if got = fmt.Sprint(exported(t, dir)[month]); got == want {
				return
			}
		}
		t.Fatalf("exported %s, want %s", got, want)
	}
	wait("[1]")
	d.rows(store.AuditRow{Act: "meanwhile"})
	wait("[1 2]")
	d.rows(store.AuditRow{Act: "last"})
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	wait("[1 2 3]")
}

// The shell's command prints the database, or beside a running bot its export,
// and both are the same lines.
func TestPrint(t *testing.T) {
	d := newDesk(t)
	path, dir := filepath.Join(d.dir, "signalbox.db"), filepath.Join(d.dir, "audit")
	now := time.Now()
	d.rows(store.AuditRow{At: now.Add(-50 * 24 * time.Hour), Act: "old"}, store.AuditRow{At: now.Add(-2 * time.Hour), Act: "deploy", Who: alice}, store.AuditRow{At: now, Act: "lock"})
	print := func(since time.Time) (lines string, notes string, err error) {
		var b bytes.Buffer
		err = Print(path, dir, since, &b, func(s string) { notes += s })
		return b.String(), notes, err
	}
	if _, _, err := print(time.Time{}); err == nil || !strings.Contains(err.Error(), "no export") {
		t.Errorf("held, with no export: %v", err)
	}
	if err := d.exporter().catchUp(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, monthOf(now)), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(f, `{"seq":4,"at":"20`); err != nil { // being written
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for _, since := range []time.Time{{}, now.Add(-3 * time.Hour), now.Add(time.Hour)} {
		held, note, err := print(since)
		if err != nil || !strings.Contains(note, "export") {
			t.Fatalf("held: %q, %v", note, err)
		}
		if err := d.store.Close(); err != nil {
			t.Fatal(err)
		}
		free, note, err := print(since)
		if err != nil || note != "" {
			t.Fatalf("free: %q, %v", note, err)
		}
		d.store = d.open()
		want := map[bool]int{since.IsZero(): 3, since.After(now): 0, since.Before(now) && !since.IsZero(): 2}[true]
		if held != free || strings.Count(free, "\n") != want {
			t.Errorf("since %v, held:\n%s\nfree:\n%s", since, held, free)
		}
	}
	if _, _, err := func() (string, string, error) { path = filepath.Join(d.dir, "none.db"); return print(time.Time{}) }(); err == nil || !strings.Contains(err.Error(), "none.db") {
		t.Errorf("without a database: %v", err)
	}
}

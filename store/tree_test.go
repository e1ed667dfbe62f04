package store

import (
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// populate writes one of everything, so that every bucket is used.
func populate(tx *Tx) error {
	_, _, err := tx.InsertJob(&Job{Key: "k", Operation: "op-1", Target: "web/staging", Locks: true, RepoID: 1, PR: 2})
	e := Event{Kind: "k", Keys: []string{"one"}, Body: []byte("{}")}
	decided, _, err2 := tx.Accept(e)
	e.Keys = []string{"two"}
	_, _, err3 := tx.Accept(e)
	return errors.Join(err, err2, err3, tx.Decide(decided, "done"),
		tx.PutOperation(&Operation{ID: "op-1", Service: "web", Environment: "staging", Targets: []string{"web/staging"}, RepoID: 1, PR: 2}),
		tx.TakeRunLock(RunLock{Target: "web/staging", Job: "job-1"}),
		tx.PutHold(&Hold{Reason: "r"}, 0),
		tx.PutPull(&Pull{RepoID: 1, Repo: "acme/web", Number: 2, State: "open", Head: "abc"}),
		tx.PutSurface(&Surface{ID: "s", Subject: "op-1", Marked: 1}),
		tx.Audit(AuditRow{Act: "deploy", Subject: "op-1", Target: "web/staging", Service: "web"}),
		Feature[int](tx, "oncall").Put("k", 1))
}

// drawn reads the tree out of the package comment.
func drawn(t *testing.T) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^\t(\S+) {2,}\S`)
	var out []string
	for _, m := range line.FindAllStringSubmatch(f.Doc.Text(), -1) {
		out = append(out, m[1])
	}
	return out
}

func TestTheDrawingIsTheTree(t *testing.T) {
	s := open(t)
	update(t, s, populate)
	var have []string
	day := regexp.MustCompile(`^seen/\d{4}-\d\d-\d\d$`)
	view(t, s, func(tx *Tx) error {
		return tx.b.ForEach(func(name []byte, b *bolt.Bucket) error {
			n := string(name)
			switch {
			case day.MatchString(n):
				n = "seen/<day>"
			case strings.HasPrefix(n, "feature/"):
				n = "feature/<name>"
			}
			have = append(have, n)
			if k, _ := b.Cursor().First(); k == nil {
				t.Errorf("%s is empty: the test does not see what is in it", n)
			}
			return b.ForEachBucket(func(k []byte) error { return fmt.Errorf("bucket %s has a bucket %s in it", name, k) })
		})
	})
	want := drawn(t)
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(want, have) {
		t.Errorf("drawn in doc.go:\n%s\nin the file:\n%s", strings.Join(want, "\n"), strings.Join(have, "\n"))
	}
}

// A file of every older version comes to the newest one, and what is in it stays.
func TestEveryOlderVersionIsMigrated(t *testing.T) {
	for from := range len(migrations) + 1 {
		path := filepath.Join(t.TempDir(), "old.db")
		db, err := bolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(migrate(db, migrations[:from]), db.Close()); from > 0 && err != nil {
			t.Fatal(err)
		}
		s := openAt(t, path, nil)
		update(t, s, populate)
		if v, err := version(s.db); err != nil || v != uint64(len(migrations)) {
			t.Errorf("from %d: version %d, %v", from, v, err)
		}
	}
}

func TestMigrationsRunInOrderAndAllOrNothing(t *testing.T) {
	db, err := bolt.Open(filepath.Join(t.TempDir(), "x.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var ran []string
	step := func(name string, err error) migration {
		return migration{name, func(tx *bolt.Tx) error {
			ran = append(ran, name)
			_, made := tx.CreateBucket([]byte(name))
			return errors.Join(made, err)
		}}
	}
	steps := []migration{migrations[0], step("two", nil), step("three", errors.New("boom"))}
	if err := migrate(db, steps); err == nil || !strings.Contains(err.Error(), "schema 3 (three): boom") {
		t.Errorf("a failing step: %v", err)
	}
	if v, err := version(db); v != 0 || err != nil {
		t.Errorf("half migrated: version %d, %v", v, err)
	}
	steps[2] = step("three", nil)
	for range 2 { // the second time there is nothing to do
		if err := migrate(db, steps); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(ran, " "); got != "two three two three" {
		t.Errorf("ran %s", got)
	}
	if err := migrate(db, steps[:2]); !errors.Is(err, ErrNewer) {
		t.Errorf("a newer file: %v", err)
	}
}

func TestAFileOfSomebodyElseOrOfANewerBinaryIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	alter := func(do func(tx *bolt.Tx) error) {
		db, err := bolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.Update(do), db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	alter(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("registry")); return err })
	if _, err := Open(path, Options{Log: quiet}); err == nil || !strings.Contains(err.Error(), "registry") {
		t.Errorf("somebody else's: %v", err)
	}
	path = filepath.Join(t.TempDir(), "y.db")
	s := openAt(t, path, nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	alter(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyVersion, key{}.num(99)) })
	if _, err := Open(path, Options{Log: quiet}); !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "99") {
		t.Errorf("a newer one: %v", err)
	}
	alter(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyVersion, []byte("1")) })
	if _, err := Open(path, Options{Log: quiet}); !errors.Is(err, ErrDamaged) {
		t.Errorf("a version that is none: %v", err)
	}
}

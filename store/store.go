package store

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Options of Open. The zero value is usable.
type Options struct {
	Timeout time.Duration    // how long to wait for another process to let go of the file; 5 s if zero
	Now     func() time.Time // domain time; the machine's clock if nil
	Log     *slog.Logger     // slog.Default() if nil
	// ReadOnly opens a store to look at it: Update fails, the file and its schema
	// stay as they are. Another process that has it open to write is waited for.
	ReadOnly bool
}

const (
	hashKeySize    = 32
	defaultTimeout = 5 * time.Second

	// mapSize is how much address space is reserved for the file (no memory).
	// Beyond it bbolt would have to map the file anew, which waits for every
	// open View: a long Backup would stop the writer. 16 GB, or 1 GB where an
	// address has 32 bits.
	mapSize = 1 << (30 + 4*(^uint(0)>>63))
)

// Store is the open file. Its methods may be called from any goroutine.
type Store struct {
	db       *bolt.DB
	path     string
	spill    string // the folder of bodies too large for the file
	now      func() time.Time
	log      *slog.Logger
	w        *writer
	watchers watchers
	hashKey  []byte
	full     atomic.Pointer[error]
	pruning  sync.Mutex
	closing  sync.Once
	closed   error
}

// Open opens the store at path, making it if it is not there, and brings it to
// this binary's schema. The file is readable by its owner only; a looser mode is
// corrected and said in the log. Errors: ErrNewer, ErrDamaged; a file that another process holds for
// longer than the time-out is an error that names the process.
func Open(path string, o Options) (*Store, error) {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &Store{path: path, spill: path + ".bodies", now: o.Now, log: o.Log}
	if err := s.open(o.Timeout, o.ReadOnly); err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	s.w = newWriter(s)
	return s, nil
}

func (s *Store) open(timeout time.Duration, readOnly bool) (err error) {
	if readOnly {
		if _, err := os.Stat(s.path); err != nil {
			return err
		}
	} else if err := s.makeReady(); err != nil {
		return err
	}
	defer func() {
		if v := recover(); v != nil { // bbolt panics on pages that make no sense
			err = fmt.Errorf("%w: %v", ErrDamaged, v)
		}
		if err != nil && s.db != nil {
			err = errors.Join(err, s.db.Close())
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	s.db, err = bolt.Open(s.path, 0o600, &bolt.Options{
		Timeout: timeout,
		// The list of free pages as a map: taking a run of pages out of it does
		// not cost more when it is long, as it does with the array.
		FreelistType:    bolt.FreelistMapType,
		InitialMmapSize: mapSize,
		ReadOnly:        readOnly,
	})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("held by %s: %w", holder(s.path), err)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		return fmt.Errorf("%w: %w: restore a backup", ErrDamaged, err)
	case err != nil:
		return err
	}
	if readOnly {
		if have, err := version(s.db); err != nil || have != uint64(len(migrations)) {
			return errors.Join(err, fmt.Errorf("schema %d, and this binary reads %d: use the version that wrote it", have, len(migrations)))
		}
	} else if err := s.settleIn(); err != nil {
		return err
	}
	return s.db.View(func(tx *bolt.Tx) error {
		s.hashKey = slices.Clone(tx.Bucket(bucketMeta).Get(keyHashKey))
		if len(s.hashKey) != hashKeySize {
			return fmt.Errorf("hash key: %w: %d bytes", ErrDamaged, len(s.hashKey))
		}
		return nil
	})
}

// makeReady makes the folder and closes the file to others.
func (s *Store) makeReady() error {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return err
	}
	return s.tighten()
}

// settleIn makes the file's name durable and brings it to our schema.
func (s *Store) settleIn() error {
	if err := syncDir(filepath.Dir(s.path)); err != nil {
		return err
	}
	return migrate(s.db, migrations)
}

// tighten takes away what group and others may do to an existing file.
func (s *Store) tighten() error {
	info, err := os.Stat(s.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		if err := os.Chmod(s.path, 0o600); err != nil {
			return fmt.Errorf("others may read it (mode %#o): %w", mode, err)
		}
		s.log.Warn("store: others could read the file; corrected to 0600", "path", s.path, "was", fmt.Sprintf("%#o", mode))
	}
	return nil
}

// syncDir makes a new file's name durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Close commits what is queued, refuses what comes after it with ErrClosed,
// waits for open Views, and lets go of the file. Closing again returns the same.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.w.close()
		if err := errors.Join(s.settle(), s.db.Close()); err != nil {
			s.closed = fmt.Errorf("close store %s: %w", s.path, err)
		}
	})
	return s.closed
}

// settle writes the list of free pages if the last commits left it out, so that
// the next Open need not read the whole file.
func (s *Store) settle() error {
	if !s.db.NoFreelistSync || s.w.broken.Load() != nil {
		return nil
	}
	s.db.NoFreelistSync = false
	return s.db.Update(func(*bolt.Tx) error { return nil })
}

// Err says why nothing can be accepted now (a full disk, a disk that failed), or
// nil. A full disk heals with the next commit that succeeds.
func (s *Store) Err() error {
	if err := s.w.broken.Load(); err != nil {
		return *err
	}
	if err := s.full.Load(); err != nil {
		return *err
	}
	return nil
}

// View runs fn in a reading transaction: a picture of one commit that does not
// change. Records that it hands out are copies and may be kept; the Tx may not.
// A View that stays open keeps freed pages from being used again.
func (s *Store) View(fn func(*Tx) error) (err error) {
	btx, err := s.db.Begin(false)
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return fmt.Errorf("view store: %w", ErrClosed)
	}
	if err != nil {
		return fmt.Errorf("view store: %w", err)
	}
	tx := &Tx{b: btx, s: s, now: s.now()}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		tx.over = true
		// Rollback of a reading transaction cannot fail while it is open.
		_ = btx.Rollback()
		if v := recover(); v != nil {
			failed := panicked(v)
			if !errors.Is(failed, ErrDamaged) {
				panic(v) // the caller's own, in the caller's own goroutine
			}
			err = failed
		}
	}()
	return fn(tx)
}

// HashKey returns 32 random bytes that were made with the file and never leave
// it: hashes of secret values are keyed with it.
func (s *Store) HashKey() []byte { return slices.Clone(s.hashKey) }

// Path returns where the file is.
func (s *Store) Path() string { return s.path }

// Backup writes a copy of the file, as of one commit, while work goes on. The
// bodies kept in files of their own are not in it.
func (s *Store) Backup(w io.Writer) error {
	return s.View(func(tx *Tx) error {
		if _, err := tx.b.WriteTo(w); err != nil {
			return fmt.Errorf("back up store %s: %w", s.path, err)
		}
		return nil
	})
}

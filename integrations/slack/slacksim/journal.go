package slacksim

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// The buckets of the journal. Each holds the JSON of one kind of thing, keyed
// as its map in memory is keyed.
const (
	bucketMeta       = "meta"
	bucketChannels   = "channels"
	bucketMessages   = "messages"
	bucketViews      = "views"
	bucketHomes      = "homes"
	bucketFiles      = "files"
	bucketFileBodies = "file_bodies"
	bucketEvents     = "events"
	bucketResponses  = "responses"
	bucketGroups     = "groups"
)

var buckets = []string{
	bucketMeta, bucketChannels, bucketMessages, bucketViews, bucketHomes,
	bucketFiles, bucketFileBodies, bucketEvents, bucketResponses, bucketGroups,
}

// put is one change of the journal; a nil value deletes.
type put struct {
	bucket, key string
	value       []byte
}

// journal keeps the workspace on disk. Changes are applied in memory first and
// handed over in order; whoever answers the outside waits until what it saw is
// synced. One goroutine writes all that is waiting as one transaction.
type journal struct {
	db   *bbolt.DB
	mu   sync.Mutex
	cond *sync.Cond
	// queued and synced count changes; err is the first failed write, after
	// which nothing is said to be synced any more.
	queue          []put
	queued, synced uint64
	err            error
	closed         bool
	done           chan struct{}
}

func openJournal(dir string) (*journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the workspace folder %s: %w", dir, err)
	}
	path := filepath.Join(dir, "slack.db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		return nil, fmt.Errorf("open workspace %s: %w", path, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, b := range buckets {
			if _, err := tx.CreateBucketIfNotExists([]byte(b)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("prepare workspace %s: %w", path, err)
	}
	j := &journal{db: db, done: make(chan struct{})}
	j.cond = sync.NewCond(&j.mu)
	go j.run()
	return j, nil
}

func (j *journal) enqueue(ops []put) {
	j.mu.Lock()
	j.queue = append(j.queue, ops...)
	j.queued += uint64(len(ops))
	j.mu.Unlock()
	j.cond.Broadcast()
}

// wait returns when all that was queued before the call is on disk.
func (j *journal) wait() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for want := j.queued; j.synced < want && j.err == nil; {
		j.cond.Wait()
	}
	return j.err
}

func (j *journal) run() {
	defer close(j.done)
	for {
		j.mu.Lock()
		for len(j.queue) == 0 && !j.closed {
			j.cond.Wait()
		}
		ops := j.queue
		j.queue = nil
		j.mu.Unlock()
		if len(ops) == 0 {
			return
		}
		err := j.db.Update(func(tx *bbolt.Tx) error { return apply(tx, ops) })
		j.mu.Lock()
		if err != nil && j.err == nil {
			j.err = fmt.Errorf("write workspace %s: %w", j.db.Path(), err)
		}
		j.synced += uint64(len(ops))
		j.mu.Unlock()
		j.cond.Broadcast()
	}
}

func apply(tx *bbolt.Tx, ops []put) error {
	for _, op := range ops {
		b := tx.Bucket([]byte(op.bucket))
		var err error
		if op.value == nil {
			err = b.Delete([]byte(op.key))
		} else {
			err = b.Put([]byte(op.key), op.value)
		}
		if err != nil {
			return fmt.Errorf("%s/%s: %w", op.bucket, op.key, err)
		}
	}
	return nil
}

func (j *journal) close() error {
	j.mu.Lock()
	j.closed = true
	j.mu.Unlock()
	j.cond.Broadcast()
	<-j.done
	j.mu.Lock()
	err := j.err
	j.mu.Unlock()
	if cerr := j.db.Close(); err == nil {
		err = cerr
	}
	return err
}

// load reads one bucket into m.
func load[T any](j *journal, bucket string, m map[string]*T) error {
	return j.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(bucket)).ForEach(func(k, v []byte) error {
			t := new(T)
			if err := json.Unmarshal(v, t); err != nil {
				return fmt.Errorf("read %s/%s: %w", bucket, k, err)
			}
			m[string(k)] = t
			return nil
		})
	})
}

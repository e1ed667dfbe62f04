package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	bolt "go.etcd.io/bbolt"
)

// maxBatch bounds how many functions share one commit, so that the first of
// them does not wait for an endless queue.
const maxBatch = 1024

// freelistSyncMax is the number of free pages up to which the list of them is
// written with every commit (8 bytes each). A longer one, after a large prune,
// is written at Close only: otherwise each commit would sort and write
// megabytes. The price is that a crash meanwhile makes the next Open read the
// whole file once to find the free pages again.
const freelistSyncMax = 16 << 10

// A request is one function waiting to be run and committed.
type request struct {
	fn    func(*Tx) error
	state atomic.Int32
	done  chan error
	err   error    // what the function said in this attempt
	after []string // topics it touched in this attempt
}

const (
	waiting   = iota // in the queue; its caller may still withdraw it
	taken            // the writer has it; its caller waits for the answer
	withdrawn        // its caller has left, and it will not be run
)

// The writer is the one goroutine that changes the file. It takes whatever is
// queued, without waiting for more, runs it in one transaction and commits it
// with one pair of syncs; what arrives meanwhile is the next batch. A batch so
// grows with load by itself, and a lone caller waits for nobody.
type writer struct {
	s     *Store
	mu    sync.Mutex
	queue []*request
	shut  bool
	wake  chan struct{} // capacity 1
	done  chan struct{} // closed when the goroutine has ended

	batch  []*request // being run; kept here so that a successor could go on with it
	answer func(*request, error)
	broken atomic.Pointer[error] // set once: no write can be trusted any more
}

func newWriter(s *Store) *writer {
	w := &writer{s: s, wake: make(chan struct{}, 1), done: make(chan struct{})}
	w.answer = func(r *request, err error) { r.done <- err }
	go w.loop()
	return w
}

// Update runs fn in a writing transaction and returns when that is on disk.
//
// fn shares its transaction with others that are queued at the same time, and
// may be run more than once (when another one in its batch fails, or when it
// fails itself), so it must not do anything but read and write the Tx, and it
// must not call Update. If it returns an error or panics, nothing that it wrote
// is kept, and the error was decided against committed records only. If ctx
// ends before the writer has taken fn, fn is not run and ctx's error is
// returned; after that Update waits for the commit, so its answer is never a
// guess.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) error {
	r := &request{fn: fn, done: make(chan error, 1)}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("update store: %w", err)
	}
	if err := s.w.put(r); err != nil {
		return err
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		if r.state.CompareAndSwap(waiting, withdrawn) {
			return fmt.Errorf("update store: %w", ctx.Err())
		}
		return <-r.done
	}
}

func (w *writer) put(r *request) error {
	if err := w.broken.Load(); err != nil {
		return *err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.shut {
		return fmt.Errorf("update store: %w", ErrClosed)
	}
	w.queue = append(w.queue, r)
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return nil
}

// close lets what is queued be committed, refuses the rest, and waits.
func (w *writer) close() {
	w.mu.Lock()
	w.shut = true
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
	<-w.done
}

// take fills w.batch with what is queued; false means that the queue is empty
// for good.
func (w *writer) take() bool {
	for {
		w.mu.Lock()
		n := min(len(w.queue), maxBatch)
		for _, r := range w.queue[:n] {
			if r.state.CompareAndSwap(waiting, taken) {
				w.batch = append(w.batch, r)
			}
		}
		if w.queue = w.queue[n:]; len(w.queue) == 0 {
			w.queue = nil
		}
		left, shut := len(w.queue), w.shut
		w.mu.Unlock()
		switch {
		case len(w.batch) > 0:
			return true
		case left > 0:
		case shut:
			return false
		default:
			<-w.wake
		}
	}
}

func (w *writer) loop() {
	ended := false
	defer func() {
		if !ended { // a function called runtime.Goexit, which takes its goroutine with it
			go w.loop()
			return
		}
		close(w.done)
	}()
	// A page that the disk cannot give back faults; as a panic it becomes an
	// error of the one transaction that met it.
	debug.SetPanicOnFault(true)
	for len(w.batch) > 0 || w.take() {
		w.run()
	}
	ended = true
}

// run commits w.batch. A function that fails after having written spoils the
// transaction: the others are run again without it, and it is run again alone,
// so that its error was not decided against something never committed.
func (w *writer) run() {
	var alone []*request
	for len(w.batch) > 0 {
		bad, final := w.attempt(w.batch)
		if bad < 0 {
			w.batch = w.batch[:0]
			break
		}
		r := w.batch[bad]
		w.batch = append(w.batch[:bad:bad], w.batch[bad+1:]...)
		if final {
			w.answer(r, r.err)
		} else {
			alone = append(alone, r)
		}
	}
	for len(alone) > 0 {
		w.batch = append(w.batch[:0], alone...) // a successor finds all that are left
		if bad, _ := w.attempt(alone[:1]); bad >= 0 {
			w.answer(alone[0], alone[0].err)
		}
		alone = alone[1:]
		w.batch = w.batch[:0]
	}
}

// attempt runs all of batch in one transaction. It answers everyone and returns
// -1, or returns the place of the function that spoiled the transaction, and
// whether its error is final because nothing was written before it.
func (w *writer) attempt(batch []*request) (bad int, final bool) {
	if err := w.broken.Load(); err != nil {
		w.answerAll(batch, *err)
		return -1, true
	}
	btx, err := w.s.db.Begin(true)
	if err != nil {
		w.answerAll(batch, fmt.Errorf("update store: %w", err))
		return -1, true
	}
	var txs []*Tx
	wrote, over := false, false
	defer func() {
		if !over { // Goexit in a function, or a panic of the library itself
			rollback(btx, txs)
		}
	}()
	for i, r := range batch {
		tx := &Tx{b: btx, s: w.s, now: w.s.now(), writable: true}
		txs = append(txs, tx)
		r.err = w.call(r, tx)
		tx.over = true
		if r.err != nil && tx.wrote {
			over = true
			rollback(btx, txs)
			return i, !wrote
		}
		wrote = wrote || tx.wrote
		r.after = tx.topics
	}
	over = true
	if !wrote {
		rollback(btx, txs)
		for _, r := range batch {
			w.answer(r, r.err)
		}
		return -1, true
	}
	if err := w.commit(btx); err != nil {
		rollback(nil, txs)
		w.answerAll(batch, err)
		return -1, true
	}
	for _, r := range batch {
		w.s.watchers.tell(r.after)
		w.answer(r, r.err)
	}
	return -1, true
}

func (w *writer) answerAll(batch []*request, err error) {
	for _, r := range batch {
		w.answer(r, err)
	}
}

// call runs one function. A Goexit inside it (a test's FailNow, say) answers
// its caller and drops it from the batch before the goroutine ends.
func (w *writer) call(r *request, tx *Tx) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil {
			err = panicked(v)
			return
		}
		for i := range w.batch {
			if w.batch[i] == r {
				w.batch = append(w.batch[:i:i], w.batch[i+1:]...)
				break
			}
		}
		w.answer(r, &PanicError{Value: "the function ended its goroutine (runtime.Goexit)"})
	}()
	err = r.fn(tx)
	returned = true
	return err
}

// commit writes the transaction to disk. After an I/O error other than a full
// disk the kernel may have dropped what it could not write, so nothing more is
// accepted until a restart has read the file anew.
func (w *writer) commit(btx *bolt.Tx) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = w.breakDown(panicked(v))
		}
	}()
	db := w.s.db
	db.NoFreelistSync = db.Stats().FreePageN > freelistSyncMax
	if err = btx.Commit(); err == nil {
		w.s.full.Store(nil)
		return nil
	}
	if diskFull(err) {
		err = fmt.Errorf("commit to store %s: %w", w.s.path, err)
		w.s.full.Store(&err)
		w.s.log.Error("store: nothing can be accepted", "err", err)
		return err
	}
	return w.breakDown(err)
}

// diskFull says whether err means that there is no room: it also reads the
// text, because bbolt does not wrap what it gets when it grows the file.
func diskFull(err error) bool {
	for _, full := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, full) || strings.Contains(err.Error(), full.Error()) {
			return true
		}
	}
	return false
}

func (w *writer) breakDown(cause error) error {
	err := fmt.Errorf("commit to store %s: %w: %w; restart once the disk is well", w.s.path, ErrDamaged, cause)
	w.broken.CompareAndSwap(nil, &err)
	w.s.log.Error("store: nothing is accepted until a restart", "err", err)
	return err
}

// rollback drops the transaction and takes back what accessors wrote into their
// callers' records.
func rollback(btx *bolt.Tx, txs []*Tx) {
	for i := len(txs) - 1; i >= 0; i-- {
		txs[i].over = true
		for j := len(txs[i].undo) - 1; j >= 0; j-- {
			txs[i].undo[j]()
		}
	}
	if btx == nil {
		return
	}
	// Rollback fails only on a transaction that is already over.
	_ = btx.Rollback()
}

// panicked turns a recovered panic into an error; a fault while reading the
// mapped file is the disk's doing, everything else the function's.
func panicked(v any) error {
	if fault, ok := v.(interface {
		runtime.Error
		Addr() uintptr
	}); ok {
		return fmt.Errorf("read store: %w: %w", ErrDamaged, fault)
	}
	return &PanicError{Value: v, Stack: debug.Stack()}
}

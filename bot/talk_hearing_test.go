package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// hearing is a first hearing of a conversation, beside many others. The sandbox's clock goes
// on by itself as well, so on a machine that is too busy a conversation can come out
// otherwise than it should. So what goes wrong here is no verdict: it is held again when
// the others are over, alone, and what goes wrong then is wrong.
type hearing struct {
	testing.TB
	ctx    context.Context
	cancel context.CancelFunc

	mu    sync.Mutex
	wrong string
	after []func()
	dirs  []string
}

// heardWell holds a conversation in a goroutine of its own, and says what went wrong; "" is
// nothing.
func heardWell(t testing.TB, talk func(t testing.TB)) string {
	h := &hearing{TB: t}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer h.end()
		talk(h)
	}()
	<-done
	return h.wrong
}

func (h *hearing) end() {
	h.cancel()
	for _, f := range slices.Backward(h.after) {
		f()
	}
	for _, dir := range h.dirs {
		_ = os.RemoveAll(dir)
	}
}

func (h *hearing) note(text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.wrong == "" {
		h.wrong = text
	}
}

func (h *hearing) Error(args ...any)                 { h.note(fmt.Sprint(args...)) }
func (h *hearing) Errorf(format string, args ...any) { h.note(fmt.Sprintf(format, args...)) }
func (h *hearing) Fatal(args ...any)                 { h.note(fmt.Sprint(args...)); runtime.Goexit() }
func (h *hearing) Fatalf(format string, args ...any) {
	h.note(fmt.Sprintf(format, args...))
	runtime.Goexit()
}
func (h *hearing) Fail()                    { h.note("it failed") }
func (h *hearing) FailNow()                 { h.note("it failed"); runtime.Goexit() }
func (h *hearing) Log(...any)               {}
func (h *hearing) Logf(string, ...any)      {}
func (h *hearing) Cleanup(f func())         { h.after = append(h.after, f) }
func (h *hearing) Context() context.Context { return h.ctx }

func (h *hearing) Failed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.wrong != ""
}

func (h *hearing) TempDir() string {
	dir, err := os.MkdirTemp("", "talk")
	if err != nil {
		h.Fatal(err)
	}
	h.dirs = append(h.dirs, dir)
	return dir
}

// What goes wrong in a first hearing is seen, whichever way it goes wrong, and what was
// opened is closed.
func TestHeardWell(t *testing.T) {
	for name, c := range map[string]struct {
		talk func(t testing.TB)
		want string
	}{
		"well":  {func(t testing.TB) { t.Log("hm") }, ""},
		"error": {func(t testing.TB) { t.Errorf("line %d differs", 3); t.Error("and more") }, "line 3 differs"},
		"fatal": {func(t testing.TB) { t.Fatal("no answer") }, "no answer"},
		"fails": {func(t testing.TB) { t.FailNow() }, "it failed"},
	} {
		closed, dir := "", ""
		got := heardWell(t, func(h testing.TB) {
			dir = h.TempDir()
			h.Cleanup(func() { closed += "2" })
			h.Cleanup(func() { closed += "1"; _ = h.Failed() })
			c.talk(h)
		})
		if _, err := os.Stat(dir); got != c.want || closed != "12" || err == nil {
			t.Errorf("%s: %q, closed %q, the folder: %v", name, got, closed, err)
		}
	}
}

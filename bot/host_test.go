package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// opsOn runs `signalbox ops` as a shell would.
func opsOn(t *testing.T, data string, words ...string) (out string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = cli(append([]string{"ops", "--config", filepath.Join(data, "none.yaml"), "--data", data}, words...), &stdout, &stderr)
	return stdout.String() + stderr.String(), code
}

// The socket is open to everybody on the machine, and the kernel says who they are.
// Whoever runs the bot, and root, is nobody in particular.
func TestTheHostDoorAsksTheKernel(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Skip(err)
	}
	long := filepath.Join(t.TempDir(), strings.Repeat("deep/", 20)) // more than a socket's name can hold
	if err := os.MkdirAll(long, 0o711); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(filepath.Join(long, "signalbox.db"), store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d := &hostDoor{path: filepath.Join(long, hostSocket), store: s, clock: clock.Real(), log: slog.New(slog.DiscardHandler),
		decide: func(ctx context.Context, _ string) error { return nil }, nobody: map[uint32]string{}, name: userName, room: make(chan struct{}, hostAtOnce)}
	ln, err := d.listen()
	if err != nil {
		t.Fatal(err)
	}
	if at, err := os.Stat(d.path); err != nil || at.Mode().Perm() != 0o666 {
		t.Errorf("the socket is %v, %v", at.Mode(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Serve(ctx, ln) }()

	out, code := opsOn(t, long, "status", "web", "two words")
	if code != exitFailed || !strings.Contains(out, "is being stopped and has kept this") { // nothing decides here
		t.Errorf("exit code %d: %s", code, out)
	}
	var events []*store.Event
	err = s.View(func(tx *store.Tx) (err error) { events, err = tx.Undecided(9); return err })
	if err != nil || len(events) != 1 || string(events[0].Body) != `{"user":"`+me.Username+`","line":"status web \"two words\""}` {
		t.Fatalf("%d events, %v: %s", len(events), err, events[0].Body)
	}

	d.nobody[uint32(os.Getuid())] = "It is the user that signalbox runs as."
	if out, code := opsOn(t, long, "status"); code != exitFailed || !strings.Contains(out, "You are "+me.Username+" here, who may not command signalbox.") {
		t.Errorf("exit code %d: %s", code, out)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(d.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
}

// Without a running bot what only reads is read from the database, and the rest is
// refused in words.
func TestOpsWithoutABot(t *testing.T) {
	data := t.TempDir()
	out, code := opsOn(t, data, "status")
	if code != exitFailed || !strings.Contains(out, "signalbox does not run here") {
		t.Errorf("without a database: exit code %d: %s", code, out)
	}
	s, err := store.Open(filepath.Join(data, "signalbox.db"), store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Update(t.Context(), func(tx *store.Tx) error {
		return tx.PutHold(&store.Hold{ID: "hold-1", Kind: store.HoldHold, Target: "web/production", Owner: store.Person{Name: "bob"}, Reason: "migration"}, 0)
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	if out, code = opsOn(t, data, "status"); code != exitOK || !strings.Contains(out, "how it left things") || !strings.Contains(out, "web/production is locked by bob: migration") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if out, code = opsOn(t, data, "go"); code != exitFailed || !strings.Contains(out, "nothing can be changed by it") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

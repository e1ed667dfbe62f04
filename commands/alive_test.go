package commands

import (
	"context"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// A loop that goes round says so, with nothing to do too; one that is stuck does not.
func TestAliveKnowsAStuckLoop(t *testing.T) {
	s, err := store.Open(t.TempDir()+"/x.db", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	stuck, free := make(chan struct{}), make(chan struct{})
	d := New(Deps{Store: s, Clock: clock.Real(), Catalog: func() *integrations.Catalog { return &integrations.Catalog{} },
		DecodeHeard: func(string, []byte) (integrations.Heard, error) {
			close(stuck)
			<-free
			return integrations.Heard{Kind: "none"}, nil
		}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	alive := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		return d.Alive(ctx)
	}
	if err := alive(); err != nil {
		t.Errorf("an idle loop: %v", err)
	}
	if _, _, err := s.Accept(t.Context(), store.Event{Kind: "slack.command", Keys: []string{"1"}}); err != nil {
		t.Fatal(err)
	}
	<-stuck
	if alive() == nil {
		t.Error("a stuck loop counts as alive")
	}
	close(free)
	if err := alive(); err != nil {
		t.Errorf("a loop that goes on: %v", err)
	}
	// One decision that hangs keeps the loop from nothing, and is found all the same.
	d.mu.Lock()
	d.begun[99] = time.Now().Add(-tryMost - time.Second)
	d.mu.Unlock()
	if alive() == nil {
		t.Error("a decision that hangs counts as alive")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

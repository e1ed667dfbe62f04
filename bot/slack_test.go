package main

import (
	"context"
	"io"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/slack"
	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
	"github.com/signalbox-chatops/signalbox/store"
)

// slackHall is a simulated workspace with the door open to it.
type slackHall struct {
	*slacksim.Sim
	store  *store.Store
	client *slack.Client
	door   *slackDoor
}

func openSlackHall(t *testing.T) *slackHall {
	t.Helper()
	sim, err := slacksim.New(slacksim.Config{
		Users:    []slacksim.User{{ID: "U0ALICE", Name: "alice"}},
		Channels: []slacksim.Channel{{ID: "C0OPS", Name: "ops", Members: []string{"alice", "signalbox"}}},
		Quiet:    50 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(sim.Handler())
	sim.SetBase(srv.URL)
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
		srv.Close()
	})
	h := &slackHall{Sim: sim}
	if h.store, err = store.Open(filepath.Join(t.TempDir(), "bot.db"), store.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.store.Close() })
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	h.client, err = slack.New(slack.Config{
		AppToken: integrations.NewSecret("xapp-1-sandbox"), BotToken: integrations.NewSecret("xoxb-sandbox"),
		APIURL: srv.URL + "/api/", Connections: 1,
	}, clock.Real(), log)
	if err != nil {
		t.Fatal(err)
	}
	h.door = newSlackDoor(h.client, h.store, clock.Real(), log)
	return h
}

// run runs the door until the test ends.
func (h *slackHall) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.door.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	for deadline := time.Now().Add(20 * time.Second); !h.door.Ready(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the door did not open")
		}
	}
}

func (h *slackHall) events(t *testing.T) []*store.Event {
	t.Helper()
	var all []*store.Event
	err := h.store.View(func(tx *store.Tx) (err error) {
		all, err = tx.Undecided(0)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestSlackDoorStoresBeforeItAcks(t *testing.T) {
	h := openSlackHall(t)
	stored := make(chan int, 10)
	h.OnAck(func(string, string) { stored <- len(h.events(t)) })
	h.run(t)
	if _, err := h.Say(t.Context(), "alice", "ops", "/ops deploy web to staging", ""); err != nil {
		t.Fatal(err)
	}
	if n := <-stored; n != 1 {
		t.Fatalf("%d events were stored when the ack came, want 1", n)
	}
	e := h.events(t)[0]
	heard, err := h.client.DecodeHeard(e.Kind, e.Body)
	if err != nil || heard.Text != "deploy web to staging" || heard.User != "U0ALICE" {
		t.Errorf("event %+v: heard %+v, %v", e, heard, err)
	}
	if e.Sent.IsZero() || e.Accepted.Before(e.Sent.Add(-time.Minute)) {
		t.Errorf("sent %v, accepted %v", e.Sent, e.Accepted)
	}
	if v := h.Violations(); len(v) > 0 {
		t.Errorf("violations: %q", v)
	}
}

func TestSlackDoorStoresOnce(t *testing.T) {
	h := openSlackHall(t)
	h.run(t)
	if err := h.Fault(slacksim.FaultSpec{Kind: "twice", Method: "slash_commands"}); err != nil {
		t.Fatal(err)
	}
	acked := make(chan string, 10)
	h.OnAck(func(id, _ string) { acked <- id })
	if _, err := h.Say(t.Context(), "alice", "ops", "/ops status", ""); err != nil {
		t.Fatal(err)
	}
	if a, b := <-acked, <-acked; a == b {
		t.Errorf("one envelope was acked twice: %s", a)
	}
	// A mention comes as an app_mention and as a message.
	if _, err := h.Say(t.Context(), "alice", "ops", "@signalbox locks", ""); err != nil {
		t.Fatal(err)
	}
	<-acked
	<-acked
	if all := h.events(t); len(all) != 2 {
		t.Errorf("%d events are stored, want 2", len(all))
	}
	if v := h.Violations(); len(v) > 0 {
		t.Errorf("violations: %q", v)
	}
}

func TestSlackDoorWithoutAStore(t *testing.T) {
	h := openSlackHall(t)
	h.run(t)
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	a, err := h.Say(t.Context(), "alice", "ops", "/ops status", "")
	if err != nil || a.Response == nil || !strings.Contains(a.Response.Text, "nothing was done") {
		t.Errorf("answer %+v, %v", a.Response, err)
	}
}

func TestSlackDoorSaysWhatIsHopeless(t *testing.T) {
	h := openSlackHall(t)
	if err := h.Fault(slacksim.FaultSpec{Kind: "link_disabled"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := h.door.Run(ctx)
	if err == nil || !strings.Contains(err.Error(), "Socket Mode is switched off") {
		t.Errorf("run: %v", err)
	}
}

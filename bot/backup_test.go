package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

func TestBackupsOfAWeekAreKept(t *testing.T) {
	clk := clock.NewMovable(0)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	dir := t.TempDir()
	st, err := store.Open(filepath.Join(dir, "signalbox.db"), store.Options{Now: clk.Now, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	ctx := context.Background()
	err = st.Update(ctx, func(tx *store.Tx) error {
		return tx.PutHold(&store.Hold{ID: "hold-1", Kind: "hold", Reason: "kept"}, 0)
	})
	if err != nil {
		t.Fatal(err)
	}
	a := &app{options: options{Config: &Config{Data: dir}, Clock: clk, Log: log}, store: st}
	for range 9 {
		for range 2 { // a second start on the same day
			if err := a.backup(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if err := clk.Advance(ctx, 24*time.Hour, nil); err != nil {
			t.Fatal(err)
		}
	}
	all, err := filepath.Glob(filepath.Join(dir, "backup", "*"))
	if err != nil || len(all) != 7 {
		t.Fatalf("backups: %v (%v), want seven", all, err)
	}
	info, err := os.Stat(all[6])
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("backup: %v %v, want mode 0600", info.Mode(), err)
	}
	copied, err := store.Open(all[6], store.Options{Now: clk.Now, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	err = copied.View(func(tx *store.Tx) error {
		h, err := tx.Hold("hold-1")
		if err == nil && h.Reason != "kept" {
			t.Errorf("the copy holds %q", h.Reason)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

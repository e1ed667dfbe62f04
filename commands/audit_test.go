package commands

import (
	"bytes"
	"log/slog"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// What was refused is looked for where it would have happened, so its row says
// where that is, though no act has said so.
func TestARefusalIsOnRecordWhereItWouldHaveHappened(t *testing.T) {
	h := build(t, nil).run()
	h.says("U3", "deploy web to production")
	h.says("U3", `lock network/production "mine"`)
	h.says("U3", `lock web/stg "mine"`)
	h.says("U3", "merge op-1")
	want := []store.AuditRow{
		{Service: "web", Environment: "production"},
		{Environment: "production", Target: "network/production"},
		{Service: "web", Environment: "staging"},
		{},
	}
	var got []store.AuditRow
	err := h.st.View(func(tx *store.Tx) error {
		rows, err := tx.AuditAfter(0, 0)
		for _, r := range rows {
			got = append(got, store.AuditRow{Service: r.Service, Environment: r.Environment, Target: r.Target})
		}
		return err
	})
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%s %v", diff, err)
	}
}

// A change and its audit row stand or fall together. With the bucket of the rows
// gone from the file, everything else in the transaction works.
func TestRuleNoAuditNoChange(t *testing.T) {
	h := build(t, func(h *house, d *Deps) {
		path := h.st.Path()
		if err := h.st.Close(); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(raw, []byte("audit/rows")) {
			t.Fatalf("no bucket to take away: %v", err)
		}
		if err := os.WriteFile(path, bytes.ReplaceAll(raw, []byte("audit/rows"), []byte("audit/rowz")), 0o600); err != nil {
			t.Fatal(err)
		}
		if h.st, err = store.Open(path, store.Options{Now: h.clock.Now, Log: slog.New(slog.DiscardHandler)}); err != nil {
			t.Fatal(err)
		}
		d.Store = h.st
	})
	h.post("slack.command", integrations.Heard{Kind: "command", Team: "T1", User: "U1", Channel: "C1", Text: "deploy web to staging"}, h.clock.Now())
	h.run()
	h.until("it is tried", func() bool { return len(h.done()) > 1 })
	h.halt()
	err := h.st.View(func(tx *store.Tx) error {
		live, err := tx.LiveOperations()
		if len(live) != 0 {
			t.Errorf("the operation was begun: %v", live)
		}
		left, err2 := tx.Undecided(0)
		if len(left) != 1 {
			t.Errorf("%d events are left undecided, want the one", len(left))
		}
		if err == nil {
			err = err2
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

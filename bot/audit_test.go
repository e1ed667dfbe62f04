package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/store"
)

// The audit is printed from the database, and beside a bot that runs from its
// export, which it says; never both, and nothing else on standard output.
func TestTheAuditIsPrinted(t *testing.T) {
	dir := t.TempDir()
	config, path := filepath.Join(dir, "signalbox.yaml"), filepath.Join(dir, "data", "signalbox.db")
	err := os.WriteFile(config, []byte("inbound: none\ndata: "+filepath.Join(dir, "data")+`
slack: {app_token: xapp-1, bot_token: xoxb-1}
github: {token: t}
people: [{name: bob, slack: U0BOB}]
environments: {staging: {}}
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (code int, out, errs string) {
		var o, e bytes.Buffer
		code = cli(append([]string{"audit", "--config", config}, args...), &o, &e)
		return code, o.String(), e.String()
	}
	if code, out, errs := run(); code != exitFailed || out != "" || !strings.Contains(errs, "signalbox.db") {
		t.Errorf("without a database: %d %q %q", code, out, errs)
	}
	st, err := store.Open(path, store.Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	err = st.Update(context.Background(), func(tx *store.Tx) error {
		if err := tx.Audit(store.AuditRow{Act: "old", At: time.Now().Add(-10 * 24 * time.Hour)}); err != nil {
			return err
		}
		return tx.Audit(store.AuditRow{Act: "deploy"})
	})
	if err != nil {
		t.Fatal(err)
	}
	export := filepath.Join(dir, "data", "audit")
	if err := os.MkdirAll(export, 0o700); err != nil {
		t.Fatal(err)
	}
	line := `{"seq":7,"at":"` + time.Now().UTC().Format(time.RFC3339) + `","act":"from the export"}` + "\n"
	if err := os.WriteFile(filepath.Join(export, time.Now().UTC().Format("2006-01")+".jsonl"), []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := run(); code != exitOK || out != line || !strings.Contains(errs, "from the export in "+export) {
		t.Errorf("beside a running bot: %d %q %q", code, out, errs)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := run(); code != exitOK || strings.Count(out, "\n") != 2 || !strings.Contains(out, `"act":"old"`) || errs != "" {
		t.Errorf("the database: %d %q %q", code, out, errs)
	}
	file := filepath.Join(dir, "out.jsonl")
	if code, out, errs := run("--since", "7d", "--out", file); code != exitOK || out+errs != "" {
		t.Errorf("to a file: %d %q %q", code, out, errs)
	}
	b, err := os.ReadFile(file)
	if err != nil || strings.Count(string(b), "\n") != 1 || !strings.Contains(string(b), `"act":"deploy"`) {
		t.Errorf("the file: %q, %v", b, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode: %v, %v", info.Mode(), err)
	}
	if code, out, errs := run("--since", "yesterday"); code != exitFailed || out != "" || !strings.Contains(errs, "say 90m, 2h or 7d") {
		t.Errorf("a wrong time span: %d %q %q", code, out, errs)
	}
	if code, _, errs := run("--out", filepath.Join(dir, "none", "x")); code != exitFailed || !strings.Contains(errs, "none") {
		t.Errorf("a file that cannot be made: %d %q", code, errs)
	}
}

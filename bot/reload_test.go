package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The configuration is read again on SIGHUP. One with a mistake changes nothing;
// either way the log says so.
func TestReload(t *testing.T) {
	b := newBox(t, nil)
	b.start()
	b.until("the bot is ready", b.ready)
	path := filepath.Join(b.dir, "signalbox.yaml")
	config, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	alias := strings.Replace(string(config), "aliases: [stg]", "aliases: [stg, 練習]", 1)
	if alias == string(config) {
		t.Fatal("the configuration has no alias to change")
	}
	logged := func(what string) func() bool {
		return func() bool {
			b, err := os.ReadFile(filepath.Join(b.dir, "bot.log"))
			return err == nil && strings.Contains(string(b), what)
		}
	}
	reload := func(text, says, told string) {
		put(t, path, text, 0o600)
		b.mu.Lock()
		err := b.bot.Process.Signal(syscall.SIGHUP)
		b.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		b.until("the log says "+says, logged(says))
		b.until("it is told that "+says, func() bool {
			for _, m := range b.history("") {
				if strings.Contains(m.Text, told) {
					return true
				}
			}
			return false
		})
	}
	b.ask("alice", "/ops history in 練習", "There is no environment “練習”")
	reload(alias, "configuration reloaded", "• staging: aliases: [stg] → [stg 練習]")
	b.ask("alice", "/ops history in 練習", "Nothing has been deployed")
	reload(strings.Replace(alias, "strategy: promote", "strategy: hope", 1), "hope", "1 mistake. The old one stays.")
	if !logged("the old one stays")() {
		t.Error("the log does not say that the old configuration stays")
	}
	b.ask("alice", "/ops history in 練習", "Nothing has been deployed")
}

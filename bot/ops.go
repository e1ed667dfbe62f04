package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

type opsCommand struct {
	configFlag
	Data string   `env:"SIGNALBOX_DATA" placeholder:"DIR" help:"The data folder; the configuration's unless said, or /var/lib/signalbox."`
	Line []string `arg:"" passthrough:"" help:"What you would type after /ops."`
}

// errNotRunning says that nobody listens at the host door.
var errNotRunning = errors.New("signalbox does not run")

// Run has the running bot decide the line and prints what it says. Without one,
// what only reads is read from the database.
func (c opsCommand) Run(s *scene) error {
	line := oneLine(c.Line)
	config, err := loadConfig(c.Config) // whoever types may not be able to read it, and need not
	data := c.Data
	if data == "" && err == nil {
		data = config.Data
	}
	data = cmp.Or(data, defaultConfig().Data)
	a, failed := askHost(s.ctx, filepath.Join(data, hostSocket), line)
	if errors.Is(failed, errNotRunning) {
		return readAlone(s, config, data, line)
	} else if failed != nil {
		return failed
	}
	if _, err := io.WriteString(s.out, a.Text); err != nil {
		return err
	}
	if a.Code != exitOK {
		return errTold
	}
	return nil
}

// oneLine is the line that words of a shell were: what held a space was quoted.
func oneLine(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	quoted := make([]string, len(words))
	for i, w := range words {
		if quoted[i] = w; strings.ContainsAny(w, " \t") {
			quoted[i] = `"` + strings.ReplaceAll(w, `"`, `'`) + `"`
		}
	}
	return strings.Join(quoted, " ")
}

// askHost speaks to the host door of a running bot.
func askHost(ctx context.Context, path, line string) (a hostAnswer, err error) {
	name, done, err := socketName(path)
	if errors.Is(err, fs.ErrNotExist) {
		return a, errNotRunning
	} else if err != nil {
		return a, err
	}
	defer done()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", name)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return a, errNotRunning
	case err != nil:
		return a, fmt.Errorf("reach signalbox at %s: %w", path, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	_ = conn.SetDeadline(time.Now().Add(hostDecide + 2*hostPatient))
	if err := json.NewEncoder(conn).Encode(hostAsk{line}); err != nil {
		return a, fmt.Errorf("ask signalbox: %w", err)
	}
	if err := json.NewDecoder(conn).Decode(&a); err != nil {
		return a, fmt.Errorf("hear what signalbox answers: %w", errors.Join(err, ctx.Err()))
	}
	return a, nil
}

var errNothingChanges = errors.New("signalbox does not run here, so nothing can be changed by it: start it (systemctl start signalbox), or go by docs/when-it-is-down.md")

// readAlone answers from the database, changing nothing, what only reads that. Who
// may read the file may read it.
func readAlone(s *scene, config *Config, data, line string) error {
	cat, err := &integrations.Catalog{}, error(nil)
	if config != nil {
		if cat, err = config.Catalog(appliers(config, filepath.Join(data, "providers"))); err != nil {
			return err
		}
	}
	read := func() *integrations.Catalog { return cat }
	quiet := slog.New(slog.DiscardHandler)
	var w wired
	w, err = wire(features(systems{clock: clock.Real(), log: quiet, catalog: read, channel: func(n string) string { return n }, data: data,
		verbs: func() []commands.Verb { return w.verbs }}))
	if err != nil {
		return err
	}
	u := commands.Parse(w.verbs, cat, strings.TrimPrefix(line, commands.Prompt+" "), true)
	if u.Refusal == nil && u.Call.Verb != nil && u.Call.Verb.Effect == commands.Changes {
		return errNothingChanges
	}
	st, err := store.Open(filepath.Join(data, "signalbox.db"), store.Options{ReadOnly: true, Timeout: 200 * time.Millisecond, Log: quiet})
	if err != nil {
		return errors.Join(errNothingChanges, err)
	}
	defer st.Close()
	fmt.Fprintln(s.out, "signalbox does not run here. This is how it left things:")
	if u.Refusal != nil {
		fmt.Fprintln(s.out, u.Refusal)
		return errTold
	}
	c := u.Call
	c.Catalog = cat
	if me, err := user.Current(); err == nil {
		c.Who = cat.PersonByHost(me.Username)
	}
	act, err := c.Verb.Decide(s.ctx, c)
	if err != nil {
		return err
	}
	var reply commands.Reply
	if err := st.View(func(tx *store.Tx) (err error) { reply, err = act(tx); return err }); err != nil {
		return err
	}
	for _, m := range []*integrations.Message{reply.Private, reply.Public} {
		if m != nil {
			fmt.Fprint(s.out, commands.Plain(*m))
		}
	}
	return nil
}

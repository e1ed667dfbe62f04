package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
)

type auditCommand struct {
	configFlag
	Since string `placeholder:"7d" help:"How far back; everything unless said."`
	Out   string `placeholder:"FILE" help:"Where to write it; standard output unless said."`
}

// Run prints the audit as JSON lines. It works beside a running bot.
func (c auditCommand) Run(s *scene) (err error) {
	config, err := loadConfig(c.Config)
	if err != nil {
		return err
	}
	var since time.Time
	if c.Since != "" {
		back, ok := commands.Duration(c.Since)
		if !ok {
			return fmt.Errorf("--since %s is no time span: say 90m, 2h or 7d", c.Since)
		}
		since = time.Now().Add(-back)
	}
	var out io.Writer = s.out
	if c.Out != "" {
		file, failed := os.OpenFile(c.Out, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if failed != nil {
			return fmt.Errorf("write the audit: %w", failed)
		}
		out = file
		defer func() { err = errors.Join(err, file.Close()) }()
	}
	return printAudit(filepath.Join(config.Data, "signalbox.db"), filepath.Join(config.Data, "audit"), since, out, func(text string) { s.log.Warn(text) })
}

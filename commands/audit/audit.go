// Package audit answers who did what, lets people put on record what they did by
// hand, and writes every row of the audit to files that a log shipper reads. The
// rows themselves are written by whoever does something, in the same transaction.
package audit

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// Deps are what the feature works with.
type Deps struct {
	Store   *store.Store
	Clock   clock.Clock
	Log     *slog.Logger
	Catalog func() *integrations.Catalog
	// Zone is the time zone of somebody, by the id that they have in chat.
	Zone func(ctx context.Context, user string) (*time.Location, error)
	// Dir is the folder of the months' files and of those that people asked for.
	Dir string
}

type feature struct {
	Deps
	files commands.Files // that people asked for
}

// New is the feature.
func New(d Deps) commands.Feature {
	f := &feature{d, commands.Files{Store: d.Store, Clock: d.Clock, Dir: filepath.Join(d.Dir, "asked"), Of: "audit"}}
	e := &exporter{store: d.Store, log: d.Log, dir: d.Dir}
	return commands.Feature{
		Name: "audit", Words: map[string]string{"ja": ja},
		Verbs:   []commands.Verb{f.auditVerb(), f.recordVerb()},
		Ticks:   []commands.Tick{f.files.Tick()},
		Workers: []commands.Worker{{Name: "audit export", Run: e.Run}},
		Cards:   map[string]tell.Card{f.files.CardName(): f.files.Card, cardRecord: f.recordCard},
	}
}

// usual is how far back is looked unless something is said.
const usual = "24h"

func (f *feature) auditVerb() commands.Verb {
	return commands.Verb{
		Name: "audit", Aliases: []string{"who-did"}, Summary: "Show who did what, and how it was decided", Effect: commands.Reads,
		Args: []commands.Arg{
			{Name: "subject", Kind: commands.ArgSubject, Optional: true, Help: "an operation with its jobs, a job, a hold or a pull request"},
			{Name: "service", Kind: commands.ArgService, Optional: true, Help: "what was done to a service"},
			{Name: "target", Kind: commands.ArgTarget, Optional: true, Help: "what was done to one target"},
			{Name: "environment", Kind: commands.ArgEnvironment, Keyword: "in", Optional: true, Help: "in one environment"},
		},
		Flags: []commands.Arg{
			{Name: "since", Kind: commands.ArgWhen, Optional: true, Help: "7d, friday, yesterday, 2026-11-20 and the like, in your own time zone; 24h unless said, and all there is of a subject"},
			{Name: "by", Kind: commands.ArgWord, Optional: true, Help: "one person: a name, a mention, a GitHub login, or me"},
			{Name: "export", Kind: commands.ArgBool, Optional: true, Help: "send me the rows as a file of JSON lines"},
		},
		Examples: []string{"audit", "audit {service} in {environment} --since 7d", "audit op-3", "audit in {environment} --by me --since 2d --export"},
		Detail:   "Newest first, times in your own time zone; in a file they are those of UTC. Every command that changes something is there, every refusal, and how each job went. Rows are never changed or removed.",
		Decide:   f.audit,
	}
}

// audit reads outside of the deciding transaction: a long list must not keep
// everybody else from being heard.
func (f *feature) audit(ctx context.Context, c *commands.Call) (commands.Act, error) {
	var q question
	var found findings
	most := mostShown
	export := c.Arg("export") != ""
	if export {
		most = mostExported
	}
	zone := commands.Zones{Of: f.Zone, Log: f.Log}.For(ctx, c)
	err := f.Store.View(func(tx *store.Tx) (err error) {
		if q, err = f.understand(tx, c, zone); err != nil {
			return err
		}
		if found, err = q.find(tx, most); err != nil {
			return fmt.Errorf("the audit cannot be read: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(found.rows) == 0 {
		return private(nothing(c, q)), nil
	}
	if export {
		return f.send(c, q, found)
	}
	return private(show(q, found)), nil
}

func private(m integrations.Message) commands.Act {
	return func(*store.Tx) (commands.Reply, error) { return commands.Reply{Private: &m}, nil }
}

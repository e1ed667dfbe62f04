package drain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// How it stands on a host before its drain is confirmed: asked by a job of its own while
// the plan is shown already, with scripts that only read, and for a few seconds. What is
// not known by then does not keep anybody from confirming, and is no part of what they
// confirm.

const (
	surveyFor = 10 * time.Second
	// countEvery is how often connections are counted while nothing waits for that.
	countEvery = 10 * time.Second
)

// Now is how it stands on a host.
type Now struct {
	Asked time.Time `json:"asked,omitzero"` // of the host
	Over  bool      `json:"over,omitempty"` // nothing more is asked
	// Counts and Looks are what is asked: connections, log buffers. Counting and Looking
	// are the commands.
	Counts   bool   `json:"counts,omitempty"`
	Looks    bool   `json:"looks,omitempty"`
	Counting string `json:"counting,omitempty"`
	Looking  string `json:"looking,omitempty"`

	Connections int    `json:"connections"`    // -1: not known
	Bytes       int64  `json:"bytes"`          // in the log buffers; -1: not known
	Left        string `json:"left,omitempty"` // besides, in words
	Why         string `json:"why,omitempty"`  // something is not known
}

// unasked is what there is to be asked of a host; nil is nothing.
func unasked(m integrations.Machine, r Role) *Now {
	n := &Now{Counts: r.Port > 0, Looks: collectors[r.Logs].look != "", Connections: -1, Bytes: -1}
	switch {
	case !n.Counts && !n.Looks:
		return nil
	case !m.Reachable:
		n.Over, n.Why = true, "Systems Manager does not reach it"
	}
	return n
}

// beginAsking inserts the job that asks, if there is something to be asked.
func beginAsking(tx *store.Tx, d *Drain) error {
	if d.Now == nil || d.Now.Over {
		return nil
	}
	return insert(tx, d, strings.Join([]string{"ask", d.ID, strconv.FormatUint(d.Version, 10), strconv.FormatInt(tx.Now().UnixMilli(), 10)}, " "), jobData{Drain: d.ID, Ask: true})
}

// ask is one step of that. A drain that is not planned any more is asked nothing.
func (f *feature) ask(ctx context.Context, d *Drain) (time.Duration, error) {
	if d.State != statePlanned || d.Now == nil || d.Now.Over {
		return -1, nil
	}
	role, _ := f.Config().Role(d.Role)
	n, now, again := *d.Now, f.Clock.Now(), time.Second
	switch {
	case n.Asked.IsZero(): // written down before anything is asked: a process that dies asks no longer
		n.Asked, again = now, 0
	case now.Sub(n.Asked) > surveyFor:
		n.Over, n.Why = true, cmp.Or(n.Why, fmt.Sprintf("it did not answer within %s", surveyFor))
	case n.Counts && n.Counting == "" || n.Looks && n.Looking == "":
		f.startAsking(ctx, d, &n, role)
	default:
		f.hear(ctx, d, &n, role)
	}
	if n.Over {
		again = -1
	}
	if n == *d.Now {
		return again, ctx.Err()
	}
	d.Now = &n
	return again, f.Store.Update(ctx, func(tx *store.Tx) error { return put(tx, d, n.Over) })
}

func (f *feature) startAsking(ctx context.Context, d *Drain, n *Now, role Role) {
	var errs [2]error
	if n.Counts && n.Counting == "" {
		n.Counting, errs[0] = f.Cloud.Start(ctx, d.At, d.Instance, script("connections", role), surveyFor)
	}
	if n.Looks && n.Looking == "" {
		n.Looking, errs[1] = f.Cloud.Start(ctx, d.At, d.Instance, script(collectors[role.Logs].look, role), surveyFor)
	}
	if err := errors.Join(errs[:]...); err != nil && ctx.Err() == nil {
		n.Over, n.Why = true, short(err.Error())
	}
}

// hear reads what the host said, if it has.
func (f *feature) hear(ctx context.Context, d *Drain, n *Now, role Role) {
	whys := [2]string{}
	over := true
	each := []struct {
		command string
		read    func(r integrations.CommandResult) error
	}{
		{n.Counting, func(r integrations.CommandResult) (err error) { n.Connections, err = connections(r); return err }},
		{n.Looking, func(r integrations.CommandResult) error {
			s, err := collectors[role.Logs].read([]byte(r.Output), role)
			if err == nil {
				n.Bytes, n.Left = max(s.Bytes, s.Files), s.Left
			}
			return err
		}},
	}
	for i, one := range each {
		if one.command == "" {
			continue
		}
		r, err := f.Cloud.Result(ctx, d.At, d.Instance, one.command)
		switch {
		case err != nil:
			over, whys[i] = false, short(err.Error())
		case r.State == integrations.CommandRunning:
			over = false
		case r.State != integrations.CommandDone || r.Exit != 0:
			whys[i] = told(r)
		default:
			if err := one.read(r); err != nil {
				whys[i] = short(err.Error())
			}
		}
	}
	n.Why, n.Over = joined(whys[0], whys[1]), over
}

// connections reads how many there are; -1 where that was not said.
func connections(r integrations.CommandResult) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(r.Output))
	if err != nil || n < 0 || r.State != integrations.CommandDone || r.Exit != 0 {
		return -1, stuck("its connections cannot be counted: " + told(r))
	}
	return n, nil
}

// fields are what a person reads of it.
func (n *Now) fields() (out []integrations.Field) {
	add := func(name, value string) {
		out = append(out, integrations.Field{Name: name, Value: integrations.R(value)})
	}
	if !n.Over {
		add("Now", "its host is being asked")
		return out
	}
	if n.Counts {
		say := "not known"
		if n.Connections >= 0 {
			say = fmt.Sprintf("%d connections", n.Connections)
		}
		add("Now", say)
	}
	if n.Looks {
		say := "not known"
		if n.Bytes >= 0 {
			say = size(n.Bytes)
		}
		add("In its log buffers", say)
	}
	if n.Left != "" {
		add("Besides", n.Left)
	}
	if n.Why != "" {
		add("Not known because", n.Why)
	}
	return out
}

// size is how many bytes, in a unit that reads well.
func size(n int64) string {
	const kib, mib = 1 << 10, 1 << 20
	switch {
	case n >= mib:
		return fmt.Sprintf("%.1f MiB", float64(n)/mib)
	case n >= kib:
		return fmt.Sprintf("%.1f KiB", float64(n)/kib)
	}
	return fmt.Sprintf("%d B", n)
}

// asks is run for a job that asks.
func (f *feature) asks(ctx context.Context, d *Drain) runner.End {
	again, err := f.ask(ctx, d)
	switch {
	case ctx.Err() != nil, errors.Is(err, errMoved):
		return runner.End{State: store.JobQueued, Uncounted: true}
	case err != nil:
		return runner.End{State: store.JobQueued, Uncounted: true, After: lookEvery, Err: err}
	case again < 0:
		return runner.End{State: store.JobSucceeded}
	}
	return runner.End{State: store.JobQueued, Uncounted: true, After: again}
}

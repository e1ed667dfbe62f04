// Package lock lets people hold a target, with a reason and until a time: nobody
// else deploys there meanwhile. Run locks, which jobs hold, are not its business.
package lock

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// usual is how long a lock holds unless its owner says otherwise.
const usual = 8 * time.Hour

// longest keeps a slip of the hand from holding a target for years.
const longest = 30 * 24 * time.Hour

const card = "hold"

// Deps are what the feature works with.
type Deps struct {
	Store   *store.Store
	Clock   clock.Clock
	Log     *slog.Logger
	Catalog func() *integrations.Catalog
}

type feature struct{ Deps }

// New is the feature.
func New(d Deps) commands.Feature {
	f := &feature{d}
	return commands.Feature{
		Name:  "lock",
		Verbs: []commands.Verb{f.lockVerb(), f.unlockVerb(), f.locksVerb()},
		// The gates read the clock themselves; this only tidies up, and says so.
		Ticks: []commands.Tick{{Name: "expire locks", Every: 5 * time.Minute, Run: f.expire}},
		Cards: map[string]tell.Card{card: f.card},
	}
}

func (f *feature) lockVerb() commands.Verb {
	return commands.Verb{
		Name: "lock", Aliases: []string{"hold"}, Summary: "Keep everybody else from deploying somewhere, for a reason", Effect: commands.Changes,
		Args: []commands.Arg{
			{Name: "target", Kind: commands.ArgTarget, Help: "service/environment, or a target"},
			{Name: "reason", Kind: commands.ArgText, Help: "why; everybody who is stopped will read it"},
		},
		Flags:    []commands.Arg{{Name: "for", Kind: commands.ArgDuration, Optional: true, Default: "8h0m0s", Help: "how long"}},
		Examples: []string{`lock {service}/{environment} "database migration" --for 2h`},
		Detail:   "Your own deploys still pass. Locking again changes the reason and the time. It expires by itself.",
		Decide: func(_ context.Context, c *commands.Call) (commands.Act, error) {
			return func(tx *store.Tx) (commands.Reply, error) { return f.lock(tx, c) }, nil
		},
	}
}

// scope reads "web/production" as a service in an environment where it is one,
// else as a target.
func scope(cat *integrations.Catalog, name string) (store.Hold, bool) {
	if service, env, ok := strings.Cut(name, "/"); ok {
		s, okS := cat.Service(service)
		e, okE := cat.Environment(env)
		if _, runs := s.Environments[e.Name]; okS && okE && runs {
			return store.Hold{Kind: "hold", Service: s.Name, Environment: e.Name}, true
		}
	}
	if t, ok := cat.Target(name); ok {
		return store.Hold{Kind: "hold", Target: t.Name}, true
	}
	return store.Hold{}, false
}

func environment(cat *integrations.Catalog, h store.Hold) string {
	if t, ok := cat.Target(h.Target); ok {
		return t.Environment
	}
	return h.Environment
}

func same(a *store.Hold, b store.Hold) bool {
	return a.Kind == b.Kind && a.Service == b.Service && a.Environment == b.Environment && a.Target == b.Target
}

func (f *feature) lock(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
	want, ok := scope(c.Catalog, c.Arg("target"))
	if !ok {
		return commands.Reply{}, commands.Refuse("unknown_target", fmt.Sprintf("There is no “%s” to lock.", c.Arg("target"))).WithExample("services")
	}
	reply := commands.Reply{Service: want.Service, Environment: environment(c.Catalog, want), Target: want.Target}
	if err := commands.Allow(c, "lock", reply.Environment); err != nil {
		return reply, err
	}
	if strings.TrimSpace(c.Arg("reason")) == "" {
		return reply, commands.Refuse("no_reason", "A lock needs a reason: it is what the people it stops will read.").
			WithExample(fmt.Sprintf("lock %s \"database migration\" --for 2h", gate.Scope(&want)))
	}
	length := usual
	if d := c.Arg("for"); d != "" {
		var err error
		if length, err = time.ParseDuration(d); err != nil || length <= 0 || length > longest {
			return reply, commands.Refuse("bad_duration", fmt.Sprintf("A lock holds for up to 30 days, not for “%s”.", d)).WithExample("lock " + gate.Scope(&want) + " migration --for 2h")
		}
	}
	held, err := f.find(tx, want)
	if err != nil {
		return reply, err
	}
	now := f.Clock.Now()
	if held == nil {
		held = &want
		held.Created, held.Owner, held.Channel = now, gate.ToStore(c.Who), c.Heard.Channel
	} else if !gate.FromStore(held.Owner).Same(c.Who) {
		return reply, f.others(c, held)
	}
	held.Reason, held.Expires = c.Arg("reason"), now.Add(length)
	if held.ID == "" {
		if held.ID, err = tx.NextID("hold"); err != nil {
			return reply, err
		}
	}
	if err := tx.PutHold(held, held.Version); err != nil {
		return reply, err
	}
	reply.Subject = held.ID
	if err := f.mark(tx, held); err != nil {
		return reply, err
	}
	return reply, tell.Open(tx, store.Surface{ID: tell.ID("slack.message", held.ID), Place: "slack.message", Card: card, Subject: held.ID, Where: map[string]string{"channel": c.Heard.Channel}})
}

// find is the live hold of exactly this scope.
func (f *feature) find(tx *store.Tx, want store.Hold) (*store.Hold, error) {
	all, err := tx.Holds()
	if err != nil {
		return nil, err
	}
	for _, h := range all {
		if same(h, want) && f.Clock.Now().Before(h.Expires) {
			return h, nil
		}
	}
	return nil, nil
}

// others refuses whoever does not own a lock, and says what they can do.
func (f *feature) others(c *commands.Call, h *store.Hold) error {
	owner := gate.FromStore(h.Owner).Display()
	r := commands.Refuse("held", fmt.Sprintf("%s is locked by %s for %s: “%s”, until %s.", gate.Scope(h), owner,
		gate.Age(f.Clock.Now().Sub(h.Created)), h.Reason, h.Expires.UTC().Format("2006-01-02 15:04 MST"))).
		WithHint(fmt.Sprintf("Ask %s to release it, or wait until it expires.", owner)).WithExample("locks")
	if c.Catalog.May(c.Who, "unlock-other", environment(c.Catalog, *h)) {
		r.Hint = fmt.Sprintf("Ask %s first; you may release it for them.", owner)
		r = r.WithExample("unlock " + gate.Scope(h))
	}
	return r
}

func (f *feature) unlockVerb() commands.Verb {
	return commands.Verb{
		Name: "unlock", Aliases: []string{"release-lock"}, Summary: "Release a lock", Effect: commands.Changes, Right: "lock",
		Args:     []commands.Arg{{Name: "target", Kind: commands.ArgTarget, Help: "what was locked"}},
		Examples: []string{"unlock {service}/{environment}"},
		Detail:   "Yours, or with the right unlock-other somebody else's. What waited for it is named and does not start by itself.",
		Decide: func(_ context.Context, c *commands.Call) (commands.Act, error) {
			return func(tx *store.Tx) (commands.Reply, error) { return f.unlock(tx, c) }, nil
		},
	}
}

func (f *feature) unlock(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
	want, ok := scope(c.Catalog, c.Arg("target"))
	if !ok {
		return commands.Reply{}, commands.Refuse("unknown_target", fmt.Sprintf("There is no “%s” to unlock.", c.Arg("target"))).WithExample("locks")
	}
	reply := commands.Reply{Service: want.Service, Environment: environment(c.Catalog, want), Target: want.Target}
	h, err := f.find(tx, want)
	if err != nil {
		return reply, err
	}
	if h == nil {
		return reply, commands.Refuse("not_locked", gate.Scope(&want)+" is not locked.").WithExample("locks")
	}
	reply.Subject = h.ID
	if c.Version != 0 && c.Version != h.Version {
		return reply, commands.Refuse("stale", "This button belongs to an earlier lock: "+gate.Scope(h)+" was locked again since.").WithExample("locks")
	}
	mine := gate.FromStore(h.Owner).Same(c.Who)
	if !mine && !c.Catalog.May(c.Who, "unlock-other", reply.Environment) {
		return reply, f.others(c, h)
	}
	if err := f.end(tx, h, "released by "+c.Who.Display()); err != nil {
		return reply, err
	}
	waiting, err := f.waiting(tx, h)
	if err != nil {
		return reply, err
	}
	m := released(fmt.Sprintf("%s is unlocked.", gate.Scope(h)), waiting)
	reply.Private = &m
	return reply, nil
}

// released says that a hold is over, and offers what waited for it.
func released(text string, waiting []*store.Job) integrations.Message {
	m := integrations.Message{Text: text}
	var buttons []integrations.Button
	if len(waiting) > 0 {
		m.Text += " These waited for it and do not start by themselves:"
	}
	for _, j := range waiting {
		m.Text += fmt.Sprintf("\n%s of %s (%s)", j.ID, j.Operation, j.Target)
		buttons = append(buttons, integrations.Button{Label: "Retry", Command: "retry " + j.ID})
	}
	m.Blocks = []integrations.Block{{Text: integrations.R(m.Text)}}
	if len(buttons) > 0 {
		m.Blocks = append(m.Blocks, integrations.Block{Buttons: buttons[:min(5, len(buttons))]})
	}
	return m
}

// ended is what is remembered of a hold that is over, for its message.
type ended struct {
	Hold store.Hold `json:"hold"`
	How  string     `json:"how"`
}

const endedFeature = "hold ended"

// expired is how a hold ends that nobody released.
const expired = "expired"

func (f *feature) end(tx *store.Tx, h *store.Hold, how string) error {
	if err := store.Feature[ended](tx, endedFeature).Put(h.ID, ended{Hold: *h, How: how}); err != nil {
		return err
	}
	if err := tx.DeleteHold(h.ID, h.Version); err != nil {
		return err
	}
	if err := f.mark(tx, h); err != nil {
		return err
	}
	return tell.Mark(tx, h.ID, true)
}

// mark has the operations shown anew that a hold keeps waiting, or no longer, and
// the statuses that their merges need.
func (f *feature) mark(tx *store.Tx, h *store.Hold) error {
	live, err := tx.LiveOperations()
	if err != nil {
		return err
	}
	for _, op := range live {
		if !gate.Covers(f.Catalog(), h, op.Service, op.Environment, op.Targets) {
			continue
		}
		if err := tell.Mark(tx, op.ID, true); err != nil {
			return err
		}
		if op.PR == 0 {
			continue
		}
		if err := tell.Mark(tx, tell.PullSubject(op.RepoID, op.PR), true); err != nil {
			return err
		}
	}
	return nil
}

// waiting are the blocked jobs that a hold covers.
func (f *feature) waiting(tx *store.Tx, h *store.Hold) ([]*store.Job, error) {
	live, err := tx.LiveJobs()
	if err != nil {
		return nil, err
	}
	var out []*store.Job
	for _, j := range live {
		t, ok := f.Catalog().Target(j.Target)
		if ok && j.State == store.JobBlocked && gate.Covers(f.Catalog(), h, "", t.Environment, []string{j.Target}) {
			out = append(out, j)
		}
	}
	return out, nil
}

// expire ends the holds whose time is over.
func (f *feature) expire(ctx context.Context) error {
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		all, err := tx.Holds()
		if err != nil {
			return err
		}
		for _, h := range all {
			if !h.Over(f.Clock.Now()) {
				continue
			}
			if err := f.end(tx, h, expired); err != nil {
				return err
			}
			err := tx.Audit(store.AuditRow{Who: h.Owner, Act: "lock expired", Subject: h.ID, Service: h.Service, Environment: h.Environment, Target: h.Target, Outcome: "done", Via: "clock"})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// card is the message of one hold, edited when it is over.
func (f *feature) card(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	if over, ok, err := store.Feature[ended](tx, endedFeature).Get(s.Subject); err != nil || ok {
		how := "was " + over.How
		if over.How == expired {
			how = "has expired"
		}
		text := fmt.Sprintf("🔓 %s is unlocked: the lock of %s (“%s”) %s.", gate.Scope(&over.Hold), gate.FromStore(over.Hold.Owner).Display(), over.Hold.Reason, how)
		if err != nil {
			return integrations.Message{}, err
		}
		if over.How != expired { // whoever released it was told what waits
			return released(text, nil), nil
		}
		waiting, err := f.waiting(tx, &over.Hold)
		return released(text, waiting), err
	}
	h, err := tx.Hold(s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	owner := gate.FromStore(h.Owner)
	until := h.Expires.UTC().Format("2006-01-02 15:04 MST")
	return integrations.Message{
		Text: fmt.Sprintf("%s %s is locked by %s until %s: %s", h.ID, gate.Scope(h), owner.Display(), until, h.Reason),
		Blocks: []integrations.Block{
			{Text: integrations.R("🔒 ", integrations.Bold(gate.Scope(h)), " is locked by ", integrations.Who(owner), " until ", until, ": ", integrations.Italic(h.Reason))},
			{Buttons: []integrations.Button{{Label: "Release", Command: "unlock " + gate.Scope(h), Version: h.Version}}},
		},
	}, nil
}

func (f *feature) locksVerb() commands.Verb {
	return commands.Verb{
		Name: "locks", Summary: "List what is locked, by whom, why and until when", Effect: commands.Reads, Examples: []string{"locks"},
		Decide: func(_ context.Context, c *commands.Call) (commands.Act, error) {
			return func(tx *store.Tx) (commands.Reply, error) { return f.locks(tx) }, nil
		},
	}
}

func (f *feature) locks(tx *store.Tx) (commands.Reply, error) {
	all, err := tx.Holds()
	if err != nil {
		return commands.Reply{}, fmt.Errorf("the locks cannot be read, so everything counts as locked: %w", err)
	}
	runs, err := tx.RunLocks()
	if err != nil {
		return commands.Reply{}, fmt.Errorf("the run locks cannot be read, so every target counts as running: %w", err)
	}
	now := f.Clock.Now()
	var m integrations.Message
	var lines []string
	for _, h := range all {
		if !now.Before(h.Expires) {
			continue
		}
		line := fmt.Sprintf("🔒 %s by %s for %s, until %s: %s", gate.Scope(h), gate.FromStore(h.Owner).Display(), gate.Age(now.Sub(h.Created)), h.Expires.UTC().Format("2006-01-02 15:04 MST"), h.Reason)
		lines = append(lines, line)
		m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R(line)}, integrations.Block{Buttons: []integrations.Button{{Label: "Release", Command: "unlock " + gate.Scope(h), Version: h.Version}}})
	}
	for _, r := range runs {
		line := fmt.Sprintf("🚧 %s is running %s since %s", r.Target, r.Job, gate.Age(now.Sub(r.Since)))
		if j, err := tx.Job(r.Job); err == nil && j.State == store.JobUnknown {
			line = fmt.Sprintf("❓ %s is kept by %s, of which nobody knows how it ended: `/ops resolve %s failed` or its like lets go of it", r.Target, r.Job, r.Job)
		}
		lines = append(lines, line)
		m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R(line)})
	}
	if len(lines) == 0 {
		m.Text = "Nothing is locked."
	} else {
		m.Text = strings.Join(lines, "\n")
	}
	if len(m.Blocks) > 40 {
		m.Blocks = nil
	}
	return commands.Reply{Private: &m}, nil
}

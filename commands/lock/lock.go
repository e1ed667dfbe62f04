package lock

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A sort is one of the two sorts of holds that people take.
type sort struct {
	kind, verb, right string
	usual             time.Duration
}

var (
	aLock   = sort{store.HoldHold, "lock", rightLock, usualLock}
	aFreeze = sort{store.HoldFreeze, "freeze", rightFreeze, usualFreeze}
)

// act makes a verb's Decide of what is done in the transaction alone.
func act(do func(tx *store.Tx, c *commands.Call) (commands.Reply, error)) func(context.Context, *commands.Call) (commands.Act, error) {
	return func(_ context.Context, c *commands.Call) (commands.Act, error) {
		return func(tx *store.Tx) (commands.Reply, error) { return do(tx, c) }, nil
	}
}

func (s sort) args(reader string) []commands.Arg {
	return []commands.Arg{
		{Name: "what", Kind: commands.ArgScope, Help: "web/production, a target, a service, an environment, or everything"},
		{Name: "reason", Kind: commands.ArgText, Help: reader},
	}
}

func (s sort) flags() []commands.Arg {
	return []commands.Arg{
		{Name: "for", Kind: commands.ArgDuration, Optional: true, Help: fmt.Sprintf("how long; %d h unless said", int(s.usual.Hours()))},
		{Name: "link", Kind: commands.ArgWord, Optional: true, Help: "where more is said: a ticket, a thread"},
	}
}

func (f *feature) lockVerb() commands.Verb {
	return commands.Verb{
		Name: "lock", Aliases: []string{"hold"}, Summary: "Keep everybody else from deploying somewhere, for a reason", Effect: commands.Changes, Right: rightLock,
		Args: aLock.args("why; everybody who is stopped will read it"), Flags: aLock.flags(),
		Examples: []string{`lock {service}/{environment} "database migration" --for 2h`, `lock {environment} "load test"`},
		Detail: "What you ask for and merge yourself still passes. Locking again changes the reason, and the time only with --for. " +
			"An hour before it ends you are asked whether to extend it. Others may lock the same beside you; then nobody passes.",
		Decide: act(func(tx *store.Tx, c *commands.Call) (commands.Reply, error) { return f.take(tx, c, aLock) }),
	}
}

func (f *feature) freezeVerb() commands.Verb {
	return commands.Verb{
		Name: "freeze", Summary: "Keep everybody from deploying somewhere, yourself too", Effect: commands.Changes, Right: rightFreeze,
		Args: aFreeze.args("why; everybody who is stopped will read it"), Flags: aFreeze.flags(),
		Examples: []string{`freeze {environment} "the audit runs" --for 8h`, `freeze everything "year end" --for 72h`},
		Detail:   "Nobody passes a freeze, its owner included, except by break-glass. What runs already runs to its end.",
		Decide:   act(func(tx *store.Tx, c *commands.Call) (commands.Reply, error) { return f.take(tx, c, aFreeze) }),
	}
}

// wish is what somebody wants to hold.
type wish struct {
	scope  commands.Scope
	reason string
	length time.Duration // 0: not said
	link   string
}

// wished reads a call and asks whether its person may.
func (f *feature) wished(c *commands.Call, s sort) (wish, error) {
	scope, ok := commands.ScopeOf(c.Catalog, c.Arg("what"))
	if !ok {
		return wish{}, commands.Refuse("unknown_scope", fmt.Sprintf("There is no “%s” to %s.", c.Arg("what"), s.verb)).WithExample("services")
	}
	w := wish{scope: scope, reason: strings.TrimSpace(c.Arg("reason"))}
	if err := commands.AllowAll(c, s.right, scope.Environments(c.Catalog)); err != nil {
		return w, err
	}
	example := fmt.Sprintf("%s %s \"database migration\" --for 2h", s.verb, scope)
	if w.reason == "" {
		return w, commands.Refuse("no_reason", fmt.Sprintf("A %s needs a reason: it is what the people it stops will read.", s.verb)).WithExample(example)
	}
	var err error
	if d := c.Arg("for"); d != "" {
		if w.length, err = length(d); err != nil {
			return w, commands.Refuse("bad_duration", fmt.Sprintf("A %s holds for up to %s, not for “%s”.", s.verb, longestWords, d)).WithExample(example)
		}
	}
	if l := c.Arg("link"); l != "" {
		if !strings.Contains(l, "://") {
			l = "https://" + l // as chat shortens it
		}
		if u, err := url.Parse(l); err != nil || u.Host == "" || !strings.Contains(u.Host, ".") || u.Scheme != "https" && u.Scheme != "http" {
			return w, commands.Refuse("bad_link", fmt.Sprintf("“%s” is no address that people could open.", c.Arg("link"))).WithExample(example + " --link https://tickets.example.com/42")
		}
		w.link = l
	}
	return w, nil
}

func length(d string) (time.Duration, error) {
	l, err := time.ParseDuration(d)
	if err == nil && (l <= 0 || l > longest) {
		err = fmt.Errorf("out of range")
	}
	return l, err
}

// take makes a hold, or changes the one that the same person has of the same.
func (f *feature) take(tx *store.Tx, c *commands.Call, s sort) (commands.Reply, error) {
	w, err := f.wished(c, s)
	reply := where(c.Catalog, w.scope)
	if err != nil {
		return reply, err
	}
	all, err := f.live(tx)
	if err != nil {
		return reply, err
	}
	for _, h := range all {
		if h.Kind == s.kind && !h.Stop && scopeOf(f.Catalog(), h) == w.scope && mine(h, c.Who) {
			reply.Subject = h.ID
			reply.Private, err = f.again(tx, c, h, w)
			return reply, err
		}
	}
	now := f.Clock.Now()
	if w.length == 0 {
		w.length = s.usual
	}
	h := &store.Hold{Kind: s.kind, Service: w.scope.Service, Environment: w.scope.Environment, Target: w.scope.Target, Owner: gate.ToStore(c.Who),
		Reason: w.reason, Link: w.link, Channel: c.Heard.Channel, Created: now, Expires: now.Add(w.length)}
	if h.Target == "" {
		h.Targets = gate.TargetsOf(c.Catalog, h)
	}
	if err := f.begin(tx, c, h); err != nil {
		return reply, err
	}
	reply.Subject = h.ID
	reply.Private, err = f.tooHeld(tx, c, h)
	return reply, err
}

// begin writes a new hold and opens its messages.
func (f *feature) begin(tx *store.Tx, c *commands.Call, h *store.Hold) error {
	if err := tx.PutHold(h, 0); err != nil {
		return err
	}
	for i, room := range f.rooms(c.Catalog, h, c.Heard) {
		id := tell.ID(placeMessage, h.ID)
		if i > 0 {
			id = tell.ID(placeMessage, h.ID, room)
		}
		if err := tell.Open(tx, store.Surface{ID: id, Place: placeMessage, Card: cardHold, Subject: h.ID, Where: map[string]string{"channel": room}}); err != nil {
			return err
		}
	}
	return f.mark(tx, h)
}

// again is the same said again by the owner: the reason changes, and the time
// only where it is said; a slip of Enter prolongs nothing.
func (f *feature) again(tx *store.Tx, c *commands.Call, h *store.Hold, w wish) (*integrations.Message, error) {
	was := *h
	h.Reason = w.reason
	if w.link != "" {
		h.Link = w.link
	}
	if w.length > 0 {
		h.Expires, h.Nagged = f.Clock.Now().Add(w.length), time.Time{}
	}
	if h.Reason == was.Reason && h.Link == was.Link && h.Expires.Equal(was.Expires) {
		return say(fmt.Sprintf("You hold that already: %s.", f.sentence(h))), nil
	}
	if err := tx.PutHold(h, h.Version); err != nil {
		return nil, err
	}
	return say(fmt.Sprintf("Changed: %s by you%s: “%s” (%s).", what(h), until(h, " until "), h.Reason, h.ID)), f.mark(tx, h)
}

// tooHeld says who else holds something of what was just taken; nil if nobody.
func (f *feature) tooHeld(tx *store.Tx, c *commands.Call, h *store.Hold) (*integrations.Message, error) {
	others, err := f.beside(tx, c.Catalog, h)
	if err != nil || len(others) == 0 {
		return nil, err
	}
	text := fmt.Sprintf("You hold %s now (%s), and you are not the only one:", gate.Scope(h), h.ID)
	foreign := false
	for _, o := range others {
		text += "\n" + f.sentence(o)
		foreign = foreign || o.Kind == store.HoldHold && !mine(o, c.Who)
	}
	if h.Kind == store.HoldHold && foreign {
		text += "\nYour own deploys wait for those, and theirs wait for you."
	}
	return say(text, f.waysPast(c, others...)...), nil
}

// waysPast are the buttons for somebody whom holds are in the way of.
func (f *feature) waysPast(c *commands.Call, holds ...*store.Hold) []integrations.Button {
	force := true
	for _, h := range holds {
		for _, env := range scopeOf(f.Catalog(), h).Environments(c.Catalog) {
			force = force && c.Catalog.May(c.Who, rightForce, env)
		}
	}
	return gate.WaysPast(c.Who, force, holds...)
}

// mark has everything shown anew that a change of a hold shows in: its own
// messages, those of others on the same, those of ended ones that ask about what
// it keeps waiting, and that itself.
func (f *feature) mark(tx *store.Tx, h *store.Hold) error {
	if err := tell.Mark(tx, h.ID, true); err != nil {
		return err
	}
	all, err := tx.Holds()
	if err != nil {
		return err
	}
	for _, o := range all {
		if o.ID != h.ID && scopeOf(f.Catalog(), o) == scopeOf(f.Catalog(), h) {
			if err := tell.Mark(tx, o.ID, false); err != nil {
				return err
			}
		}
	}
	if err := errors.Join(f.markAsking(tx), f.markCause(tx, h)); err != nil {
		return err
	}
	ops, err := tx.LiveOperations()
	if err != nil {
		return err
	}
	for _, op := range ops {
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

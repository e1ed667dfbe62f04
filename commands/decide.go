package commands

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A verdict is what is to be made of an event, before its transaction.
type verdict struct {
	outcome string
	call    *Call
	act     Act
	refusal *Refusal
	failure error // told to the person; nothing was done
	reply   Reply
	notes   []string
	kept    bool // not decided now, but by the next process
}

// decide works out what an event means and makes it so. An error means that the
// event is not decided and is to be tried again.
func (d *Dispatcher) decide(ctx context.Context, it *item) error {
	switch {
	case it.err != nil:
		d.Log.Error("an event cannot be read", "event", it.event.Seq, "kind", it.event.Kind, "error", it.err)
		return d.settle(ctx, it, verdict{outcome: "error: " + it.err.Error()})
	case it.heard == nil:
		return d.happen(ctx, it)
	}
	v, err := d.hear(ctx, it)
	switch {
	case err != nil:
		return d.fail(ctx, it, v, err)
	case v.kept:
		return d.keep(ctx, it)
	}
	return d.carryOut(ctx, it, v)
}

// carryOut commits a verdict. What the act says against it becomes an answer.
func (d *Dispatcher) carryOut(ctx context.Context, it *item, v verdict) error {
	err := d.settle(ctx, it, v)
	var acted *actError
	var panicked *store.PanicError
	switch {
	case errors.As(err, &acted):
		return d.fail(ctx, it, v, acted.err)
	case errors.As(err, &panicked) && v.act != nil:
		return d.fail(ctx, it, v, &panicError{panicked.Value, panicked.Stack})
	}
	return err
}

// fail answers an error of a decision, or returns it if another try may help.
func (d *Dispatcher) fail(ctx context.Context, it *item, v verdict, err error) error {
	if ctx.Err() != nil {
		return err
	}
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal):
		return d.settle(ctx, it, verdict{call: v.call, refusal: refusal})
	case transient(err) && it.tried < tries:
		return err
	}
	if silent := (*integrations.Away)(nil); errors.As(err, &silent) {
		return d.settle(ctx, it, verdict{call: v.call, refusal: awayRefusal(v.call, silent)})
	}
	var stack string
	if p := new(panicError); errors.As(err, &p) {
		stack = string(p.stack)
	}
	d.Log.Error("a command went wrong", "event", it.event.Seq, "verb", v.call.Verb.Name, "error", err, "stack", stack)
	return d.settle(ctx, it, verdict{call: v.call, failure: err})
}

// transient says whether the same may work a moment later.
func transient(err error) bool {
	var t interface{ Timeout() bool }
	var later *integrations.Later
	return errors.Is(err, store.ErrConflict) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &later) || errors.As(err, &t) && t.Timeout()
}

// An actError is what an act returned, as opposed to the store around it.
type actError struct{ err error }

func (e *actError) Error() string { return e.err.Error() }
func (e *actError) Unwrap() error { return e.err }

// settle is the one transaction of a decision: what the act changes, the
// outcome, the audit row and the answer stand or fall together.
func (d *Dispatcher) settle(ctx context.Context, it *item, v verdict) error {
	return d.update(ctx, it, func(tx *store.Tx) error {
		reply, outcome := v.reply, v.outcome
		switch {
		case v.refusal != nil:
			m := refusalMessage(v.refusal, it.heard)
			reply, outcome = Reply{Private: &m}, "refused: "+v.refusal.Code
		case v.failure != nil:
			m := failureMessage(v.call, v.failure)
			reply, outcome = Reply{Private: &m}, "error: "+v.failure.Error()
		case v.act != nil:
			first, err := double(tx, it, v.call)
			if err != nil {
				return err
			}
			if first != nil {
				m := first.message(tx.Now())
				reply, outcome = Reply{Private: &m, Subject: first.Subject}, "double"
				break
			}
			if reply, err = v.act(tx); err != nil {
				return &actError{err}
			}
			if outcome = reply.Outcome; outcome == "" {
				outcome = "done"
			}
			if err := remember(tx, it, v.call, reply.Subject); err != nil {
				return err
			}
		}
		if err := tx.Decide(it.event.Seq, outcome); err != nil {
			return err
		}
		if err := tx.DeleteSurface(keptID(it.event.Seq)); err != nil {
			return err
		}
		if err := record(tx, it, v, reply, outcome); err != nil {
			return err
		}
		return answerWith(tx, it, reply, v.notes)
	})
}

// update is a transaction that decides an event. If the event turns out to be
// decided (the answer of an earlier commit was lost), nothing is done again.
func (d *Dispatcher) update(ctx context.Context, it *item, fn func(tx *store.Tx) error) error {
	decided := false
	err := d.Store.Update(ctx, func(tx *store.Tx) error {
		e, err := tx.Event(it.event.Seq)
		if err != nil {
			return err
		}
		if decided = !e.Decided.IsZero(); decided {
			return nil
		}
		return fn(tx)
	})
	if decided {
		d.Log.Warn("an event was decided before", "event", it.event.Seq)
	}
	return err
}

// record writes the audit row: of every change, and of every refusal.
func record(tx *store.Tx, it *item, v verdict, reply Reply, outcome string) error {
	if v.call == nil || it.heard == nil {
		return nil
	}
	changed := v.call.Verb.Effect == Changes && v.act != nil
	if !changed && v.refusal == nil && v.failure == nil {
		return nil
	}
	row := store.AuditRow{
		At: tx.Now(), Who: who(v.call.Who), Act: "command", Via: via(it.heard),
		Subject: reply.Subject, Service: reply.Service, Environment: reply.Environment, Target: reply.Target,
		Outcome: outcome, Detail: v.call.Line,
	}
	if v.call.Verb.Name != "" {
		row.Act = v.call.Verb.Name
		if v.act != nil {
			row.Detail = Render(v.call)
		}
	}
	if row.Via == "host" && !v.call.Who.Linked() { // a row's person has no name on the host
		row.Detail = it.heard.User + ": " + row.Detail
	}
	if reply.Service+reply.Environment+reply.Target == "" {
		place(&row, v.call)
	}
	return tx.Audit(row)
}

// via names the door that somebody was heard at.
func via(h *integrations.Heard) string {
	if h.Kind == heardHost {
		return "host"
	}
	return "slack"
}

// Via is the door that a call came through, as the audit names it: "host" or "slack".
func (c *Call) Via() string { return via(&c.Heard) }

// place says in a row where something was asked for that no act has answered, by
// the arguments of the call: a refusal is looked for where it would have happened.
func place(row *store.AuditRow, c *Call) {
	if c.Verb.Name == "" {
		return
	}
	row.Environment = EnvironmentOf(c)
	for _, a := range slices.Concat(c.Verb.Args, c.Verb.Flags) {
		value := c.Args[a.Name]
		switch {
		case value == "":
		case a.Kind == ArgService:
			row.Service = value
		case a.Kind == ArgScope, a.Kind == ArgHold:
			if s, ok := ScopeOf(c.Catalog, value); ok {
				row.Service, row.Environment, row.Target = s.Service, s.Environment, s.Target
			}
			if t, ok := c.Catalog.Target(row.Target); ok {
				row.Environment = t.Environment
			}
		case a.Kind == ArgTarget:
			if t, ok := c.Catalog.Target(value); ok {
				row.Target = t.Name
			} else {
				row.Service, _, _ = strings.Cut(value, "/")
			}
		}
	}
}

func who(p integrations.Person) store.Person {
	return store.Person{Name: p.Name, Slack: p.Slack, GitHub: p.GitHub}
}

// happen lets the handlers decide on an outside event.
func (d *Dispatcher) happen(ctx context.Context, it *item) (err error) {
	handlers := d.handlers(it.event.Kind)
	if len(handlers) == 0 {
		return d.settle(ctx, it, verdict{outcome: "ignored: nothing handles it"})
	}
	h := Happening{Event: it.event.Seq, Kind: it.event.Kind, Forge: it.forge, Catalog: d.Catalog()}
	if it.forge == nil {
		h.Body = it.event.Body
	}
	var acts []Act
	for _, handle := range handlers {
		act, err := d.handle(ctx, handle, h)
		var panicked *panicError
		switch {
		case errors.As(err, &panicked) && it.tried >= tries:
			d.Log.Error("a handler panicked and its event is given up", "event", it.event.Seq, "kind", it.event.Kind, "error", err, "stack", string(panicked.stack))
			return d.settle(ctx, it, verdict{outcome: "error: " + err.Error()})
		case err != nil:
			return err
		case act != nil:
			acts = append(acts, act)
		}
	}
	err = d.update(ctx, it, func(tx *store.Tx) error {
		for _, act := range acts {
			reply, err := act(tx)
			if err != nil {
				return err
			}
			if err := recordHappening(tx, it, h, reply); err != nil {
				return err
			}
		}
		return tx.Decide(it.event.Seq, "done")
	})
	var panicked *store.PanicError
	if errors.As(err, &panicked) && it.tried >= tries {
		d.Log.Error("a handler's act panicked and its event is given up", "event", it.event.Seq, "kind", it.event.Kind, "error", err, "stack", string(panicked.Stack))
		return d.settle(ctx, it, verdict{outcome: "error: " + err.Error()})
	}
	return err
}

func recordHappening(tx *store.Tx, it *item, h Happening, reply Reply) error {
	if reply.Subject == "" && reply.Target == "" && reply.Outcome == "" {
		return nil
	}
	via, _, _ := strings.Cut(it.event.Kind, ".")
	row := store.AuditRow{
		At: tx.Now(), Act: it.event.Kind, Via: via,
		Subject: reply.Subject, Service: reply.Service, Environment: reply.Environment, Target: reply.Target,
		Outcome: reply.Outcome,
	}
	if row.Outcome == "" {
		row.Outcome = "done"
	}
	if h.Forge != nil {
		row.Who = who(h.Catalog.PersonByGitHub(h.Forge.Sender))
	}
	return tx.Audit(row)
}

// handlers are those whose kinds begin that of an event, in a fixed order.
func (d *Dispatcher) handlers(kind string) []Handler {
	var out []Handler
	for _, prefix := range slices.Sorted(maps.Keys(d.Events)) {
		if strings.HasPrefix(kind, prefix) {
			out = append(out, d.Events[prefix]...)
		}
	}
	return out
}

// A panicError is a panic of a feature, caught.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

func caught(err *error) {
	if v := recover(); v != nil {
		*err = &panicError{v, debug.Stack()}
	}
}

func (d *Dispatcher) handle(ctx context.Context, handle Handler, h Happening) (act Act, err error) {
	ctx, cancel := context.WithTimeout(ctx, handlerWait)
	defer cancel()
	defer caught(&err)
	return handle(ctx, h)
}

func (d *Dispatcher) ask(ctx context.Context, c *Call) (act Act, err error) {
	ctx, cancel := context.WithTimeout(ctx, decideWait)
	defer cancel()
	defer caught(&err)
	if act, err = c.Verb.Decide(ctx, c); err == nil && act == nil {
		act = func(*store.Tx) (Reply, error) { return Reply{}, nil }
	}
	return act, err
}

package drain

import (
	"fmt"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/store"
)

// What people decide about a drain that is held.

func (f *feature) retryVerb() commands.Verb {
	return commands.Verb{
		Name: "drain-retry", Summary: "Let a drain that is held try again", Effect: commands.Changes, Right: right, Hidden: true,
		Args: []commands.Arg{{Name: "drain", Kind: commands.ArgWord, Help: "drain-3"}}, Examples: []string{"drain-retry drain-3"},
		Decide: f.on(f.retry),
	}
}

func (f *feature) retry(tx *store.Tx, _ *commands.Call, d *Drain) (commands.Reply, error) {
	reply := commands.Reply{Subject: d.ID}
	if d.State != stateHold {
		return reply, commands.Refuse("not_held", fmt.Sprintf("%s is %s: there is nothing to try again.", d.ID, word(d.State))).WithExample("drains")
	}
	reply.Private = say(fmt.Sprintf("Trying again: %s is %s.", d.machine(), word(d.Held)))
	return reply, f.setOut(tx, d, d.Held)
}

func (f *feature) overrideVerb() commands.Verb {
	return commands.Verb{
		Name: "drain-override", Summary: "Accept that logs of an instance may be lost", Effect: commands.Changes, Right: right, Hidden: true,
		Who:      "somebody else than whoever asked for the drain",
		Args:     []commands.Arg{{Name: "drain", Kind: commands.ArgWord, Help: "drain-3"}, {Name: "reason", Kind: commands.ArgText, Help: "why the loss is accepted"}},
		Examples: []string{`drain-override drain-3 "its disk is broken"`},
		Decide:   f.on(f.override),
	}
}

func (f *feature) override(tx *store.Tx, c *commands.Call, d *Drain) (commands.Reply, error) {
	reply := commands.Reply{Subject: d.ID}
	reason := strings.TrimSpace(c.Arg("reason"))
	switch {
	case d.State != stateHold || d.Held != stateFlush:
		return reply, commands.Refuse("not_held", fmt.Sprintf("%s is not held for its logs: it is %s.", d.ID, word(d.State))).WithExample("drains")
	case reason == "":
		return reply, commands.Refuse("no_reason", "Why is the loss accepted?").WithExample(`drain-override ` + d.ID + ` "its disk is broken"`)
	case c.Who.Same(gate.FromStore(d.By)):
		return reply, commands.Refuse("second_person", fmt.Sprintf("You asked for %s, so somebody else has to accept that its logs may be lost.", d.ID)).WithExample("undrain " + d.ID)
	}
	d.Override = &Override{By: gate.ToStore(c.Who), At: tx.Now(), Reason: reason}
	reply.Private = say(fmt.Sprintf("Accepted: the logs of %s that are not shipped may be lost.", d.machine()))
	if err := f.setOut(tx, d, stateTerminate); err != nil {
		return reply, err
	}
	return reply, auditBy(tx, c, d, "log loss accepted", reason)
}

func (f *feature) unwatchedVerb() commands.Verb {
	return commands.Verb{
		Name: "drain-unwatched", Summary: "Go on with a drain whose monitoring cannot be told of it", Effect: commands.Changes, Right: right, Hidden: true,
		Who:  "whoever asked for the drain",
		Args: []commands.Arg{{Name: "drain", Kind: commands.ArgWord, Help: "drain-3"}}, Examples: []string{"drain-unwatched drain-3"},
		Detail: "Its alerts may call people while it is drained. Its host is retired when it has ended, if the monitoring answers by then.",
		Decide: f.on(f.unwatched),
	}
}

// unwatched goes on without what watches it: whoever asked knows whom it would call.
func (f *feature) unwatched(tx *store.Tx, c *commands.Call, d *Drain) (commands.Reply, error) {
	reply := commands.Reply{Subject: d.ID}
	switch {
	case !d.blocked():
		return reply, commands.Refuse("not_blocked", fmt.Sprintf("%s does not wait for its monitoring: it is %s.", d.ID, word(d.State))).WithExample("drains")
	case !c.Who.Same(gate.FromStore(d.By)):
		return reply, commands.Refuse("asker", fmt.Sprintf("%s asked for %s, and has to say that it goes on without its monitoring.", gate.FromStore(d.By).Display(), d.ID)).
			WithHint("Put it back and drain it yourself, or ask them.").WithExample("undrain " + d.ID)
	}
	why := d.Mute
	d.Without, d.Mute = &Word{By: gate.ToStore(c.Who), At: tx.Now(), Why: why}, ""
	reply.Private = say(fmt.Sprintf("%s goes on without its monitoring: alerts of %s may call people.", d.ID, d.machine()))
	do := func() error { return put(tx, d, true) }
	if d.State == stateHold {
		do = func() error { return f.setOut(tx, d, d.Held) }
	}
	if err := do(); err != nil {
		return reply, err
	}
	return reply, auditBy(tx, c, d, "without its monitoring", why)
}

// blocked says whether it cannot begin because what watches it cannot be told.
func (d *Drain) blocked() bool {
	return d.Mute != "" && (d.State == stateMark || d.State == stateHold && d.Held == stateMark)
}

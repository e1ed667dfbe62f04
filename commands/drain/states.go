package drain

import (
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// The states of a drain, in the words of facts/aws.md 1.3.
const (
	statePlanned   = "planned" // waits for its confirmation
	statePlan      = "plan"
	stateMark      = "mark"
	stateLeave     = "leave_lb"
	stateWait      = "wait_lb"
	stateTasks     = "drain_tasks"
	stateStop      = "stop_app"
	stateFlush     = "flush"
	stateTerminate = "terminate"
	stateVerify    = "verify"
	stateDone      = "done"
	stateOut       = "out"  // taken out, and kept
	stateHold      = "hold" // a person decides
	// Going back.
	stateStart   = "start_app"
	stateLetIn   = "activate_tasks"
	stateJoin    = "join_lb"
	stateHealthy = "wait_healthy"
	stateUnmark  = "unmark"
	stateUndone  = "undone"
	// Other ends.
	stateRefused = "refused" // nothing was changed
	stateForget  = "forget"  // somebody else ended the instance, and its monitoring is told
	stateGone    = "gone"    // and that is over
	stateExpired = "expired" // nobody confirmed it
)

// state is one row of the table.
type state struct {
	word  string // what people read
	limit func(d *Drain, r Role) time.Duration
	// do looks, changes what is not so yet, and says whether all is as it should be.
	do   func(s *stepper) (done bool, err error)
	next func(d *Drain) string
	back bool // it is not on the way out, and can not be turned round
}

func after(limit time.Duration) func(*Drain, Role) time.Duration {
	return func(*Drain, Role) time.Duration { return limit }
}

func then(next string) func(*Drain) string { return func(*Drain) string { return next } }

// The limits are those of facts/aws.md 1.3.
const (
	planLimit   = time.Minute
	rollLimit   = 15 * time.Minute // the next of a role waits for the one before it to be replaced
	waitMargin  = 30 * time.Second
	nlbSettle   = 3 * time.Minute // a network load balancer sends new connections for two more
	flushLimit  = 15 * time.Minute
	stopLimit   = 2 * time.Minute
	endLimit    = 10 * time.Minute
	backLimit   = 10 * time.Minute
	scriptLimit = time.Minute
	lookEvery   = 5 * time.Second
)

// steps is the table; the rows that are not in it are ends, or wait for a person.
// It is a function because the rows refer to it.
func steps() map[string]state {
	return map[string]state{
		statePlan:  {word: "planned", limit: limitPlan, do: (*stepper).plan, next: then(stateMark)},
		stateMark:  {word: "being marked", limit: after(30 * time.Second), do: (*stepper).mark, next: then(stateLeave)},
		stateLeave: {word: "leaving its load balancers", limit: after(time.Minute), do: (*stepper).leave, next: then(stateWait)},
		stateWait: {word: "waiting for its load balancers", limit: limitWait, do: (*stepper).wait, next: func(d *Drain) string {
			if d.Plan.Cluster != "" {
				return stateTasks
			}
			return outside(d)
		}},
		stateTasks:     {word: "moving its tasks", limit: after(tasksLimit), do: (*stepper).moveTasks, next: outside},
		stateStop:      {word: "stopping its application", limit: after(stopLimit), do: (*stepper).stop, next: then(stateFlush)},
		stateFlush:     {word: "shipping its logs", limit: after(flushLimit), do: (*stepper).flush, next: then(stateTerminate)},
		stateTerminate: {word: "being terminated", limit: limitEnd, do: (*stepper).terminate, next: then(stateVerify)},
		stateVerify:    {word: "being replaced", limit: after(endLimit), do: (*stepper).verify, next: then(stateDone)},

		stateStart: {word: "starting its application again", limit: after(stopLimit), do: (*stepper).start, back: true, next: func(d *Drain) string {
			if d.Emptied {
				return stateLetIn
			}
			return stateJoin
		}},
		stateLetIn:   {word: "letting tasks run on it again", limit: after(stopLimit), do: (*stepper).activate, next: then(stateJoin), back: true},
		stateJoin:    {word: "going back into its load balancers", limit: after(backLimit), do: (*stepper).join, next: then(stateHealthy), back: true},
		stateHealthy: {word: "waiting to be healthy", limit: after(backLimit), do: (*stepper).healthy, next: then(stateUnmark), back: true},
		stateForget:  {word: "gone, and being taken from its monitoring", limit: after(endLimit), do: (*stepper).forget, next: then(stateGone), back: true},
		stateUnmark:  {word: "getting its tags back", limit: after(30 * time.Second), do: (*stepper).unmark, next: then(stateUndone), back: true},
	}
}

// outside is where one goes on that gets nothing to do any more.
func outside(d *Drain) string {
	if d.Keep {
		return stateOut
	}
	return stateStop
}

// ends are the words of the states that are none of the table.
var ends = map[string]string{
	statePlanned: "waiting for a confirmation", stateDone: "done", stateOut: "out and kept", stateHold: "held", stateUndone: "undone",
	stateRefused: "refused", stateGone: "gone", stateExpired: "expired",
}

// word is what people read of a state.
func word(name string) string {
	if s, ok := steps()[name]; ok {
		return s.word
	}
	return ends[name]
}

func limitPlan(d *Drain, _ Role) time.Duration {
	if d.Roll != "" {
		return rollLimit
	}
	return planLimit
}

// limitWait is the longest that a pool lets connections end, and a margin.
func limitWait(d *Drain, _ Role) time.Duration {
	longest := time.Duration(0)
	for _, p := range d.Plan.Pools {
		wait := p.Delay
		if p.Kind == integrations.PoolNLB {
			wait = max(wait, nlbSettle)
		}
		longest = max(longest, wait)
	}
	return max(longest, time.Minute) + waitMargin
}

func limitEnd(d *Drain, _ Role) time.Duration { return endLimit + d.Plan.HookTimeout }

// wayBack is where going back begins.
func wayBack(d *Drain) string {
	switch {
	case d.Stopped:
		return stateStart
	case d.Emptied:
		return stateLetIn
	case d.Left:
		return stateJoin
	case d.marked():
		return stateUnmark
	}
	return stateUndone
}

// mayGoBack says whether an instance can still be kept: until its termination was begun.
func mayGoBack(d *Drain) bool {
	at := d.State
	if at == stateHold {
		at = d.Held
	}
	switch at {
	case stateVerify:
		return false
	case stateTerminate:
		return d.Intent.IsZero()
	}
	return !d.over() && !steps()[at].back
}

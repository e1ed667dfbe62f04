package birth

import "time"

// The states of a birth.
const (
	stateMark    = "mark"
	stateReach   = "reach"
	stateSteps   = "steps"
	stateEnter   = "enter"
	stateWorking = "working"
	stateDone    = "done"

	stateFailed = "failed" // a person decides
	stateEnd    = "end"    // a person has it ended

	// Other ends.
	stateGone = "gone" // the instance is not there any more
	stateLeft = "left" // somebody else says what it is
)

// state is one row of the table.
type state struct {
	word  string // what people read
	limit func(b *Birth) time.Duration
	// do looks, changes what is not so yet, and says whether all is as it should be.
	do   func(s *stepper) (done bool, err error)
	next string
}

func after(limit time.Duration) func(*Birth) time.Duration {
	return func(*Birth) time.Duration { return limit }
}

const (
	markLimit    = 10 * time.Minute
	monitorWait  = 3 * time.Minute // for its host to come into the monitoring
	reachLimit   = 10 * time.Minute
	enterLimit   = 15 * time.Minute
	workingLimit = 10 * time.Minute
	endLimit     = 10 * time.Minute
	delivery     = 2 * time.Minute // of a script, and to be told of its end
	lookEvery    = 5 * time.Second
	tries        = 3                // of a step that nobody can tell about
	changeShows  = 30 * time.Second // until a read shows what was told
)

// steps is the table; the rows that are not in it are ends.
func steps() map[string]state {
	return map[string]state{
		stateMark:    {word: "being marked", limit: after(markLimit), do: (*stepper).mark, next: stateReach},
		stateReach:   {word: "waiting for its agent", limit: after(reachLimit), do: (*stepper).reach, next: stateSteps},
		stateSteps:   {word: "running its steps", limit: limitStep, do: (*stepper).steps, next: stateEnter},
		stateEnter:   {word: "being let in", limit: after(enterLimit), do: (*stepper).enter, next: stateWorking},
		stateWorking: {word: "being told to work", limit: after(workingLimit), do: (*stepper).work, next: stateDone},
		stateFailed:  {word: "failed", do: (*stepper).failed},
		stateEnd:     {word: "being ended", limit: after(endLimit), do: (*stepper).end},
	}
}

// ends are the words of the states that are none of the table.
var ends = map[string]string{stateDone: "working", stateGone: "gone", stateLeft: "left to others"}

// word is what people read of a state.
func word(name string) string {
	if s, ok := steps()[name]; ok {
		return s.word
	}
	return ends[name]
}

// limitStep is for the step that goes on, with all its tries.
func limitStep(b *Birth) time.Duration {
	if b.Step >= len(b.Steps) {
		return delivery
	}
	return tries * (b.Steps[b.Step].limit() + 2*delivery)
}

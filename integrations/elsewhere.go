package integrations

// Elsewhere is an Applier that has another machine do its work, the team's CI, and that may
// do it on this one while that cannot be reached: with Run.Here, which a person asks for.
type Elsewhere interface {
	Applier
	// Here is the command that is run then, for people; "" where there is none.
	Here() string
}

// Unreached is the error of such a step when nobody was reached there: nothing was begun. It
// has waited for it as long as it is told to.
type Unreached struct {
	System string // as people call it: "CircleCI"
	Err    error
}

func (e *Unreached) Error() string { return e.Err.Error() }

func (e *Unreached) Unwrap() error { return e.Err }

package integrations

import "github.com/signalbox-chatops/signalbox/integrations/kit/rota"

// The words of a rotation: whoever works out who is on call fills them in; whoever
// asks, posts, draws or exports reads them. They are told in the kit, whose
// calculator of rotations uses them and may not import this package.
type (
	// A Shift is a stretch in which the same people are on call.
	Shift = rota.Shift
	// A Duty is somebody who is on call, and why.
	Duty = rota.Duty
	// An Override changes who is on call for a time.
	Override = rota.Override
)

// Kinds of overrides.
const (
	OverrideTake    = rota.Take
	OverrideReplace = rota.Replace
	OverrideAdd     = rota.Add
	OverrideRemove  = rota.Remove
)

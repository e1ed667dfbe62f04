package integrations

import (
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/rota"
)

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

// Served is who was on call of a schedule in a time.
type Served struct {
	Schedule string
	Zone     *time.Location
	// From and To are the time that is known, Shifts what was in it, gaps too.
	From, To time.Time
	Shifts   []Shift
	// People are those who take turns by the configuration, each once; of a schedule that
	// is kept elsewhere none.
	People []string
	// Changes are what people changed in that time and did not take back: "take", "cover"
	// or "swap" for each.
	Changes []string
}

// A Page is that somebody was called because of something.
type Page struct {
	Person   string
	At       time.Time
	Incident string // its id, "" if it is of none
}

// Kinds of overrides.
const (
	OverrideTake    = rota.Take
	OverrideReplace = rota.Replace
	OverrideAdd     = rota.Add
	OverrideRemove  = rota.Remove
)

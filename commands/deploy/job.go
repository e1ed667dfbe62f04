package deploy

import (
	"encoding/json"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// record is what this feature keeps with a job.
type record struct {
	Plans    integrations.Plans `json:"plans,omitempty"`    // the freshest plan
	Reviewed string             `json:"reviewed,omitempty"` // digest of the plan people saw
	Differs  string             `json:"differs,omitempty"`  // why the fresh plan is not the reviewed one
	Probe    string             `json:"probe,omitempty"`
	Clean    bool               `json:"clean,omitempty"`
	Retry    bool               `json:"retry,omitempty"` // asked for by a person
	Files    []string           `json:"files,omitempty"`
	From     string             `json:"from,omitempty"`
	Branch   string             `json:"branch,omitempty"`
	Made     string             `json:"made,omitempty"`     // the head that was made
	Explicit bool               `json:"explicit,omitempty"` // the merger merged what they themselves asked for
	Channel  string             `json:"channel,omitempty"`
	Self     bool               `json:"self,omitempty"`    // a merge by itself
	Service  string             `json:"service,omitempty"` // a deploy by itself: of what, and where to
	To       string             `json:"to,omitempty"`
	Line     string             `json:"line,omitempty"`
	By       []store.Person     `json:"by,omitempty"` // whose commit it is: who pushed it, who wrote it
	// Revisions are what the steps ran after an apply that came out well, by step.
	Revisions []string  `json:"revisions,omitempty"`
	Direct    *directly `json:"direct,omitempty"`
	Refused   int       `json:"refused,omitempty"`   // merges that GitHub refused
	Left      string    `json:"left,omitempty"`      // by an apply that was cancelled
	Unreached string    `json:"unreached,omitempty"` // the system that a step could not reach, and began nothing
	Here      string    `json:"here,omitempty"`      // by whom it was asked to be done on this machine instead
	Steps     []string  `json:"steps,omitempty"`     // of the target, where there are several
	Step      int       `json:"step,omitempty"`      // which of them is applied, from 0
	Offers    []offered `json:"offers,omitempty"`    // what could be set right
	Mend      *offered  `json:"mend,omitempty"`      // what this job sets right, of the job From
	// Built is what the steps of an apply built, and what came of its tests.
	Built []integrations.Built `json:"built,omitempty"`
}

func recordOf(j *store.Job) record { return decode[record](j.Data) }

func setRecord(j *store.Job, r record) error {
	b, err := json.Marshal(r)
	j.Data = b
	return err
}

// decode reads what this feature itself wrote; what is empty or unreadable is
// the zero value, which every reader treats as "nothing known".
func decode[T any](b json.RawMessage) T {
	var v T
	if len(b) > 0 && json.Unmarshal(b, &v) != nil {
		var zero T
		return zero
	}
	return v
}

package deploy

import (
	"fmt"
	"strconv"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// cardStopped calls a person about an apply that a machine asked to stop.
const cardStopped = "stopped"

// What it calls about.
const (
	stoppedStuck = "stuck"
	stoppedEnded = "ended"
)

// deadline is how long an apply of the job's target may take; 0 is no limit but
// those of its commands. It follows the configuration while the job runs.
func (f *feature) deadline(j *store.Job) time.Duration {
	t, _ := f.Catalog().Target(j.Target)
	return t.Timeout
}

// openStopped calls whoever asked when an apply does not heed that it was asked to
// stop, and when it ended by that and not by its deadline, of which the failure
// tells. What a person stopped, that person knows of.
func (f *feature) openStopped(tx *store.Tx, op *store.Operation, j *store.Job) error {
	about := ""
	switch {
	case op.Channel == "" || j.CancelledBy != nil || j.StopWhy == "":
	case j.Stuck && runner.UnderWay(j):
		about = stoppedStuck
	case j.State == store.JobCancelled:
		about = stoppedEnded
	}
	if about == "" {
		return nil
	}
	return f.raise(tx, op, integrations.EventFailed, store.Surface{
		ID: tell.ID(placeMessage, j.ID, cardStopped, strconv.Itoa(j.Attempt), about), Place: placeMessage, Card: cardStopped, Subject: j.ID,
		Where: map[string]string{"about": about, "attempt": strconv.Itoa(j.Attempt)},
	})
}

func (f *feature) stoppedCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	j, op, err := jobAndOperation(tx, s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	text := integrations.R(integrations.Who(known(f.Catalog(), op.Requester)), ": ", integrations.Bold(j.Target), " ")
	var buttons []integrations.Button
	same := strconv.Itoa(j.Attempt) == s.Where["attempt"]
	switch stuck := s.Where["about"] == stoppedStuck; {
	case stuck && same && runner.UnderWay(j):
		text = integrations.R(text, "does not stop: ", j.Why, ". Wait for it, or Abort: that kills it, and then nobody knows how far it came.")
		buttons = []integrations.Button{{Label: "Abort", Command: "cancel " + j.ID + " --kill", Style: "danger", Confirm: "Kill " + j.ID + " at once? Nobody will know how far it came."}}
	case stuck:
		text = integrations.R(text, fmt.Sprintf("did not stop when it was asked to; since then %s is %s.", j.ID, j.State))
	case same && j.State == store.JobCancelled:
		text = integrations.R(text, "was ", j.Why, ". Retry tries it again.")
	default:
		text = integrations.R(text, fmt.Sprintf("was interrupted; since then %s is %s.", j.ID, j.State))
	}
	m := integrations.Message{Text: op.ID + " " + text.Plain(), Blocks: []integrations.Block{{Text: text}}}
	if len(buttons) > 0 {
		m.Blocks = append(m.Blocks, integrations.Block{Buttons: buttons})
	}
	return m, nil
}

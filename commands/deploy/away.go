package deploy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// While GitHub does not answer, what runs goes on, and what needs it waits and
// says so. Nothing of that is called failed, and it goes on in the order in which
// it was asked for.

// awayNow is an error for facts that could not be read because a system does not
// answer; nil if that was not why.
func awayNow(facts store.Facts) error {
	if facts.Away == "" {
		return nil
	}
	why := slices.Sorted(maps.Values(facts.Unread))
	away := &integrations.Away{System: facts.Away, Err: errors.New(strings.Join(why, "; "))}
	if !facts.AwaySince.IsZero() {
		away.Since, away.For = facts.AwaySince, facts.At.Sub(facts.AwaySince)
	}
	return away
}

// noteAway keeps with facts whose silence they were not read for.
func noteAway(facts *store.Facts, err error) {
	var away *integrations.Away
	if errors.As(err, &away) && facts.Away == "" {
		facts.Away, facts.AwaySince = away.System, away.Since
	}
}

// onlyAway says whether nothing but the silence of a system keeps a merge: its own
// job asks every gate again once that answers.
func onlyAway(facts store.Facts, closed []gate.Closed) bool {
	if facts.Away == "" || len(closed) == 0 {
		return false
	}
	for _, c := range closed {
		if !c.Unread {
			return false
		}
	}
	return true
}

// mergingLater is what somebody hears whose merge waits for GitHub.
func mergingLater(c *commands.Call, op *store.Operation, away string) *integrations.Message {
	return say(fmt.Sprintf("%s does not answer, so %s#%d cannot be merged now. It is merged as soon as it does, if it may be then. `cancel %s` drops that.", away, op.Repo, op.PR, op.ID))
}

// waitingMerge is the job of a merge that waits for a system to answer; nil if there
// is none.
func waitingMerge(tx *store.Tx, op *store.Operation) (*store.Job, error) {
	jobs, err := tx.JobsOf(op.ID)
	for _, j := range jobs {
		if j.Kind == kindMerge && j.State == store.JobQueued && j.Away != "" {
			return j, nil
		}
	}
	return nil, err
}

// dropMerge takes back a merge that waits; the pull request stays open.
func (f *feature) dropMerge(tx *store.Tx, c *commands.Call, op *store.Operation, j *store.Job) (commands.Reply, error) {
	if _, err := f.cancelJob(tx, c, j); err != nil {
		return commands.Reply{}, err
	}
	return commands.Reply{Private: say(fmt.Sprintf("Dropped the merge of %s. Its pull request stays open: to close that too, cancel it once more.", op.ID))}, nil
}

// beginAgain ends an apply that came to a system which does not answer before it
// had changed anything; anything else has failed.
func beginAgain(j *store.Job, err error) runner.End {
	if integrations.AwayOf(err) != "" {
		return again(j, err)
	}
	return runner.Failed(err)
}

// refusals is how often a merge is tried that GitHub refuses: a status that it has
// not seen yet looks like any other refusal.
const refusals = 3

func refusedMerge(j *store.Job, err error) runner.End {
	rec := recordOf(j)
	rec.Refused++
	end := runner.End{State: store.JobFailed, Why: "GitHub does not allow the merge: " + err.Error(), Err: err}
	if rec.Refused < refusals {
		end = again(j, err)
	}
	end.Save = func(_ *store.Tx, j *store.Job) error { return setRecord(j, rec) }
	return end
}

// inOrder lets a merge into a branch wait for the ones that were asked for before
// it and waited for the same silence to end.
func (f *feature) inOrder(tx *store.Tx, j *store.Job, _ any) (runner.Verdict, error) {
	live, err := tx.LiveJobs()
	if err != nil {
		return runner.Go, err
	}
	for _, before := range live {
		if before.Kind != kindMerge || before.RepoID != j.RepoID || before.ID == j.ID || !asked(before, j) {
			continue
		}
		if before.Away != "" || before.State != store.JobQueued && j.Away != "" {
			return runner.Verdict{State: store.JobQueued, Why: before.Operation + " was asked for first, and is merged before it", After: time.Second}, nil
		}
	}
	return runner.Go, nil
}

// asked says whether one job was asked for before another.
func asked(before, j *store.Job) bool {
	if before.Created.Equal(j.Created) {
		return before.Order < j.Order
	}
	return before.Created.Before(j.Created)
}

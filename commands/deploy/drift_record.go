package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A drift can be put on record by a pull request. No machine can write the code
// that matches what somebody changed, and GitHub opens no pull request without a
// change: so it holds a file with what was found, and whoever takes it on pushes
// the code beside it, or closes it when a re-apply has set things right.

// recorded is the pull request that records a drift.
type recorded struct {
	Repo   string       `json:"repo"`
	RepoID int64        `json:"repo_id"`
	Number int          `json:"number"`
	URL    string       `json:"url"`
	By     store.Person `json:"by"`
}

func (r recorded) String() string { return fmt.Sprintf("%s#%d", r.Repo, r.Number) }

// recordBranch names the branch of the nth pull request of an episode; by it the
// job, the webhook and a second press find each other.
func recordBranch(episode string, n int) string { return fmt.Sprintf("signalbox/%s-%d", episode, n) }

var recordBranches = regexp.MustCompile(`^signalbox/(drift-[0-9]+)-[0-9]+$`)

// episodeOf is the episode whose record a branch is; "" of any other branch.
func episodeOf(branch string) string {
	if m := recordBranches.FindStringSubmatch(branch); m != nil {
		return m[1]
	}
	return ""
}

func recordMark(branch string) string { return "<!-- signalbox:record " + branch + " -->" }

func (f *feature) recordVerb() commands.Verb {
	return commands.Verb{
		Name: "record-drift", Aliases: []string{"drift-pr"}, Summary: "Open a pull request that puts on record what has drifted on a target", Effect: commands.Changes, Right: "deploy",
		Args: targetArg("the target"), Examples: []string{"record-drift {service}/{environment}"},
		Detail: "It adds one file under .signalbox/drift with what the last look found, and is assigned to you. Push the code that matches to its branch, or re-apply and close it. There is one that is open for a drift.",
		Decide: f.aboutTarget("deploy", f.recordDrift),
	}
}

func (f *feature) recordDrift(tx *store.Tx, c *commands.Call, t integrations.Target) (commands.Reply, error) {
	l, _, err := store.Feature[look](tx, lookFeature).Get(t.Name)
	if err != nil {
		return commands.Reply{}, err
	}
	if l.Drifted == "" {
		return commands.Reply{}, commands.Refuse("not_drifted", t.Name+" has not drifted, as far as the last look told.").WithExample("drift " + t.Name)
	}
	reply := commands.Reply{Subject: l.Drifted}
	e, _, err := store.Feature[episode](tx, episodeFeature).Get(l.Drifted)
	if err != nil {
		return reply, err
	}
	if open, err := recordOpen(tx, e); err != nil {
		return reply, err
	} else if open {
		reply.Private = say(fmt.Sprintf("%s records that already, opened for %s.", e.Record, known(c.Catalog, e.Record.By).Display()))
		reply.Private.Blocks = append(reply.Private.Blocks, integrations.Block{Buttons: []integrations.Button{{Label: "Pull request", URL: e.Record.URL}}})
		return reply, nil
	}
	branch := recordBranch(l.Drifted, e.Records+1)
	j := &store.Job{Key: "record|" + branch, Kind: kindRecord, Target: t.Name, Repo: t.Repository, Base: t.Base, Requester: gate.ToStore(c.Who), Created: f.Clock.Now()}
	if old, err := tx.JobByKey(j.Key); err == nil {
		if j = old; !j.Terminal() {
			reply.Private = say(fmt.Sprintf("It is being opened already, for %s: %s.", known(c.Catalog, j.Requester).Display(), j.ID))
			return reply, nil
		}
		j.Requester, j.Why, j.Error, j.Ended, j.Attempt = gate.ToStore(c.Who), "", "", time.Time{}, 0
	} else if !errors.Is(err, store.ErrNotFound) {
		return reply, err
	}
	if err := f.queueRecord(tx, j, branch); err != nil {
		return reply, err
	}
	reply.Private = say(fmt.Sprintf("Opening a pull request that records what has drifted on %s. The message of the drift will link it.", t.Name))
	return reply, nil
}

func (f *feature) queueRecord(tx *store.Tx, j *store.Job, branch string) error {
	j.State = store.JobQueued
	if err := setRecord(j, record{Branch: branch}); err != nil {
		return err
	}
	if j.ID != "" {
		return tx.PutJob(j)
	}
	_, _, err := tx.InsertJob(j)
	return err
}

// recordOpen says whether an episode has a pull request that is open, as far as is
// known.
func recordOpen(tx *store.Tx, e episode) (bool, error) {
	if e.Record == nil {
		return false, nil
	}
	p, err := tx.Pull(e.Record.RepoID, e.Record.Number)
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	}
	return err == nil && p.State == "open", err
}

// record opens the pull request, each of its parts only if it is not there already.
func (f *feature) record(ctx context.Context, r *runner.Run) runner.End {
	branch := recordOf(r.Job).Branch
	id := episodeOf(branch)
	var e episode
	err := f.Store.View(func(tx *store.Tx) (err error) {
		e, _, err = store.Feature[episode](tx, episodeFeature).Get(id)
		return err
	})
	t, ok := f.Catalog().Target(r.Job.Target)
	switch {
	case err != nil:
		return runner.Failed(err)
	case !ok:
		return runner.Failed(fmt.Errorf("no target is called %q any more", r.Job.Target))
	case !e.Gone.IsZero():
		return runner.End{State: store.JobNoop, Why: "the drift is gone"}
	}
	who := known(f.Catalog(), r.Job.Requester)
	pr, err := f.makeRecord(ctx, t, branch, id, e, who)
	if err != nil {
		return again(r.Job, err)
	}
	if who.GitHub != "" { // who cannot be assigned is named in it all the same
		if err := f.Forge.AssignPull(ctx, t.Repository, pr.Number, who.GitHub); err != nil {
			f.Log.Info("a pull request could not be assigned", "repo", t.Repository, "pr", pr.Number, "to", who.GitHub, "error", err)
		}
	}
	s, err := f.look(ctx, pr)
	if err != nil {
		return again(r.Job, err)
	}
	return runner.End{State: store.JobSucceeded, Save: func(tx *store.Tx, j *store.Job) error {
		all := store.Feature[episode](tx, episodeFeature)
		now, _, err := all.Get(id)
		if err != nil {
			return err
		}
		now.Records++
		now.Record, now.RecordError = &recorded{t.Repository, pr.RepoID, pr.Number, pr.URL, j.Requester}, ""
		if err := all.Put(id, now); err != nil {
			return err
		}
		return f.take(tx, s)
	}}
}

func (f *feature) makeRecord(ctx context.Context, t integrations.Target, branch, id string, e episode, who integrations.Person) (integrations.PullRequest, error) {
	pr, err := f.Forge.FindPull(ctx, t.Repository, branch, t.Base)
	if err == nil || !errors.Is(err, integrations.ErrNotFound) {
		return pr, err
	}
	if _, err = f.Forge.BranchHead(ctx, t.Repository, branch); errors.Is(err, integrations.ErrNotFound) {
		var head string
		if head, err = f.Forge.BranchHead(ctx, t.Repository, t.Base); err == nil {
			err = f.Forge.CreateBranch(ctx, t.Repository, branch, head)
		}
	}
	if err != nil && !errors.Is(err, integrations.ErrExists) {
		return pr, err
	}
	file := recordFile(t.Name)
	old, blob, err := f.Forge.ReadFile(ctx, t.Repository, file, branch)
	if err != nil && !errors.Is(err, integrations.ErrNotFound) {
		return pr, err
	}
	if !bytes.Contains(old, []byte(recordMark(branch))) {
		if _, err = f.Forge.CommitFile(ctx, t.Repository, branch, file, []byte(recordText(branch, id, e)), blob, "Record what has drifted on "+t.Name); err != nil {
			return pr, err
		}
	}
	return f.Forge.OpenPull(ctx, t.Repository, integrations.NewPull{
		Title: fmt.Sprintf("%s has drifted (%s)", t.Name, e.Plans), Body: f.recordBody(t, branch, file, e, who), Head: branch, Base: t.Base})
}

// recordFile is where a drift of a target is put on record: outside of what any
// target's paths usually take in, so that its merge applies nothing.
func recordFile(target string) string {
	var parts []string
	for _, p := range strings.Split(target, "/") {
		p = strings.Trim(regexp.MustCompile(`[^A-Za-z0-9._-]+`).ReplaceAllString(p, "-"), ".")
		if p != "" {
			parts = append(parts, p)
		}
	}
	return ".signalbox/drift/" + strings.Join(parts, "/") + ".md"
}

// mostRecorded is how many changes are listed.
const mostRecorded = 200

// recordText is the file: what the last look found, by address and action. Values
// are in none of it.
func recordText(branch, id string, e episode) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s has drifted\n\n", e.Target)
	fmt.Fprintf(&b, "A plan of what was applied last, `%s` by %s, finds `%s` to do: something changed what nobody merged.\n\n", short(e.SHA), e.Op, e.Plans)
	fmt.Fprintf(&b, "- first seen: %s\n- last seen: %s\n- looks that saw it: %d\n- drift: %s\n\n", gate.Clock(e.Since), gate.Clock(e.Last), e.Looks, id)
	b.WriteString("| what | what a re-apply would do |\n| --- | --- |\n")
	n := 0
	for _, p := range e.Plans {
		for _, c := range p.Changes {
			if n++; n <= mostRecorded {
				fmt.Fprintf(&b, "| `%s` | %s |\n", strings.NewReplacer("`", "'", "|", "¦", "\n", " ").Replace(c.Address), strings.Join(c.Actions, ", "))
			}
		}
	}
	if n > mostRecorded {
		fmt.Fprintf(&b, "\n… and %d more.\n", n-mostRecorded)
	}
	return b.String() + "\n" + recordMark(branch) + "\n"
}

func (f *feature) recordBody(t integrations.Target, branch, file string, e episode, who integrations.Person) string {
	asked := who.Display()
	if who.GitHub != "" {
		asked = "@" + who.GitHub
	}
	var b strings.Builder
	fmt.Fprintf(&b, "**%s** has drifted: `%s`, seen since %s. %s asked for it to be put on record; `%s` lists what differs.\n\n", t.Name, e.Plans, gate.Clock(e.Since), asked, file)
	b.WriteString("There are two ways to end it:\n\n")
	fmt.Fprintf(&b, "1. **What changed is right.** Push the code that matches to `%s` and merge this. The plan of %s is empty then.\n", branch, t.Name)
	fmt.Fprintf(&b, "2. **What was merged is right.** `/ops reapply %s` in chat brings it back; close this then.\n\n", t.Name)
	var taken []string
	for _, o := range f.Catalog().TargetsOf(t.Repository, t.Base) {
		if matches(o.Paths, []string{file}) {
			taken = append(taken, o.Name)
		}
	}
	slices.Sort(taken)
	if len(taken) > 0 {
		fmt.Fprintf(&b, "The paths of %s take in this file, so the merge plans and applies there.\n", strings.Join(taken, ", "))
	} else {
		b.WriteString("The file is in no target's paths: merged as it is, this applies nothing.\n")
	}
	fmt.Fprintf(&b, "\n%s\n", recordMark(branch))
	return b.String()
}

// recordChanged has the message of a drift say how the opening went.
func (f *feature) recordChanged(tx *store.Tx, j *store.Job, urgent bool) error {
	id := episodeOf(recordOf(j).Branch)
	if j.State == store.JobFailed {
		all := store.Feature[episode](tx, episodeFeature)
		e, ok, err := all.Get(id)
		if err != nil || !ok {
			return err
		}
		if e.RecordError = j.Error; e.RecordError == "" {
			e.RecordError = j.Why
		}
		if err := all.Put(id, e); err != nil {
			return err
		}
	}
	return tell.Mark(tx, id, urgent)
}

// recordMoved has the message of a drift shown anew when the state of its pull
// request changed, and deletes its branch once that is over.
func (f *feature) recordMoved(tx *store.Tx, p *store.Pull) error {
	id := episodeOf(p.Branch)
	if id == "" || p.Fork {
		return nil
	}
	if err := tell.Mark(tx, id, false); err != nil || p.State == "open" {
		return err
	}
	j := &store.Job{Key: fmt.Sprintf("tidy|%s|%s", p.Branch, p.Head), Kind: kindTidy, Repo: p.Repo, RepoID: p.RepoID, PR: p.Number, State: store.JobQueued, Created: f.Clock.Now()}
	if err := setRecord(j, record{Branch: p.Branch}); err != nil {
		return err
	}
	_, _, err := tx.InsertJob(j)
	return err
}

// recordLine is the pull request of a drift as its message shows it, with a button
// that opens one, or leads to it.
func (f *feature) recordLine(tx *store.Tx, e episode) (integrations.Rich, integrations.Button, error) {
	button := integrations.Button{Label: "Open a PR", Command: "record-drift " + e.Target}
	var line integrations.Rich
	open, err := recordOpen(tx, e)
	if err != nil {
		return nil, button, err
	}
	if e.Record != nil {
		state := "closed or merged"
		if open {
			state, button = "open", integrations.Button{Label: "Pull request", URL: e.Record.URL}
		} else if p, err := tx.Pull(e.Record.RepoID, e.Record.Number); err == nil {
			state = p.State
		}
		line = integrations.R("On record in ", integrations.Link(e.Record.URL, e.Record.String()), ", opened for ", integrations.Who(known(f.Catalog(), e.Record.By)), ": ", state, ".")
	}
	if e.RecordError != "" {
		if line != nil {
			line = integrations.R(line, " ")
		}
		line = integrations.R(line, "The pull request could not be opened: ", e.RecordError, ".")
	}
	return line, button, nil
}

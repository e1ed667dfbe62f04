package joining

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// changeFeature keeps the changes to the configuration that were proposed here, by id.
const changeFeature = "joining.change"

// A change is a pull request to the configuration's repository.
type change struct {
	ID        string       `json:"id"` // "change-2"
	Edits     []edit       `json:"edits"`
	By        store.Person `json:"by"`
	GrantedBy store.Person `json:"granted_by,omitzero"`
	Reason    string       `json:"reason,omitempty"`
	Ask       string       `json:"ask,omitempty"`
	Home      Home         `json:"home"`
	Branch    string       `json:"branch"`
	Nonce     string       `json:"nonce"`
	State     string       `json:"state"`
	PR        int          `json:"pr,omitempty"`
	URL       string       `json:"url,omitempty"`
	Diff      []string     `json:"diff,omitempty"`
	Note      string       `json:"note,omitempty"`
	MergedBy  string       `json:"merged_by,omitempty"` // a GitHub login
	Created   time.Time    `json:"created"`
	Ended     time.Time    `json:"ended,omitzero"`
}

// The states of a change, in the words of an operation.
const (
	changeOpening = "opening"
	changeOpen    = "open"
	changeMerged  = "merged"
	changeClosed  = "closed"
	changeNoop    = "noop"
	changeFailed  = "failed"
)

func changes(tx *store.Tx) *store.Records[change] { return store.Feature[change](tx, changeFeature) }

func (c *change) title() string {
	var out []string
	for _, e := range c.Edits {
		out = append(out, e.String())
	}
	s := strings.Join(out, ", ")
	return strings.ToUpper(s[:1]) + s[1:]
}

// openChange writes a change, its job and its card.
func (f *feature) openChange(tx *store.Tx, c change, home Home, room string) (string, error) {
	id, err := tx.NextID("change")
	if err != nil {
		return "", err
	}
	c.ID, c.Home, c.State, c.Created = id, home, changeOpening, f.Clock.Now()
	c.Branch, c.Nonce = "signalbox/config-"+id, ulid.Make().String()
	if err := changes(tx).Put(id, c); err != nil {
		return "", err
	}
	j := &store.Job{Key: "propose|" + id, Kind: kindChange, Repo: home.Repository, Base: home.Base, Requester: c.By, State: store.JobQueued, Created: c.Created}
	if _, _, err := tx.InsertJob(j); err != nil {
		return "", err
	}
	return id, f.post(tx, cardChange, id, room)
}

func (f *feature) putChange(tx *store.Tx, c change) error {
	if c.State != changeOpening && c.State != changeOpen && c.Ended.IsZero() {
		c.Ended = f.Clock.Now()
	}
	if err := errors.Join(changes(tx).Put(c.ID, c), f.tidyAfter(tx, &c)); err != nil {
		return err
	}
	return tell.Mark(tx, c.ID, true)
}

func (f *feature) change(id string) (c change, err error) {
	err = f.Store.View(func(tx *store.Tx) error {
		var found bool
		if c, found, err = changes(tx).Get(id); err == nil && !found {
			err = fmt.Errorf("change %s: %w", id, store.ErrNotFound)
		}
		return err
	})
	return c, err
}

func changeOf(j *store.Job) string { return strings.TrimPrefix(j.Key, "propose|") }

// tries is how often the pull request of a change is begun.
const tries = 6

// propose makes the branch, the commit and the pull request of a change, each only
// if it is not there already.
func (f *feature) propose(ctx context.Context, r *runner.Run) runner.End {
	c, err := f.change(changeOf(r.Job))
	if err != nil {
		return runner.Failed(err)
	}
	if c.State != changeOpening {
		return runner.End{State: store.JobNoop}
	}
	state, err := f.makeChange(ctx, &c)
	var later *integrations.Later
	var wrong *wrongEdit
	switch {
	case err == nil:
		c.State = state
		return runner.End{State: map[bool]string{true: store.JobNoop, false: store.JobSucceeded}[state == changeNoop], Save: func(tx *store.Tx, _ *store.Job) error {
			now, found, err := changes(tx).Get(c.ID)
			if err != nil || !found {
				return err
			}
			if now.State != changeOpening { // a webhook was faster
				c.State, c.MergedBy, c.Ended = now.State, now.MergedBy, now.Ended
			}
			return f.putChange(tx, c)
		}}
	case errors.As(err, &later):
		return runner.End{State: store.JobQueued, Err: err, After: later.After}
	case errors.As(err, &wrong), r.Job.Attempt >= tries, errors.Is(err, integrations.ErrNotFound):
		return runner.Failed(err)
	}
	return runner.End{State: store.JobQueued, Err: err, After: time.Second << min(r.Job.Attempt, 6)}
}

// wrongEdit says that no other try would help.
type wrongEdit struct{ error }

func (w *wrongEdit) Unwrap() error { return w.error }

// makeChange brings GitHub to where the change is a pull request.
func (f *feature) makeChange(ctx context.Context, c *change) (state string, err error) {
	h := c.Home
	pr, err := f.Forge.FindPull(ctx, h.Repository, c.Branch, h.Base)
	if err == nil {
		return f.madeBefore(ctx, c, pr)
	}
	if !errors.Is(err, integrations.ErrNotFound) {
		return "", err
	}
	head, err := f.Forge.BranchHead(ctx, h.Repository, h.Base)
	if err != nil {
		return "", err
	}
	old, _, err := f.Forge.ReadFile(ctx, h.Repository, h.Path, head)
	if err != nil {
		return "", err
	}
	if _, c.Diff, err = f.editAll(c, old); err != nil {
		return "", &wrongEdit{err}
	}
	if len(c.Diff) == 0 {
		c.Note = fmt.Sprintf("%s says so already.", h.file())
		return changeNoop, nil
	}
	if err := f.Forge.CreateBranch(ctx, h.Repository, c.Branch, head); err != nil && !errors.Is(err, integrations.ErrExists) {
		return "", err
	}
	if err := f.commitChange(ctx, c); err != nil {
		return "", err
	}
	pr, err = f.Forge.OpenPull(ctx, h.Repository, integrations.NewPull{Title: c.title(), Body: c.body(f.Catalog()), Head: c.Branch, Base: h.Base})
	c.PR, c.URL = pr.Number, pr.URL
	return changeOpen, err
}

// madeBefore takes in the pull request of an attempt whose end was lost.
func (f *feature) madeBefore(ctx context.Context, c *change, pr integrations.PullRequest) (string, error) {
	h := c.Home
	if !strings.Contains(pr.Body, c.Nonce) {
		return "", &wrongEdit{fmt.Errorf("pull request #%d of branch %s was made by somebody else", pr.Number, c.Branch)}
	}
	c.PR, c.URL = pr.Number, pr.URL
	if old, _, err := f.Forge.ReadFile(ctx, h.Repository, h.Path, h.Base); err == nil {
		if _, diff, err := f.editAll(c, old); err == nil {
			c.Diff = diff
		}
	}
	switch pr.State {
	case "merged":
		c.MergedBy = pr.MergedBy
		return changeMerged, nil
	case "closed":
		return changeClosed, nil
	}
	return changeOpen, nil
}

// commitChange makes the edits on the change's branch, unless they are made.
func (f *feature) commitChange(ctx context.Context, c *change) error {
	h := c.Home
	there, blob, err := f.Forge.ReadFile(ctx, h.Repository, h.Path, c.Branch)
	if err != nil {
		return err
	}
	text, diff, err := f.editAll(c, there)
	if err != nil {
		return &wrongEdit{err}
	}
	if len(diff) == 0 {
		return nil
	}
	_, err = f.Forge.CommitFile(ctx, h.Repository, c.Branch, h.Path, text, blob, c.title())
	return err
}

// editAll makes all edits of a change, and has the whole read: a mistake that the
// text had before is not ours.
func (f *feature) editAll(c *change, old []byte) (text []byte, diff []string, err error) {
	text = old
	for _, e := range c.Edits {
		out, d, _, err := edited(text, e)
		if err != nil {
			return nil, nil, err
		}
		text, diff = out, append(diff, d...)
	}
	if len(diff) > 0 {
		if err := f.Check(text); err != nil && f.Check(old) == nil {
			return nil, nil, err
		}
	}
	return text, diff, nil
}

// body is the pull request's text.
func (c *change) body(cat *integrations.Catalog) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s asked for it in chat", mentioned(known(cat, c.By)))
	if c.GrantedBy.Name != "" {
		fmt.Fprintf(&b, ", and %s said yes (`%s`)", mentioned(known(cat, c.GrantedBy)), c.Ask)
	}
	b.WriteString(".\n")
	if c.Reason != "" {
		fmt.Fprintf(&b, "\n> %s\n", quiet(strings.ReplaceAll(c.Reason, "\n", "\n> ")))
	}
	for _, e := range c.Edits {
		fmt.Fprintf(&b, "\n- %s", quiet(e.String()))
	}
	if c.Home.Follow {
		b.WriteString("\n\nThe merge of this pull request makes it so: the running configuration follows this branch.\n")
	} else {
		b.WriteString("\n\nAfter the merge the running configuration has to be reloaded.\n")
	}
	fmt.Fprintf(&b, "\n<!-- signalbox:config %s -->\n", c.Nonce)
	return b.String()
}

func mentioned(p integrations.Person) string {
	if p.GitHub != "" {
		return "@" + p.GitHub
	}
	return quiet(p.Display())
}

// quiet keeps somebody's words from mentioning people or closing issues.
func quiet(s string) string {
	return strings.NewReplacer("@", "@\u200b", "#", "#\u200b", "<!--", "<\u200b!--", "`", "'").Replace(s)
}

// proposeChanged tells a change how its job went.
func (f *feature) proposeChanged(tx *store.Tx, j *store.Job, urgent bool) error {
	c, found, err := changes(tx).Get(changeOf(j))
	if err != nil || !found || c.State != changeOpening {
		return err
	}
	switch j.State {
	case store.JobFailed, store.JobCancelled:
		c.State, c.Note = changeFailed, or(j.Error, j.Why)
	case store.JobQueued:
		if j.Error != "" {
			c.Note = "GitHub did not answer as it should; it is tried again: " + j.Error
		}
	default:
		return nil
	}
	return f.putChange(tx, c)
}

// pullSeen brings a change to what its pull request is.
func (f *feature) pullSeen(tx *store.Tx, pr integrations.PullRequest) (string, error) {
	id, ok := strings.CutPrefix(pr.Branch, "signalbox/config-")
	if !ok || pr.Fork {
		return "", nil
	}
	c, found, err := changes(tx).Get(id)
	if err != nil || !found || c.Home.Repository != pr.Repo || !strings.Contains(pr.Body, c.Nonce) && c.PR != pr.Number {
		return "", err
	}
	was := c.State
	c.PR, c.URL = pr.Number, pr.URL
	switch {
	case pr.State == "merged":
		c.State, c.MergedBy = changeMerged, pr.MergedBy
	case pr.State == "closed" && was != changeMerged:
		c.State = changeClosed
	case pr.State == "open" && was == changeClosed:
		c.State, c.Ended = changeOpen, time.Time{}
	}
	if c.State == was && was != changeOpening {
		return id, nil
	}
	return id, f.putChange(tx, c)
}

// onPull is told of pull requests of the configuration's repository.
func (f *feature) onPull(_ context.Context, h commands.Happening) (commands.Act, error) {
	if h.Forge == nil || h.Forge.PullRequest == nil || !strings.HasPrefix(h.Forge.PullRequest.Branch, "signalbox/config-") {
		return nil, nil
	}
	pr := *h.Forge.PullRequest
	return func(tx *store.Tx) (commands.Reply, error) {
		id, err := f.pullSeen(tx, pr)
		return commands.Reply{Subject: id}, err
	}, nil
}

// tidyAfter has our branch deleted once its pull request is over.
func (f *feature) tidyAfter(tx *store.Tx, c *change) error {
	if c.State != changeMerged && c.State != changeClosed {
		return nil
	}
	_, _, err := tx.InsertJob(&store.Job{Key: "tidy config|" + c.ID + "|" + c.State, Kind: kindTidy, Repo: c.Home.Repository, Base: c.Branch, State: store.JobQueued, Created: f.Clock.Now()})
	return err
}

func (f *feature) tidy(ctx context.Context, r *runner.Run) runner.End {
	err := f.Forge.DeleteBranch(ctx, r.Job.Repo, r.Job.Base)
	if err == nil || errors.Is(err, integrations.ErrNotFound) {
		return runner.End{State: store.JobSucceeded}
	}
	return again(r.Job, err)
}

// lookAtChanges asks GitHub about the changes that are open: every webhook may have
// been lost.
func (f *feature) lookAtChanges(ctx context.Context) error {
	var open []change
	err := f.Store.View(func(tx *store.Tx) error {
		return changes(tx).Each("", func(_ string, c change) error {
			if c.State == changeOpen && c.PR > 0 {
				open = append(open, c)
			}
			return nil
		})
	})
	for _, c := range open {
		pr, gerr := f.Forge.Pull(ctx, c.Home.Repository, c.PR)
		if gerr == nil && pr.State != "open" {
			gerr = f.Store.Update(ctx, func(tx *store.Tx) error {
				_, err := f.pullSeen(tx, pr)
				return err
			})
		}
		err = errors.Join(err, gerr)
	}
	return err
}

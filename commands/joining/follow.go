package joining

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	// followFeature keeps what was last taken from the configuration's repository.
	followFeature = "joining.follow"
	followKey     = "configuration"
	// reloadFeature keeps the reloads that were told, by id.
	reloadFeature = "joining.reload"

	mostCommits = 30              // that are looked at for who brought a change
	lagLimit    = 6 * time.Second // for which GitHub may not know how a commit came
	lagAgain    = 2 * time.Second
)

// followed is what was last taken from the repository.
type followed struct {
	Where string `json:"where"` // the repository, its branch and the path
	SHA   string `json:"sha"`   // the commit
	Blob  string `json:"blob"`  // the file in it
	// Good is the newest text without a mistake; it is what runs.
	Good []byte `json:"good,omitempty"`
}

func follows(tx *store.Tx) *store.Records[followed] {
	return store.Feature[followed](tx, followFeature)
}

// Kept is the configuration that was last taken from its repository: what a new
// process begins with. nil if none was, or from elsewhere.
func Kept(tx *store.Tx, h Home) ([]byte, error) {
	f, found, err := follows(tx).Get(followKey)
	if err != nil || !found || f.Where != h.where() {
		return nil, err
	}
	return f.Good, nil
}

func (h Home) where() string { return h.Repository + " " + h.Base + " " + h.Path }

// A reload is another configuration that came into effect, or could not.
type reload struct {
	ID       string       `json:"id"`
	By       store.Person `json:"by,omitzero"` // who merged or pushed; nobody for a signal
	Pulls    []came       `json:"pulls,omitempty"`
	SHA      string       `json:"sha,omitempty"`
	File     string       `json:"file"`
	Now      []string     `json:"now,omitempty"`
	Later    []string     `json:"later,omitempty"`
	Mistakes string       `json:"mistakes,omitempty"`
	At       time.Time    `json:"at"`
}

// came is a pull request that a change came by.
type came struct {
	Number int    `json:"number"`
	Title  string `json:"title"`
	URL    string `json:"url"`
	By     string `json:"by"` // who merged it
}

func reloads(tx *store.Tx) *store.Records[reload] { return store.Feature[reload](tx, reloadFeature) }

// onPush is told that the configuration's branch has moved.
func (f *feature) onPush(_ context.Context, h commands.Happening) (commands.Act, error) {
	home, e := f.Home(), h.Forge
	if !home.Follow || e == nil || e.Repo != home.Repository || e.Branch != home.Base || strings.Trim(e.After, "0") == "" {
		return nil, nil
	}
	return func(tx *store.Tx) (commands.Reply, error) { return commands.Reply{}, f.queueFollow(tx, home, e.After) }, nil
}

// queueFollow queues a look at the head of the branch, unless one is queued.
func (f *feature) queueFollow(tx *store.Tx, home Home, sha string) error {
	j := &store.Job{Key: "follow|" + home.where() + "|" + sha, Kind: kindFollow, Repo: home.Repository, Base: home.Base, SHA: sha, State: store.JobQueued, Created: f.Clock.Now()}
	for {
		inserted, existing, err := tx.InsertJob(j)
		if err != nil || inserted || !existing.Terminal() {
			return err
		}
		j.Key += "|after " + existing.ID
	}
}

// look asks GitHub what no webhook told: where the configuration's branch is, and
// what became of the changes that are open.
func (f *feature) look(ctx context.Context) error {
	err := f.lookAtChanges(ctx)
	home := f.Home()
	if !home.Follow {
		return err
	}
	head, herr := f.Forge.BranchHead(ctx, home.Repository, home.Base)
	if herr != nil {
		return errors.Join(err, herr)
	}
	var last followed
	return errors.Join(err, f.Store.Update(ctx, func(tx *store.Tx) (err error) {
		if last, _, err = follows(tx).Get(followKey); err != nil || last.SHA == head && last.Where == home.where() {
			return err
		}
		return f.queueFollow(tx, home, head)
	}))
}

// follow takes the configuration at the head of its branch, if the file has changed.
func (f *feature) follow(ctx context.Context, r *runner.Run) runner.End {
	home := f.Home()
	if !home.Follow {
		return runner.End{State: store.JobNoop}
	}
	var last followed
	err := f.Store.View(func(tx *store.Tx) (err error) {
		last, _, err = follows(tx).Get(followKey)
		return err
	})
	if err != nil {
		return runner.Failed(err)
	}
	if last.Where != home.where() {
		last = followed{Where: home.where()}
	}
	head, err := f.Forge.BranchHead(ctx, home.Repository, home.Base)
	if err != nil {
		return again(r.Job, err)
	}
	text, blob, err := f.Forge.ReadFile(ctx, home.Repository, home.Path, head)
	if err != nil {
		return again(r.Job, err)
	}
	if blob == last.Blob {
		last.SHA = head
		return runner.End{State: store.JobNoop, Save: func(tx *store.Tx, _ *store.Job) error { return follows(tx).Put(followKey, last) }}
	}
	told := reload{SHA: head, File: home.file(), At: f.Clock.Now()}
	if err := f.whoBrought(ctx, home, last.SHA, head, &told); err != nil {
		return again(r.Job, err)
	}
	if len(told.Pulls) == 0 && last.SHA != "" && f.Clock.Now().Sub(r.Job.Created) < lagLimit {
		return runner.End{State: store.JobQueued, Why: "GitHub names no pull request for it yet", After: lagAgain}
	}
	changed, err := f.Adopt(ctx, text)
	last.SHA, last.Blob = head, blob
	if err == nil {
		last.Good, told.Now, told.Later = text, changed.Now, changed.Later
	} else {
		told.Mistakes = err.Error()
	}
	return runner.End{State: store.JobSucceeded, Save: func(tx *store.Tx, _ *store.Job) error {
		if err := follows(tx).Put(followKey, last); err != nil {
			return err
		}
		return f.tellReload(tx, told)
	}}
}

// again ends a run so that it is begun once more after a while, or as failed.
func again(j *store.Job, err error) runner.End {
	var later *integrations.Later
	switch {
	case errors.As(err, &later):
		return runner.End{State: store.JobQueued, Err: err, After: later.After}
	case j.Attempt >= tries, errors.Is(err, integrations.ErrNotFound):
		return runner.Failed(err)
	}
	return runner.End{State: store.JobQueued, Err: err, After: time.Second << min(j.Attempt, 6)}
}

// whoBrought finds the pull requests by which the file changed, or who pushed.
func (f *feature) whoBrought(ctx context.Context, home Home, from, to string, told *reload) error {
	commits := []integrations.Commit{{SHA: to}}
	if from != "" {
		cmp, err := f.Forge.Compare(ctx, home.Repository, from, to)
		if err != nil && !errors.Is(err, integrations.ErrNotFound) {
			return err
		}
		if len(cmp.Commits) > 0 {
			commits = cmp.Commits[max(0, len(cmp.Commits)-mostCommits):]
		}
	}
	seen := map[int]bool{}
	for _, c := range slices.Backward(commits) {
		prs, err := f.Forge.PullsOfCommit(ctx, home.Repository, c.SHA)
		if err != nil {
			return err
		}
		for _, pr := range prs {
			if seen[pr.Number] || pr.State != "merged" || pr.Base != home.Base {
				continue
			}
			seen[pr.Number] = true
			files, truncated, err := f.Forge.PullFiles(ctx, home.Repository, pr.Number)
			if err != nil {
				return err
			}
			if !truncated && !slices.Contains(files, home.Path) {
				continue
			}
			if pr.MergedBy == "" { // lists leave that out
				if pr, err = f.Forge.Pull(ctx, home.Repository, pr.Number); err != nil {
					return err
				}
			}
			told.Pulls = append(told.Pulls, came{Number: pr.Number, Title: pr.Title, URL: pr.URL, By: pr.MergedBy})
		}
	}
	cat := f.Catalog()
	if len(told.Pulls) > 0 {
		told.By = gate.ToStore(cat.PersonByGitHub(told.Pulls[0].By))
	} else if last := commits[len(commits)-1]; last.Author != "" {
		told.By = gate.ToStore(cat.PersonByGitHub(last.Author))
	}
	return nil
}

// tellReload writes a reload, its audit row and its message. What changes nothing is
// not told.
func (f *feature) tellReload(tx *store.Tx, r reload) error {
	if len(r.Now)+len(r.Later) == 0 && r.Mistakes == "" {
		return nil
	}
	var err error
	if r.ID, err = tx.NextID("reload"); err != nil {
		return err
	}
	row := store.AuditRow{Who: r.By, Act: "reload", Subject: r.ID, Outcome: "done", Via: "github", Detail: strings.Join(slices.Concat(r.Now, r.Later), "; ")}
	if r.SHA == "" {
		row.Via = "signal"
	}
	if r.Mistakes != "" {
		row.Outcome, row.Detail = "refused: mistakes", r.Mistakes
	}
	return errors.Join(reloads(tx).Put(r.ID, r), tx.Audit(row), f.post(tx, cardReload, r.ID, f.room(nil)))
}

// Announce tells of a configuration that was read again because of a signal: what
// it changes, or every mistake in it.
func Announce(ctx context.Context, d Deps, c Changes, mistakes error) error {
	f := &feature{d}
	told := reload{File: or(d.Home().File, "the configuration"), Now: c.Now, Later: c.Later, At: d.Clock.Now()}
	if mistakes != nil {
		told.Mistakes = mistakes.Error()
	}
	return d.Store.Update(ctx, func(tx *store.Tx) error { return f.tellReload(tx, told) })
}

// reloadCard says who changed what.
func (f *feature) reloadCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	r, found, err := reloads(tx).Get(s.Subject)
	if err != nil || !found {
		return integrations.Message{Hold: true}, err
	}
	how := integrations.R("on this machine")
	switch {
	case len(r.Pulls) > 0:
		how = integrations.R("by ", integrations.Who(f.Catalog().PersonByGitHub(r.Pulls[0].By)), " with ")
		for i, p := range r.Pulls {
			if i > 0 {
				how = append(how, integrations.R(", ")...)
			}
			how = append(how, integrations.R(integrations.Link(p.URL, fmt.Sprintf("#%d %s", p.Number, p.Title)))...)
		}
	case r.SHA != "" && r.By == (store.Person{}): // what was there when it was first followed
		how = integrations.R("with commit ", integrations.Code(short(r.SHA)))
	case r.SHA != "":
		how = integrations.R("by ", integrations.Who(known(f.Catalog(), r.By)), " with commit ", integrations.Code(short(r.SHA)))
	}
	if r.Mistakes != "" {
		n := strings.Count(r.Mistakes, "\n") + 1
		head := integrations.R("🔴 The configuration was changed ", how, " and has ", plural(n, "mistake"), ". The old one stays.")
		return integrations.Message{Text: r.ID + " " + head.Plain(), Blocks: []integrations.Block{{Text: head}, {Code: r.Mistakes}, {Context: integrations.R(integrations.Code(r.File))}}}, nil
	}
	head := integrations.R("🔧 The configuration was changed ", how, ".")
	m := integrations.Message{Text: r.ID + " " + head.Plain(), Blocks: []integrations.Block{{Text: head}}}
	for _, part := range []struct {
		title string
		lines []string
	}{{"", r.Now}, {"After a restart only:\n", r.Later}} {
		if len(part.lines) == 0 {
			continue
		}
		text := part.title + bullets(part.lines)
		m.Text += "\n" + text
		m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R(text)})
	}
	m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R(integrations.Code(r.File))})
	return m, nil
}

const mostLines = 20 // of a difference, in one message

func bullets(lines []string) string {
	more := ""
	if len(lines) > mostLines {
		more = fmt.Sprintf("\n• and %d more; the log has them", len(lines)-mostLines)
		lines = lines[:mostLines]
	}
	return "• " + strings.Join(lines, "\n• ") + more
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func short(sha string) string {
	if len(sha) > 7 {
		return sha[:7]
	}
	return sha
}

package deploy

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// subject is what a command is about: an operation, one of its jobs, or a pull
// request. Those that belong together are all filled in.
type subject struct {
	op   *store.Operation
	job  *store.Job
	pull *store.Pull
	// ops are the operations that a named pull request may mean, where they are
	// several: one in each environment that its merge touched.
	ops []*store.Operation
}

var (
	pullURL  = regexp.MustCompile(`^https?://[^/]+/([\w.-]+/[\w.-]+)/pull/(\d+)`)
	pullName = regexp.MustCompile(`^(?:([\w.-]+/[\w.-]+))?#(\d+)$`)
)

// findOne reads a call's subject: "op-12", "job-31", "#12", "acme/web#12", or a pull
// request's URL. One that means several operations is refused, with the call's line
// for each: none of them is picked.
func (f *feature) findOne(tx *store.Tx, c *commands.Call) (subject, error) {
	s, err := f.findAny(tx, c.Arg("subject"), c.Heard.Channel)
	if err == nil && len(s.ops) > 1 {
		return subject{}, severalOf(c, c.Arg("subject"), s.ops)
	}
	return s, err
}

func severalOf(c *commands.Call, word string, ops []*store.Operation) error {
	var names []string
	var buttons []integrations.Button
	for _, o := range ops {
		names = append(names, fmt.Sprintf("%s (%s, %s)", o.ID, o.Environment, o.State))
		buttons = append(buttons, integrations.Button{Label: o.ID + " " + o.Environment, Command: commands.Render(of(c, o))})
	}
	return commands.Refuse("several", fmt.Sprintf("%s is several operations: %s.", word, strings.Join(names, ", "))).
		WithHint("Say which.").WithButtons(buttons...)
}

// of is a call as if it named an operation.
func of(c *commands.Call, o *store.Operation) *commands.Call {
	one := *c
	one.Args = maps.Clone(c.Args)
	one.Args["subject"] = o.ID
	return &one
}

// findAny does the same for what is about a pull request itself, or asks which by
// itself.
func (f *feature) findAny(tx *store.Tx, word, channel string) (subject, error) {
	word = strings.TrimSpace(word)
	lower := integrations.Fold(word)
	switch {
	case strings.HasPrefix(lower, "op-"):
		op, err := tx.Operation(lower)
		if err != nil {
			return subject{}, unknown(err, "operation", word)
		}
		return f.fill(tx, subject{op: op})
	case strings.HasPrefix(lower, "job-"):
		j, err := tx.Job(lower)
		if err != nil {
			return subject{}, unknown(err, "job", word)
		}
		return f.fill(tx, subject{job: j})
	}
	m := pullURL.FindStringSubmatch(word)
	if m == nil {
		m = pullName.FindStringSubmatch(word)
	}
	if m == nil {
		return subject{}, commands.Refuse("unknown_subject", fmt.Sprintf("“%s” is no operation, job or pull request.", word)).
			WithHint("They look like op-12, job-31, #12 or acme/web#12.").WithExample("status")
	}
	number, err := strconv.Atoi(m[2])
	if err != nil {
		return subject{}, unknown(store.ErrNotFound, "pull request", word)
	}
	return f.findPull(tx, m[1], number, word)
}

func (f *feature) findPull(tx *store.Tx, repo string, number int, word string) (subject, error) {
	found, err := f.numbered(tx, repo, number)
	if err != nil {
		return subject{}, err
	}
	switch len(found) {
	case 0:
		return subject{}, unknown(store.ErrNotFound, "pull request", word)
	case 1:
		return f.fill(tx, subject{pull: found[0]})
	}
	var names []string
	for _, p := range found {
		names = append(names, fmt.Sprintf("%s#%d", p.Repo, p.Number))
	}
	return subject{}, commands.Refuse("ambiguous", fmt.Sprintf("%s is several pull requests.", word)).WithHint("Say which: " + strings.Join(names, ", ") + ".")
}

// recentOperations is how far back a pull request that is over is looked for.
const recentOperations = 500

// numbered lists the pull requests of a number: the open ones, or else those of
// recent operations.
func (f *feature) numbered(tx *store.Tx, repo string, number int) ([]*store.Pull, error) {
	is := func(name string, n int) bool { return n == number && (repo == "" || strings.EqualFold(repo, name)) }
	var found []*store.Pull
	open, err := tx.OpenPulls("")
	if err != nil {
		return nil, err
	}
	for _, p := range open {
		if is(p.Repo, p.Number) {
			found = append(found, p)
		}
	}
	if len(found) > 0 {
		return found, nil
	}
	ops, err := tx.Operations("", recentOperations)
	if err != nil {
		return nil, err
	}
	seen := map[int64]bool{}
	for _, op := range ops {
		if !is(op.Repo, op.PR) || seen[op.RepoID] {
			continue
		}
		seen[op.RepoID] = true
		p, err := tx.Pull(op.RepoID, op.PR)
		if err != nil {
			return nil, err
		}
		found = append(found, p)
	}
	return found, nil
}

func unknown(err error, what, word string) error {
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return commands.Refuse("unknown_subject", fmt.Sprintf("No %s is called “%s”.", what, word)).WithHint("`status` lists what is under way.").WithExample("status")
}

// fill adds what belongs to what was named.
func (f *feature) fill(tx *store.Tx, s subject) (subject, error) {
	var err error
	if s.job != nil && s.op == nil && s.job.Operation != "" {
		if s.op, err = tx.Operation(s.job.Operation); err != nil {
			return s, err
		}
	}
	if s.pull != nil && s.op == nil {
		ops, err := tx.OperationByPull(s.pull.RepoID, s.pull.Number)
		if err != nil {
			return s, err
		}
		for _, op := range ops {
			if s.op == nil || !op.Terminal() {
				s.op = op
			}
		}
		if s.ops = slices.DeleteFunc(slices.Clone(ops), wentWell); len(s.ops) == 0 {
			s.ops = ops
		}
		if len(s.ops) == 1 {
			s.op = s.ops[0]
		}
	}
	if s.op != nil && s.pull == nil && s.op.PR > 0 {
		s.pull, err = tx.Pull(s.op.RepoID, s.op.PR)
		if errors.Is(err, store.ErrNotFound) {
			s.pull, err = nil, nil
		}
	}
	return s, err
}

// wentWell says whether an operation is over and leaves nothing to do.
func wentWell(o *store.Operation) bool {
	return o.Terminal() && o.State != store.OpFailed && o.State != store.OpPartial
}

// applies are the apply jobs that a subject means: the one named, or all of its operation.
func (s subject) applies(tx *store.Tx) ([]*store.Job, error) {
	if s.job != nil {
		return []*store.Job{s.job}, nil
	}
	if s.op == nil {
		return nil, nil
	}
	all, err := tx.JobsOf(s.op.ID)
	if err != nil {
		return nil, err
	}
	var out []*store.Job
	for _, j := range all {
		if j.Kind == kindApply {
			out = append(out, j)
		}
	}
	return out, nil
}

func say(text string) *integrations.Message { return &integrations.Message{Text: text} }

func makeDir(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("make the folder of a step: %w", err)
	}
	return nil
}

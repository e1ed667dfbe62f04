package past

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// How many operations a list shows: unless something is said, and at most. More
// would not fit into one message.
const (
	shownUsually = 15
	shownAtMost  = 30
)

func (f *feature) historyVerb() commands.Verb {
	return commands.Verb{
		Name: "history", Aliases: []string{"deploys", "deployed"}, Summary: "List operations, newest first: of a service, by a person, of a state", Effect: commands.Reads,
		Args: []commands.Arg{
			{Name: "service", Kind: commands.ArgService, Optional: true, Help: "of one service"}, environmentArg,
			sinceArg("begun since then: friday, yesterday, last week, 7d, 2026-11-20, in your own time zone"),
		},
		Flags: []commands.Arg{
			{Name: "by", Kind: commands.ArgWord, Optional: true, Help: "who asked for it, approved it or merged it: a name, a mention, a GitHub login, or me"},
			{Name: "state", Kind: commands.ArgWord, Optional: true, Help: "live, or one of " + strings.Join(states, ", ") + "; failed is partial too"},
			{Name: "limit", Kind: commands.ArgWord, Optional: true, Help: fmt.Sprintf("how many, up to %d; %d unless said", shownAtMost, shownUsually)},
			{Name: "before", Kind: commands.ArgSubject, Optional: true, Help: "only older ones than this operation"},
		},
		Examples: []string{"history", "history {service} in {environment}", "history --by me --since monday", "history {service} --state failed --since 30d"},
		Detail:   "The newest come first; More shows the ones before them. Dates are shown in your own time zone.",
		Decide:   f.decide(f.history),
	}
}

// states are what an operation can be shown as.
var states = []string{
	store.OpSucceeded, store.OpNoop, store.OpFailed, store.OpPartial, store.OpClosed, store.OpOpening, store.OpOpen, store.OpMerged, store.OpApplying,
	store.JobBlocked, store.JobNeedsConfirm, store.JobUnknown,
}

// stateLive is every state of what is not over.
const stateLive = "live"

// filters are what a list is narrowed by.
type filters struct {
	store.OperationFilter
	by    *store.Person
	state string
	title string
}

func (f *feature) history(_ context.Context, a asked) (answer, error) {
	q, err := a.filters()
	if err != nil {
		return answer{}, err
	}
	s := sheet{title: integrations.R(integrations.Bold(q.title))}
	var more bool
	err = f.Store.View(func(tx *store.Tx) error {
		ops, err := q.find(tx)
		if errors.Is(err, store.ErrNotFound) {
			return commands.Refuse("unknown_subject", fmt.Sprintf("There is no operation %s.", q.Before)).WithExample("history")
		} else if err != nil {
			return err
		}
		if more = len(ops) == q.Limit; more { // it was asked for one more than is shown
			ops = ops[:len(ops)-1]
			s.buttons = append(s.buttons, integrations.Button{Label: "More", Command: a.again("before", ops[len(ops)-1].ID)})
		}
		for _, o := range ops {
			state, err := stateOf(tx, o)
			if err != nil {
				return err
			}
			s.lines = append(s.lines, a.row(o, state))
		}
		return nil
	})
	if err != nil {
		return answer{}, err
	}
	if len(s.lines) == 0 {
		return answer{message: integrations.Message{Text: a.nothing(q)}}, nil
	}
	return answer{message: s.message()}, nil
}

func (a asked) filters() (filters, error) {
	q := filters{OperationFilter: store.OperationFilter{Service: a.Arg("service"), Environment: a.Arg("environment"), Before: integrations.Fold(a.Arg("before"))}}
	var err error
	if q.Since, _, err = a.since(""); err != nil {
		return q, err
	}
	if q.Limit, err = a.limit(); err != nil {
		return q, err
	}
	if q.state, err = a.state(); err != nil {
		return q, err
	}
	q.title = strings.TrimSuffix("History of "+strings.TrimSpace(q.Service+" "+q.Environment), " of ")
	if by := a.Arg("by"); by != "" {
		p, known := a.Person(by)
		if !known {
			return q, a.stranger(p)
		}
		who := gate.ToStore(p)
		q.by = &who
		q.title += " by " + p.Display()
	}
	if q.state != "" {
		q.title += ", " + strings.ReplaceAll(q.state, "_", " ")
	}
	if w := a.Arg("when"); w != "" {
		q.title += ", since " + w
	}
	if q.Before != "" {
		q.title += ", before " + q.Before
	}
	return q, nil
}

func (a asked) stranger(p integrations.Person) error {
	var names []string
	for _, p := range a.Catalog.People {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return commands.Refuse("unknown_person", fmt.Sprintf("I know nobody called “%s”.", oneLine(p.Display(), 40))).
		WithHint("There is " + oneLine(strings.Join(names, ", "), 400) + ".").WithExample("history --by me")
}

// limit is how many are shown, and one more, by which is known whether there are more.
func (a asked) limit() (int, error) {
	word := a.Arg("limit")
	if word == "" {
		return shownUsually + 1, nil
	}
	n, err := strconv.Atoi(word)
	if err != nil || n < 1 || n > shownAtMost {
		return 0, commands.Refuse("bad_limit", fmt.Sprintf("“%s” is no number from 1 to %d.", oneLine(word, 40), shownAtMost)).
			WithHint("The button More shows the ones before.").WithExample(fmt.Sprintf("history --limit %d", shownAtMost))
	}
	return n + 1, nil
}

func (a asked) state() (string, error) {
	word := strings.ReplaceAll(integrations.Fold(a.Arg("state")), "-", "_")
	if word == "" || word == stateLive || slices.Contains(states, word) {
		return word, nil
	}
	return "", commands.Refuse("unknown_state", fmt.Sprintf("“%s” is no state of an operation.", oneLine(word, 40))).
		WithHint("There is live, " + strings.Join(states, ", ") + ".").WithExample("history --state failed")
}

func (q filters) find(tx *store.Tx) ([]*store.Operation, error) {
	find, inside := q.OperationFilter, error(nil)
	find.Keep = func(o *store.Operation) bool {
		if q.by != nil && !tookPart(o, *q.by) {
			return false
		}
		if q.state == "" {
			return true
		}
		state, err := stateOf(tx, o)
		inside = errors.Join(inside, err)
		return state == q.state || q.state == stateLive && !o.Terminal() || q.state == store.OpFailed && state == store.OpPartial
	}
	ops, err := tx.FindOperations(find)
	if err == nil {
		err = inside
	}
	return ops, err
}

// tookPart says whether somebody asked for an operation, approved it or merged it.
func tookPart(o *store.Operation, p store.Person) bool {
	who := gate.FromStore(p)
	same := func(q store.Person) bool { return gate.FromStore(q).Same(who) }
	return same(o.Requester) || same(o.MergedBy) || slices.ContainsFunc(o.Approvals, func(a store.Approval) bool { return same(a.By) })
}

// stateOf is the state as people see it: what waits for a person is called so.
func stateOf(tx *store.Tx, o *store.Operation) (string, error) {
	if o.Terminal() {
		return o.State, nil
	}
	jobs, err := tx.JobsOf(o.ID)
	state := o.State
	for _, j := range jobs {
		if slices.Contains([]string{store.JobBlocked, store.JobNeedsConfirm, store.JobUnknown}, j.State) {
			state = j.State
		}
	}
	return state, err
}

// row is one operation in a list.
func (a asked) row(o *store.Operation, state string) integrations.Rich {
	what := strings.Join(o.Targets, ", ")
	if o.Service != "" {
		what = o.Service + " → " + o.Environment
	}
	row := integrations.R(integrations.Code(o.ID), " ", what, " · ", integrations.Bold(state))
	if o.PRURL != "" {
		row = append(row, integrations.R(" · ", integrations.Link(o.PRURL, fmt.Sprintf("#%d", o.PR)))...)
	}
	row = append(row, integrations.Span{Text: " · "})
	if o.Requester != (store.Person{}) { // nobody asked for a commit that came by itself
		row = append(row, integrations.R(gate.FromStore(o.Requester).Display(), ", ")...)
	}
	row = append(row, a.when(o.Created)...)
	if o.CompareURL != "" {
		row = append(row, integrations.R(" · ", integrations.Link(o.CompareURL, "compare"))...)
	}
	return row
}

// nothing says that no operation is as somebody asked.
func (a asked) nothing(q filters) string {
	if q.by == nil && q.state == "" && q.Since.IsZero() && q.Before == "" {
		return "Nothing has been deployed from here yet."
	}
	return "Nothing: " + strings.ToLower(q.title[:1]) + q.title[1:] + ". All there is: " + commands.Prompt + " history"
}

// again is the line of the same question with one argument more, or another.
func (a asked) again(name, value string) string {
	c := *a.Call
	c.Args = map[string]string{name: value}
	for k, v := range a.Args {
		if k != name {
			c.Args[k] = v
		}
	}
	return commands.Render(&c)
}

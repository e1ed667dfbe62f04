package deploy

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/oklog/ulid/v2"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A rollback is an operation like any other: a pull request, its plan, its merge,
// its apply. It waits for no earlier environment, window or cool-down; a hold, a
// freeze and the run lock stop it as they stop everything (facts/deploy.md, c,
// plan 6). History goes forward in it: the commit that it merges stands on the
// base branch and has the tree of an earlier merge.

func (f *feature) rollbackVerb() commands.Verb {
	return commands.Verb{
		Name: "rollback", Aliases: []string{"revert", "undo"}, Summary: "Open a pull request that goes back to what was good before", Effect: commands.Changes,
		Args: []commands.Arg{
			{Name: "subject", Kind: commands.ArgThing, Help: "a service, or the operation that is to be taken back"},
			{Name: "environment", Kind: commands.ArgEnvironment, Keyword: "in", Optional: true, Help: "of a service: where"},
			{Name: "version", Kind: commands.ArgWord, Keyword: "to", Strict: true, Optional: true, Help: "an operation, SHA or version that was there; the last good one unless said"},
			{Name: "reason", Kind: commands.ArgText, Optional: true, Help: "why, as it will stand on the pull request"},
		},
		Flags:    append([]commands.Arg{directFlag}, reserveFlags...),
		Examples: []string{"rollback {service} in {environment}", "rollback {service} in {environment} to op-3 the login page is broken", "rollback op-7"},
		Detail: "It is planned, merged and applied as a deploy is, but waits for no earlier environment, deploy window or cool-down. A hold and a freeze stop it. " +
			"Of a pull request of people, the files that its merge changed go back to what they were. " +
			"With --direct, a reason and the right rollback-direct, an applier that can sets the target back to the revision on record at once, past git; the target is dirty until git agrees.",
		Decide: f.decideRollback,
	}
}

// back is what somebody asks for: one operation taken back, and where that leads.
type back struct {
	undo   *store.Operation
	infra  bool // the files that its merge changed go back
	to     good
	ships  []store.Ship
	unsafe string
}

// is says whether two are about the same.
func (b back) is(o back) bool {
	return b.undo.ID == o.undo.ID && b.to.op == o.to.op && b.to.tree == o.to.tree && b.to.version == o.to.version
}

// stamp is the version of a button for it.
func (b back) stamp() uint64 {
	return stampOf(strings.Join([]string{"rollback", b.undo.ID, b.to.op, b.to.tree, b.to.version}, "|"))
}

func (f *feature) decideRollback(ctx context.Context, c *commands.Call) (commands.Act, error) {
	if c.Arg("direct") != "" {
		return f.decideDirect(c), nil
	}
	var b back
	err := f.Store.View(func(tx *store.Tx) (err error) {
		b, err = f.whatBack(tx, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	op, err := f.requestRollback(ctx, c, b)
	if err != nil {
		return nil, err
	}
	return func(tx *store.Tx) (commands.Reply, error) {
		now, err := f.whatBack(tx, c)
		switch {
		case err != nil:
			return commands.Reply{}, err
		case !now.is(b):
			return commands.Reply{}, commands.Refuse("stale", fmt.Sprintf("%s has changed while this was worked out; it is %s now.", b.undo.ID, now.undo.State)).WithHint("Ask again.")
		}
		o := *op
		return f.begin(tx, c, &o)
	}, nil
}

// oneWord is a reason that was probably meant to be the version.
var oneWord = regexp.MustCompile(`^(?i:op-[0-9]+|[0-9a-f]{7,40}|v?[0-9]+(\.[0-9]+)+)$`)

// whatBack finds what somebody wants to take back and where that leads.
func (f *feature) whatBack(tx *store.Tx, c *commands.Call) (back, error) {
	if w := c.Arg("reason"); c.Arg("version") == "" && oneWord.MatchString(w) {
		one := *c
		one.Args = map[string]string{"version": w}
		for k, v := range c.Args {
			if k != "reason" {
				one.Args[k] = v
			}
		}
		line := commands.Render(&one)
		return back{}, commands.Refuse("which_version", fmt.Sprintf("Is “%s” what to go back to, or why?", w)).
			WithHint("Put “to” before what is to come back.").WithExample(line).WithButtons(integrations.Button{Label: line, Command: line})
	}
	if svc, ok := c.Catalog.Service(c.Arg("subject")); ok {
		return f.placeBack(tx, c, svc.Name, c.Arg("environment"), nil)
	}
	s, err := f.findAny(tx, c.Arg("subject"), c.Heard.Channel)
	if err == nil && s.pull != nil {
		s, err = f.mergedBy(tx, c, s)
	}
	switch {
	case err != nil:
		return back{}, err
	case s.op == nil:
		return back{}, commands.Refuse("no_operation", fmt.Sprintf("Nothing came of %s here that could be taken back.", c.Arg("subject"))).WithExample("history")
	case s.op.MergeSHA == "":
		r := commands.Refuse("not_merged", fmt.Sprintf("%s is %s and was never merged, so there is nothing to take back.", s.op.ID, s.op.State))
		if s.op.State == store.OpOpen || s.op.State == store.OpOpening {
			r = r.WithHint("Cancel it instead.").WithExample("cancel " + s.op.ID)
		}
		return back{}, r
	}
	if err := commands.Allow(c, "rollback", s.op.Environment); err != nil {
		return back{}, err
	}
	if s.op.Service == "" {
		return f.infraBack(tx, c, s.op)
	}
	return f.placeBack(tx, c, s.op.Service, s.op.Environment, s.op)
}

// mergedBy is the one operation that a pull request merged; several are asked about,
// whichever of them are over.
func (f *feature) mergedBy(tx *store.Tx, c *commands.Call, s subject) (subject, error) {
	if len(s.ops) == 0 {
		return s, nil
	}
	all, err := tx.OperationByPull(s.pull.RepoID, s.pull.Number)
	if err != nil {
		return s, err
	}
	if all = slices.DeleteFunc(all, func(o *store.Operation) bool { return o.MergeSHA == "" }); len(all) > 1 {
		return subject{}, severalOf(c, c.Arg("subject"), all)
	}
	return s, nil
}

// placeBack is about a service in an environment: the newest operation there is
// taken back. undo is the one that was named, nil if none was.
func (f *feature) placeBack(tx *store.Tx, c *commands.Call, service, environment string, undo *store.Operation) (back, error) {
	p, err := pastOf(tx, service, environment)
	if err != nil {
		return back{}, err
	}
	now, word := p.now(), c.Arg("version")
	line := fmt.Sprintf("rollback %s in %s", service, environment)
	switch {
	case now == nil:
		return back{}, commands.Refuse("nothing_to_roll_back", fmt.Sprintf("Nothing has been deployed to %s in %s from here, so there is nothing to roll back.", service, environment)).WithExample("history " + service)
	case undo != nil && undo.ID != now.ID:
		return back{}, commands.Refuse("not_newest", fmt.Sprintf("%s was deployed since: roll back %s from its card.", now.ID, now.ID)).
			WithHint("To go further back, say to what.").WithExample(line + p.example(undo))
	case undo == nil && word == "" && now.Rollback:
		r := commands.Refuse("rolled_back", fmt.Sprintf("%s in %s was rolled back already: %s took it to %s, and is %s.", service, environment, now.ID, at(now), now.State)).
			WithHint("Take " + now.ID + " back, or say what else is to come back." + p.offers(3)).WithExample(line + p.example(nil))
		if g, ok := p.last(); ok {
			b := back{undo: now, to: g}
			r = r.WithButtons(backButton(b))
		}
		return back{}, r
	case word != "" && p.isNow(word):
		return back{}, commands.Refuse("nothing_to_roll_back", fmt.Sprintf("There is nothing to roll back: %s in %s is at %s already.", service, environment, word)).WithHint(strings.TrimSpace(p.offers(3)))
	}
	b, ok := back{undo: now}, false
	if word != "" {
		if b.to, ok = p.named(word); !ok {
			return back{}, commands.Refuse("not_good", fmt.Sprintf("“%s” is nothing that succeeded for %s in %s.", word, service, environment)).
				WithHint(strings.TrimSpace(p.offers(3))).WithExample(line + p.example(nil))
		}
	} else if b.to, ok = p.last(); !ok {
		return back{}, commands.Refuse("nothing_to_roll_back", fmt.Sprintf("There is nothing to roll back to: nothing good came before %s in %s.", now.ID, environment)).WithExample("history " + service)
	}
	if c.Version != 0 && c.Version != b.stamp() {
		return back{}, commands.Refuse("stale", "What a rollback of "+now.ID+" would bring back has changed since this button was drawn.").WithExample(line)
	}
	taken := p.taken(b.to)
	b.ships = shipsOf(taken)
	b.unsafe, err = unsafe(tx, taken, now.Targets)
	return b, err
}

// at is where an operation brought its service: a version or a SHA.
func at(o *store.Operation) string {
	if o.Strategy == "pin" {
		return version(o.To)
	}
	return short(o.ToSHA)
}

// offers names the newest few that can be gone back to.
func (p past) offers(most int) string {
	var out []string
	for _, g := range p.goods {
		if len(out) < most && !p.there(g) {
			out = append(out, g.told())
		}
	}
	if len(out) == 0 {
		return ""
	}
	return " The last good ones: " + strings.Join(out, "; ") + "."
}

// example ends a line with the newest that can be gone back to, from before an
// operation if one is given.
func (p past) example(before *store.Operation) string {
	for _, g := range p.goods {
		switch {
		case p.there(g), before != nil && !g.at.Before(before.Merged):
		case g.op == "":
			return " to " + g.label()
		default:
			return " to " + g.op
		}
	}
	return ""
}

// infraBack is about a merge of people: what it changed goes back.
func (f *feature) infraBack(tx *store.Tx, c *commands.Call, op *store.Operation) (back, error) {
	if w := c.Arg("version"); w != "" {
		return back{}, commands.Refuse("no_version", fmt.Sprintf("What %s changed goes back to what it was before; it cannot go to “%s”.", op.ID, w)).WithExample("rollback " + op.ID)
	}
	b := back{undo: op, infra: true}
	if c.Version != 0 && c.Version != b.stamp() {
		return back{}, commands.Refuse("stale", op.ID+" has changed since this button was drawn.").WithExample("rollback " + op.ID)
	}
	b.ships = []store.Ship{{Number: op.PR, Title: op.Reason, Author: op.Requester.GitHub, URL: op.PRURL}}
	if op.Rollback || op.PR == 0 {
		b.ships = op.Ships
	}
	var err error
	b.unsafe, err = unsafe(tx, []*store.Operation{op}, op.Targets)
	return b, err
}

// requestRollback works out the operation. Having nothing to change is a refusal.
func (f *feature) requestRollback(ctx context.Context, c *commands.Call, b back) (*store.Operation, error) {
	env, ok := c.Catalog.Environment(b.undo.Environment)
	if !ok {
		return nil, commands.Refuse("unknown_environment", fmt.Sprintf("No environment is called “%s” any more.", b.undo.Environment))
	}
	op := &store.Operation{
		Nonce: ulid.Make().String(), State: store.OpOpening, Kind: "deploy", Strategy: "restore", Environment: env.Name, Targets: b.undo.Targets,
		RepoID: b.undo.RepoID, Repo: b.undo.Repo, Base: b.undo.Base, Reason: c.Arg("reason"), Requester: gate.ToStore(c.Who),
		Rollback: true, Undoes: b.undo.ID, Back: b.to.op, Ships: b.ships, Unsafe: b.unsafe, TreeOf: b.undo.MergeSHA,
		Again: b.undo.Rollback && (b.infra || b.to.op == b.undo.Undoes),
	}
	for _, s := range b.ships {
		op.Commits += s.Commits
	}
	f.spoken(c, env, op)
	if b.infra {
		return op, f.requestRestore(ctx, op)
	}
	svc, ok := c.Catalog.Service(b.undo.Service)
	se, runs := svc.Environments[env.Name]
	if !ok || !runs {
		return nil, commands.Refuse("no_such_place", fmt.Sprintf("%s does not run in %s any more.", b.undo.Service, env.Name))
	}
	op.Service, op.Strategy, op.Targets, op.TreeOf = svc.Name, b.undo.Strategy, se.Targets, b.to.tree
	if svc.Strategy != op.Strategy || svc.Repository != op.Repo || se.Branch != op.Base {
		return nil, commands.Refuse("moved_house", fmt.Sprintf("%s was deployed another way then: by %s in %s on %s.", svc.Name, op.Strategy, op.Repo, op.Base)).
			WithHint("Deploy a version that is good.").WithExample(fmt.Sprintf("deploy %s to %s", svc.Name, env.Name))
	}
	if svc.Strategy == "pin" {
		op.ToSHA, op.To = b.to.sha, b.to.version
		return op, f.requestUnpin(ctx, svc, se, op)
	}
	op.From, op.ToSHA = b.undo.ToSHA, b.to.sha
	return op, f.requestTree(ctx, op)
}

// requestUnpin finds what stands in the file now.
func (f *feature) requestUnpin(ctx context.Context, svc integrations.Service, se integrations.ServiceEnvironment, op *store.Operation) error {
	var err error
	if op.FromSHA, err = f.Forge.BranchHead(ctx, op.Repo, op.Base); err != nil {
		return err
	}
	if op.From, err = f.pinned(ctx, svc, se, op.FromSHA, op.To); err != nil {
		return err
	}
	if op.From == op.To {
		return nothingBack(op, version(op.To))
	}
	if svc.Source != "" {
		if cmp, err := f.Forge.Compare(ctx, svc.Source, op.To, op.From); err == nil {
			op.Commits, op.CompareURL = len(cmp.Commits), cmp.URL
		}
	}
	return nil
}

// requestTree compares what stands on the base branch with what comes back.
func (f *feature) requestTree(ctx context.Context, op *store.Operation) error {
	var err error
	if op.FromSHA, err = f.Forge.BranchHead(ctx, op.Repo, op.Base); err != nil {
		return err
	}
	same, err := f.sameTree(ctx, op.Repo, op.FromSHA, op.TreeOf)
	if err != nil {
		return err
	}
	if same {
		return nothingBack(op, short(op.ToSHA))
	}
	if cmp, err := f.Forge.Compare(ctx, op.Repo, op.TreeOf, op.FromSHA); err == nil {
		op.CompareURL = cmp.URL
	} else if !errors.Is(err, integrations.ErrNotFound) {
		return err
	}
	return nil
}

func nothingBack(op *store.Operation, at string) error {
	return commands.Refuse("nothing_to_roll_back", fmt.Sprintf("There is nothing to roll back: %s in %s is at %s already.", op.Service, op.Environment, at)).
		WithHint("No pull request was opened.").WithExample("history " + op.Service)
}

// shipsOf lists what goes with some operations. What a rollback took back goes
// nowhere, unless that rollback itself is what is taken back: then it comes again.
func shipsOf(ops []*store.Operation) []store.Ship {
	var out []store.Ship
	for _, o := range ops {
		if !o.Rollback || len(ops) == 1 {
			out = append(out, o.Ships...)
		}
	}
	return out
}

// unsafe says why going back may not be enough: what was destroyed does not come
// back with its data, and what others changed on the targets since was never
// tried with what comes back. "" if nothing is known.
func unsafe(tx *store.Tx, taken []*store.Operation, targets []string) (string, error) {
	var why []string
	for _, o := range taken {
		jobs, err := (subject{op: o}).applies(tx)
		if err != nil {
			return "", err
		}
		var gone []string
		for _, j := range jobs {
			if j.Phase == phaseApply {
				gone = append(gone, destroys(recordOf(j).Plans)...)
			}
		}
		if len(gone) > 0 {
			why = append(why, fmt.Sprintf("%s destroyed or replaced %s, and the data in that does not come back", o.ID, strings.Join(gone[:min(5, len(gone))], ", ")))
		}
	}
	seen := map[string]bool{}
	for _, o := range taken {
		seen[o.ID] = true
	}
	for _, t := range targets {
		ops, err := tx.OperationsByTarget(t, 50)
		if err != nil {
			return "", err
		}
		for _, o := range ops {
			if len(taken) == 0 || seen[o.ID] || o.MergeSHA == "" || o.State == store.OpClosed || o.State == store.OpNoop || !o.Merged.After(taken[0].Merged) {
				continue
			}
			seen[o.ID] = true
			why = append(why, fmt.Sprintf("%s (%s) changed %s since", o.ID, title(o), t))
		}
	}
	return strings.Join(why, "; "), nil
}

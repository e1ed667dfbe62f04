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

func (f *feature) deployVerb() commands.Verb {
	return commands.Verb{
		Name:    "deploy",
		Aliases: []string{"ship", "release"},
		Summary: "Open a deploy pull request, with its plan",
		Effect:  commands.Changes,
		Args: []commands.Arg{
			{Name: "service", Kind: commands.ArgService, Help: "what to deploy"},
			{Name: "ref", Kind: commands.ArgRef, Optional: true, Help: "a branch, tag or SHA; the service's own branch unless said"},
			{Name: "environment", Kind: commands.ArgEnvironment, Keyword: "to", Help: "where to"},
			{Name: "reason", Kind: commands.ArgText, Optional: true, Help: "why, as it will stand on the pull request"},
		},
		Flags: append([]commands.Arg{{Name: "fix", Kind: commands.ArgBool, Optional: true, Help: "it sets right what a failed apply or handwork left dirty"}},
			reserveFlags...),
		Examples: []string{"deploy {service} to {environment}", "deploy {service} v1.4.1 to {environment} fixes the login page"},
		Detail:   "It opens a pull request and plans it. Nothing is changed until the pull request is merged, here or on GitHub; the merge starts the apply.",
		Decide:   f.decideDeploy,
	}
}

func (f *feature) decideDeploy(ctx context.Context, c *commands.Call) (commands.Act, error) {
	op, err := f.request(ctx, c)
	if err != nil {
		return nil, err
	}
	return func(tx *store.Tx) (commands.Reply, error) {
		o := *op
		return f.begin(tx, c, &o)
	}, nil
}

// begin takes in a request that was worked out: its operation, its card, and the
// opening of its pull request.
func (f *feature) begin(tx *store.Tx, c *commands.Call, o *store.Operation) (commands.Reply, error) {
	reply := commands.Reply{Service: o.Service, Environment: o.Environment}
	var err error
	if o.ID, err = tx.NextID("op"); err != nil { // a refusal gives the number back
		return reply, err
	}
	if err := f.mayBegin(tx, c, o); err != nil {
		return reply, err
	}
	place := o.Service + "-" + o.Environment
	if o.Service == "" {
		place = strings.ReplaceAll(o.Targets[0], "/", "-")
	}
	o.Branch = fmt.Sprintf("signalbox/%s-%s", place, o.ID)
	o.Created = f.Clock.Now()
	if err := tx.PutOperation(o); err != nil {
		return reply, err
	}
	if err := f.openCard(tx, o); err != nil {
		return reply, err
	}
	reply.Subject = o.ID
	if o.Waits != "" {
		return reply, nil
	}
	return reply, f.queueOpen(tx, o, "")
}

// request works out what a deploy would ship. Having nothing to ship is a refusal.
func (f *feature) request(ctx context.Context, c *commands.Call) (*store.Operation, error) {
	svc, ok := c.Catalog.Service(c.Arg("service"))
	if !ok {
		return nil, commands.Refuse("unknown_service", fmt.Sprintf("No service is called “%s”.", c.Arg("service")))
	}
	env, ok := c.Catalog.Environment(c.Arg("environment"))
	if !ok {
		return nil, commands.Refuse("unknown_environment", fmt.Sprintf("No environment is called “%s”.", c.Arg("environment")))
	}
	se, ok := svc.Environments[env.Name]
	if !ok {
		var has []string
		for name := range svc.Environments {
			has = append(has, name)
		}
		slices.Sort(has)
		return nil, commands.Refuse("no_such_place", fmt.Sprintf("%s does not run in %s.", svc.Name, env.Name)).
			WithHint("It runs in " + strings.Join(has, ", ") + ".").WithExample(fmt.Sprintf("deploy %s to %s", svc.Name, has[0]))
	}
	id, err := f.Forge.RepoID(ctx, svc.Repository)
	if err != nil {
		return nil, err
	}
	op := &store.Operation{
		Nonce: ulid.Make().String(), State: store.OpOpening, Kind: "deploy", Strategy: svc.Strategy,
		Service: svc.Name, Environment: env.Name, Targets: se.Targets,
		RepoID: id, Repo: svc.Repository, Base: se.Branch,
		Fix: c.Arg("fix") != "", Ref: c.Arg("ref"), Reason: c.Arg("reason"), Requester: gate.ToStore(c.Who),
	}
	f.spoken(c, env, op)
	if svc.Strategy == "pin" {
		return op, f.requestPin(ctx, svc, se, op)
	}
	return op, f.requestPromote(ctx, svc, op)
}

// spoken notes where an operation was asked for, which is where it is shown.
func (f *feature) spoken(c *commands.Call, env integrations.Environment, op *store.Operation) {
	op.Channel = c.Heard.Channel
	switch {
	case c.Heard.App:
		op.Channel, op.Asked = f.home(env), "in Slack"
	case c.Heard.Private:
		op.Channel, op.Asked = f.home(env), "in a direct message"
	case c.Heard.Kind == "host":
		op.Channel, op.Asked = f.home(env), "on the host"
	case c.Heard.ChannelName != "":
		op.Asked = "in #" + c.Heard.ChannelName
	default:
		op.Asked = "in Slack"
	}
}

// home is the channel where an environment's operations are shown when nobody
// spoke in one.
func (f *feature) home(env integrations.Environment) string {
	if len(env.Channels) == 0 {
		return ""
	}
	return f.Channel(env.Channels[0])
}

// mayBegin refuses what somebody's hold forbids, and has the request wait for
// what reserves its targets if the person said so.
func (f *feature) mayBegin(tx *store.Tx, c *commands.Call, o *store.Operation) error {
	q := gate.Question{At: gate.AtCommand, Now: f.Clock.Now(), Catalog: c.Catalog, Environment: o.Environment, Service: o.Service,
		Targets: o.Targets, Actor: c.Who, Requester: c.Who, Explicit: true, Op: o}
	if closed := gate.Ask(tx, q); len(closed) > 0 {
		return f.dirtyButtons(tx, c, closed, heldRefusal(tx, c, o.Environment, closed))
	}
	return f.reserve(tx, c, o)
}

// heldRefusal names every closed gate and what opens it, and offers to ask those
// who hold something.
func heldRefusal(tx *store.Tx, c *commands.Call, environment string, closed []gate.Closed) error {
	var what, opens []string
	for _, g := range closed {
		what = append(what, g.Says())
		if g.Opens != "" && !slices.Contains(opens, g.Opens) {
			opens = append(opens, g.Opens)
		}
	}
	r := commands.Refuse(closed[0].Gate, upper(strings.Join(what, "; "))+".")
	if len(opens) > 0 {
		r.Hint = "What opens it: " + strings.Join(opens, "; ") + "."
	}
	ways, err := gate.Ways(tx, c.Catalog, c.Who, environment, closed)
	if err != nil {
		return err
	}
	return r.WithButtons(ways...)
}

// upper begins a sentence; a name such as "web/production" keeps its case.
func upper(s string) string {
	first, _, _ := strings.Cut(s, " ")
	if s == "" || strings.ContainsAny(first, "/-_.") {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// requestPromote resolves the ref once; the head of a promotion does not move.
func (f *feature) requestPromote(ctx context.Context, svc integrations.Service, op *store.Operation) error {
	ref := op.Ref
	if ref == "" {
		ref = svc.Branch
	}
	sha, err := f.resolveRef(ctx, svc.Repository, ref, svc, op)
	if err != nil {
		return err
	}
	from, err := f.Forge.BranchHead(ctx, svc.Repository, op.Base)
	if errors.Is(err, integrations.ErrNotFound) {
		return commands.Refuse("no_branch", fmt.Sprintf("%s has no branch %s, which %s deploys to.", svc.Repository, op.Base, op.Environment)).
			WithHint("Create it at the commit that runs there now.")
	} else if err != nil {
		return err
	}
	op.Ref, op.ToSHA, op.Head = ref, sha, sha
	nothing, err := f.chart(ctx, op, from)
	if err != nil {
		return err
	}
	if nothing {
		return commands.Refuse("nothing_to_ship", fmt.Sprintf("There is nothing to ship: %s is at %s, and all of %s (%s) is in it.", op.Base, short(from), ref, short(sha))).
			WithHint("No pull request was opened.").WithExample("history " + svc.Name)
	}
	return nil
}

var looksLikeSHA = regexp.MustCompile(`^[0-9a-fA-F]{7,40}$`)

// resolveRef finds the commit that a ref names. GitHub also answers for commits
// that only a fork has, so one named by its SHA must be on the service's branch.
func (f *feature) resolveRef(ctx context.Context, repo, ref string, svc integrations.Service, op *store.Operation) (string, error) {
	sha, err := f.Forge.Resolve(ctx, repo, ref)
	if errors.Is(err, integrations.ErrNotFound) {
		return "", commands.Refuse("unknown_ref", fmt.Sprintf("%s has no branch, tag or commit “%s”.", repo, ref)).
			WithHint(fmt.Sprintf("Without a ref, %s is deployed from %s.", svc.Name, svc.Branch)).
			WithExample(fmt.Sprintf("deploy %s to %s", svc.Name, op.Environment))
	}
	if err != nil || !looksLikeSHA.MatchString(ref) || !strings.HasPrefix(sha, strings.ToLower(ref)) {
		return sha, err
	}
	cmp, err := f.Forge.Compare(ctx, repo, svc.Branch, sha)
	if err != nil {
		return "", err
	}
	if cmp.Ahead > 0 {
		return "", commands.Refuse("not_on_branch", fmt.Sprintf("Commit %s is not on %s of %s.", short(sha), svc.Branch, repo)).
			WithHint("A commit is deployed by its SHA only once it was merged; a branch may be named.").WithExample(fmt.Sprintf("deploy %s to %s", svc.Name, op.Environment))
	}
	return sha, nil
}

// requestPin finds the version that the file would be set to.
func (f *feature) requestPin(ctx context.Context, svc integrations.Service, se integrations.ServiceEnvironment, op *store.Operation) error {
	version := op.Ref
	if svc.Source != "" {
		ref := op.Ref
		if ref == "" {
			ref = svc.Branch
		}
		sha, err := f.resolveRef(ctx, svc.Source, ref, svc, op)
		if err != nil {
			return err
		}
		op.Ref, op.ToSHA = ref, sha
		if version == "" || version == svc.Branch {
			version = sha
		}
	}
	if version == "" {
		return commands.Refuse("no_version", fmt.Sprintf("Which version of %s?", svc.Name)).
			WithExample(fmt.Sprintf("deploy %s 1.4.2 to %s", svc.Name, op.Environment))
	}
	from, err := f.Forge.BranchHead(ctx, svc.Repository, op.Base)
	if err != nil {
		return err
	}
	old, err := f.pinned(ctx, svc, se, from, version)
	if err != nil {
		return err
	}
	op.FromSHA, op.From, op.To = from, old, version
	if old == version {
		return commands.Refuse("nothing_to_ship", fmt.Sprintf("There is nothing to ship: %s in %s is at %s already.", svc.Name, op.Environment, version)).
			WithHint("No pull request was opened.").WithExample("history " + svc.Name)
	}
	if svc.Source != "" {
		f.describePin(ctx, svc, op)
	}
	return nil
}

// pinned is the version that stands in the file of a service at a commit, where
// another one could be set.
func (f *feature) pinned(ctx context.Context, svc integrations.Service, se integrations.ServiceEnvironment, at, version string) (string, error) {
	content, _, err := f.Forge.ReadFile(ctx, svc.Repository, se.File, at)
	if errors.Is(err, integrations.ErrNotFound) {
		return "", commands.Refuse("no_file", fmt.Sprintf("%s has no file %s on %s, where the version of %s stands.", svc.Repository, se.File, se.Branch, svc.Name))
	} else if err != nil {
		return "", err
	}
	_, old, err := setVersion(se.File, content, se.Key, version)
	if err != nil {
		return "", commands.Refuse("no_key", fmt.Sprintf("The version of %s cannot be set: %v.", svc.Name, err))
	}
	return old, nil
}

// describePin adds what the source repository knows of the two versions; a
// version that is no ref there leaves the description out.
func (f *feature) describePin(ctx context.Context, svc integrations.Service, op *store.Operation) {
	cmp, err := f.Forge.Compare(ctx, svc.Source, op.From, op.ToSHA)
	if err != nil {
		f.Log.Info("no comparison for a pin", "service", svc.Name, "from", op.From, "to", op.To, "error", err)
		return
	}
	op.Commits, op.CompareURL = len(cmp.Commits), cmp.URL
	for _, c := range cmp.Commits {
		op.Authored = append(op.Authored, c.At)
	}
}

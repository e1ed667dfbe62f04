// Package deploy is the main job: a request in chat becomes a deploy pull
// request, every pull request that touches a target is planned, and its merge
// becomes an apply for each target. It owns operations and their cards.
package deploy

import (
	"context"
	"log/slog"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// reader is what this feature asks of GitHub; changer is what it does there.
type reader interface {
	RepoID(ctx context.Context, repo string) (int64, error)
	Resolve(ctx context.Context, repo, ref string) (string, error)
	BranchHead(ctx context.Context, repo, branch string) (string, error)
	Compare(ctx context.Context, repo, base, head string) (integrations.Comparison, error)
	PullsOfCommit(ctx context.Context, repo, sha string) ([]integrations.PullRequest, error)
	ReadFile(ctx context.Context, repo, path, ref string) (content []byte, blob string, err error)
	Pull(ctx context.Context, repo string, number int) (integrations.PullRequest, error)
	FindPull(ctx context.Context, repo, head, base string) (integrations.PullRequest, error)
	OpenPulls(ctx context.Context, repo string) ([]integrations.PullRequest, error)
	RecentPulls(ctx context.Context, repo, base string, since time.Time) ([]integrations.PullRequest, error)
	PullFiles(ctx context.Context, repo string, number int) (files []string, truncated bool, err error)
	Reviews(ctx context.Context, repo string, number int) ([]integrations.Review, error)
	// Retargeted is when a pull request was last turned to another base branch;
	// zero where it never was.
	Retargeted(ctx context.Context, repo string, number int) (time.Time, error)
	// BodyEditor is the login of who last edited a pull request's text; "" where
	// nobody did or GitHub does not tell.
	BodyEditor(ctx context.Context, repo string, number int) (string, error)
	Checks(ctx context.Context, repo, sha string) ([]integrations.Check, error)
	Login(ctx context.Context) (string, error)
	FailedDeliveries(ctx context.Context, repo string, since time.Time) ([]integrations.Delivery, error)
}

type changer interface {
	Redeliver(ctx context.Context, repo string, d integrations.Delivery) error
	CreateBranch(ctx context.Context, repo, branch, sha string) error
	DeleteBranch(ctx context.Context, repo, branch string) error
	CreateCommit(ctx context.Context, repo string, c integrations.NewCommit) (string, error)
	MoveBranch(ctx context.Context, repo, branch, sha string) error
	UpdatePull(ctx context.Context, repo string, number int, title, body string) error
	CommitFile(ctx context.Context, repo, branch, path string, content []byte, blob, message string) (string, error)
	OpenPull(ctx context.Context, repo string, p integrations.NewPull) (integrations.PullRequest, error)
	MergePull(ctx context.Context, repo string, number int, head, title string) (string, error)
	AssignPull(ctx context.Context, repo string, number int, login string) error
	ClosePull(ctx context.Context, repo string, number int) error
}

// Forge is both.
type Forge interface {
	reader
	changer
}

// Trees are the local mirrors and work trees of repositories.
type Trees interface {
	// Fetch brings the mirror up to date, so that sha is in it.
	Fetch(ctx context.Context, repo, sha string) error
	// Ahead lets the mirror fetch what will be asked for soon. It never waits.
	Ahead(repo, sha string)
	Checkout(ctx context.Context, repo, sha, dir string) error
	Remove(ctx context.Context, repo, dir string) error
	// Position counts the first parents of sha: its place on the base branch.
	Position(ctx context.Context, repo, sha string) (uint64, error)
	// Since lists the first-parent commits after from up to to, oldest first.
	Since(ctx context.Context, repo, from, to string) ([]string, error)
	// Touched names the files that head changed since it parted from base.
	Touched(ctx context.Context, repo, base, head string) ([]string, error)
	// Contains says whether head has sha in its history.
	Contains(ctx context.Context, repo, head, sha string) (bool, error)
	// Introduced names the files in which sha differs from its first parent.
	Introduced(ctx context.Context, repo, sha string) ([]string, error)
	// Parent is the first parent of sha.
	Parent(ctx context.Context, repo, sha string) (string, error)
	// Merged is the second parent of sha, "" where it is no merge.
	Merged(ctx context.Context, repo, sha string) (string, error)
	// Tree is the SHA of the files of sha, all together.
	Tree(ctx context.Context, repo, sha string) (string, error)
	// File is the text of a file of sha; ErrNotFound where it holds none.
	File(ctx context.Context, repo, sha, path string) ([]byte, error)
	// Blobs are the files of sha by path; a path that it does not hold is left out.
	Blobs(ctx context.Context, repo, sha string, paths []string) (map[string]integrations.FileChange, error)
}

// Deps are what the feature works with.
type Deps struct {
	Store   *store.Store
	Forge   Forge
	Trees   Trees
	Clock   clock.Clock
	Log     *slog.Logger
	Catalog func() *integrations.Catalog
	// Roster says who is on call; nil is the one in the configuration.
	Roster integrations.Roster
	// Scaling keeps auto scaling groups still; nil where none can be.
	Scaling Scaling
	// Ingress opens ports for steps that need one; nil where none can be.
	Ingress integrations.IngressWindow
	// Poll is how often the reconciler walks GitHub.
	Poll time.Duration
	// Hooks is how often webhooks that did not arrive are looked for and asked for
	// again; 0 where none come in, or ours cannot be told from others'.
	Hooks time.Duration
	// Channel turns a channel's name into its id; where it cannot, the name stays.
	Channel func(name string) string
}

type feature struct {
	Deps
	times openTimes
}

// New is the feature.
func New(d Deps) commands.Feature {
	if d.Roster == nil {
		d.Roster = integrations.ConfiguredRoster(d.Catalog)
	}
	f := &feature{Deps: d}
	ticks := []commands.Tick{
		{Name: "reconcile", Every: d.Poll, Run: f.reconcile},
		{Name: "expire confirmations", Every: 15 * time.Minute, Run: f.expire},
		{Name: "what waits", Every: time.Minute, Run: f.waiting},
		{Name: "show anew", Every: showEvery, Run: f.showAnew},
		{Name: "drift", Every: time.Minute, Run: f.drifts},
	}
	if d.Hooks > 0 {
		ticks = append(ticks, commands.Tick{Name: "lost webhooks", Every: d.Hooks, Run: f.redeliver})
	}
	return commands.Feature{
		Name: "deploy", Words: map[string]string{"ja": ja},
		Verbs: f.verbs(),
		Events: map[string]commands.Handler{
			"github.pull_request":        f.ahead(f.onPull),
			"github.pull_request_review": f.onReview,
			"github.push":                f.ahead(f.onPush),
			"github.status":              f.onCheck,
			"github.check_run":           f.onCheck,
			"github.check_suite":         f.onCheck,
		},
		Ticks: ticks,
		Kinds: []runner.Kind{
			{Name: kindOpen, Gate: f.openGate, Run: f.open, Changed: f.openChanged},
			{Name: kindPlan, Heavy: true, Run: f.plan, Changed: f.planChanged},
			{Name: kindMerge, Gate: f.inOrder, Run: f.merge, Changed: f.mergeChanged},
			{Name: kindClose, Run: f.close, Changed: f.closeChanged},
			{Name: kindTidy, Run: f.tidy},
			{Name: kindFacts, Quiet: true, Run: f.facts},
			{Name: kindWatch, Run: f.watch},
			{Name: kindNewer, Run: f.newer},
			{Name: kindBoxes, Quiet: true, Run: f.turnBoxes},
			{Name: kindInclude, Run: f.include, Changed: f.includeChanged},
			{Name: kindApply, Heavy: true, Facts: f.applyFacts, Gate: f.applyGate, Deadline: f.deadline, Run: f.apply, Changed: f.applyChanged},
			{Name: kindRevert, Heavy: true, Gate: f.revertGate, Run: f.revert, Changed: f.revertChanged},
			{Name: kindDrift, Quiet: true, Heavy: true, Run: f.drift, Changed: f.driftChanged},
			{Name: kindAuto, Run: f.auto},
			{Name: kindRecord, Run: f.record, Changed: f.recordChanged},
			{Name: kindProbe, Heavy: true, Run: f.probe, Changed: f.probeChanged},
			{Name: kindMend, Heavy: true, Gate: f.mendGate, Run: f.mend, Changed: f.mendChanged},
		},
		Cards: f.cards(),
	}
}

func (f *feature) cards() map[string]tell.Card {
	return map[string]tell.Card{
		cardOperation:  f.operationCard,
		cardLog:        f.logCard,
		cardLogFile:    f.logFileCard,
		cardConfirm:    f.confirmCard,
		cardPlan:       f.planCard,
		cardComment:    f.commentCard,
		cardGate:       f.gateCard,
		cardTarget:     f.targetCard,
		cardDeployment: f.deploymentCard,
		cardAttention:  f.attentionCard,
		cardAsk:        f.askCard,
		cardPass:       f.passCard,
		cardWaived:     f.waivedCard,
		cardDirect:     f.directCard,
		cardReview:     f.reviewCard,
		cardOpened:     f.openedCard,
		cardStopped:    f.stoppedCard,
		cardCheck:      f.checkCard,
		cardLive:       f.liveCard,
		cardDrift:      f.driftCard,
		cardBlind:      f.blindCard,
		cardFinished:   f.finishedCard,
		cardPulled:     f.pulledCard,
		cardBots:       f.botsCard,
		cardGraph:      f.graphCard,
		cardReleases:   f.releasesCard,
		cardMend:       f.mendCard,
	}
}

// The kinds of jobs.
const (
	kindOpen    = "open"    // branch and pull request of an operation
	kindPlan    = "plan"    // one target at one head
	kindMerge   = "merge"   // the merge that somebody asked for in chat
	kindClose   = "close"   // close the pull request of a cancelled operation
	kindTidy    = "tidy"    // delete the branch of a closed pull request
	kindWatch   = "watch"   // find out how new commits came to a watched branch
	kindApply   = "apply"   // one target at one merge
	kindNewer   = "newer"   // count what came to the source branch since
	kindFacts   = "facts"   // read what the gates need to know of a pull request
	kindInclude = "include" // move a promotion's head on to what is newer
	kindBoxes   = "boxes"   // have the boxes of a deploy pull request show who has checked
	kindDrift   = "drift"   // look whether a target is still as it was merged
	kindAuto    = "auto"    // open the deploy that a merge to the service's branch asks for
	kindRecord  = "record"  // open the pull request that records a drift
	kindProbe   = "probe"   // look at what an interrupted apply left
	kindMend    = "mend"    // set right what a job met or left, as a person asked
)

func (f *feature) verbs() []commands.Verb {
	return []commands.Verb{
		f.deployVerb(), f.planVerb(), f.mergeVerb(), f.approveVerb(), f.confirmVerb(),
		f.cancelVerb(), f.retryVerb(), f.resolveVerb(), f.includeVerb(), f.rollbackVerb(), f.logVerb(), f.driftVerb(), f.reapplyVerb(), f.recordVerb(), f.deliveriesVerb(),
		f.whyVerb(), f.passVerb(), f.signVerb(), f.waiveVerb(), f.keepVerb(), f.checkedVerb(), f.mendVerb(),
	}
}

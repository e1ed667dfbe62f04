package deploy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The rules of the interlocking are those of facts/deploy.md, section (c), as
// DESIGN.md section 4 settles them. They stand below in the order of that section,
// each with the test that holds it: say the rule, and the test says whether it is
// so. One that is not taken over, or not built yet, says why.
//
// TestEveryRuleHasATest finds each test by name. A test called TestRule… in these
// packages has its line here.

// rule is one sentence of the specification.
type rule struct {
	says string
	dir  string // of the package that holds it, from the root of the repository
	test string
	not  string // why there is none
}

const (
	here    = "commands/deploy"
	desk    = "commands/lock"
	gates   = "commands/gate"
	running = "commands/runner"
	whole   = "bot"
	kept    = "store"
)

var rules = slices.Concat(lockRules, holdRules, gateRules, planRules, orderRules, applyRules, failureRules, peopleRules, crashRules, restRules)

var lockRules = []rule{
	{says: "two services may share one target", dir: here, test: "TestRuleTwoServicesMayShareATarget"},
	{says: "a run lock is one job's", dir: kept, test: "TestRuleARunLockIsOneJobs"},
	{says: "one job at a time on a target, in order", dir: running, test: "TestRuleOneAtATimeOnATarget"},
	{says: "the run lock is taken in the transaction that moves the job to preparing, and dropped in the one that ends it", dir: running, test: "TestRuleTheRunLockComesAndGoesWithTheState"},
	{says: "unknown keeps the run lock", dir: running, test: "TestRuleUnknownKeepsTheRunLockAndNoMachineRetries"},
	{says: "all targets of a job in one transaction, all or nothing", not: "a job has one target (DESIGN.md section 4); the jobs of an operation are queued in one transaction, and its waves keep their order"},
	{says: "a reservation stands from the request to the close, the abandon or the apply; merged and not applied keeps it", dir: here, test: "TestRuleAReservationEndsWithItsPullRequestOrItsApply"},
	{says: "a failed apply keeps the reservation", not: "its operation is over; the dirty hold that it leaves lets only its retry, a fix or a rollback pass, which says more"},
	{says: "merged jobs queue and never exclude one another", dir: here, test: "TestRuleMergedJobsNeverExcludeEachOther"},
	{says: "a second request shows the first and offers to queue", dir: here, test: "TestRuleASecondRequestQueuesOrSupersedes"},
	{says: "supersede closes the first", dir: here, test: "TestRuleSupersedeClosesTheOpenOne"},
	{says: "a closed pull request frees what it held and nothing else", dir: here, test: "TestRuleAClosedPullRequestFreesItsOwnTargetsAlone"},
	{says: "a pull request is its repository's id and its number, never a prefix", dir: kept, test: "TestRulePullRequestsAreComparedWhole"},
	{says: "a plan that ends after the close looks at the pull request again", dir: here, test: "TestRuleAPlanThatEndsAfterTheCloseTakesNothing"},
	{says: "a run lock that is given back starts the next at once", dir: running, test: "TestRuleAReleasedRunLockStartsTheNextAtOnce"},
	{says: "a lock that cannot be read holds", dir: kept, test: "TestRuleALockThatCannotBeReadHolds"},
}

var holdRules = []rule{
	{says: "a hold has an owner, a reason, a scope and an end, eight hours on", dir: desk, test: "TestRuleHoldHasOwnerReasonScopeAndEnd"},
	{says: "for a scope of several environments the right is wanted in each", dir: desk, test: "TestRuleTheRightIsWantedInEveryEnvironment"},
	{says: "several holds coexist", dir: desk, test: "TestRuleHoldsCoexist"},
	{says: "a hold covers its scope, whoever changes what is in it", dir: gates, test: "TestRuleAHoldStopsAllButItsOwnersOwnAct"},
	{says: "the owner of a hold passes by an act of their own, and not because they pressed merge for another", dir: here, test: "TestRuleAHoldOwnerPassesByTheirOwnActAlone"},
	{says: "a nag before the end, then every three hours", dir: desk, test: "TestRuleNagBeforeExpiryThenEveryThreeHours"},
	{says: "a hold that expires asks the channel", dir: desk, test: "TestRuleExpiredAsksTheChannel"},
	{says: "a freeze stops its owner, too", dir: here, test: "TestRuleAFreezeStopsItsOwner"},
	{says: "a freeze is lifted by whoever may freeze", dir: desk, test: "TestRuleFreezeIsLiftedByWhoeverMayFreeze"},
	{says: "a stop of everything, and go", dir: desk, test: "TestRuleStopAndGo"},
	{says: "break-glass wants its right and a reason, and is posted", dir: here, test: "TestRuleBreakGlassWantsARightAndAReasonAndIsPosted"},
	{says: "an open incident alone passes no freeze", dir: here, test: "TestRuleAFreezeIsNotPassedWithAnIncidentAlone"},
	{says: "alone at night wants an incident and the call", dir: here, test: "TestRuleAloneAtNightNeedsAnIncidentAndTheCall"},
	{says: "where nobody is configured as on call, break-glass stands for that; where somebody is, it does not", dir: here, test: "TestRuleWhoPassesWhatAlone"},
	{says: "alone never passes a hold or a dirty target", dir: here, test: "TestRuleAloneNeverPassesAHoldOrADirtyTarget"},
	{says: "a window has a time zone and may cross midnight", dir: "integrations/kit/calendar", test: "TestAWindowMayRunPastMidnight"},
	{says: "what waited for a window asks when it opens", dir: here, test: "TestRuleWhatWaitedForAWindowAsks"},
	{says: "a cool-down, a window and a freeze close their gates", dir: gates, test: "TestGates"},
	{says: "a freeze in the middle lets what runs finish and stops later waves", dir: here, test: "TestRuleAFreezeInTheMiddleStopsLaterWaves"},
	{says: "a failed apply leaves its target dirty, and success cleans it", dir: here, test: "TestRuleAFailedApplyLeavesItsTargetDirtyUntilItsRetry"},
	{says: "an unknown apply that a person calls failed leaves its target dirty", dir: here, test: "TestRuleAnUnknownApplyThatFailedLeavesDirt"},
	{says: "only a retry, a fix and a rollback pass a dirty target", dir: gates, test: "TestRuleOnlyWhatSetsItRightPassesADirtyTarget"},
	{says: "a person who may cleans a target, with a reason", dir: desk, test: "TestRuleDirtyNeedsForceAndAReason"},
	{says: "who may release a hold", dir: desk, test: "TestRuleWhoMayRelease"},
	{says: "others ask the owner", dir: desk, test: "TestRuleOthersAskTheOwner"},
	{says: "a hold is stolen with a reason, and its old owner told", dir: desk, test: "TestRuleStealWithAReasonTellsTheOldOwner"},
	{says: "whoever has the right that a hold wants may end it, with no other right besides", dir: desk, test: "TestRuleWhoMayEndWhat"},
	{says: "a release is for one id and version", dir: desk, test: "TestRuleUnlockIsByIDAndVersion"},
	{says: "a hold is changed and released at its version, as the store keeps it", dir: kept, test: "TestRuleAHoldIsChangedAndReleasedAtItsVersion"},
	{says: "to lock again changes the reason and nothing else", dir: desk, test: "TestRuleRelockByOwnerChangesTheReasonOnly"},
	{says: "a release shows what waited, and asks", dir: desk, test: "TestRuleReleaseShowsWhatWaitedAndAsks"},
	{says: "it goes on by itself where the configuration says so", dir: desk, test: "TestRuleOnOpenRunLetsItGoOn"},
	{says: "it goes on by itself after less than ten minutes", not: "a release waits to be asked, whatever the wait: the issue says so"},
	{says: "what ticks do is on record", dir: desk, test: "TestRuleTicksAreAudited"},
}

var gateRules = []rule{
	{says: "the command asks the gates, and its refusal names every blocker", dir: here, test: "TestRuleTheCommandAsksTheGatesAndNamesEveryBlocker"},
	{says: "a refusal gives the link of each blocker, too", not: "it names the hold by its id; the link stands on the hold's message and in /ops locks"},
	{says: "the opening of the pull request asks them again", dir: here, test: "TestRuleTheOpeningAsksTheGatesAgain"},
	{says: "the merge asks them again", dir: here, test: "TestRuleTheMergeAsksTheGatesAgain"},
	{says: "the dequeue asks them again", dir: here, test: "TestRuleGatesAreAskedAgainAtDequeue"},
	{says: "what GitHub knows is thirty seconds old at most", dir: gates, test: "TestRuleFactsAreThirtySecondsOldAtMost"},
	{says: "local facts are those of the transaction that takes the run lock", dir: here, test: "TestRuleLocalFactsAreThoseOfTheTransactionThatStarts"},
	{says: "an error reading a fact is blocked", dir: here, test: "TestRuleAnErrorReadingAFactIsBlocked"},
}

var planRules = []rule{
	{says: "each target has a plan at this head", dir: gates, test: "TestRuleEveryTargetIsPlannedAtThisHead"},
	{says: "the status is green only when every target is planned at this head", dir: here, test: "TestRuleTheStatusIsGreenOnlyWhenEveryTargetIsPlannedAtThisHead"},
	{says: "kinds without a plan record the command and what it would change", not: "the appliers that have none come with the fleet; each step that exists plans"},
	{says: "a plan is kept with its tool's version, the digest of its configuration and of its file", not: "no file is kept for the apply: the merge commit is planned again, and what people reviewed is kept as its change list and their keyed hash (DESIGN.md section 4)"},
	{says: "the head that was planned is merged, and no other", dir: here, test: "TestRuleTheMergeIsOfThePlannedHead"},
	{says: "the base has not touched the target's paths", dir: here, test: "TestRuleAMovedBaseIsSeenAtTheMerge"},
	{says: "a plan is good for a day", dir: here, test: "TestRuleAPlanIsGoodForADay"},
	{says: "N people other than the requester approve, and the merger counts", dir: gates, test: "TestRuleTheSecondPerson"},
	{says: "an approval is for one head", dir: here, test: "TestRuleAnApprovalIsForOneHead"},
	{says: "a review on GitHub counts, at its head", dir: here, test: "TestRuleAReviewOnGitHubCountsAtItsHead"},
	{says: "one person is asked, then reminded, then all", dir: here, test: "TestRuleOnePersonIsAskedThenRemindedThenAll"},
	{says: "a merge on GitHub that skipped a gate is blocked, where all see it", dir: here, test: "TestRuleAMergeOnGitHubThatSkippedAGateIsBlocked"},
	{says: "after an apply open pull requests are planned again", dir: here, test: "TestRuleAfterAnApplyOpenPullRequestsArePlannedAgain"},
}

var orderRules = []rule{
	{says: "one merge is one job: webhook, redelivery and reconciler converge", dir: here, test: "TestRuleOneMergeIsOneJob"},
	{says: "the order is that of the base branch; behind does not run", dir: gates, test: "TestRuleTheOrderIsThatOfTheBaseBranch"},
	{says: "a failed attempt counts as the last; what lies behind is told to open a revert", dir: here, test: "TestRuleAFailedAttemptStillCountsAsTheLast"},
	{says: "the same commit is applied again only when somebody asks", dir: here, test: "TestRuleTheSameCommitIsNotAppliedAgainUnasked"},
	{says: "what diverged is confirmed by a person", dir: here, test: "TestRuleWhatDivergedWaitsForAPerson"},
	{says: "coalesce runs the newest and marks the older", dir: here, test: "TestRuleCoalesceRunsTheNewestAlone"},
}

var applyRules = []rule{
	{says: "nothing left is noop; equal or less is applied; anything else, or a destroy that remains, is confirmed", dir: here, test: "TestRuleTheFreshPlanIsHeldToTheReviewedOne"},
	{says: "a confirmation is for one change set, by somebody else than the requester, and gives the run lock back meanwhile", dir: here, test: "TestRuleAnotherPlanIsConfirmedBySomebodyElse"},
	{says: "one confirmation is enough, also where several approve", dir: here, test: "TestRuleOneConfirmsAlsoWhereTwoApprove"},
	{says: "a confirmation that nobody gives in a day expires and leaves the target dirty", dir: here, test: "TestRuleAConfirmationExpiresInADayAndLeavesDirt"},
	{says: "what destroys is merged by typing the target's name", dir: here, test: "TestRuleDestroysAreTyped"},
	{says: "what destroys and was merged on GitHub is confirmed", dir: here, test: "TestRuleDestroysMergedOnGitHubAreConfirmed"},
}

var failureRules = []rule{
	{says: "a failure offers Retry and Roll back", dir: here, test: "TestRuleAFailureOffersRetryAndRollBack"},
	{says: "a retry plans again", dir: here, test: "TestRuleARetryPlansAgain"},
	{says: "a rollback skips promotion order and soft windows", dir: gates, test: "TestGates"},
	{says: "a rollback skips no hold and no second person", dir: here, test: "TestRuleARollbackSkipsNoHoldAndNoSecondPerson"},
	{says: "siblings finish, later waves do not start, a retry runs what failed or never started", dir: here, test: "TestRuleSiblingsFinishAndLaterWavesDoNotStart"},
	{says: "a cancel drops what is queued", dir: here, test: "TestRuleACancelDropsWhatIsQueued"},
	{says: "a cancel interrupts what runs, a second one kills it, and then it is unknown", dir: running, test: "TestRuleACancelInterruptsAndASecondOneKills"},
	{says: "a remote run is stopped at its provider and polled to its end", not: "nothing runs at a provider yet"},
	{says: "a deadline does not count waiting", dir: running, test: "TestRuleADeadlineDoesNotCountWaiting"},
	{says: "a time-out takes the cancel path", dir: running, test: "TestRuleATimeOutInterruptsOnceAndFails"},
	{says: "a time-out keeps the log", dir: running, test: "TestRuleATimeOutKeepsTheLog"},
}

var peopleRules = []rule{
	{says: "whoever the configuration does not link changes nothing (and reads no more than the help, which is stricter than read-only)", dir: "commands", test: "TestRuleUnlinkedChangesNothing"},
	{says: "membership is read live, five minutes old at most", dir: "commands/groups", test: "TestRuleAGroupIsReadAgainAfterFiveMinutes"},
	{says: "a source that cannot answer means no", dir: "commands/groups", test: "TestRuleASourceThatIsDownMeansNo"},
	{says: "a group that cannot be read approves nothing", dir: here, test: "TestRuleAGroupThatCannotBeReadMeansNo"},
	{says: "the requester is never the approver", dir: here, test: "TestRuleTheRequesterIsNeverTheApprover"},
	{says: "who pushed the head is not the second person to it", dir: here, test: "TestRuleWhoPushedIsNotTheSecondPerson"},
	{says: "when the bot merges, who pressed is stored", dir: here, test: "TestRuleWhoPressedIsStoredWhenTheBotMerges"},
	{says: "rights are verbs of one environment; deploy implies no other", dir: "commands", test: "TestRuleRightsAreVerbsAndDeployImpliesNone"},
	{says: "rollback is a right of its own", dir: gates, test: "TestRuleRollbackIsARightOfItsOwn"},
}

var crashRules = []rule{
	{says: "no call goes out inside a transaction", dir: here, test: "TestRuleNoCallGoesOutInsideATransaction"},
	{says: "at boot, what waits is kept and meets its gates again", dir: running, test: "TestRuleBootKeepsWhatWaits"},
	{says: "at boot, what had changed nothing is begun again as the same attempt", dir: running, test: "TestRuleBootBeginsAgainWhatHadChangedNothing"},
	{says: "at boot, a call without a remote id is looked for by its nonce; a remote run is polled and not dispatched again", not: "nothing runs at a provider yet"},
	{says: "at boot, what runs here is followed, and its effect happens once", dir: running, test: "TestRuleBootFollowsWhatRuns"},
	{says: "at boot, an exit file is the result", dir: running, test: "TestRuleBootTakesTheExitFileAsTheResult"},
	{says: "at boot, neither process nor exit file is unknown, and no machine tries it again", dir: running, test: "TestRuleUnknownKeepsTheRunLockAndNoMachineRetries"},
	{says: "an apply that was killed is unknown", dir: running, test: "TestRuleAKilledApplyIsUnknown"},
	{says: "an unknown apply is looked at, and settled by a person alone", dir: here, test: "TestRuleAnUnknownApplyIsSettledByAPerson"},
	{says: "Mark succeeded, Mark failed and Retry, on the card", dir: whole, test: "TestResolve"},
	{says: "a state's own lock is taken off by a person", not: "no command of ours does it; a person does, with the tool itself"},
	{says: "the reconciler comes to the same end with every webhook lost", dir: whole, test: "TestEveryWebhookLost"},
	{says: "and when the bot was not there", dir: whole, test: "TestEveryWebhookLostWhileTheBotIsDead"},
	{says: "webhooks that come twice, or backwards, change nothing", dir: whole, test: "TestWebhooksBackwards"},
	{says: "an older look after a newer one changes nothing", dir: here, test: "TestWebhooksOutOfOrder"},
	{says: "what GitHub's lists lag behind is taken from git at the head that was told of", dir: here, test: "TestFilesAreThoseOfTheHead"},
	{says: "a kill at any moment loses nothing and does nothing twice", dir: whole, test: "TestKillAnywhere"},
}

var restRules = []rule{
	{says: "a drain waits for what runs and begins nothing", dir: running, test: "TestRuleADrainWaitsAndBeginsNothing"},
	{says: "a drain interrupts what takes too long", dir: running, test: "TestRuleADrainInterruptsWhatTakesTooLong"},
	{says: "what is said while the bot stops is kept and told", dir: "commands", test: "TestWhatIsKeptWhileStopping"},
	{says: "Slack is answered after the event is stored", dir: whole, test: "TestSlackDoorStoresBeforeItAcks"},
	{says: "an event is accepted once and decided once", dir: kept, test: "TestRuleAnEventIsAcceptedOnceAndDecidedOnce"},
	{says: "keys are remembered for longer than an hour", dir: kept, test: "TestRuleKeysAreRememberedForEightDays"},
	{says: "a log keeps its head and its tail", dir: "integrations/kit/proc", test: "TestHugeOutputKeepsHeadAndTail"},
	{says: "two processes never hold one store", dir: kept, test: "TestOpenNamesTheProcessThatHoldsTheFile"},
	{says: "a backup is a store of one commit", dir: kept, test: "TestBackupIsAStoreAsOfOneCommit"},
	{says: "no audit, no change", dir: "commands", test: "TestRuleNoAuditNoChange"},
	{says: "no audit, no start", dir: running, test: "TestRuleNoAuditNoStart"},
}

func TestEveryRuleHasATest(t *testing.T) {
	tests := map[string][]string{}
	said := map[string]bool{}
	for _, r := range rules {
		if said[r.says] || r.says == "" {
			t.Errorf("it stands there twice, or says nothing: %q", r.says)
		}
		said[r.says] = true
		if r.not != "" {
			if r.test != "" {
				t.Errorf("%q has a test and a reason to have none", r.says)
			}
			continue
		}
		if _, read := tests[r.dir]; !read {
			tests[r.dir] = testsIn(t, r.dir)
		}
		if !slices.Contains(tests[r.dir], r.test) {
			t.Errorf("%q is held by no test: %s has no %s", r.says, r.dir, r.test)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(tests)) {
		for _, name := range tests[dir] {
			if strings.HasPrefix(name, "TestRule") && !slices.ContainsFunc(rules, func(r rule) bool { return r.dir == dir && r.test == name }) {
				t.Errorf("%s of %s has no line in the list of rules", name, dir)
			}
		}
	}
}

// testsIn names the tests of a package, by its folder from the root.
func testsIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	at := filepath.Join("..", "..", filepath.FromSlash(dir))
	files, err := fs.Glob(os.DirFS(at), "*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no tests: %v", dir, err)
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(at, file), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				names = append(names, fn.Name.Name)
			}
		}
	}
	return names
}

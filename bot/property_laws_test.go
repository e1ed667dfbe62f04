package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// The laws that every history has to keep. They are written down from the
// semantics alone and ask neither the gates nor the cards how they decide.
const (
	lawOneRun     = "one run at a time per target"
	lawAllowed    = "never an apply that no gate allowed at dequeue"
	lawReviewed   = "never an apply that nobody reviewed or confirmed"
	lawOrder      = "never a lower commit over a higher one"
	lawOnce       = "every accepted event is decided once"
	lawJobs       = "every job ends or waits for a named person"
	lawShown      = "store and surfaces agree at rest"
	lawReserved   = "one open deploy pull request per target"
	lawConverges  = "the store agrees with GitHub at rest"
	lawEveryMerge = "every merge becomes one apply per target"
)

// watched has the laws asked in the very transaction in which an apply takes its
// run lock: what the store says there is what the gates were asked about.
func (y *history) watched(k runner.Kind) runner.Kind {
	changed := k.Changed
	k.Changed = func(tx *store.Tx, j *store.Job, urgent bool) error {
		if j.State == store.JobPreparing {
			why := y.forbids(tx, j)
			y.mu.Lock()
			y.inOrder(j)
			if why != "" {
				y.breaks(lawAllowed, "%s on %s begins: %s", j.ID, j.Target, why)
			}
			y.mu.Unlock()
		}
		return changed(tx, j, urgent)
	}
	return k
}

// forbids says which rule forbids a job to start as the store stands; "" if none.
func (y *history) forbids(tx *store.Tx, j *store.Job) string {
	op, err := tx.Operation(j.Operation)
	if err != nil {
		return err.Error()
	}
	if l, err := tx.RunLock(j.Target); err != nil || l.Job != j.ID {
		return "it does not hold the run lock"
	}
	env, _ := y.catalog.Environment(op.Environment)
	y.mu.Lock()
	defer y.mu.Unlock()
	now := y.clock.Now()
	if why := y.held(tx, op, j, now); why != "" {
		return why
	}
	if env.Windows != nil && !env.Windows.At(now).Open && !passedBy(op, "window") && !op.Rollback {
		return "the deploy window is closed"
	}
	if op.Kind == "unplanned" {
		return "" // what confirms it is asked when the plan is known
	}
	if why := y.unentitled(op, j); why != "" {
		return why
	}
	if env.Approvals > 0 && !passedBy(op, "approvals") {
		if why := y.unagreed(op, j, env.Approvals); why != "" {
			return why
		}
	}
	if len(env.Checks) > 0 && !passedBy(op, "checks") {
		if c := y.hub.checks[y.hub.pull(j.PR).Head]; len(c) != 1 || c[0].State != "success" {
			return "its check is not green"
		}
	}
	return ""
}

func passedBy(op *store.Operation, gate string) bool {
	return slices.ContainsFunc(op.Passes, func(p store.Pass) bool { return slices.Contains(p.Gates, gate) })
}

// held says which hold, freeze or dirty state forbids it.
func (y *history) held(tx *store.Tx, op *store.Operation, j *store.Job, now time.Time) string {
	all, err := tx.Holds()
	if err != nil {
		return err.Error()
	}
	for _, h := range all {
		covers := h.Target == j.Target || h.Target == "" && (h.Environment == "" || h.Environment == op.Environment) &&
			(h.Service == "" || h.Service == op.Service || slices.Contains(y.catalog.Services[0].Environments[op.Environment].Targets, j.Target))
		if !covers || h.Over(now) {
			continue
		}
		own := op.Kind == "deploy" && h.Owner.Name == op.Requester.Name && h.Owner.Name == op.MergedBy.Name ||
			op.Kind == "unplanned" && j.ConfirmedBy != nil && h.Owner.Name == j.ConfirmedBy.Name
		switch {
		case h.Kind == store.HoldHold && !own:
			return fmt.Sprintf("%s of %s holds it", h.ID, h.Owner.Name)
		case h.Kind == store.HoldFreeze && !passedBy(op, "freeze"):
			return h.ID + " freezes it"
		case h.Kind == store.HoldDirty && !op.Fix && !op.Rollback && j.ApprovedBy == nil && (h.SHA == "" || h.SHA != j.SHA):
			return h.ID + " says that it is dirty"
		}
	}
	return ""
}

func (y *history) may(p *store.Person, right, env string) bool {
	if p == nil {
		return false
	}
	for _, q := range y.catalog.People {
		if q.Name == p.Name || p.Name == "" && q.GitHub == p.GitHub {
			return y.catalog.May(q, right, env)
		}
	}
	return false
}

// unentitled says that whoever asked or merged may not, and nobody who may let it
// pass.
func (y *history) unentitled(op *store.Operation, j *store.Job) string {
	p := y.hub.pull(j.PR)
	if p.MergedBy != botLogin && !strings.EqualFold(op.MergedBy.GitHub, p.MergedBy) {
		return fmt.Sprintf("%s merged it on GitHub, and the store says %s", p.MergedBy, op.MergedBy.Name)
	}
	if y.may(j.ApprovedBy, "approve", op.Environment) {
		return ""
	}
	if !y.may(&op.MergedBy, "merge", op.Environment) {
		return fmt.Sprintf("%s, who merged it, may not", op.MergedBy.Name)
	}
	if !y.may(&op.Requester, "deploy", op.Environment) {
		return fmt.Sprintf("%s, who asked for it, may not", op.Requester.Name)
	}
	return ""
}

// unagreed says that too few people besides whoever chose the head agreed to it.
// Who that is may be seen in two ways after a head was pushed back: who pushed it,
// or who wrote it. Either is enough.
func (y *history) unagreed(op *store.Operation, j *store.Job, want int) string {
	p := y.hub.pull(j.PR)
	agreed := map[string]bool{op.MergedBy.Name: true}
	for _, a := range op.Approvals {
		if a.Head == p.Head {
			agreed[a.By.Name] = true
		}
	}
	for _, login := range p.agreed(p.Head) {
		agreed[login] = true // every login here is the name
	}
	if j.ApprovedBy != nil {
		agreed[j.ApprovedBy.Name] = true
	}
	choosers := []string{op.Requester.Name}
	if op.Kind == "deploy" && p.Head != op.ToSHA {
		choosers = []string{p.pusher, y.hub.commits[p.Head].author}
	} else if op.HeadBy != nil {
		choosers = []string{op.HeadBy.Name}
	}
	for _, chooser := range choosers {
		n := 0
		for name := range agreed {
			if name != chooser && y.may(&store.Person{Name: name}, "approve", op.Environment) {
				n++
			}
		}
		if n >= want {
			return ""
		}
	}
	return fmt.Sprintf("%s agreed to %s, which %v chose", namesOf(agreed), p.Head[:7], choosers)
}

func namesOf(m map[string]bool) (out []string) {
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// mayApply is asked when an apply is about to change something; the mutex is held.
func (y *history) mayApply(t *tool, j *store.Job, lock string) {
	if t.applying > 0 {
		y.breaks(lawOneRun, "%s begins on %s while another one applies", j.ID, t.target)
	}
	if lock != j.ID {
		y.breaks(lawOneRun, "%s applies on %s, whose run lock is held by %q", j.ID, t.target, lock)
	}
	y.inOrder(j)
	if why := y.unreviewed(t, j); why != "" {
		y.breaks(lawReviewed, "%s applies on %s: %s", j.ID, t.target, why)
	}
}

// inOrder is asked when a job takes its run lock, and when its apply begins; the
// mutex is held. What was begun last counts, however it ended.
func (y *history) inOrder(j *store.Job) {
	begun := y.tools[j.Target].begun
	if len(begun) == 0 {
		return
	}
	last := begun[len(begun)-1]
	agreed := j.ApprovedBy != nil && slices.Contains(j.ApprovedFor, "order")
	switch {
	case last.sha == j.SHA:
		if last.job != j.ID && !j.Again {
			y.breaks(lawOrder, "%s takes %s to %s, as %s did already, and nobody asked for it again", j.ID, j.SHA[:7], j.Target, last.job)
		}
	case y.hub.contains(last.sha, j.SHA):
		y.breaks(lawOrder, "%s takes %s to %s after %s", j.ID, j.SHA[:7], j.Target, last.sha[:7])
	case !y.hub.contains(j.SHA, last.sha) && !agreed:
		y.breaks(lawOrder, "%s takes %s to %s, which does not contain %s, and nobody agreed to that", j.ID, j.SHA[:7], j.Target, last.sha[:7])
	}
}

// unreviewed says why a plan may not be applied on the strength of what people saw.
func (y *history) unreviewed(t *tool, j *store.Job) string {
	fresh := t.fresh[j.ID]
	env := y.catalog.Environments[slices.IndexFunc(y.catalog.Environments, func(e integrations.Environment) bool { return strings.HasSuffix(t.target, e.Name) })]
	if j.ConfirmedBy != nil && j.ConfirmedDigest == (integrations.Plans{fresh}).Digest() {
		if !y.may(j.ConfirmedBy, "confirm", env.Name) {
			return j.ConfirmedBy.Name + " confirmed it and may not"
		}
		return ""
	}
	if j.PR == 0 {
		return "it came without a pull request, and nobody confirmed its plan"
	}
	if env.Review == "none" {
		return ""
	}
	p := y.hub.pull(j.PR)
	for _, made := range t.planned[p.Head] {
		if lessThan(fresh, made.plan) && p.MergedAt.Sub(made.at) < 24*time.Hour+time.Minute {
			return ""
		}
	}
	return fmt.Sprintf("no plan of %s was like it", p.Head[:7])
}

// lessThan says that a plan is the reviewed one, or less of it and no delete.
func lessThan(fresh, reviewed integrations.Plan) bool {
	deletes := false
	for _, c := range fresh.Changes {
		deletes = deletes || slices.Contains(c.Actions, "delete")
		if !slices.ContainsFunc(reviewed.Changes, func(r integrations.Change) bool { return r.Address == c.Address && r.Hash == c.Hash }) {
			return false
		}
	}
	return len(fresh.Changes) == len(reviewed.Changes) || !deletes
}

// atRest asks the laws that hold when nothing moves any more. What it returns may
// be about to be mended by a tick; what stays is broken.
func (y *history) atRest() (law, why string) {
	y.view(func(tx *store.Tx) error {
		for _, l := range []struct {
			law string
			ask func(*store.Tx) (string, error)
		}{{lawOnce, y.undecided}, {lawJobs, y.stuck}, {lawReserved, y.doubleReserved}, {lawConverges, y.strayed}, {lawEveryMerge, y.unapplied}, {lawOrder, y.overtaken}, {lawShown, y.misshown}} {
			got, err := l.ask(tx)
			if err != nil {
				got = err.Error()
			}
			if got != "" {
				law, why = l.law, got
				return nil
			}
		}
		return nil
	})
	return law, why
}

// undecided finds an event that is not decided, and what the accepted ones made
// more often than once.
func (y *history) undecided(tx *store.Tx) (string, error) {
	left, err := tx.Undecided(0)
	if err != nil || len(left) > 0 {
		return fmt.Sprintf("%d events wait", len(left)), err
	}
	deploys := 0
	for seq := uint64(1); ; seq++ {
		e, err := tx.Event(seq)
		if err != nil {
			break
		}
		if strings.HasPrefix(e.Outcome, "error") && !strings.Contains(e.Outcome, errOutage.Error()) && !strings.Contains(e.Outcome, "deadline exceeded") { // those were said to whoever asked
			return fmt.Sprintf("event %d (%s) ended in %s: %s", seq, e.Kind, e.Outcome, e.Body), nil
		}
		var h integrations.Heard
		if strings.HasPrefix(e.Kind, "slack.") && json.Unmarshal(e.Body, &h) == nil && e.Outcome == "done" && (strings.HasPrefix(h.Text+h.Command, "deploy ") || strings.HasPrefix(h.Text+h.Command, "rollback ")) {
			deploys++
		}
	}
	ops, err := tx.Operations("", 0)
	if err != nil {
		return "", err
	}
	for _, op := range ops {
		if op.Kind == "deploy" {
			deploys--
		}
	}
	if deploys != 0 {
		return fmt.Sprintf("deploys that were accepted, less operations that were begun: %d", deploys), nil
	}
	return "", nil
}

// stuck finds a job that neither ended nor waits for anybody.
func (y *history) stuck(tx *store.Tx) (string, error) {
	live, err := tx.LiveJobs()
	if err != nil {
		return "", err
	}
	for _, j := range live {
		if why, err := y.waitsWell(tx, j); err != nil || why != "" {
			return fmt.Sprintf("%s (%s of %s, %s, “%s”): %s", j.ID, j.Kind, j.Target, j.State, j.Why, why), err
		}
	}
	ops, err := tx.LiveOperations()
	if err != nil {
		return "", err
	}
	for _, op := range ops {
		jobs, err := tx.JobsOf(op.ID)
		if err != nil {
			return "", err
		}
		alive := slices.ContainsFunc(jobs, func(j *store.Job) bool { return !j.Terminal() })
		waits, err := tx.Operation(op.Waits)
		switch {
		case op.State == store.OpOpen && op.MergeAskedBy == nil && op.CloseAskedBy == nil, alive:
		case op.State == store.OpOpening && op.Waits != "" && err == nil && !waits.Terminal():
		default:
			return fmt.Sprintf("%s is %s (“%s”), waits for %q, and no job of it is live", op.ID, op.State, op.Note, op.Waits), nil
		}
	}
	return "", nil
}

func (y *history) waitsWell(tx *store.Tx, j *store.Job) (string, error) {
	switch j.State {
	case store.JobBlocked, store.JobNeedsConfirm, store.JobUnknown:
	case store.JobQueued:
		if !j.Locks {
			return "nothing keeps it from running", nil
		}
		queue, err := tx.TargetQueue(j.Target)
		if err != nil {
			return "", err
		}
		lock, err := tx.RunLock(j.Target)
		held := err == nil && lock.Job != j.ID
		if queue[0].ID != j.ID || held || strings.Contains(j.Why, "wave") {
			return "", nil
		}
		return "it is the first in line and nothing keeps it", nil
	default:
		return "it is at work at rest", nil
	}
	if j.Why == "" {
		return "it does not say why", nil
	}
	op, err := tx.Operation(j.Operation)
	if err != nil {
		return "", err
	}
	for _, subject := range []string{op.ID, j.ID} {
		all, err := tx.SurfacesOf(subject)
		if err != nil {
			return "", err
		}
		for _, s := range all {
			m, err := y.parts.wired.cards[s.Card](tx, s)
			if err != nil {
				return "", err
			}
			if s.Place == "slack.message" && offers(m, op.ID, j.ID) {
				return "", nil
			}
		}
	}
	// A card speaks of the job that comes first; one of a later wave has its turn
	// when a person has settled that.
	jobs, err := tx.JobsOf(op.ID)
	for _, other := range jobs {
		if other.Wave < j.Wave && (other.State == store.JobUnknown || other.State == store.JobNeedsConfirm || other.State == store.JobBlocked) {
			return "", err
		}
	}
	return "no message offers anybody to go on with it", err
}

// offers says whether a message has a button about one of these.
func offers(m integrations.Message, subjects ...string) bool {
	for _, b := range m.Blocks {
		for _, button := range b.Buttons {
			verb, rest, _ := strings.Cut(button.Command, " ")
			if verb != "log" && slices.ContainsFunc(strings.Fields(rest), func(w string) bool { return slices.Contains(subjects, w) }) {
				return true
			}
		}
	}
	return false
}

// doubleReserved finds two deploy pull requests open on a target. What people
// opened again by hand on GitHub is their own doing, and one that was given up may
// turn out to have been opened when another one has begun.
func (y *history) doubleReserved(tx *store.Tx) (string, error) {
	live, err := tx.LiveOperations()
	if err != nil {
		return "", err
	}
	by := map[string]string{}
	for _, op := range live {
		if op.Kind != "deploy" || op.Waits != "" || op.State != store.OpOpen && op.State != store.OpOpening || strings.Contains(op.Note, "reopened") || strings.Contains(op.Note, "after all") {
			continue
		}
		for _, t := range op.Targets {
			if by[t] != "" {
				return fmt.Sprintf("%s and %s are both open on %s", by[t], op.ID, t), nil
			}
			by[t] = op.ID
		}
	}
	return "", nil
}

// strayed finds a pull request of which the store knows something else than GitHub.
func (y *history) strayed(tx *store.Tx) (string, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, p := range y.hub.pulls {
		known, err := tx.Pull(hubRepoID, p.Number)
		if err != nil {
			if p.State == "open" {
				return fmt.Sprintf("#%d is open and the store does not know it", p.Number), nil
			}
			continue // it came and went while nobody listened
		}
		if known.State != p.State || known.Head != p.Head && p.State == "open" {
			return fmt.Sprintf("#%d is %s at %s, and the store says %s at %s", p.Number, p.State, p.Head[:7], known.State, known.Head[:7]), nil
		}
		if known.Operation == "" {
			continue
		}
		op, err := tx.Operation(known.Operation)
		if err != nil {
			return "", err
		}
		if open := op.State == store.OpOpen; open != (p.State == "open") {
			return fmt.Sprintf("#%d is %s, and its operation %s is %s", p.Number, p.State, op.ID, op.State), nil
		}
	}
	return "", nil
}

// unapplied finds a merge on a watched branch that has not one apply for each
// target that it touched.
func (y *history) unapplied(tx *store.Tx) (string, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, p := range y.hub.pulls {
		if p.State != "merged" {
			continue
		}
		jobs, err := tx.JobsByPull(hubRepoID, p.Number)
		if err != nil {
			return "", err
		}
		for _, t := range y.catalog.Targets {
			n := 0
			for _, j := range jobs {
				if j.Kind == "apply" && j.Target == t.Name {
					n++
				}
			}
			want := 0
			if t.Base == p.Base && slices.ContainsFunc(p.files, func(f string) bool { return under(t.Paths, f) }) {
				want = 1
			}
			stands := y.hub.contains(y.hub.branches[p.Base], p.MergeSHA)
			if n > 1 || n < want && stands {
				return fmt.Sprintf("the merge of #%d has %d applies on %s, which it touches: %v", p.Number, n, t.Name, want == 1), nil
			}
		}
	}
	return "", nil
}

// overtaken finds a job that gave way to one which does not bring what it brought.
func (y *history) overtaken(tx *store.Tx) (string, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, p := range y.hub.pulls {
		jobs, err := tx.JobsByPull(hubRepoID, p.Number)
		if err != nil {
			return "", err
		}
		for _, j := range jobs {
			if j.Kind != "apply" || j.State != store.JobSuperseded || j.SupersededBy == "" {
				continue
			}
			by, err := tx.Job(j.SupersededBy)
			if err != nil {
				return "", err
			}
			if by.Target != j.Target || by.SHA != j.SHA && !y.hub.contains(by.SHA, j.SHA) {
				return fmt.Sprintf("%s (%s on %s) gave way to %s (%s on %s), which does not hold it", j.ID, j.SHA[:7], j.Target, by.ID, by.SHA[:7], by.Target), nil
			}
		}
	}
	return "", nil
}

// ages are what a text says of the time that has passed; it is right when it is
// written.
var ages = regexp.MustCompile(`\d+ (s|min|h|days)\b( \d+ min)?`)

// rollBack is a button whose offer ends when something newer is applied. The card
// of what it would take back is not shown anew for that: the version that the
// button carries has it refused.
var rollBack = regexp.MustCompile(`\{"label":"Roll back"[^}]*\},?`)

func plainly(m integrations.Message) string {
	b, _ := json.Marshal(m)
	return rollBack.ReplaceAllString(ages.ReplaceAllString(string(b), "a while"), "")
}

// misshown finds a surface that does not show what the store says, or that was
// posted twice.
func (y *history) misshown(tx *store.Tx) (string, error) {
	due, err := tx.DueSurfaces(y.clock.Now().Add(time.Hour), 0)
	if err != nil {
		return "", err
	}
	if len(due) > 0 {
		return fmt.Sprintf("%s is still to be shown (%s)", due[0].ID, due[0].Error), nil
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	posts, times := map[string]*shownPost{}, map[string]int{}
	for _, s := range y.shown {
		posts[s.place+" "+s.ref] = s
		if s.gone {
			continue
		}
		if times[s.place+s.nonce]++; times[s.place+s.nonce] > 1 {
			return fmt.Sprintf("a post to %s was made twice: %s", s.place, s.now().Text), nil
		}
	}
	right, wrong, owned := map[*shownPost]bool{}, map[*shownPost]string{}, map[*shownPost]bool{}
	for _, s := range y.surfaces(tx) {
		if s.Place == "github.status" && !y.heads(s) {
			continue
		}
		m, err := y.parts.wired.cards[s.Card](tx, s)
		if err != nil {
			return "", err
		}
		post := posts[s.Place+" "+s.Ref]
		if post != nil {
			owned[post] = true
		}
		switch {
		case m.Hold, s.After.After(y.clock.Now()), post != nil && post.gone, s.Parked != "" && (y.deleted > 0 || s.Place == "slack.private"):
		case s.Parked != "":
			return fmt.Sprintf("%s is parked: %s", s.ID, s.Parked), nil
		case post == nil:
			return fmt.Sprintf("%s stands nowhere, and the store says %s", s.ID, m.Text), nil
		case plainly(post.now()) == plainly(m):
			right[post] = true
		default:
			wrong[post] = fmt.Sprintf("%s shows\n  %s\nand the store says\n  %s", s.ID, plainly(post.now()), plainly(m))
		}
	}
	for _, post := range y.shown {
		if !owned[post] && !post.gone && slices.Contains([]string{"slack.message", "github.comment", "github.deployment"}, post.place) {
			return fmt.Sprintf("a post to %s belongs to no surface: %s", post.place, post.now().Text), nil
		}
	}
	for _, post := range y.shown { // a status may be that of several pull requests with one head
		if wrong[post] != "" && !right[post] {
			return wrong[post], nil
		}
	}
	return "", nil
}

// heads says whether a status is that of an open pull request's head; what stands
// on other commits keeps nobody from merging and is not kept up.
func (y *history) heads(s *store.Surface) bool {
	n := 0
	if _, err := fmt.Sscanf(s.Subject, "pull 1 %d", &n); err != nil || y.hub.pull(n) == nil {
		return false
	}
	p := y.hub.pull(n)
	return p.State == "open" && p.Head == s.Where["sha"]
}

// surfaces are all that there are, by the subjects that there can be.
func (y *history) surfaces(tx *store.Tx) (out []*store.Surface) {
	for _, kind := range []string{"op-%d", "job-%d", "pull 1 %d", "hold-%d", "incident-%d", "event-%d"} {
		for n, none := 1, 0; none < 300; n++ { // most jobs have none
			all, err := tx.SurfacesOf(fmt.Sprintf(kind, n))
			if none++; err == nil && len(all) > 0 {
				none, out = 0, append(out, all...)
			}
		}
	}
	return append(out, y.introductions(tx)...)
}

// introductions are the bot's first words, each channel's once.
func (y *history) introductions(tx *store.Tx) (out []*store.Surface) {
	seen := map[string]bool{}
	for _, e := range y.catalog.Environments {
		for _, channel := range e.Channels {
			if all, err := tx.SurfacesOf("introduction C-" + channel); err == nil && !seen[channel] {
				seen[channel], out = true, append(out, all...)
			}
		}
	}
	return out
}

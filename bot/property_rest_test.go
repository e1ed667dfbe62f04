package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

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
	surfaces, err := y.surfaces(tx)
	if err != nil {
		return "", err
	}
	for _, s := range surfaces {
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
func (y *history) surfaces(tx *store.Tx) (out []*store.Surface, err error) {
	for _, kind := range []string{"op-%d", "job-%d", "pull 1 %d", "hold-%d", "incident-%d", "event-%d"} {
		for n, none := 1, 0; none < 300; n++ { // most jobs have none
			all, err := tx.SurfacesOf(fmt.Sprintf(kind, n))
			if none++; err == nil && len(all) > 0 {
				none, out = 0, append(out, all...)
			}
		}
	}
	err = store.Feature[json.RawMessage](tx, "rollup").Each("", func(subject string, _ json.RawMessage) error {
		all, err := tx.SurfacesOf(subject)
		out = append(out, all...)
		return err
	})
	return append(out, y.introductions(tx)...), err
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

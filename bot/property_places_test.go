package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// A wall is a kind of place that remembers what it was shown.
type wall struct {
	y      *history
	system string
	name   string
}

// shownPost is a message that stands somewhere, with all that it ever said.
type shownPost struct {
	place, ref, nonce string
	where             map[string]string
	said              []integrations.Message
	gone              bool
}

func (p *shownPost) now() integrations.Message { return p.said[len(p.said)-1] }

// where tells one post from another, at every telling alike.
func where(p integrations.Post) string {
	text, _, _ := strings.Cut(p.Message.Text, " ")
	return " " + p.Where["context"] + p.Where["sha"] + p.Where["pr"] + p.Where["under"] + text
}

func (w wall) Show(ctx context.Context, p integrations.Post) (ref string, err error) {
	err = w.y.outside(ctx, w.system, "a post to "+w.name+where(p), func() error {
		post := w.find(func(s *shownPost) bool { return p.Ref != "" && s.ref == p.Ref })
		if post == nil && w.name == "github.status" { // a status has no identity but its commit and its name
			post = w.find(func(s *shownPost) bool {
				return s.where["sha"] == p.Where["sha"] && s.where["context"] == p.Where["context"]
			})
		}
		switch {
		case post == nil && p.Ref != "", post != nil && post.gone:
			return &integrations.Gone{Why: "the message was deleted"}
		case post == nil:
			post = &shownPost{place: w.name, ref: fmt.Sprint("ref-", len(w.y.shown)), nonce: p.Nonce, where: maps.Clone(p.Where)}
			w.y.shown = append(w.y.shown, post)
		}
		post.said, ref = append(post.said, p.Message), post.ref
		return nil
	})
	return ref, err
}

func (w wall) Find(ctx context.Context, p integrations.Post) (ref string, found bool, err error) {
	if w.name == "slack.private" || w.name == "slack.modal" {
		return "", false, integrations.ErrNotReadable
	}
	err = w.y.outside(ctx, w.system, "a search in "+w.name+where(p), func() error {
		if post := w.find(func(s *shownPost) bool { return s.nonce == p.Nonce && !s.gone }); post != nil {
			ref, found = post.ref, true
		}
		return nil
	})
	return ref, found, err
}

func (w wall) find(want func(*shownPost) bool) *shownPost {
	for _, s := range w.y.shown {
		if s.place == w.name && want(s) {
			return s
		}
	}
	return nil
}

// A tool is an applier whose target is a map: the files of the commit, under the
// target's paths, are what is to be real. An apply changes the map at its end, so
// that one which is killed before has changed nothing; killing it in the midst of
// its effect is the business of bot/kill_step_test.go, because the shim that it
// needs is a process. Here such an end is an apply that says it does not know.
type tool struct {
	y      *history
	target string
	paths  []string

	real     map[string]string
	applying int
	begun    []begun               // what was begun here, in order
	planned  map[string][]madePlan // by commit
	fresh    map[string]integrations.Plan
}

type begun struct{ sha, job string }

type madePlan struct {
	at   time.Time
	plan integrations.Plan
}

func under(paths []string, file string) bool {
	return slices.ContainsFunc(paths, func(p string) bool { ok, err := doublestar.Match(p, file); return ok && err == nil })
}

func (t *tool) Describe() string { return "map " + t.target }

// wanted is what a commit wants to be real.
func (t *tool) wanted(sha string) map[string]string {
	out := map[string]string{}
	for path, v := range t.y.hub.commits[sha].tree {
		if under(t.paths, path) {
			out[path] = v
		}
	}
	return out
}

func (t *tool) compare(sha string) integrations.Plan {
	want := t.wanted(sha)
	p := integrations.Plan{Step: t.Describe(), Tool: "map"}
	for _, path := range slices.Sorted(maps.Keys(merge(want, t.real))) {
		was, is := t.real[path], want[path]
		c := integrations.Change{Address: path, Hash: was + ">" + is}
		switch {
		case was == is:
			continue
		case was == "":
			c.Actions, p.Add = []string{"create"}, p.Add+1
		case is == "":
			c.Actions, p.Destroy = []string{"delete"}, p.Destroy+1
		default:
			c.Actions, p.Change = []string{"update"}, p.Change+1
		}
		p.Changes = append(p.Changes, c)
	}
	return p
}

func merge(a, b map[string]string) map[string]string {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

func (t *tool) Plan(ctx context.Context, r integrations.Run) (integrations.Plan, error) {
	y := t.y
	var p integrations.Plan
	y.mu.Lock()
	wait := time.Duration(0)
	switch n := y.luck("long plan of " + t.target); {
	case n < 10:
		wait = 8 * time.Second
	case n < 25:
		wait = 2 * time.Second
	}
	y.mu.Unlock()
	if err := clock.Sleep(ctx, y.clock, wait); err != nil {
		return p, err
	}
	err := y.outside(ctx, "tool", "the plan of "+t.target+" by "+r.Job, func() error {
		if y.luck("plan "+t.target+r.SHA) < 4 {
			return &integrations.CommandError{Step: "map plan", Code: 1, Tail: "the plan did not work"}
		}
		p = t.compare(r.SHA)
		if t.planned == nil {
			t.planned, t.fresh = map[string][]madePlan{}, map[string]integrations.Plan{}
		}
		t.planned[r.SHA] = append(t.planned[r.SHA], madePlan{y.clock.Now(), p})
		t.fresh[r.Job] = p
		return nil
	})
	return p, err
}

func (t *tool) Apply(ctx context.Context, r integrations.Run) error {
	y := t.y
	var job *store.Job
	var held string
	y.view(func(tx *store.Tx) (err error) {
		if l, err := tx.RunLock(t.target); err == nil {
			held = l.Job
		}
		job, err = tx.Job(r.Job)
		return err
	})
	y.mu.Lock()
	if job == nil || y.down { // it was killed a moment ago
		y.mu.Unlock()
		return errOutage
	}
	y.mayApply(t, job, held)
	t.applying++
	t.begun = append(t.begun, begun{r.SHA, r.Job}) // a failed one counts, too
	wait := []time.Duration{2 * time.Second, 40 * time.Second, 4 * time.Minute}[(99-y.luck("long "+t.target))*3/100]
	how := y.luck("apply " + t.target)
	y.say("  %s begins to apply %s on %s", r.Job, r.SHA[:7], t.target)
	y.mu.Unlock()
	err := clock.Sleep(ctx, y.clock, wait)
	y.mu.Lock()
	defer y.mu.Unlock()
	t.applying--
	switch {
	case err != nil:
		y.say("  the apply of %s is stopped before it changed anything", r.Job)
		return err
	case y.down:
		return errOutage
	}
	want := t.wanted(r.SHA)
	if how >= 15 {
		t.real = want
		y.say("  the apply of %s is done", r.Job)
		return nil
	}
	for path, v := range want { // one change of them got through
		if t.real[path] != v {
			t.real[path] = v
			break
		}
	}
	if how < 6 {
		y.say("  nobody can tell how the apply of %s ended", r.Job)
		return integrations.ErrUnknown
	}
	y.say("  the apply of %s fails", r.Job)
	return &integrations.CommandError{Step: "map apply", Code: 1, Tail: "the apply did not work"}
}

func (t *tool) Probe(ctx context.Context, r integrations.Run) (integrations.Probe, error) {
	var p integrations.Probe
	err := t.y.outside(ctx, "tool", "the probe of "+t.target+" by "+r.Job, func() error {
		p.Clean = len(t.compare(r.SHA).Changes) == 0
		p.Text = "it was looked at"
		return nil
	})
	return p, err
}

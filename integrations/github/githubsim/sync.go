package githubsim

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// recover finishes what a killed life left half done: a merge whose ref may
// have moved, and pushes that reached git but not the store.
func (s *Sim) recover() error {
	for _, pattern := range []string{"seed-*", "push-*", "index-*"} {
		left, err := filepath.Glob(filepath.Join(s.dir, pattern))
		if err != nil {
			return err
		}
		for _, path := range left {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	for _, p := range s.state.Pulls.sorted(func(p *pullRow) bool { return p.Intent != nil }) {
		r := s.state.Repos.rows[p.Repo]
		refs, err := s.refsNow(r)
		if err != nil {
			return err
		}
		intent := *p.Intent
		p.Intent = nil
		put(s, &s.state.Pulls, p.ID, p)
		tip := refs["refs/heads/"+p.BaseRef]
		if tip == "" || !s.isAncestor(r, intent.SHA, tip) {
			continue
		}
		if err := s.finishMerge(r, p, intent.SHA, intent.By); err != nil {
			return err
		}
	}
	for _, r := range s.state.Repos.sorted(nil) {
		actor := r.Pusher
		if actor == "" {
			actor = r.Owner
		}
		if err := s.syncRefs(r, actor); err != nil {
			return err
		}
	}
	return s.commit()
}

// syncRefs compares git's branches and tags with what was last seen, and does
// all that follows from a difference: webhooks, and what becomes of the pull
// requests. Every change of a ref comes through here, by push or by REST.
func (s *Sim) syncRefs(r *repoRow, actor string) error {
	now, err := s.refsNow(r)
	if err != nil {
		return err
	}
	old := r.Refs
	if maps.Equal(old, now) {
		return nil
	}
	r.Refs, r.Pushed = now, s.now()
	put(s, &s.state.Repos, r.ID, r)
	names := map[string]bool{}
	for name := range old {
		names[name] = old[name] != now[name]
	}
	for name := range now {
		names[name] = old[name] != now[name]
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if names[name] {
			if err := s.pushEvents(r, actor, name, old, now); err != nil {
				return err
			}
		}
	}
	for _, p := range s.state.Pulls.sorted(func(p *pullRow) bool { return p.State == "open" }) {
		if err := s.syncPull(r, p, old, now, actor); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sim) syncPull(r *repoRow, p *pullRow, old, now map[string]string, actor string) error {
	head, base := "refs/heads/"+p.HeadRef, "refs/heads/"+p.BaseRef
	headMoved := p.HeadRepo == r.ID && old[head] != now[head]
	baseMoved := p.Repo == r.ID && old[base] != now[base]
	target := s.state.Repos.rows[p.Repo]
	switch {
	case headMoved && now[head] == "", baseMoved && now[base] == "":
		return s.closePull(target, p, actor)
	case headMoved:
		before := p.HeadSHA
		p.HeadSHA, p.BaseSHA = now[head], target.Refs[base]
		if err := s.keepHead(target, r, p); err != nil {
			return err
		}
		p.Updated = s.now()
		if err := s.refresh(target, p); err != nil {
			return err
		}
		return s.pullEvent(target, p, actor, "synchronize", obj{"before": before, "after": p.HeadSHA})
	case baseMoved && s.isAncestor(target, p.HeadSHA, now[base]):
		return s.mergedByPush(target, p, now[base], actor)
	case baseMoved:
		return s.refresh(target, p)
	}
	return nil
}

// keepHead holds the head in the target repository, fork or not, so that it
// stays when its branch goes.
func (s *Sim) keepHead(target, from *repoRow, p *pullRow) error {
	ref := fmt.Sprintf("refs/pull/%d/head", p.Number)
	if target.ID != from.ID {
		_, err := s.git(target, "fetch", "-q", "--no-tags", "--no-write-fetch-head", s.gitDir(from), "+refs/heads/"+p.HeadRef+":"+ref)
		return err
	}
	_, err := s.git(target, "update-ref", ref, p.HeadSHA)
	return err
}

// mergedByPush marks a pull request whose commits reached its base by a push;
// GitHub calls that merged, too.
func (s *Sim) mergedByPush(r *repoRow, p *pullRow, tip, actor string) error {
	out, err := s.git(r, "rev-list", "--first-parent", "--ancestry-path", p.HeadSHA+".."+tip)
	if err != nil {
		return err
	}
	sha := p.HeadSHA
	if lines := strings.Fields(out); len(lines) > 0 {
		sha = lines[len(lines)-1]
	}
	s.markMerged(p, sha, actor)
	return s.pullEvent(r, p, actor, "closed", nil)
}

func (s *Sim) markMerged(p *pullRow, sha, by string) {
	now := s.now()
	p.State, p.MergeSHA, p.MergedBy = "closed", sha, by
	p.MergedAt, p.Closed, p.Updated = &now, &now, now
	p.Intent = nil
	put(s, &s.state.Pulls, p.ID, p)
}

func (s *Sim) closePull(r *repoRow, p *pullRow, actor string) error {
	now := s.now()
	p.State, p.Closed, p.Updated = "closed", &now, now
	put(s, &s.state.Pulls, p.ID, p)
	return s.pullEvent(r, p, actor, "closed", nil)
}

// refresh takes the figures of an open pull request against the present tip of
// its base, and makes the test merge that GitHub keeps at refs/pull/N/merge.
func (s *Sim) refresh(r *repoRow, p *pullRow) error {
	defer put(s, &s.state.Pulls, p.ID, p)
	base := r.Refs["refs/heads/"+p.BaseRef]
	if base == "" {
		p.Mergeable = false
		return nil
	}
	p.DiffBase = base
	var err error
	if p.Commits, err = s.ahead(r, base, p.HeadSHA); err != nil {
		return err
	}
	files, err := s.diffStat(r, s.mergeBase(r, base, p.HeadSHA), p.HeadSHA)
	if err != nil {
		return err
	}
	p.NumFiles, p.Additions, p.Deletions = len(files), 0, 0
	for _, f := range files {
		p.Additions += f.added
		p.Deletions += f.deleted
	}
	tree, ok, err := s.mergeTree(r, base, p.HeadSHA)
	if err != nil {
		return err
	}
	p.Mergeable = ok
	if !ok {
		p.MergeSHA = ""
		return nil
	}
	flow := s.webFlow()
	p.MergeSHA, err = s.commitTree(r, tree, []string{base, p.HeadSHA}, "Merge "+p.HeadSHA+" into "+base, flow, flow)
	if err != nil {
		return err
	}
	_, err = s.git(r, "update-ref", fmt.Sprintf("refs/pull/%d/merge", p.Number), p.MergeSHA)
	return err
}

package githubsim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const deliveriesKept = 3 * 24 * time.Hour

// emit queues an event for every hook that wants it. It is on disk with the
// change that it tells of, before anything is sent.
func (s *Sim) emit(r *repoRow, sender, event string, payload obj) error {
	for _, h := range s.state.Hooks.sorted(func(h *hookRow) bool { return h.Repo == r.ID && h.Active }) {
		if slices.Contains(h.Events, "*") || slices.Contains(h.Events, event) {
			if err := s.queue(r, h, sender, event, payload); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Sim) queue(r *repoRow, h *hookRow, sender, event string, payload obj) error {
	if payload["repository"] == nil {
		payload["repository"] = s.repoObj(r)
	}
	payload["sender"] = s.user(sender)
	if h.App { // the payload is shared with the repository's own hooks
		payload = maps.Clone(payload)
		payload["installation"] = obj{"id": s.cfg.App.InstallationID}
	}
	raw, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("encode %s payload: %w", event, err)
	}
	action, _ := payload["action"].(string)
	s.enqueue(&deliveryRow{Repo: r.ID, Hook: h.ID, GUID: newGUID(), Event: event, Action: action}, raw)
	return nil
}

func (s *Sim) enqueue(d *deliveryRow, payload []byte) {
	d.ID, d.Pending, d.Queued = s.newID(), true, s.now()
	put(s, &s.state.Deliveries, d.ID, d)
	s.state.dirty[dirtyKey{payloadBucket, d.ID}] = payload
	if d.ID%128 == 0 {
		s.prune()
	}
}

// prune forgets deliveries that GitHub would not list any more.
func (s *Sim) prune() {
	oldest := s.now().Add(-deliveriesKept)
	for id, d := range s.state.Deliveries.rows {
		if !d.Pending && d.Queued.Before(oldest) {
			remove(s, &s.state.Deliveries, id)
			s.state.dirty[dirtyKey{payloadBucket, id}] = nil
		}
	}
}

func newGUID() string {
	h := randomHex(16)
	return strings.Join([]string{h[:8], h[8:12], "4" + h[13:16], "a" + h[17:20], h[20:]}, "-")
}

// pushEvents tells of one ref that changed: create or delete, and push.
func (s *Sim) pushEvents(r *repoRow, actor, ref string, old, now map[string]string) error {
	before, after := old[ref], now[ref]
	short, kind := strings.TrimPrefix(ref, "refs/heads/"), "branch"
	if strings.HasPrefix(ref, "refs/tags/") {
		short, kind = strings.TrimPrefix(ref, "refs/tags/"), "tag"
	}
	change := obj{"ref": short, "ref_type": kind, "pusher_type": "user"}
	switch {
	case before == "":
		change["master_branch"], change["description"] = r.DefaultBranch, nil
		if err := s.emit(r, actor, "create", change); err != nil {
			return err
		}
	case after == "":
		if err := s.emit(r, actor, "delete", change); err != nil {
			return err
		}
	}
	payload, err := s.pushPayload(r, actor, ref, before, after, old)
	if err != nil {
		return err
	}
	return s.emit(r, actor, "push", payload)
}

func (s *Sim) pushPayload(r *repoRow, actor, ref, before, after string, old map[string]string) (obj, error) {
	commits := []obj{}
	forced := false
	var head any
	if after != "" {
		// An annotated tag is an object of its own; its commits are the peeled ones.
		tip := s.peel(r, after)
		args := []string{"--reverse", "--max-count=2048", tip, "--not"}
		if before != "" {
			args = append(args, before)
			forced = !s.isAncestor(r, before, after)
		} else {
			for _, sha := range old {
				args = append(args, sha)
			}
		}
		list, err := s.gitLog(r, args...)
		if err != nil {
			return nil, err
		}
		for _, c := range list {
			o, err := s.pushCommit(r, c)
			if err != nil {
				return nil, err
			}
			commits = append(commits, o)
		}
		c, err := s.commitOf(r, tip)
		if err != nil {
			return nil, err
		}
		if head, err = s.pushCommit(r, c); err != nil {
			return nil, err
		}
	}
	repo := s.repoObj(r)
	repo["created_at"], repo["pushed_at"] = r.Created.Unix(), r.Pushed.Unix()
	repo["master_branch"] = r.DefaultBranch
	pusher := s.identOf(actor)
	return obj{
		"ref": ref, "before": orZero(before), "after": orZero(after), "base_ref": nil,
		"created": before == "", "deleted": after == "", "forced": forced,
		"compare": fmt.Sprintf("%s/compare/%.12s...%.12s", s.htmlURL(r), orZero(before), orZero(after)),
		"commits": commits, "head_commit": head, "repository": repo,
		"pusher": obj{"name": actor, "email": pusher.Email},
	}, nil
}

func orZero(sha string) string {
	if sha == "" {
		return zeroSHA
	}
	return sha
}

func (s *Sim) pushCommit(r *repoRow, c *commit) (obj, error) {
	parent := emptyTree
	if len(c.Parents) > 0 {
		parent = c.Parents[0]
	}
	files, err := s.diffStat(r, parent, c.SHA)
	if err != nil {
		return nil, err
	}
	by := map[string][]string{"added": {}, "removed": {}, "modified": {}}
	for _, f := range files {
		switch f.status {
		case "added", "removed":
			by[f.status] = append(by[f.status], f.path)
		case "renamed":
			by["added"] = append(by["added"], f.path)
			by["removed"] = append(by["removed"], f.from)
		default:
			by["modified"] = append(by["modified"], f.path)
		}
	}
	who := func(i ident) obj {
		o := obj{"name": i.Name, "email": i.Email}
		if u, ok := s.userByEmail(i.Email).(obj); ok {
			o["username"] = u["login"]
		}
		return o
	}
	return obj{
		"id": c.SHA, "tree_id": c.Tree, "distinct": true, "message": c.Message,
		"timestamp": stamp(c.Committer.Date), "url": s.htmlURL(r) + "/commit/" + c.SHA,
		"author": who(c.Author), "committer": who(c.Committer),
		"added": by["added"], "removed": by["removed"], "modified": by["modified"],
	}, nil
}

func (s *Sim) pullEvent(r *repoRow, p *pullRow, actor, action string, extra obj) error {
	payload := obj{"action": action, "number": p.Number, "pull_request": s.pullFull(p)}
	for k, v := range extra {
		payload[k] = v
	}
	return s.emit(r, actor, "pull_request", payload)
}

package deploy

import (
	"context"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// onReview keeps approvals made on GitHub, by the head that they were given to.
func (f *feature) onReview(ctx context.Context, h commands.Happening) (commands.Act, error) {
	if h.Forge == nil || h.Forge.PullRequest == nil || h.Forge.Review == nil || !f.watched(h.Forge.PullRequest) {
		return nil, nil
	}
	s, err := f.look(ctx, *h.Forge.PullRequest)
	if err != nil {
		return nil, err
	}
	return func(tx *store.Tx) (commands.Reply, error) {
		if err := f.take(tx, s); err != nil {
			return commands.Reply{}, err
		}
		return commands.Reply{Subject: pullSubject(s.pr.RepoID, s.pr.Number)}, f.review(tx, s.pr, *h.Forge.Review)
	}, nil
}

func (f *feature) review(tx *store.Tx, pr integrations.PullRequest, r integrations.Review) error {
	p, err := tx.Pull(pr.RepoID, pr.Number)
	if err != nil {
		return err
	}
	if !p.Turned.IsZero() && !r.At.After(p.Turned) { // it was given for another branch
		return nil
	}
	if p.Reviews == nil {
		p.Reviews = map[string]string{}
	}
	switch strings.ToUpper(r.State) {
	case "APPROVED":
		p.Reviews[r.Author] = r.Head
	case "CHANGES_REQUESTED", "DISMISSED":
		delete(p.Reviews, r.Author)
	default:
		return nil
	}
	if err := tx.PutPull(p); err != nil {
		return err
	}
	return f.markPullOf(tx, p)
}

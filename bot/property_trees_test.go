package main

import (
	"context"
	"maps"
	"slices"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// hubTrees is the mirror: only a fetch goes over the network.
type hubTrees struct{ y *history }

func (t hubTrees) read(do func(h *hub)) { t.y.mu.Lock(); defer t.y.mu.Unlock(); do(t.y.hub) }

func (t hubTrees) Fetch(ctx context.Context, _, sha string) error {
	return t.y.outside(ctx, sysGitHub, "Fetch "+sha[:7], func() error {
		if t.y.hub.commits[sha] == nil {
			return integrations.ErrNotFound
		}
		return nil
	})
}

func (t hubTrees) Ahead(string, string) {}

func (t hubTrees) Checkout(context.Context, string, string, string) error { return nil }

func (t hubTrees) Remove(context.Context, string, string) error { return nil }

func (t hubTrees) Position(_ context.Context, _, sha string) (n uint64, err error) {
	t.read(func(h *hub) { n = h.position(sha) })
	return n, nil
}

func (t hubTrees) Since(_ context.Context, _, from, to string) (out []string, err error) {
	t.read(func(h *hub) {
		had := h.reach(from)
		for c := h.commits[to]; c != nil && !had[c.sha]; {
			out = append(out, c.sha)
			if len(c.parents) == 0 {
				break
			}
			c = h.commits[c.parents[0]]
		}
	})
	slices.Reverse(out)
	return out, nil
}

func (t hubTrees) Touched(_ context.Context, _, base, head string) (out []string, err error) {
	t.read(func(h *hub) { out = h.touched(base, head) })
	return out, nil
}

func (t hubTrees) Contains(_ context.Context, _, head, sha string) (in bool, err error) {
	t.read(func(h *hub) { in = h.contains(head, sha) })
	return in, nil
}

func (t hubTrees) Introduced(_ context.Context, _, sha string) (out []string, err error) {
	t.read(func(h *hub) {
		if c := h.commits[sha]; len(c.parents) > 0 {
			out = h.differ(c.parents[0], sha)
		}
	})
	return out, nil
}

func (t hubTrees) Parent(_ context.Context, _, sha string) (out string, err error) {
	t.read(func(h *hub) {
		if c := h.commits[sha]; c != nil && len(c.parents) > 0 {
			out = c.parents[0]
		}
	})
	return out, nil
}

func (t hubTrees) Merged(_ context.Context, _, sha string) (out string, err error) {
	t.read(func(h *hub) {
		if c := h.commits[sha]; c != nil && len(c.parents) > 1 {
			out = c.parents[1]
		}
	})
	return out, nil
}

func (t hubTrees) Tree(_ context.Context, _, sha string) (out string, err error) {
	t.read(func(h *hub) { // the first commit that has it names it
		for _, c := range h.made {
			if maps.Equal(h.commits[c].tree, h.commits[sha].tree) {
				out = c
				return
			}
		}
	})
	return out, nil
}

func (t hubTrees) File(_ context.Context, _, sha, path string) (out []byte, err error) {
	err = integrations.ErrNotFound
	t.read(func(h *hub) {
		if v := h.commits[sha].tree[path]; v != "" {
			out, err = []byte(v), nil
		}
	})
	return out, err
}

func (t hubTrees) Blobs(_ context.Context, _, sha string, paths []string) (map[string]integrations.FileChange, error) {
	out := map[string]integrations.FileChange{}
	t.read(func(h *hub) {
		for _, path := range paths {
			if v := h.commits[sha].tree[path]; v != "" {
				out[path] = integrations.FileChange{Path: path, Blob: v}
			}
		}
	})
	return out, nil
}

package deploy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A good is something that a service can be taken back to in an environment.
type good struct {
	op      string    // the operation that brought it; "" for what was there before the first one
	tree    string    // promote: the commit whose tree comes back
	merge   string    // the merge that brought it
	sha     string    // what was asked for then
	version string    // pin: the version
	at      time.Time // when it was there
}

// label names a good thing as people do: by its version or SHA.
func (g good) label() string {
	if g.version != "" {
		return version(g.version)
	}
	return short(g.sha)
}

// told says which one it is: "0442232 (op-1 of 23 Nov 2026)".
func (g good) told() string {
	if g.op == "" {
		return g.label() + ", which was there before the first deploy from here"
	}
	return fmt.Sprintf("%s (%s of %s)", g.label(), g.op, g.at.UTC().Format("2 Jan 2006"))
}

// A past is what a service was brought to in an environment.
type past struct {
	merged []*store.Operation // newest first
	goods  []good             // what succeeded before the newest, newest first
}

// pastLimit is how many operations of a place are looked through.
const pastLimit = 100

// pastOf reads the past of a service in an environment. Operations count in the
// order in which they were merged, which is that of the base branch.
func pastOf(tx *store.Tx, service, environment string) (past, error) {
	ops, err := tx.OperationsOf(service, environment, pastLimit)
	if err != nil {
		return past{}, err
	}
	whole := len(ops) < pastLimit
	ops = slices.DeleteFunc(ops, func(o *store.Operation) bool {
		return o.Kind != "deploy" || o.MergeSHA == "" || o.State == store.OpClosed
	})
	slices.SortStableFunc(ops, func(a, b *store.Operation) int { return b.Merged.Compare(a.Merged) })
	p := past{merged: ops}
	for i, o := range ops {
		if !worked(o) || i == 0 {
			continue
		}
		g := good{op: o.ID, tree: brought(o), merge: o.MergeSHA, sha: o.ToSHA, at: o.Ended}
		if o.Strategy == "pin" {
			g.version = o.To
		}
		p.goods = append(p.goods, g)
	}
	if len(ops) > 0 && whole {
		first := ops[len(ops)-1]
		g := good{tree: first.FromSHA, merge: first.FromSHA, sha: first.FromSHA, at: first.Created}
		if first.Strategy == "pin" {
			g.version = first.From
		}
		if first.Strategy != "pin" || first.From != "" {
			p.goods = append(p.goods, g)
		}
	}
	return p, nil
}

func worked(o *store.Operation) bool { return o.State == store.OpSucceeded || o.State == store.OpNoop }

// brought is the commit whose tree an operation brought: of a rollback the one
// that it went back to, however often it was gone back to since.
func brought(o *store.Operation) string {
	if o.Rollback {
		return o.TreeOf
	}
	return o.MergeSHA
}

// now is what was merged last; nil if nothing was.
func (p past) now() *store.Operation {
	if len(p.merged) == 0 {
		return nil
	}
	return p.merged[0]
}

// there says whether a good thing is what the newest operation brought.
func (p past) there(g good) bool {
	if p.now().Strategy == "pin" {
		return g.version == p.now().To
	}
	return g.tree == brought(p.now())
}

// last is the last good thing before the newest operation, and of a rollback that
// which it took back: taking it back brings that again. What a rollback took back
// is never the last before anything else, as the rollback itself comes after it.
func (p past) last() (good, bool) {
	for _, g := range p.goods {
		switch {
		case p.there(g):
		case !p.now().Rollback, g.op == p.now().Undoes:
			return g, true
		}
	}
	return good{}, false
}

// named finds what somebody names: an operation, a version, or a SHA of at least
// seven digits, of the merge or of what was asked for.
func (p past) named(word string) (good, bool) {
	word = integrations.Fold(strings.TrimSpace(word))
	for _, g := range p.goods {
		sha := looksLikeSHA.MatchString(word) && (strings.HasPrefix(g.merge, word) || strings.HasPrefix(g.sha, word))
		if g.op == word && word != "" || g.version != "" && integrations.Fold(g.version) == word || sha {
			return g, true
		}
	}
	return good{}, false
}

// isNow says whether somebody names what is there already.
func (p past) isNow(word string) bool {
	o := p.now()
	if !worked(o) {
		return false
	}
	one := past{goods: []good{{op: o.ID, merge: o.MergeSHA, sha: o.ToSHA, version: o.To}}}
	if o.Strategy != "pin" {
		one.goods[0].version = ""
	}
	_, ok := one.named(word)
	return ok
}

// taken are the operations whose change goes when a good thing comes back,
// newest first: those since, but for what was taken back already.
func (p past) taken(g good) []*store.Operation {
	var out []*store.Operation
	undoing, until := false, ""
	for _, o := range p.merged {
		if o.ID == g.op {
			break
		}
		if undoing && o.ID == until {
			undoing = false
		}
		if o.Rollback && worked(o) && !undoing && o != p.now() {
			undoing, until = true, o.Back
		}
		if !undoing {
			out = append(out, o)
		}
	}
	return out
}

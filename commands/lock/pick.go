package lock

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// whatArg is the argument of the verbs about a hold that stands.
func whatArg(help string) commands.Arg {
	return commands.Arg{Name: "what", Kind: commands.ArgHold, Help: help}
}

// pick finds the hold that a call is about: the one that it names, or the one of
// exactly that scope, the caller's own first. kinds are those looked among, in
// that order. A button's version must be the one that stands.
func (f *feature) pick(tx *store.Tx, c *commands.Call, kinds ...string) (*store.Hold, error) {
	h, err := f.named(tx, c, kinds)
	if err != nil {
		return nil, err
	}
	if c.Version != 0 && c.Version != h.Version {
		return nil, commands.Refuse("stale", fmt.Sprintf("This button belongs to an earlier %s: since then it changed to %s.", noun(h), f.sentence(h))).WithExample("locks")
	}
	return h, nil
}

func (f *feature) named(tx *store.Tx, c *commands.Call, kinds []string) (*store.Hold, error) {
	word := c.Arg("what")
	if strings.HasPrefix(word, "hold-") {
		return f.byID(tx, word)
	}
	scope, ok := commands.ScopeOf(c.Catalog, word)
	if !ok {
		return nil, commands.Refuse("unknown_scope", fmt.Sprintf("There is no “%s”.", word)).WithExample("locks")
	}
	all, err := f.live(tx)
	if err != nil {
		return nil, err
	}
	var found []*store.Hold
	for _, kind := range kinds {
		for _, h := range all {
			if h.Kind == kind && scopeOf(c.Catalog, h) == scope {
				found = append(found, h)
			}
		}
	}
	if i := slices.IndexFunc(found, func(h *store.Hold) bool { return h.Kind == kinds[0] && mine(h, c.Who) }); i >= 0 {
		return found[i], nil
	}
	switch len(found) {
	case 0:
		return nil, f.nothing(c, scope, all)
	case 1:
		return found[0], nil
	}
	r := commands.Refuse("which", fmt.Sprintf("There are %d of them:", len(found))).WithHint("Name the one you mean.")
	for _, h := range found {
		r.What += "\n" + f.sentence(h)
		r.Buttons = append(r.Buttons, integrations.Button{Label: upperFirst(c.Verb.Name) + " " + h.ID, Command: strings.TrimSpace(c.Verb.Name + " " + h.ID + rest(c)), Version: h.Version})
	}
	return nil, r
}

// rest is the reason that was given, for a button that says the same of another hold.
func rest(c *commands.Call) string {
	reason := c.Arg("reason")
	if reason == "" {
		return ""
	}
	one := *c
	one.Args = map[string]string{"what": "x", "reason": reason}
	return strings.TrimPrefix(commands.Render(&one), c.Verb.Name+" x")
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// byID finds a hold, and says of one that is over how it ended.
func (f *feature) byID(tx *store.Tx, id string) (*store.Hold, error) {
	h, err := tx.Hold(id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		over, ok, err := gate.EndedHold(tx, id)
		if err != nil {
			return nil, err
		}
		if ok {
			return nil, commands.Refuse("over", fmt.Sprintf("%s is over: the %s on %s %s.", id, noun(&over.Hold), gate.Scope(&over.Hold), f.howEnded(over))).WithExample("locks")
		}
		return nil, commands.Refuse("unknown_hold", fmt.Sprintf("There is no %s.", id)).WithExample("locks")
	case err != nil:
		return nil, fmt.Errorf("%s cannot be read, so it holds: %w", id, err)
	case h.Over(f.Clock.Now()):
		return nil, commands.Refuse("over", fmt.Sprintf("%s is over: the %s on %s has expired.", id, noun(h), gate.Scope(h))).WithExample("locks")
	}
	return h, nil
}

// nothing says that nothing of exactly that scope is held, and what else holds there.
func (f *feature) nothing(c *commands.Call, scope commands.Scope, all []*store.Hold) error {
	r := commands.Refuse("not_locked", fmt.Sprintf("Nothing holds %s.", scope)).WithExample("locks")
	var also []string
	for _, h := range all {
		if touches(c.Catalog, h, scope) {
			also = append(also, f.sentence(h))
		}
		if scopeOf(c.Catalog, h) == scope {
			r.Example = map[bool]string{true: "unfreeze ", false: "unlock "}[h.Kind == store.HoldFreeze] + h.ID
		}
	}
	switch len(also) {
	case 0:
	case 1:
		r.What = fmt.Sprintf("Nothing of the kind holds exactly %s.", scope)
		r.Hint = "This holds there: " + also[0] + "."
	default:
		r.What = fmt.Sprintf("Nothing of the kind holds exactly %s.", scope)
		r.Hint = "These hold there: " + strings.Join(also, "; ") + "."
	}
	return r
}

// others refuses whoever may not touch somebody else's hold, and names it and
// every other one on the same, with ways on.
func (f *feature) others(tx *store.Tx, c *commands.Call, h *store.Hold) error {
	all, err := f.live(tx)
	if err != nil {
		return err
	}
	holds := []*store.Hold{h}
	what := upper(f.sentence(h)) + "."
	for _, o := range all {
		if o.ID != h.ID && scopeOf(c.Catalog, o) == scopeOf(c.Catalog, h) {
			holds = append(holds, o)
			what += "\n" + upper(f.sentence(o)) + "."
		}
	}
	hint := fmt.Sprintf("It is %s's, and you may not release it for them. Ask", gate.FromStore(h.Owner).Display())
	if !h.Expires.IsZero() {
		hint += ", or wait until it ends"
	}
	return commands.Refuse("held", what).WithHint(hint + ".").WithButtons(f.waysPast(c, holds...)...)
}

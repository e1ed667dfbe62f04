package home

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// The cards of other features that a Home tab looks at, by Surface.Card, and what
// their surfaces say of whom they ask.
const (
	cardOperation = "operation"
	cardApproval  = "approval" // Where: "head", "name" of who is asked, "level"
	cardConfirm   = "confirm"
	cardHold      = "hold"

	askedAll = "3" // the level at which everybody who may is asked
)

// expiring is how long before its end a hold waits for its owner to say more.
const expiring = time.Hour

// work shows what waits for the person and then their operations.
func (p *page) work() error {
	live, err := p.tx.LiveOperations()
	if err != nil {
		return err
	}
	var waits, mine []item
	for _, op := range live {
		state, asked, err := p.asked(op)
		if err != nil {
			return err
		}
		it := item{line: operationLine(op, state), buttons: asked}
		if len(asked) > 0 {
			waits = append(waits, it)
		}
		if gate.FromStore(op.Requester).Same(p.who) {
			if it.buttons = nil; len(asked) == 0 {
				it.buttons = slices.DeleteFunc(p.offered(&store.Surface{Card: cardOperation, Subject: op.ID}), approves) // who asked is not the one who agrees
			}
			mine = append(mine, it)
		}
	}
	ending, err := p.holds()
	if err != nil {
		return err
	}
	for _, h := range ending {
		if p.ends(h) {
			waits = append(waits, item{line: holdLine(h, " ends soon: "), buttons: p.holdButtons(h)})
		}
	}
	p.list("What waits for you", waits, mostWaits, "Nothing waits for you.", "`/ops status` lists all that is under way.")
	p.list("Your operations", mine, mostMine, "Nothing of yours is under way.", "`/ops status` lists all that is under way.")
	return nil
}

// asked is the state of an operation that matters most, and what the person is
// asked to do about it; nothing where others are asked.
func (p *page) asked(op *store.Operation) (state string, buttons []integrations.Button, err error) {
	state = op.State
	jobs, err := p.tx.JobsOf(op.ID)
	if err != nil {
		return state, nil, err
	}
	may := func(right string) bool { return p.cat.May(p.who, right, op.Environment) }
	card := &store.Surface{Card: cardOperation, Subject: op.ID}
	for _, j := range jobs {
		switch {
		case j.State == store.JobUnknown && j.Target != "":
			if state = j.State; may("resolve") {
				return state, p.offered(card), nil
			}
		case j.State == store.JobNeedsConfirm:
			if state = j.State; may("confirm") {
				buttons, err := p.lastOf(j.ID, cardConfirm, nil)
				return state, buttons, err
			}
		case j.State == store.JobBlocked:
			state = j.State
			offered := p.offered(card)
			approve := slices.ContainsFunc(offered, approves)
			own := gate.FromStore(op.Requester).Same(p.who)
			if own && !approve || !own && approve && may("approve") {
				return state, offered, nil
			}
		}
	}
	if op.State != store.OpOpen || state != op.State || p.agreed(op) {
		return state, nil, nil
	}
	buttons, err = p.lastOf(op.ID, cardApproval, func(s *store.Surface) bool {
		everybody := s.Where["level"] == askedAll && may("approve") && !gate.FromStore(op.Requester).Same(p.who)
		return s.Where["head"] == op.Head && (everybody || s.Where["name"] == p.who.Name)
	})
	return state, buttons, err
}

func approves(b integrations.Button) bool { return strings.HasPrefix(b.Command, "approve ") }

// agreed says whether the person has approved an operation as it is.
func (p *page) agreed(op *store.Operation) bool {
	return slices.ContainsFunc(op.Approvals, func(a store.Approval) bool { return a.Head == op.Head && gate.FromStore(a.By).Same(p.who) })
}

// lastOf is what the newest message of a card about a subject offers.
func (p *page) lastOf(subject, card string, fits func(*store.Surface) bool) ([]integrations.Button, error) {
	all, err := p.tx.SurfacesOf(subject)
	if err != nil {
		return nil, err
	}
	for _, s := range slices.Backward(all) {
		if s.Card == card && (fits == nil || fits(s)) {
			return p.offered(s), nil
		}
	}
	return nil, nil
}

// operationLine is one operation, short enough for a phone.
func operationLine(op *store.Operation, state string) integrations.Rich {
	what := strings.Join(op.Targets, ", ")
	if op.Service != "" {
		what = op.Service + " → " + op.Environment
	}
	if op.Rollback {
		what += " (rollback)"
	}
	line := integrations.R(icon(state)+" ", integrations.Bold(what), " · ", integrations.Bold(state), "\n", integrations.Code(op.ID))
	if op.PRURL != "" {
		line = append(line, integrations.R(" · ", integrations.Link(op.PRURL, fmt.Sprintf("#%d", op.PR)))...)
	}
	if op.Requester != (store.Person{}) { // nobody asked for a commit that came by itself
		line = append(line, integrations.R(" · ", gate.FromStore(op.Requester).Display())...)
	}
	if op.Reason != "" {
		line = append(line, integrations.R(" · ", integrations.Italic(shortened(op.Reason)))...)
	}
	return line
}

// mostReason is how much of a reason a line has room for, in characters.
const mostReason = 120

func shortened(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > mostReason {
		return string(r[:mostReason-1]) + "…"
	}
	return s
}

func icon(state string) string {
	switch state {
	case store.JobUnknown:
		return "❓"
	case store.JobBlocked, store.JobNeedsConfirm:
		return "✋"
	case store.OpMerged, store.OpApplying:
		return "🚧"
	}
	return "🔷"
}

// locks shows what the person holds.
func (p *page) locks() error {
	held, err := p.holds()
	if err != nil {
		return err
	}
	var all []item
	for _, h := range held {
		it := item{line: holdLine(h, ": ")}
		if !p.ends(h) { // else it stands above, with them
			it.buttons = p.holdButtons(h)
		}
		all = append(all, it)
	}
	p.list("Your locks", all, mostLocks, "You hold nothing.", "`/ops locks` lists them.")
	return nil
}

// holds are the locks and freezes of the person that are not over.
func (p *page) holds() ([]*store.Hold, error) {
	all, err := p.tx.Holds()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(h *store.Hold) bool {
		return h.Kind == store.HoldDirty || h.Over(p.Clock.Now()) || !gate.FromStore(h.Owner).Same(p.who)
	}), nil
}

func (p *page) ends(h *store.Hold) bool {
	return !h.Expires.IsZero() && h.Expires.Sub(p.Clock.Now()) <= expiring
}

func (p *page) holdButtons(h *store.Hold) []integrations.Button {
	buttons := p.offered(&store.Surface{Card: cardHold, Subject: h.ID})
	if !h.Expires.IsZero() {
		buttons = append(buttons, integrations.Button{Label: "Extend", Command: "extend " + h.ID, Version: h.Version})
	}
	return buttons
}

func holdLine(h *store.Hold, then string) integrations.Rich {
	sign := "🔒 "
	switch {
	case h.Stop:
		sign = "🛑 "
	case h.Kind == store.HoldFreeze:
		sign = "🧊 "
	}
	line := integrations.R(sign, integrations.Bold(gate.Scope(h)), then, integrations.Italic(shortened(h.Reason)), "\n", integrations.Code(h.ID))
	if !h.Expires.IsZero() {
		line = append(line, integrations.R(" · until ", gate.Clock(h.Expires))...)
	}
	return line
}

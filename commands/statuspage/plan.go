package statuspage

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
)

// What Statuspage takes (developer.statuspage.io, Incidents).
const (
	longestTitle = 255   // characters
	longestBody  = 25000 // characters
)

// plan is what a notice makes of the page as it is: all that customers will read of it, and
// what it changes.
type plan struct {
	Title  string  `json:"title,omitempty"`
	Was    string  `json:"was,omitempty"` // the status of the incident before
	Status string  `json:"status,omitempty"`
	Body   string  `json:"body,omitempty"`
	Impact string  `json:"impact,omitempty"`
	Moves  []move  `json:"moves,omitempty"`
	After  string  `json:"after,omitempty"`  // the id of the incident's newest message
	Others []other `json:"others,omitempty"` // incidents that are open besides a new one
}

// move is what becomes of a component.
type move struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	From string `json:"from"`
	To   string `json:"to"`
}

type other struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

// digest tells two plans apart. It fits into what JSON takes for a number.
func (p plan) digest() uint64 {
	text, err := json.Marshal(p)
	if err != nil {
		return 0 // of texts and lists of texts: it cannot fail
	}
	sum := sha256.Sum256(text)
	return binary.BigEndian.Uint64(sum[:8])>>11 | 1
}

// act is a kind of notice.
type act struct {
	plan func(f *feature, ctx context.Context, r request) (plan, error)
	// find looks whether a notice was posted already.
	find func(f *feature, ctx context.Context, n *Notice) (integrations.PageIncident, bool, error)
	post func(f *feature, ctx context.Context, n *Notice) (integrations.PageIncident, error)
	// tells says that subscribers can be written to.
	tells bool
}

const (
	actOpen      = "open"
	actUpdate    = "update"
	actComponent = "component"
)

func acts() map[string]act {
	return map[string]act{
		actOpen:      {plan: (*feature).planOpen, find: (*feature).findOpen, post: (*feature).postOpen, tells: true},
		actUpdate:    {plan: (*feature).planUpdate, find: (*feature).findUpdate, post: (*feature).postUpdate, tells: true},
		actComponent: {plan: (*feature).planComponent, find: (*feature).findComponent, post: (*feature).postComponent},
	}
}

// plan works out what a request makes of the page as it is now. What is wrong with it is a
// *commands.Refusal.
func (f *feature) plan(ctx context.Context, r request) (plan, error) {
	a, ok := acts()[r.Act]
	if !ok {
		return plan{}, fmt.Errorf("no notice is of the kind %q", r.Act)
	}
	return a.plan(f, ctx, r)
}

func (f *feature) planOpen(ctx context.Context, r request) (plan, error) {
	if err := fits(r); err != nil {
		return plan{}, err
	}
	all, err := f.Page.Components(ctx)
	if err != nil {
		return plan{}, f.unread(err)
	}
	open, err := f.Page.Unresolved(ctx)
	if err != nil {
		return plan{}, f.unread(err)
	}
	p := plan{Title: r.Title, Status: cmp.Or(r.Status, integrations.PageInvestigating), Body: r.Body, Impact: r.Impact}
	for _, i := range open {
		p.Others = append(p.Others, other{i.ID, i.Title})
	}
	p.Moves, err = moves(all, r)
	return p, err
}

func (f *feature) planUpdate(ctx context.Context, r request) (plan, error) {
	if err := fits(r); err != nil {
		return plan{}, err
	}
	i, err := f.Page.Incident(ctx, r.Incident)
	if errors.As(err, new(*integrations.Gone)) {
		return plan{}, f.unknownIncident(ctx, r.Incident)
	}
	if err != nil {
		return plan{}, f.unread(err)
	}
	if i.Over() {
		return plan{}, commands.Refuse("over", fmt.Sprintf("“%s” is over: it is %s.", i.Title, i.Status)).WithHint("What is new since then is another incident.").WithExample(`statuspage open "Checkout is slow" We are looking into it.`)
	}
	p := plan{Title: i.Title, Was: i.Status, Status: r.Status, Body: r.Body, Impact: r.Impact}
	if len(i.Updates) > 0 {
		p.After = i.Updates[0].ID
	}
	all, err := f.Page.Components(ctx)
	if err != nil {
		return plan{}, f.unread(err)
	}
	if r.Status == integrations.PageResolved && r.Components == "" {
		for _, c := range i.Components {
			if c.Status != integrations.ComponentOperational {
				p.Moves = append(p.Moves, move{c.ID, shownAs(c, all), c.Status, integrations.ComponentOperational})
			}
		}
		return p, nil
	}
	p.Moves, err = moves(all, r)
	return p, err
}

func (f *feature) planComponent(ctx context.Context, r request) (plan, error) {
	all, err := f.Page.Components(ctx)
	if err != nil {
		return plan{}, f.unread(err)
	}
	c, err := component(all, r.Components, "statuspage component %s major_outage")
	if err != nil {
		return plan{}, err
	}
	if c.Status == r.Each {
		return plan{}, commands.Refuse("already", fmt.Sprintf("%s is %s already.", shownAs(c, all), c.Status)).WithExample("statuspage")
	}
	return plan{Moves: []move{{c.ID, shownAs(c, all), c.Status, r.Each}}}, nil
}

// fits refuses what Statuspage would.
func fits(r request) error {
	if n := utf8.RuneCountInString(r.Title); n > longestTitle {
		return commands.Refuse("long_title", fmt.Sprintf("The title has %d characters; Statuspage takes %d.", n, longestTitle)).WithExample(`statuspage open "Checkout is slow" We are looking into it.`)
	}
	if n := utf8.RuneCountInString(r.Body); n > longestBody {
		return commands.Refuse("long_body", fmt.Sprintf("The message has %d characters; Statuspage takes %d.", n, longestBody)).WithExample(`statuspage open "Checkout is slow" We are looking into it.`)
	}
	return nil
}

// none is written in the place of components where those of an incident stay as they are.
const none = "none"

// moves are what becomes of the components that a request names.
func moves(all []integrations.PageComponent, r request) (out []move, err error) {
	if integrations.Fold(r.Components) == none {
		return nil, nil
	}
	for _, part := range strings.FieldsFunc(r.Components, func(r rune) bool { return r == ',' || r == '、' || r == '，' }) {
		name, to, said := strings.Cut(strings.TrimSpace(part), "=")
		if strings.TrimSpace(name) == "" {
			continue
		}
		c, err := component(all, name, "statuspage open \"Checkout is slow\" --components %s=partial_outage We are looking into it.")
		if err != nil {
			return nil, err
		}
		if to = strings.ReplaceAll(integrations.Fold(to), "-", "_"); !said {
			to = r.Each
		}
		if !slices.Contains(integrations.ComponentStatuses, to) {
			return nil, noState(shownAs(c, all), to)
		}
		if slices.ContainsFunc(out, func(m move) bool { return m.ID == c.ID }) {
			return nil, commands.Refuse("twice", fmt.Sprintf("%s is named twice.", shownAs(c, all))).WithExample("statuspage")
		}
		out = append(out, move{c.ID, shownAs(c, all), c.Status, to})
	}
	return out, nil
}

func noState(name, typed string) error {
	what := fmt.Sprintf("What is the state of %s?", name)
	if typed != "" {
		what = fmt.Sprintf("“%s” is no state of a component.", typed)
	}
	hint := fmt.Sprintf("There are %s.", strings.Join(integrations.ComponentStatuses, ", "))
	if close := near(typed, integrations.ComponentStatuses); len(close) > 0 {
		hint = fmt.Sprintf("Did you mean %s?", strings.Join(close, " or ")) + " " + hint
	}
	return commands.Refuse("unknown_state", what).WithHint(hint).WithExample(`statuspage open "Checkout is slow" --components ` + quoted(name) + `=partial_outage We are looking into it.`)
}

// shownAs is a component's name; with its group where another one is called so.
func shownAs(c integrations.PageComponent, all []integrations.PageComponent) string {
	for _, o := range all {
		if o.ID == c.ID {
			c.Group = o.Group
		}
	}
	twice := slices.ContainsFunc(all, func(o integrations.PageComponent) bool {
		return o.ID != c.ID && integrations.Fold(o.Name) == integrations.Fold(c.Name)
	})
	if twice && c.Group != "" {
		return c.Group + "/" + c.Name
	}
	return c.Name
}

// component is the one that somebody means; example has its name put in.
func component(all []integrations.PageComponent, typed, example string) (integrations.PageComponent, error) {
	typed = strings.TrimSpace(typed)
	var found []integrations.PageComponent
	var names []string
	for _, c := range all {
		name := shownAs(c, all)
		names = append(names, name)
		if c.ID == typed || integrations.Fold(name) == integrations.Fold(typed) || integrations.Fold(c.Name) == integrations.Fold(typed) || c.Group != "" && integrations.Fold(c.Group+"/"+c.Name) == integrations.Fold(typed) {
			found = append(found, c)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	r := commands.Refuse("unknown_component", fmt.Sprintf("The status page has no component “%s”.", typed))
	switch close := near(typed, names); {
	case len(found) > 1:
		names = nil
		for _, c := range found {
			names = append(names, shownAs(c, all))
		}
		r = commands.Refuse("which_component", fmt.Sprintf("Several components are called “%s”.", typed)).WithHint(fmt.Sprintf("There are %s.", strings.Join(names, ", ")))
	case len(close) > 0:
		r = r.WithHint(fmt.Sprintf("Did you mean %s?", strings.Join(close, " or ")) + " " + fmt.Sprintf("There are %s.", strings.Join(names, ", ")))
		names = close
	case len(names) == 0:
		return integrations.PageComponent{}, r.WithHint("It has no components at all.").WithExample("statuspage")
	default:
		r = r.WithHint(fmt.Sprintf("There are %s.", strings.Join(names, ", ")))
	}
	return integrations.PageComponent{}, r.WithExample(fmt.Sprintf(example, quoted(names[0])))
}

func quoted(name string) string {
	if strings.ContainsAny(name, " \t") {
		return `"` + name + `"`
	}
	return name
}

// near are the words that were probably meant.
func near(typed string, words []string) (out []string) {
	typed = integrations.Fold(typed)
	for _, w := range words {
		if n := utf8.RuneCountInString(typed); n >= 2 && levenshtein.ComputeDistance(typed, integrations.Fold(w)) <= max(1, n/4) && len(out) < 2 {
			out = append(out, w)
		}
	}
	return out
}

// unread is the answer when the page cannot be read.
func (f *feature) unread(err error) *commands.Refusal {
	var later *integrations.Later
	if errors.As(err, &later) && later.Err != nil {
		err = later.Err
	}
	f.Log.Warn("read the status page", "error", err)
	return commands.Refuse("unread", fmt.Sprintf("The status page cannot be read now: “%v”.", err)).WithHint("Nothing was posted.").WithExample("statuspage")
}

func (f *feature) unknownIncident(ctx context.Context, typed string) error {
	open, err := f.Page.Unresolved(ctx)
	if err != nil {
		return f.unread(err)
	}
	r := commands.Refuse("unknown_incident", fmt.Sprintf("The status page has no incident “%s”.", typed))
	if len(open) == 0 {
		return r.WithHint("No incident is open there.").WithExample("statuspage")
	}
	var names []string
	for _, i := range open {
		names = append(names, fmt.Sprintf("%s “%s”", i.ID, i.Title))
	}
	return r.WithHint(fmt.Sprintf("Open are %s.", strings.Join(names, ", "))).WithExample("statuspage update " + open[0].ID + " identified We have found the cause.")
}

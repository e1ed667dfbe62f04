package deploy

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

func (f *feature) checkedVerb() commands.Verb {
	return commands.Verb{
		Name: "checked", Aliases: []string{"good"}, Summary: "Say that you have checked what a deploy ships of yours", Effect: commands.Changes,
		Right: commands.RightRead, // for one's own; for somebody else's it asks for deploy or approve itself
		Args: append(subjectArg("the operation or its pull request"),
			commands.Arg{Name: "ships", Kind: commands.ArgWord, Optional: true, Help: "one pull request that it ships, such as #12; all of your own unless said"}),
		Examples: []string{"checked op-3", "checked op-3 #12"},
		Detail: "It ticks the box of each of your pull requests that the deploy ships; ticking it on GitHub is the same. Whoever may deploy or approve there may tick one for its author, by its number. " +
			"Where the environment says ships: gate, the merge waits for all of them.",
		Decide: func(_ context.Context, c *commands.Call) (commands.Act, error) {
			return func(tx *store.Tx) (commands.Reply, error) { return f.check(tx, c) }, nil
		},
	}
}

func (f *feature) check(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
	sub, err := f.findOne(tx, c)
	if err != nil {
		return commands.Reply{}, err
	}
	op := sub.op
	if op == nil || !f.boxes(op) {
		return commands.Reply{}, commands.Refuse("no_boxes", c.Arg("subject")+" ships nothing that is checked by its authors.").WithExample("status")
	}
	reply := commands.Reply{Subject: op.ID, Service: op.Service, Environment: op.Environment}
	if err := commands.Allow(c, commands.RightRead, op.Environment); err != nil {
		return reply, err
	}
	switch {
	case op.State == store.OpOpening:
		return reply, commands.Refuse("opening", op.ID+" is still being opened.").WithHint("What it ships is known once its pull request is open.")
	case op.Terminal():
		return reply, commands.Refuse("over", fmt.Sprintf("%s is %s: there is nothing to check any more.", op.ID, op.State))
	}
	chosen, err := f.toCheck(c, op)
	if err != nil {
		return reply, err
	}
	var did []string
	for i := range op.Ships {
		s := &op.Ships[i]
		for _, n := range chosen {
			if s.Number != n {
				continue
			}
			s.Checked = &store.Checked{By: gate.ToStore(c.Who), Via: "slack", At: f.Clock.Now()}
			onBehalf := ""
			if !authored(*s, c.Who) {
				onBehalf = " for " + c.Catalog.PersonByGitHub(s.Author).Display()
			}
			did = append(did, fmt.Sprintf("#%d%s", n, onBehalf))
		}
	}
	text := fmt.Sprintf("You checked %s, which %s ships.", strings.Join(did, ", "), op.ID)
	if left := gate.Unchecked(op); len(left) > 0 {
		text += fmt.Sprintf(" Not checked yet: %s.", f.shipNames(c.Catalog, left))
	}
	reply.Private = say(text)
	return reply, f.boxesChanged(tx, op)
}

// toCheck are the numbers of the pull requests that somebody means: all of their
// own, or the one that they named.
func (f *feature) toCheck(c *commands.Call, op *store.Operation) ([]int, error) {
	word := c.Arg("ships")
	if word == "" {
		return f.ownToCheck(c, op)
	}
	number, err := strconv.Atoi(strings.TrimPrefix(word, "#"))
	for _, s := range op.Ships {
		if err != nil || s.Number != number || !gate.Boxed(s) {
			continue
		}
		who := c.Catalog.PersonByGitHub(s.Author).Display()
		switch {
		case !f.mayCheck(c.Catalog, op, s, c.Who):
			return nil, commands.Refuse("not_yours", fmt.Sprintf("#%d is %s's to check, and you may neither deploy nor approve in %s.", number, who, op.Environment))
		case s.Checked != nil:
			return nil, commands.Refuse("already", fmt.Sprintf("#%d was checked already, by %s.", number, gate.FromStore(s.Checked.By).Display()))
		}
		return []int{number}, nil
	}
	return nil, commands.Refuse("not_shipped", fmt.Sprintf("%s ships no “%s” that somebody checks.", op.ID, word)).
		WithHint("It ships " + f.shipNames(c.Catalog, boxed(op)) + ".").WithExample("checked " + op.ID)
}

func (f *feature) ownToCheck(c *commands.Call, op *store.Operation) ([]int, error) {
	var mine []store.Ship
	var out []int
	for _, s := range boxed(op) {
		if !authored(s, c.Who) {
			continue
		}
		if mine = append(mine, s); s.Checked == nil {
			out = append(out, s.Number)
		}
	}
	switch {
	case len(mine) == 0:
		r := commands.Refuse("not_yours", op.ID+" ships no pull request of yours.")
		left := gate.Unchecked(op)
		switch {
		case len(left) > 0 && !f.mayCheck(c.Catalog, op, left[0], c.Who):
			r = r.WithHint(fmt.Sprintf("Not checked yet: %s.", f.shipNames(c.Catalog, left)))
		case len(left) > 0:
			r = r.WithHint(fmt.Sprintf("Not checked yet: %s. You may check one for its author, by its number.", f.shipNames(c.Catalog, left))).
				WithExample(fmt.Sprintf("checked %s #%d", op.ID, left[0].Number))
		}
		return nil, r
	case len(out) == 0:
		return nil, commands.Refuse("already", fmt.Sprintf("What %s ships of yours is checked already: %s.", op.ID, f.shipNames(c.Catalog, mine)))
	}
	return out, nil
}

// boxed are the shipped pull requests that have a box.
func boxed(op *store.Operation) (out []store.Ship) {
	for _, s := range op.Ships {
		if gate.Boxed(s) {
			out = append(out, s)
		}
	}
	return out
}

// shipNames names pull requests with their authors, ten at most.
func (f *feature) shipNames(cat *integrations.Catalog, ships []store.Ship) string {
	var names []string
	for i, s := range ships {
		if i == 10 {
			names = append(names, fmt.Sprintf("and %d more", len(ships)-i))
			break
		}
		names = append(names, fmt.Sprintf("#%d by %s", s.Number, cat.PersonByGitHub(s.Author).Display()))
	}
	if len(names) == 0 {
		return "nothing of anybody"
	}
	return strings.Join(names, ", ")
}

// The direct messages to the authors of what ships.
const (
	cardCheck = "check your change"
	cardLive  = "your change is live"
)

// tellAuthor opens a message to one author about one operation, once.
func tellAuthor(tx *store.Tx, op *store.Operation, card string, who integrations.Person) error {
	id := tell.ID(placeMessage, op.ID, card, who.Name)
	if _, err := tx.Surface(id); err == nil {
		return nil
	}
	return tell.Open(tx, store.Surface{ID: id, Place: placeMessage, Card: card, Subject: op.ID, Where: map[string]string{"channel": who.Slack, "login": who.GitHub}})
}

// authors are those of shipped pull requests who can be written to. Bots and
// people whom nobody has linked are not.
func (f *feature) authors(ships []store.Ship) (out []integrations.Person) {
	seen := map[string]bool{}
	for _, s := range ships {
		p := f.Catalog().PersonByGitHub(s.Author)
		if !gate.Boxed(s) || !p.Linked() || p.Slack == "" || seen[p.Name] {
			continue
		}
		seen[p.Name] = true
		out = append(out, p)
	}
	return out
}

// askAuthors asks, once an operation is planned, those who have not checked what
// ships of theirs, each of them once.
func (f *feature) askAuthors(tx *store.Tx, op *store.Operation, p *store.Pull) error {
	env, _ := f.Catalog().Environment(op.Environment)
	if env.Ships != "gate" || !f.boxes(op) || op.State != store.OpOpen || op.CloseAskedBy != nil || p == nil {
		return nil
	}
	if _, ready := counts(p, op.Targets); !ready {
		return nil
	}
	for _, who := range f.authors(gate.Unchecked(op)) {
		if err := tellAuthor(tx, op, cardCheck, who); err != nil {
			return err
		}
	}
	return nil
}

// tellLive tells each author, once, that their change is live. What a rollback
// brings back was told of when it came.
func (f *feature) tellLive(tx *store.Tx, op *store.Operation) error {
	env, _ := f.Catalog().Environment(op.Environment)
	if op.State != store.OpSucceeded || op.Kind != "deploy" || op.Rollback || !env.TellAuthors {
		return nil
	}
	for _, who := range f.authors(op.Ships) {
		if err := tellAuthor(tx, op, cardLive, who); err != nil {
			return err
		}
	}
	return nil
}

// checkCard asks one author, and says what became of the question.
func (f *feature) checkCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	op, err := tx.Operation(s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	own, left := f.shippedOf(op, s.Where["login"], false), f.shippedOf(op, s.Where["login"], true)
	head := integrations.R(integrations.Code(op.ID), " is to "+title(op)+", with your ", shipLinks(own))
	var buttons []integrations.Button
	switch {
	case len(own) == 0:
		head = integrations.R(integrations.Code(op.ID), " ships nothing of yours any more.")
	case len(left) == 0:
		head = integrations.R(head, ". It is checked.")
	case op.Terminal():
		head = integrations.R(head, ". It is "+op.State+", and there is nothing to check any more.")
	default:
		head = integrations.R(head, ". Have you checked it? The merge waits for that.")
		buttons = []integrations.Button{{Label: "Checked", Command: "checked " + op.ID, Style: "primary"}}
	}
	m := integrations.Message{Text: head.Plain(), Blocks: []integrations.Block{{Text: head}}}
	if buttons != nil {
		m.Blocks = append(m.Blocks, integrations.Block{Buttons: buttons})
	}
	return m, nil
}

// liveCard tells one author that their change is live.
func (f *feature) liveCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	op, err := tx.Operation(s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	own := f.shippedOf(op, s.Where["login"], false)
	if len(own) == 0 {
		return integrations.Message{Hold: true}, nil
	}
	text := integrations.R("Your ", shipLinks(own), " is live in "+op.Environment+", with ", integrations.Code(op.ID), ".")
	if len(own) > 1 {
		text = integrations.R("Your ", shipLinks(own), " are live in "+op.Environment+", with ", integrations.Code(op.ID), ".")
	}
	return integrations.Message{Text: text.Plain(), Blocks: []integrations.Block{{Text: text}}}, nil
}

// shippedOf are the pull requests of one author that an operation ships, or those
// of them that are not checked.
func (f *feature) shippedOf(op *store.Operation, login string, unchecked bool) (out []store.Ship) {
	for _, s := range boxed(op) {
		if strings.EqualFold(s.Author, login) && (!unchecked || s.Checked == nil) {
			out = append(out, s)
		}
	}
	return out
}

// shipLinks names pull requests by number and title.
func shipLinks(ships []store.Ship) integrations.Rich {
	var parts []any
	for i, s := range ships {
		if i > 0 {
			parts = append(parts, ", ")
		}
		parts = append(parts, integrations.Link(s.URL, fmt.Sprintf("#%d", s.Number)), " “"+clip(s.Title, 60)+"”")
	}
	return integrations.R(parts...)
}

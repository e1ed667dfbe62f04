package joining

import (
	"fmt"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// askFeature keeps what was asked of the admins, by id.
const askFeature = "joining.ask"

// An ask waits for an admin's yes or no: to a link, or to a role.
type ask struct {
	ID      string       `json:"id"` // "ask-3"
	Kind    string       `json:"kind"`
	By      store.Person `json:"by"`   // who asked
	Name    string       `json:"name"` // what they are called in Slack
	Login   string       `json:"login,omitempty"`
	Account int64        `json:"account,omitempty"`
	Group   string       `json:"group,omitempty"`
	Reason  string       `json:"reason,omitempty"`
	Asked   time.Time    `json:"asked"`

	Answered   time.Time    `json:"answered,omitzero"`
	AnsweredBy store.Person `json:"answered_by,omitzero"`
	Yes        bool         `json:"yes,omitempty"`
	Why        string       `json:"why,omitempty"`    // of a no
	Change     string       `json:"change,omitempty"` // the change to the configuration that follows from a yes
	Lines      []string     `json:"lines,omitempty"`  // or what has to be written by hand
	Over       bool         `json:"over,omitempty"`   // a newer one was asked instead
}

// The kinds of an ask.
const (
	askLink = "link"
	askRole = "role"
)

func asks(tx *store.Tx) *store.Records[ask] { return store.Feature[ask](tx, askFeature) }

func (a *ask) open() bool { return a.Answered.IsZero() && !a.Over }

// openAsks are those of one person that nobody has answered.
func openAsks(tx *store.Tx, slack, kind string) ([]ask, error) {
	var out []ask
	err := asks(tx).Each("", func(_ string, a ask) error {
		if a.By.Slack == slack && a.Kind == kind && a.open() {
			out = append(out, a)
		}
		return nil
	})
	return out, err
}

// askLink asks the admins whether somebody is who they say they are.
func (f *feature) askLink(tx *store.Tx, c *commands.Call, account integrations.Account) (commands.Reply, error) {
	if err := free(tx, c.Catalog, c.Heard.User, account.Login); err != nil {
		return commands.Reply{}, err
	}
	who := store.Person{Name: c.Who.Name, Slack: c.Heard.User}
	may := admins(c.Catalog, gate.FromStore(who))
	if len(may) == 0 {
		return commands.Reply{}, commands.Refuse("no_admin", "There is no admin who could confirm it.").WithHint(mayAnswer(nil))
	}
	room := f.room(&c.Heard)
	if room == "" {
		return commands.Reply{}, commands.Refuse("no_room", "I know no channel where I could ask the admins.").WithHint("Say it in a channel.")
	}
	open, err := openAsks(tx, who.Slack, askLink)
	if err != nil {
		return commands.Reply{}, err
	}
	for _, a := range open {
		if strings.EqualFold(a.Login, account.Login) {
			return commands.Reply{}, commands.Refuse("asked", fmt.Sprintf("You asked for that %s ago; it is %s.", gate.Age(f.Clock.Now().Sub(a.Asked)), a.ID)).WithHint(mayAnswer(may))
		}
		a.Over = true
		if err := f.putAsk(tx, a); err != nil {
			return commands.Reply{}, err
		}
	}
	name := c.Heard.UserName
	if c.Who.Linked() {
		name = c.Who.Name
	}
	id, err := f.openAsk(tx, ask{Kind: askLink, By: who, Name: or(name, who.Slack), Login: account.Login, Account: account.ID}, room)
	if err != nil {
		return commands.Reply{}, err
	}
	return commands.Reply{Subject: id, Private: say(fmt.Sprintf("I asked the admins to confirm that you are %s on GitHub (%s). %s", account.Login, id, mayAnswer(may)))}, nil
}

// openAsk writes an ask and posts its message.
func (f *feature) openAsk(tx *store.Tx, a ask, room string) (string, error) {
	var err error
	if a.ID, err = tx.NextID("ask"); err != nil {
		return "", err
	}
	a.Asked = f.Clock.Now()
	if err := asks(tx).Put(a.ID, a); err != nil {
		return "", err
	}
	return a.ID, f.post(tx, cardAsk, a.ID, room)
}

func (f *feature) putAsk(tx *store.Tx, a ask) error {
	if err := asks(tx).Put(a.ID, a); err != nil {
		return err
	}
	return tell.Mark(tx, a.ID, true)
}

var askArg = commands.Arg{Name: "ask", Kind: commands.ArgWord, Help: "what is asked: ask-3"}

func (f *feature) grantVerb() commands.Verb {
	return commands.Verb{
		Name: "grant", Summary: "Say yes, as an admin, to a link or a role that somebody asked for", Effect: commands.Changes, Right: rightGrant,
		Args: []commands.Arg{askArg}, Examples: []string{"grant ask-3"},
		Detail: "A role becomes a pull request to the configuration's repository, which a person merges; without one you are told what to write.",
		Decide: act(func(tx *store.Tx, c *commands.Call) (commands.Reply, error) { return f.answer(tx, c, true) }),
	}
}

func (f *feature) refuseVerb() commands.Verb {
	return commands.Verb{
		Name: "refuse", Summary: "Say no, as an admin, to a link or a role that somebody asked for", Effect: commands.Changes, Right: rightGrant,
		Args:     []commands.Arg{askArg, {Name: "reason", Kind: commands.ArgText, Optional: true, Help: "why"}},
		Examples: []string{"refuse ask-3 we do not know you"},
		Decide:   act(func(tx *store.Tx, c *commands.Call) (commands.Reply, error) { return f.answer(tx, c, false) }),
	}
}

func (f *feature) answer(tx *store.Tx, c *commands.Call, yes bool) (commands.Reply, error) {
	id := integrations.Fold(c.Arg("ask"))
	a, found, err := asks(tx).Get(id)
	switch {
	case err != nil:
		return commands.Reply{}, err
	case !found:
		return commands.Reply{}, commands.Refuse("unknown_ask", fmt.Sprintf("Nothing that was asked is called “%s”.", c.Arg("ask"))).WithExample("people")
	}
	reply := commands.Reply{Subject: id}
	if err := allowAdmin(c); err != nil {
		return reply, err
	}
	switch {
	case a.Over:
		return reply, commands.Refuse("over", fmt.Sprintf("%s asks for something else by now.", a.Name))
	case !a.Answered.IsZero():
		said := map[bool]string{true: "yes", false: "no"}[a.Yes]
		return reply, commands.Refuse("answered", fmt.Sprintf("%s said %s to %s %s ago.", a.AnsweredBy.Name, said, a.ID, gate.Age(f.Clock.Now().Sub(a.Answered))))
	case a.By.Slack == c.Heard.User || known(c.Catalog, a.By).Same(c.Who):
		return reply, commands.Refuse("own", "You asked for that, so another admin has to answer it.").WithHint(mayAnswer(admins(c.Catalog, c.Who)))
	}
	a.Answered, a.AnsweredBy, a.Yes, a.Why = f.Clock.Now(), gate.ToStore(c.Who), yes, strings.TrimSpace(c.Arg("reason"))
	said := "no"
	if yes {
		said = "yes"
		if err := f.granted(tx, c, &a); err != nil {
			return reply, err
		}
	}
	reply.Private = say(fmt.Sprintf("You said %s to %s.", said, a.ID))
	if len(a.Lines) > 0 {
		reply.Private = f.byHand(&a)
	}
	return reply, f.putAsk(tx, a)
}

// granted does what follows from a yes.
func (f *feature) granted(tx *store.Tx, c *commands.Call, a *ask) error {
	if a.Kind == askRole {
		return f.grantRole(tx, c, a)
	}
	if err := free(tx, c.Catalog, a.By.Slack, a.Login); err != nil { // it may have become another's since
		return err
	}
	return f.putLink(tx, Link{Slack: a.By.Slack, Name: a.Name, Login: a.Login, ID: a.Account, How: howConfirmed, By: gate.ToStore(c.Who), Linked: f.Clock.Now()})
}

// askCard is the message that the admins answer.
func (f *feature) askCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	a, found, err := asks(tx).Get(s.Subject)
	if err != nil || !found {
		return integrations.Message{Hold: true}, err
	}
	who := integrations.Person{Name: a.Name, Slack: a.By.Slack}
	plain, rich := fmt.Sprintf("%s %s is %s on GitHub", a.ID, a.Name, a.Login), integrations.R(integrations.Who(who), " says: I am ", integrations.Bold(a.Login), " on GitHub.")
	yes := "Confirm"
	if a.Kind == askRole {
		plain, rich = fmt.Sprintf("%s %s asks for the role %s", a.ID, a.Name, a.Group), integrations.R(integrations.Who(who), " asks to be in ", integrations.Bold(a.Group), ".")
		if a.Reason != "" {
			plain, rich = plain+": "+a.Reason, append(rich, integrations.R(" ", integrations.Italic(a.Reason))...)
		}
		yes = "Grant"
	}
	m := integrations.Message{Text: "👤 " + plain, Blocks: []integrations.Block{{Text: append(integrations.R("👤 "), rich...)}}}
	if a.open() {
		m.Asks = true
		m.Blocks = append(m.Blocks,
			integrations.Block{Buttons: []integrations.Button{
				{Label: yes, Command: "grant " + a.ID, Style: "primary"}, {Label: "Refuse", Command: "refuse " + a.ID, Style: "danger"},
			}},
			integrations.Block{Context: integrations.R(integrations.Code(a.ID), " · ", mayAnswer(admins(f.Catalog(), gate.FromStore(a.By))))})
		return m, nil
	}
	end, err := f.askEnd(tx, &a)
	m.Text += ". " + end.Plain()
	m.Blocks = append(m.Blocks, integrations.Block{Text: end})
	if len(a.Lines) > 0 {
		m.Blocks = append(m.Blocks, integrations.Block{Code: strings.Join(a.Lines, "\n")})
	}
	m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R(integrations.Code(a.ID))})
	return m, err
}

// askEnd says how it was answered, and what came of that.
func (f *feature) askEnd(tx *store.Tx, a *ask) (integrations.Rich, error) {
	by := integrations.Who(gate.FromStore(a.AnsweredBy))
	switch {
	case a.Over:
		return integrations.R("They ask for something else by now."), nil
	case !a.Yes && a.Why != "":
		return integrations.R("🚫 ", by, " said no: ", integrations.Italic(a.Why)), nil
	case !a.Yes:
		return integrations.R("🚫 ", by, " said no."), nil
	case a.Kind == askLink:
		return integrations.R("✅ ", by, " confirmed it. They may look at everything."), nil
	case len(a.Lines) > 0:
		return integrations.R("✅ ", by, " said yes. It counts when ", integrations.Code(f.Home().file()), " says:"), nil
	}
	return integrations.R("✅ ", by, " said yes. It counts when ", integrations.Code(a.Change), " is merged."), nil
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

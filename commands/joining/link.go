package joining

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

func (f *feature) linkVerb() commands.Verb {
	return commands.Verb{
		Name: "link", Summary: "Say which GitHub account is yours", Effect: commands.Changes, Open: true,
		Args:     []commands.Arg{{Name: "github", Kind: commands.ArgWord, Optional: true, Help: "your GitHub login"}},
		Examples: []string{"link", "link octocat"},
		Detail: "Where an OAuth app is configured, GitHub asks you by a code that you type there; elsewhere an admin confirms it. " +
			"Linked, you may look at everything, and what you merge and review on GitHub counts as yours. Roles are another thing: `role`.",
		Decide: f.link,
	}
}

// link begins by one of the two ways. Whoever is not a colleague is refused first:
// the verb is open to people nobody knows.
func (f *feature) link(ctx context.Context, c *commands.Call) (commands.Act, error) {
	if err := f.colleague(ctx, c); err != nil {
		return nil, err
	}
	if c.Heard.UserName == "" { // a mention or a button does not bring it along
		name, err := f.NameOf(ctx, c.Heard.User)
		if err != nil {
			return nil, err
		}
		c.Heard.UserName = name
	}
	login := strings.TrimPrefix(c.Arg("github"), "@")
	if slackOf(c.Arg("github")) != "" {
		return nil, commands.Refuse("no_login", "That is somebody's name in Slack.").WithHint("Say what you are called on GitHub: the last part of your profile's address.").WithExample("link octocat")
	}
	if _, rest, ok := strings.Cut(login, "github.com/"); ok {
		login = strings.Trim(rest, "/")
	}
	var account integrations.Account
	if login != "" {
		var err error
		if account, err = f.account(ctx, login); err != nil {
			return nil, err
		}
	}
	if f.Forge.Devices() {
		return f.beginDevice(ctx, c, account.Login)
	}
	if login == "" {
		return nil, commands.Refuse("no_login", "What are you called on GitHub?").WithHint("An admin then confirms that it is you.").WithExample("link octocat")
	}
	return func(tx *store.Tx) (commands.Reply, error) { return f.askLink(tx, c, account) }, nil
}

func (f *feature) colleague(ctx context.Context, c *commands.Call) error {
	if c.Heard.Stranger {
		return commands.Refuse("stranger", "You are here from another workspace.").WithHint("Ask somebody of this one to do it for you.").WithExample("whoami")
	}
	guest, err := f.Guest(ctx, c.Heard.User)
	if err != nil {
		return fmt.Errorf("ask whether you are a guest here: %w", err)
	}
	if guest {
		return commands.Refuse("guest", "You are a guest of this workspace.").WithHint("Ask a member to do it for you.").WithExample("whoami")
	}
	return nil
}

// account looks a login up, as GitHub spells it.
func (f *feature) account(ctx context.Context, login string) (integrations.Account, error) {
	a, err := f.Forge.Account(ctx, login)
	if errors.Is(err, integrations.ErrNotFound) {
		return a, commands.Refuse("unknown_login", fmt.Sprintf("GitHub knows nobody called “%s”.", login)).WithHint("It is the last part of your profile's address.").WithExample("link octocat")
	}
	if err != nil {
		return a, err
	}
	return a, f.usable(ctx, a)
}

// usable refuses accounts that are no person's, ours before all: what it merges is
// done for whoever asked.
func (f *feature) usable(ctx context.Context, a integrations.Account) error {
	us, err := f.Forge.Login(ctx)
	switch {
	case err != nil:
		return err
	case strings.EqualFold(a.Login, us):
		return commands.Refuse("ours", fmt.Sprintf("%s is my own account.", a.Login)).WithExample("link octocat")
	case a.Bot:
		return commands.Refuse("bot", fmt.Sprintf("%s is the account of a program or an organisation.", a.Login)).WithExample("link octocat")
	}
	return nil
}

func (f *feature) unlinkVerb() commands.Verb {
	return commands.Verb{
		Name: "unlink", Summary: "Take a link with a GitHub account away, yours or as an admin somebody's", Effect: commands.Changes, Right: commands.RightRead,
		Args:     []commands.Arg{{Name: "who", Kind: commands.ArgWord, Optional: true, Help: "somebody else, for admins"}},
		Examples: []string{"unlink", "unlink octocat"},
		Detail:   "What my configuration says of somebody stays.",
		Decide:   act(f.unlink),
	}
}

func (f *feature) unlink(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
	links, err := Links(tx)
	if err != nil {
		return commands.Reply{}, err
	}
	l, found := pickLink(c.Catalog, links, c.Arg("who"), c.Heard.User)
	if !found {
		r := commands.Refuse("not_linked", "You are not linked with a GitHub account by a link of mine.")
		if c.Arg("who") != "" {
			r = commands.Refuse("not_linked", fmt.Sprintf("Nobody called “%s” is linked by a link of mine.", c.Arg("who")))
		}
		return commands.Reply{}, r.WithHint("What my configuration says is changed there.").WithExample("people")
	}
	if l.Slack != c.Heard.User {
		if err := allowAdmin(c); err != nil {
			return commands.Reply{}, err
		}
	}
	if err := linkRecords(tx).Delete(l.Slack); err != nil {
		return commands.Reply{}, err
	}
	return commands.Reply{Subject: "link " + l.Login, Private: say(fmt.Sprintf("%s is no longer linked with the GitHub account %s.", nameOf(c.Catalog, l), l.Login))}, nil
}

// pickLink finds a link by the name, the account or the Slack user of its person;
// without a word it is one's own.
func pickLink(cat *integrations.Catalog, links []Link, word, me string) (Link, bool) {
	slack := slackOf(word)
	for _, l := range links {
		switch {
		case word == "" && l.Slack == me, slack != "" && l.Slack == slack,
			word != "" && (strings.EqualFold(l.Login, strings.TrimPrefix(word, "@")) || integrations.Fold(nameOf(cat, l)) == integrations.Fold(strings.TrimPrefix(word, "@"))):
			return l, true
		}
	}
	return Link{}, false
}

// slackOf is the id in a mention, as chat sends it; "" for any other word.
func slackOf(word string) string {
	id, ok := strings.CutPrefix(word, "<@")
	if !ok {
		return ""
	}
	id, _, _ = strings.Cut(strings.TrimSuffix(id, ">"), "|")
	return id
}

func nameOf(cat *integrations.Catalog, l Link) string {
	if p := cat.PersonBySlack(l.Slack); p.Linked() {
		return p.Name
	}
	return l.Name
}

// linkedCard tells everybody that somebody is linked: who can approve a code can be
// talked into approving another's.
func (f *feature) linkedCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	w := s.Where
	who := integrations.Person{Name: w["name"], Slack: w["slack"]}
	text := fmt.Sprintf("🔗 %s is %s on GitHub.", w["name"], w["login"])
	return integrations.Message{Text: text, Blocks: []integrations.Block{
		{Text: integrations.R("🔗 ", integrations.Who(who), " is ", integrations.Bold(w["login"]), " on GitHub, as was shown there.")},
		{Context: integrations.R("Is that not so? An admin: ", integrations.Code(commands.Prompt+" unlink "+w["login"]))},
	}}, nil
}

// announce opens that message.
func (f *feature) announce(tx *store.Tx, l Link, room string) error {
	if room == "" {
		return nil
	}
	id := tell.ID(placeMessage, "link "+l.Login, l.Linked.UTC().Format(time.RFC3339))
	where := map[string]string{"channel": room, "name": l.Name, "slack": l.Slack, "login": l.Login}
	return tell.Open(tx, store.Surface{ID: id, Place: placeMessage, Card: cardLinked, Subject: "link " + l.Login, Where: where})
}

func known(cat *integrations.Catalog, p store.Person) integrations.Person {
	for _, q := range cat.People {
		if gate.FromStore(p).Same(q) {
			return q
		}
	}
	return gate.FromStore(p)
}

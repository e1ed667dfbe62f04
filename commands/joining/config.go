package joining

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

func (f *feature) configVerb() commands.Verb {
	return commands.Verb{
		Name: "config", Aliases: []string{"propose"}, Summary: "Propose a change of my configuration, as a pull request to its repository", Effect: commands.Changes, Right: "config",
		Args: []commands.Arg{
			{Name: "what", Kind: commands.ArgWord, Keyword: "propose", Help: "person, add, remove, alias or channel"},
			{Name: "name", Kind: commands.ArgWord, Help: "the person, the alias or the channel"},
			{Name: "group", Kind: commands.ArgWord, Keyword: "to", Optional: true, Help: "add: into which group"},
			{Name: "out", Kind: commands.ArgWord, Keyword: "from", Strict: true, Optional: true, Help: "remove: out of which group"},
			{Name: "place", Kind: commands.ArgWord, Keyword: "for", Strict: true, Optional: true, Help: "alias: of which service; channel: of which environment"},
		},
		Flags: []commands.Arg{
			{Name: "github", Kind: commands.ArgWord, Optional: true, Help: "person: their GitHub login, where they are not linked"},
			{Name: "as", Kind: commands.ArgWord, Optional: true, Help: "person: what they are to be called"},
			{Name: "because", Kind: commands.ArgText, Optional: true, Help: "why"},
		},
		Examples: []string{"config propose person @dave --github octodave", "config propose add dave to developers", "config propose remove dave from developers",
			"config propose alias shop for {service}", "config propose channel deploys for {environment}"},
		Detail: "Whoever may write to that repository merges it. What stands there already is not proposed again.",
		Decide: f.proposeVerb,
	}
}

func (f *feature) proposeVerb(ctx context.Context, c *commands.Call) (commands.Act, error) {
	e, err := f.wanted(ctx, c)
	if err != nil {
		return nil, err
	}
	home := f.Home()
	if home.Repository == "" {
		if slices.Contains(c.Catalog.Groups[e.In], e.Name) != (e.What == editRemove) && e.In != "" && (e.What == editAdd || e.What == editRemove) {
			return nil, commands.Refuse("already", fmt.Sprintf("%s says so already.", home.file()))
		}
		r := commands.Refuse("no_repository", "My configuration does not say in which repository it is kept, so there is nowhere to propose a change.").
			WithHint(fmt.Sprintf("Whoever keeps %s can write it: `%s`", home.file(), e.byHand(c.Catalog)))
		return nil, r
	}
	old, _, err := f.Forge.ReadFile(ctx, home.Repository, home.Path, home.Base)
	if errors.Is(err, integrations.ErrNotFound) {
		return nil, commands.Refuse("no_file", fmt.Sprintf("There is no %s on %s of %s.", home.Path, home.Base, home.Repository)).WithHint("See the settings under `config:`.")
	}
	if err != nil {
		return nil, err
	}
	one := change{Edits: []edit{e}}
	_, diff, err := f.editAll(&one, old)
	switch {
	case err != nil:
		return nil, commands.Refuse("not_editable", fmt.Sprintf("I cannot %s: %v.", e, err)).WithHint("It has to be done by hand in " + home.file() + ".")
	case len(diff) == 0:
		return nil, commands.Refuse("already", fmt.Sprintf("%s says so already.", home.file()))
	}
	return func(tx *store.Tx) (commands.Reply, error) { return f.proposeChange(tx, c, e, home) }, nil
}

func (f *feature) proposeChange(tx *store.Tx, c *commands.Call, e edit, home Home) (commands.Reply, error) {
	var same *change
	err := changes(tx).Each("", func(_ string, o change) error {
		if (o.State == changeOpen || o.State == changeOpening) && len(o.Edits) == 1 && o.Edits[0] == e && o.Home.Repository == home.Repository {
			same = &o
		}
		return nil
	})
	switch {
	case err != nil:
		return commands.Reply{}, err
	case same != nil:
		return commands.Reply{}, commands.Refuse("proposed", fmt.Sprintf("That is proposed already: %s %s", same.ID, same.URL)).WithHint("It counts when it is merged.")
	}
	room := f.room(&c.Heard)
	id, err := f.openChange(tx, change{Edits: []edit{e}, By: gate.ToStore(c.Who), Reason: strings.TrimSpace(c.Arg("because"))}, home, room)
	reply := commands.Reply{Subject: id}
	if room == "" || room != c.Heard.Channel {
		reply.Private = say(fmt.Sprintf("I am opening a pull request: %s.", id))
	}
	return reply, err
}

// wanted is the edit that a line asks for.
func (f *feature) wanted(ctx context.Context, c *commands.Call) (edit, error) {
	e := edit{What: integrations.Fold(c.Arg("what")), Name: c.Arg("name")}
	where := map[string]string{editAdd: c.Arg("group"), editRemove: or(c.Arg("out"), c.Arg("group")), editAlias: or(c.Arg("place"), c.Arg("group")), editChannel: or(c.Arg("place"), c.Arg("group"))}
	word, known := where[e.What]
	if !known && e.What != editPerson {
		return e, commands.Refuse("unknown_change", fmt.Sprintf("I cannot propose “%s”.", c.Arg("what"))).
			WithHint("There is person, add, remove, alias and channel; everything else is written in " + f.Home().file() + ".").WithExample("config propose add dave to developers")
	}
	if known && word == "" {
		return e, commands.Refuse("missing", "Where? Say to which group, from which group, or for which service or environment.").WithExample("config propose add dave to developers")
	}
	switch e.What {
	case editPerson:
		return f.wantedPerson(ctx, c, e)
	case editAlias:
		s, ok := c.Catalog.Service(word)
		if !ok {
			return e, commands.Refuse("unknown_service", fmt.Sprintf("There is no service “%s”.", word)).WithExample("services")
		}
		if other, taken := c.Catalog.Service(e.Name); taken {
			return e, commands.Refuse("taken", fmt.Sprintf("“%s” is a name of %s already.", e.Name, other.Name)).WithExample("services")
		}
		e.In = s.Name
		return e, nil
	case editChannel:
		env, ok := c.Catalog.Environment(word)
		if !ok {
			return e, commands.Refuse("unknown_environment", fmt.Sprintf("There is no environment “%s”.", word)).WithExample("services")
		}
		e.In, e.Name = env.Name, channelName(e.Name)
		return e, nil
	}
	var err error
	if e.In, err = groupNamed(c.Catalog, word); err != nil {
		return e, err
	}
	p, ok := personNamed(c.Catalog, e.Name)
	if !ok || c.Catalog.ByLink[p.Name] {
		return e, commands.Refuse("unknown_person", fmt.Sprintf("Nobody called “%s” is among the `people` of my configuration.", or(slackOf(e.Name), e.Name))).
			WithHint("Propose the person first.").WithExample("config propose person @dave --github octodave")
	}
	e.Name = p.Name
	return e, nil
}

// wantedPerson is somebody to be added to people: by a mention, or a name that is
// linked.
func (f *feature) wantedPerson(ctx context.Context, c *commands.Call, e edit) (edit, error) {
	p, found := personNamed(c.Catalog, e.Name)
	if found && !c.Catalog.ByLink[p.Name] {
		return e, commands.Refuse("already", fmt.Sprintf("%s is among the `people` of my configuration.", p.Name)).WithExample("people " + p.Name)
	}
	e.Slack, e.GitHub = p.Slack, p.GitHub
	if e.Slack == "" {
		e.Slack = slackOf(e.Name)
	}
	if login := strings.TrimPrefix(c.Arg("github"), "@"); login != "" {
		a, err := f.account(ctx, login)
		if err != nil {
			return e, err
		}
		if q := c.Catalog.PersonByGitHub(a.Login); q.Linked() && q.Name != p.Name {
			return e, commands.Refuse("taken", fmt.Sprintf("The GitHub account %s is that of %s.", a.Login, q.Name)).WithExample("people " + q.Name)
		}
		e.GitHub = a.Login
	}
	e.Name = or(c.Arg("as"), p.Name)
	if e.Name == "" && e.Slack != "" {
		var err error
		if e.Name, err = f.NameOf(ctx, e.Slack); err != nil {
			return e, err
		}
	}
	e.Name = or(e.Name, e.GitHub)
	if q, taken := personNamed(c.Catalog, e.Name); taken && q.Name != p.Name {
		return e, commands.Refuse("taken", fmt.Sprintf("Somebody else is called %s.", q.Name)).WithHint("Say what they are to be called, with --as.").WithExample("config propose person @dave --as dave-k")
	}
	if e.Slack == "" && e.GitHub == "" {
		return e, commands.Refuse("no_account", "Nothing leads to that person: mention them, or say their GitHub login.").WithExample("config propose person @dave --github octodave")
	}
	return e, nil
}

// channelName is a channel as the configuration names it: a mention by its id.
func channelName(word string) string {
	if id, ok := strings.CutPrefix(word, "<#"); ok {
		id, _, _ = strings.Cut(strings.TrimSuffix(id, ">"), "|")
		return id
	}
	return strings.TrimPrefix(word, "#")
}

// personNamed finds somebody by a mention, a name or an account.
func personNamed(cat *integrations.Catalog, word string) (integrations.Person, bool) {
	if id := slackOf(word); id != "" {
		p := cat.PersonBySlack(id)
		return p, p.Linked()
	}
	word = strings.TrimPrefix(word, "@")
	for _, p := range cat.People {
		if integrations.Fold(p.Name) == integrations.Fold(word) || strings.EqualFold(p.GitHub, word) || p.Slack != "" && p.Slack == word {
			return p, true
		}
	}
	return integrations.Person{}, false
}

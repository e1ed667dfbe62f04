package joining

import (
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

func (f *feature) roleVerb() commands.Verb {
	return commands.Verb{
		Name: "role", Aliases: []string{"roles"}, Summary: "Ask the admins to be in a group", Effect: commands.Changes, Right: commands.RightRead,
		Args: []commands.Arg{
			{Name: "group", Kind: commands.ArgWord, Keyword: "request", Help: "a group of my configuration"},
			{Name: "reason", Kind: commands.ArgText, Optional: true, Help: "why; the admins read it"},
		},
		Examples: []string{`role request developers "I joined the web team"`},
		Detail:   "An admin answers with a button. A yes becomes a pull request to the configuration's repository; the role counts when that is merged.",
		Decide:   act(f.role),
	}
}

// groupNamed finds a group, however its name is spelt.
func groupNamed(cat *integrations.Catalog, word string) (string, error) {
	all := groupNames(cat)
	for _, g := range all {
		if integrations.Fold(g) == integrations.Fold(word) {
			return g, nil
		}
	}
	r := commands.Refuse("unknown_group", fmt.Sprintf("There is no group “%s”.", word))
	if len(all) > 0 {
		r = r.WithHint("There is " + strings.Join(all, ", ") + ".").WithExample("role request " + all[0])
	}
	return "", r
}

func groupNames(cat *integrations.Catalog) []string {
	var all []string
	for g := range cat.Groups {
		all = append(all, g)
	}
	for g := range cat.Live {
		all = append(all, g)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (f *feature) role(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
	group, err := groupNamed(c.Catalog, c.Arg("group"))
	if err != nil {
		return commands.Reply{}, err
	}
	if c.Catalog.In(c.Who, group) {
		return commands.Reply{}, commands.Refuse("in", fmt.Sprintf("You are in %s already.", group)).WithExample("whoami")
	}
	may := admins(c.Catalog, c.Who)
	if len(may) == 0 {
		return commands.Reply{}, commands.Refuse("no_admin", "There is no admin who could answer it.").WithHint(mayAnswer(nil))
	}
	room := f.room(&c.Heard)
	if room == "" {
		return commands.Reply{}, commands.Refuse("no_room", "I know no channel where I could ask the admins.").WithHint("Say it in a channel.")
	}
	open, err := openAsks(tx, c.Heard.User, askRole)
	if err != nil {
		return commands.Reply{}, err
	}
	for _, a := range open {
		if a.Group == group {
			return commands.Reply{}, commands.Refuse("asked", fmt.Sprintf("You asked for that %s ago; it is %s.", gate.Age(f.Clock.Now().Sub(a.Asked)), a.ID)).WithHint(mayAnswer(may))
		}
	}
	id, err := f.openAsk(tx, ask{Kind: askRole, By: gate.ToStore(c.Who), Name: c.Who.Display(), Group: group, Reason: strings.TrimSpace(c.Arg("reason"))}, room)
	if err != nil {
		return commands.Reply{}, err
	}
	return commands.Reply{Subject: id, Private: say(fmt.Sprintf("I asked the admins to let you into %s (%s). %s", group, id, mayAnswer(may)))}, nil
}

// grantRole turns a yes into a pull request to the configuration. Without a
// repository it is said what to write there; nothing here remembers a role.
func (f *feature) grantRole(tx *store.Tx, c *commands.Call, a *ask) error {
	p := known(c.Catalog, a.By)
	if _, err := groupNamed(c.Catalog, a.Group); err != nil {
		return err
	}
	var edits []edit
	if !p.Linked() || c.Catalog.ByLink[p.Name] {
		edits = append(edits, edit{What: editPerson, Name: or(p.Name, a.Name), Slack: a.By.Slack, GitHub: p.GitHub})
	}
	edits = append(edits, edit{What: editAdd, Name: or(p.Name, a.Name), In: a.Group})
	home := f.Home()
	if home.Repository == "" {
		for _, e := range edits {
			a.Lines = append(a.Lines, e.byHand(c.Catalog))
		}
		return nil
	}
	change := change{Edits: edits, By: a.By, GrantedBy: gate.ToStore(c.Who), Reason: a.Reason, Ask: a.ID}
	var err error
	a.Change, err = f.openChange(tx, change, home, f.room(&c.Heard))
	return err
}

// byHand is the line that a person would write for an edit.
func (e edit) byHand(cat *integrations.Catalog) string {
	list := slices.Clone(cat.Groups[e.In])
	switch e.What {
	case editPerson:
		return "people: - " + e.line()
	case editAdd:
		list = append(list, scalar(e.Name))
	case editRemove:
		list = slices.DeleteFunc(list, func(n string) bool { return n == e.Name })
	case editAlias:
		return fmt.Sprintf("services.%s.aliases: - %s", e.In, e.line())
	default:
		return fmt.Sprintf("environments.%s.channels: - %s", e.In, e.line())
	}
	return fmt.Sprintf("groups.%s: [%s]", e.In, strings.Join(list, ", "))
}

func (f *feature) byHand(a *ask) *integrations.Message {
	m := say(fmt.Sprintf("You said yes to %s. It counts when %s says:", a.ID, f.Home().file()))
	m.Text += "\n" + strings.Join(a.Lines, "\n")
	m.Blocks = append(m.Blocks, integrations.Block{Code: strings.Join(a.Lines, "\n")})
	return m
}

// file is what the configuration's file is called.
func (h Home) file() string {
	if h.Repository != "" {
		return h.Repository + "/" + h.Path
	}
	return or(h.File, "signalbox.yaml")
}

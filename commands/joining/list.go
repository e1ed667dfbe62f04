package joining

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	lately   = 14 * 24 * time.Hour // in which somebody unknown may have done something
	lookedAt = 2000                // rows of the audit that are looked at for them
	shown    = 40                  // people in one message
)

func (f *feature) peopleVerb() commands.Verb {
	return commands.Verb{
		Name: "people", Aliases: []string{"person"}, Summary: "List who is known, by what, and what they may; or one person", Effect: commands.Reads,
		Args:     []commands.Arg{{Name: "name", Kind: commands.ArgWord, Optional: true, Help: "a name, a GitHub login or a mention"}},
		Examples: []string{"people", "people octocat"},
		Detail:   "It also lists who asked for something or merged in the last 14 days and is not known.",
		Decide: func(ctx context.Context, c *commands.Call) (commands.Act, error) {
			us, err := f.Forge.Login(ctx)
			if err != nil { // then we may be listed ourselves
				f.Log.Info("ask GitHub who we are", "error", err)
			}
			return func(tx *store.Tx) (commands.Reply, error) { return f.people(tx, c, us) }, nil
		},
	}
}

func (f *feature) people(tx *store.Tx, c *commands.Call, us string) (commands.Reply, error) {
	links, err := Links(tx)
	if err != nil {
		return commands.Reply{}, err
	}
	if word := c.Arg("name"); word != "" {
		p, ok := personNamed(c.Catalog, word)
		if !ok {
			return commands.Reply{}, commands.Refuse("unknown_person", fmt.Sprintf("I know nobody called “%s”.", or(slackOf(word), word))).WithExample("people")
		}
		return commands.Reply{Private: f.one(c.Catalog, p, links)}, nil
	}
	m := &integrations.Message{Text: fmt.Sprintf("People: %d", len(c.Catalog.People))}
	m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R(integrations.Bold(m.Text))})
	var rich integrations.Rich
	for i, p := range c.Catalog.People {
		if i == shown {
			rich = append(rich, integrations.R(fmt.Sprintf("and %d more: people <name> shows one\n", len(c.Catalog.People)-i))...)
			break
		}
		rich = append(rich, integrations.R(integrations.Bold(p.Name), row(c.Catalog, p, links), "\n")...)
	}
	m.Text += "\n" + strings.TrimSpace(rich.Plain())
	m.Blocks = append(m.Blocks, integrations.Block{Text: rich})
	unknown, err := f.unknown(tx, c.Catalog, us)
	if err != nil {
		return commands.Reply{}, err
	}
	if len(unknown) > 0 {
		line := "Not linked, and here lately: " + strings.Join(unknown, "; ")
		m.Text += "\n" + line
		m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R(line, ". They can say ", integrations.Code("link"), ".")})
	}
	open, err := f.waiting(tx)
	if err != nil {
		return commands.Reply{}, err
	}
	if len(open) > 0 {
		line := "Waits for an admin: " + strings.Join(open, "; ")
		m.Text += "\n" + line
		m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R(line)})
	}
	return commands.Reply{Private: m}, nil
}

// row says of somebody who they are on GitHub, by what that is known, and in which
// groups they are.
func row(cat *integrations.Catalog, p integrations.Person, links []Link) string {
	s := ": not on GitHub"
	if p.GitHub != "" {
		s = ": " + p.GitHub + " on GitHub"
	}
	s += " (" + by(cat, p, links) + ")"
	if groups := groupsOf(cat, p); groups != "" {
		return s + ", in " + groups
	}
	return s + ", in no group: may look"
}

// by says how somebody is known.
func by(cat *integrations.Catalog, p integrations.Person, links []Link) string {
	for _, l := range links {
		if l.Slack != p.Slack || !strings.EqualFold(l.Login, p.GitHub) {
			continue
		}
		how := "linked on GitHub " + l.Linked.UTC().Format("2 Jan 2006")
		if l.How == howConfirmed {
			how = "linked " + l.Linked.UTC().Format("2 Jan 2006") + ", confirmed by " + l.By.Name
		}
		if !cat.ByLink[p.Name] {
			how = "configuration, " + how
		}
		return how
	}
	return "configuration"
}

// groupsOf lists somebody's groups; those that others keep are marked so.
func groupsOf(cat *integrations.Catalog, p integrations.Person) string {
	var out []string
	for _, g := range cat.GroupsOf(p) {
		if slices.Contains(cat.Groups[g], p.Name) {
			out = append(out, g)
			continue
		}
		var live []string
		for _, s := range cat.Live[g] {
			live = append(live, s.Name)
		}
		out = append(out, g+" (live: "+strings.Join(live, ", ")+")")
	}
	return strings.Join(out, ", ")
}

// one says all that is known of somebody.
func (f *feature) one(cat *integrations.Catalog, p integrations.Person, links []Link) *integrations.Message {
	m := &integrations.Message{Text: p.Name + row(cat, p, links)}
	m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R(integrations.Who(p), row(cat, p, links), ".")})
	var places []string
	for _, e := range cat.Environments {
		if rights := rightsOf(cat, p, e.Name); rights != "" {
			places = append(places, fmt.Sprintf("%s in %s", rights, e.Name))
		}
	}
	line := "They may change nothing."
	if len(places) > 0 {
		line = "What they may: " + strings.Join(places, "; ") + "."
	}
	if admin(cat, p) {
		line += " They are an admin."
	}
	m.Text += "\n" + line
	m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R(line)})
	return m
}

// rightsOf are the rights as the policy writes them.
func rightsOf(cat *integrations.Catalog, p integrations.Person, env string) string {
	var out []string
	for _, r := range cat.Rules {
		for _, v := range r.Verbs {
			has := v == "*" && cat.May(p, "*", env) || v != "*" && cat.May(p, v, env)
			if has && !slices.Contains(out, v) {
				out = append(out, v)
			}
		}
	}
	if slices.Contains(out, "*") {
		return "everything"
	}
	return strings.Join(out, ", ")
}

// unknown are those whom nobody knows and who asked for something or merged lately,
// as the audit has it.
func (f *feature) unknown(tx *store.Tx, cat *integrations.Catalog, us string) ([]string, error) {
	rows, err := tx.AuditRows(store.AuditFilter{Since: f.Clock.Now().Add(-lately), Limit: lookedAt})
	if err != nil {
		return nil, err
	}
	var out []string
	seen := map[string]bool{}
	for _, r := range rows {
		who := r.Who
		name := who.Slack
		if who.GitHub != "" {
			name = who.GitHub + " on GitHub"
		}
		if who.Name != "" || name == "" || seen[name] || len(out) == 10 || strings.HasSuffix(who.GitHub, "[bot]") || us != "" && strings.EqualFold(who.GitHub, us) {
			continue
		}
		if cat.PersonBySlack(who.Slack).Linked() || cat.PersonByGitHub(who.GitHub).Linked() {
			continue
		}
		seen[name] = true
		out = append(out, fmt.Sprintf("%s (%s ago)", name, gate.Age(f.Clock.Now().Sub(r.At))))
	}
	return out, nil
}

// waiting are the asks that nobody has answered.
func (f *feature) waiting(tx *store.Tx) ([]string, error) {
	var out []string
	err := asks(tx).Each("", func(_ string, a ask) error {
		switch {
		case !a.open():
		case a.Kind == askLink:
			out = append(out, fmt.Sprintf("%s, that %s is %s on GitHub", a.ID, a.Name, a.Login))
		default:
			out = append(out, fmt.Sprintf("%s, that %s is in %s", a.ID, a.Name, a.Group))
		}
		return nil
	})
	return out, err
}

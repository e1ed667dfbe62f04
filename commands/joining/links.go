package joining

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// linkFeature keeps the links, by Slack user id.
const linkFeature = "joining.link"

// Link says which GitHub account is whose.
type Link struct {
	Slack  string       `json:"slack"`
	Name   string       `json:"name"` // what they are called in Slack
	Login  string       `json:"login"`
	ID     int64        `json:"id"` // the account's, which a rename does not change
	How    string       `json:"how"`
	By     store.Person `json:"by,omitzero"` // the admin who confirmed it
	Linked time.Time    `json:"linked"`
}

// How a link came to be.
const (
	howDevice    = "on GitHub"
	howConfirmed = "confirmed"
)

func linkRecords(tx *store.Tx) *store.Records[Link] { return store.Feature[Link](tx, linkFeature) }

// Links are all there are, by Slack user id.
func Links(tx *store.Tx) ([]Link, error) {
	var out []Link
	err := linkRecords(tx).Each("", func(_ string, l Link) error {
		out = append(out, l)
		return nil
	})
	return out, err
}

// Merge is a catalog with the links in it. The configuration wins: what it says of
// somebody stays, and a link only adds the account that it does not name.
func Merge(cat *integrations.Catalog, links []Link) *integrations.Catalog {
	out := *cat
	out.People, out.ByLink = slices.Clone(cat.People), map[string]bool{}
	taken := map[string]bool{}
	for _, p := range cat.People {
		taken[integrations.Fold(p.Name)] = true
	}
	for _, l := range links {
		bySlack := slices.IndexFunc(cat.People, func(p integrations.Person) bool { return p.Slack == l.Slack })
		byLogin := slices.IndexFunc(cat.People, func(p integrations.Person) bool { return strings.EqualFold(p.GitHub, l.Login) })
		switch {
		case bySlack >= 0 && byLogin < 0 && cat.People[bySlack].GitHub == "":
			out.People[bySlack].GitHub = l.Login
		case bySlack < 0 && byLogin >= 0 && cat.People[byLogin].Slack == "":
			out.People[byLogin].Slack = l.Slack
		case bySlack < 0 && byLogin < 0:
			p := integrations.Person{Name: freeName(taken, l), Slack: l.Slack, GitHub: l.Login}
			taken[integrations.Fold(p.Name)], out.ByLink[p.Name] = true, true
			out.People = append(out.People, p)
		}
	}
	return &out
}

// freeName is what somebody is called whom the configuration does not name: never
// as somebody else is, as groups and records go by names.
func freeName(taken map[string]bool, l Link) string {
	for _, name := range []string{l.Name, l.Login} {
		if name != "" && !strings.ContainsAny(name, " \t\n/@#<>&\"'`") && !taken[integrations.Fold(name)] {
			return name
		}
	}
	for n := 2; ; n++ {
		if name := fmt.Sprintf("%s-%d", l.Login, n); !taken[integrations.Fold(name)] {
			return name
		}
	}
}

// free says, as a refusal, why a Slack user cannot be linked with an account.
func free(tx *store.Tx, cat *integrations.Catalog, slack, login string) error {
	links, err := Links(tx)
	if err != nil {
		return err
	}
	mine := slices.IndexFunc(links, func(l Link) bool { return l.Slack == slack })
	for _, l := range links {
		if l.Slack != slack && strings.EqualFold(l.Login, login) {
			return commands.Refuse("taken", fmt.Sprintf("The GitHub account %s is linked with somebody else.", login)).
				WithHint("One account is one person's. If it is yours, ask an admin to unlink it.").WithExample("people " + login)
		}
	}
	p, q := cat.PersonBySlack(slack), cat.PersonByGitHub(login)
	switch {
	case q.Linked() && q.Slack != "" && q.Slack != slack:
		return commands.Refuse("taken", fmt.Sprintf("The GitHub account %s is that of %s, by my configuration.", login, q.Name)).WithHint("Whoever keeps it can change that.")
	case q.Linked() && q.Slack == "" && p.Linked() && !cat.ByLink[p.Name]:
		return commands.Refuse("taken", fmt.Sprintf("My configuration calls you %s, and the one with the GitHub account %s %s.", p.Name, login, q.Name)).WithHint("Whoever keeps it can make one of the two.")
	case p.GitHub != "" && (mine < 0 || !strings.EqualFold(p.GitHub, links[mine].Login)) && !strings.EqualFold(p.GitHub, login):
		return commands.Refuse("configured", fmt.Sprintf("My configuration says that you are %s on GitHub, and it wins.", p.GitHub)).WithHint("Whoever keeps it can change that.")
	case p.GitHub != "" && strings.EqualFold(p.GitHub, login):
		return commands.Refuse("linked", fmt.Sprintf("You are linked with %s already.", p.GitHub)).WithExample("whoami")
	}
	return nil
}

// putLink writes a link, for everybody to see, and into the audit.
func (f *feature) putLink(tx *store.Tx, l Link) error {
	if err := linkRecords(tx).Put(l.Slack, l); err != nil {
		return err
	}
	who := store.Person{Name: f.Catalog().PersonBySlack(l.Slack).Name, Slack: l.Slack, GitHub: l.Login}
	row := store.AuditRow{Who: who, Act: "linked", Outcome: "done", Detail: "with the GitHub account " + l.Login + ", " + l.How, Via: "github"}
	if l.How == howConfirmed {
		row.Detail += " by " + l.By.Name
		row.Via = "slack"
	}
	return tx.Audit(row)
}

// watchLinks brings each change of the links into the catalog.
func (f *feature) watchLinks(ctx context.Context) error {
	changed, stop := f.Store.Watch("feature/" + linkFeature)
	defer stop()
	for {
		if err := f.Relink(); err != nil && ctx.Err() == nil {
			f.Log.Error("read the links of people", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}

func names(all []integrations.Person) string {
	var out []string
	for _, p := range all {
		out = append(out, p.Display())
	}
	return strings.Join(out, ", ")
}

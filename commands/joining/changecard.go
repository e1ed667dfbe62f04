package joining

import (
	"fmt"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// changeCard is the message of a change.
func (f *feature) changeCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	c, found, err := changes(tx).Get(s.Subject)
	if err != nil || !found {
		return integrations.Message{Hold: true}, err
	}
	mark := map[string]string{changeMerged: "🟢", changeClosed: "⚪", changeNoop: "⚪", changeFailed: "🔴"}[c.State]
	m := integrations.Message{Text: fmt.Sprintf("%s configuration: %s: %s", c.ID, c.title(), c.State)}
	line := integrations.R(or(mark, "🔷"), " ", integrations.Bold(c.title()), " · ", integrations.Bold(c.State))
	if c.URL != "" {
		m.Text += " · " + c.URL
		line = append(line, integrations.R(" · ", integrations.Link(c.URL, fmt.Sprintf("%s#%d", c.Home.Repository, c.PR)))...)
	}
	m.Blocks = append(m.Blocks, integrations.Block{Text: line})
	if len(c.Diff) > 0 && c.State != changeNoop {
		m.Blocks = append(m.Blocks, integrations.Block{Code: strings.Join(c.Diff, "\n")})
	}
	if c.Note != "" {
		m.Text += " · " + c.Note
		m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R(c.Note)})
	}
	about := integrations.R(integrations.Code(c.ID), " · asked for by ", integrations.Who(known(f.Catalog(), c.By)))
	if c.GrantedBy.Name != "" {
		about = append(about, integrations.R(", granted by ", integrations.Who(known(f.Catalog(), c.GrantedBy)))...)
	}
	switch {
	case c.State == changeOpen && c.Home.Follow:
		about = append(about, integrations.R(" · it counts when it is merged on GitHub")...)
	case c.State == changeOpen:
		about = append(about, integrations.R(" · it counts when it is merged on GitHub and I was reloaded")...)
	case c.State == changeMerged && c.MergedBy != "":
		about = append(about, integrations.R(" · merged by ", integrations.Who(f.Catalog().PersonByGitHub(c.MergedBy)))...)
	}
	m.Blocks = append(m.Blocks, integrations.Block{Context: about})
	return m, nil
}

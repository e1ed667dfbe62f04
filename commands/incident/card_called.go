package incident

import (
	"strconv"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// calledCard says in the thread who is called.
func (f *feature) calledCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	i, found, err := records(tx).Get(s.Subject)
	n, wrong := strconv.Atoi(s.Where["n"])
	if err != nil || wrong != nil || !found || i.Escalation == nil || n >= len(i.Escalation.Calls) {
		return integrations.Message{Hold: true}, err
	}
	c := i.Escalation.Calls[n]
	if c.Last {
		return *say("🔚 Everybody was called, and nobody came. It calls nobody any more; escalate it to begin anew."), nil
	}
	row := integrations.R("📟 ")
	if len(c.People) > 0 {
		row = integrations.R("📟 ", "called", ": ")
	}
	for k, name := range c.People {
		if k > 0 {
			row = append(row, integrations.R(", ")...)
		}
		row = append(row, integrations.Who(person(f.Catalog(), name)))
		sent, err := texted(tx, i.ID, n, name)
		if err != nil {
			return integrations.Message{}, err
		}
		if sent {
			row = append(row, integrations.R(" 📱")...)
		}
	}
	if c.There != "" {
		if len(c.People) > 0 {
			row = append(row, integrations.R(" · ")...)
		}
		row = append(row, integrations.R("PagerDuty pages for ", c.There)...)
	}
	for k, name := range c.Nobody {
		if k > 0 || len(c.People) > 0 || c.There != "" {
			row = append(row, integrations.R(" · ")...)
		}
		row = append(row, integrations.R("nobody stands behind ", name, " now")...)
	}
	if c.By != "" {
		row = append(row, integrations.R(" · asked for by ", c.By)...)
	}
	if c.Why != "" {
		row = append(row, integrations.R(": ", integrations.Italic(cut(c.Why, mostText)))...)
	}
	return integrations.Message{Text: row.Plain(), Blocks: []integrations.Block{{Text: row}}}, nil
}

func person(cat *integrations.Catalog, name string) integrations.Person {
	for _, p := range cat.People {
		if p.Name == name {
			return p
		}
	}
	return integrations.Person{Name: name}
}

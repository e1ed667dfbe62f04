package commands

import (
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Person is whom a word of a call names: "me", a mention, a name of the
// configuration or an account there. One whom the configuration does not know, or
// no longer, comes back by that name alone, as old records have them; known is
// false then.
func (c *Call) Person(word string) (p integrations.Person, known bool) {
	switch id, mention := strings.CutPrefix(strings.TrimSuffix(word, ">"), "<@"); {
	case mention:
		id, _, _ = strings.Cut(id, "|")
		p = c.Catalog.PersonBySlack(id)
		return p, p.Linked()
	case integrations.Fold(word) == "me":
		return c.Who, true
	}
	name := strings.TrimPrefix(word, "@")
	folded := integrations.Fold(name)
	for _, p := range c.Catalog.People {
		if integrations.Fold(p.Name) == folded || p.GitHub != "" && integrations.Fold(p.GitHub) == folded || p.Slack != "" && integrations.Fold(p.Slack) == folded {
			return p, true
		}
	}
	return integrations.Person{Name: name, GitHub: name}, false
}

package incident

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// raiseVerb declares an incident that calls people, as an alert would: "Escalate this" on
// any message. (The verb incident declares one that calls nobody.)
func (f *feature) raiseVerb() commands.Verb {
	return commands.Verb{
		Name: "raise", Summary: "Declare an incident, and call whoever is to be called for it", Effect: commands.Changes, Right: right,
		Args: []commands.Arg{
			{Name: "environment", Kind: commands.ArgEnvironment, Keyword: "in", Help: "where something is broken"},
			{Name: "title", Kind: commands.ArgText, Help: "what is broken, in a sentence; an address at its end is shown as a link"},
		},
		Flags: []commands.Arg{{Name: "service", Kind: commands.ArgService, Optional: true, Help: "of one service; else of all there"},
			{Name: "severity", Kind: commands.ArgWord, Optional: true, Choices: integrations.Severities[:3], Help: "how bad it is; critical unless said"},
			{Name: "another", Kind: commands.ArgBool, Optional: true, Help: "it is another one than what was declared there a moment ago"}},
		Examples: []string{`raise in {environment} "the shop is down" --service {service}`},
		Detail: "The first rule of incidents.escalations that fits says who is called, until somebody acknowledges it. Where none fits it is declared all the same, and you are offered whom to page. " +
			"What is declared there already, or was a moment ago, is not declared again.",
		Decide: f.decide(f.raise),
	}
}

const longestTitle = 200 // characters; what is longer stands below

func (f *feature) raise(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
	i := &Incident{Severity: c.Arg("severity")}
	if i.Severity == "" {
		i.Severity = integrations.SeverityCritical
	}
	text, link := linked(c.Arg("title"))
	i.Title, _, _ = strings.Cut(text, "\n")
	i.Title = cut(strings.TrimSpace(i.Title), longestTitle)
	i.Service, i.Environment, i.By, i.Channel, i.Opened = c.Arg("service"), c.Arg("environment"), gate.ToStore(c.Who), roomOf(c), f.Clock.Now()
	i.Alert = integrations.Alert{Text: text, URL: link}
	reply := commands.Reply{Service: i.Service, Environment: i.Environment}
	if i.Title == "" {
		return reply, commands.Refuse("no_title", "What is broken?").WithExample(`raise in ` + i.Environment + ` "the shop is down"`)
	}
	first, err := already(tx, i.Incident, c.Arg("another") != "")
	if err != nil {
		return reply, err
	}
	if first != nil {
		reply.Subject, reply.Private = first.ID, f.raisedAlready(c, i.Incident, *first)
		return reply, nil
	}
	if i.ID, err = tx.NextID("incident"); err != nil {
		return reply, err
	}
	reply.Subject = i.ID
	if err := openCard(tx, i); err != nil {
		return reply, err
	}
	f.freeze(i)
	if i.Escalation == nil {
		i.Escalation = &Escalation{Over: true} // it calls nobody by itself
		reply.Private = offerPages(c, i)
	} else {
		if err := f.step(tx, i, c.Who.Display(), ""); err != nil {
			return reply, err
		}
		reply.Private = say(i.lastCall())
	}
	return reply, put(tx, i, true)
}

// lastCall says whom the last step called.
func (i *Incident) lastCall() string {
	last := i.Escalation.Calls[len(i.Escalation.Calls)-1]
	people := last.People
	switch {
	case last.There != "":
		return fmt.Sprintf("PagerDuty is asked to page for %s.", i.ID)
	case len(people) == 0:
		return fmt.Sprintf("Nobody could be called for %s.", i.ID)
	}
	return fmt.Sprintf("%s is called for %s.", strings.Join(people, ", "), i.ID)
}

// linked takes the address from the end of a text.
func linked(text string) (rest, link string) {
	text = strings.TrimSpace(text)
	n := strings.LastIndexAny(text, " \n\t") + 1
	u, err := url.Parse(text[n:])
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return text, ""
	}
	if rest = strings.TrimSpace(text[:n]); rest == "" {
		return text, "" // it is all there is
	}
	return rest, text[n:]
}

// raisedAlready answers whoever raised what is open already: people can be called for it.
func (f *feature) raisedAlready(c *commands.Call, i, first gate.Incident) *integrations.Message {
	m := f.openAlready(c, i, first)
	call := integrations.Button{Label: "Escalate", Command: "escalate " + first.ID, Confirm: "Call whoever is next?"}
	if last := len(m.Blocks) - 1; len(m.Blocks[last].Buttons) > 0 {
		m.Blocks[last].Buttons = append([]integrations.Button{call}, m.Blocks[last].Buttons...)
		return m
	}
	m.Blocks = append(m.Blocks, integrations.Block{Buttons: []integrations.Button{call}})
	return m
}

const mostOffered = 3

// offerPages offers whom to page: whoever the service or the environment names as on call,
// or else anybody.
func offerPages(c *commands.Call, i *Incident) *integrations.Message {
	text := fmt.Sprintf("%s is declared, and calls nobody: the configuration names nobody to call for it.", i.ID)
	m := &integrations.Message{Text: text, Blocks: []integrations.Block{{Text: integrations.R(text)}}}
	var buttons []integrations.Button
	for _, name := range integrations.OnCallNames(c.Catalog, i.Service, i.Environment) {
		if len(buttons) < mostOffered {
			buttons = append(buttons, integrations.Button{Label: "Page " + name, Command: "page " + name + " " + i.ID + ": " + i.Title})
		}
	}
	if len(buttons) == 0 {
		buttons = []integrations.Button{{Label: "Page somebody…", Command: "page"}}
	}
	m.Text += " To call somebody: " + buttons[0].Command
	m.Blocks = append(m.Blocks, integrations.Block{Buttons: buttons})
	return m
}

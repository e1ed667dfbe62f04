package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// phoneShape is E.164: the country and the number, 15 digits at most.
var phoneShape = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// checkTexts wants text messages to have a site that sends them; where there is one
// account, or one region, it is that.
func (c *Config) checkTexts() {
	s := &c.Incidents.SMS
	if !c.Incidents.Texts() && s.Account == "" && s.Region == "" {
		return
	}
	if len(c.AWS.Accounts) == 0 {
		c.bad("incidents.sms", "has nobody who could send: a step of incidents.escalations says sms, and aws.accounts is empty")
		return
	}
	if len(c.AWS.Accounts) == 1 {
		orElse(&s.Account, c.AWS.Accounts[0].Name)
	}
	accounts := names(c.AWS.Accounts, func(a awsAccount) string { return a.Name })
	if s.Account == "" {
		c.bad("incidents.sms.account", "is missing: who sends the text messages? There are %s", strings.Join(accounts, ", "))
		return
	}
	if !c.wantOne("incidents.sms.account", "account of aws.accounts", s.Account, accounts) {
		return
	}
	account := c.AWS.Accounts[slices.IndexFunc(c.AWS.Accounts, func(a awsAccount) bool { return a.Name == s.Account })]
	if len(account.Regions) == 1 {
		orElse(&s.Region, account.Regions[0])
	}
	if s.Region == "" {
		c.bad("incidents.sms.region", "is missing: where does %s send text messages? It has %s", s.Account, strings.Join(account.Regions, ", "))
		return
	}
	c.wantOne("incidents.sms.region", "region of the account", s.Region, account.Regions)
}

// texted are those whom steps with `sms` may call.
type texted struct {
	phones  map[string]string // those who have one, by name
	without []string          // those who have none, in the order of the configuration
	unknown []string          // names behind which others say who stands
}

func (c *Config) texted() texted {
	var people, unknown []string
	for _, r := range c.Incidents.Escalations {
		for _, s := range r.Steps {
			if !s.SMS {
				continue
			}
			for _, name := range s.Call {
				who, known := c.behind(name)
				people = append(people, who...)
				if !known && !slices.Contains(unknown, name) {
					unknown = append(unknown, name)
				}
			}
		}
	}
	out := texted{phones: map[string]string{}, unknown: unknown}
	for _, p := range c.People {
		switch {
		case !slices.Contains(people, p.Name):
		case p.Phone == "":
			out.without = append(out.without, p.Name)
		default:
			out.phones[p.Name] = p.Phone
		}
	}
	return out
}

// behind are the people who may stand behind the name of a person, a schedule or a group;
// known says that these are all.
func (c *Config) behind(name string) (people []string, known bool) {
	for _, s := range c.OnCall.Schedules {
		if s.Name != name {
			continue
		}
		for _, l := range s.Layers {
			for _, turn := range l.Turns() {
				people = append(people, turn...)
			}
		}
		return people, s.PagerDuty == ""
	}
	for _, g := range c.Groups {
		if g.Name == name {
			return g.People, len(g.live()) == 0
		}
	}
	return []string{name}, true
}

// textFindings says who would get no text message.
func textFindings(c *Config) []integrations.Finding {
	if !c.Incidents.Texts() {
		return nil
	}
	t := c.texted()
	f := integrations.Finding{What: "Text messages", OK: true, Say: fmt.Sprintf("%d people can be sent one, by %s in %s", len(t.phones), c.Incidents.SMS.Account, c.Incidents.SMS.Region)}
	switch {
	case len(t.without) > 0:
		f.OK, f.Warn = false, true
		f.Say = strings.Join(t.without, ", ") + " may be called by a step with sms, and has no phone"
		f.Do = `give them one under people: phone: "+819012345678"`
	case len(t.unknown) > 0:
		f.Say += "; who stands behind " + strings.Join(t.unknown, ", ") + " is said elsewhere"
	}
	return []integrations.Finding{f}
}

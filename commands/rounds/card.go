package rounds

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	mostNamed = 12   // of one list
	mostBytes = 2500 // of one list: Slack takes blocks of 3,000 characters
)

// card is a round as it was found.
func (f *feature) card(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	r, found, err := rounds(tx).Get(s.Subject)
	if err != nil || !found {
		return integrations.Message{Hold: true}, err
	}
	return f.shown(r), nil
}

func (f *feature) shown(r round) integrations.Message {
	n := r.things()
	title := fmt.Sprintf("👀 Round: %d things to look at", n)
	switch {
	case n == 1:
		title = "👀 Round: 1 thing to look at"
	case n == 0 && f.Monitor == nil:
		title = "👀 Round: nothing was forgotten; who watches the hosts is not configured"
	case n == 0:
		title = "👀 Round: each host is watched, and nothing was forgotten"
	}
	m := integrations.Message{Text: title, Blocks: []integrations.Block{{Text: integrations.R(integrations.Bold(title))}}}
	section := func(heading string, rows []integrations.Rich) {
		if len(rows) == 0 {
			return
		}
		text := integrations.R(integrations.Bold(heading))
		m.Text += "\n" + heading
		for n, row := range rows {
			full := n == mostNamed || len(text.Plain())+len(row.Plain()) > mostBytes
			if full {
				row = integrations.R(fmt.Sprintf("and %d more", len(rows)-n))
			}
			text = append(append(text, integrations.R("\n• ")...), row...)
			m.Text += "\n" + row.Plain()
			if full {
				break
			}
		}
		m.Blocks = append(m.Blocks, integrations.Block{Text: text})
	}
	var silent []integrations.Rich
	for _, u := range r.Unread {
		silent = append(silent, integrations.R(u.What, " · “", u.Why, "”"))
	}
	section("⚠️ Nobody could tell", silent)
	section("Nobody watches", groups(r, r.Away))
	section("Running, and not in the monitoring", machines(r))
	section("In the monitoring, and no instance of these accounts", words(r.Gone))
	section("In the monitoring without a role", words(r.Bare))
	section("Forgotten", r.Forgotten)
	section("In standby: watched, and nobody is called", groups(r, r.Standby))
	section("Downtimes", downtimes(r))
	small := integrations.R("as of ", integrations.When(r.At.Add(r.Late), r.zone()))
	if r.Late > 0 {
		small = append(integrations.R("late by ", gate.Age(r.Late), " · "), small...)
	}
	m.Blocks = append(m.Blocks, integrations.Block{Context: small})
	return m
}

func (r round) zone() *time.Location {
	z, err := time.LoadLocation(r.Zone)
	if err != nil {
		return time.UTC
	}
	return z
}

// groups are a line for each.
func groups(r round, all []group) (out []integrations.Rich) {
	now := r.At.Add(r.Late)
	for _, g := range all {
		row := integrations.R(g.Status, " · ", integrations.Code(cmp.Or(g.Role, "no role")), fmt.Sprintf(" %d", len(g.Hosts)), ": ")
		for n, h := range g.Hosts {
			if n == mostNamed {
				row = append(row, integrations.R(", ", fmt.Sprintf("and %d more", len(g.Hosts)-mostNamed))...)
				break
			}
			if n > 0 {
				row = append(row, integrations.R(", ")...)
			}
			age := since(h, now)
			row = append(row, integrations.R(h.Name, " (", age, ")")...)
		}
		out = append(out, row)
	}
	return out
}

// since is how long a host has had its status, to the hour.
func since(h host, now time.Time) string {
	switch age := now.Sub(h.Since); {
	case age < sightEvery && h.Longer:
		return "nobody knows since when"
	case age < sightEvery:
		return "under 1 h"
	case h.Longer:
		return fmt.Sprintf("%s or longer", gate.Age(age.Truncate(time.Hour)))
	default:
		return gate.Age(age.Truncate(time.Hour))
	}
}

func machines(r round) (out []integrations.Rich) {
	for _, i := range r.Unknown {
		age := fmt.Sprintf("%s old", gate.Age(r.At.Add(r.Late).Sub(i.Launched)))
		out = append(out, integrations.R(cmp.Or(i.Name, "-"), " ", integrations.Code(i.ID), " · ", cmp.Or(i.Role, "no role"), " · ", i.Zone, " · ", age))
	}
	return out
}

// words are one line with all of them.
func words(all []string) []integrations.Rich {
	if len(all) == 0 {
		return nil
	}
	text := strings.Join(all[:min(len(all), mostNamed)], ", ")
	if more := len(all) - mostNamed; more > 0 {
		return []integrations.Rich{integrations.R(text, ", ", fmt.Sprintf("and %d more", more))}
	}
	return []integrations.Rich{integrations.R(text)}
}

func downtimes(r round) (out []integrations.Rich) {
	for _, d := range r.Downtimes {
		row := integrations.R(d.Name, " · ")
		if len(d.Covers) == 0 {
			row = append(row, integrations.R("everything")...)
		}
		for n, what := range d.Covers {
			if n > 0 {
				row = append(row, integrations.R(", ")...)
			}
			row = append(row, integrations.R(integrations.Code(what))...)
		}
		out = append(out, append(row, integrations.R(" · until ", integrations.When(d.Until, r.zone()))...))
	}
	return out
}

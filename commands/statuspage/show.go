package statuspage

import (
	"context"
	"fmt"
	"slices"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

const mostShown = 15 // incidents

func (f *feature) showVerb() commands.Verb {
	return commands.Verb{
		Name: "statuspage", Aliases: []string{"status page"}, Summary: "Show the status page: its components, and what is open", Effect: commands.Reads, Examples: []string{"statuspage"},
		Decide: func(ctx context.Context, _ *commands.Call) (commands.Act, error) {
			if err := f.paged(); err != nil {
				return nil, err
			}
			all, err := f.Page.Components(ctx)
			if err != nil {
				return nil, f.unread(err).WithHint("")
			}
			open, err := f.Page.Unresolved(ctx)
			if err != nil {
				return nil, f.unread(err).WithHint("")
			}
			m := page(all, open)
			return func(*store.Tx) (commands.Reply, error) { return commands.Reply{Private: &m}, nil }, nil
		},
	}
}

// page is the status page in a message: what is not well comes first.
func page(all []integrations.PageComponent, open []integrations.PageIncident) integrations.Message {
	title := "Everything is operational"
	if len(open) == 1 {
		title = "1 incident is open"
	} else if len(open) > 1 {
		title = fmt.Sprintf("%d incidents are open", len(open))
	} else if slices.ContainsFunc(all, func(c integrations.PageComponent) bool { return c.Status != integrations.ComponentOperational }) {
		title = "No incident is open, and not everything is operational"
	}
	m := integrations.Message{Text: title, Blocks: []integrations.Block{{Text: integrations.R("📣 ", integrations.Bold(title))}}}
	for n := len(integrations.ComponentStatuses) - 1; n >= 0; n-- {
		status := integrations.ComponentStatuses[n]
		row := integrations.R(lights[status], " ", status, ": ")
		count := 0
		for _, c := range all {
			if c.Status != status {
				continue
			}
			if count++; count > 1 {
				row = append(row, integrations.R(", ")...)
			}
			row = append(row, integrations.R(integrations.Code(shownAs(c, all)))...)
		}
		if count > 0 {
			m.Text += "\n" + row.Plain()
			m.Blocks = append(m.Blocks, integrations.Block{Text: row})
		}
	}
	for _, i := range open[:min(len(open), mostShown)] {
		row := integrations.R(icon(Incident{PageIncident: i}), " ", integrations.Code(i.ID), " ", integrations.Code(i.Title), " · ", i.Status)
		if i.Impact != "" && i.Impact != none {
			row = append(row, integrations.R(" · ", "impact ", i.Impact)...)
		}
		if len(i.Updates) > 0 && i.Updates[0].Body != "" {
			row = append(row, integrations.R(" · ", integrations.Italic(cut(i.Updates[0].Body, 300)))...)
		}
		m.Text += "\n" + row.Plain()
		m.Blocks = append(m.Blocks, integrations.Block{Text: row}, integrations.Block{Buttons: handles(i)})
	}
	if more := len(open) - mostShown; more > 0 {
		m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R(fmt.Sprintf("and %d more", more))})
	}
	m.Blocks = append(m.Blocks, integrations.Block{Buttons: []integrations.Button{{Label: "Open an incident…", Command: "statuspage open"}, {Label: "Set a component…", Command: "statuspage component"}}})
	return m
}

package graph

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
)

const (
	mostNear   = 5  // that are proposed
	mostListed = 60 // of a system's metrics
)

// unknownMetric proposes those that exist and are like what was said.
func unknownMetric(q question, all []gauge) error {
	var names []string
	for _, g := range all {
		names = append(names, g.Metrics...)
	}
	r := commands.Refuse("unknown_metric", fmt.Sprintf("%s has no metric “%s”.", all[0].Name, q.metric))
	if len(names) == 0 {
		return r
	}
	near := closest(q.metric, names, mostNear)
	if len(near) == 0 {
		return r.WithHint("Its metrics are listed without one.").WithExample(line(q.of))
	}
	typed := func(name string) string { return line(q.of, name, q.said()) }
	return r.WithHint("Did you mean " + strings.Join(near, ", ") + "?").WithExample(typed(near[0])).WithButtons(buttons(near, typed)...)
}

func buttons(names []string, line func(string) string) (out []integrations.Button) {
	for _, n := range names[:min(len(names), 3)] {
		out = append(out, integrations.Button{Label: n, Command: line(n)})
	}
	return out
}

// closest are the names that hold the parts of a word, and then those that are few slips
// away, the nearest first.
func closest(word string, names []string, most int) (out []string) {
	type near struct {
		name string
		off  int
	}
	word = integrations.Fold(word)
	parts := strings.FieldsFunc(word, func(r rune) bool { return strings.ContainsRune("._-: ", r) })
	var found []near
	for _, n := range names {
		folded := integrations.Fold(n)
		held := 0
		for _, p := range parts {
			if len(p) > 1 && strings.Contains(folded, p) {
				held++
			}
		}
		off := levenshtein.ComputeDistance(word, folded)
		switch {
		case held == len(parts) && held > 0:
			found = append(found, near{n, off})
		case off <= max(2, len([]rune(word))/4):
			found = append(found, near{n, 1000 + off})
		case held > 0:
			found = append(found, near{n, 2000 + off - 100*held})
		}
	}
	long := func(a near) int { d := len(a.name) - len(word); return max(d, -d) }
	slices.SortStableFunc(found, func(a, b near) int { return cmp.Or(cmp.Compare(a.off, b.off), cmp.Compare(long(a), long(b))) })
	for _, f := range found {
		if len(out) < most && !slices.Contains(out, f.name) {
			out = append(out, f.name)
		}
	}
	return out
}

// listed are the metrics that there are.
func listed(q question, all []gauge) integrations.Message {
	m := integrations.Message{Text: "Metrics of " + all[0].Name}
	m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R(integrations.Bold("Metrics of " + all[0].Name))})
	for _, g := range all {
		names, more := g.Metrics, ""
		if len(names) > mostListed {
			names, more = names[:mostListed], fmt.Sprintf("… and %d more", len(g.Metrics)-mostListed)
		}
		if len(names) == 0 {
			m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R(g.System + " has none.")})
			continue
		}
		m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R(g.System)}, integrations.Block{Code: strings.Join(names, "\n")})
		if more != "" {
			m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R(more)})
		}
	}
	if len(all[0].Metrics) > 0 {
		m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R("Draw one with ", integrations.Code(strings.Join([]string{commands.Prompt, line(q.of, all[0].Metrics[0], "3h")}, " ")), ".")})
	}
	return m
}

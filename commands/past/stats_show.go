package past

import (
	"fmt"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/stats"
	"github.com/signalbox-chatops/signalbox/integrations/kit/width"
)

// title is what the report is of.
func (r report) title() string {
	if r.service == "" {
		return "Deploys to " + r.environment
	}
	return "Deploys of " + r.service + " to " + r.environment
}

// span is the days of the report, as the person who asked counts them.
func (r report) span() string {
	from, to := r.since.In(r.zone), r.until.In(r.zone)
	form := "2 Jan"
	if from.Year() != to.Year() {
		form = "2 Jan 2006"
	}
	return from.Format(form) + " – " + to.Format("2 Jan 2006")
}

func (r report) answer(a asked) (answer, error) {
	s := sheet{title: integrations.R(integrations.Bold(r.title()), ", ", r.span())}
	if r.all.Deploys+r.all.Rollbacks == 0 {
		s.line("Nothing was deployed there in that time.")
		s.note("Look further back: ", integrations.Code(commands.Prompt+" "+a.again("when", "90d")))
		return answer{message: s.message()}, nil
	}
	m := s.message()
	t := r.all
	m.Blocks = append(m.Blocks, integrations.Block{Fields: t.fields()})
	m.Text += "\n" + t.told()
	if len(r.services) > 1 {
		m.Blocks = append(m.Blocks, integrations.Block{Code: r.table()})
		for _, x := range r.services {
			m.Text += "\n" + x.name + ": " + x.told()
		}
	}
	out := answer{sent: commands.Sent{Name: r.fileName(), Title: r.title() + ", " + r.span(), Alt: r.alt()}}
	where := "The picture is in our direct message."
	if a.Heard.Private {
		where = "The picture follows."
	}
	m.Text += "\n" + where
	m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R(where, " What the numbers are: ", integrations.Code(commands.Prompt+" help stats"))})
	out.message = m
	var err error
	out.file, err = r.picture().draw()
	return out, err
}

func (r report) fileName() string {
	return strings.Join(strings.Fields("deploys "+r.service+" "+r.environment+" "+r.until.In(r.zone).Format(time.DateOnly)), "-") + ".png"
}

// percent is a share without more digits than it needs.
func percent(share float64) string {
	if share == 0 || share >= 10 {
		return fmt.Sprintf("%.0f %%", share)
	}
	return fmt.Sprintf("%.1f %%", share)
}

// failures is "2 of 14 (14 %)".
func (t tally) failures() string {
	return fmt.Sprintf("%d of %d (%s)", t.Failed, t.Deploys, percent(t.Share()))
}

func (t tally) restore() string {
	var parts []string
	if len(t.Restores) > 0 {
		parts = append(parts, gate.Age(stats.Percentile(t.Restores, 50)))
	}
	if t.Broken {
		parts = append(parts, "not restored yet")
	}
	if len(parts) == 0 {
		return "nothing to restore"
	}
	return strings.Join(parts, ", ")
}

func (t tally) lead() string {
	if len(t.Leads) == 0 {
		return "not known"
	}
	return fmt.Sprintf("median %s, p90 %s", gate.Age(stats.Percentile(t.Leads, 50)), gate.Age(stats.Percentile(t.Leads, 90)))
}

func (t tally) count() string {
	s := counted(t.Deploys, "deploy")
	if t.Rollbacks > 0 {
		s += " and " + counted(t.Rollbacks, "rollback")
	}
	return s
}

func (t tally) fields() []integrations.Field {
	field := func(name, value string) integrations.Field {
		return integrations.Field{Name: name, Value: integrations.R(value)}
	}
	return []integrations.Field{
		field("Went out", t.count()), field("Failed", t.failures()),
		field("Lead time", t.lead()), field("Time to restore", t.restore()),
	}
}

// told is a tally as a sentence.
func (t tally) told() string {
	return fmt.Sprintf("%s. Failed or rolled back: %s. Lead time: %s. Time to restore: %s.", t.count(), t.failures(), t.lead(), t.restore())
}

// compact is a time in few letters, for a table: "45s", "12m", "3h20m", "4d".
func compact(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

const nameWidth = 14 // cells

// table is one line a service, narrow enough for a phone.
func (r report) table() string {
	var b strings.Builder
	row := func(name, deploys, failed, lead, late, restore string) {
		fmt.Fprintf(&b, "%s %3s %5s %6s %6s %6s\n", width.Pad(width.Cut(name, nameWidth), nameWidth), deploys, failed, lead, late, restore)
	}
	row("", "out", "fail", "lead", "p90", "mend")
	for _, t := range r.services {
		lead, late, mend := "–", "–", "–"
		if len(t.Leads) > 0 {
			lead, late = compact(stats.Percentile(t.Leads, 50)), compact(stats.Percentile(t.Leads, 90))
		}
		if len(t.Restores) > 0 {
			mend = compact(stats.Percentile(t.Restores, 50))
		}
		if t.Broken {
			mend = "broken"
		}
		row(t.name, fmt.Sprint(t.Deploys), strings.ReplaceAll(percent(t.Share()), " ", ""), lead, late, mend)
	}
	return strings.TrimRight(b.String(), "\n")
}

// alt says what the picture shows.
func (r report) alt() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s. %s", r.title(), r.span(), r.all.told())
	for _, x := range r.bars() {
		if x.good+x.failed == 0 {
			continue
		}
		fmt.Fprintf(&b, " From %s: %s", x.label, counted(x.good+x.failed, "deploy"))
		if x.failed > 0 {
			fmt.Fprintf(&b, ", %d failed", x.failed)
		}
		if x.lead > 0 {
			fmt.Fprintf(&b, ", lead time %s", gate.Age(x.lead))
		}
		b.WriteString(".")
	}
	return b.String()
}

func (r report) picture() drawing {
	t := r.all
	p := drawing{title: oneLine(r.title(), 60), span: r.span(), bars: r.bars(), tiles: []tile{
		{strings.TrimPrefix(counted(t.Deploys, "deploy"), fmt.Sprint(t.Deploys, " ")), fmt.Sprint(t.Deploys)}, {"failed", percent(t.Share())}, {"lead time", "–"}, {"to restore", "–"},
	}}
	if len(t.Leads) > 0 {
		p.tiles[2].value = roughly(stats.Percentile(t.Leads, 50))
	}
	if len(t.Restores) > 0 {
		p.tiles[3].value = roughly(stats.Percentile(t.Restores, 50))
	}
	return p
}

// roughly is a time that fits into a tile: of many hours the minutes do not matter.
func roughly(d time.Duration) string {
	if d >= 10*time.Hour && d < 48*time.Hour {
		return fmt.Sprintf("%.0f h", d.Hours())
	}
	return gate.Age(d)
}

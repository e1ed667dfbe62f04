package oncall

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

var scheduleArg = commands.Arg{Name: "schedule", Kind: commands.ArgSchedule, Optional: true, Help: "of which schedule, where there are several"}

// asked is a question with the moment at which it is answered, in the zone of whoever
// asks.
type asked struct {
	*commands.Call
	now  time.Time
	zone *time.Location
}

func (f *Rota) asked(ctx context.Context, c *commands.Call) asked {
	return asked{Call: c, now: f.Clock.Now(), zone: commands.Zones{Of: f.Zone, Log: f.Log}.For(ctx, c)}
}

// moment reads an argument that is a time; otherwise is meant where nothing was said.
func (a asked) moment(arg string, otherwise time.Time) (time.Time, error) {
	word := a.Arg(arg)
	if word == "" {
		return otherwise, nil
	}
	at, ok := commands.Moment(word, a.now, a.zone)
	if !ok {
		return at, commands.Refuse("bad_time", fmt.Sprintf("“%s” is no time that I know.", word)).WithExample("oncall at tomorrow 18:00")
	}
	return at, nil
}

// reads is a verb's decision that only reads.
func (f *Rota) reads(do func(tx *store.Tx, a asked) (*integrations.Message, error)) func(context.Context, *commands.Call) (commands.Act, error) {
	return func(ctx context.Context, c *commands.Call) (commands.Act, error) {
		a := f.asked(ctx, c)
		return func(tx *store.Tx) (commands.Reply, error) {
			m, err := do(tx, a)
			return commands.Reply{Private: m}, err
		}, nil
	}
}

func (f *Rota) showVerb() commands.Verb {
	return commands.Verb{
		Name: "oncall", Aliases: []string{"on-call", "pager", "whos-on-call", "当番"}, Summary: "Say who is on call, until when, and who is next", Effect: commands.Reads,
		Args: []commands.Arg{scheduleArg,
			{Name: "at", Kind: commands.ArgMoment, Keyword: "at", Strict: true, Optional: true, Help: "then instead of now: 18:00, tomorrow 9:00, friday, 2026-12-24"}},
		Examples: []string{"oncall", "oncall at tomorrow 9:00"},
		Decide:   f.reads(f.show),
	}
}

func (f *Rota) show(tx *store.Tx, a asked) (*integrations.Message, error) {
	at, err := a.moment("at", a.now)
	if err != nil {
		return nil, err
	}
	which := f.Config().Schedules
	if a.Arg("schedule") != "" {
		s, err := f.theSchedule(a.Call)
		if err != nil {
			return nil, err
		}
		which = []Schedule{s}
	}
	if len(which) == 0 {
		return nil, noSchedules()
	}
	m := &integrations.Message{}
	if a.Arg("at") != "" {
		head := integrations.R("At ", integrations.When(at, a.zone), ":")
		m.Text = head.Plain() + "\n"
		m.Blocks = append(m.Blocks, integrations.Block{Text: head})
	}
	for _, s := range which {
		row, err := f.row(tx, s, at, a.zone)
		if err != nil {
			if row, err = instead(err, len(which)); err != nil {
				return nil, err
			}
		}
		m.Text += row.Plain() + "\n"
		m.Blocks = append(m.Blocks, integrations.Block{Text: row})
		old, err := asOf(tx, s, a.zone)
		if err != nil {
			return nil, err
		}
		if len(old) > 0 {
			m.Text += old.Plain() + "\n"
			m.Blocks = append(m.Blocks, integrations.Block{Context: old})
		}
	}
	m.Text = strings.TrimRight(m.Text, "\n")
	if a.Arg("at") == "" {
		m.Blocks = append(m.Blocks, integrations.Block{Buttons: f.offers(which)})
	}
	return m, nil
}

// instead is what stands in the place of a schedule of which nothing can be said, beside
// others; of the only one that is asked about the error says it.
func instead(err error, of int) (integrations.Rich, error) {
	var no *commands.Refusal
	if of < 2 || !errors.As(err, &no) {
		return nil, err
	}
	return integrations.R("⚠️ ", no.What), nil
}

// offers are what can be done at once.
func (f *Rota) offers(which []Schedule) (out []integrations.Button) {
	for _, s := range which[:min(2, len(which))] {
		what, rest := "Take it for 2 h", ""
		if len(f.Config().Schedules) > 1 {
			what, rest = "Take "+s.Name+" for 2 h", " "+s.Name
		}
		out = append(out, integrations.Button{Label: what, Command: "oncall take 2h" + rest, Confirm: "Be on call of " + s.Name + " for the next two hours, instead of whoever is?"})
	}
	return append(out, integrations.Button{Label: "What comes", Command: "oncall next"}, integrations.Button{Label: "Mine", Command: "oncall mine"})
}

// row says in a line who is on call, until when, and who is next.
func (f *Rota) row(tx *store.Tx, s Schedule, at time.Time, zone *time.Location) (integrations.Rich, error) {
	all, err := overridesOf(tx, s.Name)
	if err != nil {
		return nil, err
	}
	next, err := f.coming(tx, s, all, at, 2)
	if err != nil {
		return nil, err
	}
	row := integrations.R("☎️ ", integrations.Bold(s.Name), ": ", f.who(next[0]))
	if len(next) > 1 {
		row = append(row, integrations.R(" until ", integrations.When(next[0].End, zone), ", then ", f.who(next[1]))...)
	}
	return row, nil
}

// who are the people of a shift, named and not called.
func (f *Rota) who(x integrations.Shift) integrations.Rich {
	if x.Gap() {
		return integrations.R("nobody")
	}
	var out integrations.Rich
	for n, d := range x.On {
		if n > 0 {
			out = append(out, integrations.R(" + ")...)
		}
		out = append(out, integrations.Bold(d.Person))
		if d.Instead != "" {
			out = append(out, integrations.R(" (for ", d.Instead, ")")...)
		}
	}
	return out
}

func (f *Rota) nextVerb() commands.Verb {
	return commands.Verb{
		Name: "oncall next", Aliases: []string{"next-shifts"}, Summary: "List the next shifts of a schedule", Effect: commands.Reads,
		Args: []commands.Arg{scheduleArg}, Examples: []string{"oncall next"},
		Decide: f.reads(f.next),
	}
}

func (f *Rota) next(tx *store.Tx, a asked) (*integrations.Message, error) {
	which := f.Config().Schedules
	if a.Arg("schedule") != "" {
		s, err := f.theSchedule(a.Call)
		if err != nil {
			return nil, err
		}
		which = []Schedule{s}
	}
	if len(which) == 0 {
		return nil, noSchedules()
	}
	m := &integrations.Message{}
	for _, s := range which {
		all, err := overridesOf(tx, s.Name)
		if err != nil {
			return nil, err
		}
		shifts, err := f.coming(tx, s, all, a.now, shownNext+1)
		if err != nil {
			row, err := instead(err, len(which))
			if err != nil {
				return nil, err
			}
			m.Text += row.Plain() + "\n"
			m.Blocks = append(m.Blocks, integrations.Block{Text: row})
			continue
		}
		m.Text += s.Name + "\n" + lines(shifts, a.zone) + "\n"
		m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R("☎️ ", integrations.Bold(s.Name))}, integrations.Block{Code: lines(shifts, a.zone)})
	}
	m.Text = strings.TrimRight(m.Text, "\n")
	return m, nil
}

// lines are shifts, one a line that a phone need not break: when each begins, by the
// clocks of a zone, and so when the one before it ends.
func lines(shifts []integrations.Shift, zone *time.Location) string {
	var out []string
	for _, x := range shifts {
		out = append(out, x.Start.In(zone).Format(dayAndTime)+"  "+names(x))
	}
	return strings.Join(out, "\n")
}

const dayAndTime = "Mon 2 Jan 15:04"

// inWords is a period in words: the day of its end only where that is another one.
func inWords(p period, zone *time.Location) string {
	from, to := p.Start.In(zone), p.End.In(zone)
	if from.Format(time.DateOnly) == to.Format(time.DateOnly) {
		return from.Format(dayAndTime) + " – " + to.Format("15:04")
	}
	return from.Format(dayAndTime) + " – " + to.Format(dayAndTime)
}

func (f *Rota) mineVerb() commands.Verb {
	return commands.Verb{
		Name: "oncall mine", Aliases: []string{"my-shifts"}, Summary: "List when you are on call", Effect: commands.Reads,
		Examples: []string{"oncall mine"},
		Decide:   f.reads(f.mine),
	}
}

func (f *Rota) mine(tx *store.Tx, a asked) (*integrations.Message, error) {
	if len(f.Config().Schedules) == 0 {
		return nil, noSchedules()
	}
	m := &integrations.Message{}
	var dark []integrations.Rich
	for _, s := range f.Config().Schedules {
		shifts, err := f.timeline(tx, s, a.now, a.now.Add(mineAhead))
		if err != nil {
			row, err := instead(err, len(f.Config().Schedules))
			if err != nil {
				return nil, err
			}
			dark = append(dark, row)
			continue
		}
		own := ownOf(shifts, a.Who.Name)
		if len(own) == 0 {
			continue
		}
		var rows []string
		for _, p := range own[:min(len(own), 10)] {
			rows = append(rows, inWords(p, a.zone))
		}
		if more := len(own) - len(rows); more > 0 {
			rows = append(rows, fmt.Sprintf("and %d more", more))
		}
		m.Text += s.Name + "\n" + strings.Join(rows, "\n") + "\n"
		m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R("☎️ ", integrations.Bold(s.Name))}, integrations.Block{Code: strings.Join(rows, "\n")})
	}
	if len(m.Blocks) == 0 && len(dark) == 0 {
		m.Text = "You are not on call in the next 60 days."
		return m, nil
	}
	for _, row := range dark {
		m.Text += row.Plain() + "\n"
		m.Blocks = append(m.Blocks, integrations.Block{Text: row})
	}
	m.Text = strings.TrimRight(m.Text, "\n")
	zone := integrations.R("Times are those of ", a.zone.String(), ". Somebody else takes a shift with ", integrations.Code(commands.Prompt+" oncall swap @bob 2026-12-24"), "; ", integrations.Code(commands.Prompt+" oncall calendar"), " puts them into your calendar.")
	m.Blocks = append(m.Blocks, integrations.Block{Context: zone})
	return m, nil
}

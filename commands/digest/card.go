package digest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/rota"
	"github.com/signalbox-chatops/signalbox/store"
)

// card is the digest, as it was when it was due.
func (f *feature) card(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	t, found, err := told(tx).Get(s.Subject)
	if err != nil || !found {
		return integrations.Message{Hold: true}, err
	}
	language, err := f.Language(tx, s)
	if err != nil {
		return integrations.Message{}, err
	}
	small := integrations.R()
	if t.Late > 0 {
		small = integrations.R("late by ", gate.Age(t.Late))
	}
	return t.Report.message(language, small), nil
}

// message says a report. small is said besides, in small letters.
func (r report) message(language string, small integrations.Rich) integrations.Message {
	title := "The time behind"
	if r.week() {
		title = "The week behind"
	}
	var m integrations.Message
	part := func(lines []integrations.Rich) {
		for some := range slices.Chunk(lines, inBlock) {
			var text integrations.Rich
			for i, l := range some {
				m.Text += l.Plain() + "\n"
				if i > 0 {
					text = append(text, integrations.Span{Text: "\n"})
				}
				text = append(text, l...)
			}
			m.Blocks = append(m.Blocks, integrations.Block{Text: text})
		}
	}
	part([]integrations.Rich{integrations.R("📊 ", integrations.Bold(title), ", ", wordsOf(language).days(r))})
	part(r.deployLines())
	part(r.handledLines())
	for _, s := range r.Schedules {
		part(s.lines(r))
	}
	if r.Strangers > 0 {
		part([]integrations.Rich{integrations.R(counted(r.Strangers, "page", "pages"), " of people who are in no schedule")})
	}
	foot := r.foot(small)
	m.Text += foot.Plain()
	m.Blocks = append(m.Blocks, integrations.Block{Context: foot})
	return m
}

// inBlock is how many lines a block holds.
const inBlock = 10

// week says whether it is of seven days.
func (r report) week() bool { return r.From.In(r.zone()).AddDate(0, 0, 7).Equal(r.To) }

// foot says how to read it.
func (r report) foot(small integrations.Rich) integrations.Rich {
	parts := []integrations.Rich{small}
	if len(r.Environments) > 0 {
		parts = append(parts, integrations.R("counted are deploys to ", strings.Join(r.Environments, ", ")))
	}
	if r.All.Before.Deploys > 0 || len(r.Handled) > 0 && r.Handled[0].Before.Over.N > 0 {
		parts = append(parts, integrations.R("arrows compare with the time before"))
	}
	parts = append(parts, integrations.R("times are those of ", r.Zone), integrations.R("what the numbers are: ", integrations.Code(commands.Prompt+" help digest")))
	return joined(parts)
}

// joined are parts with a dot between them.
func joined(parts []integrations.Rich) (out integrations.Rich) {
	for _, p := range parts {
		if len(p) == 0 {
			continue
		}
		if len(out) > 0 {
			out = append(out, integrations.Span{Text: " · "})
		}
		out = append(out, p...)
	}
	return out
}

// deployLines are the deploys: of all services, and then of each.
func (r report) deployLines() (out []integrations.Rich) {
	if r.All.Now.none() {
		line := integrations.R("Nothing was deployed.")
		if n := r.All.Before.Deploys; n > 0 {
			line = integrations.R("Nothing was deployed; the time before had ", counted(n, "deploy", "deploys"), ".")
		}
		return append([]integrations.Rich{line}, r.Incidents.lines()...)
	}
	out = append(out, integrations.R(integrations.Bold("All services"), ": ", r.All.told()))
	for _, s := range r.Services[:min(len(r.Services), mostServices)] {
		out = append(out, integrations.R("• ", integrations.Bold(cmp.Or(s.Name, "Infrastructure")), ": ", s.told()))
	}
	if more := len(r.Services) - mostServices; more > 0 {
		out = append(out, integrations.R(fmt.Sprintf("and %d more", more)))
	}
	if len(r.Services) == 1 { // it is all there is
		out = out[1:]
	}
	return append(out, r.Incidents.lines()...)
}

// told are the numbers of a service, with how they were before where that is known and
// another.
func (s service) told() integrations.Rich {
	now, was := s.Now, s.Before
	known := was.Deploys > 0
	parts := []integrations.Rich{compared(integrations.R(counted(now.Deploys, "deploy", "deploys")), float64(now.Deploys), float64(was.Deploys), known && now.Deploys != was.Deploys, fmt.Sprint(was.Deploys))}
	if now.Deploys > 0 {
		parts = append(parts, s.failures(known))
	}
	if now.Rollbacks > 0 {
		parts = append(parts, integrations.R(counted(now.Rollbacks, "rollback", "rollbacks")))
	}
	if now.Leads > 0 {
		before := gate.Age(was.Lead)
		parts = append(parts, compared(integrations.R("lead time ", gate.Age(now.Lead)), float64(now.Lead), float64(was.Lead), was.Leads > 0 && before != gate.Age(now.Lead), before))
	}
	if now.Restores > 0 {
		before := gate.Age(was.Restore)
		parts = append(parts, compared(integrations.R("restored within ", gate.Age(now.Restore)), float64(now.Restore), float64(was.Restore), was.Restores > 0 && before != gate.Age(now.Restore), before))
	}
	if now.Broken {
		parts = append(parts, integrations.R("not restored yet"))
	}
	return joined(parts)
}

func (s service) failures(known bool) integrations.Rich {
	now, before := percent(s.Now.Share), percent(s.Before.Share)
	what := integrations.R("none failed")
	if s.Now.Failed > 0 {
		what = integrations.R(fmt.Sprintf("%d failed, %s", s.Now.Failed, now))
	}
	return compared(what, s.Now.Share, s.Before.Share, known && now != before, before)
}

// compared adds to a number how it was, where it differs.
func compared(what integrations.Rich, now, was float64, differs bool, before string) integrations.Rich {
	switch {
	case !differs:
		return what
	case now > was:
		return integrations.R(what, " (↑ from ", before, ")")
	}
	return integrations.R(what, " (↓ from ", before, ")")
}

// counted is "1 deploy" and "2 deploys".
func counted(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}

func (i incidents) lines() []integrations.Rich {
	var parts []integrations.Rich
	if i.Opened > 0 {
		parts = append(parts, integrations.R(fmt.Sprintf("%d opened", i.Opened)))
	}
	if i.Over > 0 {
		parts = append(parts, integrations.R(fmt.Sprintf("%d over within %s", i.Over, gate.Age(i.Took))))
	}
	if i.Open > 0 {
		parts = append(parts, integrations.R(fmt.Sprintf("%d still open", i.Open)))
	}
	if len(parts) == 0 {
		return nil
	}
	return []integrations.Rich{integrations.R("🔥 ", integrations.Bold("Incidents"), ": ", joined(parts))}
}

// lines say who was on call of a schedule, in which hours, and how that is shared out.
func (s schedule) lines(r report) []integrations.Rich {
	head := []integrations.Rich{integrations.R("somebody was on call for ", hours(s.Covered))}
	if s.Covered < s.Known {
		head[0] = integrations.R("somebody was on call for ", hours(s.Covered), " of ", hours(s.Known))
	}
	for _, c := range []struct{ act, one, several string }{{"take", "take", "takes"}, {"cover", "cover", "covers"}, {"swap", "swap", "swaps"}} {
		if n := s.Changes[c.act]; n > 0 {
			head = append(head, integrations.R(counted(n, c.one, c.several)))
		}
	}
	out := []integrations.Rich{integrations.R("☎️ ", integrations.Bold(s.Name), ": ", joined(head))}
	if s.Covered == 0 {
		return out
	}
	for _, l := range s.People[:min(len(s.People), mostPeople)] {
		parts := []integrations.Rich{integrations.R(hours(l.Hours.Total())), l.kinds()}
		if r.Paged {
			parts = append(parts, l.pages())
		}
		out = append(out, integrations.R("• ", integrations.Bold(l.Person), ": ", joined(parts)))
	}
	if more := len(s.People) - mostPeople; more > 0 {
		out = append(out, integrations.R(fmt.Sprintf("and %d more", more)))
	}
	if most, least, ok := s.spread(); ok {
		out = append(out, s.shares(most, least))
	}
	return out
}

// shares says who had the most and who the least.
func (s schedule) shares(most, least load) integrations.Rich {
	if hours(most.Long) == hours(least.Long) {
		return integrations.R("Over ", s.Weeks, " weeks everybody had an equal share, ", hours(s.equal()))
	}
	return integrations.R("Over ", s.Weeks, " weeks an equal share is ", hours(s.equal()), ": ", integrations.Bold(most.Person), " had the most with ", hours(most.Long), " (", signed(s.off(most)), "), ",
		integrations.Bold(least.Person), " the least with ", hours(least.Long), " (", signed(s.off(least)), ")")
}

// kindTold says how much there was of each kind of hours.
var kindTold = map[string]func(string) integrations.Rich{
	rota.Working:  func(n string) integrations.Rich { return integrations.R("working hours ", n) },
	rota.Evening:  func(n string) integrations.Rich { return integrations.R("evenings ", n) },
	rota.Weekend:  func(n string) integrations.Rich { return integrations.R("weekend ", n) },
	rota.Sleeping: func(n string) integrations.Rich { return integrations.R("sleeping hours ", n) },
}

// kinds are somebody's hours by kind; nothing where they had none.
func (l load) kinds() integrations.Rich {
	return byKind(func(kind string) string {
		if l.Hours[kind] == 0 {
			return ""
		}
		return hours(l.Hours[kind])
	})
}

// pages are somebody's calls, by the kind of the hour.
func (l load) pages() integrations.Rich {
	if l.paged() == 0 {
		return integrations.R("no page")
	}
	kinds := byKind(func(kind string) string {
		if l.Pages[kind] == 0 {
			return ""
		}
		return fmt.Sprint(l.Pages[kind])
	})
	return append(integrations.R(counted(l.paged(), "page", "pages"), ": "), kinds...)
}

func byKind(told func(kind string) string) (out integrations.Rich) {
	for _, kind := range rota.Kinds {
		if n := told(kind); n != "" {
			if len(out) > 0 {
				out = append(out, integrations.Span{Text: ", "})
			}
			out = append(out, kindTold[kind](n)...)
		}
	}
	return out
}

// hours are so many of them.
func hours(d time.Duration) string { return hoursTold(d) + " h" }

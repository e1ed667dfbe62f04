package deploy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// The plan of an ordinary pull request stands on GitHub, where its author is. Chat
// is told when it destroys something, and of those that bots open in one message a
// day.

// tellPull tells chat of a pull request's plans, where nobody asked for them.
func (f *feature) tellPull(tx *store.Tx, p *store.Pull) error {
	if p.Operation != "" || strings.HasPrefix(p.Branch, "signalbox/") {
		return nil
	}
	bot := f.Catalog().Bot(p.Author)
	for name, targets := range f.byEnvironment(p.Targets) {
		env, _ := f.Catalog().Environment(name)
		channel, event := f.home(env), integrations.EventPlan
		if channel == "" || !slices.ContainsFunc(targets, func(t string) bool { return p.Plans[t].State == "done" && p.Plans[t].Head == p.Head }) {
			continue
		}
		if bot {
			if err := f.sumUp(tx, p, env, channel); err != nil {
				return err
			}
		}
		if len(f.destroyed(p, name)) > 0 {
			event = integrations.EventDestroys
		} else if bot {
			continue
		}
		subject := pullSubject(p.RepoID, p.Number)
		err := tell.Raise(tx, f.Catalog(), f.Clock.Now(), tell.Notice{Event: event, Environment: name, Channel: channel, Surface: store.Surface{
			ID: tell.ID(placeMessage, subject, cardPulled, name), Place: placeMessage, Card: cardPulled, Subject: subject, Where: map[string]string{"environment": name},
		}})
		if err != nil {
			return err
		}
	}
	return nil
}

// destroyed names what the plans of a pull request destroy or replace in an
// environment.
func (f *feature) destroyed(p *store.Pull, environment string) (out []string) {
	for _, t := range slices.Sorted(slices.Values(f.byEnvironment(p.Targets)[environment])) {
		if planned := p.Plans[t]; planned.State == "done" && planned.Head == p.Head {
			out = append(out, destroys(plansOf(planned))...)
		}
	}
	return out
}

// pulledCard is a pull request whose plan somebody should see.
func (f *feature) pulledCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	p, _, err := f.pullOf(tx, s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	name := s.Where["environment"]
	what := fmt.Sprintf("%s#%d", p.Repo, p.Number)
	gone, link := f.destroyed(p, name), integrations.Link(p.URL, what)
	var head integrations.Rich
	switch {
	case p.State != "open" && overBefore(s, true):
		return integrations.Message{Hold: true}, nil
	case p.State != "open":
		head = integrations.R("📋 ", link, " “", p.Title, "” by ", p.Author, " is ", p.State, ".")
	case len(gone) > 0:
		head = integrations.R("⚠️ ", link, " “", p.Title, "” by ", p.Author, " destroys or replaces something in ", integrations.Bold(name), ": ", integrations.Code(strings.Join(gone[:min(len(gone), 10)], ", ")))
	default:
		head = integrations.R("📋 ", link, " “", p.Title, "” by ", p.Author, " is planned for ", integrations.Bold(name), ": ", integrations.Code(f.plansIn(p, name).String()))
	}
	return integrations.Message{Text: head.Plain() + " · " + p.URL, Blocks: []integrations.Block{{Text: head}}}, nil
}

// plansIn are the plans of a pull request in an environment, all together; "" is
// in every one.
func (f *feature) plansIn(p *store.Pull, environment string) (all integrations.Plans) {
	for env, targets := range f.byEnvironment(p.Targets) {
		for _, t := range targets {
			if planned := p.Plans[t]; (environment == "" || env == environment) && planned.State == "done" {
				all = append(all, plansOf(planned)...)
			}
		}
	}
	return all
}

// botDay is the pull requests of bots that were planned on a day, of which one
// message in a channel tells.
type botDay struct {
	Pulls []botPull `json:"pulls"`
	At    time.Time `json:"at"`
}

type botPull struct {
	RepoID int64 `json:"repo_id"`
	Number int   `json:"number"`
}

const botsFeature = "bots"

// keepBots is how long a day is kept: its message is edited no more after it.
const keepBots = 8 * 24 * time.Hour

// sumUp puts a bot's pull request into the message of the day.
func (f *feature) sumUp(tx *store.Tx, p *store.Pull, env integrations.Environment, channel string) error {
	now := f.Clock.Now()
	subject := strings.Join([]string{"bots", channel, env.Digest.Day(now)}, " ")
	all := store.Feature[botDay](tx, botsFeature)
	d, found, err := all.Get(subject)
	if err != nil {
		return err
	}
	if !found {
		if err := pruneBots(tx, now); err != nil {
			return err
		}
		d.At = now
	}
	if this := (botPull{p.RepoID, p.Number}); !slices.Contains(d.Pulls, this) {
		d.Pulls = append(d.Pulls, this)
	}
	if err := all.Put(subject, d); err != nil {
		return err
	}
	return tell.Raise(tx, f.Catalog(), now, tell.Notice{Event: integrations.EventBots, Environment: env.Name, Channel: channel,
		Surface: store.Surface{ID: tell.ID(placeMessage, subject), Place: placeMessage, Card: cardBots, Subject: subject}})
}

// markBots has the days shown anew that tell of a pull request, which was merged,
// closed or pushed to.
func (f *feature) markBots(tx *store.Tx, p *store.Pull) error {
	if !f.Catalog().Bot(p.Author) || p.Operation != "" {
		return nil
	}
	var in []string
	err := store.Feature[botDay](tx, botsFeature).Each("", func(subject string, d botDay) error {
		if slices.Contains(d.Pulls, botPull{p.RepoID, p.Number}) {
			in = append(in, subject)
		}
		return nil
	})
	for _, subject := range in {
		err = errors.Join(err, tell.Mark(tx, subject, false))
	}
	return err
}

func pruneBots(tx *store.Tx, now time.Time) error {
	all := store.Feature[botDay](tx, botsFeature)
	var old []string
	err := all.Each("", func(subject string, d botDay) error {
		if now.Sub(d.At) > keepBots {
			old = append(old, subject)
		}
		return nil
	})
	for _, subject := range old {
		err = errors.Join(err, all.Delete(subject), tell.Forget(tx, subject))
	}
	return err
}

// mostBotLines is how many pull requests a message lists.
const mostBotLines = 40

// botsCard sums up what bots opened on a day.
func (f *feature) botsCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	d, ok, err := store.Feature[botDay](tx, botsFeature).Get(s.Subject)
	if err != nil || !ok {
		return integrations.Message{Hold: true}, err
	}
	type sum struct{ all, empty, failed int }
	sums, lines := map[string]sum{}, []integrations.Rich{}
	for _, one := range d.Pulls {
		p, err := tx.Pull(one.RepoID, one.Number)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return integrations.Message{}, err
		}
		n, plans, how := sums[p.Author], f.plansIn(p, ""), ""
		n.all++
		switch failed := slices.ContainsFunc(p.Targets, func(t string) bool { return p.Plans[t].State == "failed" }); {
		case failed:
			n.failed++
			how = "could not be planned"
		case plans.Empty():
			n.empty++
			how = "no changes"
		default:
			how = plans.String()
		}
		sums[p.Author] = n
		if p.State != "open" {
			how += ", " + p.State
		}
		lines = append(lines, integrations.R("• ", integrations.Link(p.URL, fmt.Sprintf("%s#%d", p.Repo, p.Number)), " ", p.Title, ": ", integrations.Code(how)))
	}
	if len(lines) == 0 {
		return integrations.Message{Hold: true}, nil
	}
	var heads []string
	for _, login := range slices.Sorted(maps.Keys(sums)) {
		n := sums[login]
		head := fmt.Sprintf("%s of %s: %s, %d with changes", plural(n.all, "pull request"), login, plural(n.empty, "empty plan"), n.all-n.empty-n.failed)
		if n.failed > 0 {
			head += fmt.Sprintf(", %d could not be planned", n.failed)
		}
		heads = append(heads, head)
	}
	text := strings.Join(heads, "; ")
	m := integrations.Message{Text: "🤖 " + text, Blocks: []integrations.Block{{Text: integrations.R("🤖 ", integrations.Bold(text))}}}
	if more := len(lines) - mostBotLines; more > 0 {
		lines = append(lines[:mostBotLines], integrations.R(fmt.Sprintf("and %d more", more)))
	}
	for at := 0; at < len(lines); at += 10 {
		var part integrations.Rich
		for _, l := range lines[at:min(at+10, len(lines))] {
			part = integrations.R(part, l, "\n")
		}
		m.Blocks = append(m.Blocks, integrations.Block{Text: part})
	}
	return m, nil
}

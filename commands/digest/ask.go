package digest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// mostDays is how long the time of a digest is at most: it is for what people remember.
const mostDays = 31

func (f *feature) verb() commands.Verb {
	return commands.Verb{
		Name: "digest", Aliases: []string{"weekly", "週報"}, Summary: "Show what the week was like: deploys, failures, and who was on call in which hours", Effect: commands.Reads,
		Args:     []commands.Arg{{Name: "when", Kind: commands.ArgWhen, Keyword: "since", Optional: true, Help: "last week is all of that week; this week, friday, 2026-11-20 are from then until now; the last seven days unless said"}},
		Examples: []string{"digest", "digest last week", "digest since friday"},
		Detail: "Failed is a deploy whose apply failed, or that was rolled back. Lead time is from the merge of a pull request until it was live, the median. Restored is how long it took from a failed deploy to the next good one in the same environment, the median. " +
			"Hours on call are counted once: those of sleep first, then the weekend, then those of work; the rest is evening. The share over twelve weeks is compared with what each would have, had all the same. Pictures are sent to you in a direct message.",
		Decide: f.decide,
	}
}

// decide answers outside of the deciding transaction: a long time must not keep everybody
// else from being heard.
func (f *feature) decide(ctx context.Context, c *commands.Call) (commands.Act, error) {
	now, config := f.Clock.Now(), f.Config()
	zone := config.zone()
	if config.Zone == "" {
		zone = named(commands.Zones{Of: f.Zone, Log: f.Log}.For(ctx, c))
	}
	from, to, err := f.time(c, now, zone)
	if err != nil {
		return nil, err
	}
	var r report
	var here, direct string // the languages of the answer, and of the pictures
	err = f.Store.View(func(tx *store.Tx) (err error) {
		if r, err = f.report(tx, config, zone, from, to, now); err != nil {
			return err
		}
		if here, err = f.Language(tx, &store.Surface{Place: "slack.private", Where: map[string]string{"user": c.Heard.User, "channel": c.Heard.Channel}}); err != nil {
			return err
		}
		direct, err = f.Language(tx, &store.Surface{Place: placeFile, Where: map[string]string{"channel": c.Heard.User}})
		return err
	})
	if err != nil {
		return nil, err
	}
	drawings := []drawing{deploysOf(r, direct), loadOf(r, direct)}
	some := 0
	for i, d := range drawings {
		if d == nil {
			continue
		}
		some++
		body, err := d.draw()
		if err == nil {
			err = f.sent[i].Write(c, body)
		}
		if err != nil {
			return nil, err
		}
	}
	m := r.message(here, where(some, c.Heard.Private))
	return func(tx *store.Tx) (commands.Reply, error) {
		for i, d := range drawings {
			if d == nil {
				continue
			}
			name := fileName([]string{cardDeploys, cardLoad}[i], to.In(zone).Format(time.DateOnly))
			if err := f.sent[i].Send(tx, c, commands.Sent{Name: name, Title: d.title(), Alt: d.alt()}); err != nil {
				return commands.Reply{}, err
			}
		}
		return commands.Reply{Private: &m}, nil
	}, nil
}

// named is a zone that can be found by its name, as a report keeps it, else UTC.
func named(zone *time.Location) *time.Location {
	if z, err := time.LoadLocation(zone.String()); err == nil {
		return z
	}
	return time.UTC
}

// where says where the pictures are.
func where(pictures int, private bool) integrations.Rich {
	switch {
	case pictures == 0:
		return nil
	case private:
		return integrations.R("pictures follow")
	}
	return integrations.R("pictures are in our direct message")
}

// lastWeek is how the week before this one is called; it alone does not go on until now.
var lastWeek = map[string]bool{"last week": true, "先週": true}

// time is what somebody asks about: until when and from when on.
func (f *feature) time(c *commands.Call, now time.Time, zone *time.Location) (from, to time.Time, err error) {
	example := func(rest string) string { return "digest " + strings.TrimPrefix(rest, "--") }
	if c.Arg("when") == "" {
		return now.In(zone).AddDate(0, 0, -7), now, nil
	}
	from, word, err := commands.Past(c.Arg("when"), "", now, zone, example)
	if err != nil {
		return from, now, err
	}
	to = now
	if lastWeek[strings.TrimSuffix(integrations.Fold(word), "から")] {
		to = midnight(from, zone, 7)
	}
	if to.After(from.In(zone).AddDate(0, 0, mostDays)) {
		return from, to, commands.Refuse("too_long", fmt.Sprintf("A digest is of %d days at most.", mostDays)).WithHint("`" + commands.Prompt + " stats` counts the deploys of a longer time.").WithExample("stats since " + word)
	}
	return from, to, nil
}

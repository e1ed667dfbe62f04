package oncall

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A subscription is a feed that somebody has the address of; its key is the hash of the
// token in that address.
type subscription struct {
	Person   string    `json:"person"`             // whose it is
	Schedule string    `json:"schedule,omitempty"` // all of one schedule; "" is the person's own shifts
	Made     time.Time `json:"made"`
}

func subscriptions(tx *store.Tx) *store.Records[subscription] {
	return store.Feature[subscription](tx, "oncall feed")
}

const feedPath = "/oncall/"

func (f *Rota) calendarVerb() commands.Verb {
	return commands.Verb{
		Name: "oncall calendar", Summary: "Get the address of a calendar with your shifts, or with all of a schedule", Effect: commands.Changes, Right: commands.RightRead,
		Args: []commands.Arg{scheduleArg}, Examples: []string{"oncall calendar"},
		Detail: "Whoever has the address reads the calendar, so it is told to you alone, and once. Asked for again it is another one, and the old one ends.",
		Decide: func(ctx context.Context, c *commands.Call) (commands.Act, error) {
			if f.URL == "" {
				return nil, commands.Refuse("no_url", "Calendars cannot reach me: my configuration names no public_url.").WithExample("oncall mine")
			}
			a, token := f.asked(ctx, c), newFeedToken()
			return func(tx *store.Tx) (commands.Reply, error) { return f.subscribe(tx, a, token) }, nil
		},
	}
}

func (f *Rota) subscribe(tx *store.Tx, a asked, token string) (commands.Reply, error) {
	s := subscription{Person: a.Who.Name, Schedule: a.Arg("schedule"), Made: a.now}
	var old []string
	err := subscriptions(tx).Each("", func(k string, o subscription) error {
		if o.Person == s.Person && o.Schedule == s.Schedule {
			old = append(old, k)
		}
		return nil
	})
	for _, k := range old {
		if err == nil {
			err = subscriptions(tx).Delete(k)
		}
	}
	if err == nil {
		err = subscriptions(tx).Put(hashFeedToken(token), s)
	}
	if err != nil {
		return commands.Reply{}, err
	}
	what := "your shifts"
	if s.Schedule != "" {
		what = "the shifts of " + s.Schedule
	}
	address := strings.TrimRight(f.URL, "/") + feedPath + token + ".ics"
	text := fmt.Sprintf("📅 A calendar with %s: subscribe to this address in your calendar. Keep it to yourself.", what)
	m := &integrations.Message{Text: text + "\n" + address, Blocks: []integrations.Block{{Text: integrations.R(text)}, {Text: integrations.R(integrations.Code(address))}}}
	if len(old) > 0 {
		m.Text += "\nThe address that you had before has ended."
		m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R("The address that you had before has ended.")})
	}
	return commands.Reply{Private: m, Subject: s.Schedule}, nil
}

// serveFeed answers whoever has the address of a feed. An address that is none says
// nothing else.
func (f *Rota) serveFeed(w http.ResponseWriter, r *http.Request) {
	token, ok := strings.CutSuffix(r.PathValue("token"), ".ics")
	if !ok {
		http.NotFound(w, r)
		return
	}
	var body []byte
	var etag string
	err := f.Store.View(func(tx *store.Tx) error {
		s, found, err := subscriptions(tx).Get(hashFeedToken(token))
		if err != nil || !found {
			return err
		}
		all, err := f.feedOf(tx, s)
		if err == nil {
			body, etag, err = all.render()
		}
		return err
	})
	switch {
	case err != nil:
		f.Log.Error("a calendar cannot be written", "error", err)
		http.Error(w, "the calendar cannot be written now; ask again later", http.StatusServiceUnavailable)
	case body == nil:
		http.NotFound(w, r)
	default:
		w.Header().Set("Content-Type", feedType)
		w.Header().Set("Cache-Control", "private, max-age=300")
		w.Header().Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write(body) // whoever asked has gone
	}
}

// toAlone is a surface that somebody alone sees.
func (f *Rota) toAlone(name string) *store.Surface {
	return &store.Surface{Place: "slack.private", Where: map[string]string{"user": person(f.Catalog(), name).Slack}}
}

// feedOf is the feed of a subscription as all is now.
func (f *Rota) feedOf(tx *store.Tx, s subscription) (feed, error) {
	out := feed{alarm: true, now: f.Clock.Now(), origin: f.URL}
	var err error
	if out.language, err = f.Language(tx, f.toAlone(s.Person)); err != nil {
		return out, err
	}
	if s.Schedule == "" {
		out.person = s.Person
	} else {
		out.alarm, out.gaps = false, true
	}
	for _, one := range f.Config().Schedules {
		if s.Schedule != "" && one.Name != s.Schedule {
			continue
		}
		from, to := feedSpan(out.now, one.zone())
		all, err := overridesOf(tx, one.Name)
		if err != nil {
			return out, err
		}
		shifts, err := f.with(tx, one, all, from, to)
		if err != nil {
			return out, err
		}
		add := feedSchedule{name: one.Name, zone: one.zone(), shifts: shifts}
		for _, o := range all {
			if o.Made.After(add.changed) {
				add.changed = o.Made
			}
		}
		out.schedules = append(out.schedules, add)
	}
	return out, nil
}

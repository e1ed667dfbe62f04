package statuspage

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

var (
	impactFlag     = commands.Arg{Name: "impact", Kind: commands.ArgWord, Optional: true, Choices: integrations.PageImpacts, Help: "how bad it is; worked out by the page where nothing is said"}
	componentsFlag = commands.Arg{Name: "components", Kind: commands.ArgWord, Optional: true, Help: "web, api; or each with its own state: web=partial_outage"}
	eachFlag       = commands.Arg{Name: "component-status", Kind: commands.ArgWord, Optional: true, Choices: integrations.ComponentStatuses, Help: "the state of those components"}
	incidentArg    = commands.Arg{Name: "incident", Kind: commands.ArgWord, Help: "its id on the status page; /ops statuspage shows those that are open"}
	messageArg     = commands.Arg{Name: "message", Kind: commands.ArgText, Help: "what customers read"}
)

const askFirst = "It shows what customers will read, and asks. Nothing is posted before that is confirmed, and subscribers are written to only where that has its own confirmation."

func (f *feature) openVerb() commands.Verb {
	return commands.Verb{
		Name: "statuspage open", Summary: "Tell customers of an incident on the status page", Effect: commands.Changes, Right: right,
		Args: []commands.Arg{{Name: "title", Kind: commands.ArgText, Help: "a few words; in quotes where it is typed"}, messageArg},
		Flags: []commands.Arg{impactFlag,
			{Name: "status", Kind: commands.ArgWord, Optional: true, Choices: []string{integrations.PageInvestigating, integrations.PageIdentified, integrations.PageMonitoring}, Help: "investigating where nothing is said"},
			componentsFlag, eachFlag,
			{Name: "about", Kind: commands.ArgWord, Optional: true, Help: "the incident here that it is about, incident-3: once that is over, its message proposes the end of this one"}},
		Examples: []string{`statuspage open "Checkout is slow" We are looking into it.`, `statuspage open "Checkout is down" --impact major --components web,api --component-status major_outage We are looking into it.`},
		Detail:   askFirst,
		Decide: f.asking(func(c *commands.Call) request {
			return request{Act: actOpen, Title: oneLine(c.Arg("title")), Status: c.Arg("status"), About: c.Arg("about")}
		}),
	}
}

func (f *feature) updateVerb() commands.Verb {
	return commands.Verb{
		Name: "statuspage update", Summary: "Tell customers more of an incident on the status page", Effect: commands.Changes, Right: right,
		Args: []commands.Arg{incidentArg,
			{Name: "status", Kind: commands.ArgWord, Choices: []string{integrations.PageInvestigating, integrations.PageIdentified, integrations.PageMonitoring, integrations.PageResolved}, Help: "how far it is"},
			messageArg},
		Flags:    []commands.Arg{impactFlag, componentsFlag, eachFlag},
		Examples: []string{"statuspage update p31zjtct2jer identified We have found the cause, and are mending it."},
		Detail:   askFirst,
		Decide:   f.asking(func(c *commands.Call) request { return request{Act: actUpdate, Status: c.Arg("status")} }),
	}
}

func (f *feature) resolveVerb() commands.Verb {
	return commands.Verb{
		Name: "statuspage resolve", Summary: "Tell customers that an incident on the status page is over", Effect: commands.Changes, Right: right,
		Args:     []commands.Arg{incidentArg, messageArg},
		Flags:    []commands.Arg{{Name: "components", Kind: commands.ArgWord, Optional: true, Help: "those of the incident become operational; or web=degraded_performance, or none"}, eachFlag},
		Examples: []string{"statuspage resolve p31zjtct2jer All is well again."},
		Detail:   askFirst,
		Decide:   f.asking(func(*commands.Call) request { return request{Act: actUpdate, Status: integrations.PageResolved} }),
	}
}

func (f *feature) componentVerb() commands.Verb {
	return commands.Verb{
		Name: "statuspage component", Summary: "Change the state of a component of the status page", Effect: commands.Changes, Right: right,
		Args:     []commands.Arg{{Name: "name", Kind: commands.ArgWord, Help: "as the status page calls it, in quotes where it has spaces; or group/name"}, {Name: "status", Kind: commands.ArgWord, Choices: integrations.ComponentStatuses, Help: "its state"}},
		Examples: []string{"statuspage component web degraded_performance"},
		Detail:   askFirst,
		Decide: f.asking(func(c *commands.Call) request {
			return request{Act: actComponent, Components: c.Arg("name"), Each: c.Arg("status")}
		}),
	}
}

// oneLine is a text of a form, which may have several.
func oneLine(text string) string {
	return strings.TrimSpace(strings.NewReplacer("\r\n", " ", "\n", " ").Replace(text))
}

// asking is the decision of a verb that shows what it would post, and asks.
func (f *feature) asking(of func(c *commands.Call) request) func(context.Context, *commands.Call) (commands.Act, error) {
	return func(ctx context.Context, c *commands.Call) (commands.Act, error) {
		if err := f.paged(); err != nil {
			return nil, err
		}
		r := of(c)
		if r.Act != actComponent {
			r.Incident, r.Body, r.Impact = c.Arg("incident"), strings.TrimSpace(c.Arg("message")), c.Arg("impact")
			r.Components, r.Each = strings.TrimSpace(c.Arg("components")), c.Arg("component-status")
		}
		now := f.Clock.Now()
		p, err := f.plan(ctx, r)
		if err != nil {
			return nil, err
		}
		return func(tx *store.Tx) (commands.Reply, error) {
			id, err := tx.NextID("notice")
			if err != nil {
				return commands.Reply{}, err
			}
			n := &Notice{ID: id, Ask: r, Plan: p, Planned: now, Shown: tx.Now(), By: gate.ToStore(c.Who), Room: f.room(c), State: stateAsking, Since: tx.Now()}
			if err := put(tx, n); err != nil {
				return commands.Reply{}, err
			}
			s := store.Surface{ID: tell.ID(placeMessage, id), Place: placeMessage, Card: cardNotice, Subject: id, Where: map[string]string{"channel": n.Room}}
			if c.Heard.Thread != "" && n.Room == c.Heard.Channel {
				s.Where["thread"] = c.Heard.Thread
			}
			return commands.Reply{Subject: id}, tell.Open(tx, s)
		}, nil
	}
}

// room is the channel where a notice is shown: where it was asked for, if others see it.
func (f *feature) room(c *commands.Call) string {
	if !c.Heard.Private && !c.Heard.App && c.Heard.Channel != "" {
		return c.Heard.Channel
	}
	if room := f.home(); room != "" {
		return room
	}
	for _, e := range c.Catalog.Environments {
		if len(e.Channels) > 0 {
			return f.Channel(strings.TrimPrefix(e.Channels[0], "#"))
		}
	}
	return c.Heard.Channel
}

// home is the channel of the configuration; "" is none.
func (f *feature) home() string {
	if f.Room == "" {
		return ""
	}
	return f.Channel(strings.TrimPrefix(f.Room, "#"))
}

var noticeArg = []commands.Arg{{Name: "notice", Kind: commands.ArgWord, Help: "notice-3"}}

func (f *feature) confirmVerb() commands.Verb {
	return commands.Verb{
		Name: "statuspage confirm", Summary: "Post what was shown, and write to no subscriber", Effect: commands.Changes, Right: right, Hidden: true,
		Args: noticeArg, Examples: []string{"statuspage confirm notice-3"}, Decide: f.confirming(false),
	}
}

func (f *feature) notifyVerb() commands.Verb {
	return commands.Verb{
		Name: "statuspage notify", Summary: "Post what was shown, and have the page write to all its subscribers", Effect: commands.Changes, Right: right, Hidden: true,
		Args: noticeArg, Examples: []string{"statuspage notify notice-3"}, Decide: f.confirming(true),
	}
}

func unknownNotice(typed string) error {
	return commands.Refuse("unknown_notice", fmt.Sprintf("Nothing that was to be posted is called “%s”.", typed)).WithExample("statuspage")
}

// confirming is the decision of the buttons. What they confirm is what was shown: the page
// is read again, and where something is other than it was shown, it is asked again.
func (f *feature) confirming(notify bool) func(context.Context, *commands.Call) (commands.Act, error) {
	return func(ctx context.Context, c *commands.Call) (commands.Act, error) {
		if err := f.paged(); err != nil {
			return nil, err
		}
		var n Notice
		var found bool
		err := f.Store.View(func(tx *store.Tx) (err error) { n, found, err = notices(tx).Get(c.Arg("notice")); return err })
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, unknownNotice(c.Arg("notice"))
		}
		if n.State != stateAsking && n.State != stateFailed {
			return nil, notAsking(&n)
		}
		now := f.Clock.Now()
		p, err := f.plan(ctx, n.Ask)
		if err != nil {
			return nil, err
		}
		return func(tx *store.Tx) (commands.Reply, error) {
			n, _, err := notices(tx).Get(n.ID)
			if err != nil {
				return commands.Reply{}, err
			}
			if n.State != stateAsking && n.State != stateFailed {
				return commands.Reply{}, notAsking(&n)
			}
			was := n.Plan.digest()
			seen := c.Version == was
			n.Planned = now
			switch {
			case n.State == stateFailed:
				return f.askAgain(tx, &n, p, "It was not posted: look at it again.")
			case seen && tx.Now().Sub(n.Shown) > confirmFor:
				return f.askAgain(tx, &n, p, "It was shown more than five minutes ago: look at it again.")
			case p.digest() != was:
				return f.askAgain(tx, &n, p, "The page has changed meanwhile: look at it again.")
			case !seen:
				return f.askAgain(tx, &n, p, "That button was not drawn for what is shown now: look at it again.")
			}
			return f.send(tx, c, &n, notify)
		}, nil
	}
}

func notAsking(n *Notice) error {
	what := map[string]string{stateSending: "it is being posted", statePosted: "it is posted", stateCancelled: "it was cancelled", stateUnknown: "nobody can tell whether it was posted: look at the page"}[n.State]
	return commands.Refuse("over", fmt.Sprintf("%s cannot be confirmed: %s.", n.ID, what)).WithExample("statuspage")
}

// askAgain shows a new plan, and says why.
func (f *feature) askAgain(tx *store.Tx, n *Notice, p plan, note string) (commands.Reply, error) {
	n.State, n.Since, n.Plan, n.Shown, n.Old, n.Note, n.Why = stateAsking, tx.Now(), p, tx.Now(), false, note, ""
	n.Notify, n.Nonce, n.Tried, n.At, n.Confirmed = false, "", time.Time{}, time.Time{}, store.Person{}
	return commands.Reply{Subject: n.ID, Private: say(note), Outcome: "asks again"}, put(tx, n)
}

// send begins to post a notice: from here on it is the job's.
func (f *feature) send(tx *store.Tx, c *commands.Call, n *Notice, notify bool) (commands.Reply, error) {
	n.State, n.Since, n.Note, n.Why = stateSending, tx.Now(), "", ""
	n.Confirmed, n.At, n.Notify = gate.ToStore(c.Who), tx.Now(), notify && acts()[n.Ask.Act].tells
	n.Turn++
	n.Nonce = fmt.Sprintf("%s-%x-%d-%d", n.ID, n.Plan.digest(), n.Turn, tx.Now().UnixNano())
	outcome := "confirmed, subscribers are not notified"
	if n.Notify {
		outcome = "confirmed, subscribers are notified"
	}
	reply := commands.Reply{Subject: n.ID, Outcome: outcome}
	return reply, errors.Join(put(tx, n), begin(tx, n))
}

func (f *feature) cancelVerb() commands.Verb {
	return commands.Verb{
		Name: "statuspage cancel", Summary: "Leave what was shown unposted", Effect: commands.Changes, Right: right, Hidden: true,
		Args: noticeArg, Examples: []string{"statuspage cancel notice-3"},
		Decide: func(_ context.Context, c *commands.Call) (commands.Act, error) {
			return func(tx *store.Tx) (commands.Reply, error) {
				n, found, err := notices(tx).Get(c.Arg("notice"))
				if err != nil {
					return commands.Reply{}, err
				}
				if !found {
					return commands.Reply{}, unknownNotice(c.Arg("notice"))
				}
				if n.State != stateAsking && !(n.State == stateSending && n.Tried.IsZero()) {
					return commands.Reply{Subject: n.ID}, notCancelled(&n)
				}
				n.State, n.Since, n.Why, n.Note = stateCancelled, tx.Now(), "", ""
				n.Confirmed = gate.ToStore(c.Who)
				return commands.Reply{Subject: n.ID}, put(tx, &n)
			}, nil
		},
	}
}

func notCancelled(n *Notice) error {
	what := map[string]string{stateSending: "it is being posted", statePosted: "it is posted", stateCancelled: "it was cancelled", stateFailed: "it was not posted", stateUnknown: "nobody can tell whether it was posted: look at the page"}[n.State]
	return commands.Refuse("over", fmt.Sprintf("%s cannot be cancelled: %s.", n.ID, what)).WithExample("statuspage")
}

func say(text string) *integrations.Message { return &integrations.Message{Text: text} }

package joining

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// deviceFeature keeps the codes that somebody has been shown, by their id.
const deviceFeature = "joining.device"

// A device is a code on its way. Code is what we ask GitHub with; it is forgotten
// as soon as there is an end.
type device struct {
	ID       string        `json:"id"` // "link-3"
	Slack    string        `json:"slack"`
	Name     string        `json:"name"`
	Want     string        `json:"want,omitempty"` // the login that was typed
	Room     string        `json:"room,omitempty"` // where everybody is told
	Code     string        `json:"code,omitempty"`
	User     string        `json:"user"`
	URL      string        `json:"url"`
	Interval time.Duration `json:"interval"`
	Ends     time.Time     `json:"ends"`
	State    string        `json:"state"`
	Login    string        `json:"login,omitempty"`
	Why      string        `json:"why,omitempty"`
}

// The states of a device.
const (
	devicePending = "pending"
	deviceLinked  = "linked"
	deviceOver    = "over" // Why says how
)

func devices(tx *store.Tx) *store.Records[device] { return store.Feature[device](tx, deviceFeature) }

// beginDevice asks GitHub for a code and shows it to one person, in a message that
// can be edited when they are done.
func (f *feature) beginDevice(ctx context.Context, c *commands.Call, want string) (commands.Act, error) {
	if want != "" {
		if err := f.Store.View(func(tx *store.Tx) error { return free(tx, c.Catalog, c.Heard.User, want) }); err != nil {
			return nil, err
		}
	}
	code, err := f.Forge.DeviceCode(ctx)
	if err != nil {
		return nil, err
	}
	return func(tx *store.Tx) (commands.Reply, error) {
		if err := f.endDevices(tx, c.Heard.User, "You asked for a newer one."); err != nil {
			return commands.Reply{}, err
		}
		id, err := tx.NextID("link")
		if err != nil {
			return commands.Reply{}, err
		}
		now := f.Clock.Now()
		d := device{ID: id, Slack: c.Heard.User, Name: c.Heard.UserName, Want: want, Room: f.room(&c.Heard), Code: code.Code.Reveal(), User: code.User, URL: code.URL,
			Interval: code.Interval, Ends: now.Add(code.Life), State: devicePending}
		if p := c.Who; p.Linked() {
			d.Name = p.Name
		}
		if err := devices(tx).Put(id, d); err != nil {
			return commands.Reply{}, err
		}
		j := &store.Job{Key: "device|" + id, Kind: kindDevice, Requester: store.Person{Name: c.Who.Name, Slack: d.Slack}, State: store.JobQueued, Created: now, NotBefore: now.Add(code.Interval)}
		if _, _, err := tx.InsertJob(j); err != nil {
			return commands.Reply{}, err
		}
		reply := commands.Reply{Subject: id}
		if !c.Heard.Private {
			reply.Private = say("I have sent you a direct message with a code for GitHub.")
		}
		return reply, tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, id), Place: placeMessage, Card: cardDevice, Subject: id, Where: map[string]string{"channel": d.Slack}})
	}, nil
}

// endDevices ends the codes that somebody has been shown before.
func (f *feature) endDevices(tx *store.Tx, slack, why string) error {
	var old []device
	err := devices(tx).Each("", func(_ string, d device) error {
		if d.Slack == slack && d.State == devicePending {
			old = append(old, d)
		}
		return nil
	})
	for _, d := range old {
		err = errors.Join(err, f.endDevice(tx, d.ID, deviceOver, why))
	}
	return err
}

func (f *feature) endDevice(tx *store.Tx, id, state, why string) error {
	d, found, err := devices(tx).Get(id)
	if err != nil || !found || d.State != devicePending {
		return err
	}
	d.State, d.Why, d.Code = state, why, ""
	if err := devices(tx).Put(id, d); err != nil {
		return err
	}
	return tell.Mark(tx, id, true)
}

// device asks GitHub once whether the code was typed. It comes round as often as
// GitHub allows, until there is an end.
func (f *feature) device(ctx context.Context, r *runner.Run) runner.End {
	id := strings.TrimPrefix(r.Job.Key, "device|")
	var d device
	err := f.Store.View(func(tx *store.Tx) (err error) {
		d, _, err = devices(tx).Get(id)
		return err
	})
	switch {
	case err != nil:
		return runner.Failed(err)
	case d.State != devicePending:
		return runner.End{State: store.JobNoop}
	case !f.Clock.Now().Before(d.Ends):
		return f.deviceEnds(d, "The code has expired: nobody typed it in time.")
	}
	a, err := f.Forge.DeviceAccount(ctx, integrations.NewSecret(d.Code))
	var later *integrations.Later
	switch {
	case err == nil:
		return f.deviceShown(ctx, d, a)
	case errors.Is(err, integrations.ErrPending):
		return runner.End{State: store.JobQueued, After: d.Interval}
	case errors.As(err, &later):
		d.Interval = max(d.Interval, later.After)
		return runner.End{State: store.JobQueued, After: d.Interval, Save: func(tx *store.Tx, _ *store.Job) error {
			now, found, err := devices(tx).Get(d.ID)
			if err != nil || !found || now.State != devicePending {
				return err
			}
			now.Interval = d.Interval
			return devices(tx).Put(d.ID, now)
		}}
	case errors.Is(err, integrations.ErrDenied):
		return f.deviceEnds(d, "You said no on GitHub.")
	case errors.Is(err, integrations.ErrExpired):
		return f.deviceEnds(d, "The code has expired: nobody typed it in time.") // GitHub may say so before our own clock does
	}
	f.Log.Warn("ask GitHub about a device code", "link", d.ID, "error", err)
	return runner.End{State: store.JobQueued, Why: "GitHub did not answer as it should", After: 2 * d.Interval}
}

func (f *feature) deviceEnds(d device, why string) runner.End {
	return runner.End{State: store.JobNoop, Save: func(tx *store.Tx, _ *store.Job) error { return f.endDevice(tx, d.ID, deviceOver, why) }}
}

// deviceShown links whoever was shown the code with the account that approved it.
func (f *feature) deviceShown(ctx context.Context, d device, a integrations.Account) runner.End {
	why := ""
	var refused *commands.Refusal
	switch err := f.usable(ctx, a); {
	case errors.As(err, &refused):
		why = refused.What
	case err != nil: // the token is gone: GitHub does not tell twice
		why = "GitHub did not answer: " + err.Error()
	case d.Want != "" && !strings.EqualFold(d.Want, a.Login):
		why = fmt.Sprintf("The code was approved as %s, and you asked to be linked with %s.", a.Login, d.Want)
	}
	if why != "" {
		return f.deviceEnds(d, why)
	}
	return runner.End{State: store.JobSucceeded, Save: func(tx *store.Tx, _ *store.Job) error {
		now, found, err := devices(tx).Get(d.ID)
		if err != nil || !found || now.State != devicePending {
			return err
		}
		var refused *commands.Refusal
		if err := free(tx, f.Catalog(), d.Slack, a.Login); errors.As(err, &refused) {
			return f.endDevice(tx, d.ID, deviceOver, refused.Error())
		} else if err != nil {
			return err
		}
		now.State, now.Login, now.Code = deviceLinked, a.Login, ""
		l := Link{Slack: d.Slack, Name: d.Name, Login: a.Login, ID: a.ID, How: howDevice, Linked: f.Clock.Now()}
		if err := errors.Join(devices(tx).Put(d.ID, now), f.putLink(tx, l), f.announce(tx, l, d.Room)); err != nil {
			return err
		}
		return tell.Mark(tx, d.ID, true)
	}}
}

// deviceCard is the direct message: the code, and then what became of it.
func (f *feature) deviceCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	d, found, err := devices(tx).Get(s.Subject)
	if err != nil || !found {
		return integrations.Message{Hold: true}, err
	}
	again := integrations.Button{Label: "Again", Command: "link"}
	switch d.State {
	case deviceLinked:
		return *say(fmt.Sprintf("✅ You are %s on GitHub. What you merge and review there counts as yours.", d.Login), integrations.Button{Label: "Who am I", Command: "whoami"}), nil
	case deviceOver:
		return *say("You were not linked. "+d.Why, again), nil
	}
	return integrations.Message{
		Text: fmt.Sprintf("Type the code %s at %s within 15 minutes.", d.User, d.URL),
		Blocks: []integrations.Block{
			{Text: integrations.R("Type this code on GitHub within 15 minutes, and see that it asks for nothing but who you are:")},
			{Text: integrations.R(integrations.Bold(d.User))},
			{Context: integrations.R("Never type a code that somebody else sent you.")},
			{Buttons: []integrations.Button{{Label: "Open GitHub", URL: d.URL, Style: "primary"}}},
		},
	}, nil
}

package drain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

func (f *feature) drainVerb() commands.Verb {
	return commands.Verb{
		Name: "drain", Summary: "Take an instance out, with its logs shipped, and end it", Effect: commands.Changes,
		Args: []commands.Arg{{Name: "instance", Kind: commands.ArgWord, Help: "its id or name, or role=app for all of a role, one at a time"}},
		Flags: []commands.Arg{
			{Name: "keep", Kind: commands.ArgBool, Optional: true, Help: "take it out, and keep it"},
			{Name: "terminate", Kind: commands.ArgBool, Optional: true, Help: "end it, which is what is done unless you say --keep"},
			{Name: "reason", Kind: commands.ArgText, Optional: true, Help: "why"},
		},
		Examples: []string{"drain web-3", "drain i-0abc1234 --keep", `drain role=app --reason "a new image"`},
		Detail:   "It shows what would happen and asks. Nothing is changed before that is confirmed, and everything can be taken back until the instance is being terminated.",
		Decide:   f.drain,
	}
}

// drain plans: it changes nothing but the store.
func (f *feature) drain(ctx context.Context, c *commands.Call) (commands.Act, error) {
	if err := f.clouded(); err != nil {
		return nil, err
	}
	if c.Arg("keep") != "" && c.Arg("terminate") != "" {
		return nil, commands.Refuse("both", "It cannot be kept and terminated.").WithExample("drain " + c.Arg("instance") + " --keep")
	}
	if role, ok := roleOf(c.Arg("instance")); ok {
		return f.drainRole(ctx, c, role)
	}
	at, err := f.one(ctx, c.Arg("instance"))
	if err != nil {
		return nil, err
	}
	m, err := f.Cloud.Machine(ctx, at.Site, at.ID)
	if err != nil {
		return nil, f.unread(at.ID, err)
	}
	here := f.here(ctx)
	return func(tx *store.Tx) (commands.Reply, error) {
		d := f.planned(c, m)
		q, err := f.question(tx, d, m, here)
		if err != nil {
			return commands.Reply{}, err
		}
		d.Plan = plan(q)
		reply := commands.Reply{}
		if len(d.Plan.Closed) > 0 {
			reply.Outcome = "refused"
			reply.Private = refusal(d)
			return reply, nil
		}
		err = propose(tx, d)
		reply.Subject = d.ID
		return reply, err
	}, nil
}

// planned is a drain that nobody confirmed yet.
func (f *feature) planned(c *commands.Call, m integrations.Machine) *Drain {
	role, _ := f.Config().Role(m.Role)
	return &Drain{At: m.Site, Instance: m.ID, Name: m.Name, Role: m.Role, Zone: m.Zone, Group: m.Instance.Group, Keep: c.Arg("keep") != "",
		Reason: c.Arg("reason"), By: gate.ToStore(c.Who), Room: f.room(c), State: statePlanned, Connections: -1, Bytes: -1, Seats: seats(m), Now: unasked(m, role)}
}

func (f *feature) question(tx *store.Tx, d *Drain, m integrations.Machine, here Here) (Question, error) {
	others, err := othersOf(tx, d)
	cfg := f.Config()
	role, _ := cfg.Role(m.Role)
	return Question{Machine: m, Role: role, Config: cfg, Here: here, Others: others, Keep: d.Keep, Shrink: d.Shrink}, err
}

// room is the channel where a drain is shown.
func (f *feature) room(c *commands.Call) string {
	if ch := f.Config().Channel; ch != "" {
		return f.Channel(strings.TrimPrefix(ch, "#"))
	}
	if c.Heard.Private || c.Heard.App || c.Heard.Channel == "" {
		for _, e := range c.Catalog.Environments {
			if len(e.Channels) > 0 {
				return f.Channel(strings.TrimPrefix(e.Channels[0], "#"))
			}
		}
	}
	return c.Heard.Channel
}

func openCard(tx *store.Tx, card, subject, room string) error {
	return tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, subject), Place: placeMessage, Card: card, Subject: subject, Where: map[string]string{"channel": room}})
}

// refusal says which guards are closed, with the numbers.
func refusal(d *Drain) *integrations.Message {
	head := "Nothing was done: " + d.machine() + " cannot be drained now."
	m := &integrations.Message{Text: head, Blocks: []integrations.Block{{Text: integrations.R("✋ ", integrations.Bold(head))}}}
	for _, c := range d.Plan.Closed {
		m.Text += " " + c.String()
		line := integrations.R(integrations.Bold(c.Guard), ": ", c.Why, ".")
		if c.Opens != "" {
			line = append(line, integrations.R(" ", c.Opens, ".")...)
		}
		m.Blocks = append(m.Blocks, integrations.Block{Text: line})
	}
	return m
}

func (f *feature) clouded() error {
	if f.Cloud != nil {
		return nil
	}
	return commands.Refuse("no_cloud", "No account with instances is configured.").WithHint("Whoever keeps the configuration adds `aws` and `drain`; docs/aws.md shows how.").WithExample("help drain")
}

// unread is the answer when the cloud cannot be read.
func (f *feature) unread(what string, err error) error {
	f.Log.Warn("read instances", "what", what, "error", err)
	return commands.Refuse("unread", fmt.Sprintf("%s cannot be read now: “%v”.", what, err)).WithHint("Nothing was done.").WithExample("instances")
}

// roleOf reads "role=app".
func roleOf(word string) (string, bool) { return strings.CutPrefix(word, "role=") }

// one finds an instance by what somebody typed.
func (f *feature) one(ctx context.Context, typed string) (integrations.Instance, error) {
	all, err := f.Cloud.Find(ctx, typed)
	if err != nil {
		return integrations.Instance{}, f.unread(typed, err)
	}
	switch len(all) {
	case 1:
		return all[0], nil
	case 0:
		no := commands.Refuse("unknown_instance", fmt.Sprintf("No instance is called “%s”.", typed)).WithExample("instances")
		if near := f.near(ctx, typed); len(near) > 0 {
			no = no.WithHint("There are " + strings.Join(near, ", ") + ".")
		}
		return integrations.Instance{}, no
	}
	var ids []string
	for _, i := range all {
		ids = append(ids, fmt.Sprintf("%s (%s, %s)", i.ID, i.Site, i.State))
	}
	return integrations.Instance{}, commands.Refuse("several_instances", fmt.Sprintf("%d instances are called “%s”: %s.", len(all), typed, strings.Join(ids, "; "))).
		WithHint("Say which by its id.").WithExample("drain " + all[0].ID)
}

const mostNear = 8

// near names some that there are; whoever cannot be helped with that is not told why.
func (f *feature) near(ctx context.Context, typed string) (out []string) {
	all, err := f.Cloud.Instances(ctx, f.Config().Names()...)
	if err != nil {
		f.Log.Warn("list instances", "error", err)
		return nil
	}
	for _, i := range all {
		if i.Name != "" {
			out = append(out, i.Name)
		}
	}
	slices.Sort(out) // several accounts may have one of a name
	out = slices.Compact(out)
	slices.SortStableFunc(out, func(a, b string) int { return distance(a, typed) - distance(b, typed) })
	return out[:min(len(out), mostNear)]
}

func (f *feature) drainRole(ctx context.Context, c *commands.Call, name string) (commands.Act, error) {
	cfg := f.Config()
	role, ok := cfg.Role(name)
	if !ok {
		_, opens := guardRole(Question{Config: cfg})
		return nil, commands.Refuse("unknown_role", fmt.Sprintf("The role “%s” is not one that may be drained.", name)).WithHint(opens + ".").WithExample("instances")
	}
	if c.Arg("keep") != "" {
		return nil, commands.Refuse("keep_role", "All of a role cannot be taken out and kept: who would do its work?").WithExample("drain role=" + name)
	}
	all, err := f.Cloud.Instances(ctx, role.Name)
	if err != nil {
		return nil, f.unread("role="+name, err)
	}
	all = slices.DeleteFunc(all, func(i integrations.Instance) bool { return i.State != integrations.InstanceRunning })
	if len(all) == 0 {
		return nil, commands.Refuse("nobody", fmt.Sprintf("No instance of the role %s runs.", name)).WithExample("instances")
	}
	// The oldest first, as a group would: they have the oldest image.
	slices.SortFunc(all, func(a, b integrations.Instance) int {
		return cmpOr(a.Launched.Compare(b.Launched), naturally(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	m, err := f.Cloud.Machine(ctx, all[0].Site, all[0].ID)
	if err != nil {
		return nil, f.unread(all[0].ID, err)
	}
	here := f.here(ctx)
	return func(tx *store.Tx) (commands.Reply, error) {
		first := f.planned(c, m)
		q, err := f.question(tx, first, m, here)
		if err != nil {
			return commands.Reply{}, err
		}
		first.Plan = plan(q)
		if len(first.Plan.Closed) > 0 {
			return commands.Reply{Outcome: "refused", Private: refusal(first)}, nil
		}
		r := &Roll{Role: name, Reason: c.Arg("reason"), By: gate.ToStore(c.Who), Room: f.room(c), Asked: tx.Now(), Until: tx.Now().Add(confirmFor), Plan: first.Plan, Of: len(all)}
		for _, i := range all {
			r.Left = append(r.Left, Chosen{At: i.Site, ID: i.ID, Name: i.Name, Zone: i.Zone, Group: i.Group})
		}
		r.Digest = rollDigest(r)
		if r.ID, err = tx.NextID("roll"); err != nil {
			return commands.Reply{}, err
		}
		reply := commands.Reply{Subject: r.ID}
		if err := putRoll(tx, r); err != nil {
			return reply, err
		}
		return reply, openCard(tx, cardRoll, r.ID, r.Room)
	}, nil
}

// rollDigest is of the instances of a role and what happens to each.
func rollDigest(r *Roll) string {
	var ids []string
	for _, c := range r.Left {
		ids = append(ids, c.ID)
	}
	return r.Plan.Digest(strings.Join(ids, " "))
}

var errNobody = errors.New("no drain")

// find reads the drain that somebody means: by its id, or by its instance, the newest.
func find(tx *store.Tx, typed string) (*Drain, error) {
	if d, found, err := drains(tx).Get(typed); err != nil || found {
		return &d, err
	}
	all, err := list(tx, func(d *Drain) bool { return !d.over() && (d.Instance == typed || d.Name == typed) })
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, errNobody
	}
	return slices.MaxFunc(all, func(a, b *Drain) int { return a.Asked.Compare(b.Asked) }), nil
}

package incident

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// right is what the policy grants to those who may say something of incidents.
const right = "incident"

// decide makes a verb of what needs nothing but the store, besides whoever asks being
// known where the incident is kept.
func (f *feature) decide(do func(tx *store.Tx, c *commands.Call) (commands.Reply, error)) func(context.Context, *commands.Call) (commands.Act, error) {
	return func(ctx context.Context, c *commands.Call) (commands.Act, error) {
		if err := f.asWhom(ctx, c); err != nil {
			return nil, err
		}
		return func(tx *store.Tx) (commands.Reply, error) { return do(tx, c) }, nil
	}
}

func say(text string) *integrations.Message {
	return &integrations.Message{Text: text, Blocks: []integrations.Block{{Text: integrations.R(text)}}}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

var incidentArg = commands.Arg{Name: "incident", Kind: commands.ArgWord, Help: "its id, or the number of it"}

func (f *feature) actVerbs() []commands.Verb {
	one := func(v commands.Verb, do func(tx *store.Tx, c *commands.Call, i *Incident) (commands.Reply, error)) commands.Verb {
		v.Effect, v.Right, v.Args = commands.Changes, right, append([]commands.Arg{incidentArg}, v.Args...)
		v.Decide = f.decide(func(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
			i, err := f.find(tx, c, c.Arg("incident"))
			if err != nil {
				return commands.Reply{}, err
			}
			reply, err := do(tx, c, i)
			reply.Subject, reply.Service, reply.Environment = i.ID, i.Service, i.Environment
			return reply, err
		})
		return v
	}
	text := func(help string, optional bool) commands.Arg {
		return commands.Arg{Name: "text", Kind: commands.ArgText, Optional: optional, Help: help}
	}
	return []commands.Verb{
		{
			Name: "ack", Aliases: []string{"acknowledge"}, Summary: "Say that you look after an incident", Effect: commands.Changes, Right: right,
			Args:     []commands.Arg{{Name: "incident", Kind: commands.ArgWord, Optional: true, Help: "its id; `all`, or `mine` for those that you were called for; the one that is open unless said"}},
			Examples: []string{"ack incident-3", "ack", "ack mine"},
			Detail:   "Nobody else is called for it then. Whoever is first has it.",
			Decide:   f.decide(f.ackVerb),
		},
		one(commands.Verb{
			Name: "escalate", Summary: "Call whoever is next for an incident, now",
			Args: []commands.Arg{text("why", true)}, Examples: []string{"escalate incident-3 I cannot reach the database"},
		}, f.escalate),
		one(commands.Verb{
			Name: "reassign", Summary: "Give an incident to somebody, who is called",
			Args: []commands.Arg{{Name: "to", Kind: commands.ArgWord, Keyword: "to", Help: "a person or a schedule: @bob"}}, Examples: []string{"reassign incident-3 @bob"},
		}, f.reassign),
		one(commands.Verb{
			Name: "snooze", Summary: "Hear no more of an incident for a while",
			Args: []commands.Arg{{Name: "for", Kind: commands.ArgDuration, Keyword: "for", Help: "how long: 30m"}}, Examples: []string{"snooze incident-3 30m"},
			Detail: "It is yours until then. If it is still open at the end, it calls people again.",
		}, f.snooze),
		one(commands.Verb{
			Name: "note", Summary: "Write something down about an incident",
			Args: []commands.Arg{text("what", false)}, Examples: []string{"note incident-3 the second disk is being replaced"},
		}, f.noteDown),
		{
			Name: "page", Summary: "Call somebody now, whatever the time", Effect: commands.Changes, Right: right,
			Args:     []commands.Arg{{Name: "who", Kind: commands.ArgWord, Help: "a person, a schedule or a group: @bob, platform"}, {Name: "message", Kind: commands.ArgText, Help: "why"}},
			Examples: []string{`page @bob the payments queue does not move`},
			Detail:   "They get a direct message with Acknowledge, again every five minutes, three times in all.",
			Decide:   f.decide(f.page),
		},
		f.silenceVerb(), f.unsilenceVerb(), f.silencesVerb(),
	}
}

// find is the incident of an id, "3" or "incident-3".
func (f *feature) find(tx *store.Tx, c *commands.Call, typed string) (*Incident, error) {
	id := integrations.Fold(typed)
	if strings.Trim(id, "0123456789") == "" {
		id = "incident-" + id
	}
	i, found, err := records(tx).Get(id)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, commands.Refuse("unknown_incident", fmt.Sprintf("No incident is called “%s”.", typed)).WithExample("incidents")
	}
	return &i, commands.AllowAnywhere(c, right, i.Environment)
}

// stillOpen refuses what is over.
func (f *feature) stillOpen(i *Incident) error {
	if i.open() {
		return nil
	}
	who := i.OverName
	if i.OverBy != (store.Person{}) {
		who = gate.FromStore(i.OverBy).Display()
	}
	return commands.Refuse("over", fmt.Sprintf("%s is over already: %s said so %s ago.", i.ID, who, gate.Age(f.Clock.Now().Sub(i.Over))))
}

func (f *feature) ackVerb(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
	switch typed := c.Arg("incident"); typed {
	case "", "all", "mine":
		return f.ackSeveral(tx, c, typed)
	default:
		i, err := f.find(tx, c, typed)
		if err != nil {
			return commands.Reply{}, err
		}
		reply := commands.Reply{Subject: i.ID, Service: i.Service, Environment: i.Environment}
		if err := f.stillOpen(i); err != nil {
			return reply, err
		}
		if who := i.took(); who != "" {
			return reply, commands.Refuse("acknowledged", fmt.Sprintf("%s is %s's: acknowledged %s ago.", i.ID, who, gate.Age(f.Clock.Now().Sub(i.Acked)))).
				WithHint("To take it over, reassign it to yourself.").WithExample("reassign " + i.ID + " @" + c.Who.Name)
		}
		if err := f.ackOne(tx, c, i); err != nil {
			return reply, err
		}
		reply.Private = say(fmt.Sprintf("%s is yours.", i.ID))
		return reply, nil
	}
}

// ackOne gives an incident to whoever asks; of a storm, all that it stands for too.
func (f *feature) ackOne(tx *store.Tx, c *commands.Call, i *Incident) error {
	now, who := f.Clock.Now(), gate.ToStore(c.Who)
	if err := f.wantThere(tx, c, i, Wish{Act: actAck}); err != nil {
		return err
	}
	i.ack(now, who, "")
	if err := f.counted(tx, i, 0, 1); err != nil || i.Members == nil {
		if err != nil {
			return err
		}
		return put(tx, i, true)
	}
	members, err := membersOf(tx, i.ID)
	if err != nil {
		return err
	}
	for _, m := range members {
		if m.Acked.IsZero() {
			if err := f.wantThere(tx, c, m, Wish{Act: actAck}); err != nil {
				return err
			}
			m.ack(now, who, "")
			if err := put(tx, m, false); err != nil {
				return err
			}
		}
	}
	i.Members.Acked = i.Members.Open
	return put(tx, i, true)
}

// ackSeveral takes those that nobody has: the only one, all, or those that they were
// called for.
func (f *feature) ackSeveral(tx *store.Tx, c *commands.Call, which string) (commands.Reply, error) {
	all, err := openOnes(tx)
	if err != nil {
		return commands.Reply{}, err
	}
	var free []*Incident
	for _, i := range all {
		if i.Acked.IsZero() && i.Storm == "" && (which != "mine" || i.called(c.Who)) && commands.AllowAnywhere(c, right, i.Environment) == nil {
			free = append(free, i)
		}
	}
	switch {
	case len(free) == 0:
		return commands.Reply{}, commands.Refuse("none", "No incident waits for somebody.").WithExample("incidents")
	case which == "" && len(free) > 1:
		var ids []string
		for _, i := range free {
			ids = append(ids, i.ID)
		}
		return commands.Reply{}, commands.Refuse("several", fmt.Sprintf("Several wait for somebody: %s.", strings.Join(ids[:min(len(ids), 10)], ", "))).WithExample("ack " + ids[0])
	}
	var ids []string
	for _, i := range free {
		if err := f.ackOne(tx, c, i); err != nil {
			return commands.Reply{}, err
		}
		ids = append(ids, i.ID)
	}
	return commands.Reply{Private: say(fmt.Sprintf("Yours: %s.", strings.Join(ids, ", "))), Subject: ids[0]}, nil
}

// called says whether somebody was called for it, or has been given it.
func (i *Incident) called(p integrations.Person) bool {
	if gate.FromStore(i.Owner).Same(p) || i.calledThere(p) {
		return true
	}
	return i.Escalation != nil && slices.ContainsFunc(i.Escalation.Calls, func(c Called) bool { return slices.Contains(c.People, p.Display()) })
}

func (f *feature) resolve(tx *store.Tx, c *commands.Call, i *Incident) (commands.Reply, error) {
	if err := f.stillOpen(i); err != nil {
		return commands.Reply{}, err
	}
	now, who := f.Clock.Now(), gate.ToStore(c.Who)
	if text := strings.TrimSpace(c.Arg("text")); text != "" {
		i.note(Note{At: now, By: who, Text: text})
		if err := f.wantThere(tx, c, i, Wish{Act: actNote, Text: text}); err != nil {
			return commands.Reply{}, err
		}
	}
	if err := f.wantThere(tx, c, i, Wish{Act: actResolve}); err != nil {
		return commands.Reply{}, err
	}
	i.Over, i.OverBy = now, who
	members, err := membersOf(tx, i.ID)
	for _, m := range members {
		if err == nil {
			err = f.wantThere(tx, c, m, Wish{Act: actResolve})
		}
		if err == nil {
			err = records(tx).Put(m.ID, *m)
		}
	}
	if err := errors.Join(err, f.endMembers(tx, i)); err != nil {
		return commands.Reply{}, err
	}
	return commands.Reply{Private: say(fmt.Sprintf("%s is over.", i.ID))}, f.end(tx, i)
}

func (f *feature) escalate(tx *store.Tx, c *commands.Call, i *Incident) (commands.Reply, error) {
	if err := f.stillOpen(i); err != nil {
		return commands.Reply{}, err
	}
	if r := f.elsewhere(i); r != nil && i.Escalation == nil {
		return f.escalateThere(tx, c, i, r)
	}
	if was := i.Escalation; was == nil || len(was.Steps) == 0 { // nobody was to be called, or only by name
		if i.Escalation = f.frozen(i.Service, i.Environment, integrations.SeverityCritical); i.Escalation == nil {
			return commands.Reply{}, commands.Refuse("no_escalation", fmt.Sprintf("The configuration names nobody to call for %s.", i.ID)).
				WithHint("Call somebody by name.").WithExample("page @" + c.Who.Name + " " + i.Title)
		}
		if was != nil {
			i.Escalation.Calls = was.Calls
		}
	}
	i.Touched = f.Clock.Now()
	if i.Escalation.Over || i.Escalation.Next >= len(i.Escalation.Steps) && i.Escalation.Round >= i.Escalation.Repeat {
		i.Escalation.Over, i.Escalation.Next, i.Escalation.Round = false, 0, 0
	}
	if err := f.step(tx, i, c.Who.Display(), strings.TrimSpace(c.Arg("text"))); err != nil {
		return commands.Reply{}, err
	}
	return commands.Reply{Private: say(i.lastCall())}, put(tx, i, true)
}

func (f *feature) reassign(tx *store.Tx, c *commands.Call, i *Incident) (commands.Reply, error) {
	if err := f.stillOpen(i); err != nil {
		return commands.Reply{}, err
	}
	people, err := f.named(c, c.Arg("to"))
	if err != nil {
		return commands.Reply{}, err
	}
	now, to := f.Clock.Now(), people[0]
	if r := f.elsewhere(i); r != nil {
		return f.reassignThere(tx, c, i, r, to)
	}
	if i.Acked.IsZero() {
		if err := f.counted(tx, i, 0, 1); err != nil {
			return commands.Reply{}, err
		}
	}
	i.ack(now, gate.ToStore(to), "")
	if !to.Same(c.Who) {
		if i.Escalation == nil {
			i.Escalation = &Escalation{Over: true}
		}
		if err := f.call(tx, i, Called{At: now, By: c.Who.Display()}, []integrations.Person{to}); err != nil {
			return commands.Reply{}, err
		}
	}
	return commands.Reply{Private: say(fmt.Sprintf("%s is %s's.", i.ID, to.Display()))}, put(tx, i, true)
}

// named are the people behind what somebody typed.
func (f *feature) named(c *commands.Call, typed string) ([]integrations.Person, error) {
	name := strings.TrimPrefix(typed, "@")
	if id, ok := strings.CutPrefix(strings.Trim(typed, "<>"), "@"); ok { // as Slack sends a mention
		id, _, _ = strings.Cut(id, "|")
		if p := c.Catalog.PersonBySlack(id); p.Name != "" {
			name = p.Name
		}
	}
	people, err := f.Called(name, f.Clock.Now())
	if err == nil && len(people) > 0 {
		return people, nil
	}
	no := commands.Refuse("nobody", fmt.Sprintf("Nobody is called by “%s”.", typed))
	if err != nil {
		no = commands.Refuse("nobody", fmt.Sprintf("Nobody can be called by “%s”: %v.", typed, err))
	}
	var names []string
	for _, p := range c.Catalog.People {
		names = append(names, "@"+p.Name)
	}
	for _, s := range c.Catalog.Schedules {
		names = append(names, s.Name)
	}
	return nil, no.WithHint("There are " + strings.Join(names[:min(len(names), 10)], ", ") + ".")
}

const longestSnooze = 7 * 24 * time.Hour // as PagerDuty's

func (f *feature) snooze(tx *store.Tx, c *commands.Call, i *Incident) (commands.Reply, error) {
	if err := f.stillOpen(i); err != nil {
		return commands.Reply{}, err
	}
	long, err := time.ParseDuration(c.Arg("for"))
	if err != nil {
		return commands.Reply{}, err
	}
	if long <= 0 || long > longestSnooze {
		return commands.Reply{}, commands.Refuse("too_long", "It can be snoozed for at most 7 days.").WithExample("snooze " + i.ID + " 30m")
	}
	if i.Acked.IsZero() {
		if err := f.ackOne(tx, c, i); err != nil {
			return commands.Reply{}, err
		}
	}
	if err := f.wantThere(tx, c, i, Wish{Act: actSnooze, For: long}); err != nil {
		return commands.Reply{}, err
	}
	i.Snoozed, i.SnoozedBy, i.Touched = f.Clock.Now().Add(long), gate.ToStore(c.Who), f.Clock.Now()
	text := integrations.R(i.ID, " is quiet until ", integrations.When(i.Snoozed, nil), ".")
	return commands.Reply{Private: &integrations.Message{Text: text.Plain(), Blocks: []integrations.Block{{Text: text}}}}, put(tx, i, true)
}

func (f *feature) noteDown(tx *store.Tx, c *commands.Call, i *Incident) (commands.Reply, error) {
	text := strings.TrimSpace(c.Arg("text"))
	if text == "" {
		return commands.Reply{}, commands.Refuse("no_text", "What is to be written down?").WithExample("note " + i.ID + " the disk was full")
	}
	if err := f.wantThere(tx, c, i, Wish{Act: actNote, Text: text}); err != nil {
		return commands.Reply{}, err
	}
	i.note(Note{At: f.Clock.Now(), By: gate.ToStore(c.Who), Text: text})
	i.Touched = f.Clock.Now()
	return commands.Reply{Private: say(fmt.Sprintf("Written down about %s.", i.ID))}, put(tx, i, false)
}

// page declares an incident that calls somebody at once.
func (f *feature) page(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
	people, err := f.named(c, c.Arg("who"))
	if err != nil {
		return commands.Reply{}, err
	}
	i := &Incident{Severity: integrations.SeverityCritical}
	if i.ID, err = tx.NextID("incident"); err != nil {
		return commands.Reply{}, err
	}
	i.Title, i.Opened, i.By, i.Channel = strings.TrimSpace(c.Arg("message")), f.Clock.Now(), gate.ToStore(c.Who), c.Heard.Channel
	if c.Heard.Private {
		i.Channel = f.Channel(f.Config().Channel)
	}
	var names []string
	for _, p := range people {
		names = append(names, p.Name)
	}
	i.Escalation = &Escalation{Steps: []Step{{Call: names}}, Repeat: 2}
	if i.Channel != "" {
		if err := openCard(tx, i); err != nil {
			return commands.Reply{}, err
		}
	}
	if err := f.step(tx, i, c.Who.Display(), ""); err != nil {
		return commands.Reply{}, err
	}
	return commands.Reply{Subject: i.ID, Private: say(fmt.Sprintf("%s is called: %s.", strings.Join(names, ", "), i.ID))}, put(tx, i, true)
}

package deploy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// What a plan destroys or replaces is confirmed by typing the target's name: a
// press of a button is too easily one press too many. Who merges on GitHub has
// typed nothing, so that job asks for its confirmation.

// destroysFlag is where the names are typed.
var destroysFlag = commands.Arg{Name: "destroys", Kind: commands.ArgText, Optional: true, Help: "the names of the targets in which something is destroyed or replaced"}

// destroys names what plans destroy or replace.
func destroys(plans integrations.Plans) []string {
	return append(plans.Destroyed(), plans.Replaced()...)
}

// destroying are the targets of a pull request whose plan destroys something and
// whose name nobody has typed for it.
func destroying(op *store.Operation, p *store.Pull, targets []string) map[string]integrations.Plans {
	out := map[string]integrations.Plans{}
	for _, t := range targets {
		plans := plansOf(p.Plans[t])
		if len(destroys(plans)) > 0 && !wasTyped(op, t, plans.Digest()) {
			out[t] = plans
		}
	}
	return out
}

func wasTyped(op *store.Operation, target, digest string) bool {
	return slices.ContainsFunc(op.Typed, func(t store.Typed) bool { return t.Target == target && t.Digest == digest })
}

// typeNames takes the names that somebody typed for plans that destroy something.
// While one is missing, ask is what they are asked, for the plans of a stamp.
func (f *feature) typeNames(c *commands.Call, op *store.Operation, plans map[string]integrations.Plans, drawn uint64) (ask *commands.Reply, err error) {
	typed := strings.FieldsFunc(c.Arg("destroys"), func(r rune) bool { return r == ',' || r == ' ' || r == '、' || r == '\n' })
	var missing []string
	for t := range plans {
		if !slices.ContainsFunc(typed, func(s string) bool { return integrations.Fold(s) == integrations.Fold(t) }) {
			missing = append(missing, t)
		}
	}
	slices.Sort(missing)
	if len(missing) == 0 {
		for t, p := range plans {
			op.Typed = append(op.Typed, store.Typed{By: gate.ToStore(c.Who), Target: t, Digest: p.Digest(), At: f.Clock.Now()})
		}
		return nil, nil
	}
	var what []string
	for _, t := range missing {
		d := destroys(plans[t])
		what = append(what, fmt.Sprintf("%s in %s", strings.Join(d[:min(5, len(d))], ", "), t))
		if len(d) > 5 {
			what[len(what)-1] += fmt.Sprintf(" and %d more", len(d)-5)
		}
	}
	text := "This destroys or replaces " + strings.Join(what, "; ") + "."
	// Slack does not say when a slash command was sent; those come at once.
	fresh := c.Heard.Sent.IsZero() || f.Clock.Now().Sub(c.Heard.Sent) < formWait
	if c.Arg("destroys") == "" && c.Heard.Trigger != "" && fresh {
		return f.namesForm(c, text, missing, drawn), nil
	}
	one := *c
	one.Args = map[string]string{"destroys": strings.Join(missing, " ")}
	for k, v := range c.Args {
		if k != "destroys" {
			one.Args[k] = v
		}
	}
	r := commands.Refuse("destroys", text).WithHint("To go on, type " + strings.Join(missing, " and ") + " with --destroys.").WithExample(commands.Render(&one))
	if c.Arg("destroys") != "" {
		r.What = fmt.Sprintf("“%s” is not %s. %s", c.Arg("destroys"), strings.Join(missing, " and "), text)
	}
	return nil, r
}

// typeConfirmed is typeNames for the jobs that wait for a confirmation.
func (f *feature) typeConfirmed(c *commands.Call, op *store.Operation, jobs []*store.Job) (*commands.Reply, error) {
	plans, drawn, waiting := map[string]integrations.Plans{}, uint64(0), 0
	for _, j := range jobs {
		if j.State != store.JobNeedsConfirm {
			continue
		}
		p := recordOf(j).Plans
		if len(destroys(p)) > 0 {
			plans[j.Target] = p
		}
		waiting++
		drawn = stampOf(p.Digest())
	}
	if waiting > 1 { // no one stamp is that of several plans
		drawn = 0
	}
	return f.typeNames(c, op, plans, drawn)
}

// formWait is how long after somebody spoke a form can still be opened for them.
const formWait = 2500 * time.Millisecond

// namesForm asks for the names in a form.
func (f *feature) namesForm(c *commands.Call, text string, missing []string, drawn uint64) *commands.Reply {
	m := commands.NewModal(nil, c, []commands.Arg{destroysFlag})
	m.Intro, m.Version = text, drawn
	for i := range m.Inputs {
		if m.Inputs[i].Name == destroysFlag.Name {
			m.Inputs[i].Label = "Type " + strings.Join(missing, " and ")
			m.Inputs[i].Hint, m.Inputs[i].Long = "It is compared with the name, letter by letter.", false
		}
	}
	return &commands.Reply{Modal: m, Outcome: "asked"}
}

// untyped says why a plan that is about to be applied needs its confirmation; ""
// if it destroys nothing, or somebody typed the target's name for it.
func untyped(op *store.Operation, target string, plans integrations.Plans) string {
	d := destroys(plans)
	if len(d) == 0 || wasTyped(op, target, plans.Digest()) {
		return ""
	}
	return fmt.Sprintf("it destroys or replaces %s, and nobody has typed %s for that", strings.Join(d[:min(5, len(d))], ", "), target)
}

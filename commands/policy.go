package commands

import (
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// RightRead is the right that verbs which only read ask for; every linked
// person has it.
const RightRead = "read"

// RightOf is the right that a verb asks for.
func RightOf(v *Verb) string {
	switch {
	case v.Effect == Reads:
		return RightRead
	case v.Right != "":
		return v.Right
	}
	return v.Name
}

// Allow says whether the person of a call may use a right in an environment
// from where they spoke, as a *Refusal that names who may. Verbs whose
// environment is known by their subject alone ask it themselves, and ask it
// again for each environment that they touch. An empty environment asks for any.
func Allow(c *Call, right, environment string) error {
	if err := AllowAnywhere(c, right, environment); err != nil || right == RightRead || environment == "" {
		return err
	}
	if r := inChannel(c, environment); r != nil {
		return r
	}
	return nil
}

// AllowAnywhere is Allow of what may be said in every channel, and in a direct message:
// whoever is called at night answers where they were called.
func AllowAnywhere(c *Call, right, environment string) error {
	if r := linked(c); r != nil {
		return r
	}
	if right != RightRead && !c.Catalog.May(c.Who, right, environment) {
		return notAllowed(c.Catalog, right, environment)
	}
	return nil
}

// linked refuses people whom nobody has linked, and people of other workspaces.
func linked(c *Call) *Refusal {
	switch {
	case c.Heard.Stranger:
		return Refuse("stranger", "You are here from another workspace.").
			WithHint("Ask somebody of this one to do it for you.").WithExample("whoami")
	case !c.Who.Linked() && c.Heard.Kind == heardHost:
		return notLinkedHost(c.Heard.User)
	case !c.Who.Linked():
		return Refuse("not_linked", fmt.Sprintf("I do not know you: Slack id %s is not among the `people` of my configuration.", c.Heard.User)).
			WithHint("Say which GitHub account is yours, with `link`; then you may look. Or ask whoever keeps it to add you.").WithExample("whoami")
	}
	return nil
}

func notAllowed(cat *integrations.Catalog, right, environment string) *Refusal {
	what := fmt.Sprintf("You may not %s.", right)
	if environment != "" {
		what = fmt.Sprintf("You may not %s in %s.", right, environment)
	}
	r := Refuse("not_allowed", what)
	var who []string
	for _, p := range cat.Who(right, environment) {
		who = append(who, p.Display())
	}
	may := "These people may: " + list(who, 6) + "."
	if len(who) == 0 {
		may = "Nobody may: the `policy` of my configuration lists no group for it."
	}
	if doubt := cat.Doubt(right, environment); doubt != nil {
		why := doubt.Error()
		why = strings.ToUpper(why[:1]) + why[1:] + ", so the answer is no."
		if len(who) == 0 {
			return r.WithHint(why)
		}
		may = why + " " + may
	}
	return r.WithHint(may)
}

// inChannel refuses what changes an environment from outside its channels. What
// is asked for in no channel at all is shown in the first of them.
func inChannel(c *Call, environment string) *Refusal {
	e, ok := c.Catalog.Environment(environment)
	if c.Heard.Kind == heardHost { // what comes of it is shown in the channel all the same
		return nil
	}
	if !ok || len(e.Channels) == 0 || slices.ContainsFunc(e.Channels, func(ch string) bool {
		ch = strings.TrimPrefix(ch, "#")
		return c.Heard.App || !c.Heard.Private && (ch == c.Heard.Channel || c.Heard.ChannelName != "" && strings.EqualFold(ch, c.Heard.ChannelName))
	}) {
		return nil
	}
	var names []string
	for _, ch := range e.Channels {
		if !strings.HasPrefix(ch, "#") {
			ch = "#" + ch
		}
		names = append(names, ch)
	}
	return Refuse("wrong_channel", fmt.Sprintf("What changes %s is asked for in %s, where the others see it.", e.Name, list(names, 4))).
		WithExample(Render(c))
}

// EnvironmentOf is the environment that a call's arguments name, by themselves,
// by a target or by a scope; "" if they name none, or several.
func EnvironmentOf(c *Call) string {
	for _, args := range [][]Arg{c.Verb.Args, c.Verb.Flags} {
		for _, a := range args {
			v := c.Args[a.Name]
			switch {
			case v == "":
			case a.Kind == ArgEnvironment:
				return v
			case a.Kind == ArgTarget:
				if t, ok := c.Catalog.Target(v); ok {
					return t.Environment
				}
				if _, env, ok := strings.Cut(v, "/"); ok {
					return env
				}
			case a.Kind == ArgScope, a.Kind == ArgHold:
				if s, ok := ScopeOf(c.Catalog, v); ok {
					if envs := s.Environments(c.Catalog); len(envs) == 1 {
						return envs[0]
					}
				}
			}
		}
	}
	return ""
}

// permit is what the dispatcher asks before a verb decides.
func permit(c *Call) error {
	if c.Verb.Open {
		return nil
	}
	return Allow(c, RightOf(c.Verb), EnvironmentOf(c))
}

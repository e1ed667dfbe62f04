package commands

import (
	"fmt"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// awayRefusal says no to what needs a system that does not answer. Nothing was
// begun that could wait for it: whoever asked can ask again with one press.
func awayRefusal(c *Call, away *integrations.Away) *Refusal {
	what := "that"
	if c != nil && c.Verb != nil && c.Verb.Name != "" {
		what = c.Verb.Name
	}
	r := Refuse("away", fmt.Sprintf("%s, and %s needs it. Nothing was changed.", away.Silence(), what)).
		WithHint("What runs goes on, and what waits goes on by itself; `status` shows it. Ask again when it answers.")
	if c == nil || c.Verb == nil || c.Verb.Name == "" {
		return r
	}
	if line := Render(c); len(line) <= longestButton {
		r = r.WithButtons(integrations.Button{Label: "Try again", Command: line, Version: c.Version})
	}
	return r
}

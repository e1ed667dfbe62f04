package drain

import (
	"embed"
	"fmt"
	"strings"
	"text/template"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// The scripts that are run on a host. Each may run twice. What they are filled in with
// was checked to be plain words (Config.Validate).
//
//go:embed scripts
var scriptFiles embed.FS

var scripts = template.Must(template.ParseFS(scriptFiles, "scripts/*.sh"))

// script fills one in for a role. It has no error: all of them are tried in a test.
func script(name string, r Role) string {
	var b strings.Builder
	if err := scripts.ExecuteTemplate(&b, name+".sh", r); err != nil {
		return fmt.Sprintf("exit 64 # %v", err)
	}
	return b.String()
}

// told is what came of a script, in words.
func told(r integrations.CommandResult) string {
	switch {
	case r.State != integrations.CommandDone:
		return "nobody can tell whether it ran: “" + r.Why + "”"
	case r.Exit != 0:
		return fmt.Sprintf("it ended with %d: “%s”", r.Exit, short(r.Output))
	}
	return short(r.Output)
}

func short(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > 200 {
		return string(r[:200]) + "…"
	}
	return text
}

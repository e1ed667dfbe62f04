package drain

import (
	"embed"
	"fmt"
	"strings"
	"text/template"
	"time"

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

// host runs a script there, and says when there is a result. It is started again
// when nobody can tell whether it was started.
func (s *stepper) host(name, text string) (r integrations.CommandResult, ready bool, err error) {
	d := s.d
	if d.Script != name || d.Command == "" {
		d.Script, d.Command, d.CommandAt = name, "", s.now
		if err := s.save(false); err != nil {
			return r, false, err
		}
		command, err := s.Cloud.Start(s.ctx, d.At, d.Instance, text, scriptLimit)
		if err != nil {
			return r, false, err
		}
		d.Command = command
		s.next = time.Second
		return r, false, nil
	}
	r, err = s.Cloud.Result(s.ctx, d.At, d.Instance, d.Command)
	switch {
	case err != nil:
		return r, false, err
	case r.State == integrations.CommandRunning && s.now.Sub(d.CommandAt) < 2*scriptLimit:
		s.next = 2 * time.Second
		return r, false, nil
	case r.State == integrations.CommandRunning:
		r.State, r.Why = integrations.CommandUnknown, "it runs for too long"
	}
	d.Script, d.Command = "", ""
	return r, true, nil
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

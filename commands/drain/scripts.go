package drain

import (
	"embed"
	"fmt"
	"strings"
	"text/template"
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

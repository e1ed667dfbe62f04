package runner

import (
	"context"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

func TestACommandSeesTheSecretsThatItNames(t *testing.T) {
	y := newYard(t)
	var out integrations.Output
	y.kind(Kind{Name: "named", Run: func(ctx context.Context, r *Run) End {
		secrets := map[string]integrations.Secret{"ONE": integrations.NewSecret("first-secret"), "TWO": integrations.NewSecret("second-secret")}
		var err error
		out, err = r.Exec(secrets).Run(ctx, integrations.Command{Step: "sh", Argv: []string{"sh", "-c", "echo $ONE $TWO second-secret; echo $ONE >&2"}, Dir: "/",
			Secrets: []string{"ONE", "NONE"}, Capture: true, Tee: true})
		if err != nil {
			return Failed(err)
		}
		return End{State: store.JobSucceeded}
	}})
	y.start()
	y.reaches(y.add("named", "", 1, ""), store.JobSucceeded)
	if got := string(out.Stdout); got != "first-secret second-secret\n" {
		t.Errorf("the command printed %q", got)
	}
	shown := out.Redact(string(out.Stdout))
	if shown != "<redacted> <redacted>\n" || strings.Contains(out.Tail, "secret") || strings.Count(out.Tail, "<redacted>") != 3 {
		t.Errorf("shown is %q, and the log %q", shown, out.Tail)
	}
}

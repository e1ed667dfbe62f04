package aws_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
)

// suiteSHA is the commit of the conformance suite.
var suiteSHA = strings.Repeat("ab", 20)

// suiteKeys are what a step has of its target.
var suiteKeys = map[string]string{"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": "secret-of-the-suite"}

// shown has what AWS holds stand in the folder outside, after each call.
func (q *quay) shown(outside string, view func() any, also func(action string, done bool)) {
	show := func() {
		b, err := json.Marshal(view())
		q.must(err)
		q.must(os.WriteFile(filepath.Join(outside, "aws"), b, 0o600))
	}
	show()
	q.at = func(action string, done bool) os.Signal {
		if done {
			show()
		}
		if also != nil {
			also(action, done)
		}
		return nil
	}
}

func TestECSIsAnApplier(t *testing.T) {
	stages := map[string]*quay{} // by the folder outside
	push := func(outside string) *quay {
		q := stages[outside]
		q.must(q.sim.Push("shop", suiteSHA, -time.Second))
		return q
	}
	integrationstest.Applier(t, integrationstest.ApplierSuite{
		Make: func(t testing.TB, outside string) integrations.Applier {
			q := newQuay(t.(*testing.T))
			stages[outside] = q
			q.shown(outside, func() any {
				s := q.service()
				return []any{s.Definition, s.Images, s.Begun, q.sim.Revisions("shop")}
			}, nil)
			return q.step("")
		},
		Change: func(_ testing.TB, _, outside string) { push(outside) },
		Fails: func(_ testing.TB, _, outside string) string {
			q := push(outside)
			q.must(q.sim.BreakService("shop", ""))
			return "the service rolled back to shop:1"
		},
		Leaks: func(_ testing.TB, _, outside string) []string {
			q := push(outside)
			q.must(q.sim.BreakService("shop", "CannotPullContainerError: denied to "+suiteKeys["AWS_SECRET_ACCESS_KEY"]))
			return nil
		},
		Secrets: suiteKeys,
	})
}

func TestCodeBuildIsAnApplier(t *testing.T) {
	stages := map[string]*depot{} // by the folder outside
	prints := func(outside string, lines ...string) {
		d := stages[outside]
		d.must(d.sim.SetProject("deploy", func(p *awssim.Project) { p.Prints = lines }))
	}
	integrationstest.Applier(t, integrationstest.ApplierSuite{
		Make: func(t testing.TB, outside string) integrations.Applier {
			d := newDepot(t.(*testing.T))
			stages[outside] = d
			d.shown(outside, func() any { return d.sim.Builds() }, nil)
			return d.make(nil)
		},
		Change: func(testing.TB, string, string) {},
		Fails: func(_ testing.TB, _, outside string) string {
			prints(outside, "the database is on fire")
			stages[outside].fails(awssim.Verdict{Code: "COMMAND_EXECUTION_ERROR", Message: "exit status 7"})
			return "the database is on fire"
		},
		Leaks: func(_ testing.TB, _, outside string) []string {
			prints(outside, "deploying with "+suiteKeys["AWS_SECRET_ACCESS_KEY"])
			stages[outside].fails(awssim.Verdict{Code: "COMMAND_EXECUTION_ERROR", Message: "Error while executing command: deploy --key " + suiteKeys["AWS_SECRET_ACCESS_KEY"]})
			return nil
		},
		Hangs: func(t testing.TB, _, outside, child string) {
			d := stages[outside]
			d.must(d.sim.SetProject("deploy", func(p *awssim.Project) { p.Takes = 1000 * time.Hour }))
			work := exec.CommandContext(d.Context(), "sleep", "600") // what the build does
			d.shown(outside, func() any { return d.sim.Builds() }, func(action string, done bool) {
				switch {
				case action == "StartBuild" && done:
					d.must(work.Start())
					d.must(os.WriteFile(child, fmt.Appendf(nil, "%d\n", work.Process.Pid), 0o600))
				case action == "StopBuild" && done:
					d.must(work.Process.Kill())
					_ = work.Wait() // it was killed
				}
			})
		},
		Long: func(_ testing.TB, _, outside string) {
			lines := []string{integrationstest.FirstLine}
			for range 12_000 {
				lines = append(lines, strings.Repeat("x", 99))
			}
			prints(outside, append(lines, integrationstest.LastLine)...)
		},
		Secrets:   suiteKeys,
		Elsewhere: true,
	})
}

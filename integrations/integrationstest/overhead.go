package integrationstest

import (
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Overhead reports what a plan and an apply take over the tool's own time, in milliseconds a
// step: plan and apply are what the applier runs, run by themselves in the work tree. Of each
// it is the fastest, which a busy machine disturbs least.
func Overhead(b *testing.B, a integrations.Applier, run func() integrations.Run, plan, apply []string) {
	alone := func(r integrations.Run, argv []string) time.Duration {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir = r.Tree
		began := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%q: %v\n%s", argv, err, out)
		}
		return time.Since(began)
	}
	under := func(do func() error) time.Duration {
		began := time.Now()
		if err := do(); err != nil {
			b.Fatal(Explain(err))
		}
		return time.Since(began)
	}
	var planned, plannedAlone, applied, appliedAlone []time.Duration
	for range b.N {
		r := run()
		planned = append(planned, under(func() error { _, err := a.Plan(b.Context(), r); return err }))
		plannedAlone = append(plannedAlone, alone(r, plan))
		applied = append(applied, under(func() error { return a.Apply(b.Context(), r) }))
		appliedAlone = append(appliedAlone, alone(r, apply))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64((slices.Min(planned)-slices.Min(plannedAlone)).Microseconds())/1000, "plan-ms-over")
	b.ReportMetric(float64((slices.Min(applied)-slices.Min(appliedAlone)).Microseconds())/1000, "apply-ms-over")
}

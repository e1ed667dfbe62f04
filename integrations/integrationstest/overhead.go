package integrationstest

import (
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Overhead reports the median of what a plan and an apply take over the tool's own time,
// in milliseconds a step: plan and apply are what the applier runs, run by themselves in the
// work tree.
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
	var plans, applies []time.Duration
	for range b.N {
		r := run()
		plans = append(plans, under(func() error { _, err := a.Plan(b.Context(), r); return err })-alone(r, plan))
		applies = append(applies, under(func() error { return a.Apply(b.Context(), r) })-alone(r, apply))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(plans), "plan-ms-over")
	b.ReportMetric(median(applies), "apply-ms-over")
}

func median(all []time.Duration) float64 {
	slices.Sort(all)
	return float64(all[len(all)/2].Microseconds()) / 1000
}

package aws_test

import (
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
	"github.com/signalbox-chatops/signalbox/integrations/aws/codebuild"
)

// depot is a project of CodeBuild whose builds are begun and followed by the real tool.
type depot struct{ *quay }

func newDepot(t *testing.T) *depot {
	t.Helper()
	q := newQuay(t)
	q.run.Job = "j7"
	return &depot{q}
}

func (d *depot) order(change func(o *codebuild.Order)) (integrations.Applier, error) {
	c := config(d.url)
	c.Accounts = c.Accounts[:1]
	c.Accounts[0].Regions = []string{"ap-northeast-1"}
	return aws.Builds(c)("", func(into any) error {
		o := into.(*codebuild.Order)
		o.Project, o.Poll, o.StartWait = "deploy", 20*time.Millisecond, 20*time.Second
		if change != nil {
			change(o)
		}
		return nil
	})
}

func (d *depot) make(change func(o *codebuild.Order)) integrations.Applier {
	d.Helper()
	a, err := d.order(change)
	d.must(err)
	return a
}

// again is another attempt: a person said Retry.
func (d *depot) again() { d.run.Work = d.TempDir() }

// built holds the builds of the project to how they ended, in their order.
func (d *depot) built(want ...string) {
	d.Helper()
	var got []string
	for _, b := range d.sim.Builds() {
		if b.Project == "deploy" {
			got = append(got, b.Status)
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		d.Errorf("its builds are %q, want %q\n%s", got, want, d.log.String())
	}
}

func (d *depot) apply(a integrations.Applier) {
	d.Helper()
	if err := a.Apply(d.Context(), d.run); err != nil {
		d.Fatalf("%v\n%s", err, d.log.String())
	}
}

func (d *depot) probe(a integrations.Applier, clean bool, words string) {
	d.Helper()
	if p, err := a.Probe(d.Context(), d.run); err != nil || p.Clean != clean || !strings.Contains(p.Text, words) {
		d.Errorf("the probe says %+v (%v), want clean %v and %q", p, err, clean, words)
	}
}

// fails has the next build of the project end so.
func (d *depot) fails(v awssim.Verdict) {
	d.Helper()
	d.must(d.sim.FailBuild("deploy", v))
}

// long has the builds of the project take much longer than the tool's calls do.
func (d *depot) long() {
	d.Helper()
	d.must(d.sim.SetProject("deploy", func(p *awssim.Project) { p.Takes = 5 * time.Minute }))
}

package pagerduty_test

import (
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/pagerduty/pagerdutysim"
)

// What was made and nobody heard of is found, so that it can be taken back; nothing is made
// by looking.
func TestWhatNobodyHeardOfIsFound(t *testing.T) {
	for _, tt := range wishes {
		t.Run(tt.name, func(t *testing.T) {
			inAccount(t, config(daily("UTC", "2026-11-30 09:00"), shifts("UTC")), func(a *account) {
				find := func(o integrations.Override) string {
					a.Helper()
					remote, err := a.client.Find(a.Context(), tt.id, o)
					if err != nil {
						a.Fatal(err)
					}
					return remote
				}
				if remote := find(tt.o); remote != "" {
					a.Errorf("before it was made there is %s", remote)
				}
				made := a.make(tt.id, tt.o)
				a.client = a.with(token)
				longer, nobodys := tt.o, tt.o
				longer.End = longer.End.Add(time.Hour)
				nobodys.Person = "frank"
				for _, o := range []integrations.Override{longer, nobodys} {
					if remote := find(o); remote != "" {
						a.Errorf("of %+v there is %s", o, remote)
					}
				}
				remote := find(tt.o)
				if remote != made || a.calls(tt.action) != 1 {
					a.Errorf("found is %q of %q, after %d calls", remote, made, a.calls(tt.action))
				}
				a.fault(pagerdutysim.Fault{Kind: "error", Status: 503, Count: 30})
				if _, err := a.client.Find(a.Context(), tt.id, tt.o); isLater(err) == nil {
					a.Errorf("away: %v", err)
				}
				a.sim.ClearFaults()
				if err := a.client.Cancel(a.Context(), tt.id, remote); err != nil {
					a.Fatal(err)
				}
				a.has(tt.id)
			})
		})
	}
}

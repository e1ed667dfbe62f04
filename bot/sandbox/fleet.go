package sandbox

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
)

// demoFleet is the demonstration's, whose web servers wait at a launch hook until they
// are tested.
func demoFleet() awssim.Fleet {
	f := awssim.Demo()
	f.In[0].Groups[0].Launch = &awssim.Hook{Name: "signalbox-birth", Heartbeat: 30 * time.Minute} // 48 h at the longest
	return f
}

// instances answers /sim/aws/instances.
func (w *world) instances() any {
	return map[string]any{"instances": w.aws.Instances(), "groups": w.aws.Groups(), "services": w.aws.Services()}
}

// hostFaults are what can go wrong on an instance, by the kind of the fault.
var hostFaults = map[string]func(h *awssim.Host){
	"stuck":       func(h *awssim.Host) { h.Stuck = true },
	"mute":        func(h *awssim.Host) { h.LogsBroken = `{"error":"the monitor agent on port 24220 does not answer"}` },
	"unreachable": func(h *awssim.Host) { h.Unreachable = true },
	"unhealthy":   func(h *awssim.Host) { h.TestsFail = true },
	"well":        func(h *awssim.Host) { h.Stuck, h.LogsBroken, h.Unreachable, h.TestsFail = false, "", false, false },
}

// faultOfAWS arms a fault of the services, or has something happen to an instance,
// which is named by its id or name. "crash" has the tasks of the next deployment of the
// service id end, for the reason in message.
func (w *world) faultOfAWS(f awssim.Fault) error {
	do, ofHost := hostFaults[f.Kind]
	switch {
	case f.Kind == "clear":
		w.aws.ClearFaults()
		return nil
	case f.Kind == "crash":
		if err := w.aws.BreakService(f.ID, f.Message); err != nil {
			return wrong("id: %v", err)
		}
		return nil
	case !ofHost && f.Kind != "vanish":
		return w.aws.Fault(f)
	}
	for _, i := range w.aws.Instances() {
		if i.ID != f.ID && i.Name != f.ID {
			continue
		}
		if f.Kind == "vanish" {
			return w.aws.Vanish(i.ID)
		}
		return w.aws.SetHost(i.ID, do)
	}
	return wrong("id: no instance is called %q (for %s)", f.ID, strings.Join(slices.Sorted(maps.Keys(hostFaults)), ", "))
}

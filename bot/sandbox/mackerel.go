package sandbox

import (
	"context"
	"net/http"

	"github.com/signalbox-chatops/signalbox/integrations/mackerel/mackerelsim"
)

const mackerelKey = "sandbox-mackerel-key"

// enlist is the agents of the instances: each registers its host when its instance runs,
// once. Like all of the fleet it is worked out when somebody asks.
func (w *world) enlist() error {
	w.enlisting.Lock()
	defer w.enlisting.Unlock()
	known := map[string]bool{}
	for _, h := range w.mackerel.Hosts() {
		known[h.Instance] = true
	}
	for _, i := range w.aws.Instances() {
		if i.State != "running" || known[i.ID] {
			continue
		}
		if _, err := w.mackerel.Register(mackerelsim.Host{Name: i.Name, Instance: i.ID, Roles: watchedAs(i.Role)}); err != nil {
			return err
		}
	}
	return nil
}

// watchedAs are the roles in Mackerel of an instance of a role.
func watchedAs(role string) []string {
	switch role {
	case "":
		return nil
	case "task":
		return []string{"api:task"}
	}
	return []string{"web:" + role}
}

// watching is Mackerel as its callers find it: with the hosts that run by now.
func (w *world) watching() http.Handler {
	api := w.mackerel.Handler()
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if err := w.enlist(); err != nil {
			w.log.Error("register hosts in mackerel", "err", err)
		}
		api.ServeHTTP(rw, r)
	})
}

// hosts answers /sim/mackerel/hosts.
func (w *world) hosts(*http.Request) (any, error) {
	if err := w.enlist(); err != nil {
		return nil, err
	}
	return map[string]any{"hosts": w.mackerel.Hosts()}, nil
}

type consoleCall struct {
	Name   string `json:"name"`
	Status string `json:"status"`
}

// setHost gives a host a status, as somebody does in Mackerel's console.
func (w *world) setHost(_ context.Context, c consoleCall) (any, error) {
	if err := w.enlist(); err != nil {
		return nil, err
	}
	if err := w.mackerel.Set(c.Name, c.Status); err != nil {
		return nil, wrong("%v", err)
	}
	return map[string]any{"hosts": w.mackerel.Hosts()}, nil
}

// annotations answers /sim/mackerel/annotations: what stands on the graphs, and what the
// metrics of services were sent.
func (w *world) annotations(*http.Request) (any, error) {
	return map[string]any{"annotations": w.mackerel.Annotations(), "values": w.mackerel.Values()}, nil
}

// openAlert opens an alert there.
func (w *world) openAlert(_ context.Context, a mackerelsim.Alarm) (any, error) {
	if err := w.enlist(); err != nil {
		return nil, err
	}
	id, err := w.mackerel.Open(a)
	if err != nil {
		return nil, wrong("%v", err)
	}
	return map[string]any{"id": id}, nil
}

// faultOfMackerel arms a fault of its API.
func (w *world) faultOfMackerel(f mackerelsim.Fault) error {
	if f.Kind == "clear" {
		w.mackerel.ClearFaults()
		return nil
	}
	return w.mackerel.Fault(f)
}

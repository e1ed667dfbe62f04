package sandbox

import (
	"context"
	"net/http"
	"os"
	"path/filepath"

	"github.com/signalbox-chatops/signalbox/integrations/statuspage/statuspagesim"
)

const (
	statuspageKey = "sandbox-statuspage-key"
	statuspageID  = "acmepage0001"
)

// simulatePage opens Statuspage, with a page whose components are all well.
func (w *world) simulatePage() (err error) {
	dir := filepath.Join(w.data, "statuspage")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	w.statuspage, err = statuspagesim.New(statuspagesim.Config{
		Dir: dir, Clock: w.clk, Log: w.log.With("simulator", "statuspage"), Page: statuspageID, Name: "Acme",
		Components: []string{"web", "api", "dns"}, Keys: map[string]bool{statuspageKey: true},
	})
	return err
}

// statuspageRoutes are Statuspage's own pages, on which people look and change things past
// its API and whatever is wrong with that.
func (w *world) statuspageRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /sim/statuspage", answer(func(r *http.Request) (any, error) {
		if err := only(r.URL.Query()); err != nil {
			return nil, err
		}
		return map[string]any{"components": w.statuspage.Components(), "incidents": w.statuspage.Incidents(), "notifications": w.statuspage.Notifications()}, nil
	}))
	mux.HandleFunc("POST /sim/statuspage/post", post(w.postThere))
	mux.HandleFunc("POST /sim/statuspage/component", post(w.componentThere))
}

// postThere posts a message of an incident, or a new incident where it names none, and
// notifies the subscribers, as the page's form does.
func (w *world) postThere(_ context.Context, c struct {
	Incident string `json:"incident"`
	Title    string `json:"title"`
	Status   string `json:"status"`
	Message  string `json:"message"`
}) (any, error) {
	id, err := w.statuspage.Post(c.Incident, c.Title, c.Status, c.Message)
	if err != nil {
		return nil, wrong("%v", err)
	}
	return map[string]any{"ok": true, "id": id}, nil
}

func (w *world) componentThere(_ context.Context, c struct {
	Name   string `json:"name"`
	Status string `json:"status"`
}) (any, error) {
	if err := w.statuspage.Set(c.Name, c.Status); err != nil {
		return nil, wrong("%v", err)
	}
	return map[string]any{"ok": true}, nil
}

// faultOfStatuspage arms a fault of its API.
func (w *world) faultOfStatuspage(f statuspagesim.Fault) error {
	if f.Kind == "clear" {
		w.statuspage.ClearFaults()
		return nil
	}
	return w.statuspage.Fault(f)
}

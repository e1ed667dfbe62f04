package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/github"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	webhookMost    = 25 << 20         // what GitHub sends at most
	webhookLarge   = 1 << 20          // few of these are held in memory at once
	webhookAtOnce  = 64               // deliveries being read and stored
	webhookLarges  = 4                // large ones among them
	webhookPatient = 8 * time.Second  // GitHub gives up after 10
	readPatience   = 20 * time.Second // for a whole body
	stopPatience   = 10 * time.Second // for requests under way when the door closes
)

// HTTPConfig is what the HTTP door works with.
type HTTPConfig struct {
	// Secrets are those a delivery may be signed with, now: a reload changes them.
	Secrets func() []integrations.Secret
	Store   *store.Store
	Clock   clock.Clock
	Log     *slog.Logger
	// Ready says what still stands between the process and its work; nil is ready.
	Ready func() error
	// Stuck says which loop does not go round; nil if all do. It may be nil.
	Stuck func(ctx context.Context) error
	// Sockets says how many connections to Slack are up; may be nil.
	Sockets func() int
	// Alerts lets alerts in; nil lets none in.
	Alerts http.Handler
	// Extra is what else is served here, by pattern: the pages. A handler that
	// streams lifts its own write deadline with http.ResponseController.
	Extra map[string]http.Handler
}

// httpDoor lets webhooks in: it checks the signature, stores the delivery and
// answers. It decides nothing.
type httpDoor struct {
	HTTPConfig
	*intake
	mux    *http.ServeMux
	forged seldom
}

func newHTTPDoor(c HTTPConfig) *httpDoor {
	d := &httpDoor{
		HTTPConfig: c, mux: http.NewServeMux(),
		intake: newIntake(c.Store, c.Clock, c.Log, webhookAtOnce, webhookLarges, webhookPatient),
	}
	d.mux.HandleFunc("POST /github", d.github)
	d.mux.HandleFunc("GET /healthz", d.health)
	d.mux.HandleFunc("GET /readyz", d.ready)
	if c.Alerts != nil {
		d.mux.Handle(alertPath, c.Alerts)
	}
	for pattern, h := range c.Extra {
		d.mux.Handle(pattern, h)
	}
	return d
}

// Handler is the door without its listener.
func (d *httpDoor) Handler() http.Handler { return d.mux }

// Serve serves on ln until ctx ends, then lets the requests under way finish.
func (d *httpDoor) Serve(ctx context.Context, ln net.Listener) error {
	server := &http.Server{
		Handler: d.mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(d.Log.Handler(), slog.LevelDebug),
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(ln) }() // waited for below, either way
	select {
	case err := <-done:
		return fmt.Errorf("serve http on %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
	defer cancel()
	err := server.Shutdown(stop)
	if err != nil {
		err = fmt.Errorf("close http door on %s: %w", ln.Addr(), errors.Join(err, server.Close()))
	}
	<-done
	return err
}

// github accepts one delivery. Nothing of it is parsed before its signature is
// found right.
func (d *httpDoor) github(w http.ResponseWriter, r *http.Request) {
	signature := r.Header.Get("X-Hub-Signature-256")
	switch {
	case signature == "" && r.Header.Get("X-Hub-Signature") != "":
		d.refuse(w, r, "it is signed with SHA-1 only")
		return
	case signature == "":
		d.refuse(w, r, "it is not signed")
		return
	}
	body, leave, ok := d.body(w, r, webhookMost)
	if !ok {
		return
	}
	defer leave()
	if err := github.Verify(body, signature, d.Secrets()); err != nil {
		d.refuse(w, r, err.Error())
		return
	}
	delivery := r.Header.Get("X-GitHub-Delivery")
	if !deliveryForm.MatchString(delivery) {
		answer(w, http.StatusBadRequest, "X-GitHub-Delivery is missing or is no delivery id")
		return
	}
	d.accept(w, r, store.Event{Kind: webhookKind(r), Keys: []string{"ghd:" + delivery}, Body: payload(r, body)})
}

var (
	deliveryForm = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,128}$`)
	eventForm    = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)
)

func webhookKind(r *http.Request) string {
	if name := r.Header.Get("X-GitHub-Event"); eventForm.MatchString(name) {
		return "github." + name
	}
	return "github.unknown"
}

// payload is the JSON of a delivery: its body, or a field of it when the hook
// is set to send a form. What cannot be taken apart is kept as it came.
func payload(r *http.Request, body []byte) []byte {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/x-www-form-urlencoded" {
		return body
	}
	if form, err := url.ParseQuery(string(body)); err == nil && form.Get("payload") != "" {
		return []byte(form.Get("payload"))
	}
	return body
}

// refuse answers 401. It is logged once a minute, with how many there were: a
// wrong secret has to be seen, and a flood must not fill the disk.
func (d *httpDoor) refuse(w http.ResponseWriter, r *http.Request, why string) {
	if n, loud := d.forged.now(); loud {
		d.Log.Error("webhook refused: check the webhook's secret on GitHub against github.webhook_secrets",
			"why", why, "from", r.RemoteAddr, "times", n)
	}
	answer(w, http.StatusUnauthorized, "the signature is missing or wrong")
}

type healthReport struct {
	OK      bool   `json:"ok"`
	Version string `json:"version"`
	Ready   bool   `json:"ready"`
	Why     string `json:"why,omitempty"`   // not ready
	Stuck   string `json:"stuck,omitempty"` // which loop does not go round
	Store   bool   `json:"store"`
	Sockets *int   `json:"sockets,omitempty"`
}

func (d *httpDoor) report(ctx context.Context) healthReport {
	h := healthReport{OK: true, Version: version(), Store: d.Store.Err() == nil}
	var why error
	if d.Ready != nil {
		why = d.Ready()
	}
	if err := errors.Join(why, d.Store.Err()); err != nil {
		h.Why = err.Error()
	}
	if d.Stuck != nil {
		if err := d.Stuck(ctx); err != nil {
			h.OK, h.Stuck, h.Why = false, err.Error(), cmp.Or(h.Why, err.Error())
		}
	}
	h.Ready = h.Why == ""
	if d.Sockets != nil {
		n := d.Sockets()
		h.Sockets = &n
	}
	return h
}

// health says that the process is alive and its loops go round, and what it thinks
// of itself. A restart helps where it says no.
func (d *httpDoor) health(w http.ResponseWriter, r *http.Request) {
	h := d.report(r.Context())
	if !h.OK {
		replyJSON(w, http.StatusServiceUnavailable, h)
		return
	}
	replyJSON(w, http.StatusOK, h)
}

// ready says whether work would be done now.
func (d *httpDoor) ready(w http.ResponseWriter, r *http.Request) {
	h := d.report(r.Context())
	if !h.Ready {
		replyJSON(w, http.StatusServiceUnavailable, h)
		return
	}
	replyJSON(w, http.StatusOK, h)
}

func answer(w http.ResponseWriter, status int, say string) {
	replyJSON(w, status, map[string]any{"ok": false, "error": say})
}

func replyJSON(w http.ResponseWriter, status int, what any) {
	b, err := json.Marshal(what)
	if err != nil {
		b = []byte(`{"ok":false}`) // no value that is passed here fails
	}
	reply(w, status, append(b, '\n'))
}

func reply(w http.ResponseWriter, status int, body []byte) {
	w.Header()["Content-Type"] = []string{"application/json"}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the sender has gone: it will not miss the answer
}

package github

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/github/githubsim"
)

func readAll(t *testing.T, r *http.Request) []byte {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	return body
}

// ear is where webhooks go; it answers what it is told to.
type ear struct {
	*httptest.Server
	status atomic.Int32
	got    atomic.Int32
}

func newEar(t *testing.T) *ear {
	e := &ear{}
	e.status.Store(http.StatusServiceUnavailable)
	e.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		e.got.Add(1)
		rw.WriteHeader(int(e.status.Load()))
	}))
	t.Cleanup(e.Close)
	return e
}

func appKey(t *testing.T) (*rsa.PrivateKey, integrations.Secret) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	return key, integrations.NewSecret(string(block))
}

// failed lists the failed deliveries as "event code".
func (w *world) failed(repo string) ([]integrations.Delivery, string) {
	w.t.Helper()
	w.must(w.sim.WaitIdle(w.ctx))
	all, err := w.FailedDeliveries(w.ctx, repo, time.Now().Add(-time.Hour))
	w.must(err)
	var out []string
	for _, d := range all {
		out = append(out, fmt.Sprint(d.Event, " ", d.Code))
	}
	return all, strings.Join(out, ", ")
}

// A delivery that did not arrive is listed until it was sent again and arrived.
// Both ways of being GitHub's client see it alike.
func TestLostDeliveriesAreFoundAndSentAgain(t *testing.T) {
	for _, app := range []bool{false, true} {
		t.Run(fmt.Sprintf("app %v", app), func(t *testing.T) {
			ours, theirs := newEar(t), newEar(t)
			w := newWorld(t, func(sc *githubsim.Config, c *Config) {
				c.HookURL = ours.URL + "/"
				c.Token = integrations.NewSecret("alice-token")
				sc.Hooks = []githubsim.Hook{
					{Repo: web, URL: ours.URL, Secret: "s", Events: []string{"push"}, App: app}, {Repo: web, URL: theirs.URL, Secret: "s"},
				}
				sc.Repos = append(sc.Repos, sc.Repos[0])
				sc.Repos[1].Name = "other"
				if app {
					key, secret := appKey(t)
					sc.App.Key = &key.PublicKey
					c.Token, c.App = integrations.Secret{}, &AppConfig{ID: 7, InstallationID: 70, PrivateKey: secret}
					sc.Hooks[0].Repo = "*"
				}
			})
			w.fault(githubsim.FaultSpec{Kind: "lose_webhook", Event: "push", Repo: web})
			w.commit("main", "a.txt", "1")
			_, err := w.sim.Commit(w.ctx, "alice", "acme/other", "main", "Elsewhere", map[string]*string{"b.txt": new(string)})
			w.must(err)
			all, got := w.failed(web)
			if got != "push 503" && got != "push 0" || all[0].GUID == "" || all[0].At.IsZero() || (all[0].Hook == 0) != app {
				t.Fatalf("failed: %q %+v", got, all)
			}
			w.sim.ClearFaults()
			w.must(w.Redeliver(w.ctx, web, all[0]))
			again, got := w.failed(web)
			if len(again) != 1 || got != "push 503" || !again[0].Redelivery || again[0].GUID != all[0].GUID || again[0].ID == all[0].ID {
				t.Fatalf("after a second failure: %q %+v", got, again)
			}
			if d, err := w.FailedDeliveries(w.ctx, web, time.Now().Add(time.Hour)); err != nil || len(d) != 0 {
				t.Errorf("since later: %v, %v", d, err)
			}
			ours.status.Store(http.StatusAccepted)
			w.must(w.Redeliver(w.ctx, web, again[0]))
			if all, got := w.failed(web); got != "" {
				t.Errorf("after it arrived: %q %+v", got, all)
			}
			if err := w.Redeliver(w.ctx, web, integrations.Delivery{Hook: 1, ID: 1}); !errors.Is(err, integrations.ErrNotFound) {
				t.Errorf("redeliver nothing: %v, want ErrNotFound", err)
			}
		})
	}
}

func TestFailedDeliveriesOfManyPages(t *testing.T) {
	ours := newEar(t)
	w := newWorld(t, func(sc *githubsim.Config, c *Config) {
		c.Token = integrations.NewSecret("alice-token")
		sc.Hooks = []githubsim.Hook{{Repo: web, URL: ours.URL, Events: []string{"status"}}}
	})
	sha := w.commit("main", "a.txt", "1")
	for i := range 120 {
		w.status(sha, fmt.Sprint("s", i), "success")
	}
	if all, _ := w.failed(web); len(all) != 120 || all[0].ID < all[119].ID {
		t.Errorf("%d failed deliveries, want 120, newest first", len(all))
	}
}

// Who may not see webhooks is told that there are none to find, and can be quiet.
func TestWebhooksThatMayNotBeSeen(t *testing.T) {
	w := newWorld(t, nil)
	if _, err := w.FailedDeliveries(w.ctx, web, time.Time{}); !errors.Is(err, integrations.ErrNotFound) {
		t.Errorf("a writer's token: %v, want ErrNotFound", err)
	}
	w.fault(githubsim.FaultSpec{Kind: "error", Path: "/hooks", Status: http.StatusForbidden})
	if _, err := w.FailedDeliveries(w.ctx, web, time.Time{}); !errors.Is(err, integrations.ErrNotFound) {
		t.Errorf("a fine-grained token: %v, want ErrNotFound", err)
	}
	w.fault(githubsim.FaultSpec{Kind: "error", Path: "/hooks", Status: http.StatusServiceUnavailable, Count: -1})
	if _, err := w.FailedDeliveries(w.ctx, web, time.Time{}); err == nil || errors.Is(err, integrations.ErrNotFound) {
		t.Errorf("GitHub down: %v, want an outage", err)
	}
}

func TestCheckNamesTheEventsThatHelp(t *testing.T) {
	events := []string{"pull_request", "pull_request_review", "push"}
	w := newWorld(t, func(sc *githubsim.Config, c *Config) {
		c.Token = integrations.NewSecret("alice-token")
		sc.Hooks = []githubsim.Hook{{Repo: web, URL: "http://127.0.0.1:1/github", Secret: "s", Events: events}}
	})
	f := w.checkHook(w.ctx, web)
	if !f.OK || !strings.Contains(f.Say, "without status, check_run, check_suite") {
		t.Errorf("%+v, want OK and what is noticed by polling only", f)
	}
}

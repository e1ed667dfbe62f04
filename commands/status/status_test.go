package status

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// A window is the feature on a real store that holds what a test puts there.
type window struct {
	t     *testing.T
	store *store.Store
	feat  commands.Feature
	cat   *integrations.Catalog
}

func newWindow(t *testing.T, put func(tx *store.Tx) error) *window {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "signalbox.db"), store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if put != nil {
		if err := s.Update(context.Background(), put); err != nil {
			t.Fatal(err)
		}
	}
	at := func(target string) integrations.ServiceEnvironment {
		return integrations.ServiceEnvironment{Targets: []string{target}}
	}
	return &window{t: t, store: s, feat: New(Deps{Clock: clock.Real()}), cat: &integrations.Catalog{
		Environments: []integrations.Environment{{Name: "staging"}, {Name: "production"}},
		Services: []integrations.Service{
			{Name: "web", Repository: "acme/web", Strategy: "promote", Environments: map[string]integrations.ServiceEnvironment{"staging": at("web/staging"), "production": at("edge")}},
			{Name: "api", Repository: "acme/infra", Strategy: "pin", Environments: map[string]integrations.ServiceEnvironment{"production": at("api/production")}},
		},
		Targets: []integrations.Target{{Name: "web/staging", Environment: "staging"}, {Name: "edge", Environment: "production"}, {Name: "api/production", Environment: "production"}},
	}}
}

func (w *window) ask(verb string, args ...string) (text string, err error) {
	w.t.Helper()
	for _, v := range w.feat.Verbs {
		if v.Name != verb {
			continue
		}
		if v.Effect != commands.Reads {
			w.t.Errorf("%s does more than read", verb)
		}
		c := &commands.Call{Verb: &v, Args: map[string]string{}, Catalog: w.cat}
		for i := 0; i < len(args); i += 2 {
			c.Args[args[i]] = args[i+1]
		}
		act, err := v.Decide(context.Background(), c)
		if err != nil {
			return "", err
		}
		err = w.store.View(func(tx *store.Tx) error {
			r, err := act(tx)
			if err == nil {
				text = r.Private.Text
			}
			return err
		})
		return text, err
	}
	w.t.Fatalf("there is no verb %q", verb)
	return "", nil
}

// says asks and wants every part in the answer; one that begins with "not " must
// not be there.
func (w *window) says(parts []string, verb string, args ...string) {
	w.t.Helper()
	text, err := w.ask(verb, args...)
	if err != nil {
		w.t.Fatalf("%s %v: %v", verb, args, err)
	}
	for _, p := range parts {
		if not, ok := strings.CutPrefix(p, "not "); ok == strings.Contains(text, not) {
			w.t.Errorf("%s %v says %q; want %q", verb, args, text, p)
		}
	}
}

func busy(tx *store.Tx) error {
	op := func(id, service, env, state string) *store.Operation {
		return &store.Operation{ID: id, Service: service, Environment: env, State: state, Kind: "deploy", Targets: []string{service + "/" + env}, Repo: "acme/web", PR: 12,
			PRURL: "https://github.test/acme/web/pull/12", ToSHA: strings.Repeat("a", 40), Requester: store.Person{Name: "alice"}, Ended: time.Now()}
	}
	job := &store.Job{ID: "job-7", Key: "k", Kind: "apply", Target: "web/staging", Operation: "op-2", State: store.JobUnknown, Attempt: 2, Why: "its shim was lost", Repo: "acme/web", SHA: strings.Repeat("b", 40), Tail: "the last words"}
	return errors.Join(
		tx.PutOperation(op("op-1", "web", "production", store.OpSucceeded)),
		tx.PutOperation(op("op-2", "web", "staging", store.OpApplying)),
		tx.PutJob(job),
		tx.PutSurface(&store.Surface{ID: "s", Place: "slack.message", Card: "operation", Subject: "op-2", Parked: "the channel was archived"}),
		tx.PutHold(&store.Hold{Kind: "hold", Target: "edge", Owner: store.Person{Name: "bob"}, Reason: "new certificates", Created: time.Now(), Expires: time.Now().Add(time.Hour)}, 0),
	)
}

func TestNothingIsUnderWay(t *testing.T) {
	w := newWindow(t, nil)
	w.says([]string{"Nothing is under way, and nothing is locked."}, "status")
	w.says([]string{"web", "nothing from here yet"}, "services")
}

func TestStatus(t *testing.T) {
	w := newWindow(t, busy)
	w.says([]string{"op-2", "web", "staging", "unknown", "alice", "not op-1", "edge", "bob", "new certificates"}, "status")
	w.says([]string{"op-2", "job-7", "unknown", "its shim was lost", "the channel was archived"}, "status", "subject", "op-2")
	w.says([]string{"job-7", "attempt 2"}, "status", "subject", "job-7")
	w.says([]string{"job-7", "acme/web", "op-2"}, "job", "subject", "JOB-7")
	for _, subject := range []string{"op-99", "job-99", "#99", "nonsense"} {
		if _, err := w.ask("status", "subject", subject); !errors.As(err, new(*commands.Refusal)) {
			t.Errorf("status %s: %v, want a refusal", subject, err)
		}
	}
}

// A lock on a target of the service is in its way, by whichever name it was set.
func TestStatusOfOneService(t *testing.T) {
	w := newWindow(t, busy)
	w.says([]string{"op-2", "edge", "new certificates"}, "status", "service", "web")
	w.says([]string{"Nothing of api is under way", "not edge", "not op-2"}, "status", "service", "api")
}

func TestHistoryAndServices(t *testing.T) {
	w := newWindow(t, busy)
	w.says([]string{"web", "production", "aaaaaaa", "op-1", "api"}, "services")
}

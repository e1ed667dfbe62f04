package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/store"
)

// What was answered is there after a power cut, and delivered again it is still one.
// Events that no feature minds are decided, quietly.
func TestAlertsSurviveAKill(t *testing.T) {
	t.Parallel()
	b := newBox(t, func(w *boxWorld) {
		w.edit = func(text string) string {
			return text + "alerts:\n  sensu: {tokens: [sensu-token-0123456789]}\n  alertmanager: {tokens: [sensu-token-0123456789]}\n  pagerduty: {secrets: [pd-secret-0123456789]}\n"
		}
	})
	pd := sample(t, "pagerduty", "triggered")
	deliveries := []*http.Request{
		b.alert("/alerts/sensu", sample(t, "sensu", "go_firing"), "Authorization", "Bearer sensu-token-0123456789"),
		b.alert("/alerts/alertmanager/sensu-token-0123456789", sample(t, "alertmanager", "firing")),
		b.alert("/alerts/pagerduty", pd, "X-Webhook-Id", "w-1", "X-PagerDuty-Signature", pdSign(pd, "pd-secret-0123456789")),
	}
	b.start()
	b.until("the bot is up", b.ready)
	for _, r := range deliveries { // and nobody hears the answer
		conn, err := net.Dial("tcp", b.listen)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := r.Clone(t.Context()).Write(conn); err != nil {
			t.Fatal(err)
		}
	}
	b.until("all is on disk", func() bool { return len(b.alertEvents()) == len(deliveries) })
	b.kill()
	b.start()
	b.until("the bot is up", b.ready)
	for _, r := range deliveries {
		r.Body, _ = r.GetBody() // of a strings.Reader, which always can
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 202 || string(answer) != string(duplicateReply) {
			t.Errorf("%s: delivered again it is answered %d %s, %v", r.URL, resp.StatusCode, answer, err)
		}
		_ = resp.Body.Close()
	}
	b.until("all is decided", func() bool {
		return !slices.ContainsFunc(b.alertEvents(), func(e *store.Event) bool { return e.Decided.IsZero() })
	})
	var kinds []string
	for _, e := range b.alertEvents() {
		kinds = append(kinds, e.Kind+" "+e.Outcome)
	}
	slices.Sort(kinds)
	if want := []string{"alert.alertmanager done", "alert.pagerduty done", "alert.sensu done"}; !slices.Equal(kinds, want) {
		t.Errorf("the events are %q, want %q", kinds, want)
	}
	b.stop()
	log, err := os.ReadFile(filepath.Join(b.dir, "bot.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"level=ERROR", "sensu-token", "pd-secret", "tried again"} {
		if strings.Contains(string(log), bad) {
			t.Errorf("the log holds %q:\n%s", bad, log)
		}
	}
}

// alert is a delivery to the bot.
func (b *box) alert(path, body string, header ...string) *http.Request {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, "http://"+b.listen+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// alertEvents are what the door for alerts has stored.
func (b *box) alertEvents() (out []*store.Event) {
	b.book(func(tx *store.Tx) error {
		out = nil
		for seq := uint64(1); ; seq++ {
			e, err := tx.Event(seq)
			switch {
			case errors.Is(err, store.ErrNotFound):
				return nil
			case err != nil:
				return err
			case strings.HasPrefix(e.Kind, alertEvents):
				out = append(out, e)
			}
		}
	})
	return out
}

// The sandbox has a source of each kind, which all take the token "sandbox".
func TestSandboxTakesAlerts(t *testing.T) {
	t.Parallel()
	w := newTalkWorld(t, func(b []byte) []byte { return b })
	samples := map[string]string{
		"sensu": sample(t, "sensu", "core_firing"), "pingdom": sample(t, "pingdom", "down"), "mackerel": sample(t, "mackerel", "host_firing"),
		"alertmanager": sample(t, "alertmanager", "firing"), "cloudwatch": sample(t, "cloudwatch", "subscription"), "pagerduty": sample(t, "pagerduty", "triggered"),
		"anything": `{"key":"disk of web-1","title":"/ is 97 % full","state":"firing","severity":"critical"}`,
	}
	for kind := range alertSources {
		if _, ok := samples[kind]; !ok && kind != "described" {
			t.Errorf("the sandbox has no source of the kind %s", kind)
		}
	}
	for name, body := range samples {
		for _, c := range []struct {
			path   string
			header http.Header
			want   int
		}{
			{"/bot/alerts/" + name, http.Header{"Authorization": {"Bearer sandbox"}}, 202},
			{"/bot/alerts/" + name + "/sandbox", nil, 202},
			{"/bot/alerts/" + name, nil, 401},
			{"/bot/alerts/" + name + "/x", nil, 401},
		} {
			if code, err := w.send("", http.MethodPost, c.path, c.header, body, nil); code != c.want {
				t.Errorf("%s: answered %d, %v; want %d", c.path, code, err, c.want)
			}
		}
	}
	pd := samples["pagerduty"]
	if code, err := w.send("", http.MethodPost, "/bot/alerts/pagerduty", http.Header{"X-Pagerduty-Signature": {pdSign(pd, "sandbox")}}, pd, nil); code != 202 {
		t.Errorf("signed: answered %d, %v", code, err)
	}
}

package main

import (
	"fmt"
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
	deliver := func(path, body string, header ...string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+b.listen+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer := make([]byte, 1000)
		n, _ := resp.Body.Read(answer) // one small answer
		return resp.StatusCode, string(answer[:n])
	}
	all := func() (answers []string) {
		for _, d := range []func() (int, string){
			func() (int, string) {
				return deliver("/alerts/sensu", sample(t, "sensu", "go_firing"), "Authorization", "Bearer sensu-token-0123456789")
			},
			func() (int, string) {
				return deliver("/alerts/alertmanager/sensu-token-0123456789", sample(t, "alertmanager", "firing"))
			},
			func() (int, string) {
				return deliver("/alerts/pagerduty", pd, "X-Webhook-Id", "w-1", "X-PagerDuty-Signature", pdSign(pd, "pd-secret-0123456789"))
			},
		} {
			code, answer := d()
			answers = append(answers, fmt.Sprint(code, " ", strings.TrimSpace(answer)))
		}
		return answers
	}
	b.start()
	b.until("the bot is up", b.ready)
	first := all()
	b.kill()
	if want := `202 {"ok":true}`; !slices.Equal(first, []string{want, want, want}) {
		t.Fatalf("answered %q", first)
	}
	b.start()
	b.until("the bot is up", b.ready)
	again := all()
	if want := `202 {"ok":true,"duplicate":true}`; !slices.Equal(again, []string{want, want, want}) {
		t.Errorf("delivered again it is answered %q", again)
	}
	b.until("all is decided", func() bool {
		left := 0
		b.book(func(tx *store.Tx) error {
			events, err := tx.Undecided(0)
			for _, e := range events {
				if strings.HasPrefix(e.Kind, alertEvents) {
					left++
				}
			}
			return err
		})
		return left == 0
	})
	var kinds []string
	b.book(func(tx *store.Tx) error {
		for seq := uint64(1); ; seq++ {
			e, err := tx.Event(seq)
			if err != nil {
				return nil // there are no more
			}
			if strings.HasPrefix(e.Kind, alertEvents) {
				kinds = append(kinds, e.Kind+" "+e.Outcome)
			}
		}
	})
	if want := []string{"alert.sensu done", "alert.alertmanager done", "alert.pagerduty done"}; !slices.Equal(kinds, want) {
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

package mackerel_test

import (
	"bytes"
	"context"
	"errors"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/mackerel"
	"github.com/signalbox-chatops/signalbox/integrations/mackerel/mackerelsim"
)

// What Mackerel's own client does not do, against answers that the simulator does not
// give.

// answering is a client of something that is not Mackerel.
func answering(t *testing.T, do http.HandlerFunc) *mackerel.Client {
	t.Helper()
	server := httptest.NewServer(do)
	t.Cleanup(server.Close)
	return mackerel.New(mackerel.Config{APIKey: integrations.NewSecret(key), URL: server.URL}, mackerel.Options{})
}

// A redirect would take the key elsewhere, or make a read of a change.
func TestNoRedirectIsFollowed(t *testing.T) {
	var asked []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("X-Api-Key"))
		_, _ = w.Write([]byte(`{"hosts":[]}`))
	}))
	defer elsewhere.Close()
	for _, to := range []string{elsewhere.URL, "/here"} {
		c := answering(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/here" {
				asked = append(asked, "here")
				_, _ = w.Write([]byte(`{}`))
				return
			}
			http.Redirect(w, r, to, http.StatusFound)
		})
		_, err := c.HostByInstance(t.Context(), web)
		if err == nil || isLater(err) != nil || isGone(err) {
			t.Errorf("%v", err)
		}
		if err := c.SetStatus(t.Context(), "abc", "standby"); err == nil {
			t.Error("a redirect passed for a change")
		}
	}
	if len(asked) > 0 {
		t.Errorf("it went on to ask: %v", asked)
	}
}

// What nobody can read is a refusal; what broke off is to be asked for again.
func TestAnAnswerThatCannotBeRead(t *testing.T) {
	for answer, later := range map[string]bool{`{"hosts":[{"id":1}]}`: false, "<html>": false, `{"hosts":[`: true, "": true, "long": false} {
		c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			if answer == "long" {
				_, _ = w.Write([]byte(`{"hosts":[{"memo":"` + strings.Repeat("x", 17<<20) + `"}]}`))
				return
			}
			_, _ = w.Write([]byte(answer))
		})
		if _, err := c.HostByInstance(t.Context(), web); err == nil || isGone(err) || (isLater(err) != nil) != later {
			t.Errorf("%q: %v", answer, err)
		}
	}
}

// silent never answers, and says whether it was left waiting.
type silent struct{ ended chan error }

func (s silent) RoundTrip(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	s.ended <- req.Context().Err()
	return nil, req.Context().Err()
}

func TestACallHasALimitAndItsContextEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := silent{make(chan error, 1)}
		c := mackerel.New(mackerel.Config{APIKey: integrations.NewSecret(key)}, mackerel.Options{HTTP: &http.Client{Transport: s}})
		began := time.Now()
		_, err := c.HostByInstance(t.Context(), web)
		if isLater(err) == nil || time.Since(began) != 10*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		<-s.ended
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began = time.Now()
		err = c.SetStatus(ctx, "abc", "standby")
		if !errors.Is(err, context.Canceled) || isLater(err) != nil || time.Since(began) != time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		<-s.ended
	})
}

func TestNothingIsPrinted(t *testing.T) {
	var out bytes.Buffer
	was := log.Writer()
	log.SetOutput(&out)
	defer log.SetOutput(was)
	o := found(t)
	o.host(web)
	o.fault(mackerelsim.Fault{Kind: "error"})
	_, _ = o.client.HostByInstance(t.Context(), web)
	if out.Len() > 0 {
		t.Errorf("it printed %s", &out)
	}
}

func TestMackerelItselfIsAskedWithoutAURL(t *testing.T) {
	var asked []string
	c := mackerel.New(mackerel.Config{APIKey: integrations.NewSecret(key)}, mackerel.Options{HTTP: &http.Client{Transport: trip(func(r *http.Request) (*http.Response, error) {
		asked = append(asked, r.Method+" "+r.URL.String(), r.Header.Get("X-Api-Key"))
		return nil, errors.New("no network")
	})}})
	err := c.Retire(t.Context(), "abc")
	if want := []string{"POST https://api.mackerelio.com/api/v0/hosts/abc/retire?", key}; !slices.Equal(asked, want) || isLater(err) == nil {
		t.Errorf("it asked %q: %v", asked, err)
	}
	if strings.Contains(err.Error(), "https://") {
		t.Errorf("%v", err)
	}
}

type trip func(*http.Request) (*http.Response, error)

func (f trip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// An answer that holds more than was asked for is not taken on trust, a retired host
// only where there is no other.
func TestAnAnswerIsComparedWhole(t *testing.T) {
	answer := ""
	c := answering(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) })
	one := `{"id":"1","name":"x","status":"working","customIdentifier":"` + web + `0.ec2.amazonaws.com"}`
	gce := `{"id":"2","name":"y","status":"working","meta":{"cloud":{"provider":"gce","metadata":{"instance-id":"` + web + `"}}}}`
	answer = `{"hosts":[` + one + `,` + gce + `,null]}`
	if _, err := c.HostByInstance(t.Context(), web); !isGone(err) {
		t.Error(err)
	}
	was := `{"id":"3","name":"z","status":"poweroff","isRetired":true,"customIdentifier":"` + web + `.ec2.amazonaws.com"}`
	answer = `{"hosts":[` + was + `]}`
	if h, err := c.HostByInstance(t.Context(), web); err != nil || !h.Retired {
		t.Errorf("%+v %v", h, err)
	}
	answer = `{"hosts":[` + was + `,` + strings.NewReplacer(`"3"`, `"4"`, "true", "false").Replace(was) + `]}`
	if h, err := c.HostByInstance(t.Context(), web); err != nil || h.Retired || h.ID != "4" {
		t.Errorf("%+v %v", h, err)
	}
}

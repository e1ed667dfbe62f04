package integrationstest

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// AlertSuite is what Alerts needs to know of a source.
type AlertSuite struct {
	Source integrations.AlertSource
	Dir    string // of the samples
	// Stories are names of samples that tell of one thing, in their order: its key stays
	// the same.
	Stories [][]string
	// Silent are names of samples that are taken and hold no alert: pings, tests, kinds
	// that are not known.
	Silent []string
	// Broken are names of samples that are refused.
	Broken []string
	// Update writes the golden files anew.
	Update bool
}

// Alerts holds a source to the contract of integrations.AlertSource.
func Alerts(t *testing.T, s AlertSuite) {
	samples := Samples(t, s.Dir)
	for _, name := range slices.Sorted(maps.Keys(samples)) {
		t.Run(name, func(t *testing.T) {
			header, body := samples[name].Delivery(t)
			n, err := Read(t, s.Source, header, body)
			if broken := slices.Contains(s.Broken, name); broken != (err != nil) {
				t.Errorf("broken is %v, and the error %v", broken, err)
			}
			if silent := slices.Contains(s.Silent, name) || err != nil; silent != (len(n.Alerts) == 0) {
				t.Errorf("silent is %v, and there are %d alerts", silent, len(n.Alerts))
			}
			s.golden(t, name, n, err)
			hides(t, s.Source, header, body)
			some := others[:3] // those of one shape are much alike
			if slices.ContainsFunc(s.Stories, func(story []string) bool { return story[0] == name }) {
				some = others
			}
			survives(t, s.Source, header, body, some)
		})
	}
	for _, name := range s.Source.Headers() {
		if http.CanonicalHeaderKey(name) != name || slices.Contains(credentials, name) {
			t.Errorf("the header %q is kept", name)
		}
	}
	for _, story := range s.Stories {
		t.Run("story "+strings.Join(story, ", "), func(t *testing.T) { s.story(t, samples, story) })
	}
	t.Run("nobody's", func(t *testing.T) {
		for _, body := range []string{"", " ", "{", "[]", "null", "7", `"text"`, "\xff\xfe", "a=b&payload=%7B%7D", "<xml/>"} {
			if n, err := Read(t, s.Source, http.Header{}, []byte(body)); err == nil {
				t.Errorf("%q is taken for %+v", body, n)
			}
		}
	})
	t.Run("a megabyte", func(t *testing.T) {
		for _, story := range s.Stories {
			header, body := samples[story[0]].Delivery(t)
			for _, big := range blown(body, 1<<20) {
				n, _ := Read(t, s.Source, header, big)
				out, err := json.Marshal(n)
				if err != nil || len(out) > 4<<20 {
					t.Errorf("%s of %d bytes becomes %d bytes, %v", story[0], len(big), len(out), err)
				}
			}
		}
	})
}

// Read reads a delivery twice, and checks what comes out.
func Read(tb testing.TB, source integrations.AlertSource, header http.Header, body []byte) (integrations.AlertNotice, error) {
	tb.Helper()
	kept, keptHeader := bytes.Clone(body), header.Clone()
	n, err := source.Read(header, body)
	again, errAgain := source.Read(keptHeader, kept)
	if !reflect.DeepEqual(n, again) || (err == nil) != (errAgain == nil) {
		tb.Errorf("read twice it is another: %v, %v\n%s", err, errAgain, cmp.Diff(n, again))
	}
	if !bytes.Equal(kept, body) || !reflect.DeepEqual(keptHeader, header) {
		tb.Error("it changes what it reads")
	}
	if err != nil {
		if len(n.Alerts) > 0 {
			tb.Errorf("an error and alerts: %v, %+v", err, n)
		}
		if text := err.Error(); text == "" || len(text) > 500 || strings.Contains(text, "\n") {
			tb.Errorf("the error is no line for people: %q", text)
		}
		return n, err
	}
	if tidied := n.Tidy(); !reflect.DeepEqual(n, tidied) {
		tb.Errorf("it is not tidy (-got +tidied)\n%s", cmp.Diff(n, tidied))
	}
	if n.Source != "" {
		tb.Errorf("it names itself %q, which the configuration does", n.Source)
	}
	if len(n.Alerts) == 0 && n.Kind == "" {
		tb.Error("there is neither an alert nor a kind")
	}
	for _, a := range n.Alerts {
		checkAlert(tb, a)
	}
	return n, nil
}

func checkAlert(tb testing.TB, a integrations.Alert) {
	tb.Helper()
	if a.Key == "" || a.Source != "" {
		tb.Errorf("key %q, source %q", a.Key, a.Source)
	}
	if a.Title == "" || !utf8.ValidString(a.Title) || utf8.RuneCountInString(a.Title) > integrations.AlertTitleMost || strings.ContainsFunc(a.Title, unicode.IsControl) {
		tb.Errorf("the title is no line: %q", a.Title)
	}
	if !slices.Contains(integrations.AlertStates, a.State) || !slices.Contains(integrations.Severities, a.Severity) {
		tb.Errorf("state %q, severity %q", a.State, a.Severity)
	}
	for _, at := range []time.Time{a.At, a.Opened} {
		if at.Location() != time.UTC {
			tb.Errorf("the time %v is not in UTC", at)
		}
	}
}

// golden compares a notice with the file beside its sample.
func (s AlertSuite) golden(t *testing.T, name string, n integrations.AlertNotice, readErr error) {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	var err error
	if readErr != nil {
		err = e.Encode(map[string]string{"error": readErr.Error()})
	} else {
		err = e.Encode(n)
	}
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.Dir, name+".golden")
	if s.Update {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Errorf("%s (-want +got)\n%s", file, d)
	}
}

func (s AlertSuite) story(t *testing.T, samples map[string]Sample, story []string) {
	key, ids := "", map[string]string{}
	for _, name := range story {
		sample, ok := samples[name]
		if !ok {
			t.Fatalf("there is no sample %s", name)
		}
		header, body := sample.Delivery(t)
		n, err := s.Source.Read(header, body)
		if err != nil || len(n.Alerts) == 0 {
			t.Fatalf("%s: %d alerts, %v", name, len(n.Alerts), err)
		}
		if key == "" {
			key = n.Alerts[0].Key
		}
		if got := n.Alerts[0].Key; got != key {
			t.Errorf("%s has the key %q, and what came before %q", name, got, key)
		}
		if before, twice := ids[n.ID]; twice && n.ID != "" {
			t.Errorf("%s and %s have the id %q: one of them would be dropped", before, name, n.ID)
		}
		ids[n.ID] = name
	}
}

// secretWord stands where credentials do.
const secretWord = "s3cr3t-0f-n0b0dy"

// FuzzAlerts reads what nobody sent, beginning with the samples.
func FuzzAlerts(f *testing.F, source integrations.AlertSource, dir string) {
	for _, s := range Samples(f, dir) {
		header, body := s.Delivery(f)
		kind := ""
		for _, v := range header {
			kind = v[0]
		}
		f.Add(kind, body)
	}
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		h := http.Header{}
		for _, name := range []string{"Content-Type", "X-Webhook-Id", "X-Amz-Sns-Message-Type", "X-Amz-Sns-Rawdelivery"} {
			h.Set(name, header)
		}
		_, _ = Read(t, source, h, body)
	})
}

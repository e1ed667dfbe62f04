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

// Sample is a delivery as a system makes it. It stands in a file <name>.json, and what
// becomes of it beside it in <name>.golden.
type Sample struct {
	From   string            `json:"from"` // the document that its shape comes from
	Header map[string]string `json:"header,omitempty"`
	Body   json.RawMessage   `json:"body,omitempty"`
	Raw    string            `json:"raw,omitempty"` // in the place of Body: what is no JSON
	// Inner is put into Body as texts, by its names: JSON that a system wraps in JSON can be
	// read here.
	Inner map[string]json.RawMessage `json:"inner,omitempty"`
}

// Delivery is the sample's header and body.
func (s Sample) Delivery(tb testing.TB) (http.Header, []byte) {
	tb.Helper()
	h := http.Header{}
	for k, v := range s.Header {
		h.Set(k, v)
	}
	if len(s.Inner) == 0 {
		if len(s.Body) > 0 {
			return h, s.Body
		}
		return h, []byte(s.Raw)
	}
	var outer map[string]any
	if err := json.Unmarshal(s.Body, &outer); err != nil {
		tb.Fatal(err)
	}
	for name, inner := range s.Inner {
		var flat bytes.Buffer
		if err := json.Compact(&flat, inner); err != nil {
			tb.Fatal(err)
		}
		outer[name] = flat.String()
	}
	body, err := json.Marshal(outer)
	if err != nil {
		tb.Fatal(err)
	}
	return h, body
}

// Samples reads those of a folder, by their names.
func Samples(tb testing.TB, dir string) map[string]Sample {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		tb.Fatalf("%s: %d samples, %v", dir, len(files), err)
	}
	out := map[string]Sample{}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			tb.Fatal(err)
		}
		var s Sample
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		if err := d.Decode(&s); err != nil {
			tb.Fatalf("%s: %v", f, err)
		}
		if s.From == "" {
			tb.Errorf("%s does not say which document its shape comes from", f)
		}
		out[strings.TrimSuffix(filepath.Base(f), ".json")] = s
	}
	return out
}

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
			survives(t, s.Source, header, body)
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
		for name, sample := range samples {
			header, body := sample.Delivery(t)
			for _, big := range blown(body, 1<<20) {
				n, _ := Read(t, s.Source, header, big)
				out, err := json.Marshal(n)
				if err != nil || len(out) > 4<<20 {
					t.Errorf("%s of %d bytes becomes %d bytes, %v", name, len(big), len(out), err)
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

// credentials are the headers that they stand in.
var credentials = []string{"Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key", "X-Pagerduty-Signature", "X-Forwarded-For", "User-Agent"}

// hides puts credentials into the header: none may come out.
func hides(t *testing.T, source integrations.AlertSource, header http.Header, body []byte) {
	t.Helper()
	header = header.Clone()
	for _, name := range credentials {
		header.Set(name, "Bearer "+secretWord)
	}
	n, err := source.Read(header, body)
	out, jsonErr := json.Marshal(n)
	if jsonErr != nil {
		t.Fatal(jsonErr)
	}
	if strings.Contains(string(out), secretWord) || err != nil && strings.Contains(err.Error(), secretWord) {
		t.Errorf("what stands in the header comes out: %s, %v", out, err)
	}
}

// survives reads the body cut short, and with each of its values exchanged.
func survives(t *testing.T, source integrations.AlertSource, header http.Header, body []byte) {
	t.Helper()
	for _, n := range []int{1, len(body) / 3, len(body) / 2, len(body) - 1} {
		if n > 0 && n < len(body) {
			_, _ = Read(t, source, header, body[:n])
		}
	}
	var doc any
	if json.Unmarshal(body, &doc) != nil {
		return
	}
	for _, other := range []any{nil, true, -1.5, 1e300, "", "x\n\u202e\x00" + strings.Repeat("日", 5000), []any{}, []any{nil, "x", map[string]any{}}, map[string]any{}} {
		for spoilt := range spoil(doc, other) {
			b, err := json.Marshal(spoilt)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = Read(t, source, header, b)
		}
	}
}

// spoil yields the document with each of its values exchanged, one at a time.
func spoil(doc, other any) func(yield func(any) bool) {
	return func(yield func(any) bool) {
		switch x := doc.(type) {
		case map[string]any:
			for k, v := range x {
				for with := range withItself(v, other) {
					c := maps.Clone(x)
					c[k] = with
					if !yield(c) {
						return
					}
				}
			}
		case []any:
			for i, v := range x {
				for with := range withItself(v, other) {
					c := slices.Clone(x)
					c[i] = with
					if !yield(c) {
						return
					}
				}
			}
		}
	}
}

func withItself(v, other any) func(yield func(any) bool) {
	return func(yield func(any) bool) {
		if !yield(other) {
			return
		}
		spoil(v, other)(yield)
	}
}

// blown are bodies of a size: each text made long, and each list.
func blown(body []byte, size int) (out [][]byte) {
	var doc any
	if json.Unmarshal(body, &doc) != nil {
		return [][]byte{bytes.Repeat(append(body, 'x'), size/(len(body)+1))}
	}
	for _, blow := range []func(any) any{
		func(v any) any {
			if s, ok := v.(string); ok {
				return s + strings.Repeat("x", size/8)
			}
			return v
		},
		func(v any) any {
			list, ok := v.([]any)
			if !ok || len(list) == 0 {
				return v
			}
			one, err := json.Marshal(list)
			if err != nil {
				return v
			}
			return slices.Repeat(list, min(size/2/len(one)+1, 100_000))
		},
	} {
		for spoilt := range blowEach(doc, blow) {
			if b, err := json.Marshal(spoilt); err == nil && len(b) > size/10 && len(out) < 8 {
				out = append(out, b)
			}
		}
	}
	return out
}

// blowEach yields the document with each of its values blown up, one at a time.
func blowEach(doc any, blow func(any) any) func(yield func(any) bool) {
	return func(yield func(any) bool) {
		each := func(v any, put func(any) any) bool {
			if !yield(put(blow(v))) {
				return false
			}
			for inner := range blowEach(v, blow) {
				if !yield(put(inner)) {
					return false
				}
			}
			return true
		}
		switch x := doc.(type) {
		case map[string]any:
			for k, v := range x {
				if !each(v, func(n any) any { c := maps.Clone(x); c[k] = n; return c }) {
					return
				}
			}
		case []any:
			for i, v := range x {
				if !each(v, func(n any) any { c := slices.Clone(x); c[i] = n; return c }) {
					return
				}
			}
		}
	}
}

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

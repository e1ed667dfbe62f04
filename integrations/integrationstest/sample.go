package integrationstest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
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

package integrationstest

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
)

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

// others stand in the place of what a body has.
var others = []any{nil, "x\n\u202e\x00" + strings.Repeat("日", 400), map[string]any{}, true, -1.5, 1e300, "", []any{}, []any{nil, "x", map[string]any{}}}

// survives reads the body cut short, and with each of its values exchanged for one of
// some.
func survives(t *testing.T, source integrations.AlertSource, header http.Header, body []byte, some []any) {
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
	for _, other := range some {
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
		found := 0
		for spoilt := range blowEach(doc, blow) {
			if b, err := json.Marshal(spoilt); err == nil && len(b) > size/10 {
				out = append(out, b)
				found++
			}
			if found == 4 {
				break
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

package jsonapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// answering is a client of something that answers so, below "/base".
func answering(t *testing.T, do http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(do)
	t.Cleanup(server.Close)
	return New(Options{Name: "thing", URL: server.URL + "/base/", Header: http.Header{"Authorization": {"Key s3cret-key"}}, Secrets: []string{"s3cret-key"}})
}

func TestACallIsSentAsItIsMeant(t *testing.T) {
	var got []string
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		got = []string{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Get("Authorization"), r.Header.Get("Content-Type")}
		w.Header().Set("X-Next", "7")
		_, _ = w.Write([]byte(`{"id":"a"}`))
	})
	var out struct{ ID string }
	header, err := c.Do(t.Context(), Call{Act: "make", Method: http.MethodPost, Path: []string{"api", "web:*/ä", "x"}, Query: map[string][]string{"a": {"1 2"}}, Body: map[string]int{"n": 1}}, &out)
	if err != nil || out.ID != "a" || header.Get("X-Next") != "7" {
		t.Fatalf("%+v, %v, %v", out, header, err)
	}
	if want := []string{"POST", "/base/api/web:%2A%2F%C3%A4/x", "a=1+2", "Key s3cret-key", "application/json"}; strings.Join(got, " ") != strings.Join(want, " ") && strings.Join(got, " ") != strings.ReplaceAll(strings.Join(want, " "), "%2A", "*") {
		t.Errorf("it asked %q, want %q", got, want)
	}
}

// A refusal says the act, the status and what the system says, and never the key.
func TestRefusals(t *testing.T) {
	for body, want := range map[string]string{
		`"end time can't be in the past"`:     "thing make it: 400 Bad Request: end time can't be in the past",
		`{"message":"no","code":3}`:           "thing make it: 400 Bad Request: no",
		`{"error":"no"}`:                      "thing make it: 400 Bad Request: no",
		"plain\nand more":                     "thing make it: 400 Bad Request: plain",
		"<html><body>no</body></html>":        "thing make it: 400 Bad Request",
		"":                                    "thing make it: 400 Bad Request",
		`{"message":"the key is s3cret-key"}`: "thing make it: 400 Bad Request: the key is ",
	} {
		c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(body))
		})
		_, err := c.Do(t.Context(), Call{Act: "make", Thing: "it", Method: http.MethodPost}, nil)
		var no *Error
		if !errors.As(err, &no) || no.Status != http.StatusBadRequest || no.Unread || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestAnAnswerThatDoesNotCome(t *testing.T) {
	for name, c := range map[string]struct {
		do     http.HandlerFunc
		unread bool
	}{
		"broken off": {do: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		"no JSON":    {do: func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, unread: true},
	} {
		var no *Error
		_, err := answering(t, c.do).Do(t.Context(), Call{Act: "make", Method: http.MethodPost}, &struct{}{})
		if !errors.As(err, &no) || no.Unread != c.unread || !c.unread && no.Status != 0 {
			t.Errorf("%s: %+v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := answering(t, func(http.ResponseWriter, *http.Request) {}).Do(ctx, Call{Method: http.MethodGet}, nil); !errors.Is(err, context.Canceled) || errors.As(err, new(*Error)) {
		t.Errorf("%v", err)
	}
}

// A redirect is a refusal: it would take the key along.
func TestNoRedirectIsFollowed(t *testing.T) {
	asked := 0
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	})
	var no *Error
	if _, err := c.Do(t.Context(), Call{Method: http.MethodGet}, nil); !errors.As(err, &no) || no.Status != http.StatusFound || asked != 1 {
		t.Errorf("%v, asked %d times", err, asked)
	}
}

func TestWhatIsNoURL(t *testing.T) {
	for at, ok := range map[string]bool{"https://am.example.com/x": true, "http://127.0.0.1:9093": true, "": false, "am:9093": false, "https://u:p@am": false, "https://am?x=1": false, "ftp://am": false} {
		if err := Check(at, "https://am.example.com"); (err == nil) != ok {
			t.Errorf("%q: %v", at, err)
		}
	}
}

func TestItWaitsAsLongAsItIsTold(t *testing.T) {
	c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	var no *Error
	if _, err := c.Do(t.Context(), Call{Method: http.MethodGet}, nil); !errors.As(err, &no) || no.After != 30*time.Second {
		t.Errorf("%v", err)
	}
}

package aws_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws"
)

// Our own address is what a server tells, and nothing that is not
// exactly one address of IPv4 on the internet.
func TestOurOwnAddress(t *testing.T) {
	for said, want := range map[string]string{
		"54.65.0.7\n": "", "54.65.0.7": "",
		"10.0.0.7\n":               "10.0.0.7 is of 10.0.0.0/8",
		"2001:db8::1\n":            "is an address of IPv6",
		"54.65.0.7, 54.65.0.8":     "is not one address of IPv4",
		"0.0.0.0/0":                "is not one address of IPv4",
		strings.Repeat("5", 65):    "it tells more than one",
		"<html>Sign in</html>\n\n": "is not one address of IPv4",
		"":                         "is not one address of IPv4",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, said) }))
		got, err := aws.NewOutside(server.URL).Address(t.Context())
		server.Close()
		var later *integrations.Later
		switch {
		case want == "" && (err != nil || got.String() != "54.65.0.7"):
			t.Errorf("%q is taken for %v (%v)", said, got, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || errors.As(err, &later)):
			t.Errorf("%q is taken for %v (%v), want %q", said, got, err, want)
		}
	}
}

// A server that is not well is asked again, and is not followed elsewhere.
func TestOurOwnAddressIsNotTold(t *testing.T) {
	for _, code := range []int{http.StatusFound, http.StatusForbidden, http.StatusBadGateway} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				fmt.Fprint(w, "54.65.0.7")
				return
			}
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(code)
		}))
		_, err := aws.NewOutside(server.URL).Address(t.Context())
		server.Close()
		var later *integrations.Later
		if !errors.As(err, &later) || !strings.Contains(err.Error(), fmt.Sprint(code)) {
			t.Errorf("%d: %v", code, err)
		}
		_, err = aws.NewOutside(server.URL).Address(t.Context())
		if !errors.As(err, &later) || strings.Count(err.Error(), server.URL) != 1 {
			t.Errorf("nobody there: %v", err)
		}
	}
}

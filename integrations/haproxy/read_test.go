package haproxy

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// state and stat are what HAProxy 2.6 says, with fewer columns.
const (
	stateHead = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_port srvrecord\n"
	statHead  = "# pxname,svname,qcur,qmax,scur,smax,status,weight,act,bck,-,\n"
)

// one is the whole answer about one server.
func one(state, stat string) string { return stateHead + state + "\n\n" + statHead + stat + "\n\n" }

func TestReadOneServer(t *testing.T) {
	const up = "3 app 1 web1 10.0.0.1 2 0 1 1 8080 -"
	for _, c := range []struct {
		what, state, stat string
		want              server
		is, because       string
	}{
		{"up", up, "app,web1,0,0,3,9,UP,1,1,0,-,", server{name: "web1", address: "10.0.0.1", port: 8080, up: true, open: 3}, "healthy", ""},
		{"going down", up, "app,web1,0,0,0,9,UP 1/3,1,1,0,-,", server{name: "web1", address: "10.0.0.1", port: 8080, up: true}, "healthy", ""},
		{"not checked", up, "app,web1,0,0,0,9,no check,1,1,0,-,", server{name: "web1", address: "10.0.0.1", port: 8080, up: true}, "healthy", ""},
		{"a backup", up, "app,web1,0,0,0,9,UP,1,0,1,-,", server{name: "web1", address: "10.0.0.1", port: 8080, up: true, backup: true}, "healthy", ""},
		{"down", "3 app 1 web1 10.0.0.1 0 0 1 1 8080 -", "app,web1,0,0,0,9,DOWN,1,1,0,-,", server{name: "web1", address: "10.0.0.1", port: 8080}, "unhealthy", ""},
		{"coming up", "3 app 1 web1 10.0.0.1 0 0 1 1 8080 -", "app,web1,0,0,0,9,DOWN 1/2,1,1,0,-,", server{name: "web1", address: "10.0.0.1", port: 8080}, "unhealthy", ""},
		{"asked to stop by its check", "3 app 1 web1 10.0.0.1 3 0 1 1 8080 -", "app,web1,0,0,0,9,NOLB,1,1,0,-,", server{name: "web1", address: "10.0.0.1", port: 8080}, "unhealthy", ""},
		{"draining", "3 app 1 web1 10.0.0.1 2 8 1 1 8080 -", "app,web1,0,0,2,9,DRAIN,1,1,0,-,", server{name: "web1", address: "10.0.0.1", port: 8080, out: true, open: 2}, "draining", ""},
		{"drained, with a request that waits for it", "3 app 1 web1 10.0.0.1 2 8 1 1 8080 -", "app,web1,1,1,0,9,DRAIN,1,1,0,-,", server{name: "web1", address: "10.0.0.1", port: 8080, out: true, open: 1}, "draining", ""},
		{"drained", "3 app 1 web1 10.0.0.1 2 8 1 1 8080 -", "app,web1,0,0,0,9,DRAIN,1,1,0,-,", server{name: "web1", address: "10.0.0.1", port: 8080, out: true}, "unused", integrations.ReasonNotRegistered},
		{"drained, and down, which hides it", "3 app 1 web1 10.0.0.1 0 8 1 1 8080 -", "app,web1,0,0,0,9,DOWN,1,1,0,-,", server{name: "web1", address: "10.0.0.1", port: 8080, out: true}, "unused", integrations.ReasonNotRegistered},
		{"drained by the one it tracks", "3 app 1 web1 10.0.0.1 2 16 1 1 8080 -", "app,web1,0,0,0,9,DRAIN,1,1,0,-,", server{name: "web1", address: "10.0.0.1", port: 8080, out: true}, "unused", integrations.ReasonNotRegistered},
		{"in maintenance", "3 app 1 web1 10.0.0.1 0 5 1 1 8080 -", "app,web1,0,0,0,9,MAINT,1,1,0,-,", server{name: "web1", address: "10.0.0.1", port: 8080, out: true}, "unused", integrations.ReasonNotRegistered},
		{"in maintenance, with a session", "3 app 1 web1 10.0.0.1 0 1 1 1 8080 -", "app,web1,0,0,1,9,MAINT (via app/web0),1,1,0,-,", server{name: "web1", address: "10.0.0.1", port: 8080, out: true, open: 1}, "draining", ""},
		{"without a weight", "3 app 1 web1 10.0.0.1 2 0 0 1 8080 -", "app,web1,0,0,0,9,no check,0,1,0,-,", server{name: "web1", address: "10.0.0.1", port: 8080, up: true, out: true}, "unused", integrations.ReasonNotRegistered},
		{"not resolved yet", "3 app 1 web1 - 0 32 1 1 8080 -", "app,web1,0,0,0,9,MAINT (resolution),1,1,0,-,", server{name: "web1", port: 8080, out: true}, "unused", integrations.ReasonNotRegistered},
		{"the long way to write it", "3 app 1 web1 FD00:0:0::0001 2 0 1 1 8080 -", "app,web1,0,0,0,9,UP,1,1,0,-,", server{name: "web1", address: "fd00::1", port: 8080, up: true}, "healthy", ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			got, err := read(one(c.state, c.stat))
			if err != nil || len(got) != 1 {
				t.Fatalf("%d servers, %v", len(got), err)
			}
			if d := cmp.Diff(c.want, got[0], cmp.AllowUnexported(server{})); d != "" {
				t.Error(d)
			}
			if state, reason := got[0].state(); state != c.is || reason != c.because {
				t.Errorf("it is %s (%s), want %s (%s)", state, reason, c.is, c.because)
			}
		})
	}
}

// What is not known is an error, and never 0.
func TestReadRefusesWhatItDoesNotKnow(t *testing.T) {
	const state, stat = "3 app 1 web1 10.0.0.1 2 8 1 1 8080 -", "app,web1,0,0,0,9,DRAIN,1,1,0,-,"
	for _, c := range []struct{ what, in, want string }{
		{"nothing", "", "cut off"},
		{"no backend", "Can't find backend.\n\nNo such proxy.\n\n", "it says “Can't find backend. No such proxy.”"},
		{"a proxy without the state", "Permission denied\n\n" + statHead + stat + "\n\n", "it says “Permission denied”"},
		{"another version", "2" + one(state, stat)[1:], "it says “2 # be_id"},
		{"no sessions", one(state, "app,web1,0,0,,9,DRAIN,1,1,0,-,"), `the server web1: scur is ""`},
		{"sessions in words", one(state, "app,web1,0,0,none,9,DRAIN,1,1,0,-,"), `scur is "none"`},
		{"less than no sessions", one(state, "app,web1,0,0,-1,9,DRAIN,1,1,0,-,"), `scur is "-1"`},
		{"a queue in words", one(state, "app,web1,?,0,0,9,DRAIN,1,1,0,-,"), `qcur is "?"`},
		{"no such column", strings.ReplaceAll(one(state, stat), "scur", "xcur"), `scur is ""`},
		{"no column of the state", strings.ReplaceAll(one(state, stat), "srv_admin_state", "x"), "there is no column srv_admin_state"},
		{"no column of the name", strings.ReplaceAll(one(state, stat), "srv_addr", "x"), "there is no column srv_addr"},
		{"a state in words", one("3 app 1 web1 10.0.0.1 2 drain 1 1 8080 -", stat), `srv_admin_state is "drain"`},
		{"a server that came meanwhile", one(state+"\n3 app 2 web2 10.0.0.2 2 0 1 1 8080 -", stat), "the server web2 is not among the statistics"},
		{"a line cut off", one(state, stat[:20]), "cut off"},
		{"a long word", strings.Repeat("x", 500), strings.Repeat("x", 200) + "…”"},
	} {
		got, err := read(c.in)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v, %v; want %q", c.what, got, err, c.want)
		}
	}
}

// An answer that ends early, as when the process is reloaded, never reads as another
// answer.
func TestReadOfEveryBeginning(t *testing.T) {
	whole := one("3 app 1 web1 10.0.0.1 2 8 1 1 8080 -\n3 app 2 web2 10.0.0.2 2 0 1 1 8080 -", "app,web1,0,0,12,19,DRAIN,1,1,0,-,\napp,web2,0,0,3,19,UP,1,1,0,-,")
	want, err := read(whole)
	if err != nil || len(want) != 2 {
		t.Fatalf("%d servers, %v", len(want), err)
	}
	for n := range whole {
		got, err := read(whole[:n])
		if err == nil {
			if d := cmp.Diff(want, got, cmp.AllowUnexported(server{})); d != "" {
				t.Errorf("the first %d bytes: %s", n, d)
			}
			continue
		}
		var no *refused
		if !errors.Is(err, errCut) && !errors.As(err, &no) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(one("3 app 1 web1 10.0.0.1 2 8 1 1 8080 -", "app,web1,0,0,0,9,DRAIN,1,1,0,-,"))
	f.Add("1\n#\n\n# pxname,\n\n")
	f.Fuzz(func(t *testing.T, answer string) {
		got, err := read(answer)
		for _, s := range got {
			if err == nil && s.open < 0 {
				t.Errorf("%+v", s)
			}
		}
	})
}

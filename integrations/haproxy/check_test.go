package haproxy_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations/haproxy"
)

// The socket, its level, the backend and its servers, of a real HAProxy.
func TestCheck(t *testing.T) {
	p := start(t, "server a 127.0.0.1:1", "server b 127.0.0.2:1")
	with := func(change func(b *haproxy.Backend)) haproxy.Backend {
		b := p.backend("lb-1")
		change(&b)
		return b
	}
	for what, c := range map[string]struct {
		backend haproxy.Backend
		ok      bool
		says    string
	}{
		"well":          {p.backend("lb-1"), true, "2 servers: a, b"},
		"no socket":     {with(func(b *haproxy.Backend) { b.Address = filepath.Join(p.dir, "no.sock") }), false, "no such file"},
		"another level": {with(func(b *haproxy.Backend) { b.Address = filepath.Join(p.dir, "operator.sock") }), false, "the level of its socket is “operator”"},
		"no backend":    {with(func(b *haproxy.Backend) { b.Backend = "web" }), false, "there is no backend web"},
	} {
		t.Run(what, func(t *testing.T) {
			all := client(t, c.backend).Check(t.Context())
			if len(all) != 1 || all[0].OK != c.ok || !strings.Contains(all[0].Say, c.says) || all[0].OK != (all[0].Do == "") {
				t.Errorf("found %+v", all)
			}
		})
	}
	empty := start(t)
	if all := client(t, empty.backend("lb-1"), p.backend("lb-2")).Check(t.Context()); len(all) != 2 || all[0].OK || !strings.Contains(all[0].Say, "has no server") || !all[1].OK {
		t.Errorf("found %+v", all)
	}
}

package haproxy_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// web is an application on an address of its own, whose answers wait for a word.
type web struct {
	*httptest.Server
	came chan string // a request each
	let  chan bool   // each lets one end
	port string
}

func serve(t *testing.T, address string) *web {
	t.Helper()
	l, err := net.Listen("tcp", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	w := &web{came: make(chan string, 100), let: make(chan bool)}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w.came <- r.URL.Path
		if r.URL.Path == "/slow" {
			<-w.let
		}
		fmt.Fprint(out, address)
	}))
	if err := s.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	w.Server = s
	_, w.port, _ = net.SplitHostPort(l.Addr().String())
	return w
}

// proxy is a real HAProxy.
type proxy struct {
	t       *testing.T
	dir     string
	runs    *exec.Cmd
	said    *bytes.Buffer
	request *http.Client
}

func (p *proxy) socket() string { return filepath.Join(p.dir, "admin.sock") }

// start starts HAProxy with the lines of its backend app.
func start(t *testing.T, servers ...string) *proxy {
	t.Helper()
	if _, err := exec.LookPath("haproxy"); err != nil {
		t.Skip("SKIPPED: there is no haproxy on PATH, so nothing here was tried against a real one (apt-get install haproxy)")
	}
	dir, err := os.MkdirTemp("", "haproxy") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, dir: dir}
	p.request = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(dir, "front.sock"))
	}}}
	p.write(servers...)
	t.Cleanup(func() {
		p.end()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	p.run()
	return p
}

func (p *proxy) write(servers ...string) {
	p.t.Helper()
	text := fmt.Sprintf(`global
  stats socket %[1]s/admin.sock level admin
  stats socket %[1]s/operator.sock level operator
defaults
  mode http
  timeout connect 5s
  timeout client 1m
  timeout server 1m
  option http-server-close
frontend front
  bind unix@%[1]s/front.sock
  default_backend app
backend app
  %[2]s
`, p.dir, strings.Join(servers, "\n  "))
	if err := os.WriteFile(filepath.Join(p.dir, "haproxy.cfg"), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *proxy) run(more ...string) {
	p.t.Helper()
	p.said = &bytes.Buffer{}
	p.runs = exec.Command("haproxy", append([]string{"-db", "-f", filepath.Join(p.dir, "haproxy.cfg")}, more...)...)
	p.runs.Stdout, p.runs.Stderr = p.said, p.said
	if err := p.runs.Start(); err != nil {
		p.t.Fatal(err)
	}
	pid := fmt.Sprintf("Pid: %d\n", p.runs.Process.Pid)
	until(p.t, "HAProxy answers", func() bool {
		c, err := net.Dial("unix", p.socket())
		if err != nil {
			return false
		}
		defer c.Close()
		_, _ = io.WriteString(c, "show info\n") // what comes of it is read
		b, _ := io.ReadAll(c)
		return strings.Contains(string(b), pid)
	})
}

// reload starts another process, which tells the one before to end with its last
// connection, as "systemctl reload" does.
func (p *proxy) reload() {
	p.t.Helper()
	old := p.runs
	p.run("-sf", fmt.Sprint(old.Process.Pid))
	if err := old.Wait(); err != nil {
		p.t.Logf("the process before: %v", err)
	}
}

func (p *proxy) end() {
	_ = p.runs.Process.Signal(syscall.SIGTERM) // it may have ended
	if err := p.runs.Wait(); err != nil {
		p.t.Logf("HAProxy ended: %v: %s", err, p.said)
	}
}

// until waits for what another process does.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick, end := time.NewTicker(5*time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("after 20 s it is not so: %s", what)
		}
	}
}

// get asks the frontend, and says who answered.
func (p *proxy) get(path string) string {
	resp, err := p.request.Get("http://app" + path)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

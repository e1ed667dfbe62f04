package terraform

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// backend is a state that is kept over HTTP, with a lock. It releases its lock to whoever
// asks, as many such servers do.
type backend struct {
	url string

	mu     sync.Mutex
	state  []byte
	lock   []byte // the holder's lock info
	dead   bool   // it takes no state
	writes int
	frees  int
	hold   chan struct{} // a request of held waits for it
	held   string        // "POST before": which requests wait, and whether before they have an effect
	came   chan struct{} // tells that one waits
}

func newBackend(t testing.TB) *backend {
	b := &backend{came: make(chan struct{}, 8)}
	s := httptest.NewServer(b)
	b.url = s.URL + "/network"
	t.Cleanup(func() { b.release(); s.CloseClientConnections(); s.Close() })
	return b
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // it was killed
	}
	b.wait(r.Method + " before")
	code, said := b.serve(r.Method, body)
	b.wait(r.Method + " after")
	w.WriteHeader(code)
	_, _ = w.Write(said)
}

func (b *backend) wait(at string) {
	b.mu.Lock()
	hold := b.hold
	if b.held != at {
		hold = nil
	}
	b.mu.Unlock()
	if hold != nil {
		b.came <- struct{}{}
		<-hold
	}
}

func (b *backend) serve(method string, body []byte) (int, []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case method == "LOCK" && b.lock != nil:
		return http.StatusLocked, b.lock
	case method == "LOCK":
		b.lock = body
	case method == "UNLOCK":
		b.lock = nil
		b.frees++
	case b.dead:
		return http.StatusInternalServerError, nil
	case method == "POST":
		b.state = body
		b.writes++
	case b.state == nil:
		return http.StatusNotFound, nil
	default:
		return http.StatusOK, b.state
	}
	return http.StatusOK, nil
}

// do changes it.
func (b *backend) do(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

// stop has the next requests of a method wait before or after they have an effect.
func (b *backend) stop(at string) {
	b.do(func() { b.held, b.hold = at, make(chan struct{}) })
}

// release lets those go that wait.
func (b *backend) release() {
	b.do(func() {
		if b.hold != nil {
			close(b.hold)
		}
		b.held, b.hold = "", nil
	})
}

// lockAs has somebody hold the lock.
func (b *backend) lockAs(id string) {
	b.do(func() {
		b.lock = []byte(`{"ID":"` + id + `","Operation":"OperationTypeApply","Who":"eve@laptop","Version":"1.11.4","Created":"2026-11-20T10:00:00Z"}`)
	})
}

// locked is the id of the lock that is held.
func (b *backend) locked() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var info struct{ ID string }
	if json.Unmarshal(b.lock, &info) != nil {
		return ""
	}
	return info.ID
}

func (b *backend) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.state)
}

// http has the module keep its state in a backend of the test's own.
func (m *module) http(body string) (*Applier, *backend) {
	m.t.Helper()
	b := newBackend(m.t)
	m.write(body)
	path := filepath.Join(m.tree, "network", "production", "main.tf")
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(strings.Replace(string(text), `backend "local"`, `backend "http"`, 1)), 0o600)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return m.step(func(c *Config) { c.Backend = b.settings() }), b
}

// settings are those of the backend block.
func (b *backend) settings() map[string]string {
	return map[string]string{"address": b.url, "lock_address": b.url, "unlock_address": b.url, "retry_max": "0"}
}

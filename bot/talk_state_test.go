package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// talkOverHTTP is a line of a script that has the state of a root module kept by a server
// with a lock, where it is a file otherwise.
var talkOverHTTP = regexp.MustCompile(`^# The state of (\S+) is kept over HTTP\.$`)

// talkState is such a server.
type talkState struct {
	mu    sync.Mutex
	state []byte
	lock  []byte
	dead  bool           // it takes no state and gives none
	did   map[string]int // requests, by method
	hold  string         // the method that waits, as long as it says so
}

// do changes it.
func (s *talkState) do(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// talkOver begins the conversation of a script, with such a server where it wants one.
func talkOver(t testing.TB, script []string) *talk {
	edit := talkConfig(script)
	at := slices.IndexFunc(script, talkOverHTTP.MatchString)
	if at < 0 {
		return newTalk(t, edit)
	}
	s := &talkState{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	dir := talkOverHTTP.FindStringSubmatch(script[at])[1]
	k := newTalk(t, func(b []byte) []byte {
		return talkTerraform.ReplaceAllFunc(edit(b), func(step []byte) []byte {
			if string(talkTerraform.FindSubmatch(step)[1]) != dir {
				return step
			}
			return fmt.Appendf(nil, "- terraform: {dir: %[1]s, backend: {address: %[2]q, lock_address: %[2]q, unlock_address: %[2]q, retry_max: \"0\"}}", dir, server.URL)
		})
	})
	k.state = s
	return k
}

func (s *talkState) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	code, said := s.serve(r.Method, body)
	waitUntil(func() (free bool) { s.do(func() { free = s.hold != r.Method }); return free })
	w.WriteHeader(code)
	_, _ = w.Write(said)
}

// waitUntil waits for what a test says later.
func waitUntil(ok func() bool) {
	for end := time.Now().Add(patience); !ok() && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
}

func (s *talkState) serve(method string, body []byte) (code int, said []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.did == nil {
		s.did = map[string]int{}
	}
	s.did[method]++
	switch {
	case method == "LOCK" && s.lock != nil:
		return http.StatusLocked, s.lock
	case method == "LOCK":
		s.lock = body
	case method == "UNLOCK":
		s.lock = nil
	case s.dead:
		return http.StatusInternalServerError, nil
	case method == "POST":
		s.state = body
	case s.state == nil:
		return http.StatusNotFound, nil
	default:
		return http.StatusOK, s.state
	}
	return http.StatusOK, nil
}

// lockState is what somebody does with Terraform on a machine of their own.
func (k *talk) lockState(m []string) error {
	if k.state == nil {
		return fmt.Errorf("no state is kept over HTTP")
	}
	k.state.mu.Lock()
	defer k.state.mu.Unlock()
	k.state.lock = fmt.Appendf(nil, `{"ID": %q, "Who": %q}`, m[1], m[0]+"@laptop")
	return nil
}

// lookAtLock shows who holds the lock.
func (k *talk) lookAtLock([]string) error {
	k.state.mu.Lock()
	defer k.state.mu.Unlock()
	var l struct{ ID, Who string }
	if k.state.lock == nil {
		k.write("", []string{"nobody holds it"})
		return nil
	}
	if err := json.Unmarshal(k.state.lock, &l); err != nil {
		return err
	}
	k.write("", []string{strings.TrimSuffix(l.Who, "@laptop") + " holds it as " + l.ID})
	return nil
}

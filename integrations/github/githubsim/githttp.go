package githubsim

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
)

// serveGit is git's smart HTTP protocol. It runs upload-pack and receive-pack
// itself, because http-backend is not part of every git package.
func (s *Sim) serveGit(w http.ResponseWriter, r *http.Request) {
	g := &gitCall{s: s, w: w, r: r}
	owner, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	name, action, _ := strings.Cut(rest, "/")
	name = strings.TrimSuffix(name, ".git")
	g.service = strings.TrimPrefix(action, "git-")
	if action == "info/refs" {
		g.service = strings.TrimPrefix(r.URL.Query().Get("service"), "git-")
	}
	if g.service != "upload-pack" && g.service != "receive-pack" {
		http.Error(w, "Please upgrade your git client to one that speaks the smart protocol.", http.StatusForbidden)
		return
	}
	if !g.admit(owner, name) {
		return
	}
	if f := s.faults.take(faultError, faultMatch{method: r.Method, path: r.URL.Path, repo: g.repo.full()}); f != nil {
		http.Error(w, "Server Error", max(f.Status, http.StatusInternalServerError))
		return
	}
	switch {
	case action == "info/refs" && r.Method == http.MethodGet:
		g.advertise()
	case r.Method != http.MethodPost:
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
	case g.service == "receive-pack":
		g.push()
	default:
		g.fetch()
	}
}

type gitCall struct {
	s       *Sim
	w       http.ResponseWriter
	r       *http.Request
	service string
	user    *User
	repo    *repoRow
}

// admit checks the credentials; any user name will do, the token is the
// password.
func (g *gitCall) admit(owner, name string) bool {
	token := ""
	if _, pass, ok := g.r.BasicAuth(); ok {
		token = pass
	} else if _, t, ok := strings.Cut(g.r.Header.Get("Authorization"), " "); ok {
		token = t
	}
	g.user, _ = g.s.userByToken(token)
	g.s.mu.RLock()
	defer g.s.mu.RUnlock()
	g.repo = g.s.repoNamed(owner, name)
	login := ""
	if g.user != nil {
		login = g.user.Login
	}
	needsUser := g.repo == nil || !g.repo.Public || g.service == "receive-pack"
	switch {
	case g.user == nil && (needsUser || token != ""):
		g.w.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
		text := "Repository not found."
		if token != "" {
			text = "Invalid username or token. Password authentication is not supported for Git operations."
		}
		http.Error(g.w, text, http.StatusUnauthorized)
	case g.repo == nil || g.s.levelOf(login, g.repo) < read:
		http.Error(g.w, "Repository not found.", http.StatusNotFound)
	case g.service == "receive-pack" && g.s.levelOf(login, g.repo) < write:
		http.Error(g.w, fmt.Sprintf("Permission to %s.git denied to %s.", g.repo.full(), login), http.StatusForbidden)
	default:
		return true
	}
	return false
}

func (g *gitCall) command(ctx context.Context, args ...string) *exec.Cmd {
	args = append([]string{g.service, "--stateless-rpc"}, args...)
	cmd := exec.CommandContext(ctx, "git", append(args, g.s.gitDir(g.repo))...)
	var extra []string
	if proto := g.r.Header.Get("Git-Protocol"); proto != "" {
		extra = append(extra, "GIT_PROTOCOL="+proto)
	}
	cmd.Env = gitEnv(extra...)
	return cmd
}

func (g *gitCall) advertise() {
	out, err := g.command(g.r.Context(), "--advertise-refs").Output()
	if err != nil {
		http.Error(g.w, "advertise refs", http.StatusInternalServerError)
		return
	}
	g.header("advertisement")
	var head []byte
	if !strings.Contains(g.r.Header.Get("Git-Protocol"), "version=2") || g.service == "receive-pack" {
		line := "# service=git-" + g.service + "\n"
		head = fmt.Appendf(nil, "%04x%s0000", len(line)+4, line)
	}
	g.send(append(head, out...))
}

func (g *gitCall) header(kind string) {
	h := g.w.Header()
	h.Set("Content-Type", "application/x-git-"+g.service+"-"+kind)
	h.Set("Cache-Control", "no-cache, max-age=0, must-revalidate")
}

func (g *gitCall) send(b []byte) {
	if _, err := g.w.Write(b); err != nil {
		g.s.log.Debug("write git answer", "err", err)
	}
}

func (g *gitCall) body() (io.Reader, error) {
	if g.r.Header.Get("Content-Encoding") == "gzip" {
		return gzip.NewReader(g.r.Body)
	}
	return g.r.Body, nil
}

func (g *gitCall) fetch() {
	body, err := g.body()
	if err != nil {
		http.Error(g.w, "gzip", http.StatusBadRequest)
		return
	}
	g.header("result")
	cmd := g.command(g.r.Context())
	cmd.Stdin, cmd.Stdout = body, g.w
	if err := cmd.Run(); err != nil {
		g.s.log.Debug("git upload-pack", "repo", g.repo.full(), "err", err)
	}
}

// push takes the whole pack before it locks, so that a slow client holds
// nobody up, and answers only when all that follows from the push is on disk.
func (g *gitCall) push() {
	s := g.s
	file, err := os.CreateTemp(s.dir, "push-")
	if err != nil {
		http.Error(g.w, "no room", http.StatusInternalServerError)
		return
	}
	defer os.Remove(file.Name())
	defer file.Close()
	body, err := g.body()
	if err == nil {
		_, err = io.Copy(file, body)
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		http.Error(g.w, "read pack", http.StatusBadRequest)
		return
	}
	path := g.r.URL.Path
	s.onRequest("before", http.MethodPost, path)
	out, err := g.receive(file)
	s.onRequest("after", http.MethodPost, path)
	if s.faults.take(faultLoseReply, faultMatch{method: http.MethodPost, path: path, repo: g.repo.full()}) != nil {
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		s.log.Error("receive push", "repo", g.repo.full(), "err", err)
		http.Error(g.w, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	g.header("result")
	g.send(out)
}

func (g *gitCall) receive(pack io.Reader) ([]byte, error) {
	s := g.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return nil, s.broken
	}
	if g.repo.Pusher != g.user.Login { // known before git moves anything
		g.repo.Pusher = g.user.Login
		put(s, &s.state.Repos, g.repo.ID, g.repo)
		if err := s.commit(); err != nil {
			return nil, err
		}
	}
	after := s.snapshotForLag(g.repo)
	var out bytes.Buffer
	cmd := g.command(context.Background())
	cmd.Stdin, cmd.Stdout = pack, &out
	if err := cmd.Run(); err != nil && out.Len() == 0 {
		return nil, fmt.Errorf("git receive-pack: %w", err)
	}
	if err := s.syncRefs(g.repo, g.user.Login); err != nil {
		return nil, err
	}
	after()
	if err := s.commit(); err != nil {
		return nil, err
	}
	s.wakeLocked()
	return out.Bytes(), nil
}

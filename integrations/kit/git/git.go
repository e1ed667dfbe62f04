// Package git keeps one bare mirror of each repository and makes work trees
// from it, by running the git program.
//
// It is part of the kit. What it guards against:
//
//   - Credentials. A token reaches git in the environment of the one process
//     that talks to the server, as an extra header for that server alone: it
//     never stands in an argument, a configuration file or a remote's URL, so a
//     work tree cannot give it away. Errors are redacted.
//   - The machine's own configuration. System and user configuration, hooks,
//     prompts, credential helpers, LFS filters and submodules are off; only
//     https, http and file are spoken.
//   - Hostile work trees. Code of a pull request runs in a work tree and may
//     put there a .git that names a configuration with commands in it. No git
//     runs there after it was made: every command is given the mirror by name
//     and runs in the mirror, a work tree is removed as any folder is, and the
//     mirror's configuration is ours, written again before each use.
//
// A mirror is used by one process at a time. Git processes die with it, and
// what lock files they leave are cleared when the mirror is first used again.
package git

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/redact"
)

// Mirrors is a folder of mirrors.
type Mirrors struct {
	dir   string
	token func(ctx context.Context, repoURL string) (string, error)

	mu     sync.Mutex
	repos  map[string]*Repo
	wishes chan wish
}

// New keeps mirrors in dir. token returns the password for a repository, "" for
// none; it may be nil.
func New(dir string, token func(ctx context.Context, repoURL string) (string, error)) *Mirrors {
	return &Mirrors{dir: dir, token: token, repos: map[string]*Repo{}, wishes: make(chan wish, aheadMost)}
}

// Repo is the mirror of one repository. It is safe for concurrent use: what
// changes it runs one at a time.
type Repo struct {
	m    *Mirrors
	url  string
	base string // scheme and host, which alone get the token
	dir  string

	mu    sync.Mutex // held while the mirror is changed
	ready bool

	known commits
}

// Repo is the mirror of the repository at the URL, which must hold no
// credentials. Nothing is done until it is used.
func (m *Mirrors) Repo(repoURL string) (*Repo, error) {
	u, err := url.Parse(repoURL)
	if err != nil {
		return nil, fmt.Errorf("mirror a repository: %w", redact.New(nil).Error(err))
	}
	if u.User != nil {
		return nil, fmt.Errorf("mirror %s: the URL must hold no credentials", u.Redacted())
	}
	switch u.Scheme {
	case "https", "http", "file":
	default:
		return nil, fmt.Errorf("mirror %s: the scheme must be https", repoURL)
	}
	sum := sha256.Sum256([]byte(repoURL))
	name := unfit.ReplaceAllString(u.Host+u.Path, "-")
	name = strings.Trim(name[max(0, len(name)-60):], "-") + "-" + hex.EncodeToString(sum[:6]) + ".git"

	m.mu.Lock()
	defer m.mu.Unlock()
	if r, ok := m.repos[repoURL]; ok {
		return r, nil
	}
	dir, err := filepath.Abs(filepath.Join(m.dir, name))
	if err != nil {
		return nil, fmt.Errorf("mirror %s: %w", repoURL, err)
	}
	r := &Repo{m: m, url: repoURL, base: u.Scheme + "://" + u.Host + "/", dir: dir}
	m.repos[repoURL] = r
	return r, nil
}

var unfit = regexp.MustCompile(`[^A-Za-z0-9._]+`)

// Error is a git command that failed.
type Error struct {
	Op   string // the act and the thing: "fetch https://…"
	Code int
	Text string // git's own words, redacted
}

func (e *Error) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("%s: git ended with %d", e.Op, e.Code)
	}
	return e.Op + ": " + e.Text
}

// config is all the configuration a mirror has.
const config = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n"

// settings hold for every run and win over any configuration file.
var settings = [][2]string{
	{"core.hooksPath", "/dev/null"},
	{"core.fsmonitor", "false"},
	{"core.sshCommand", "/bin/false"},
	{"core.askPass", "/bin/false"},
	{"core.symlinks", "true"},
	{"core.autocrlf", "false"},
	{"core.attributesFile", "/dev/null"},
	{"core.excludesFile", "/dev/null"},
	{"core.quotePath", "false"},
	{"core.logAllRefUpdates", "false"},
	{"credential.helper", ""},
	{"protocol.allow", "never"},
	{"protocol.https.allow", "always"},
	{"protocol.http.allow", "always"},
	{"protocol.file.allow", "always"},
	{"http.followRedirects", "false"}, // the extra header would go along
	{"http.lowSpeedLimit", "1"},
	{"http.lowSpeedTime", "60"},
	{"submodule.recurse", "false"},
	{"fetch.recurseSubmodules", "false"},
	{"gc.auto", "0"},
	{"maintenance.auto", "false"},
	{"advice.detachedHead", "false"},
}

// call is one run of git.
type call struct {
	op    string
	args  []string
	token string
	ok    []int // exit codes that are not an error
}

// git runs one command on the mirror and returns its output and exit code.
func (r *Repo) git(ctx context.Context, c call) ([]byte, int, error) {
	pairs := append([][2]string{{"safe.directory", r.dir}}, settings...)
	var secrets []string
	if c.token != "" {
		basic := base64.StdEncoding.EncodeToString([]byte("x-access-token:" + c.token))
		pairs = append(pairs, [2]string{"http." + r.base + ".extraHeader", "Authorization: Basic " + basic})
		secrets = []string{c.token, basic}
	}
	cmd := exec.CommandContext(ctx, "git", append([]string{"--git-dir=" + r.dir, "--no-pager"}, c.args...)...)
	cmd.Dir = r.dir
	cmd.Env = environment(pairs)
	// It is in a group of its own, with what it starts, and dies with us.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words

	runtime.LockOSThread() // the death signal is tied to the thread
	err := cmd.Run()
	runtime.UnlockOSThread()
	code := cmd.ProcessState.ExitCode() // -1 for none
	if err == nil {
		return out.Bytes(), 0, nil
	}
	if ctx.Err() != nil {
		return nil, code, fmt.Errorf("%s: %w", c.op, ctx.Err())
	}
	for _, ok := range c.ok {
		if code == ok {
			return out.Bytes(), code, nil
		}
	}
	clean := redact.New(secrets)
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return nil, code, fmt.Errorf("%s: %w", c.op, clean.Error(err))
	}
	return nil, code, &Error{Op: c.op, Code: code, Text: clean.String(strings.TrimSpace(words.String()))}
}

func environment(pairs [][2]string) []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "XDG_CONFIG_HOME=/nonexistent", "LC_ALL=C", "TZ=UTC",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_ATTR_NOSYSTEM=1",
		"GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=/bin/false", "SSH_ASKPASS=/bin/false", "GIT_LFS_SKIP_SMUDGE=1",
		"GIT_OPTIONAL_LOCKS=0", "GIT_NO_REPLACE_OBJECTS=1", "GIT_LITERAL_PATHSPECS=1",
		fmt.Sprintf("GIT_CONFIG_COUNT=%d", len(pairs)),
	}
	for _, name := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "https_proxy", "HTTPS_PROXY", "http_proxy", "no_proxy", "NO_PROXY", "TMPDIR"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	for i, p := range pairs {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, p[0]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, p[1]))
	}
	return env
}

// open makes the mirror if there is none, and puts it right. The caller holds
// the lock.
func (r *Repo) open(ctx context.Context) error {
	if r.ready {
		return r.configure()
	}
	op := "open the mirror of " + r.url
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if err := r.clearLocks(); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	// On a mirror that is whole this changes nothing. One whose init was killed
	// in the middle has a HEAD and no objects, and is mended by it.
	if _, _, err := r.git(ctx, call{op: op, args: []string{"init", "--quiet", "--bare", "--template=", r.dir}}); err != nil {
		return err
	}
	if err := r.configure(); err != nil {
		return err
	}
	r.ready = true
	return nil
}

// configure writes the mirror's configuration again if it is not ours. It is
// replaced as a whole, so that no lock is needed beside a running git.
func (r *Repo) configure() error {
	path := filepath.Join(r.dir, "config")
	b, err := os.ReadFile(path)
	if err == nil && string(b) == config {
		return nil
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = replace(path, config)
	}
	if err != nil {
		return fmt.Errorf("configure the mirror of %s: %w", r.url, err)
	}
	return nil
}

func replace(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// clearLocks removes the lock files of git processes that died with an earlier
// process of ours, and the locks of work trees they were making. Objects have
// none that matter.
func (r *Repo) clearLocks() error {
	return filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "objects" {
			return fs.SkipDir
		}
		tree, _ := filepath.Match(filepath.Join(r.dir, "worktrees", "*", "locked"), path)
		if !d.IsDir() && (tree || strings.HasSuffix(d.Name(), ".lock")) {
			return os.Remove(path)
		}
		return nil
	})
}

package githubsim

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// ensureRepo makes a repository that is not there yet, and brings what it
// allows in line with the configuration.
func (s *Sim) ensureRepo(cfg Repo) error {
	if cfg.DefaultBranch == "" {
		cfg.DefaultBranch = "main"
	}
	row := s.repoNamed(cfg.Owner, cfg.Name)
	if row == nil {
		row = &repoRow{
			ID: s.newID(), Owner: cfg.Owner, Name: cfg.Name, DefaultBranch: cfg.DefaultBranch,
			Created: s.now(), Pushed: s.now(),
		}
		if err := s.seed(row, cfg); err != nil {
			return fmt.Errorf("seed %s: %w", row.full(), err)
		}
		refs, err := s.refsNow(row)
		if err != nil {
			return err
		}
		row.Refs = refs
	}
	row.Public, row.Perms = cfg.Public, cfg.Collaborators
	row.Protect, row.DeleteOnMerge = cfg.Protect, cfg.DeleteBranchOnMerge
	put(s, &s.state.Repos, row.ID, row)
	return nil
}

// seed builds the repository aside and moves it into place whole; a leftover of
// a life that ended before its row was written is thrown away.
func (s *Sim) seed(row *repoRow, cfg Repo) error {
	final := s.gitDir(row)
	if err := os.RemoveAll(final); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(final), 0o700); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(s.dir, "seed-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	bare, work := filepath.Join(tmp, "bare.git"), filepath.Join(tmp, "work")
	if err := s.initBare(bare, row.DefaultBranch); err != nil {
		return err
	}
	if err := s.seedWork(work, cfg); err != nil {
		return err
	}
	if err := Git(work, "push", "-q", bare, "--all"); err != nil {
		return err
	}
	if err := Git(work, "push", "-q", bare, "--tags"); err != nil {
		return err
	}
	return os.Rename(bare, final)
}

func (s *Sim) seedWork(work string, cfg Repo) error {
	if err := os.MkdirAll(work, 0o700); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"init", "-q", "-b", cfg.DefaultBranch},
		{"config", "user.name", cfg.Owner},
		{"config", "user.email", cfg.Owner + "@users.noreply.github.com"},
		{"config", "commit.gpgsign", "false"},
		{"config", "gc.auto", "0"},
	} {
		if err := Git(work, args...); err != nil {
			return err
		}
	}
	files := cfg.Files
	if len(files) == 0 {
		files = map[string]string{"README.md": "# " + cfg.Name + "\n"}
	}
	for name, text := range files {
		path := filepath.Join(work, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	if err := commitAll(work, "Initial commit"); err != nil {
		return err
	}
	for _, b := range cfg.Branches {
		if err := Git(work, "branch", b); err != nil {
			return err
		}
	}
	if cfg.Seed == nil {
		return nil
	}
	if err := cfg.Seed(work); err != nil {
		return err
	}
	if out, err := (gitRun{dir: work}).run("status", "--porcelain"); err != nil || out == "" {
		return err
	}
	return commitAll(work, "Initial content")
}

func commitAll(work, message string) error {
	if err := Git(work, "add", "-A"); err != nil {
		return err
	}
	return Git(work, "commit", "-q", "-m", message)
}

func (s *Sim) initBare(dir, branch string) error {
	if _, err := (gitRun{}).run("init", "-q", "--bare", "-b", branch, dir); err != nil {
		return err
	}
	for _, kv := range [][2]string{
		{"gc.auto", "0"},
		{"receive.autogc", "false"},
		{"receive.hideRefs", "refs/pull"},
		{"uploadpack.allowAnySHA1InWant", "true"},
		{"uploadpack.allowFilter", "true"},
	} {
		if err := Git(dir, "config", kv[0], kv[1]); err != nil {
			return err
		}
	}
	return nil
}

// ensureHooks brings the configured hooks in line; hooks that were made through
// the API are left alone.
func (s *Sim) ensureHooks() error {
	want := map[string]bool{}
	for i, h := range s.cfg.Hooks {
		for _, r := range s.state.Repos.sorted(nil) {
			if h.Repo != r.full() && (h.Repo != "*" || r.Parent != 0) {
				continue
			}
			key := fmt.Sprintf("%d %s", i, r.full())
			want[key] = true
			s.ensureHook(key, r, h)
		}
	}
	for _, h := range s.state.Hooks.sorted(nil) {
		if h.Config != "" && !want[h.Config] {
			remove(s, &s.state.Hooks, h.ID)
		}
	}
	return nil
}

func (s *Sim) ensureHook(key string, r *repoRow, cfg Hook) {
	var row *hookRow
	for _, h := range s.state.Hooks.rows {
		if h.Config == key {
			row = h
		}
	}
	if row == nil {
		row = &hookRow{ID: s.newID(), Repo: r.ID, Config: key, ContentType: "json", Active: true, Created: s.now()}
	}
	row.URL, row.Secret, row.Events, row.App = cfg.URL, cfg.Secret, slices.Clone(cfg.Events), cfg.App
	if len(row.Events) == 0 {
		row.Events = []string{"*"}
	}
	put(s, &s.state.Hooks, row.ID, row)
}

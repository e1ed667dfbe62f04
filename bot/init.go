package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The files that init writes.
const (
	configFile        = "signalbox.yaml"
	slackManifestFile = "slack-manifest.yaml"
	gitHubAppFile     = "github-app.json"
)

type initCommand struct {
	Dir   string `default:"." placeholder:"DIR" help:"The folder that the files are written into."`
	Force bool   `help:"Overwrite files that are there."`
}

func (c initCommand) Run(s *scene) error {
	if err := c.free(); err != nil {
		return err
	}
	a, err := interview(s.in, s.out, originOf(s.ctx, c.Dir), isTerminal(s.in))
	if err != nil {
		return err
	}
	config := a.config()
	if err := a.tryConfig(config); err != nil {
		return fmt.Errorf("the configuration that came of this is wrong, which is a fault in signalbox: %w", err)
	}
	files, link := appFiles(a.organisation(), a.hook())
	files[configFile] = config
	fmt.Fprintln(s.out)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := c.write(name, files[name]); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "Wrote %s\n", filepath.Join(c.Dir, name))
	}
	_, err = io.WriteString(s.out, a.nextSteps(link))
	return err
}

// free refuses to begin where something would be lost.
func (c initCommand) free() error {
	if c.Force {
		return nil
	}
	var there []string
	for _, name := range []string{configFile, slackManifestFile, gitHubAppFile} {
		if _, err := os.Lstat(filepath.Join(c.Dir, name)); err == nil {
			there = append(there, filepath.Join(c.Dir, name))
		} else if !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if len(there) > 0 {
		return fmt.Errorf("%s: there already; --force overwrites, --dir names another folder", strings.Join(there, ", "))
	}
	return nil
}

// write puts a file there at once or not at all; without --force one that came
// meanwhile stays.
func (c initCommand) write(name string, text []byte) error {
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if c.Force {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(filepath.Join(c.Dir, name), flags, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// A question is asked until its answer is one. At a terminal a wrong answer is said
// and asked for again; from a pipe it ends init, as the next line answers another
// question.
type question struct {
	ask    string
	usual  string // "" has to be answered, unless empty is said to mean something
	empty  bool
	answer func(string) error
}

// answers are what was said, checked.
type answers struct {
	repository   string
	environments []string
	folder       string // of the Terraform, with {environment} in it where they differ
	channel      string
	name         string
	slack        string
	github       string
	publicURL    string
}

func (a *answers) service() string {
	_, name, _ := strings.Cut(a.repository, "/")
	return strings.ToLower(name)
}

func (a *answers) organisation() string {
	owner, _, _ := strings.Cut(a.repository, "/")
	return owner
}

func (a *answers) hook() string {
	if a.publicURL == "" {
		return ""
	}
	return a.publicURL + "/github"
}

// interview asks the six questions. origin is the repository that is meant unless
// another is said; typed says that a person sits there, who sees what they type and
// can be asked again.
func interview(in io.Reader, out io.Writer, origin string, typed bool) (*answers, error) {
	a := &answers{}
	lines := bufio.NewScanner(in)
	all := a.questions(origin)
	for i, q := range all {
		prompt := fmt.Sprintf("%d/%d  %s", i+1, len(all), q.ask)
		if q.usual != "" {
			prompt += " [" + q.usual + "]"
		}
		for done := false; !done; {
			fmt.Fprint(out, prompt+" ")
			if !lines.Scan() {
				fmt.Fprintln(out)
				return nil, fmt.Errorf("the answers ended before question %d of %d, and nothing was written: %w", i+1, len(all), errors.Join(lines.Err(), io.ErrUnexpectedEOF))
			}
			said := strings.TrimSpace(lines.Text())
			if said == "" {
				said = q.usual
			}
			if !typed {
				fmt.Fprintln(out, said)
			}
			err := errors.New("it needs an answer")
			if said != "" || q.empty {
				err = q.answer(said)
			}
			switch {
			case err == nil:
				done = true
			case !typed:
				return nil, fmt.Errorf("the answer to question %d of %d, and nothing was written: %w", i+1, len(all), err)
			default:
				fmt.Fprintf(out, "     %v\n", err)
			}
		}
	}
	return a, nil
}

// originTimeout is how long git may take to say where a clone came from.
const originTimeout = 5 * time.Second

// originOf is the GitHub repository that a folder is a clone of, "" if it is none.
func originOf(ctx context.Context, dir string) string {
	ctx, cancel := context.WithTimeout(ctx, originTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", "-C", dir, "remote", "get-url", "origin")
	b, err := cmd.Output()
	if err != nil {
		return ""
	}
	url := strings.TrimSuffix(strings.TrimSpace(string(b)), ".git")
	for _, host := range []string{"https://github.com/", "git@github.com:", "ssh://git@github.com/"} {
		if repo, ok := strings.CutPrefix(url, host); ok && repoShape.MatchString(repo) {
			return repo
		}
	}
	return ""
}

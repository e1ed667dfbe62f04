package remote

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Argv is a program with its arguments, never a line for a shell.
type Argv []string

// Example is what the configuration shows to who wrote something else.
func (Argv) Example() string { return "[./deploy.sh, production]" }

// Order is what the configuration of each such step says beside what its engine needs.
type Order struct {
	// Adopt follows the run that the CI starts by itself for a commit, and starts none.
	Adopt bool `yaml:"adopt" json:"adopt,omitempty"`
	// Inputs are given to the run besides target, sha, job and nonce.
	Inputs map[string]string `yaml:"inputs" json:"inputs,omitempty"`
	// StartWait is for how long a run is looked for that has to begin, and a CI asked
	// again that is away; Limit for how long a run may take, and Poll how often it is
	// looked at; all of wall time.
	StartWait time.Duration `yaml:"start_wait" json:"start_wait"`
	Limit     time.Duration `yaml:"limit" json:"limit"`
	Poll      time.Duration `yaml:"poll" json:"poll"`
	// Local is the program, with its arguments, that does the same on the bot's machine
	// while the CI is away and somebody asks for it; none is of a step that cannot be. It is
	// run from the root of the repository.
	Local Argv `yaml:"local" json:"local,omitempty"`
}

// Default is an order in which nothing is said.
func Default() Order {
	return Order{StartWait: 2 * time.Minute, Limit: time.Hour, Poll: 10 * time.Second}
}

const (
	shortestPoll = 10 * time.Millisecond
	longestWait  = 24 * time.Hour
)

// The inputs of each run.
const (
	inputTarget = "target"
	inputSHA    = "sha"
	inputJob    = "job"
	inputNonce  = "nonce"
)

var (
	ours       = []string{inputTarget, inputSHA, inputJob, inputNonce}
	inputShape = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,99}$`)
)

// Validate returns every mistake there is, joined.
func (o Order) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	errs = append(errs, CheckInputs(o.Inputs)...)
	if o.Adopt && len(o.Inputs) > 0 {
		bad("inputs: a run that the CI starts by itself is given none; leave out adopt or inputs")
	}
	if o.Poll < shortestPoll {
		bad("poll: %v is too short; want %v or more", o.Poll, shortestPoll)
	}
	if o.Limit <= 0 || o.Limit > longestWait {
		bad("limit: %v is not a time; want one up to %v", o.Limit, longestWait)
	}
	if o.StartWait <= 0 || o.StartWait > longestWait {
		bad("start_wait: %v is not a time; want one up to %v", o.StartWait, longestWait)
	}
	if len(o.Local) > 0 && strings.TrimSpace(o.Local[0]) == "" {
		bad("local: the program is missing; want %s", o.Local.Example())
	}
	return errors.Join(errs...)
}

// CheckInputs says what keeps inputs from being given to a run.
func CheckInputs(inputs map[string]string) (errs []error) {
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		switch {
		case !inputShape.MatchString(name):
			errs = append(errs, fmt.Errorf("inputs: %q is not the name of an input", name))
		case slices.Contains(ours, name):
			errs = append(errs, fmt.Errorf("inputs: %s is given by signalbox itself", name))
		}
	}
	return errs
}

// Nothing compiles the pattern that is found in a plan in which there is nothing to do; nil
// for none. Its ^ and $ are of a line.
func Nothing(pattern string) (*regexp.Regexp, error) {
	if pattern == "" {
		return nil, nil
	}
	re, err := regexp.Compile("(?m)" + pattern)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q is no pattern: %v", pattern, err)
	case re.MatchString(""):
		return nil, fmt.Errorf("%q matches where nothing stands", pattern)
	}
	return re, nil
}

var variableShape = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// CheckToken says what keeps a text from being the name of the variable that holds the
// engine's token. The text is not in the error: it may be that token.
func CheckToken(name, example string) error {
	if !variableShape.MatchString(name) {
		return fmt.Errorf("want the name of a variable of plan_env and apply_env, such as %s, and no token", example)
	}
	return nil
}

// Token is what that variable holds in the environment of the tool.
func Token(name string) (string, error) {
	token := os.Getenv(name)
	if token == "" {
		return "", fmt.Errorf("there is no %s in the environment of the step: give it a token in plan_env and apply_env of the target", name)
	}
	return token, nil
}

// Request is what the two processes of a step hand each other: the bot's, and that of
// the tool, our own binary. It holds no secret.
type Request struct {
	Order
	// Engine is what people call the CI: "GitHub Actions". What is what is run there:
	// "deploy.yml of acme/infra".
	Engine string `json:"engine"`
	What   string `json:"what"`
	// Settings are the engine's own.
	Settings json.RawMessage `json:"settings"`
	Target   string          `json:"target"`
	Job      string          `json:"job"`
	SHA      string          `json:"sha"`
	// Key begins the nonce of each run of this step, and of no other's.
	Key string `json:"key"`
	// Plan says that a run is wanted that plans, and changes nothing.
	Plan bool `json:"plan,omitempty"`
	// Dir holds what was begun, and what came of it.
	Dir string `json:"dir"`
}

// Values are what a run is told, by the names of inputs.
func (q Request) Values(nonce string) map[string]string {
	out := map[string]string{inputTarget: q.Target, inputSHA: q.SHA, inputJob: q.Job, inputNonce: nonce}
	maps.Copy(out, q.Inputs)
	return out
}

// Mark begins the nonces of the runs of this step at this commit.
func (q Request) mark() string { return q.Key + "-" + q.SHA[:min(12, len(q.SHA))] + "-" }

const (
	applyFile   = "remote-apply.json"
	planFile    = "remote-plan.json"
	outcomeFile = "remote-outcome.json"
)

// record is what was begun, each part written before or right after it was.
type record struct {
	Nonce string    `json:"nonce,omitempty"` // written before a run is started
	Begun time.Time `json:"begun,omitzero"`  // when that was
	ID    string    `json:"id,omitempty"`    // written when the engine has told it
	URL   string    `json:"url,omitempty"`
	// Adopted says that the CI started it by itself.
	Adopted bool `json:"adopted,omitempty"`
	// Cancel says that its end is wanted, and why; written before the engine is asked.
	Cancel string `json:"cancel,omitempty"`
}

// The outcomes of an apply.
const (
	Done    = "done"
	Broken  = "failed"
	Stopped = "stopped" // a person did not want it any more
	Unknown = "unknown" // nobody can tell what there is
)

// Outcome is how an apply came out, in words for people.
type Outcome struct {
	State string `json:"state"`
	Why   string `json:"why,omitempty"`
}

// Ended is the outcome that the tool wrote down; its State is empty where it did not come
// to that.
func Ended(dir string) (o Outcome, err error) {
	return o, readJSON(dir, outcomeFile, &o)
}

// Seen is how the newest run of a step stands, and Text what a plan has printed.
type Seen struct {
	Run  Run    `json:"run"`
	Same bool   `json:"same"` // it is of the commit that is asked about
	Text string `json:"text,omitempty"`
}

// Left is what a Probe says: Clean, and words for people.
type Left struct {
	Clean bool   `json:"clean"`
	Text  string `json:"text"`
}

// writeJSON replaces a file whole, and it is on disk when it returns, by its name too.
func writeJSON(dir, name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+name)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Chmod(0o644), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, name)); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return cmp.Or(d.Sync(), d.Close())
}

// readJSON reads one; there is nothing in v where there is no file.
func readJSON(dir, name string, v any) error {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

package demo

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// writtenBy marks the state files that are ours to change.
const writtenBy = "demonstration"

// plan is what the two processes of a step hand each other.
type plan struct {
	Serial  int      `json:"serial"` // of the state it was made from
	Changes []change `json:"changes"`
}

type change struct {
	Address string `json:"address"`
	Action  string `json:"action"` // "create", "update" or "delete"
	Before  string `json:"before,omitempty"`
	After   string `json:"after,omitempty"`
}

// state is written in the form of Terraform's, so that a reader finds its way.
type state struct {
	Version   int        `json:"version"`
	Terraform string     `json:"terraform_version"`
	Serial    int        `json:"serial"`
	Resources []resource `json:"resources"`
}

type resource struct {
	Mode      string     `json:"mode"`
	Type      string     `json:"type"`
	Name      string     `json:"name"`
	Instances []instance `json:"instances"`
}

type instance struct {
	Attributes map[string]string `json:"attributes"`
}

// Main is the tool: "plan <tree> <dir> <state> <out or empty>" prints the plan
// as JSON, "apply <plan> <state>" carries it out. It returns the exit code.
func Main(args []string, out, errOut io.Writer) int {
	var err error
	switch {
	case len(args) == 5 && args[0] == "plan":
		err = makePlan(args[1], args[2], args[3], args[4], out)
	case len(args) == 3 && args[0] == "apply":
		err = apply(args[1], args[2], out)
	case len(args) == 2 && args[0] == "revision":
		err = revision(args[1], out)
	case len(args) == 3 && args[0] == "revert":
		err = revert(args[1], args[2], out)
	default:
		err = errors.New("want plan <tree> <dir> <state> <out>, apply <plan> <state>, revision <state>, or revert <state> <serial>; signalbox calls this itself")
	}
	if err != nil {
		fmt.Fprintln(errOut, "Error:", err)
		return 1
	}
	return 0
}

func makePlan(tree, dir, stateFile, outFile string, out io.Writer) error {
	s, err := readState(stateFile)
	if err != nil {
		return err
	}
	want, err := wanted(tree, dir)
	if err != nil {
		return err
	}
	have := s.digests()
	p := plan{Serial: s.Serial, Changes: []change{}}
	all := maps.Clone(want)
	maps.Copy(all, have)
	for _, address := range slices.Sorted(maps.Keys(all)) {
		c := change{Address: address, Before: have[address], After: want[address]}
		switch {
		case c.Before == c.After:
			continue
		case c.Before == "":
			c.Action = "create"
		case c.After == "":
			c.Action = "delete"
		default:
			c.Action = "update"
		}
		p.Changes = append(p.Changes, c)
	}
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if outFile != "" {
		if err := os.WriteFile(outFile, b, 0o600); err != nil {
			return err
		}
	}
	_, err = out.Write(append(b, '\n'))
	return err
}

func apply(planFile, stateFile string, out io.Writer) error {
	b, err := os.ReadFile(planFile)
	if err != nil {
		return err
	}
	var p plan
	if err := json.Unmarshal(b, &p); err != nil {
		return fmt.Errorf("read %s: %w", planFile, err)
	}
	s, err := readState(stateFile)
	if err != nil {
		return err
	}
	if s.Serial != p.Serial {
		return fmt.Errorf("the plan is stale: it was made from serial %d of the state, which is at %d", p.Serial, s.Serial)
	}
	fmt.Fprintln(out, "This is a demonstration: it writes the state file and makes nothing.")
	if len(p.Changes) == 0 {
		fmt.Fprintln(out, "No changes.")
		return nil
	}
	digests := s.digests()
	for _, c := range p.Changes {
		fmt.Fprintf(out, "%s: %s\n", c.Address, map[string]string{"create": "Creating...", "update": "Modifying...", "delete": "Destroying..."}[c.Action])
		if c.After == "" {
			delete(digests, c.Address)
		} else {
			digests[c.Address] = c.After
		}
	}
	s.Serial++
	s.fill(digests)
	if err := writeState(kept(stateFile, s.Serial), s); err != nil {
		return err
	}
	if err := writeState(stateFile, s); err != nil {
		return err
	}
	fmt.Fprintf(out, "Apply complete! %d changes.\n", len(p.Changes))
	return nil
}

func readState(name string) (*state, error) {
	s := &state{Version: 4, Terraform: writtenBy}
	b, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, nil
	case err != nil:
		return nil, err
	}
	if err := json.Unmarshal(b, s); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if s.Terraform != writtenBy {
		return nil, fmt.Errorf("%s was written by Terraform %s; the demonstration leaves it alone", name, s.Terraform)
	}
	return s, nil
}

// writeState replaces the file whole, and is on disk when it returns.
func writeState(name string, s *state) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".state-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(b, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

func (s *state) digests() map[string]string {
	out := map[string]string{}
	for _, r := range s.Resources {
		for _, i := range r.Instances {
			out[r.Type+"."+r.Name] = i.Attributes["digest"]
		}
	}
	return out
}

func (s *state) fill(digests map[string]string) {
	s.Resources = []resource{}
	for _, address := range slices.Sorted(maps.Keys(digests)) {
		kind, name, _ := strings.Cut(address, ".")
		s.Resources = append(s.Resources, resource{"managed", kind, name, []instance{{map[string]string{"digest": digests[address]}}}})
	}
}

var (
	block    = regexp.MustCompile(`(?ms)^resource "([A-Za-z0-9_]+)" "([A-Za-z0-9_-]+)" \{.*?^\}`)
	fileCall = regexp.MustCompile(`file\("\$\{path\.module\}/([^"]+)"\)`)
)

// wanted is a digest for each resource block of a folder: of the block, and of
// everything beside it that it may depend on. Nothing outside the tree is read.
func wanted(tree, dir string) (map[string]string, error) {
	root, err := os.OpenRoot(tree)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	dir = filepath.ToSlash(filepath.Clean(dir))
	entries, err := fs.ReadDir(root.FS(), dir)
	if err != nil {
		return nil, err
	}
	var source, values strings.Builder
	for _, e := range entries {
		into := &source
		switch {
		case strings.HasSuffix(e.Name(), ".tfvars"):
			into = &values
		case !strings.HasSuffix(e.Name(), ".tf"):
			continue
		}
		b, err := root.ReadFile(path.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		into.Write(b)
		into.WriteByte('\n')
	}
	for _, m := range fileCall.FindAllStringSubmatch(source.String(), -1) {
		b, err := root.ReadFile(path.Join(dir, m[1]))
		if err != nil {
			return nil, err
		}
		values.Write(b)
	}
	rest := block.ReplaceAllString(source.String(), "")
	out := map[string]string{}
	for _, m := range block.FindAllStringSubmatch(source.String(), -1) {
		sum := sha256.Sum256([]byte(m[0] + "\x00" + rest + "\x00" + values.String()))
		out[m[1]+"."+m[2]] = hex.EncodeToString(sum[:8])
	}
	return out, nil
}

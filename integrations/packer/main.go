package packer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
)

// errorMark stands before what went wrong.
const errorMark = "Error: "

// Main is the process between the step shim and Packer: --work= and the work folder, "--",
// and a command of Packer. It prints what Packer says, for people, and writes down in the
// work folder what it built. It returns Packer's exit code.
func Main(args []string, out, errOut io.Writer) int {
	code, err := do(args, out)
	if err != nil {
		fmt.Fprintln(errOut, errorMark+err.Error())
		return 1
	}
	return code
}

func do(args []string, out io.Writer) (int, error) {
	if len(args) < 4 || !strings.HasPrefix(args[0], "--work=") || args[1] != "--" {
		return 0, errors.New("want --work=, -- and a command of Packer; signalbox calls this itself")
	}
	dir, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	temp, done, err := temporary()
	if err != nil {
		return 0, err
	}
	defer done()
	heard := &listener{out: out, dir: dir}
	inner := proc.Inner{Argv: args[2:], Env: append(os.Environ(), "TMPDIR="+temp), Dir: dir, Out: out}
	if args[3] == "build" {
		inner.Out = heard
	}
	code, err := inner.Run()
	heard.close()
	if err != nil {
		return 0, fmt.Errorf("run packer: %w", err)
	}
	if args[3] != "build" {
		return code, nil
	}
	return heard.conclude(strings.TrimPrefix(args[0], "--work="), code)
}

// longestTemporary is what is left of the 107 bytes of a socket's path for its folder:
// Packer and its plugins meet at sockets there.
const longestTemporary = 80

// temporary is the folder for temporary files, or a shorter one; done removes that.
func temporary() (dir string, done func(), err error) {
	if dir = os.TempDir(); len(dir) <= longestTemporary {
		return dir, func() {}, nil
	}
	if dir, err = os.MkdirTemp("/tmp", "signalbox-"); err != nil {
		return "", nil, fmt.Errorf("make a folder for Packer's sockets: %w", err)
	}
	return dir, func() { os.RemoveAll(dir) }, nil
}

// conclude writes down what was built, and says what went wrong.
func (l *listener) conclude(work string, code int) (int, error) {
	if err := (integrations.Run{Work: work}).PutArtifacts(l.built); err != nil {
		return 0, err
	}
	if code == 0 {
		return 0, nil
	}
	for _, one := range l.built {
		fmt.Fprintln(l.out, "Built all the same, and left: "+one.ID)
	}
	if len(l.errors) > 0 {
		fmt.Fprintln(l.out, errorMark+strings.Join(l.errors, "\n"))
	}
	return code, nil
}

// listener reads Packer's output for machines ("Machine-Readable Output", Packer's
// documentation): lines of a time, a build, a type and data, with commas between them.
type listener struct {
	out    io.Writer
	dir    string // where Packer runs
	line   []byte
	now    artifact
	built  []integrations.Artifact
	errors []string
}

// artifact is one while its lines come.
type artifact struct {
	builder, id string
	files       []string
}

// longestLine is how much of a line is kept together.
const longestLine = 256 << 10

func (l *listener) Write(p []byte) (int, error) {
	l.line = append(l.line, p...)
	for {
		i := bytes.IndexByte(l.line, '\n')
		if i < 0 && len(l.line) < longestLine {
			return len(p), nil
		}
		if i < 0 {
			i = len(l.line) - 1
		}
		l.take(strings.TrimSuffix(string(l.line[:i]), "\r"))
		l.line = l.line[i+1:]
	}
}

func (l *listener) close() {
	if len(l.line) > 0 {
		l.take(string(l.line))
	}
}

var plain = strings.NewReplacer("%!(PACKER_COMMA)", ",", `\n`, "\n", `\r`, "\r")

func (l *listener) take(line string) {
	parts := strings.Split(line, ",")
	if len(parts) < 4 || strings.Trim(parts[0], "0123456789") != "" {
		fmt.Fprintln(l.out, line)
		return
	}
	build, kind, data := parts[1], parts[2], parts[3:]
	for i := range data {
		data[i] = plain.Replace(data[i])
	}
	switch {
	case kind == "ui" && len(data) > 1:
		fmt.Fprintln(l.out, strings.Join(data[1:], ","))
	case kind == "error" && build != "":
		l.errors = append(l.errors, build+": "+strings.Join(data, ","))
	case kind == "artifact" && len(data) > 1:
		l.artifact(data[1], data[2:])
	}
}

func (l *listener) artifact(what string, data []string) {
	switch {
	case what == "builder-id" && len(data) > 0:
		l.now = artifact{builder: data[0]}
	case what == "id" && len(data) > 0:
		l.now.id = strings.Join(data, ",")
	case what == "file" && len(data) > 1:
		l.now.files = append(l.now.files, strings.Join(data[1:], ","))
	case what == "end":
		for _, one := range l.now.list(l.dir) {
			if !slices.Contains(l.built, one) { // a post-processor shows what the builder has
				l.built = append(l.built, one)
			}
		}
		l.now = artifact{}
	}
}

// nullBuilder is the id of the builder that builds nothing.
const nullBuilder = "fnoeding.null"

// list is what it is in our words: an AMI for each region, or a file each.
func (a artifact) list(dir string) (out []integrations.Artifact) {
	if a.builder == nullBuilder {
		return nil
	}
	for _, id := range strings.Split(a.id, ",") {
		if !amiShape.MatchString(id) {
			out = nil
			break
		}
		out = append(out, integrations.Artifact{Kind: integrations.ArtifactAMI, ID: id})
	}
	if len(out) > 0 {
		return out
	}
	for _, f := range a.files {
		if !filepath.IsAbs(f) {
			f = filepath.Join(dir, f)
		}
		out = append(out, integrations.Artifact{Kind: integrations.ArtifactFile, ID: f})
	}
	if len(out) == 0 && a.id != "" {
		out = append(out, integrations.Artifact{Kind: a.builder, ID: a.id})
	}
	return out
}

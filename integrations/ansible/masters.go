package ansible

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
)

// masters are the connections of SSH that Ansible leaves open for its next run, for 60 s
// unless it is told otherwise (ControlPersist). Where a port is closed after a run they
// have to go as well: a connection that is there outlives the rule that let it in.
type masters struct{ dir string }

const (
	// longestDir is how long the folder's name may be: the name of a socket has 108 bytes at
	// most (unix(7)), of which Ansible takes 11 and SSH, while it makes one, 18 more.
	longestDir = 78
	endLimit   = 5 * time.Second // of each
)

// keepMasters makes a folder for their sockets.
func keepMasters() (*masters, error) {
	dir, err := os.MkdirTemp("", "ssh-")
	if err == nil && len(dir) > longestDir {
		if err = os.Remove(dir); err == nil {
			dir, err = os.MkdirTemp("/tmp", "signalbox-ssh-") // nobody else may look into it
		}
	}
	if err != nil {
		return nil, fmt.Errorf("make a folder for the sockets of SSH: %w", err)
	}
	return &masters{dir}, nil
}

// env has Ansible put the sockets there, whatever ansible.cfg says.
func (m *masters) env() []string {
	return []string{"ANSIBLE_SSH_CONTROL_PATH_DIR=" + m.dir, "ANSIBLE_SSH_CONTROL_PATH="}
}

// end ends them, and says which it could not end.
func (m *masters) end(w io.Writer) {
	defer os.RemoveAll(m.dir)
	sockets, err := filepath.Glob(filepath.Join(m.dir, "*"))
	if err != nil {
		fmt.Fprintln(w, "Error: look for connections that are left:", err)
	}
	for _, socket := range sockets {
		var said bytes.Buffer
		// The host is not asked for: the socket says whose it is.
		code, err := proc.Inner{Argv: []string{"ssh", "-F", "/dev/null", "-o", "ControlPath=" + socket, "-O", "exit", "signalbox"}, Env: os.Environ(), Dir: m.dir, Out: &said, Limit: endLimit}.Run()
		if err == nil && code != 0 {
			err = fmt.Errorf("exit code %d", code)
		}
		if err != nil {
			fmt.Fprintf(w, "Warning: a connection of SSH may be left for a minute: %v: %.200s\n", err, said.String())
		}
	}
}

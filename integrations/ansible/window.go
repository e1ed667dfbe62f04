package ansible

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Window is a port of a security group. What is not said of it is as the list of those
// that may be opened has it.
type Window struct {
	Group   string `yaml:"group,inline"`
	Port    int    `yaml:"port"` // 0 is that of SSH
	Account string `yaml:"account"`
	Region  string `yaml:"region"`
}

const sshPort = 22

// among finds it on the list; nil is no window at all.
func (w Window) among(allowed []integrations.Ingress) (*integrations.Ingress, error) {
	port := cmp.Or(w.Port, sshPort)
	switch {
	case w == Window{}:
		return nil, nil
	case w.Group == "":
		return nil, errors.New("ssh_window: group is missing; want the id of a security group that ingress.groups names")
	}
	var ports []string
	for _, i := range allowed {
		switch {
		case i.Group != w.Group:
		case w.Account != "" && w.Account != i.Account:
			return nil, fmt.Errorf("ssh_window: account is %q, and ingress.groups has %s in %q", w.Account, w.Group, i.Account)
		case w.Region != "" && w.Region != i.Region:
			return nil, fmt.Errorf("ssh_window: region is %q, and ingress.groups has %s in %q", w.Region, w.Group, i.Region)
		case i.Port == port:
			return &i, nil
		default:
			ports = append(ports, fmt.Sprint(i.Port))
		}
	}
	slices.Sort(ports)
	if len(ports) > 0 {
		return nil, fmt.Errorf("ssh_window: port %d of %s may not be opened; ingress.groups allows %s", port, w.Group, strings.Join(ports, ", "))
	}
	return nil, fmt.Errorf("ssh_window: group %q may not be opened; ingress.groups does not name it", w.Group)
}

// openFile marks in the work folder that the window was open before the playbook began.
const openFile = "ansible.open"

// open has the window open before anything is run.
func (a *Applier) open(ctx context.Context, r integrations.Run) error {
	if a.window == nil {
		return nil
	}
	if r.Ingress == nil {
		return fmt.Errorf("open %s to this machine: nothing here can open it", a.window)
	}
	return r.Ingress.Open(ctx, r, *a.window)
}

// openOnce is open for what is begun once. After a restart the playbook may be running, or
// have ended: then it is followed also where the window cannot be opened any more.
func (a *Applier) openOnce(ctx context.Context, r integrations.Run) error {
	if a.window == nil {
		return nil
	}
	if err := a.open(ctx, r); err != nil {
		if r.Marked(openFile) && ctx.Err() == nil {
			return nil
		}
		return err
	}
	return r.Mark(openFile, true)
}

// close has it closed.
func (a *Applier) close(ctx context.Context, r integrations.Run) {
	if a.window != nil {
		r.Ingress.Close(ctx, r, *a.window)
	}
}

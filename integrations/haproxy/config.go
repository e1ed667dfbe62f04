package haproxy

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
)

// Config is the backends that instances stand behind; none is no HAProxy.
type Config []Backend

// Backend is one backend of one process of HAProxy.
type Backend struct {
	// Name is what people call the process: "lb-1". Several backends may have it.
	Name string `yaml:"name"`
	// Address is that of its stats socket, whose level is admin: "10.0.0.5:9999", or the
	// absolute path of a UNIX socket.
	Address string `yaml:"address"`
	Backend string `yaml:"backend"` // its name there
	// Role is the tag Role of the instances that are its servers.
	Role string `yaml:"role"`
}

var (
	nameShape = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)
	// backendShape: what HAProxy takes as a name (configuration manual, 4.1).
	backendShape = regexp.MustCompile(`^[A-Za-z0-9_.:-]+$`)
)

// longestPath is what fits into a sockaddr_un on Linux (unix(7)).
const longestPath = 107

// Validate names every mistake at once, each line with the field that holds it:
// "[0].address: …".
func (c Config) Validate() error {
	var errs []error
	pools, processes := map[string]int{}, map[string]int{}
	for n, b := range c {
		bad := func(field, format string, args ...any) {
			errs = append(errs, fmt.Errorf("[%d].%s: %s", n, field, fmt.Sprintf(format, args...)))
		}
		b.validate(bad)
		if b.Name == "" {
			continue
		}
		if was, there := processes[b.Name]; !there {
			processes[b.Name] = n
		} else if c[was].Address != b.Address {
			bad("address", "%q is not that of [%d], which is %s too", b.Address, was, b.Name)
		}
		if was, twice := pools[b.pool()]; twice {
			bad("backend", "%q of %s is [%d] already", b.Backend, b.Name, was)
		} else {
			pools[b.pool()] = n
		}
	}
	return errors.Join(errs...)
}

func (b Backend) validate(bad func(field, format string, args ...any)) {
	switch {
	case b.Name == "":
		bad("name", "is missing")
	case !nameShape.MatchString(b.Name):
		bad("name", "%q is not a name; want up to 40 of a-z, 0-9 and -", b.Name)
	}
	switch {
	case b.Address == "":
		bad("address", "is missing; it is that of the stats socket, like 10.0.0.5:9999 or /run/haproxy/admin.sock")
	case !addressed(b.Address):
		bad("address", "%q is neither an address like 10.0.0.5:9999 nor the path of a socket of at most %d bytes", b.Address, longestPath)
	}
	switch {
	case b.Backend == "":
		bad("backend", "is missing")
	case !backendShape.MatchString(b.Backend):
		bad("backend", "%q is not the name of a backend; want letters, digits and _.:-", b.Backend)
	}
	if b.Role == "" {
		bad("role", "is missing; it is the tag Role of the backend's instances")
	}
}

func addressed(address string) bool {
	if strings.HasPrefix(address, "/") {
		return len(address) <= longestPath
	}
	host, port, err := net.SplitHostPort(address)
	n, notNumber := strconv.ParseUint(port, 10, 16)
	return err == nil && notNumber == nil && host != "" && n > 0
}

// network is what its address is dialled by.
func (b Backend) network() string {
	if strings.HasPrefix(b.Address, "/") {
		return "unix"
	}
	return "tcp"
}

// pool is the id of its pool.
func (b Backend) pool() string { return b.Name + "/" + b.Backend }

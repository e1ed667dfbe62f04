package integrations

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// An Ingress is one port of one security group that a step needs open to the machine it
// runs on.
type Ingress struct {
	Site
	Group string `json:"group"` // its id: "sg-0123456789abcdef0"
	Port  int    `json:"port"`
	// Limit is how long it is open at most, longer than what runs meanwhile.
	Limit time.Duration `json:"limit"`
}

// Same says whether two are the same port of the same group.
func (i Ingress) Same(o Ingress) bool {
	return i.Site == o.Site && i.Group == o.Group && i.Port == o.Port
}

func (i Ingress) String() string { return fmt.Sprintf("port %d of %s (%s)", i.Port, i.Group, i.Site) }

// IngressWindow opens ports for runs, and closes them.
type IngressWindow interface {
	// Open returns when the port is open. Called again for the same run, after a restart
	// say, it comes to the same. With an error nothing may be run that needs it.
	Open(ctx context.Context, r Run, i Ingress) error
	// Close has it closed, as far as no other run needs it, also where ctx has ended. What
	// cannot be closed now is tried again until it is, and people are told of it.
	Close(ctx context.Context, r Run, i Ingress)
}

// How long a port may be open.
const (
	IngressTimeout = 30 * time.Minute // of what runs meanwhile, where nothing is said
	IngressLongest = 2 * time.Hour    // of the same
	// IngressGrace is what a window lasts longer: a tool that is stopped by its time-out has
	// ten minutes to put down its work.
	IngressGrace = 12 * time.Minute
)

// TagWindow is the tag of a rule that a window made: "ingress-2 job-7 until
// 2026-03-04T10:30:00Z".
const TagWindow = "signalbox:window"

// An IngressRule is a rule of a security group that lets something in.
type IngressRule struct {
	ID       string // "sgr-…"
	Group    string
	Protocol string
	From, To int
	CIDR     string
	Text     string // its description
	Tags     map[string]string
}

// ErrRuleExists says that a security group has a rule for the same protocol, ports and
// addresses already.
var ErrRuleExists = errors.New("the security group has this rule already")

// notGlobal are the ranges of IPv4 that mean nobody on the internet, or many: those of
// the registry of RFC 6890 and of multicast.
var notGlobal = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("224.0.0.0/3"),
}

// GlobalIPv4 reads one address of IPv4 that is reached over the internet. The error says
// what it is instead.
func GlobalIPv4(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		return a, fmt.Errorf("%.60q is not one address of IPv4", text)
	case !a.Is4():
		return a, fmt.Errorf("%s is an address of IPv6; want one of IPv4", a)
	}
	for _, p := range notGlobal {
		if p.Contains(a) {
			return a, fmt.Errorf("%s is of %s, which nobody on the internet has", a, p)
		}
	}
	return a, nil
}

package ingress

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Config is which ports may be opened, and to which address.
type Config struct {
	// Groups are those that steps may have opened; no other is.
	Groups []Group `yaml:"groups"`
	// Address is that of this machine as the hosts see it; "" is asked for.
	Address string `yaml:"address"`
	// AddressURL is who is asked for it; "" is AWS.
	AddressURL string `yaml:"address_url"`
	// Channel is where people are told of what stays open; "" is the first channel of the
	// environment that it was opened for.
	Channel string `yaml:"channel"`
}

// Group is a security group and the ports of it that may be opened.
type Group struct {
	ID      string `yaml:"group,inline"`
	Account string `yaml:"account"` // of aws.accounts; "" is the only one
	Region  string `yaml:"region"`  // of that account's; "" is its only one
	Ports   []int  `yaml:"ports"`
}

// defaultPort is that of SSH.
const defaultPort = 22

var groupID = regexp.MustCompile(`^sg-([0-9a-f]{8}|[0-9a-f]{17})$`)

// None says that no port may be opened.
func (c Config) None() bool { return len(c.Groups) == 0 }

// Validate returns every mistake there is, joined, each with the field that holds it.
func (c Config) Validate() error {
	var errs []error
	for n, g := range c.Groups {
		errs = append(errs, c.mistakes(n, g)...)
	}
	if c.Address != "" {
		if _, err := integrations.GlobalIPv4(c.Address); err != nil {
			errs = append(errs, fmt.Errorf("address: %w; want the one by which this machine comes to its hosts, or leave it out to have it asked for", err))
		}
	}
	if c.AddressURL != "" && c.Address != "" {
		errs = append(errs, errors.New("address_url: is given, and so is address, which needs nobody asked"))
	}
	if c.AddressURL != "" && !askable(c.AddressURL) {
		errs = append(errs, fmt.Errorf("address_url: %q is not the URL of somebody to trust; want one like https://checkip.amazonaws.com/, or http:// on this machine", c.AddressURL))
	}
	if c.None() && (c.Address != "" || c.AddressURL != "" || c.Channel != "") {
		errs = append(errs, errors.New("groups: is missing, so that no port may be opened"))
	}
	return errors.Join(errs...)
}

func (c Config) mistakes(n int, g Group) (errs []error) {
	switch {
	case g.ID == "":
		errs = append(errs, fmt.Errorf("groups[%d].group: is missing; want the id of a security group, such as sg-0123456789abcdef0", n))
	case !groupID.MatchString(g.ID):
		errs = append(errs, fmt.Errorf("groups[%d].group: %q is not the id of a security group; want one like sg-0123456789abcdef0", n, g.ID))
	case slices.IndexFunc(c.Groups, func(o Group) bool { return o.ID == g.ID }) < n:
		errs = append(errs, fmt.Errorf("groups[%d].group: %q is here twice", n, g.ID))
	}
	for k, p := range g.Ports {
		switch {
		case p < 1 || p > 65535:
			errs = append(errs, fmt.Errorf("groups[%d].ports[%d]: is %d; want 1 to 65535", n, k, p))
		case slices.Index(g.Ports, p) < k:
			errs = append(errs, fmt.Errorf("groups[%d].ports[%d]: %d is here twice", n, k, p))
		}
	}
	return errs
}

// askable wants an answer that nobody on the way can change.
func askable(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	a, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && err == nil && a.IsLoopback()
}

// Allowed are the ports that may be opened.
func (c Config) Allowed() (out []integrations.Ingress) {
	for _, g := range c.Groups {
		ports := g.Ports
		if len(ports) == 0 {
			ports = []int{defaultPort}
		}
		for _, p := range ports {
			out = append(out, integrations.Ingress{Site: integrations.Site{Account: g.Account, Region: g.Region}, Group: g.ID, Port: p})
		}
	}
	return out
}

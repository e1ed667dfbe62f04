package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// ScalingConfig is an auto scaling group that is kept still while an apply of a target
// goes on.
type ScalingConfig struct {
	Group     string        `yaml:"group,inline"`
	Account   string        `yaml:"account"` // of aws.accounts; "" is the only one
	Region    string        `yaml:"region"`  // of that account's; "" is its only one
	Processes []string      `yaml:"processes"`
	Limit     time.Duration `yaml:"limit"`
}

func (c *Config) fillScaling(s *ScalingConfig) {
	if s.Account == "" && len(c.AWS.Accounts) == 1 {
		s.Account = c.AWS.Accounts[0].Name
	}
	if regions := c.regionsOf(s.Account); s.Region == "" && len(regions) == 1 {
		s.Region = regions[0]
	}
	if s.Limit == 0 {
		s.Limit = integrations.ScalingLimit
	}
	if s.Processes == nil {
		s.Processes = slices.Clone(integrations.RestingProcesses)
	}
}

// regionsOf are the regions of an account of AWS.
func (c *Config) regionsOf(account string) []string {
	for _, a := range c.AWS.Accounts {
		if a.Name == account {
			return a.Regions
		}
	}
	return nil
}

func (c *Config) accountNames() []string {
	return names(c.AWS.Accounts, func(a awsAccount) string { return a.Name })
}

func (c *Config) checkScaling(t TargetConfig, at string) {
	taken := map[string]bool{}
	for i, s := range t.ASG {
		at := fmt.Sprintf("%s.asg[%d]", at, i)
		if len(c.AWS.Accounts) == 0 {
			c.bad(at, "names a group, and aws.accounts names no account")
			continue
		}
		c.want(at+".group", s.Group)
		if c.wantOne(at+".account", "account", s.Account, c.accountNames()) {
			c.wantOne(at+".region", "region of the account "+s.Account, s.Region, c.regionsOf(s.Account))
		}
		key := strings.Join([]string{s.Account, s.Region, s.Group}, " ")
		if taken[key] && s.Group != "" {
			c.bad(at+".group", "%q is here twice", s.Group)
		}
		taken[key] = true
		c.checkProcesses(at+".processes", s.Processes)
		if s.Limit < integrations.ScalingShortest || s.Limit > integrations.ScalingLongest {
			c.bad(at+".limit", "is %s; want 1m to 2h: no alarm adds an instance meanwhile", s.Limit)
		}
	}
}

func (c *Config) checkProcesses(at string, all []string) {
	if len(all) == 0 {
		c.bad(at, "is empty, which would suspend nothing; leave it out for %s", strings.Join(integrations.RestingProcesses, ", "))
	}
	for i, p := range all {
		field := fmt.Sprintf("%s[%d]", at, i)
		if why := integrations.BusyProcesses[p]; why != "" {
			c.bad(field, "%s may not be suspended: %s", p, why)
			continue
		}
		if c.wantOne(field, "process", p, integrations.RestingProcesses) && slices.Index(all, p) < i {
			c.bad(field, "%q is here twice", p)
		}
	}
}

func (s ScalingConfig) scaling() integrations.Scaling {
	return integrations.Scaling{Site: integrations.Site{Account: s.Account, Region: s.Region}, Group: s.Group, Processes: s.Processes, Limit: s.Limit}
}

package main

import "fmt"

// fillIngress puts in the account and the region of each group where there is one only.
func (c *Config) fillIngress() {
	for i := range c.Ingress.Groups {
		g := &c.Ingress.Groups[i]
		if g.Account == "" && len(c.AWS.Accounts) == 1 {
			g.Account = c.AWS.Accounts[0].Name
		}
		if regions := c.regionsOf(g.Account); g.Region == "" && len(regions) == 1 {
			g.Region = regions[0]
		}
	}
}

func (c *Config) checkIngress() {
	c.checkPart("ingress", c.Ingress)
	for i, g := range c.Ingress.Groups {
		at := fmt.Sprintf("ingress.groups[%d]", i)
		if len(c.AWS.Accounts) == 0 {
			c.bad(at, "names a security group, and aws.accounts names no account")
			continue
		}
		if c.wantOne(at+".account", "account", g.Account, c.accountNames()) {
			c.wantOne(at+".region", "region of the account "+g.Account, g.Region, c.regionsOf(g.Account))
		}
	}
}

// Package aws is the fleet of instances that AWS accounts hold: EC2 instances, the
// scaling groups that replace them, the load balancers that send them requests, and
// the agents that run scripts on them. A folder speaks to one service; this package
// joins them into the words of integrations, for all sites of the configuration.
//
// A read is tried three times. A change is tried once: its answer may have been lost,
// so whoever asked looks before trying again. Every error is *integrations.Later,
// *integrations.Gone, or a refusal in the words of AWS; see shape.
package aws

// Package iam holds what an AWS account has to allow. The folders beside it list
// their actions in its words, next to the calls; the package above makes the policy
// and the check of them.
package iam

import "context"

// An Action is one that the code calls.
type Action struct {
	Name string // as a policy names it: "ec2:DescribeInstances"
	Why  string // what signalbox does with it
	// Change says that it changes something.
	Change bool
	// On is the resource that a change is limited to, as an ARN; reads are on all.
	On string
	// Except is, in the place of On, the resource that a change is not allowed on: what it is
	// for has none.
	Except string
	// Tagged limits a change to resources that have the tag of the policy.
	Tagged bool
	// Keys limits a change to signalbox's own tag keys.
	Keys bool
	// Also is one more resource that the action needs, without the tag.
	Also string
	// New is, in the place of the tag, the action that makes what is tagged: nothing else
	// gets tags there, on the resource of Also.
	New string
	// Caller says that the process's own credentials need it, not those of the account.
	Caller bool
}

// A Probe tries one action without changing anything: what it is asked for may well
// not exist.
type Probe struct {
	Action string
	Try    func(ctx context.Context) error
}

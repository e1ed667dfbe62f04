package main

import (
	"fmt"
	"strings"
)

// onInstance has something happen to an instance.
func (k *talk) onInstance(m []string) error {
	kind := map[string]string{"vanishes": "vanish", "are stuck": "stuck", "cannot be asked about": "mute", "flow again": "well", "fail": "unhealthy", "pass": "well"}[m[1]]
	return k.call("", "POST", "/sim/fault", map[string]string{"system": "aws", "kind": kind, "id": m[0]}, nil)
}

// lookAtInstances shows the fleet as its cloud has it; those that are over by their
// number.
func (k *talk) lookAtInstances([]string) error {
	var fleet struct {
		Instances []struct {
			Account, Name, Role, Status, Lifecycle, State, Unit string
			Pools                                               []struct{ Name, State string }
		}
		Groups []struct {
			Account, Name string
			Desired       int
			InService     int `json:"in_service"`
		}
	}
	if err := k.call("", "GET", "/sim/aws/instances", nil, &fleet); err != nil {
		return err
	}
	// full names the account too, unless it is the first.
	full := func(account, name string) string {
		if account == fleet.Groups[0].Account {
			return name
		}
		return name + " of " + account
	}
	var lines []string
	over := 0
	for _, i := range fleet.Instances {
		if i.State == "terminated" {
			over++
			continue
		}
		line := strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s, its application is %s", full(i.Account, i.Name), i.Status, i.State, i.Lifecycle, i.Unit)), " ")
		for _, p := range i.Pools {
			line += ", " + p.State + " in " + p.Name
		}
		lines = append(lines, line)
	}
	for _, g := range fleet.Groups {
		lines = append(lines, fmt.Sprintf("%s wants %d and has %d in service", full(g.Account, g.Name), g.Desired, g.InService))
	}
	k.write("", append(lines, fmt.Sprintf("%d terminated", over)))
	return nil
}

// alert has something be wrong, or well again, as a source of alerts says.
func (k *talk) alert(m []string) error {
	k.alerts++
	host, check, _ := strings.Cut(m[0], "/")
	body := map[string]string{"id": fmt.Sprint("talk-", k.alerts), "key": m[0], "host": host, "check": check, "title": m[0], "severity": "critical",
		"state": map[string]string{"fires": "firing", "flaps": "flapping", "is resolved": "resolved"}[m[1]]}
	for n, name := range []string{"severity", "service", "environment", "title"} {
		if m[2+n] != "" {
			body[name] = m[2+n]
		}
	}
	return k.call("", "POST", "/bot/alerts/anything/sandbox", body, nil)
}

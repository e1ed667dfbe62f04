package main

import (
	"fmt"
	"strings"
)

// lookAtServices shows the services of ECS that run an image of a commit, or might.
func (k *talk) lookAtServices([]string) error {
	var fleet struct {
		Services []struct {
			Name, Definition, Rollout string
			Images                    []string
			Desired, Running          int
		}
	}
	if err := k.call("", "GET", "/sim/aws/instances", nil, &fleet); err != nil {
		return err
	}
	var lines []string
	for _, s := range fleet.Services {
		if s.Name != "tickets" {
			continue
		}
		image := s.Images[0]
		lines = append(lines, fmt.Sprintf("%s: %s, %s, %d of %d tasks run %s", s.Name, s.Definition, s.Rollout, s.Running, s.Desired, image[strings.LastIndex(image, "/")+1:]))
	}
	k.write("", lines)
	return nil
}

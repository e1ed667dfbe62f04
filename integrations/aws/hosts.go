package aws

import (
	"context"
	"errors"
	"time"

	"github.com/aws/smithy-go"

	"github.com/signalbox-chatops/signalbox/integrations"
)

const (
	// unseenFor is for how long a command may be unknown to Systems Manager that it has
	// just named: its reads come after its writes.
	unseenFor = 2 * time.Minute
	// askedFor is for how long the time of a command is remembered.
	askedFor = time.Hour
)

// Start runs a script on an instance with a shell, for at most limit; it may be on its
// way for a minute besides (ssm.Delivery). An error does not say that it does not run.
func (f *Fleet) Start(ctx context.Context, at integrations.Site, id, script string, limit time.Duration) (command string, err error) {
	err = f.change(ctx, at, "run a script on", id, func(s *site) (err error) {
		command, err = s.run.Start(ctx, id, script, limit)
		return err
	})
	if err != nil {
		return "", err
	}
	f.first(command)
	return command, nil
}

// Result is what came of a command. One that Systems Manager does not know is running
// for the first two minutes that it is known of here, and unknown from then on.
func (f *Fleet) Result(ctx context.Context, at integrations.Site, id, command string) (integrations.CommandResult, error) {
	s, err := f.one(at)
	if err != nil {
		return integrations.CommandResult{}, err
	}
	got, err := s.hosts.Result(ctx, id, command)
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "InvocationDoesNotExist" {
		if f.clock.Now().Sub(f.first(command)) < unseenFor {
			return integrations.CommandResult{State: integrations.CommandRunning, Why: "Systems Manager does not show it yet"}, nil
		}
		return integrations.CommandResult{State: integrations.CommandUnknown, Why: "Systems Manager knows no command " + command + " on " + id}, nil
	}
	if err != nil {
		return integrations.CommandResult{}, part(ctx, "read the command on", id, err)
	}
	return got, nil
}

// first is when a command was first known of, now if it was not.
func (f *Fleet) first(command string) time.Time {
	now := f.clock.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	if at, ok := f.asked[command]; ok {
		return at
	}
	for c, at := range f.asked {
		if now.Sub(at) > askedFor {
			delete(f.asked, c)
		}
	}
	f.asked[command] = now
	return now
}

package pagerduty

import (
	"context"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// What a feature may ask of an account and its incidents. A feature names the methods that
// it needs in an interface of its own; these are the whole, reading and changing apart.
//
// Every error is *integrations.Later (come again after so long; Unsent says that nothing
// was done for certain), *integrations.Gone (there is no such incident), one of the types
// that are named below, or a no in PagerDuty's own words with its code.
type (
	// IncidentReader reads.
	IncidentReader interface {
		// OpenIncidents are all that are triggered or acknowledged, of the services with
		// these ids, of all where there are none; the oldest first.
		OpenIncidents(ctx context.Context, serviceIDs []string) ([]integrations.RemoteIncident, error)
		// Incident is one, resolved ones too.
		Incident(ctx context.Context, id string) (integrations.RemoteIncident, error)
		// IncidentLog is what has happened to one at or after a time, the oldest first.
		IncidentLog(ctx context.Context, id string, since time.Time) ([]integrations.RemoteEntry, error)
		// Knows is *integrations.RemoteStranger for an address that no user has.
		Knows(ctx context.Context, email string) error
		// EscalationPolicies are those whose name has a text in it; "" is all.
		EscalationPolicies(ctx context.Context, name string) ([]integrations.RemotePolicy, error)
	}

	// IncidentResponder changes incidents, as the user with the address of the person who
	// wants it and as nobody else: *integrations.RemoteStranger where there is none. Each
	// act looks at the incident as it is now, and leaves one that is over as it is:
	// *integrations.RemoteOver says by whom and since when. (One that ends in the moment
	// between the look and the act is opened again by PagerDuty, which takes no condition.)
	// What is so already is no error: RemoteActed.Already. An act whose answer was lost is
	// looked for; where that cannot be done either it is *Later, and may be tried again
	// with the same RemoteAct.
	IncidentResponder interface {
		// Acknowledge: somebody else's is left theirs, and By says whose it is.
		Acknowledge(ctx context.Context, a integrations.RemoteAct) (integrations.RemoteActed, error)
		// Resolve: Already where the same person has resolved it.
		Resolve(ctx context.Context, a integrations.RemoteAct) (integrations.RemoteActed, error)
		// Reassign gives it to a user or to an escalation policy, who are paged anew.
		Reassign(ctx context.Context, a integrations.RemoteAct, to integrations.RemoteTarget) (integrations.RemoteActed, error)
		// Escalate pages those of a level of its policy, from 1 on; 0 is the one behind those
		// who have it now, the first where nobody of the policy has it. RemoteActed.Level
		// says which it was.
		Escalate(ctx context.Context, a integrations.RemoteAct, level int) (integrations.RemoteActed, error)
		// Snooze has it acknowledged for a time, of a second to seven days.
		Snooze(ctx context.Context, a integrations.RemoteAct, d time.Duration) (integrations.RemoteActed, error)
		// Note writes something down, cut at 2,000 characters; one that is over takes it too.
		Note(ctx context.Context, a integrations.RemoteAct, text string) (integrations.RemoteActed, error)
		// AcknowledgeMine acknowledges all that are triggered and assigned to the person, of
		// the services with these ids, and says which; those before an error too.
		AcknowledgeMine(ctx context.Context, as string, serviceIDs []string) ([]integrations.RemoteIncident, error)
	}

	// EventSender tells PagerDuty as a machine, by the routing key of a service. Each event
	// may be sent again: it has a dedup key.
	EventSender interface {
		Trigger(ctx context.Context, key integrations.Secret, e integrations.RemoteEvent) error
		AcknowledgeEvent(ctx context.Context, key integrations.Secret, dedup string) error
		ResolveEvent(ctx context.Context, key integrations.Secret, dedup string) error
		// Change tells of a deploy or its like. It has no key: sent twice it is shown twice.
		Change(ctx context.Context, key integrations.Secret, e integrations.RemoteChange) error
	}

	// HookKeeper looks after the subscription that delivers to an address of ours.
	HookKeeper interface {
		// KeepHook makes it where there is none, enables it where it is disabled, adds the
		// events that it lacks, and has it pinged where it did any of these. service narrows
		// a new one to that service; "" is the account.
		KeepHook(ctx context.Context, url, service string) (integrations.RemoteHook, error)
		// MendHook enables it where deliveries that were refused have disabled it, adds the
		// events that it lacks, and has it pinged where it did any of these. One that a person
		// has switched off stays off; where there is none the result has no ID.
		MendHook(ctx context.Context, url string) (integrations.RemoteHook, error)
	}
)

var (
	_ IncidentReader    = (*Client)(nil)
	_ IncidentResponder = (*Client)(nil)
	_ HookKeeper        = (*Client)(nil)
	_ EventSender       = (*Events)(nil)
)

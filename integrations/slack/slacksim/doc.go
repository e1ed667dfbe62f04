// Package slacksim is one Slack workspace, simulated at the wire: Socket Mode
// and the Web API as a client sees them over HTTP, and the people of the
// workspace as Go methods. The tests of the Slack door run against it, and the
// sandbox mounts it so that a newcomer can try the bot without an account.
//
// It is strict on purpose. What Slack refuses is refused, and what Slack
// silently drops (an acknowledgement that is late, doubled, too large,
// fragmented, or sent on another socket than the one that delivered) is dropped
// and written down: see [Sim.Violations]. It can also be told to misbehave: see
// [Sim.Fault].
//
// Two kinds of time are in it. Timestamps, retries of events, the half hour of a
// response_url and the rate limits follow the Clock, so that the sandbox can move
// them. The three seconds of an acknowledgement and of a trigger and the pings
// concern the other side's process and use wall time.
//
// Everything but tickets and triggers, which live for seconds, is kept in
// Config.Dir and survives the process being killed.
//
// Handler serves these paths, relative to the URL given to SetBase; mount it
// with http.StripPrefix when that URL has a path:
//
//	/api/<method>       the Web API
//	/link               the websocket; its URL comes from apps.connections.open
//	/response/<token>   response_url
//	/upload/<id>        where file bytes are posted
//	/files/<id>/<name>  and read again
package slacksim

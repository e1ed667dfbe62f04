// Package github is GitHub seen from the house: reading and changing
// repositories and pull requests over REST, the places on GitHub where a
// surface can stand (a comment, a commit status, a deployment), and the check
// and the reading of webhooks. The HTTP door hands webhooks in; the wiring hands
// the Client and its Places to the features and the teller.
package github

package github

import (
	"net/http"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/redact"
	"github.com/signalbox-chatops/signalbox/integrations/kit/transport"
)

const (
	requestTimeout = 30 * time.Second
	readTries      = 4
	longestSleep   = 2 * time.Minute // in a read, for a rate limit
	cacheLimit     = 4 << 20         // bytes of answers, all together
)

// manners are what GitHub asks of a client: one change at a time, or its
// secondary limits bite; and reads with the ETag of what we have, which cost
// nothing of the rate limit while nothing has changed. Our credentials go to the
// API's host and nowhere else.
func (c *Client) manners(host string, auth http.RoundTripper) http.RoundTripper {
	secrets := []string{c.cfg.Token.Reveal()}
	if c.cfg.App != nil {
		secrets = append(secrets, c.cfg.App.PrivateKey.Reveal())
	}
	return listening{transport.New(transport.Options{
		Base: auth, Host: host, Timeout: requestTimeout, Cache: cacheLimit, OneWriter: true,
		Tries: readTries, Patience: longestSleep, Impatient: c.impatient, Redact: redact.New(secrets), Log: c.log,
	}), c.hearing}
}

// bearer adds the token.
type bearer struct {
	token func() string
	next  http.RoundTripper
}

func (t bearer) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+t.token())
	return t.next.RoundTrip(req)
}

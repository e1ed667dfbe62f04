package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// leastToken is how long a token should be: 16 characters of 64 cannot be guessed.
const leastToken = 16

// alertFindings says what each source of alerts is to be told, and what is weak.
func alertFindings(c *Config) (out []integrations.Finding) {
	whose := map[string]string{}
	for _, s := range c.sources {
		f := integrations.Finding{What: "Alerts from " + s.Name, OK: true, Say: "POST " + addressOf(c, s)}
		for _, t := range append(append([]integrations.Secret(nil), s.Tokens...), s.Secrets...) {
			first, twice := whose[t.Reveal()]
			switch {
			case twice && first != s.Name:
				f.OK, f.Warn, f.Do = false, true, fmt.Sprintf("it shares a secret with %s, so whoever sends for one can send for both; give it one of its own", first)
			case len(t.Reveal()) < leastToken && f.OK:
				f.OK, f.Warn, f.Do = false, true, fmt.Sprintf("one of its secrets has less than %d characters and can be guessed; make one with `openssl rand -hex 20`", leastToken)
			}
			if !twice {
				whose[t.Reveal()] = s.Name
			}
		}
		if signer := s.signer(); f.OK && signer != nil && !signer.Signs() {
			f.OK, f.Warn, f.Do = false, true, "its signatures are not looked at, and whoever sees the token can send; see docs/alerts.md"
		}
		if u, err := url.Parse(c.PublicURL); f.OK && (err != nil || c.PublicURL == "") {
			f.OK, f.Warn, f.Do = false, true, "say in public_url where signalbox is reached from outside"
		} else if f.OK && u.Scheme != "https" && !loopbackHost(u.Hostname()) {
			f.OK, f.Warn, f.Do = false, true, "its token goes through the net for everybody to see; put TLS before it, and https into public_url"
		}
		out = append(out, f)
	}
	return out
}

// silenceFindings asks the sources that silences are carried to for one that there is not.
func silenceFindings(ctx context.Context, c *Config) (out []integrations.Finding) {
	for _, s := range c.sources {
		at, ok := s.read.(integrations.AlertSilencer)
		if !ok {
			continue
		}
		f := integrations.Finding{What: "Silences at " + s.Name, OK: true, Say: "they can be listed there"}
		if _, _, err := at.FindSilence(ctx, "of nobody"); err != nil {
			f.OK, f.Say, f.Do = false, err.Error(), "mend alerts."+s.Name+".settings; see docs/alerts.md"
		}
		out = append(out, f)
	}
	return out
}

// addressOf is what the source is to be told, with its token hidden.
func addressOf(c *Config, s alertSource) string {
	at := strings.TrimRight(c.PublicURL, "/") + alertPath + s.Name
	signer := s.signer()
	switch {
	case signer != nil && signer.Signs() && len(s.Tokens) == 0:
		return at + ", signed"
	case signer != nil && signer.Signs():
		return at + ", signed, or " + at + "/<token>"
	}
	return at + "/<token>, or " + at + " with Authorization: Bearer <token>"
}

func loopbackHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

package sandbox

import (
	"context"
	"embed"
	"net/http"
	"path"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

//go:embed page
var pageFiles embed.FS

// routes puts everything on the one address, by the first word of the path.
func (w *world) routes() http.Handler {
	control := w.control()
	slack := http.StripPrefix("/slack", w.slack.Handler())
	github := w.github.Handler()
	aws := http.StripPrefix("/aws", w.aws.Handler())
	mackerel := http.StripPrefix("/mackerel", w.watching())
	pagerDuty := http.StripPrefix("/pagerduty", w.pagerDutyAPI())
	statuspage := http.StripPrefix("/statuspage", w.statuspage.Handler())
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		switch first {
		case "slack":
			slack.ServeHTTP(rw, r)
		case "api", "git", "login":
			github.ServeHTTP(rw, r)
		case "aws":
			aws.ServeHTTP(rw, r)
		case "mackerel":
			mackerel.ServeHTTP(rw, r)
		case "pagerduty":
			pagerDuty.ServeHTTP(rw, r)
		case "statuspage":
			statuspage.ServeHTTP(rw, r)
		case "sim":
			control.ServeHTTP(rw, r)
		case "bot":
			w.serveBot(rw, r)
		case "favicon.ico":
			rw.WriteHeader(http.StatusNoContent)
		case "page":
			serveFile(rw, r, path.Clean(r.URL.Path)[1:])
		default: // the page itself draws /acme/web/pull/3 and its like
			serveFile(rw, r, "page/index.html")
		}
	})
}

func serveFile(rw http.ResponseWriter, r *http.Request, name string) {
	if !loopback(r.Host) {
		http.Error(rw, "this host is not this machine", http.StatusForbidden)
		return
	}
	rw.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	rw.Header().Set("X-Content-Type-Options", "nosniff")
	rw.Header().Set("Cache-Control", "no-cache")
	http.ServeFileFS(rw, r, pageFiles, name)
}

// serveBot passes on to the bot's own handler, which knows nothing of the prefix.
func (w *world) serveBot(rw http.ResponseWriter, r *http.Request) {
	b := w.bot.Load()
	if b == nil || b.Handler == nil {
		http.Error(rw, "the bot is not running", http.StatusServiceUnavailable)
		return
	}
	http.StripPrefix("/bot", b.Handler).ServeHTTP(rw, r)
}

// decided waits until the bot has decided what an envelope told it.
func (w *world) decided(ctx context.Context, d slacksim.Delivery) error {
	b := w.bot.Load()
	if b == nil || b.WaitDecided == nil {
		return nil
	}
	if d.EventID != "" {
		return b.WaitDecided(ctx, "evt:"+d.EventID)
	}
	return b.WaitDecided(ctx, "env:"+d.EnvelopeID)
}

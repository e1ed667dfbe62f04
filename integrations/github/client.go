package github

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/bradleyfalzon/ghinstallation/v2"
	gh "github.com/google/go-github/v60/github"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/kit/transport"
)

// Client reads and changes what stands on GitHub. It is safe for concurrent use.
type Client struct {
	cfg   Config
	clock clock.Clock
	log   *slog.Logger
	api   *gh.Client
	app   *gh.Client                // authenticated as the app itself; nil with a token
	inst  *ghinstallation.Transport // nil with a token
	base  *http.Transport

	hearing *transport.Hearing // since when GitHub is silent

	mu    sync.Mutex
	ids   map[string]int64
	login string
}

// New makes a client. It does not talk to GitHub yet.
func New(cfg Config, clk clock.Clock, log *slog.Logger) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	api, err := url.Parse(cfg.APIURL)
	if err != nil {
		return nil, fmt.Errorf("read api_url: %w", err)
	}
	c := &Client{cfg: cfg, clock: clk, log: log, base: transport.Base(), ids: map[string]int64{}, hearing: transport.NewHearing(clk.Now)}

	var auth http.RoundTripper = bearer{cfg.Token.Reveal, c.base}
	if cfg.App != nil {
		asApp, err := ghinstallation.NewAppsTransport(c.base, cfg.App.ID, []byte(cfg.App.PrivateKey.Reveal()))
		if err != nil {
			return nil, errors.New("read app.private_key: it is not an RSA private key in PEM form")
		}
		asApp.BaseURL = cfg.APIURL
		inst := ghinstallation.NewFromAppsTransport(asApp, cfg.App.InstallationID)
		inst.Client = &http.Client{Transport: c.base, Timeout: requestTimeout}
		c.inst, auth = inst, inst
		c.app = c.newAPI(api, asApp)
	}
	c.api = c.newAPI(api, auth)
	return c, nil
}

func (c *Client) newAPI(base *url.URL, auth http.RoundTripper) *gh.Client {
	api := gh.NewClient(&http.Client{Transport: c.manners(base.Host, auth)})
	withSlash := *base
	withSlash.Path = strings.TrimRight(base.Path, "/") + "/"
	api.BaseURL = &withSlash
	api.UserAgent = "signalbox"
	return api
}

// Close lets go of idle connections.
func (c *Client) Close() { c.base.CloseIdleConnections() }

// Login is the account that we act as; an app's ends in "[bot]".
func (c *Client) Login(ctx context.Context) (string, error) {
	c.mu.Lock()
	login := c.login
	c.mu.Unlock()
	if login != "" {
		return login, nil
	}
	login, err := c.askLogin(ctx)
	if err != nil {
		return "", about(shape(err), "ask GitHub who we are")
	}
	c.mu.Lock()
	c.login = login
	c.mu.Unlock()
	return login, nil
}

func (c *Client) askLogin(ctx context.Context) (string, error) {
	if c.app != nil {
		app, _, err := c.app.Apps.Get(ctx, "")
		return app.GetSlug() + "[bot]", err
	}
	user, _, err := c.api.Users.Get(ctx, "")
	return user.GetLogin(), err
}

// GitToken is the password for git over HTTP at repoURL, or "" when that URL is
// not on the configured host: a token is never sent anywhere else.
func (c *Client) GitToken(ctx context.Context, repoURL string) (string, error) {
	if !strings.HasPrefix(repoURL, c.cfg.GitURL+"/") {
		return "", nil
	}
	if c.inst == nil {
		return c.cfg.Token.Reveal(), nil
	}
	token, err := c.inst.Token(ctx)
	return token, about(err, "get a token for %s", repoURL)
}

// CloneURL is where git finds a repository; it holds no credentials.
func (c *Client) CloneURL(repo string) string { return c.cfg.GitURL + "/" + repo + ".git" }

// WebhookSecrets are the secrets that a delivery may be signed with.
func (c *Client) WebhookSecrets() []integrations.Secret { return c.cfg.WebhookSecrets }

// pages calls get for page after page, from 1, until it says there is no next.
// The error is shaped.
func (c *Client) pages(ctx context.Context, get func(page int) (*gh.Response, bool, error)) error {
	for page := 1; page != 0; {
		resp, more, err := get(page)
		if err := shape(err); err != nil {
			return err
		}
		if !more || resp == nil {
			return nil
		}
		page = resp.NextPage
	}
	return nil
}

// search looks through a list for the first that is ours; its id is 0 where none
// is. The error is shaped.
func search[T interface{ GetID() int64 }](ctx context.Context, c *Client, list func(gh.ListOptions) ([]T, *gh.Response, error), ours func(T) bool) (int64, error) {
	var id int64
	err := c.pages(ctx, func(page int) (*gh.Response, bool, error) {
		got, resp, err := list(gh.ListOptions{Page: page, PerPage: 100})
		if i := slices.IndexFunc(got, ours); i >= 0 {
			id = got[i].GetID()
		}
		return resp, id == 0, err
	})
	return id, err
}

var repoName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*/[A-Za-z0-9._-]+$`)

// split takes "owner/name" apart. A name that could leave its place in a URL's
// path is nobody's.
func split(repo string) (owner, name string, err error) {
	owner, name, _ = strings.Cut(repo, "/")
	if !repoName.MatchString(repo) || name == "." || name == ".." {
		return "", "", fmt.Errorf("repository %q: %w", repo, integrations.ErrNotFound)
	}
	return owner, name, nil
}

// validRef says whether a branch, tag or SHA can be one: git's own rules for
// names, which also keep it inside its place in a URL's path.
func validRef(ref string) bool {
	if ref == "" || len(ref) > 255 || strings.HasPrefix(ref, "-") || strings.HasSuffix(ref, ".lock") || strings.HasSuffix(ref, ".") {
		return false
	}
	for _, part := range strings.Split(ref, "/") {
		if part == "" || strings.HasPrefix(part, ".") {
			return false
		}
	}
	return !strings.Contains(ref, "..") && !strings.Contains(ref, "@{") &&
		!strings.ContainsFunc(ref, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`~^:?*[\`, r) })
}

// loginShape is what a login can be; the underscore is that of enterprises whose
// accounts GitHub manages.
var loginShape = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9_-]{0,99})$`)

var fullSHA = regexp.MustCompile(`^[0-9a-f]{40}$`)

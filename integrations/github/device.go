package github

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/transport"
)

// The device flow of GitHub's OAuth apps: whoever types the code that we show at
// /login/device has proved which account is theirs. It needs no secret of the app
// and no way in. No scope is asked for: the token that it ends with can read what
// everybody may, is used once to ask whose it is, and is kept nowhere.
const (
	deviceGrant  = "urn:ietf:params:oauth:grant-type:device_code"
	deviceAnswer = 64 << 10
	slowDown     = 5 * time.Second // what GitHub adds to the interval with each slow_down
)

// Devices says whether the device flow is configured.
func (c *Client) Devices() bool { return c.cfg.OAuthClientID != "" }

// DeviceCode asks for a code to show somebody.
func (c *Client) DeviceCode(ctx context.Context) (integrations.DeviceCode, error) {
	var out struct {
		DeviceCode      string `json:"device_code"`
		UserCode        string `json:"user_code"`
		VerificationURI string `json:"verification_uri"`
		ExpiresIn       int    `json:"expires_in"`
		Interval        int    `json:"interval"`
		oauthAnswer
	}
	err := c.postLogin(ctx, "device/code", url.Values{"client_id": {c.cfg.OAuthClientID}}, &out)
	switch {
	case err != nil:
	case out.Error != "":
		err = out.err()
	case out.DeviceCode == "" || out.UserCode == "" || out.VerificationURI == "":
		err = fmt.Errorf("GitHub's answer holds no code")
	}
	if err != nil {
		return integrations.DeviceCode{}, about(err, "ask GitHub for a device code")
	}
	return integrations.DeviceCode{
		Code: integrations.NewSecret(out.DeviceCode), User: out.UserCode, URL: out.VerificationURI,
		Life: time.Duration(out.ExpiresIn) * time.Second, Interval: time.Duration(max(out.Interval, 1)) * time.Second,
	}, nil
}

// DeviceAccount asks, once, who has approved a code. Errors: ErrPending while
// nobody has, *Later with the new interval if we ask too often, ErrExpired,
// ErrDenied.
func (c *Client) DeviceAccount(ctx context.Context, code integrations.Secret) (integrations.Account, error) {
	var out struct {
		AccessToken string `json:"access_token"`
		Interval    int    `json:"interval"`
		oauthAnswer
	}
	form := url.Values{"client_id": {c.cfg.OAuthClientID}, "device_code": {code.Reveal()}, "grant_type": {deviceGrant}}
	err := c.postLogin(ctx, "oauth/access_token", form, &out)
	switch {
	case err != nil:
	case out.Error == "slow_down":
		wait := time.Duration(out.Interval) * time.Second
		if wait <= 0 {
			wait = 2 * slowDown
		}
		err = &integrations.Later{After: wait, Err: fmt.Errorf("GitHub asks to ask less often")}
	case out.Error != "":
		err = out.err()
	case out.AccessToken == "":
		err = fmt.Errorf("GitHub's answer holds no token")
	}
	if err != nil {
		return integrations.Account{}, about(err, "ask GitHub who has approved a device code")
	}
	a, err := c.whose(ctx, out.AccessToken)
	return a, about(err, "ask GitHub whose account approved a device code")
}

// whose asks whom a token belongs to, and forgets it.
func (c *Client) whose(ctx context.Context, token string) (integrations.Account, error) {
	base := *c.api.BaseURL
	api := gh.NewClient(&http.Client{Transport: transport.New(transport.Options{
		Base: bearer{func() string { return token }, c.base}, Host: base.Host, Timeout: requestTimeout, Tries: readTries, Patience: 5 * time.Second,
	})})
	api.BaseURL, api.UserAgent = &base, "signalbox"
	u, _, err := api.Users.Get(ctx, "")
	if err = shape(err); err != nil {
		return integrations.Account{}, err
	}
	return accountOf(u), nil
}

// Account is a GitHub account by its login, as GitHub spells it; ErrNotFound if
// there is none.
func (c *Client) Account(ctx context.Context, login string) (integrations.Account, error) {
	if !loginShape.MatchString(login) {
		return integrations.Account{}, fmt.Errorf("account %q: %w", login, integrations.ErrNotFound)
	}
	u, _, err := c.api.Users.Get(ctx, login)
	if err = shape(err); err != nil {
		return integrations.Account{}, about(err, "look up the account %s", login)
	}
	return accountOf(u), nil
}

func accountOf(u *gh.User) integrations.Account {
	return integrations.Account{ID: u.GetID(), Login: u.GetLogin(), Bot: u.GetType() != "" && u.GetType() != "User"}
}

// oauthAnswer is what every answer of the flow may hold: no is said with 200.
type oauthAnswer struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

func (a oauthAnswer) err() error {
	switch a.Error {
	case "authorization_pending":
		return integrations.ErrPending
	case "expired_token", "token_expired", "incorrect_device_code": // the last: it was used, or is long gone
		return integrations.ErrExpired
	case "access_denied":
		return integrations.ErrDenied
	case "device_flow_disabled":
		return fmt.Errorf("the device flow is not enabled in the settings of the OAuth app")
	case "incorrect_client_credentials", "Not Found":
		return fmt.Errorf("GitHub knows no OAuth app with the id in github.oauth.client_id")
	}
	return fmt.Errorf("GitHub answered %s: %s", a.Error, a.Description)
}

// webURL is where GitHub's pages are.
func (c *Client) webURL() string {
	if c.cfg.APIURL == defaultAPIURL {
		return defaultGitURL
	}
	return strings.TrimSuffix(c.cfg.APIURL, "/api/v3")
}

// postLogin posts a form under /login and decodes the answer. What is sent and
// what comes back is secret: an error holds neither.
func (c *Client) postLogin(ctx context.Context, path string, form url.Values, into any) error {
	at := c.webURL() + "/login/" + path
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "signalbox")
	resp, err := transport.New(transport.Options{Base: c.base, Host: req.URL.Host, Timeout: requestTimeout, MaxBody: deviceAnswer}).RoundTrip(req)
	if err != nil {
		return &outage{System: system, Err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, deviceAnswer))
	if err != nil {
		return &outage{System: system, Err: err}
	}
	if again, after := transport.Wait(resp, time.Now()); again && resp.StatusCode == http.StatusTooManyRequests {
		return later(after, "GitHub asks to slow down")
	}
	if resp.StatusCode >= 500 {
		return &outage{System: system, Err: fmt.Errorf("GitHub answered %d", resp.StatusCode)}
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("GitHub answered %d, and not in JSON", resp.StatusCode)
	}
	return nil
}

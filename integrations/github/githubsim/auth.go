package githubsim

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const installationTokenLife = time.Hour

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // crypto/rand ends the program rather than fail
	return hex.EncodeToString(b)
}

func badCredentials() error { return refuse(http.StatusUnauthorized, "Bad credentials") }

// authenticate finds who calls. No header at all is an anonymous caller.
func (c *call) authenticate() error {
	header := c.r.Header.Get("Authorization")
	if header == "" {
		return nil
	}
	scheme, token, _ := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	switch strings.ToLower(scheme) {
	case "bearer", "token":
	case "basic":
		_, token, _ = c.r.BasicAuth()
	default:
		return badCredentials()
	}
	if strings.Count(token, ".") == 2 {
		if err := c.s.checkJWT(token); err != nil {
			return err
		}
		c.app = true
		return nil
	}
	user, inst := c.s.userByToken(token)
	if user == nil {
		if user = c.s.userOfDevice(token); user == nil {
			return badCredentials()
		}
		c.bare = true
	}
	c.user, c.inst = user, inst
	return nil
}

// userByToken knows people's tokens and installation tokens. The latter live by
// the wall clock, because that is what clients compare their expiry with.
func (s *Sim) userByToken(token string) (user *User, installation bool) {
	if token == "" {
		return nil, false
	}
	for i := range s.cfg.Users {
		if s.cfg.Users[i].Token == token {
			return &s.cfg.Users[i], false
		}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, t := range s.state.Tokens.rows {
		if t.Token == token && time.Now().Before(t.Expires) {
			return s.userNamed(s.cfg.App.Bot), true
		}
	}
	return nil, false
}

func (s *Sim) userNamed(login string) *User {
	for i := range s.cfg.Users {
		if strings.EqualFold(s.cfg.Users[i].Login, login) {
			return &s.cfg.Users[i]
		}
	}
	return nil
}

// checkJWT verifies what GitHub verifies of an App's JWT: RS256 by the App's
// key, issued by the App, not in the future, for ten minutes at most.
func (s *Sim) checkJWT(token string) error {
	undecodable := refuse(http.StatusUnauthorized, "A JSON web token could not be decoded")
	parts := strings.Split(token, ".")
	var head struct{ Alg string }
	var claims struct {
		Iss json.RawMessage
		Iat float64
		Exp float64
	}
	for i, into := range []any{&head, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(raw, into) != nil {
			return undecodable
		}
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || head.Alg != "RS256" {
		return undecodable
	}
	if key := s.cfg.App.Key; key != nil {
		sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig) != nil {
			return undecodable
		}
	}
	if strings.Trim(string(claims.Iss), `"`) != strconv.FormatInt(s.cfg.App.ID, 10) {
		return refuse(http.StatusUnauthorized, "Integration not found")
	}
	now := float64(time.Now().Unix())
	switch {
	case claims.Iat > now+60:
		return refuse(http.StatusUnauthorized, "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued")
	case claims.Exp <= now:
		return refuse(http.StatusUnauthorized, "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires")
	case claims.Exp > now+600+60:
		return refuse(http.StatusUnauthorized, "'Expiration time' claim ('exp') is too far in the future")
	}
	return nil
}

type level int

const (
	none level = iota
	read
	triage
	write
	maintain
	admin
)

var levels = map[string]level{
	"read": read, "pull": read, "triage": triage, "write": write, "push": write, "maintain": maintain, "admin": admin,
}

func (s *Sim) levelOf(login string, r *repoRow) level {
	if login != "" && strings.EqualFold(login, r.Owner) {
		return admin
	}
	for who, perm := range r.Perms {
		if strings.EqualFold(who, login) {
			return levels[perm]
		}
	}
	if r.Parent != 0 { // a fork is seen by who sees its parent
		if p := s.state.Repos.rows[r.Parent]; p != nil && s.levelOf(login, p) >= read {
			return read
		}
	}
	if r.Public {
		return read
	}
	return none
}

// can asks what the caller may do in the repository of the call.
func (c *call) can(need level) bool { return c.s.levelOf(c.login(), c.repo) >= need }

func (c *call) login() string {
	if c.user == nil {
		return ""
	}
	return c.user.Login
}

// limits counts requests per user for the rate-limit headers.
type limits struct {
	mu   sync.Mutex
	used map[string]int
	end  time.Time
}

const hourlyLimit = 15000

func (l *limits) headers(h http.Header, u *User, counts bool, now time.Time) {
	who := ""
	if u != nil {
		who = u.Login
	}
	used, reset := l.count(who, counts, now)
	h.Set("X-RateLimit-Limit", strconv.Itoa(hourlyLimit))
	h.Set("X-RateLimit-Resource", "core")
	h.Set("X-RateLimit-Used", strconv.Itoa(used))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(reset.Unix(), 10))
	if h.Get("X-RateLimit-Remaining") == "" {
		h.Set("X-RateLimit-Remaining", strconv.Itoa(max(0, hourlyLimit-used)))
	}
}

func (l *limits) count(who string, counts bool, now time.Time) (int, time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.used == nil || !now.Before(l.end) {
		l.used, l.end = map[string]int{}, now.Add(time.Hour)
	}
	if counts {
		l.used[who]++
	}
	return l.used[who], l.end
}

func getRateLimit(c *call) (int, any, error) {
	used, reset := c.s.limits.count(c.login(), false, c.s.clock.Now())
	core := obj{"limit": hourlyLimit, "used": used, "remaining": hourlyLimit - used, "reset": reset.Unix(), "resource": "core"}
	return http.StatusOK, obj{"resources": obj{"core": core}, "rate": core}, nil
}

func getApp(c *call) (int, any, error) {
	a := c.s.cfg.App
	return http.StatusOK, obj{
		"id": a.ID, "slug": a.Slug, "name": a.Slug, "node_id": nodeID("A", a.ID),
		"owner": c.s.user(a.Bot), "html_url": c.s.base + "/apps/" + a.Slug, "events": []string{},
		"permissions": appPermissions(),
	}, nil
}

// getAppHookConfig: the App's own hook is where the configured hooks go.
func getAppHookConfig(c *call) (int, any, error) {
	return http.StatusOK, obj{"url": c.s.hookURL, "content_type": "json", "insecure_ssl": "0", "secret": "********"}, nil
}

func appPermissions() obj {
	return obj{
		"contents": "write", "pull_requests": "write", "issues": "write", "statuses": "write",
		"checks": "write", "deployments": "write", "metadata": "read", "members": "read",
	}
}

func (s *Sim) installation() obj {
	a := s.cfg.App
	return obj{
		"id": a.InstallationID, "app_id": a.ID, "app_slug": a.Slug, "target_type": "Organization",
		"repository_selection": "all", "permissions": appPermissions(), "events": []string{},
		"access_tokens_url": fmt.Sprintf("%s/api/v3/app/installations/%d/access_tokens", s.base, a.InstallationID),
	}
}

func getInstallation(c *call) (int, any, error) {
	if id, err := c.number("id"); err != nil || id != c.s.cfg.App.InstallationID {
		return 0, nil, notFound()
	}
	return http.StatusOK, c.s.installation(), nil
}

func listInstallations(c *call) (int, any, error) {
	return http.StatusOK, []obj{c.s.installation()}, nil
}

func getRepoInstallation(c *call) (int, any, error) {
	s := c.s
	r := s.repoNamed(c.path("owner"), c.path("repo"))
	if r == nil || s.levelOf(s.cfg.App.Bot, r) < read {
		return 0, nil, notFound()
	}
	return http.StatusOK, s.installation(), nil
}

func createInstallationToken(c *call) (int, any, error) {
	s := c.s
	if id, err := c.number("id"); err != nil || id != s.cfg.App.InstallationID {
		return 0, nil, notFound()
	}
	if s.userNamed(s.cfg.App.Bot) == nil {
		return 0, nil, refuse(http.StatusNotFound, "the App's bot user is not configured")
	}
	row := &tokenRow{ID: s.newID(), Token: "ghs_" + randomHex(18), Expires: time.Now().Add(installationTokenLife).UTC()}
	for _, old := range s.state.Tokens.sorted(func(t *tokenRow) bool { return time.Now().After(t.Expires) }) {
		remove(s, &s.state.Tokens, old.ID)
	}
	put(s, &s.state.Tokens, row.ID, row)
	return http.StatusCreated, obj{
		"token": row.Token, "expires_at": stamp(row.Expires), "permissions": appPermissions(), "repository_selection": "all",
	}, nil
}

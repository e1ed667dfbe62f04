package githubsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The device flow of an OAuth app: a program shows a code, a person types it at
// /login/device, and the program polls until they have. The rules are those of
// "Authorizing OAuth apps" in GitHub's documentation.
const (
	deviceLife     = 900 * time.Second
	deviceInterval = 5 * time.Second
	deviceSlower   = 5 * time.Second // what each slow_down adds
	deviceGrant    = "urn:ietf:params:oauth:grant-type:device_code"
)

// OAuthApp is an OAuth app by which people may sign in. NoDevices says that its
// owner has not enabled the device flow.
type OAuthApp struct {
	ClientID  string
	NoDevices bool
}

// deviceRow is one device code, for as long as it may be asked about.
type deviceRow struct {
	ID                     int64
	Client, Code, UserCode string
	Made, Polled           time.Time
	Interval               time.Duration
	Login                  string // who approved
	Denied, Used           bool
}

// userTokenRow is a token that the flow gave out. It has no scope, and so reads
// what everybody may.
type userTokenRow struct {
	ID           int64
	Token, Login string
}

// formError is an answer of OAuth that is no: its error and what it means.
type formError struct {
	status int
	values obj
}

func oauthError(code, description string) *formError {
	return &formError{http.StatusOK, obj{
		"error": code, "error_description": description,
		"error_uri": "https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps",
	}}
}

// serveLogin serves /login: no REST, so no credentials and no rate-limit headers.
func (s *Sim) serveLogin(w http.ResponseWriter, r *http.Request) {
	handle, ok := map[string]func(url.Values) (obj, *formError, error){
		"/device/code": s.deviceCode, "/oauth/access_token": s.deviceToken,
	}[r.URL.Path]
	switch {
	case !ok:
		s.violation("%s /login%s: no such endpoint", r.Method, r.URL.Path)
		http.NotFound(w, r)
		return
	case r.Method != http.MethodPost:
		s.violation("%s /login%s: GitHub takes POST alone", r.Method, r.URL.Path)
		http.NotFound(w, r)
		return
	case r.Header.Get("Authorization") != "":
		s.violation("POST /login%s: the device flow takes no credentials", r.URL.Path)
	}
	in, err := loginValues(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.onRequest("before", r.Method, "/login"+r.URL.Path)
	out, no, err := s.login(handle, in)
	s.onRequest("after", r.Method, "/login"+r.URL.Path)
	status := http.StatusOK
	switch {
	case err != nil:
		s.log.Error("github simulator", "err", err)
		status, out = http.StatusInternalServerError, obj{"error": "server_error"}
	case no != nil:
		status, out = no.status, no.values
	}
	answerLogin(w, r, status, out)
}

func (s *Sim) login(handle func(url.Values) (obj, *formError, error), in url.Values) (obj, *formError, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return nil, nil, s.broken
	}
	out, no, err := handle(in)
	if cerr := s.commit(); cerr != nil {
		return nil, nil, cerr
	}
	return out, no, err
}

// loginValues reads parameters from a form or from JSON; the address counts too.
func loginValues(r *http.Request) (url.Values, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	if err != nil {
		return nil, err
	}
	out := r.URL.Query()
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind == "application/json" {
		in := map[string]string{}
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, errors.New("this is no JSON")
		}
		for k, v := range in {
			out.Set(k, v)
		}
		return out, nil
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	for k, v := range form {
		out[k] = v
	}
	return out, nil
}

// answerLogin answers in a form unless JSON was asked for, as GitHub does.
func answerLogin(w http.ResponseWriter, r *http.Request, status int, out obj) {
	if strings.Contains(r.Header.Get("Accept"), "json") {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(out)
		return
	}
	form := url.Values{}
	for k, v := range out {
		form.Set(k, fmt.Sprint(v))
	}
	w.Header().Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, form.Encode())
}

// oauthApp finds the app of a client id.
func (s *Sim) oauthApp(id string) (OAuthApp, *formError) {
	for _, a := range s.cfg.OAuthApps {
		switch {
		case a.ClientID != id || id == "":
		case a.NoDevices:
			return a, oauthError("device_flow_disabled", "Device Flow must be explicitly enabled for this App")
		default:
			return a, nil
		}
	}
	return OAuthApp{}, &formError{http.StatusNotFound, obj{"error": "Not Found"}}
}

func (s *Sim) deviceCode(in url.Values) (obj, *formError, error) {
	app, no := s.oauthApp(in.Get("client_id"))
	if no != nil {
		return nil, no, nil
	}
	for _, old := range s.state.Devices.sorted(func(d *deviceRow) bool { return s.clock.Now().Sub(d.Made) > 2*deviceLife }) {
		remove(s, &s.state.Devices, old.ID)
	}
	d := &deviceRow{ID: s.newID(), Client: app.ClientID, Code: randomHex(20), UserCode: userCode(), Made: s.clock.Now(), Interval: deviceInterval}
	put(s, &s.state.Devices, d.ID, d)
	return obj{
		"device_code": d.Code, "user_code": d.UserCode, "verification_uri": s.base + "/login/device",
		"expires_in": int(deviceLife.Seconds()), "interval": int(d.Interval.Seconds()),
	}, nil, nil
}

// userCode is eight letters, of those that nobody mistakes, with a hyphen.
func userCode() string {
	const letters = "BCDFGHJKLMNPQRSTVWXZ"
	b := make([]byte, 0, 9)
	for i := range 8 {
		if i == 4 {
			b = append(b, '-')
		}
		b = append(b, letters[rand.IntN(len(letters))])
	}
	return string(b)
}

func (s *Sim) deviceToken(in url.Values) (obj, *formError, error) {
	if in.Get("grant_type") != deviceGrant {
		return nil, oauthError("unsupported_grant_type", "The grant_type is not supported."), nil
	}
	app, no := s.oauthApp(in.Get("client_id"))
	switch {
	case no != nil && no.status == http.StatusNotFound:
		return nil, oauthError("incorrect_client_credentials", "The client_id and/or client_secret passed are incorrect."), nil
	case no != nil:
		return nil, no, nil
	}
	now := s.clock.Now()
	var d *deviceRow
	for _, row := range s.state.Devices.rows {
		if row.Code == in.Get("device_code") && row.Client == app.ClientID && !row.Used {
			d = row
		}
	}
	if d == nil {
		return nil, oauthError("incorrect_device_code", "The device_code provided is not valid."), nil
	}
	early := !d.Polled.IsZero() && now.Sub(d.Polled) < d.Interval
	d.Polled = now
	put(s, &s.state.Devices, d.ID, d)
	switch {
	case now.Sub(d.Made) >= deviceLife:
		return nil, oauthError("expired_token", "The device_code has expired."), nil
	case early:
		d.Interval += deviceSlower
		no := oauthError("slow_down", "Too many requests have been made in the same timeframe.")
		no.values["interval"] = int(d.Interval.Seconds())
		return nil, no, nil
	case d.Denied:
		return nil, oauthError("access_denied", "The authorization request was denied."), nil
	case d.Login == "":
		return nil, oauthError("authorization_pending", "The authorization request is still pending."), nil
	}
	d.Used = true
	t := &userTokenRow{ID: s.newID(), Token: "gho_" + randomHex(18), Login: d.Login}
	put(s, &s.state.UserTokens, t.ID, t)
	return obj{"access_token": t.Token, "token_type": "bearer", "scope": ""}, nil, nil
}

// Device is what somebody does at /login/device: they type the code that a
// program showed them, and approve or deny.
func (s *Sim) Device(login, code string, approve bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	u := s.userNamed(login)
	if u == nil {
		return fmt.Errorf("approve the code %s: there is no user %s", code, login)
	}
	for _, d := range s.state.Devices.rows {
		if !strings.EqualFold(d.UserCode, strings.TrimSpace(code)) {
			continue
		}
		switch {
		case s.clock.Now().Sub(d.Made) >= deviceLife:
			return fmt.Errorf("approve the code %s: it has expired", code)
		case d.Login != "" || d.Denied:
			return fmt.Errorf("approve the code %s: it was used already", code)
		case approve:
			d.Login = u.Login
		default:
			d.Denied = true
		}
		put(s, &s.state.Devices, d.ID, d)
		return s.commit()
	}
	return fmt.Errorf("approve the code %s: there is no such code", strconv.Quote(code))
}

// userOfDevice is whose a token of the flow is; nil for every other token.
func (s *Sim) userOfDevice(token string) *User {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, t := range s.state.UserTokens.rows {
		if t.Token == token {
			return s.userNamed(t.Login)
		}
	}
	return nil
}

package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/github/githubsim"
)

// problem is a refusal of the control API.
type problem struct {
	status int
	what   string
}

func (p *problem) Error() string { return p.what }

func wrong(format string, args ...any) error {
	return &problem{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// control serves /sim: JSON in and out, for this machine alone.
func (w *world) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sim/info", answer(func(r *http.Request) (any, error) { return w.info(), nil }))
	mux.HandleFunc("GET /sim/slack/history", answer(w.history))
	mux.HandleFunc("POST /sim/slack/say", post(w.say))
	mux.HandleFunc("POST /sim/slack/click", post(w.click))
	mux.HandleFunc("POST /sim/slack/submit", post(w.submit))
	mux.HandleFunc("GET /sim/slack/home", answer(w.home))
	mux.HandleFunc("POST /sim/slack/home", post(w.openHome))
	mux.HandleFunc("POST /sim/slack/shortcut", post(w.shortcut))
	mux.HandleFunc("POST /sim/slack/topic", post(w.changeTopic))
	mux.HandleFunc("GET /sim/slack/groups", answer(func(*http.Request) (any, error) {
		return map[string]any{"groups": w.slack.Groups()}, nil
	}))
	mux.HandleFunc("POST /sim/host/say", post(w.sayOnHost))
	mux.HandleFunc("GET /sim/violations", answer(func(*http.Request) (any, error) {
		return map[string]any{"slack": listed(w.slack.Violations()), "github": listed(w.github.Violations())}, nil
	}))
	mux.HandleFunc("POST /sim/github/fork", post(w.forkPull))
	mux.HandleFunc("POST /sim/github/device", post(w.device))
	mux.HandleFunc("GET /sim/github/deliveries", answer(func(*http.Request) (any, error) {
		return map[string]any{"deliveries": w.github.Deliveries()}, nil
	}))
	mux.HandleFunc("POST /sim/github/deliveries/{id}/redeliver", answer(w.redeliver))
	mux.HandleFunc("GET /sim/aws/instances", answer(func(*http.Request) (any, error) {
		return w.instances(), nil
	}))
	mux.HandleFunc("GET /sim/mackerel/hosts", answer(w.hosts))
	mux.HandleFunc("POST /sim/mackerel/hosts", post(w.setHost))
	mux.HandleFunc("GET /sim/mackerel/annotations", answer(w.annotations))
	mux.HandleFunc("POST /sim/mackerel/alerts", post(w.openAlert))
	w.pagerDutyRoutes(mux)
	w.statuspageRoutes(mux)
	mux.HandleFunc("POST /sim/fault", answer(w.fault))
	mux.HandleFunc("POST /sim/clock/advance", post(w.moveClock))
	w.pageRoutes(mux)
	mux.HandleFunc("/", answer(func(r *http.Request) (any, error) {
		return nil, &problem{http.StatusNotFound, fmt.Sprintf("there is no %s %s", r.Method, r.URL.Path)}
	}))
	return local(mux)
}

// local refuses what a page of another site could make a browser send: a
// foreign Host, and bodies that are not JSON.
func local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !loopback(r.Host) {
			reply(rw, nil, &problem{http.StatusForbidden, fmt.Sprintf("the host %q is not this machine", r.Host)})
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
				reply(rw, nil, &problem{http.StatusUnsupportedMediaType, "want Content-Type: application/json"})
				return
			}
		}
		next.ServeHTTP(rw, r)
	})
}

func loopback(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func answer(f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		v, err := f(r)
		reply(rw, v, err)
	}
}

func post[T any](f func(context.Context, T) (any, error)) http.HandlerFunc {
	return answer(func(r *http.Request) (any, error) {
		var in T
		if err := decode(r.Body, &in); err != nil {
			return nil, err
		}
		return f(r.Context(), in)
	})
}

// decode reads one JSON object that holds nothing unknown.
func decode(body io.Reader, into any) error {
	d := json.NewDecoder(io.LimitReader(body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return wrong("the body: %v", err)
	}
	if d.More() {
		return wrong("the body: something follows the object")
	}
	return nil
}

func reply(rw http.ResponseWriter, v any, err error) {
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	rw.Header().Set("Cache-Control", "no-store")
	if err != nil {
		status := http.StatusBadRequest
		var p *problem
		if errors.As(err, &p) {
			status = p.status
		}
		rw.WriteHeader(status)
		v = map[string]any{"ok": false, "error": err.Error()}
	}
	e := json.NewEncoder(rw)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // the other side has gone when it fails
}

// info is where everything is.
func (w *world) info() any {
	return map[string]any{
		"bot_url": w.base + "/bot", "github_url": w.base, "slack_api_url": w.base + "/slack/api",
		"aws_url": w.base + "/aws", "mackerel_url": w.base + "/mackerel", "pagerduty_url": w.base + "/pagerduty", "statuspage_url": w.base + "/statuspage/v1",
		"data_dir": w.data, "state_files": w.stateFiles(), "now": w.clk.Now().UTC().Format(time.RFC3339Nano),
	}
}

func (w *world) history(r *http.Request) (any, error) {
	q := r.URL.Query()
	if err := only(q, "channel", "thread_ts"); err != nil {
		return nil, err
	}
	list, err := w.slack.History(q.Get("channel"), q.Get("thread_ts"))
	if err != nil {
		return nil, err
	}
	return map[string]any{"messages": list}, nil
}

func only(q url.Values, names ...string) error {
next:
	for k := range q {
		for _, n := range names {
			if k == n {
				continue next
			}
		}
		return wrong("there is no parameter %q", k)
	}
	return nil
}

type sayCall struct {
	User     string `json:"user"`
	Channel  string `json:"channel"`
	Text     string `json:"text"`
	ThreadTS string `json:"thread_ts"`
}

func (w *world) say(ctx context.Context, c sayCall) (any, error) {
	a, err := w.slack.Say(ctx, c.User, c.Channel, c.Text, c.ThreadTS)
	return a, err
}

type topicCall struct {
	User    string `json:"user"`
	Channel string `json:"channel"`
	Topic   string `json:"topic"`
}

// changeTopic is a person who sets a channel's topic, which Slack lets them do.
func (w *world) changeTopic(_ context.Context, c topicCall) (any, error) {
	if err := w.slack.ChangeTopic(c.User, c.Channel, c.Topic); err != nil {
		return nil, err
	}
	return map[string]any{"ok": true}, nil
}

type hostCall struct {
	User string `json:"user"`
	Line string `json:"line"`
}

// sayOnHost is somebody logged in to the bot's machine, with signalbox ops.
func (w *world) sayOnHost(ctx context.Context, c hostCall) (any, error) {
	b := w.bot.Load()
	if b == nil || b.OnHost == nil {
		return nil, &problem{http.StatusServiceUnavailable, "the bot does not run"}
	}
	text, code := b.OnHost(ctx, c.User, c.Line)
	return map[string]any{"text": text, "code": code}, nil
}

type clickCall struct {
	User     string `json:"user"`
	Channel  string `json:"channel"`
	TS       string `json:"ts"`
	Label    string `json:"label"`
	ActionID string `json:"action_id"`
	Value    string `json:"value"`
	Home     bool   `json:"home"` // on the Home tab, in no channel
}

func (w *world) click(ctx context.Context, c clickCall) (any, error) {
	switch {
	case c.Label != "" && c.ActionID != "":
		return nil, wrong("give label, or action_id with value, not both")
	case c.Home && c.Channel+c.TS != "":
		return nil, wrong("give home, or channel with ts, not both")
	case c.Home && c.Label != "":
		return w.slack.ClickHome(ctx, c.User, c.Label)
	case c.Home && c.ActionID != "":
		return w.slack.ClickHomeAction(ctx, c.User, c.ActionID, c.Value)
	case c.Label != "":
		return w.slack.Click(ctx, c.User, c.Channel, c.TS, c.Label)
	case c.ActionID != "":
		return w.slack.ClickAction(ctx, c.User, c.Channel, c.TS, c.ActionID, c.Value)
	}
	return nil, wrong("give label, or action_id with value")
}

// home is what stands on somebody's Home tab, without opening it.
func (w *world) home(r *http.Request) (any, error) {
	q := r.URL.Query()
	if err := only(q, "user"); err != nil {
		return nil, err
	}
	return w.slack.Home(q.Get("user"))
}

type homeCall struct {
	User string `json:"user"`
}

func (w *world) openHome(ctx context.Context, c homeCall) (any, error) {
	return w.slack.OpenHome(ctx, c.User)
}

type shortcutCall struct {
	User       string `json:"user"`
	CallbackID string `json:"callback_id"`
	Channel    string `json:"channel"` // with ts, the message that it is taken on
	TS         string `json:"ts"`
}

func (w *world) shortcut(ctx context.Context, c shortcutCall) (any, error) {
	return w.slack.Shortcut(ctx, c.User, c.CallbackID, c.Channel, c.TS)
}

type submitCall struct {
	User   string            `json:"user"`
	ViewID string            `json:"view_id"`
	Values map[string]string `json:"values"`
}

func (w *world) submit(ctx context.Context, c submitCall) (any, error) {
	return w.slack.Submit(ctx, c.User, c.ViewID, c.Values)
}

func (w *world) redeliver(r *http.Request) (any, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return nil, wrong("%q is not the id of a delivery", r.PathValue("id"))
	}
	if err := w.github.Redeliver(id); err != nil {
		return nil, &problem{http.StatusNotFound, err.Error()}
	}
	return map[string]any{"ok": true}, nil
}

// listed is a list that JSON shows as one, also when it is empty.
func listed(all []string) []string { return append([]string{}, all...) }

type forkCall struct {
	User   string            `json:"user"`
	Repo   string            `json:"repo"`
	Branch string            `json:"branch"`
	Base   string            `json:"base"`
	Title  string            `json:"title"`
	Files  map[string]string `json:"files"`
}

// forkPull opens a pull request from a fork, with files changed on its branch:
// of forks, GitHub's API here knows only those that exist.
// device is what somebody does at GitHub's /login/device: they type a code that
// they were shown, and approve or deny.
func (w *world) device(_ context.Context, in struct {
	User, Code string
	Deny       bool
}) (any, error) {
	if err := w.github.Device(in.User, in.Code, !in.Deny); err != nil {
		return nil, wrong("%v", err)
	}
	return map[string]any{"ok": true}, nil
}

func (w *world) forkPull(ctx context.Context, c forkCall) (any, error) {
	if !slices.ContainsFunc(people, func(p person) bool { return p.name == c.User }) {
		return nil, wrong("there is no user %q", c.User)
	}
	files := map[string]*string{}
	for path, text := range c.Files {
		files[path] = &text
	}
	number, err := w.github.ForkPR(ctx, c.User, c.Repo, c.Branch, c.Base, c.Title, files)
	if err != nil {
		return nil, err
	}
	return map[string]any{"ok": true, "number": number}, nil
}

// fault hands a misbehaviour to the system that is to misbehave; which fields
// there are is that simulator's business.
func (w *world) fault(r *http.Request) (any, error) {
	var fields map[string]json.RawMessage
	if err := decode(r.Body, &fields); err != nil {
		return nil, err
	}
	var system string
	if err := json.Unmarshal(fields["system"], &system); err != nil {
		return nil, wrong("system: want one of %s", strings.Join(slices.Sorted(maps.Keys(w.faults())), ", "))
	}
	delete(fields, "system")
	rest, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	arm := w.faults()[system]
	if arm == nil {
		return nil, wrong("unknown system %q; there is %s", system, strings.Join(slices.Sorted(maps.Keys(w.faults())), ", "))
	}
	if err := arm(rest); err != nil {
		return nil, err
	}
	return map[string]any{"ok": true}, nil
}

// faults are how each system is told to misbehave.
func (w *world) faults() map[string]func(spec []byte) error {
	return map[string]func([]byte) error{
		"slack": armed(w.slack.Fault),
		"github": armed(func(f githubsim.FaultSpec) error {
			if f.Kind == "clear" {
				w.github.ClearFaults()
				return nil
			}
			return w.github.Fault(f)
		}),
		"aws":        armed(w.faultOfAWS),
		"mackerel":   armed(w.faultOfMackerel),
		"pagerduty":  armed(w.faultOfPagerDuty),
		"statuspage": armed(w.faultOfStatuspage),
	}
}

func armed[T any](arm func(T) error) func([]byte) error {
	return func(spec []byte) error {
		var f T
		if err := decode(bytes.NewReader(spec), &f); err != nil {
			return err
		}
		return arm(f)
	}
}

type advanceCall struct {
	By string `json:"by"`
	// Midst moves it in the midst of things, and waits for nothing.
	Midst bool `json:"midst"`
}

func (w *world) moveClock(ctx context.Context, c advanceCall) (any, error) {
	by, err := time.ParseDuration(c.By)
	if err != nil || by <= 0 || by > 366*24*time.Hour {
		return nil, wrong("by: %q is not a duration forwards, such as \"90s\" or \"24h\"", c.By)
	}
	now, err := w.advance(ctx, by, c.Midst)
	if errors.Is(err, errNotIdle) {
		return nil, &problem{http.StatusConflict, err.Error()}
	}
	if err != nil {
		return nil, err
	}
	return map[string]any{"now": now.UTC().Format(time.RFC3339Nano)}, nil
}

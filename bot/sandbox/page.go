package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

// pageRoutes are private to the page; the pull requests it reads and changes by
// GitHub's own API, as the person it is.
func (w *world) pageRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /sim/page/state", w.servePageState)
	mux.HandleFunc("POST /sim/page/close", post(w.closeView))
}

// homePane is what the page calls the Home tab among the channels.
const homePane = "~home"

type pageState struct {
	Now      string             `json:"now"`
	Ahead    string             `json:"ahead"` // how far the clock was moved
	Tool     string             `json:"tool"`
	Data     string             `json:"data"`
	Bot      bool               `json:"bot"` // it runs and is connected
	People   []pagePerson       `json:"people"`
	Channels []pageChannel      `json:"channels"`
	Channel  string             `json:"channel"`
	Messages []slacksim.Message `json:"messages"`
	Thread   []slacksim.Message `json:"thread"`
	Modals   []slacksim.Modal   `json:"modals"`
	Home     *slacksim.HomeView `json:"home"` // when it is what is looked at
	// Shortcuts are the entries of the ⚡ menus.
	Shortcuts []Shortcut        `json:"shortcuts"`
	Repos     []string          `json:"repos"`
	GitHub    int64             `json:"github"` // grows with every change there
	Names     map[string]string `json:"names"`  // of users and channels, by id
	Alerts    []pageViolation   `json:"alerts"`
}

type pagePerson struct {
	Name  string `json:"name"`
	Real  string `json:"real"`
	Zone  string `json:"zone"`
	Token string `json:"token"`
}

type pageChannel struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Topic string `json:"topic"`
	Last  string `json:"last"` // ts of its newest message
}

// pageViolation is a rule that the bot broke.
type pageViolation struct {
	System string `json:"system"`
	What   string `json:"what"`
}

// servePageState answers 304 when the page has already drawn what there is.
func (w *world) servePageState(rw http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	s, err := w.pageState(q.Get("user"), q.Get("channel"), q.Get("thread"))
	if err != nil {
		reply(rw, nil, err)
		return
	}
	tag := s.tag()
	rw.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		rw.WriteHeader(http.StatusNotModified)
		return
	}
	reply(rw, s, nil)
}

// tag names what is drawn; the running clock is drawn by the page itself.
func (s *pageState) tag() string {
	t := *s
	t.Now = ""
	h := fnv.New64a()
	_ = json.NewEncoder(h).Encode(t) // a hash takes everything, and t is plain data
	return fmt.Sprintf("\"%x\"", h.Sum64())
}

func (w *world) pageState(user, channel, thread string) (*pageState, error) {
	s := &pageState{
		Now: w.clk.Now().UTC().Format(time.RFC3339Nano), Ahead: w.clk.Offset().Round(time.Second).String(),
		Tool: w.tool, Data: w.data, Bot: w.bot.Load() != nil && w.slack.Sockets() > 0,
		Repos: []string{"acme/web", "acme/infra", "acme/api", "acme/tickets"}, Names: map[string]string{},
	}
	for _, p := range people {
		s.People = append(s.People, pagePerson{p.name, p.real, p.zone, p.name + "-token"})
	}
	dm, err := w.slack.DirectMessages(user)
	if err != nil {
		return nil, err
	}
	s.Shortcuts = append([]Shortcut{}, w.slack.Shortcuts()...)
	atHome := channel == homePane
	if atHome {
		home, err := w.slack.Home(user)
		if err != nil {
			return nil, err
		}
		s.Home, channel = &home, dm
	}
	if channel == "@"+botLogin {
		channel = dm
	}
	if err := w.pageTalk(s, user, channel, thread, dm); err != nil {
		return nil, err
	}
	if atHome {
		s.Channel, s.Messages = homePane, nil
	}
	for _, d := range w.github.Deliveries() {
		s.GitHub = max(s.GitHub, d.ID)
	}
	for _, v := range w.slack.Violations() {
		s.Alerts = append(s.Alerts, pageViolation{"Slack", v})
	}
	for _, v := range w.github.Violations() {
		s.Alerts = append(s.Alerts, pageViolation{"GitHub", v})
	}
	return s, nil
}

// pageTalk fills in what a person sees in Slack.
func (w *world) pageTalk(s *pageState, user, channel, thread, dm string) error {
	for _, u := range w.slack.Users() {
		s.Names[u.ID] = u.Name
	}
	for _, c := range w.slack.Conversations() {
		s.Names[c.ID] = c.Name
		if c.IM != "" && c.ID != dm {
			continue
		}
		p := pageChannel{ID: c.ID, Name: c.Name, Topic: c.Topic}
		if c.IM != "" {
			p.Name = "@" + botLogin
		}
		if all, err := w.seen(user, c.ID, ""); err == nil && len(all) > 0 {
			p.Last = all[len(all)-1].TS
		}
		s.Channels = append(s.Channels, p)
		if c.Name == channel || c.ID == channel {
			s.Channel = c.ID
		}
	}
	s.Channels = append(s.Channels, pageChannel{ID: homePane, Name: homePane})
	order := []string{"ops", "alerts", "@" + botLogin, homePane}
	slices.SortFunc(s.Channels, func(a, b pageChannel) int {
		return slices.Index(order, a.Name) - slices.Index(order, b.Name)
	})
	if s.Channel == "" {
		return wrong("there is no channel %q", channel)
	}
	var err error
	if s.Messages, err = w.seen(user, s.Channel, ""); err != nil {
		return err
	}
	if thread != "" {
		if s.Thread, err = w.seen(user, s.Channel, thread); err != nil {
			return err
		}
	}
	s.Modals, err = w.slack.Modals(user)
	return err
}

// seen is what one person sees of a channel or a thread, oldest first.
func (w *world) seen(user, channel, thread string) ([]slacksim.Message, error) {
	all, err := w.slack.History(channel, thread)
	if err != nil {
		return nil, err
	}
	private, err := w.slack.Ephemerals(user, channel)
	if err != nil {
		return nil, err
	}
	for _, m := range private {
		if m.ThreadTS == thread {
			all = append(all, m)
		}
	}
	slices.SortStableFunc(all, func(a, b slacksim.Message) int { return strings.Compare(a.TS, b.TS) })
	return all, nil
}

type closeCall struct {
	User   string `json:"user"`
	ViewID string `json:"view_id"`
}

func (w *world) closeView(ctx context.Context, c closeCall) (any, error) {
	if err := w.slack.CloseView(ctx, c.User, c.ViewID); err != nil {
		return nil, err
	}
	return map[string]any{"ok": true}, nil
}

package slacksim

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

func authTest(c *call) (map[string]any, error) {
	cfg := c.s.cfg
	return map[string]any{
		"url": c.s.baseURL() + "/", "team": cfg.TeamName, "team_id": cfg.TeamID, "user": cfg.BotName,
		"user_id": cfg.BotUserID, "bot_id": cfg.BotID, "app_id": cfg.AppID, "is_enterprise_install": false,
	}, nil
}

func connectionsOpen(c *call) (map[string]any, error) {
	c.s.hub.mu.Lock()
	off := c.s.hub.disabled
	c.s.hub.mu.Unlock()
	if off {
		return nil, &apiError{Code: "socket_mode_disabled"}
	}
	return map[string]any{"url": c.s.ticket()}, nil
}

func teamInfo(c *call) (map[string]any, error) {
	cfg := c.s.cfg
	return map[string]any{"team": map[string]any{
		"id": cfg.TeamID, "name": cfg.TeamName, "domain": cfg.TeamName, "email_domain": "", "icon": map[string]any{},
	}}, nil
}

func botsInfo(c *call) (map[string]any, error) {
	cfg := c.s.cfg
	if b := c.get("bot"); b != "" && b != cfg.BotID {
		return nil, &apiError{Code: "bot_not_found"}
	}
	return map[string]any{"bot": map[string]any{
		"id": cfg.BotID, "app_id": cfg.AppID, "user_id": cfg.BotUserID, "name": cfg.BotName, "deleted": false, "updated": 1,
	}}, nil
}

func (s *Sim) wireUser(u User) map[string]any {
	profile := map[string]any{"real_name": u.RealName, "display_name": u.Name, "team": s.teamOf(u)}
	if u.Email != "" && slices.Contains(s.scopes(), "users:read.email") {
		profile["email"] = u.Email
	}
	label, offset := s.zoneOf(u)
	return map[string]any{
		"id": u.ID, "team_id": s.teamOf(u), "name": u.Name, "real_name": u.RealName, "deleted": false,
		"tz": u.TZ, "tz_label": label, "tz_offset": offset,
		"profile": profile, "is_bot": u.Bot, "is_restricted": u.Guest, "is_ultra_restricted": false,
		"is_admin": u.Admin, "is_owner": false, "is_stranger": u.OtherTeam != "", "is_app_user": false, "updated": 1,
	}
}

// zoneOf is what Slack calls somebody's zone, and how many seconds it is ahead of
// UTC at the moment.
func (s *Sim) zoneOf(u User) (label string, offset int) {
	z, err := time.LoadLocation(u.TZ)
	if err != nil {
		return "", 0
	}
	return s.cfg.Clock.Now().In(z).Zone()
}

func userInfo(c *call) (map[string]any, error) {
	u, err := c.s.user(c.get("user"))
	if err != nil || u.ID != c.get("user") { // ids only, here
		return nil, &apiError{Code: "user_not_found"}
	}
	return map[string]any{"user": c.s.wireUser(u)}, nil
}

func listUsers(c *call) (map[string]any, error) {
	bot, _ := c.s.user(c.s.cfg.BotUserID)
	all := append([]User{bot}, c.s.cfg.Users...)
	page, cursor, err := paged(c, all, 0, 1000)
	if err != nil {
		return nil, err
	}
	out := make([]any, 0, len(page))
	for _, u := range page {
		out = append(out, c.s.wireUser(u))
	}
	return withCursor(map[string]any{"members": out, "cache_ts": 1}, cursor), nil
}

func lookupByEmail(c *call) (map[string]any, error) {
	for _, u := range c.s.cfg.Users {
		if u.Email != "" && strings.EqualFold(u.Email, c.get("email")) && u.OtherTeam == "" {
			return map[string]any{"user": c.s.wireUser(u)}, nil
		}
	}
	return nil, &apiError{Code: "users_not_found"}
}

// paged cuts the page that cursor and limit name; a normal limit of 0 means
// everything.
func paged[T any](c *call, all []T, normal, most int) ([]T, string, error) {
	from := 0
	if cur := c.get("cursor"); cur != "" {
		n, err := strconv.Atoi(strings.TrimPrefix(cur, "at:"))
		if err != nil || n < 0 || n > len(all) || !strings.HasPrefix(cur, "at:") {
			return nil, "", &apiError{Code: "invalid_cursor"}
		}
		from = n
	}
	if normal == 0 {
		normal = len(all) + 1
	}
	n, err := c.limit(normal, most)
	if err != nil {
		return nil, "", err
	}
	to := min(from+n, len(all))
	if to == len(all) {
		return all[from:to], "", nil
	}
	return all[from:to], "at:" + strconv.Itoa(to), nil
}

func withCursor(out map[string]any, cursor string) map[string]any {
	out["response_metadata"] = map[string]any{"next_cursor": cursor}
	return out
}

func (s *Sim) wireChannel(c *channel) map[string]any {
	out := map[string]any{
		"id": c.ID, "created": c.Created, "is_archived": c.Archived, "is_member": c.has(s.cfg.BotUserID),
		"is_im": c.IM != "", "is_channel": c.kind() == "channel", "is_group": c.kind() == "group",
		"is_private": c.Private || c.IM != "", "num_members": len(c.Members),
	}
	if c.IM != "" {
		out["user"], out["is_open"] = c.IM, true
		return out
	}
	out["name"], out["name_normalized"] = c.Name, c.Name
	out["topic"] = map[string]any{"value": c.Topic, "creator": c.TopicBy, "last_set": c.TopicAt}
	out["purpose"] = map[string]any{"value": "", "creator": "", "last_set": 0}
	return out
}

// sorted lists the channels by id. The lock is held.
func (s *Sim) sorted() []*channel {
	var all []*channel
	for _, c := range s.book.channels {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *channel) int { return strings.Compare(a.ID, b.ID) })
	return all
}

func listChannels(c *call) (map[string]any, error) {
	types := c.get("types")
	if types == "" {
		types = "public_channel"
	}
	var out map[string]any
	err := c.s.view(func() error {
		var all []*channel
		for _, ch := range c.s.sorted() {
			kind := map[string]string{"im": "im", "group": "private_channel", "channel": "public_channel"}[ch.kind()]
			hidden := kind == "private_channel" && !ch.has(c.s.cfg.BotUserID) || ch.Archived && c.flag("exclude_archived")
			if slices.Contains(strings.Split(types, ","), kind) && !hidden {
				all = append(all, ch)
			}
		}
		page, cursor, err := paged(c, all, 100, 1000)
		if err != nil {
			return err
		}
		list := make([]any, 0, len(page))
		for _, ch := range page {
			list = append(list, c.s.wireChannel(ch))
		}
		out = withCursor(map[string]any{"channels": list}, cursor)
		return nil
	})
	return out, err
}

// seen finds the channel of a reading call: by id only, as Slack has it there.
func (c *call) seen(member bool) (*channel, error) {
	ch := c.s.book.channels[c.get("channel")]
	in := ch != nil && ch.has(c.s.cfg.BotUserID)
	switch {
	case ch == nil || ch.Private && !in:
		return nil, &apiError{Code: "channel_not_found"}
	case member && !in:
		return nil, &apiError{Code: "not_in_channel"}
	}
	return ch, nil
}

func channelInfo(c *call) (map[string]any, error) {
	var out map[string]any
	err := c.s.view(func() error {
		ch, err := c.seen(false)
		if err != nil {
			return err
		}
		w := c.s.wireChannel(ch)
		if !c.flag("include_num_members") {
			delete(w, "num_members")
		}
		out = map[string]any{"channel": w}
		return nil
	})
	return out, err
}

func members(c *call) (map[string]any, error) {
	var out map[string]any
	err := c.s.view(func() error {
		ch, err := c.seen(false)
		if err != nil {
			return err
		}
		page, cursor, err := paged(c, ch.Members, 100, 1000)
		out = withCursor(map[string]any{"members": slices.Clone(page)}, cursor)
		return err
	})
	return out, err
}

func join(c *call) (map[string]any, error) {
	var out map[string]any
	err := c.s.change(func(t *tx) error {
		ch, err := c.seen(false)
		switch {
		case err != nil:
			return err
		case ch.Archived:
			return &apiError{Code: "is_archived"}
		case ch.kind() != "channel":
			return &apiError{Code: "method_not_supported_for_channel_type"}
		case !ch.has(c.s.cfg.BotUserID):
			ch.Members = append(ch.Members, c.s.cfg.BotUserID)
			t.channel(ch)
		}
		out = map[string]any{"channel": c.s.wireChannel(ch)}
		return nil
	})
	return out, err
}

func openConversation(c *call) (map[string]any, error) {
	var out map[string]any
	err := c.s.change(func(t *tx) error {
		if c.get("channel") != "" {
			ch, err := c.seen(true)
			if err == nil {
				out = map[string]any{"channel": c.s.wireChannel(ch)}
			}
			return err
		}
		u, err := c.s.user(c.get("users"))
		if err != nil || u.ID != c.get("users") || u.ID == c.s.cfg.BotUserID {
			return &apiError{Code: "user_not_found"}
		}
		ch := c.s.openIM(t, u.ID)
		out = map[string]any{"channel": map[string]any{"id": ch.ID}}
		if c.flag("return_im") {
			out["channel"] = c.s.wireChannel(ch)
		}
		return nil
	})
	return out, err
}

// within reports whether ts is in the window that the arguments name.
func within(args url.Values, ts string) bool {
	inc := args.Get("inclusive") == "true" || args.Get("inclusive") == "1"
	oldest, latest := args.Get("oldest"), args.Get("latest")
	if oldest != "" && oldest != "0" {
		if d := compareTS(ts, oldest); d < 0 || d == 0 && !inc {
			return false
		}
	}
	if latest != "" && latest != "now" {
		if d := compareTS(ts, latest); d > 0 || d == 0 && !inc {
			return false
		}
	}
	return true
}

// compareTS compares timestamps that may lack the fraction.
func compareTS(a, b string) int {
	as, af, _ := strings.Cut(a, ".")
	bs, bf, _ := strings.Cut(b, ".")
	pad := func(s string, n int) string { return strings.Repeat("0", max(0, n-len(s))) + s }
	tail := func(s string) string { return (s + "000000")[:6] }
	return strings.Compare(pad(as, 12)+tail(af), pad(bs, 12)+tail(bf))
}

func history(c *call) (map[string]any, error) {
	return c.read(func(ch *channel) ([]*message, error) {
		var all []*message
		for _, m := range c.s.book.byChannel[ch.ID] {
			if m.To == "" && (!m.inThread() || m.Broadcast) && within(c.args, m.TS) {
				all = append(all, m)
			}
		}
		slices.Reverse(all)
		return all, nil
	})
}

func replies(c *call) (map[string]any, error) {
	return c.read(func(ch *channel) ([]*message, error) {
		p := c.s.book.messages[ch.ID+"/"+c.get("ts")]
		if p == nil || p.To != "" {
			return nil, &apiError{Code: "thread_not_found"}
		}
		if p.inThread() {
			if p = c.s.book.messages[ch.ID+"/"+p.ThreadTS]; p == nil {
				return nil, &apiError{Code: "thread_not_found"}
			}
		}
		all := []*message{p}
		for _, m := range c.s.thread(p) {
			if within(c.args, m.TS) {
				all = append(all, m)
			}
		}
		return all, nil
	})
}

func (c *call) read(find func(*channel) ([]*message, error)) (map[string]any, error) {
	var out map[string]any
	err := c.s.view(func() error {
		ch, err := c.seen(true)
		if err != nil {
			return err
		}
		all, err := find(ch)
		if err != nil {
			return err
		}
		page, cursor, err := paged(c, all, 100, 999)
		if err != nil {
			return err
		}
		list := make([]any, 0, len(page))
		for _, m := range page {
			list = append(list, c.s.wireMessage(m, c.flag("include_all_metadata")))
		}
		out = withCursor(map[string]any{"messages": list, "has_more": cursor != "", "pin_count": 0}, cursor)
		return nil
	})
	return out, err
}

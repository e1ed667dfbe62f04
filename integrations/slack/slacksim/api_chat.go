package slacksim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// target finds the channel of a call: by id, #name, or a user id, whose direct
// messages are opened. The lock is held.
func (c *call) target(t *tx, name string) (*channel, error) {
	s := c.s
	if strings.HasPrefix(name, "U") || strings.HasPrefix(name, "W") {
		u, err := s.user(name)
		if err != nil || u.ID == s.cfg.BotUserID {
			return nil, &apiError{Code: "channel_not_found"}
		}
		return s.openIM(t, u.ID), nil
	}
	ch, err := s.room(nil, User{}, name)
	if err != nil {
		return nil, &apiError{Code: "channel_not_found"}
	}
	if ch.Private && !ch.has(s.cfg.BotUserID) { // what it is not in, it does not see
		return nil, &apiError{Code: "channel_not_found"}
	}
	return ch, nil
}

// writable is target, where the bot may write.
func (c *call) writable(t *tx, name string) (*channel, error) {
	ch, err := c.target(t, name)
	switch {
	case err != nil:
		return nil, err
	case ch.Archived:
		return nil, &apiError{Code: "is_archived"}
	case !ch.has(c.s.cfg.BotUserID):
		return nil, &apiError{Code: "not_in_channel"}
	}
	return ch, nil
}

// metadata checks {"event_type", "event_payload"}.
func (c *call) metadata() (json.RawMessage, error) {
	raw := c.json("metadata")
	if raw == nil {
		return nil, nil
	}
	var m struct {
		EventType    string         `json:"event_type"`
		EventPayload map[string]any `json:"event_payload"`
	}
	if json.Unmarshal(raw, &m) != nil {
		return nil, &apiError{Code: "invalid_metadata_format"}
	}
	if m.EventType == "" && len(m.EventPayload) == 0 { // cleared
		return nil, nil
	}
	if m.EventType == "" || m.EventPayload == nil {
		return nil, &apiError{Code: "invalid_metadata_format"}
	}
	return raw, nil
}

// compose reads the message of a call into m.
func (c *call) compose(t *tx, m *message) error {
	text, blocks := c.get("text"), c.json("blocks")
	if md := c.get("markdown_text"); md != "" {
		if text != "" || blocks != nil {
			return &apiError{Code: "markdown_text_conflict"}
		}
		if len([]rune(md)) > maxMarkdown {
			return &apiError{Code: "msg_too_long"}
		}
		text = md
	}
	full, err := c.s.content(t, text, blocks, c.json("attachments") != nil)
	if err != nil {
		return err
	}
	meta, err := c.metadata()
	if err != nil {
		return err
	}
	m.Text, m.Blocks, m.Attachments, m.Metadata = text, full, c.json("attachments"), meta
	m.User, m.BotID = c.s.cfg.BotUserID, c.s.cfg.BotID
	return nil
}

// thread places m under the message it answers; when that one is gone, Slack
// posts it outside any thread.
func (c *call) thread(m *message) {
	p := c.s.book.messages[m.Channel+"/"+c.get("thread_ts")]
	if p == nil || p.To != "" {
		return
	}
	m.ThreadTS = p.TS
	if p.inThread() {
		m.ThreadTS = p.ThreadTS
	}
	m.Broadcast = c.flag("reply_broadcast")
}

func postMessage(c *call) (map[string]any, error) {
	var out map[string]any
	err := c.s.change(func(t *tx) error {
		ch, err := c.writable(t, c.get("channel"))
		if err != nil {
			return err
		}
		m := &message{Channel: ch.ID}
		if err := c.compose(t, m); err != nil {
			return err
		}
		if !c.s.cfg.Lenient {
			if wait := c.s.limits.post(ch.ID); wait > 0 {
				return &apiError{Code: "ratelimited", status: http.StatusTooManyRequests, retryAfter: wait}
			}
		}
		c.thread(m)
		m.TS = t.ts()
		t.message(m)
		c.s.spoke(m)
		c.s.messageEvent(t, ch, m)
		out = map[string]any{"channel": ch.ID, "ts": m.TS, "message": c.s.wireMessage(m, true)}
		return nil
	})
	return out, err
}

func postEphemeral(c *call) (map[string]any, error) {
	var out map[string]any
	err := c.s.change(func(t *tx) error {
		ch, err := c.writable(t, c.get("channel"))
		if err != nil {
			return err
		}
		u, err := c.s.user(c.get("user"))
		if err != nil || !ch.has(u.ID) {
			return &apiError{Code: "user_not_in_channel"}
		}
		m := &message{Channel: ch.ID, To: u.ID}
		if err := c.compose(t, m); err != nil {
			return err
		}
		c.thread(m)
		m.TS = t.ts()
		t.message(m)
		c.s.answered(nil, m)
		out = map[string]any{"message_ts": m.TS}
		return nil
	})
	return out, err
}

// own finds a message of the bot that everybody in its channel sees.
func (c *call) own(t *tx, wrong string) (*channel, *message, error) {
	ch, err := c.writable(t, c.get("channel"))
	if err != nil {
		return nil, nil, err
	}
	m := c.s.book.messages[ch.ID+"/"+c.get("ts")]
	switch {
	case m == nil || m.To != "":
		return nil, nil, &apiError{Code: "message_not_found"}
	case m.BotID != c.s.cfg.BotID:
		return nil, nil, &apiError{Code: wrong}
	}
	return ch, m, nil
}

// wasMost is how many earlier looks of a message can still be pressed.
const wasMost = 20

// updateMessage changes what is given: text alone takes the blocks away, blocks
// alone leave the text.
func updateMessage(c *call) (map[string]any, error) {
	var out map[string]any
	err := c.s.change(func(t *tx) error {
		ch, m, err := c.own(t, "cant_update_message")
		if err != nil {
			return err
		}
		n := &message{}
		if err := c.compose(t, n); err != nil {
			return err
		}
		if c.args.Has("text") || c.args.Has("markdown_text") {
			m.Text = n.Text
		}
		if len(controls(m.Blocks)) > 0 {
			m.Was = append(m.Was[max(0, len(m.Was)-wasMost+1):], m.Blocks)
		}
		m.Blocks, m.Attachments = n.Blocks, n.Attachments
		if c.args.Has("metadata") {
			m.Metadata = n.Metadata
		}
		m.EditedTS = t.ts()
		t.message(m)
		c.s.touched(m)
		c.s.changeEvent(t, ch, m, "message_changed")
		out = map[string]any{"channel": ch.ID, "ts": m.TS, "text": m.Text, "message": c.s.wireMessage(m, true)}
		return nil
	})
	return out, err
}

func deleteMessage(c *call) (map[string]any, error) {
	var out map[string]any
	err := c.s.change(func(t *tx) error {
		ch, m, err := c.own(t, "cant_delete_message")
		if err != nil {
			return err
		}
		c.s.removeMessage(t, m)
		out = map[string]any{"channel": ch.ID, "ts": m.TS}
		return nil
	})
	return out, err
}

func permalink(c *call) (map[string]any, error) {
	var out map[string]any
	err := c.s.view(func() error {
		ch, err := c.s.room(nil, User{}, c.get("channel"))
		if err != nil {
			return err
		}
		m := c.s.book.messages[ch.ID+"/"+c.get("message_ts")]
		if m == nil || m.To != "" {
			return &apiError{Code: "message_not_found"}
		}
		link := c.s.base + "/archives/" + ch.ID + "/p" + strings.Replace(m.TS, ".", "", 1)
		if m.inThread() {
			link += "?thread_ts=" + m.ThreadTS + "&cid=" + ch.ID
		}
		out = map[string]any{"channel": ch.ID, "permalink": link}
		return nil
	})
	return out, err
}

func addReaction(c *call) (map[string]any, error) {
	err := c.s.change(func(t *tx) error {
		ch, err := c.writable(t, c.get("channel"))
		if err != nil {
			return err
		}
		m := c.s.book.messages[ch.ID+"/"+c.get("timestamp")]
		name := strings.Trim(c.get("name"), ":")
		switch {
		case m == nil || m.To != "":
			return &apiError{Code: "message_not_found"}
		case slices.Contains(m.Reactions, name):
			return &apiError{Code: "already_reacted"}
		}
		m.Reactions = append(m.Reactions, name)
		t.message(m)
		return nil
	})
	return map[string]any{}, err
}

// wireMessage is a message as the Web API and the events show it. The lock is
// held.
func (s *Sim) wireMessage(m *message, metadata bool) map[string]any {
	out := map[string]any{"type": "message", "user": m.User, "text": m.Text, "ts": m.TS, "team": s.cfg.TeamID}
	if m.BotID != "" {
		out["bot_id"], out["app_id"] = m.BotID, s.cfg.AppID
	}
	if m.Subtype != "" {
		out["subtype"], out["topic"] = m.Subtype, m.Topic
	}
	for k, v := range map[string]json.RawMessage{"blocks": m.Blocks, "attachments": m.Attachments} {
		if len(v) > 0 {
			out[k] = v
		}
	}
	if metadata && len(m.Metadata) > 0 {
		out["metadata"] = m.Metadata
	}
	if m.EditedTS != "" {
		out["edited"] = map[string]any{"user": m.User, "ts": m.EditedTS}
	}
	if len(m.Files) > 0 {
		var fs []any
		for _, id := range m.Files {
			fs = append(fs, s.wireFile(s.book.files[id]))
		}
		out["files"] = fs
	}
	var rs []any
	for _, r := range m.Reactions {
		rs = append(rs, map[string]any{"name": r, "count": 1, "users": []string{s.cfg.BotUserID}})
	}
	if rs != nil {
		out["reactions"] = rs
	}
	s.wireThread(m, out)
	return out
}

func (s *Sim) wireThread(m *message, out map[string]any) {
	if m.inThread() {
		out["thread_ts"] = m.ThreadTS
		if m.Broadcast {
			out["subtype"] = "thread_broadcast"
		}
		return
	}
	replies := s.thread(m)
	if len(replies) == 0 {
		return
	}
	var users []string
	for _, r := range replies {
		if !slices.Contains(users, r.User) {
			users = append(users, r.User)
		}
	}
	out["thread_ts"], out["reply_count"], out["latest_reply"] = m.TS, len(replies), replies[len(replies)-1].TS
	out["reply_users"], out["reply_users_count"] = users, len(users)
}

// thread lists what everybody sees of the answers to m, oldest first.
func (s *Sim) thread(m *message) []*message {
	var out []*message
	for _, r := range s.book.byChannel[m.Channel] {
		if r.ThreadTS == m.TS && r.TS != m.TS && r.To == "" {
			out = append(out, r)
		}
	}
	return out
}

package slacksim

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
)

// A response_url takes five messages.
const responseUses = 5

// reply is what goes to a response_url, or into the acknowledgement of a command.
type reply struct {
	Text            string          `json:"text"`
	Blocks          json.RawMessage `json:"blocks"`
	Attachments     json.RawMessage `json:"attachments"`
	ResponseType    string          `json:"response_type"`
	ReplaceOriginal bool            `json:"replace_original"`
	DeleteOriginal  bool            `json:"delete_original"`
	ThreadTS        string          `json:"thread_ts"`
	Metadata        json.RawMessage `json:"metadata"`
}

var replyFields = []string{
	"text", "blocks", "attachments", "response_type", "replace_original", "delete_original", "thread_ts",
	"metadata", "mrkdwn", "unfurl_links", "unfurl_media", "parse", "link_names", "username", "icon_emoji", "icon_url",
	"reply_broadcast", "channel",
}

func (s *Sim) serveResponse(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, "invalid_payload", http.StatusBadRequest)
		return
	}
	if e := s.misbehave("response_url"); e != nil {
		e.write(w)
		return
	}
	s.hook("before", "response_url", nil)
	err = s.respond(r.PathValue("token"), body, true)
	s.hook("after", "response_url", nil)
	if e := s.afterwards("response_url"); e != nil {
		e.write(w)
		return
	}
	if err != nil {
		e := asAPIError(err)
		s.violate("response_url: %s", e)
		e.status = http.StatusBadRequest
		switch e.Code {
		case "used_url", "expired_url":
			e.status = http.StatusNotFound
		}
		e.write(w)
		return
	}
	_, _ = io.WriteString(w, "ok")
}

// respond does what a response_url is asked for; an acknowledgement's payload
// does not count as a use.
func (s *Sim) respond(token string, body []byte, counted bool) error {
	var p reply
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &p) != nil || json.Unmarshal(body, &fields) != nil {
		return &apiError{Code: "invalid_payload"}
	}
	for f := range fields {
		if !slices.Contains(replyFields, f) {
			return &apiError{Code: "invalid_payload", messages: []string{"unknown field " + f}}
		}
	}
	return s.change(func(t *tx) error {
		r := s.book.responses[token]
		switch {
		case r == nil || s.cfg.Clock.Now().After(r.Expires):
			return &apiError{Code: "expired_url"}
		case r.Uses >= responseUses:
			return &apiError{Code: "used_url"}
		}
		c := s.book.channels[r.Channel]
		blocks, err := s.content(t, p.Text, p.Blocks, p.DeleteOriginal)
		if err != nil {
			return err
		}
		if counted {
			r.Uses++
			t.put(bucketResponses, token, r)
		}
		if p.DeleteOriginal || p.ReplaceOriginal {
			return s.replace(t, c, r, p, blocks)
		}
		m := &message{
			Channel: c.ID, TS: t.ts(), ThreadTS: p.ThreadTS, User: s.cfg.BotUserID, BotID: s.cfg.BotID,
			Text: p.Text, Blocks: blocks, Metadata: p.Metadata,
		}
		if p.ResponseType != "in_channel" {
			m.To = r.User
		}
		t.message(m)
		if m.To != "" {
			s.answered(s.actOf(token), m)
			return nil
		}
		s.spoke(m)
		s.messageEvent(t, c, m)
		return nil
	})
}

// replace changes or deletes the message whose button was pressed.
func (s *Sim) replace(t *tx, c *channel, r *responseURL, p reply, blocks json.RawMessage) error {
	m := s.book.messages[r.Channel+"/"+r.Source]
	if m == nil {
		return &apiError{Code: "message_not_found"}
	}
	if p.DeleteOriginal {
		s.removeMessage(t, m)
		return nil
	}
	m.Text, m.Blocks = p.Text, blocks
	m.EditedTS = t.ts()
	t.message(m)
	if m.To != "" {
		s.answered(s.actOf(r.Token), m)
		return nil
	}
	s.touched(m)
	s.changeEvent(t, c, m, "message_changed")
	return nil
}

// content checks the text and blocks of a message and completes the blocks.
func (s *Sim) content(t *tx, text string, blocks json.RawMessage, mayBeEmpty bool) (json.RawMessage, error) {
	if len([]rune(text)) > 40000 {
		return nil, &apiError{Code: "msg_too_long"}
	}
	full, err := checkBlocks(blocks, surfaceMessage, func() string { return t.id("b") })
	if err != nil {
		return nil, err
	}
	if text == "" && full == nil && !mayBeEmpty {
		return nil, &apiError{Code: "no_text"}
	}
	return full, nil
}

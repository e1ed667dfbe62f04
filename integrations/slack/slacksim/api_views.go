package slacksim

import (
	"encoding/json"
	"slices"
	"unicode/utf8"
)

// viewState is an open modal, or somebody's home.
type viewState struct {
	ID, Hash, User, Kind string
	CallbackID, External string
	Title, Submit, Close string
	PrivateMetadata      string
	Blocks               json.RawMessage
	NotifyOnClose        bool
	ClearOnClose         bool
	Previous, Root       string
	Errors               map[string]string `json:",omitempty"` // of the last submission
}

const maxStack = 3

// viewArg is a view as the app sends it.
type viewArg struct {
	Type            string          `json:"type"`
	Title           object          `json:"title"`
	Submit          object          `json:"submit"`
	Close           object          `json:"close"`
	Blocks          json.RawMessage `json:"blocks"`
	PrivateMetadata string          `json:"private_metadata"`
	CallbackID      string          `json:"callback_id"`
	ExternalID      string          `json:"external_id"`
	ClearOnClose    bool            `json:"clear_on_close"`
	NotifyOnClose   bool            `json:"notify_on_close"`
}

var viewFields = []string{
	"type", "title", "submit", "close", "blocks", "private_metadata", "callback_id", "external_id", "clear_on_close",
	"notify_on_close", "submit_disabled",
}

const maxView = 250 * 1024

// readView checks a view and lays it over v.
func (t *tx) readView(raw json.RawMessage, kind string, v *viewState) error {
	var a viewArg
	var known map[string]json.RawMessage
	if json.Unmarshal(raw, &a) != nil || json.Unmarshal(raw, &known) != nil {
		return &apiError{Code: "invalid_arguments", messages: []string{"[ERROR] view is not a view object"}}
	}
	on := surfaceModal
	if kind == "home" {
		on = surfaceHome
	}
	c := &checker{on: on}
	if a.Type != kind {
		c.fault("/view/type", "must be %s", kind)
	}
	for f := range known {
		if !slices.Contains(viewFields, f) {
			c.fault("/view", "invalid additional property: %s", f)
		}
	}
	text := func(at string, o object) string {
		if o == nil {
			return ""
		}
		c.textObject(at, o, 24, "plain_text")
		s, _ := o["text"].(string)
		return s
	}
	title, submit, closes := text("/view/title", a.Title), text("/view/submit", a.Submit), text("/view/close", a.Close)
	if kind == "modal" && a.Title == nil {
		c.fault("/view", "missing required field: title")
	}
	if utf8.RuneCountInString(a.PrivateMetadata) > 3000 {
		c.fault("/view/private_metadata", "must be less than 3001 characters")
	}
	if utf8.RuneCountInString(a.CallbackID) > maxID || utf8.RuneCountInString(a.ExternalID) > maxID {
		c.fault("/view", "callback_id and external_id must be less than %d characters", maxID+1)
	}
	if len(raw) > maxView {
		return &apiError{Code: "view_too_large"}
	}
	blocks, err := checkBlocks(a.Blocks, on, func() string { return t.id("b") })
	if err != nil {
		e := asAPIError(err)
		c.wrong = append(c.wrong, e.messages...)
		if len(e.messages) == 0 {
			return e
		}
	}
	if kind == "modal" && a.Submit == nil && hasInput(blocks) {
		c.fault("/view", "missing required field: submit, because there are inputs")
	}
	if len(c.wrong) > 0 {
		return &apiError{Code: "invalid_arguments", messages: c.wrong}
	}
	v.Kind, v.Title, v.Submit, v.Close, v.Blocks = kind, title, submit, closes, blocks
	v.PrivateMetadata, v.CallbackID, v.External = a.PrivateMetadata, a.CallbackID, a.ExternalID
	v.NotifyOnClose, v.ClearOnClose, v.Errors = a.NotifyOnClose, a.ClearOnClose, nil
	v.Hash = t.id("h")
	return nil
}

func hasInput(blocks json.RawMessage) bool {
	return slices.ContainsFunc(decodeBlocks(blocks), func(b object) bool { return b["type"] == "input" })
}

// spend uses up a trigger_id. The lock is held.
func (c *call) spend() (*trigger, error) {
	id := c.get("trigger_id")
	if id == "" {
		id = c.get("interactivity_pointer")
	}
	tr := c.s.triggers[id]
	switch {
	case id == "":
		return nil, &apiError{Code: "invalid_trigger_id"}
	case tr == nil || c.s.wall().Sub(tr.born) > c.s.cfg.TriggerLife:
		return nil, &apiError{Code: "expired_trigger_id"}
	case tr.used:
		return nil, &apiError{Code: "exchanged_trigger_id"}
	}
	tr.used = true
	return tr, nil
}

func openView(c *call) (map[string]any, error) { return c.newView(false) }
func pushView(c *call) (map[string]any, error) { return c.newView(true) }

func (c *call) newView(push bool) (map[string]any, error) {
	var out map[string]any
	err := c.s.change(func(t *tx) error {
		v := &viewState{}
		if err := t.readView(c.json("view"), "modal", v); err != nil {
			return err
		}
		tr, err := c.spend()
		if err != nil {
			return err
		}
		v.User = tr.user
		stack := c.s.stack(tr.user)
		if push {
			if len(stack) == 0 {
				return &apiError{Code: "not_found"}
			}
			if len(stack) >= maxStack {
				return &apiError{Code: "push_limit_reached"}
			}
			v.Previous, v.Root = stack[len(stack)-1].ID, stack[0].ID
		} else {
			for _, old := range stack { // Slack shows one stack a person
				t.dropView(old)
			}
		}
		t.showView(v)
		if tr.act != nil {
			tr.act.view = v.ID
		}
		out = map[string]any{"view": c.s.wireView(v, nil)}
		return nil
	})
	return out, err
}

// showView gives a new modal its id and stores it.
func (t *tx) showView(v *viewState) {
	v.ID = t.id("V")
	if v.Root == "" {
		v.Root = v.ID
	}
	t.s.book.views[v.ID] = v
	t.put(bucketViews, v.ID, v)
}

func (t *tx) dropView(v *viewState) {
	delete(t.s.book.views, v.ID)
	t.del(bucketViews, v.ID)
}

// stack lists a person's open modals, the lowest first. The lock is held.
func (s *Sim) stack(user string) []*viewState {
	var out []*viewState
	for _, v := range s.book.views {
		if v.User == user {
			out = append(out, v)
		}
	}
	depth := func(v *viewState) (n int) {
		for ; v != nil && v.Previous != ""; v = s.book.views[v.Previous] {
			n++
		}
		return n
	}
	slices.SortFunc(out, func(a, b *viewState) int { return depth(a) - depth(b) })
	return out
}

func updateView(c *call) (map[string]any, error) {
	var out map[string]any
	err := c.s.change(func(t *tx) error {
		v := c.s.book.views[c.get("view_id")]
		if ext := c.get("external_id"); v == nil && ext != "" {
			for _, x := range c.s.book.views {
				if x.External == ext {
					v = x
				}
			}
		}
		switch {
		case v == nil:
			return &apiError{Code: "not_found"}
		case c.get("hash") != "" && c.get("hash") != v.Hash:
			return &apiError{Code: "hash_conflict"}
		}
		if err := t.readView(c.json("view"), "modal", v); err != nil {
			return err
		}
		t.put(bucketViews, v.ID, v)
		out = map[string]any{"view": c.s.wireView(v, nil)}
		return nil
	})
	return out, err
}

func publishView(c *call) (map[string]any, error) {
	var out map[string]any
	err := c.s.change(func(t *tx) error {
		if c.s.cfg.NoHome {
			return &apiError{Code: "not_enabled"}
		}
		u, err := c.s.user(c.get("user_id"))
		if err != nil || u.ID != c.get("user_id") || u.Bot || u.OtherTeam != "" { // a Home tab is a person's of this workspace
			return &apiError{Code: "invalid_arguments", messages: []string{"invalid `user_id`"}}
		}
		old := c.s.book.homes[u.ID]
		if h := c.get("hash"); h != "" && (old == nil || old.Hash != h) {
			return &apiError{Code: "hash_conflict"}
		}
		v := &viewState{User: u.ID}
		if old != nil {
			v.ID = old.ID
		} else {
			v.ID = t.id("V")
		}
		if err := t.readView(c.json("view"), "home", v); err != nil {
			return err
		}
		v.Root = v.ID
		c.s.book.homes[u.ID] = v
		t.put(bucketHomes, u.ID, v)
		out = map[string]any{"view": c.s.wireView(v, nil)}
		return nil
	})
	return out, err
}

// wireView is a view as the app gets it. The lock is held.
func (s *Sim) wireView(v *viewState, state object) map[string]any {
	if state == nil {
		state = object{}
	}
	blocks := v.Blocks
	if blocks == nil {
		blocks = json.RawMessage("[]")
	}
	out := map[string]any{
		"id": v.ID, "team_id": s.cfg.TeamID, "type": v.Kind, "blocks": blocks, "private_metadata": v.PrivateMetadata,
		"callback_id": v.CallbackID, "external_id": v.External, "hash": v.Hash, "state": object{"values": state},
		"clear_on_close": v.ClearOnClose, "notify_on_close": v.NotifyOnClose, "root_view_id": v.Root, "previous_view_id": nil,
		"app_id": s.cfg.AppID, "app_installed_team_id": s.cfg.TeamID, "bot_id": s.cfg.BotID,
		"title": nil, "submit": nil, "close": nil,
	}
	if v.Previous != "" {
		out["previous_view_id"] = v.Previous
	}
	for k, text := range map[string]string{"title": v.Title, "submit": v.Submit, "close": v.Close} {
		if text != "" {
			out[k] = object{"type": "plain_text", "text": text, "emoji": true}
		}
	}
	return out
}

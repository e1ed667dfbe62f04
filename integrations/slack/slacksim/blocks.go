package slacksim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Where blocks stand decides which are allowed and how many.
type surface struct {
	name   string
	blocks int
	kinds  []string
}

var (
	surfaceMessage = surface{"message", 50, []string{"section", "divider", "header", "context", "actions", "image", "rich_text", "markdown", "table", "input"}}
	surfaceModal   = surface{"modal", 100, []string{"section", "divider", "header", "context", "actions", "image", "rich_text", "input"}}
	surfaceHome    = surface{"home", 100, []string{"section", "divider", "header", "context", "actions", "image", "rich_text", "input"}}
)

// maxMessageText is what all the text in a message's blocks may come to. It is
// not documented: found by others at about this size.
const maxMessageText = 13200

const (
	maxMarkdown = 12000
	maxID       = 255
)

// An object is what a JSON object decodes to.
type object = map[string]any

// checker walks the blocks of one surface and gathers what is wrong with them.
type checker struct {
	wrong    []string
	on       surface
	blockIDs map[string]bool
	actions  map[string]bool
	text     int // runes
	id       func() string
}

// checkBlocks refuses what Slack refuses, and gives blocks and elements without
// an id one. Nil and empty blocks are nil.
func checkBlocks(raw json.RawMessage, on surface, id func() string) (json.RawMessage, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var list []object
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, &apiError{Code: "invalid_blocks_format"}
	}
	if len(list) == 0 {
		return nil, nil
	}
	c := &checker{on: on, blockIDs: map[string]bool{}, actions: map[string]bool{}, id: id}
	if len(list) > on.blocks {
		c.fault("/blocks", "no more than %d items allowed", on.blocks)
	}
	for i, b := range list {
		c.block(fmt.Sprintf("/blocks/%d", i), b)
	}
	if len(c.wrong) > 0 {
		return nil, &apiError{Code: "invalid_blocks", messages: c.wrong}
	}
	if on.name == "message" && c.text > maxMessageText {
		return nil, &apiError{Code: "msg_blocks_too_long"}
	}
	return encodeJSON(list), nil
}

func (c *checker) fault(at, format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Sprintf("[ERROR] "+format+" [json-pointer:%s]", append(args, at)...))
}

// fields names, for each type of block and element, the fields it may have
// besides type, and those it must have, marked with a star.
var fields = map[string]string{
	"section":   "block_id text fields accessory expand",
	"divider":   "block_id",
	"header":    "block_id *text level",
	"context":   "block_id *elements",
	"actions":   "block_id *elements",
	"image":     "block_id image_url *alt_text title slack_file image_width image_height image_bytes",
	"rich_text": "block_id *elements",
	"markdown":  "block_id *text",
	"table":     "block_id *rows column_settings",
	"input":     "block_id *label *element hint optional dispatch_action",

	"button":                     "action_id *text value url style confirm accessibility_label",
	"static_select":              "action_id placeholder options option_groups initial_option confirm focus_on_load",
	"external_select":            "action_id placeholder initial_option min_query_length confirm focus_on_load",
	"users_select":               "action_id placeholder initial_user confirm focus_on_load",
	"channels_select":            "action_id placeholder initial_channel confirm response_url_enabled focus_on_load",
	"conversations_select":       "action_id placeholder initial_conversation default_to_current_conversation confirm response_url_enabled filter focus_on_load",
	"multi_static_select":        "action_id placeholder options option_groups initial_options confirm max_selected_items focus_on_load",
	"multi_users_select":         "action_id placeholder initial_users confirm max_selected_items focus_on_load",
	"multi_channels_select":      "action_id placeholder initial_channels confirm max_selected_items focus_on_load",
	"multi_conversations_select": "action_id placeholder initial_conversations default_to_current_conversation confirm max_selected_items filter focus_on_load",
	"overflow":                   "action_id *options confirm",
	"radio_buttons":              "action_id *options initial_option confirm focus_on_load",
	"checkboxes":                 "action_id *options initial_options confirm focus_on_load",
	"datepicker":                 "action_id placeholder initial_date confirm focus_on_load",
	"timepicker":                 "action_id placeholder initial_time confirm timezone focus_on_load",
	"datetimepicker":             "action_id initial_date_time confirm focus_on_load",
	"plain_text_input":           "action_id placeholder initial_value multiline min_length max_length dispatch_action_config focus_on_load",
	"number_input":               "action_id placeholder initial_value *is_decimal_allowed min_value max_value dispatch_action_config focus_on_load",
	"email_text_input":           "action_id placeholder initial_value dispatch_action_config focus_on_load",
	"url_text_input":             "action_id placeholder initial_value dispatch_action_config focus_on_load",
}

// known checks the fields of o against the table.
func (c *checker) known(at, kind string, o object) {
	want := strings.Fields(fields[kind])
	for f := range o {
		if f != "type" && !slices.Contains(want, f) && !slices.Contains(want, "*"+f) {
			c.fault(at, "invalid additional property: %s", f)
		}
	}
	for _, f := range want {
		if name, must := strings.CutPrefix(f, "*"); must && o[name] == nil {
			c.fault(at, "missing required field: %s", name)
		}
	}
}

func (c *checker) block(at string, b object) {
	kind, _ := b["type"].(string)
	if !slices.Contains(c.on.kinds, kind) {
		c.fault(at+"/type", "unsupported type: %s", kind)
		return
	}
	c.known(at, kind, b)
	c.unique(at, "block_id", b, c.blockIDs)
	switch kind {
	case "section":
		c.section(at, b)
	case "header":
		c.textObject(at+"/text", b["text"], 150, "plain_text")
	case "markdown":
		c.plain(at+"/text", b["text"], maxMarkdown)
	case "image":
		c.image(at, b)
	case "context":
		c.elements(at, b, 10, contextElements)
	case "actions":
		c.elements(at, b, 25, actionElements)
	case "input":
		c.input(at, b)
	case "table":
		c.table(at, b)
	case "rich_text":
		c.count(b["elements"])
	}
}

func (c *checker) section(at string, b object) {
	fs, _ := b["fields"].([]any)
	if b["text"] == nil && len(fs) == 0 {
		c.fault(at, "missing required field: text or fields")
	}
	if b["text"] != nil {
		c.textObject(at+"/text", b["text"], 3000, "")
	}
	if len(fs) > 10 {
		c.fault(at+"/fields", "no more than 10 items allowed")
	}
	for i, f := range fs {
		c.textObject(fmt.Sprintf("%s/fields/%d", at, i), f, 2000, "")
	}
	if b["accessory"] != nil {
		c.element(at+"/accessory", b["accessory"], append([]string{"image"}, actionElements...))
	}
}

func (c *checker) image(at string, b object) {
	c.plain(at+"/alt_text", b["alt_text"], 2000)
	if b["image_url"] != nil {
		c.plain(at+"/image_url", b["image_url"], 3000)
	} else if b["slack_file"] == nil {
		c.fault(at, "missing required field: image_url or slack_file")
	}
	if b["title"] != nil {
		c.textObject(at+"/title", b["title"], 2000, "plain_text")
	}
}

func (c *checker) table(at string, b object) {
	rows, _ := b["rows"].([]any)
	if len(rows) > 100 {
		c.fault(at+"/rows", "no more than 100 items allowed")
	}
	for i, r := range rows {
		if cells, _ := r.([]any); len(cells) > 20 {
			c.fault(fmt.Sprintf("%s/rows/%d", at, i), "no more than 20 items allowed")
		}
	}
	c.count(rows)
}

// count adds up the text somewhere inside v.
func (c *checker) count(v any) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			c.count(x)
		}
	case object:
		for k, x := range v {
			if s, ok := x.(string); ok && k == "text" {
				c.text += utf8.RuneCountInString(s)
			} else {
				c.count(x)
			}
		}
	}
}

func (c *checker) input(at string, b object) {
	c.textObject(at+"/label", b["label"], 2000, "plain_text")
	if b["hint"] != nil {
		c.textObject(at+"/hint", b["hint"], 2000, "plain_text")
	}
	c.element(at+"/element", b["element"], inputElements)
}

// plain checks a string's length.
func (c *checker) plain(at string, v any, most int) {
	s, ok := v.(string)
	n := utf8.RuneCountInString(s)
	c.text += n
	switch {
	case !ok || n == 0:
		c.fault(at, "must be more than 0 characters")
	case n > most:
		c.fault(at, "must be less than %d characters", most+1)
	}
}

// textObject checks a text of at most most runes, of one type or of either.
func (c *checker) textObject(at string, v any, most int, only string) {
	o, _ := v.(object)
	if o == nil {
		c.fault(at, "must be a text object")
		return
	}
	kind, _ := o["type"].(string)
	if kind != "plain_text" && kind != "mrkdwn" || only != "" && kind != only {
		c.fault(at+"/type", "unsupported type: %s", kind)
	}
	for f := range o {
		switch {
		case f == "type" || f == "text" || f == "emoji" && kind == "plain_text" || f == "verbatim" && kind == "mrkdwn":
		default:
			c.fault(at, "invalid additional property: %s", f)
		}
	}
	c.plain(at+"/text", o["text"], most)
}

// unique checks an id, and makes one where it is missing.
func (c *checker) unique(at, field string, o object, seen map[string]bool) {
	id, _ := o[field].(string)
	switch {
	case o[field] == nil || id == "":
		id = c.id()
		o[field] = id
	case utf8.RuneCountInString(id) > maxID:
		c.fault(at+"/"+field, "must be less than %d characters", maxID+1)
	case seen[id]:
		c.fault(at+"/"+field, "%s %q is used twice", field, id)
	}
	seen[id] = true
}

package slacksim

import (
	"fmt"
	"net/url"
	"slices"
)

var (
	contextElements = []string{"plain_text", "mrkdwn", "image"}
	actionElements  = []string{
		"button", "static_select", "external_select", "users_select", "channels_select", "conversations_select",
		"multi_static_select", "multi_users_select", "multi_channels_select", "multi_conversations_select",
		"overflow", "radio_buttons", "checkboxes", "datepicker", "timepicker", "datetimepicker",
	}
	inputElements = []string{
		"plain_text_input", "number_input", "email_text_input", "url_text_input",
		"static_select", "external_select", "users_select", "channels_select", "conversations_select",
		"multi_static_select", "multi_users_select", "multi_channels_select", "multi_conversations_select",
		"radio_buttons", "checkboxes", "datepicker", "timepicker", "datetimepicker",
	}
)

func (c *checker) elements(at string, b object, most int, kinds []string) {
	list, _ := b["elements"].([]any)
	if len(list) == 0 {
		c.fault(at+"/elements", "no fewer than 1 items allowed")
	}
	if len(list) > most {
		c.fault(at+"/elements", "no more than %d items allowed", most)
	}
	for i, e := range list {
		c.element(fmt.Sprintf("%s/elements/%d", at, i), e, kinds)
	}
}

func (c *checker) element(at string, v any, kinds []string) {
	e, _ := v.(object)
	kind, _ := e["type"].(string)
	if !slices.Contains(kinds, kind) {
		c.fault(at+"/type", "unsupported type: %s", kind)
		return
	}
	switch kind {
	case "plain_text", "mrkdwn":
		c.textObject(at, v, 3000, "")
		return
	case "image":
		c.known(at, kind, e)
		c.image(at, e)
		return
	}
	c.known(at, kind, e)
	c.unique(at, "action_id", e, c.actions)
	if e["confirm"] != nil {
		c.confirm(at+"/confirm", e["confirm"])
	}
	if e["placeholder"] != nil {
		c.textObject(at+"/placeholder", e["placeholder"], 150, "plain_text")
	}
	switch kind {
	case "button":
		c.button(at, e)
	case "static_select", "multi_static_select":
		c.menu(at, e)
	case "overflow":
		c.options(at+"/options", e["options"], 5)
	case "radio_buttons", "checkboxes":
		c.options(at+"/options", e["options"], 10)
	case "plain_text_input":
		if e["initial_value"] != nil {
			c.plain(at+"/initial_value", e["initial_value"], 3000)
		}
	}
}

func (c *checker) button(at string, e object) {
	c.textObject(at+"/text", e["text"], 75, "plain_text")
	if e["value"] != nil {
		c.plain(at+"/value", e["value"], 2000)
	}
	if e["url"] != nil {
		c.plain(at+"/url", e["url"], 3000)
		if u, err := url.Parse(fmt.Sprint(e["url"])); err != nil || u.Scheme == "" {
			c.fault(at+"/url", "must be a valid URL")
		}
	}
	if st := e["style"]; st != nil && st != "primary" && st != "danger" {
		c.fault(at+"/style", "unknown style: %v", st)
	}
}

func (c *checker) confirm(at string, v any) {
	o, _ := v.(object)
	for f := range o {
		if !slices.Contains([]string{"title", "text", "confirm", "deny", "style"}, f) {
			c.fault(at, "invalid additional property: %s", f)
		}
	}
	c.textObject(at+"/title", o["title"], 100, "plain_text")
	c.textObject(at+"/text", o["text"], 300, "")
	for _, f := range []string{"confirm", "deny"} {
		if o[f] != nil {
			c.textObject(at+"/"+f, o[f], 30, "plain_text")
		}
	}
}

func (c *checker) menu(at string, e object) {
	groups, _ := e["option_groups"].([]any)
	switch {
	case e["options"] != nil && groups != nil:
		c.fault(at, "options and option_groups exclude each other")
	case groups == nil:
		c.options(at+"/options", e["options"], 100)
	case len(groups) > 100:
		c.fault(at+"/option_groups", "no more than 100 items allowed")
	}
	for i, g := range groups {
		o, _ := g.(object)
		p := fmt.Sprintf("%s/option_groups/%d", at, i)
		c.textObject(p+"/label", o["label"], 75, "plain_text")
		c.options(p+"/options", o["options"], 100)
	}
}

func (c *checker) options(at string, v any, most int) {
	list, _ := v.([]any)
	if len(list) == 0 || len(list) > most {
		c.fault(at, "between 1 and %d items allowed", most)
	}
	for i, x := range list {
		o, _ := x.(object)
		p := fmt.Sprintf("%s/%d", at, i)
		for f := range o {
			if !slices.Contains([]string{"text", "value", "description", "url"}, f) {
				c.fault(p, "invalid additional property: %s", f)
			}
		}
		c.textObject(p+"/text", o["text"], 75, "")
		c.plain(p+"/value", o["value"], 150)
		if o["description"] != nil {
			c.textObject(p+"/description", o["description"], 75, "")
		}
	}
}

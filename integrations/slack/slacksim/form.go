package slacksim

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// state fills in the view's state.values.
func (v *viewState) state(values map[string]string) (object, error) {
	out := object{}
	used := map[string]bool{}
	for _, c := range controls(v.Blocks) {
		kind := str(c.element, "type")
		if kind == "button" || kind == "overflow" {
			continue
		}
		block, action := str(c.block, "block_id"), str(c.element, "action_id")
		chosen := initial(c.element)
		for _, k := range []string{label(c.block), action, block} {
			if x, ok := values[k]; ok && k != "" {
				chosen = split(kind, x)
				used[k] = true
			}
		}
		optional, _ := c.block["optional"].(bool)
		if len(chosen) == 0 && c.block["type"] == "input" && !optional {
			return nil, refuse("missing_value", "%s: please complete this required field", label(c.block))
		}
		state, err := fill(c.element, chosen)
		if err != nil {
			return nil, err
		}
		in, _ := out[block].(object)
		if in == nil {
			in = object{}
			out[block] = in
		}
		state["type"] = kind
		in[action] = state
	}
	for k := range values {
		if !used[k] {
			return nil, refuse("no_such_field", "the modal has no field %q", k)
		}
	}
	return out, nil
}

// split separates the values of a multiple choice.
func split(kind, value string) []string {
	switch {
	case value == "":
		return nil
	case kind == "checkboxes" || strings.HasPrefix(kind, "multi_"):
		var out []string
		for _, v := range strings.Split(value, ",") {
			out = append(out, strings.TrimSpace(v))
		}
		return out
	}
	return []string{value}
}

// initial is what an element is prefilled with.
func initial(e object) []string {
	var out []string
	if o, _ := e["initial_option"].(object); o != nil {
		out = append(out, str(o, "value"))
	}
	if list, _ := e["initial_options"].([]any); list != nil {
		for _, x := range list {
			o, _ := x.(object)
			out = append(out, str(o, "value"))
		}
	}
	for _, f := range []string{"initial_value", "initial_user", "initial_channel", "initial_conversation", "initial_date", "initial_time"} {
		if v := str(e, f); v != "" {
			out = append(out, v)
		}
	}
	return out
}

// singles names where the state keeps what a person chose.
var singles = map[string]string{
	"plain_text_input": "value", "number_input": "value", "email_text_input": "value", "url_text_input": "value",
	"users_select": "selected_user", "channels_select": "selected_channel", "conversations_select": "selected_conversation",
	"datepicker": "selected_date", "timepicker": "selected_time", "datetimepicker": "selected_date_time",
}

// fill is the state of one element with those values chosen.
func fill(e object, values []string) (object, error) {
	kind := str(e, "type")
	if field, ok := singles[kind]; ok {
		if len(values) == 0 {
			return object{field: nil}, nil
		}
		return object{field: values[0]}, fits(e, values[0])
	}
	if strings.HasPrefix(kind, "multi_") && kind != "multi_static_select" {
		field := "selected_" + strings.TrimSuffix(strings.TrimPrefix(kind, "multi_"), "_select")
		return object{field: append([]string{}, values...)}, nil
	}
	chosen := []any{}
	for _, v := range values {
		all := optionObjects(e)
		i := slices.IndexFunc(all, func(o object) bool { return str(o, "value") == v })
		if i < 0 {
			i = slices.IndexFunc(all, func(o object) bool { return str(o, "text", "text") == v })
		}
		if i < 0 {
			return nil, refuse("no_such_option", "%q is not among the choices", v)
		}
		chosen = append(chosen, all[i])
	}
	switch {
	case kind == "checkboxes" || kind == "multi_static_select":
		return object{"selected_options": chosen}, nil
	case len(chosen) == 0:
		return object{"selected_option": nil}, nil
	}
	return object{"selected_option": chosen[0]}, nil
}

// fits checks a typed text against the element's length.
func fits(e object, value string) error {
	n := float64(utf8.RuneCountInString(value))
	least, _ := e["min_length"].(float64)
	most, bound := e["max_length"].(float64)
	if n < least || bound && n > most || n > 3000 {
		return refuse("invalid_length", "a text of %.0f characters does not fit", n)
	}
	return nil
}

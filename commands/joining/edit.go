package joining

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// The things that can be proposed, as they are typed.
const (
	editPerson  = "person"
	editAdd     = "add"
	editRemove  = "remove"
	editAlias   = "alias"
	editChannel = "channel"
)

// An edit is one change to the configuration's text.
type edit struct {
	What   string `json:"what"`
	Name   string `json:"name"` // the person, the alias or the channel
	Slack  string `json:"slack,omitempty"`
	GitHub string `json:"github,omitempty"`
	In     string `json:"in,omitempty"` // the group, the service or the environment
}

// String says it in a few words: "add carol to developers".
func (e edit) String() string {
	switch e.What {
	case editPerson:
		return "add " + e.Name + " to people"
	case editAdd:
		return "add " + e.Name + " to " + e.In
	case editRemove:
		return "remove " + e.Name + " from " + e.In
	case editAlias:
		return "call " + e.In + " also " + e.Name
	}
	return "let #" + e.Name + " change " + e.In
}

// line is the item as it stands in a list.
func (e edit) line() string {
	if e.What != editPerson {
		return scalar(e.Name)
	}
	out := "{name: " + scalar(e.Name)
	if e.Slack != "" {
		out += ", slack: " + scalar(e.Slack)
	}
	if e.GitHub != "" {
		out += ", github: " + scalar(e.GitHub)
	}
	return out + "}"
}

// path leads to the list that an edit changes.
func (e edit) path(root any) []string {
	switch e.What {
	case editPerson:
		return []string{"people"}
	case editAlias:
		return []string{"services", e.In, "aliases"}
	case editChannel:
		return []string{"environments", e.In, "channels"}
	}
	at := []string{"groups", e.In}
	if _, mapping := get(root, at).(map[string]any); mapping { // {people: […], github_team: …}
		at = append(at, "people")
	}
	return at
}

// value is what a reader finds in the list.
func (e edit) value() any {
	if e.What != editPerson {
		return e.Name
	}
	out := map[string]any{"name": e.Name}
	if e.Slack != "" {
		out["slack"] = e.Slack
	}
	if e.GitHub != "" {
		out["github"] = e.GitHub
	}
	return out
}

// same says whether an item of the list is the one that an edit is about.
func (e edit) same(item any) bool {
	if e.What == editPerson {
		m, _ := item.(map[string]any)
		return fmt.Sprint(m["name"]) == e.Name || e.Slack != "" && fmt.Sprint(m["slack"]) == e.Slack
	}
	word := fmt.Sprint(item)
	if e.What == editChannel {
		return strings.TrimPrefix(word, "#") == strings.TrimPrefix(e.Name, "#")
	}
	return integrations.Fold(word) == integrations.Fold(e.Name)
}

var crlf, lf = []byte("\r\n"), []byte("\n")

// edited changes the text at one place, so that comments and order stay, and
// returns the lines that differ. already says that it stands there as wanted. The
// new text is read again, and refused if it does not say exactly what was meant.
func edited(content []byte, e edit) (out []byte, diff []string, already bool, err error) {
	if n := bytes.Count(content, crlf); n > 0 {
		if n != bytes.Count(content, lf) {
			return nil, nil, false, fmt.Errorf("the file's lines do not all end alike")
		}
		out, diff, already, err = edited(bytes.ReplaceAll(content, crlf, lf), e)
		return bytes.ReplaceAll(out, lf, crlf), diff, already, err
	}
	was, err := read(content)
	if err != nil {
		return nil, nil, false, err
	}
	path := e.path(was)
	old, _ := get(was, path).([]any)
	at := slices.IndexFunc(old, e.same)
	if (e.What == editRemove) == (at < 0) {
		return content, nil, true, nil
	}
	if err := e.fits(was); err != nil {
		return nil, nil, false, err
	}
	var list []any
	if e.What == editRemove {
		out, err = removed(content, path, at)
		list = slices.Delete(slices.Clone(old), at, at+1)
	} else {
		out, err = appended(content, path, e.line())
		list = append(slices.Clone(old), e.value())
	}
	if err != nil {
		return nil, nil, false, err
	}
	now, err := read(out)
	if err == nil && !reflect.DeepEqual(put(was, path, list), now) {
		err = fmt.Errorf("the edited text would say something else")
	}
	if err != nil {
		return nil, nil, false, fmt.Errorf("%s is written in a way that is not edited here; do it by hand (%w)", strings.Join(path, "."), err)
	}
	return out, differing(content, out), false, nil
}

// fits says whether there is the group, service or environment.
func (e edit) fits(root any) error {
	if e.What == editPerson {
		return nil
	}
	place := map[string]string{editAlias: "services", editChannel: "environments"}[e.What]
	if place == "" {
		place = "groups"
	}
	all, _ := get(root, []string{place}).(map[string]any)
	if _, ok := all[e.In]; !ok {
		return fmt.Errorf("the file has no %s.%s", place, e.In)
	}
	return nil
}

func read(content []byte) (map[string]any, error) {
	out := map[string]any{}
	if err := yaml.Unmarshal(content, &out); err != nil {
		return nil, fmt.Errorf("the file is not YAML: %s", firstLine(err.Error()))
	}
	return out, nil
}

func get(root any, path []string) any {
	for _, k := range path {
		m, ok := root.(map[string]any)
		if !ok {
			return nil
		}
		root = m[k]
	}
	return root
}

// put is root with another list at a path; root itself stays.
func put(root any, path []string, list []any) any {
	if len(path) == 0 {
		return list
	}
	old, _ := root.(map[string]any)
	out := map[string]any{}
	for k, v := range old {
		out[k] = v
	}
	out[path[0]] = put(out[path[0]], path[1:], list)
	return out
}

// differing are the lines that two texts do not share, from the first to the last.
func differing(old, new []byte) []string {
	a, b := strings.Split(string(old), "\n"), strings.Split(string(new), "\n")
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	var out []string
	for _, l := range a {
		out = append(out, "- "+l)
	}
	for _, l := range b {
		out = append(out, "+ "+l)
	}
	return out
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// Package loose reads JSON that strangers wrote: what is there is taken, and what is
// missing or of another type than was expected is simply not there. It is for bodies of
// which a part is better than nothing; what is ours is decoded strictly instead.
//
// It is part of the kit that several systems share and imports nothing of ours.
package loose

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Value is a part of a document; the zero value is a part that is not there.
type Value struct{ v any }

// Parse reads one JSON value, and nothing behind it.
func Parse(body []byte) (Value, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber() // ids are longer than a float is exact
	var v any
	if err := d.Decode(&v); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("it is empty")
		}
		return Value{}, fmt.Errorf("not JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Value{}, errors.New("not JSON: there is something behind its end")
	}
	return Value{v}, nil
}

// Object is Parse of a body that has to be a JSON object.
func Object(body []byte) (Value, error) {
	v, err := Parse(body)
	if _, ok := v.v.(map[string]any); err == nil && !ok {
		err = errors.New("want a JSON object")
	}
	return v, err
}

// At goes down by names.
func (v Value) At(path ...string) Value {
	for _, name := range path {
		m, _ := v.v.(map[string]any)
		v = Value{m[name]}
	}
	return v
}

// CheckPointer says what keeps a text from being a JSON pointer (RFC 6901).
func CheckPointer(pointer string) error {
	if pointer != "" && !strings.HasPrefix(pointer, "/") {
		return fmt.Errorf("%q is not a JSON pointer; want one like /alert/title", pointer)
	}
	if strings.Contains(strings.NewReplacer("~0", "", "~1", "").Replace(pointer), "~") {
		return fmt.Errorf("%q has a ~ in it that is neither ~0 (for ~) nor ~1 (for /)", pointer)
	}
	return nil
}

var unescape = strings.NewReplacer("~1", "/", "~0", "~")

// Pointer goes down by a JSON pointer (RFC 6901): "/alerts/0/labels/host". "" is the
// value itself.
func (v Value) Pointer(pointer string) Value {
	if pointer == "" {
		return v
	}
	for _, part := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		part = unescape.Replace(part)
		switch x := v.v.(type) {
		case map[string]any:
			v = Value{x[part]}
		case []any:
			n, err := strconv.Atoi(part)
			if err != nil || n < 0 || n >= len(x) {
				return Value{}
			}
			v = Value{x[n]}
		default:
			return Value{}
		}
	}
	return v
}

// Is says whether it is there: neither missing nor null.
func (v Value) Is() bool { return v.v != nil }

// Text is a text, number or truth value as text; else "".
func (v Value) Text() string {
	switch x := v.v.(type) {
	case string:
		return x
	case json.Number:
		return x.String()
	case bool:
		return strconv.FormatBool(x)
	}
	return ""
}

// Float is a number, or a text that is one. It is finite.
func (v Value) Float() (float64, bool) {
	f, err := strconv.ParseFloat(strings.TrimSpace(v.number()), 64)
	return f, err == nil && !math.IsInf(f, 0) && !math.IsNaN(f)
}

func (v Value) number() string {
	if _, truth := v.v.(bool); truth {
		return ""
	}
	return v.Text()
}

// Int is a whole number, or the whole part of one; 0 where there is none, or it is too
// large.
func (v Value) Int() int64 {
	if n, err := strconv.ParseInt(strings.TrimSpace(v.number()), 10, 64); err == nil {
		return n
	}
	f, ok := v.Float()
	if !ok || math.Abs(f) > 1<<53 {
		return 0
	}
	return int64(f)
}

// Short is a number as people read it, with six digits that count; a text stays.
func (v Value) Short() string {
	if n, ok := v.v.(json.Number); ok {
		if f, err := n.Float64(); err == nil {
			return strconv.FormatFloat(f, 'g', 6, 64)
		}
	}
	return v.Text()
}

// True says that it is true, as a truth value or a text.
func (v Value) True() bool { return v.Text() == "true" }

// List is the elements of a list.
func (v Value) List() []Value {
	list, _ := v.v.([]any)
	out := make([]Value, len(list))
	for i, x := range list {
		out[i] = Value{x}
	}
	return out
}

// Texts is what is not empty among the texts of a list; of a single text, that.
func (v Value) Texts() (out []string) {
	for _, x := range append(v.List(), v) {
		if t := x.Text(); t != "" {
			out = append(out, t)
		}
	}
	return out
}

// Names are the names in an object, sorted.
func (v Value) Names() []string {
	m, _ := v.v.(map[string]any)
	return slices.Sorted(maps.Keys(m))
}

// Map is an object's texts, numbers and truth values as texts, by their names.
func (v Value) Map() map[string]string {
	out := map[string]string{}
	for _, name := range v.Names() {
		if t := v.At(name).Text(); t != "" {
			out[name] = t
		}
	}
	return out
}

// IsObject says that it is an object.
func (v Value) IsObject() bool {
	_, ok := v.v.(map[string]any)
	return ok
}

// IsList says that it is a list.
func (v Value) IsList() bool {
	_, ok := v.v.([]any)
	return ok
}

// The years that a time may lie in; what lies outside is a mistake of who wrote it.
const firstYear, lastYear = 2000, 2200

// layouts are the forms of times, besides seconds and milliseconds since 1970.
var layouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999-0700", "2006-01-02T15:04:05", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05"}

// Time is a moment in UTC: RFC 3339 and forms near to it, in UTC where they name no
// zone, or seconds or milliseconds since 1970. Zero where there is none, or none that
// can be meant.
func (v Value) Time() time.Time {
	var t time.Time
	if f, ok := v.Float(); ok {
		if math.Abs(f) >= 1e11 { // the year 5138 in seconds
			f /= 1000
		}
		if math.Abs(f) > 1e11 {
			return time.Time{}
		}
		whole, part := math.Modf(f)
		t = time.Unix(int64(whole), int64(math.Round(part*1e3))*1e6)
	}
	for _, layout := range layouts {
		if !t.IsZero() {
			break
		}
		t, _ = time.Parse(layout, strings.TrimSpace(v.Text())) // zero when it is another form
	}
	if t = t.UTC(); t.Year() < firstYear || t.Year() > lastYear {
		return time.Time{}
	}
	return t
}

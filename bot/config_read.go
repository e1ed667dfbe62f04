package main

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// configReader lays a YAML tree over a struct. A library's decoder stops at the
// first mistake; this one goes on, and remembers the line of each field.
type configReader struct {
	file     string
	env      func(string) (string, bool)
	lines    map[string]int
	mistakes []Mistake
	filled   []string // what stood in variables and files
	anchors  map[string]ast.Node
	budget   int // nodes that may still be visited: aliases can multiply them
}

// StepConfig is one step of a target: the applier's kind and its settings, which
// the applier itself decodes.
type StepConfig struct {
	Kind string
	node ast.Node
	path string
}

// SettingsConfig are settings of a kind, which that kind itself decodes.
type SettingsConfig struct {
	node ast.Node
	path string
}

const maxConfigDepth = 32

func (r *configReader) err() error {
	if len(r.mistakes) == 0 {
		return nil
	}
	slices.SortStableFunc(r.mistakes, func(a, b Mistake) int { return cmp.Compare(a.Line, b.Line) })
	return &ConfigError{Mistakes: r.mistakes, filled: r.filled}
}

// mistake records one about a field, at that field's line or its parent's.
func (r *configReader) mistake(field, format string, args ...any) {
	line, at := 1, field
	for {
		if n, ok := r.lines[at]; ok {
			line = n
			break
		}
		i := strings.LastIndexAny(at, ".[")
		if i < 0 {
			break
		}
		at = at[:i]
	}
	r.mistakes = append(r.mistakes, Mistake{File: r.file, Line: line, Field: field, What: fmt.Sprintf(format, args...)})
}

// read reports whether there was a tree to read, so that checking its fields
// makes sense.
func (r *configReader) read(b []byte, into any) bool {
	r.anchors, r.budget = map[string]ast.Node{}, 200_000
	f, err := parseYAML(b)
	if err != nil {
		r.syntax(b, err)
		return false
	}
	var docs []*ast.DocumentNode
	for _, d := range f.Docs {
		if d.Body != nil {
			docs = append(docs, d)
		}
	}
	switch {
	case len(docs) > 1:
		r.mistakes = append(r.mistakes, Mistake{File: r.file, Line: line(docs[1].Body), What: "a second document begins here; want one"})
	case len(docs) == 0:
		return true
	}
	r.value(docs[0].Body, reflect.ValueOf(into).Elem(), "", 0)
	_, mapping := docs[0].Body.(ast.MapNode)
	return mapping
}

// parseYAML turns a panic of the library into an error: what it reads was
// written by strangers.
func parseYAML(b []byte) (f *ast.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("not YAML: %v", p)
		}
	}()
	return parser.ParseBytes(b, 0, parser.AllowDuplicateMapKey())
}

func (r *configReader) syntax(b []byte, err error) {
	m := Mistake{File: r.file, Line: 1, What: "not YAML: " + err.Error()}
	if e, ok := err.(yaml.Error); ok {
		m.What = "not YAML: " + e.GetMessage()
		if t := e.GetToken(); t != nil && t.Position != nil {
			m.Line = t.Position.Line
		}
	}
	lines := strings.Split(string(b), "\n")
	if m.Line <= len(lines) && strings.Contains(lines[m.Line-1], "${") {
		m.What += "; inside { } and [ ] put \"${…}\" in quotes"
	}
	r.mistakes = append(r.mistakes, m)
}

func line(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 1
}

// plain follows anchors and aliases to the value itself.
func (r *configReader) plain(n ast.Node, path string) ast.Node {
	for range maxConfigDepth {
		switch x := n.(type) {
		case *ast.AnchorNode:
			r.anchors[x.Name.String()] = x.Value
			n = x.Value
		case *ast.AliasNode:
			v, ok := r.anchors[x.Value.String()]
			if !ok {
				r.mistake(path, "unknown anchor *%s", x.Value)
				return nil
			}
			n = v
		case *ast.TagNode:
			r.mistake(path, "tags (%s) are not used here; write the value alone", x.Start.Value)
			return nil
		default:
			return n
		}
	}
	r.mistake(path, "aliases that lead to each other")
	return nil
}

var (
	secretType   = reflect.TypeFor[integrations.Secret]()
	durationType = reflect.TypeFor[time.Duration]()
	sizeType     = reflect.TypeFor[ByteSize]()
	stepType     = reflect.TypeFor[StepConfig]()
	settingsType = reflect.TypeFor[SettingsConfig]()
)

func (r *configReader) value(n ast.Node, v reflect.Value, path string, depth int) {
	if r.budget--; r.budget < 0 || depth > maxConfigDepth {
		if r.budget != -2 { // said once
			r.mistake(path, "nested too deeply, or multiplied by aliases")
		}
		r.budget = -1
		return
	}
	if n = r.plain(n, path); n == nil {
		return
	}
	if _, null := n.(*ast.NullNode); null {
		return // as if it were not there
	}
	switch {
	case v.Type() == stepType:
		r.step(n, v, path)
	case v.Type() == settingsType:
		v.Set(reflect.ValueOf(SettingsConfig{node: n, path: path}))
	case v.Kind() == reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		r.value(n, v.Elem(), path, depth+1)
	case v.Kind() == reflect.Struct && v.Type() != secretType:
		r.record(n, v, path, depth)
	case v.Kind() == reflect.Slice:
		r.list(n, v, path, depth)
	case v.Kind() == reflect.Map:
		r.dict(n, v, path, depth)
	default:
		r.scalar(n, v, path)
	}
}

type pair struct {
	key  string
	line int
	node ast.Node
}

// pairs are the entries of a mapping, without the ones that are there twice.
func (r *configReader) pairs(n ast.Node, path string) ([]pair, bool) {
	m, ok := n.(ast.MapNode)
	if !ok {
		r.mistake(path, "want a mapping (name: value), not %s", describe(n))
		return nil, false
	}
	var out []pair
	seen := map[string]int{}
	for it := m.MapRange(); it.Next(); {
		p := pair{line: line(it.Key()), node: it.Value()}
		switch k := it.Key().(type) {
		case *ast.StringNode:
			p.key = k.Value
		case *ast.MappingKeyNode:
			p.key = k.Value.String()
		default:
			p.key = it.Key().String()
		}
		at := join(path, p.key)
		if first, dup := seen[p.key]; dup {
			r.mistakes = append(r.mistakes, Mistake{File: r.file, Line: p.line, Field: at, What: fmt.Sprintf("is here twice; first in line %d", first)})
			continue
		}
		seen[p.key] = p.line
		r.lines[at] = p.line
		out = append(out, p)
	}
	return out, true
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// fields maps names in the file to fields of a struct, by their indices; "" is the inline
// one, which may have a name too. The fields of an embedded struct are the struct's own.
func fields(t reflect.Type) (byName map[string][]int, names []string) {
	byName = map[string][]int{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, option, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case !f.IsExported() || name == "-" || option == "key":
			continue
		case option == "inline" && f.Anonymous:
			inner, more := fields(f.Type)
			for _, name := range more {
				byName[name] = append([]int{i}, inner[name]...)
			}
			names = append(names, more...)
			continue
		case option == "inline":
			byName[""] = []int{i}
		case name == "":
			name = strings.ToLower(f.Name)
		}
		if name != "" {
			byName[name] = []int{i}
			names = append(names, name)
		}
	}
	return byName, names
}

func (r *configReader) record(n ast.Node, v reflect.Value, path string, depth int) {
	byName, names := fields(v.Type())
	_, mapping := n.(ast.MapNode)
	_, list := n.(*ast.SequenceNode)
	switch i, ok := byName[""]; {
	case ok && (list || len(names) == 0), ok && !mapping && v.FieldByIndex(i).Kind() == reflect.String:
		r.value(n, v.FieldByIndex(i), path, depth+1)
		return
	case ok && !mapping:
		r.mistake(path, "want a list, or a mapping with %s, not %s", strings.Join(names, ", "), describe(n))
		return
	}
	pairs, _ := r.pairs(n, path)
	for _, p := range pairs {
		at := join(path, p.key)
		i, ok := byName[p.key]
		if !ok {
			r.mistake(at, "%s", oneOf("field", p.key, names))
			continue
		}
		r.value(p.node, v.FieldByIndex(i), at, depth+1)
	}
}

// keyField is the field of a list's element that takes the key of a mapping.
func keyField(t reflect.Type) (int, bool) {
	if t.Kind() != reflect.Struct {
		return 0, false
	}
	for i := range t.NumField() {
		if _, option, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); option == "key" {
			return i, true
		}
	}
	return 0, false
}

func (r *configReader) list(n ast.Node, v reflect.Value, path string, depth int) {
	v.SetZero()
	if key, ok := keyField(v.Type().Elem()); ok {
		pairs, _ := r.pairs(n, path)
		for _, p := range pairs {
			e := reflect.New(v.Type().Elem()).Elem()
			e.Field(key).SetString(p.key)
			r.value(p.node, e, join(path, p.key), depth+1)
			v.Set(reflect.Append(v, e))
		}
		return
	}
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		such := ""
		if e, ok := v.Interface().(interface{ Example() string }); ok {
			such = " such as " + e.Example()
		}
		r.mistake(path, "want a list%s, not %s", such, describe(n))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, len(s.Values)))
	for i, x := range s.Values {
		at := fmt.Sprintf("%s[%d]", path, i)
		r.lines[at] = line(x)
		e := reflect.New(v.Type().Elem()).Elem()
		if _, null := x.(*ast.NullNode); null {
			r.mistake(at, "is empty")
			continue
		}
		r.value(x, e, at, depth+1)
		v.Set(reflect.Append(v, e))
	}
}

func (r *configReader) dict(n ast.Node, v reflect.Value, path string, depth int) {
	pairs, _ := r.pairs(n, path)
	m := reflect.MakeMap(v.Type())
	for _, p := range pairs {
		e := reflect.New(v.Type().Elem()).Elem()
		r.value(p.node, e, join(path, p.key), depth+1)
		m.SetMapIndex(reflect.ValueOf(p.key), e)
	}
	v.Set(m)
}

func (r *configReader) step(n ast.Node, v reflect.Value, path string) {
	pairs, ok := r.pairs(n, path)
	if !ok {
		return
	}
	if len(pairs) != 1 {
		r.mistake(path, "has %d names; want one, the applier's, with its settings under it", len(pairs))
		return
	}
	v.Set(reflect.ValueOf(StepConfig{Kind: pairs[0].key, node: pairs[0].node, path: join(path, pairs[0].key)}))
}

func describe(n ast.Node) string {
	switch n.(type) {
	case ast.MapNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	}
	return "a single value"
}

var (
	reference    = regexp.MustCompile(`\$?\$\{[^}]*\}?`)
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

var sizePattern = regexp.MustCompile(`^([0-9]{1,12})\s*(?i:(B|kB|MB|GB)?)$`)

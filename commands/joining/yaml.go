package joining

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// This file changes a list in a YAML text and leaves every other byte as it is.
// It knows lists in one line or several, with brackets or dashes; whatever else
// there is, it refuses.

var errForm = fmt.Errorf("it is neither a list in brackets nor one of dashes")

// a spot is a place in a text: a line and a column in characters, from 1.
type spot struct{ line, column int }

func at(t *token.Token) spot { return spot{t.Position.Line, t.Position.Column} }

// text is a file's lines, each with its end; open says that the last one had none.
type text struct {
	lines []string
	open  bool
}

func newText(content []byte) *text {
	t := &text{lines: strings.SplitAfter(string(content), "\n")}
	if n := len(t.lines); t.lines[n-1] == "" {
		t.lines = t.lines[:n-1]
	} else {
		t.lines[n-1], t.open = t.lines[n-1]+"\n", true
	}
	return t
}

func (t *text) bytes() []byte {
	all := strings.Join(t.lines, "")
	if t.open {
		all = strings.TrimSuffix(all, "\n")
	}
	return []byte(all)
}

func (t *text) line(n int) []rune {
	if n < 1 || n > len(t.lines) {
		return nil
	}
	return []rune(t.lines[n-1])
}

// insert puts words into a line.
func (t *text) insert(s spot, words string) error {
	l := t.line(s.line)
	if s.column < 1 || s.column > len(l)+1 {
		return errForm
	}
	t.lines[s.line-1] = string(l[:s.column-1]) + words + string(l[s.column-1:])
	return nil
}

// cut takes out what stands between two spots.
func (t *text) cut(from, to spot) error {
	a, b := t.line(from.line), t.line(to.line)
	if from.line > to.line || from.column < 1 || from.column > len(a) || to.column < 1 || to.column > len(b)+1 {
		return errForm
	}
	if from.line < to.line && strings.Contains(string(a[from.column-1:])+strings.Join(t.lines[from.line:to.line-1], ""), "#") {
		return errForm // a comment would be lost
	}
	joined := string(a[:from.column-1]) + string(b[to.column-1:])
	t.lines = slices.Replace(t.lines, from.line-1, to.line, joined)
	return nil
}

// insertLine puts a whole line after line n.
func (t *text) insertLine(n, indent int, words string) {
	t.lines = slices.Insert(t.lines, min(n, len(t.lines)), strings.Repeat(" ", indent)+words+"\n")
}

// find follows a path of keys. Without the last one, mapping is where it belongs.
func find(content []byte, path []string) (list *ast.MappingValueNode, mapping ast.Node, err error) {
	file, err := parser.ParseBytes(content, 0)
	if err != nil {
		return nil, nil, err
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, nil, fmt.Errorf("want one document")
	}
	node := file.Docs[0].Body
	for i, key := range path {
		m, ok := node.(ast.MapNode)
		if !ok {
			return nil, nil, fmt.Errorf("%s is no mapping", strings.Join(path[:i], "."))
		}
		var entry *ast.MappingValueNode
		for it := m.MapRange(); it.Next(); {
			if v := it.KeyValue(); v.Key.GetToken().Value == key {
				entry = v
			}
		}
		switch {
		case entry == nil && i == len(path)-1:
			return nil, node, nil
		case entry == nil:
			return nil, nil, fmt.Errorf("there is no %s", strings.Join(path[:i+1], "."))
		}
		list, node = entry, entry.Value
	}
	return list, nil, nil
}

// appended is the text with one more item at the end of a list.
func appended(content []byte, path []string, item string) ([]byte, error) {
	entry, mapping, err := find(content, path)
	if err != nil {
		return nil, err
	}
	t := newText(content)
	if entry == nil {
		return t.bytesAfter(t.newKey(mapping, path[len(path)-1], item))
	}
	switch list := entry.Value.(type) {
	case *ast.NullNode:
		colon := at(entry.Start)
		err = t.insert(spot{colon.line, colon.column + 1}, " ["+item+"]")
	case *ast.SequenceNode:
		err = t.appendItem(list, item)
	default:
		err = errForm
	}
	return t.bytesAfter(err)
}

func (t *text) bytesAfter(err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return t.bytes(), nil
}

func (t *text) appendItem(list *ast.SequenceNode, item string) error {
	n := len(list.Values)
	if !list.IsFlowStyle {
		if n == 0 {
			return errForm
		}
		t.insertLine(lastLine(list.Values[n-1]), list.Start.Position.Column-1, "- "+item)
		return nil
	}
	if n == 0 {
		s := at(list.Start)
		return t.insert(spot{s.line, s.column + 1}, item)
	}
	end, err := t.end(list.Values[n-1])
	if err != nil {
		return err
	}
	return t.insert(end, ", "+item)
}

// newKey begins a list of one item under a new key of a mapping.
func (t *text) newKey(mapping ast.Node, key, item string) error {
	m, ok := mapping.(*ast.MappingNode)
	if !ok {
		if v, single := mapping.(*ast.MappingValueNode); single {
			m, ok = &ast.MappingNode{Values: []*ast.MappingValueNode{v}}, true
		}
	}
	words := key + ": [" + item + "]"
	switch {
	case !ok:
		return errForm
	case !m.IsFlowStyle && len(m.Values) > 0:
		first := at(m.Values[0].Key.GetToken())
		t.insertLine(first.line-1, first.column-1, words)
		return nil
	case len(m.Values) == 0:
		s := at(m.Start)
		return t.insert(spot{s.line, s.column + 1}, words)
	}
	end, err := t.end(m.Values[len(m.Values)-1].Value)
	if err != nil {
		return err
	}
	return t.insert(end, ", "+words)
}

// removed is the text without one item of a list.
func removed(content []byte, path []string, i int) ([]byte, error) {
	entry, _, err := find(content, path)
	if err != nil {
		return nil, err
	}
	var list *ast.SequenceNode
	if entry != nil {
		list, _ = entry.Value.(*ast.SequenceNode)
	}
	if list == nil || i >= len(list.Values) {
		return nil, errForm
	}
	t := newText(content)
	item := list.Values[i]
	if !list.IsFlowStyle {
		first, last := item.GetToken().Position.Line, lastLine(item)
		t.lines = slices.Delete(t.lines, first-1, last)
		if len(list.Values) == 1 {
			t.insertLine(first-1, list.Start.Position.Column+1, "[]")
		}
		return t.bytes(), nil
	}
	from := at(item.GetToken())
	to, err := t.end(item)
	switch {
	case err != nil:
	case i > 0:
		from, err = t.end(list.Values[i-1])
	case len(list.Values) > 1:
		to = at(list.Values[1].GetToken())
	}
	if err == nil {
		err = t.cut(from, to)
	}
	return t.bytesAfter(err)
}

// end is the spot behind a value that stands in brackets.
func (t *text) end(n ast.Node) (spot, error) {
	switch n := n.(type) {
	case *ast.MappingNode:
		if n.IsFlowStyle && n.End != nil {
			s := at(n.End)
			return spot{s.line, s.column + 1}, nil
		}
	case *ast.SequenceNode:
		if n.IsFlowStyle && n.End != nil {
			s := at(n.End)
			return spot{s.line, s.column + 1}, nil
		}
	case ast.ScalarNode:
		tok := n.GetToken()
		line, from := t.line(tok.Position.Line), tok.Position.Column-1
		if from < 0 || from >= len(line) {
			return spot{}, errForm
		}
		to := from + len([]rune(tok.Value))
		if q := line[from]; q == '"' || q == '\'' {
			for to = from + 1; to < len(line) && line[to] != q; to++ {
				if q == '"' && line[to] == '\\' {
					to++
				}
			}
			to++
		}
		return spot{tok.Position.Line, to + 1}, nil
	}
	return spot{}, errForm
}

// lastLine is the last line that a value stands on.
func lastLine(n ast.Node) int {
	last := lines{}
	ast.Walk(&last, n)
	return last.max
}

type lines struct{ max int }

func (l *lines) Visit(n ast.Node) ast.Visitor {
	toks := []*token.Token{n.GetToken()}
	switch n := n.(type) {
	case *ast.MappingNode:
		toks = append(toks, n.End)
	case *ast.SequenceNode:
		toks = append(toks, n.End)
	}
	for _, t := range toks {
		if t != nil && t.Position != nil {
			l.max = max(l.max, t.Position.Line+strings.Count(strings.TrimRight(t.Value, "\n"), "\n"))
		}
	}
	return l
}

// scalar writes a word as YAML reads it back as a text.
func scalar(s string) string {
	plain := strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == "" && s != "" && !strings.ContainsAny(s[:1], "-.")
	_, float := strconv.ParseFloat(s, 64)
	_, whole := strconv.ParseInt(s, 0, 64)
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
		plain = false
	}
	if plain && float != nil && whole != nil {
		return s
	}
	return strconv.Quote(s)
}

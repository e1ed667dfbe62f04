package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// setVersion sets the value at key in a file and returns what stood there. The
// file's kind is told by its name: YAML, JSON, HCL and tfvars are changed at that
// one place, so that comments and order stay; any other file is a plain one whose
// whole text is the version, and key must be empty. key is a path with dots; a
// number names an element of a list, and in HCL the words before the last one
// name a block by type and labels.
func setVersion(name string, content []byte, key, version string) (out []byte, old string, err error) {
	if strings.ContainsAny(version, "\n\r|") {
		return nil, "", fmt.Errorf("a version is one line")
	}
	set, ok := map[string]func([]byte, []string, string) ([]byte, string, error){
		".yaml": setYAML, ".yml": setYAML, ".json": setJSON, ".hcl": setHCL, ".tf": setHCL, ".tfvars": setHCL,
	}[path.Ext(name)]
	switch {
	case !ok && key != "":
		return nil, "", fmt.Errorf("%s is a plain file, which has no key %q in it", name, key)
	case !ok:
		end := ""
		if bytes.HasSuffix(content, []byte("\n")) || len(content) == 0 {
			end = "\n"
		}
		return []byte(version + end), strings.TrimSpace(string(content)), nil
	case key == "":
		return nil, "", fmt.Errorf("which key of %s holds the version is not configured", name)
	}
	keys := strings.Split(key, ".")
	out, old, err = set(content, keys, version)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", name, err)
	}
	if _, now, err := set(out, keys, version); err != nil || now != version {
		return nil, "", fmt.Errorf("%s: %q cannot stand at %s", name, version, key)
	}
	return out, old, nil
}

func noKey(keys []string, i int) error {
	return fmt.Errorf("there is no key %q", strings.Join(keys[:i+1], "."))
}

func setYAML(content []byte, keys []string, version string) ([]byte, string, error) {
	file, err := parser.ParseBytes(content, 0)
	if err != nil {
		return nil, "", err
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil, "", noKey(keys, 0)
	}
	node := file.Docs[0].Body
	for i, k := range keys {
		if node = yamlChild(node, k); node == nil {
			return nil, "", noKey(keys, i)
		}
	}
	scalar, ok := node.(ast.ScalarNode)
	if !ok {
		return nil, "", fmt.Errorf("%s is not one value", strings.Join(keys, "."))
	}
	tok := scalar.GetToken()
	lines := bytes.SplitAfter(content, []byte("\n"))
	line := []rune(string(lines[tok.Position.Line-1]))
	from := tok.Position.Column - 1
	if from < 0 || from >= len(line) {
		return nil, "", fmt.Errorf("%s has no value on its line", strings.Join(keys, "."))
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
	if to > len(line) {
		return nil, "", fmt.Errorf("%s stands on several lines", strings.Join(keys, "."))
	}
	value := yamlScalar(version, line[from])
	lines[tok.Position.Line-1] = []byte(string(line[:from]) + value + string(line[to:]))
	return bytes.Join(lines, nil), fmt.Sprint(scalar.GetValue()), nil
}

// yamlScalar writes a version as YAML reads it back as a string: quoted as it
// was, or wherever it would read as something else.
func yamlScalar(version string, first rune) string {
	if first == '\'' && !strings.Contains(version, "'") {
		return "'" + version + "'"
	}
	plain := strings.Trim(version, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
	_, number := strconv.ParseFloat(version, 64)
	if _, hex := strconv.ParseInt(version, 0, 64); first != '"' && plain && number != nil && hex != nil && !strings.HasPrefix(version, "-") {
		return version
	}
	return strconv.Quote(version)
}

func yamlChild(node ast.Node, key string) ast.Node {
	switch n := node.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			if v.Key.GetToken().Value == key {
				return v.Value
			}
		}
	case *ast.MappingValueNode:
		if n.Key.GetToken().Value == key {
			return n.Value
		}
	case *ast.SequenceNode:
		if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < len(n.Values) {
			return n.Values[i]
		}
	}
	return nil
}

// setJSON finds the value's place in the text and changes that alone.
func setJSON(content []byte, keys []string, version string) ([]byte, string, error) {
	if !json.Valid(content) {
		var v any
		return nil, "", json.Unmarshal(content, &v)
	}
	from, to := 0, len(content)
	for i, k := range keys {
		f, t, ok := jsonChild(content[from:to], k)
		if !ok {
			return nil, "", noKey(keys, i)
		}
		from, to = from+f, from+t
	}
	var old any
	d := json.NewDecoder(bytes.NewReader(content[from:to]))
	d.UseNumber()
	if err := d.Decode(&old); err != nil {
		return nil, "", err
	}
	switch old.(type) {
	case map[string]any, []any:
		return nil, "", fmt.Errorf("%s is not one value", strings.Join(keys, "."))
	}
	value, err := json.Marshal(version)
	if err != nil {
		return nil, "", err
	}
	out := append(append(append([]byte(nil), content[:from]...), value...), content[to:]...)
	return out, fmt.Sprint(old), nil
}

// jsonChild finds where the value of key begins and ends in a valid object or array.
func jsonChild(content []byte, key string) (from, to int, ok bool) {
	d := json.NewDecoder(bytes.NewReader(content))
	open, err := d.Token()
	if err != nil || open != json.Delim('{') && open != json.Delim('[') {
		return 0, 0, false
	}
	for i := 0; d.More(); i++ {
		name := any(strconv.Itoa(i))
		if open == json.Delim('{') {
			if name, err = d.Token(); err != nil {
				return 0, 0, false
			}
		}
		before := int(d.InputOffset())
		var v json.RawMessage
		if err := d.Decode(&v); err != nil && err != io.EOF {
			return 0, 0, false
		}
		if name == key {
			end := int(d.InputOffset())
			return before + bytes.Index(content[before:end], v), end, true
		}
	}
	return 0, 0, false
}

func setHCL(content []byte, keys []string, version string) ([]byte, string, error) {
	file, diags := hclwrite.ParseConfig(content, "file", hcl.InitialPos)
	if diags.HasErrors() {
		return nil, "", diags
	}
	body, name := file.Body(), keys[len(keys)-1]
	if len(keys) > 1 {
		block := body.FirstMatchingBlock(keys[0], keys[1:len(keys)-1])
		if block == nil {
			return nil, "", noKey(keys, len(keys)-2)
		}
		body = block.Body()
	}
	attr := body.GetAttribute(name)
	if attr == nil {
		return nil, "", noKey(keys, len(keys)-1)
	}
	old := strings.TrimSpace(string(attr.Expr().BuildTokens(nil).Bytes()))
	if unquoted, err := strconv.Unquote(old); err == nil {
		old = unquoted
	} else if strings.ContainsAny(old, "{}[]()\"") {
		return nil, "", fmt.Errorf("%s is an expression, not one value", strings.Join(keys, "."))
	}
	body.SetAttributeValue(name, cty.StringVal(version))
	return file.Bytes(), old, nil
}

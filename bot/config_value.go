package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/signalbox-chatops/signalbox/integrations"
)

func (r *configReader) scalar(n ast.Node, v reflect.Value, path string) {
	var raw string
	switch n := n.(type) {
	case *ast.StringNode:
		raw = n.Value
	case *ast.LiteralNode:
		raw = n.Value.Value
	case ast.MapNode, *ast.SequenceNode:
		r.mistake(path, "want a single value, not %s", describe(n))
		return
	default:
		raw = n.GetToken().Value
	}
	text, ok := r.interpolate(raw, path)
	if !ok {
		return
	}
	// What is shown is what stands in the file, never what a variable held.
	switch {
	case v.Type() == secretType:
		v.Set(reflect.ValueOf(integrations.NewSecret(text)))
	case v.Type() == durationType:
		d, err := time.ParseDuration(text)
		if err != nil {
			r.mistake(path, "%q is not a duration; want one like 30s, 3m or 2h", raw)
		}
		v.SetInt(int64(d))
	case v.Type() == sizeType:
		size, err := parseSize(text)
		if err != nil {
			r.mistake(path, "%q is not a size; want one like 512kB or 4MB", raw)
		}
		v.SetInt(int64(size))
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		if text != "true" && text != "false" {
			r.mistake(path, "%q is neither true nor false", raw)
		}
		v.SetBool(text == "true")
	case v.CanInt():
		i, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			r.mistake(path, "%q is not a whole number", raw)
		}
		v.SetInt(i)
	case v.Kind() == reflect.Interface && v.NumMethod() == 0:
		v.Set(reflect.ValueOf(text))
	default:
		r.mistake(path, "cannot be set from a file (%s)", v.Type())
	}
}

// interpolate puts in ${NAME} and ${file:/path}; $${ stands for ${ itself.
func (r *configReader) interpolate(raw, path string) (string, bool) {
	good := true
	bad := func(format string, args ...any) string {
		r.mistake(path, format, args...)
		good = false
		return ""
	}
	text := reference.ReplaceAllStringFunc(raw, func(m string) string {
		if strings.HasPrefix(m, "$$") {
			return m[1:]
		}
		name, closed := strings.CutSuffix(m[2:], "}")
		if !closed {
			return bad("%q has no closing brace", m)
		}
		if file, ok := strings.CutPrefix(name, "file:"); ok {
			if !filepath.IsAbs(file) {
				return bad("${file:%s} is not an absolute path", file)
			}
			v, err := readValue(file)
			if err != nil {
				return bad("${file:%s}: %v", file, err)
			}
			r.filled = append(r.filled, v)
			return v
		}
		if !variableName.MatchString(name) {
			return bad("%q is neither ${NAME} nor ${file:/path}", m)
		}
		v, ok := r.env(name)
		if !ok {
			return bad("the environment variable %s is not set", name)
		}
		r.filled = append(r.filled, v)
		return v
	})
	return text, good
}

// readValue reads a value that is kept in a file of its own, without the line
// end that editors put after it.
func readValue(file string) (string, error) {
	const limit = 1 << 20
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular() || info.Size() > limit:
		return "", fmt.Errorf("not a regular file of at most %s", ByteSize(limit))
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

func parseSize(s string) (ByteSize, error) {
	m := sizePattern.FindStringSubmatch(s)
	if m == nil {
		return 0, fmt.Errorf("size %q", s)
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return 0, err
	}
	shift := map[string]int{"": 0, "B": 0, "KB": 10, "MB": 20, "GB": 30}[strings.ToUpper(m[2])]
	if n > 1<<50>>shift {
		return 0, fmt.Errorf("size %q is too large", s)
	}
	return ByteSize(n << shift), nil
}

func (b ByteSize) String() string {
	switch {
	case b > 0 && b%(1<<30) == 0:
		return fmt.Sprintf("%dGB", b>>30)
	case b > 0 && b%(1<<20) == 0:
		return fmt.Sprintf("%dMB", b>>20)
	case b > 0 && b%(1<<10) == 0:
		return fmt.Sprintf("%dkB", b>>10)
	}
	return fmt.Sprintf("%dB", int64(b))
}

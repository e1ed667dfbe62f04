package awssim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// params are what a request says, whatever its protocol, as the query protocols write
// it: "Targets.member.1.Id". A JSON body is written the same way, "InstanceIds.1".
type params map[string]string

func parseQuery(body []byte) (params, error) {
	v, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	p := params{}
	for k, vs := range v {
		if len(vs) != 1 {
			return nil, fmt.Errorf("parameter %s is given %d times", k, len(vs))
		}
		p[k] = vs[0]
	}
	return p, nil
}

func parseJSON(body []byte) (params, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	p := params{}
	for k, x := range v {
		p.flatten(k, x)
	}
	return p, nil
}

func (p params) flatten(key string, v any) {
	switch v := v.(type) {
	case nil:
	case map[string]any:
		for k, x := range v {
			p.flatten(key+"."+k, x)
		}
	case []any:
		if len(v) == 0 {
			p[key] = ""
		}
		for n, x := range v {
			p.flatten(key+"."+strconv.Itoa(n+1), x)
		}
	default:
		p[key] = fmt.Sprint(v)
	}
}

// shape writes a key with # for its numbers: "Targets.member.#.Id".
func shape(key string) string {
	parts := strings.Split(key, ".")
	for n, part := range parts {
		if _, err := strconv.ParseUint(part, 10, 31); err == nil {
			parts[n] = "#"
		}
	}
	return strings.Join(parts, ".")
}

// fits says whether a shape is one of the patterns: the same, or below one that ends
// in ".**". An empty list is written as its name alone.
func fits(patterns []string, key, value string) bool {
	s := shape(key)
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		if above, ok := strings.CutSuffix(pattern, ".**"); ok {
			return s == above || strings.HasPrefix(s, above+".")
		}
		return s == pattern || value == "" && (s+".#" == pattern || s+".member.#" == pattern)
	})
}

// check refuses what the action does not know, and what the simulator does not do.
func (p params) check(o *op) error {
	var unknown, undone []string
	for k, v := range p {
		if !fits(o.takes, k, v) {
			if fits(o.knows, k, v) {
				undone = append(undone, k)
			} else {
				unknown = append(unknown, k)
			}
		}
	}
	slices.Sort(unknown)
	slices.Sort(undone)
	if len(unknown) > 0 {
		return refuse(o.protocol().badParam, "The parameter %s is not recognized", strings.Join(unknown, ", "))
	}
	if len(undone) > 0 {
		return refuse(unsimulated, "%s with %s", o.action, strings.Join(undone, ", "))
	}
	for _, k := range o.needs {
		if p[k] == "" && len(p.list(k)) == 0 {
			return refuse(missing[o.service], "The request must contain the parameter %s", k)
		}
	}
	return nil
}

// missing is what each service says when a parameter is.
var missing = map[string]string{
	ec2Service: "MissingParameter", elbv2Service: "ValidationError", elbService: "ValidationError",
	autoscalingService: "ValidationError", stsService: "ValidationError", ssmService: "ValidationException",
	ecsService: badECS, ecrService: badECS, cloudwatchService: "MissingParameter", codebuildService: badCodeBuild, logsService: badLogs,
}

// list gives the values at key.1, key.2 and so on.
func (p params) list(key string) []string {
	var out []string
	for n := 1; ; n++ {
		v, ok := p[key+"."+strconv.Itoa(n)]
		if !ok {
			return out
		}
		out = append(out, v)
	}
}

// each gives what is below key.1, key.2 and so on.
func (p params) each(key string) []params {
	var out []params
	for n := 1; ; n++ {
		prefix := key + "." + strconv.Itoa(n) + "."
		sub := params{}
		for k, v := range p {
			if rest, ok := strings.CutPrefix(k, prefix); ok {
				sub[rest] = v
			}
		}
		if len(sub) == 0 {
			return out
		}
		out = append(out, sub)
	}
}

func (p params) flag(key string) bool { return p[key] == "true" }

// number reads one within bounds; def when it is not there.
func (c *call) number(key string, def, least, most int) (int, error) {
	v, ok := c.p[key]
	if !ok {
		return def, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < least || n > most {
		return 0, refuse(invalid[c.op.service], "Value ( %s ) for parameter %s is invalid. Expecting a number from %d to %d.", v, key, least, most)
	}
	return n, nil
}

var invalid = map[string]string{
	ec2Service: "InvalidParameterValue", elbv2Service: "ValidationError", elbService: "ValidationError",
	autoscalingService: "ValidationError", stsService: "ValidationError", ssmService: "ValidationException",
	ecsService: badECS, ecrService: badECS, codebuildService: badCodeBuild, logsService: badLogs,
}

// page cuts a list: sizeKey says how many are wanted, tokenKey where to go on. The
// token it gives is "" after the last.
func page[T any](c *call, all []T, sizeKey, tokenKey, badToken string, def, least, most int) ([]T, string, error) {
	size, err := c.number(sizeKey, def, least, most)
	if err != nil {
		return nil, "", err
	}
	from := 0
	if token := c.p[tokenKey]; token != "" {
		rest, ok := strings.CutPrefix(token, "after-")
		n, err := strconv.Atoi(rest)
		if !ok || err != nil || n < 0 || n > len(all) {
			return nil, "", refuse(badToken, "The token '%s' is invalid", token)
		}
		from = n
	}
	if to := from + size; to < len(all) {
		return all[from:to], fmt.Sprintf("after-%d", to), nil
	}
	return all[from:], "", nil
}

package terraform

import (
	"encoding/json"

	tfjson "github.com/hashicorp/terraform-json"
)

// sensitive lists the values that the plan marks as sensitive. Terraform hides
// them where they stand, but not where a provider copied them to.
func sensitive(p *tfjson.Plan) []string {
	var out []string
	if p.Config != nil && p.Config.RootModule != nil {
		for name, v := range p.Config.RootModule.Variables {
			if value := p.Variables[name]; v != nil && v.Sensitive && value != nil {
				out = leaves(out, value.Value)
			}
		}
	}
	changes := make([]*tfjson.Change, 0, len(p.ResourceChanges))
	for _, rc := range p.ResourceChanges {
		if rc != nil {
			changes = append(changes, rc.Change)
		}
	}
	for _, c := range p.OutputChanges {
		changes = append(changes, c)
	}
	for _, c := range changes {
		if c != nil {
			out = marked(out, c.Before, c.BeforeSensitive)
			out = marked(out, c.After, c.AfterSensitive)
		}
	}
	return out
}

// marked collects the leaves of value where mask, which has its shape, is true.
func marked(out []string, value, mask any) []string {
	switch m := mask.(type) {
	case bool:
		if m {
			return leaves(out, value)
		}
	case map[string]any:
		if v, ok := value.(map[string]any); ok {
			for k, sub := range m {
				out = marked(out, v[k], sub)
			}
		}
	case []any:
		if v, ok := value.([]any); ok {
			for i := range min(len(m), len(v)) {
				out = marked(out, v[i], m[i])
			}
		}
	}
	return out
}

func leaves(out []string, value any) []string {
	switch v := value.(type) {
	case string:
		return append(out, v)
	case json.Number:
		return append(out, v.String())
	case map[string]any:
		for _, sub := range v {
			out = leaves(out, sub)
		}
	case []any:
		for _, sub := range v {
			out = leaves(out, sub)
		}
	}
	return out
}

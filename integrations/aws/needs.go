package aws

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations/aws/asg"
	"github.com/signalbox-chatops/signalbox/integrations/aws/cloudwatch"
	"github.com/signalbox-chatops/signalbox/integrations/aws/ec2"
	"github.com/signalbox-chatops/signalbox/integrations/aws/ecs"
	"github.com/signalbox-chatops/signalbox/integrations/aws/elb"
	"github.com/signalbox-chatops/signalbox/integrations/aws/iam"
	"github.com/signalbox-chatops/signalbox/integrations/aws/sns"
	"github.com/signalbox-chatops/signalbox/integrations/aws/ssm"
)

// own are the actions of this package itself.
var own = []iam.Action{
	{Name: "sts:GetCallerIdentity", Why: "tells as whom signalbox acts, for `signalbox check`"},
	{Name: "sts:AssumeRole", Why: "takes the account's `role`, where one is set", Caller: true},
}

// needs are all actions, the reads first.
func needs() []iam.Action {
	all := slices.Concat(ec2.Needs, asg.Needs, elb.Needs, ssm.Needs, ecs.Needs, cloudwatch.Needs, sns.Needs, own)
	slices.SortStableFunc(all, func(a, b iam.Action) int {
		switch {
		case a.Change == b.Change:
			return 0
		case b.Change:
			return -1
		}
		return 1
	})
	return all
}

// Needs are the IAM actions that the code uses, sorted: "ec2:DescribeInstances".
func Needs() []string {
	var out []string
	for _, a := range needs() {
		out = append(out, a.Name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Tag is the tag that the policy asks of whatever is changed.
const Tag = "Role"

// ownKeys are the tags that the policy lets be changed.
var ownKeys = []string{"Status", "signalbox:*"}

type statement struct {
	Effect      string                    `json:"Effect"`
	Action      []string                  `json:"Action"`
	Resource    string                    `json:"Resource,omitempty"`
	NotResource string                    `json:"NotResource,omitempty"`
	Condition   map[string]map[string]any `json:"Condition,omitempty"`
}

// Policy is the least that the role or the credentials of an account need, as the JSON
// of an IAM policy: reads of everything, and changes of what has the tag Role.
func Policy() string {
	var all []statement
	add := func(s statement) {
		if n := slices.IndexFunc(all, func(o statement) bool {
			return o.Resource == s.Resource && o.NotResource == s.NotResource && fmt.Sprint(o.Condition) == fmt.Sprint(s.Condition)
		}); n >= 0 {
			all[n].Action = append(all[n].Action, s.Action...)
			return
		}
		all = append(all, s)
	}
	for _, a := range needs() {
		if a.Caller {
			continue
		}
		s := statement{Effect: "Allow", Action: []string{a.Name}, Resource: "*"}
		if a.Change {
			s.Resource, s.NotResource, s.Condition = a.On, a.Except, conditions(a)
		}
		add(s)
		if a.Also != "" {
			also := statement{Effect: "Allow", Action: []string{a.Name}, Resource: a.Also}
			if a.New != "" {
				also.Condition = map[string]map[string]any{"StringEquals": {"ec2:CreateAction": a.New}}
			}
			add(also)
		}
	}
	return indented(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", all})
}

func conditions(a iam.Action) map[string]map[string]any {
	out := map[string]map[string]any{}
	if a.Tagged {
		out["Null"] = map[string]any{"aws:ResourceTag/" + Tag: "false"} // it has the tag
	}
	if a.Keys {
		out["ForAllValues:StringLike"] = map[string]any{"aws:TagKeys": ownKeys}
	}
	return out
}

func indented(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err.Error() // it holds strings alone
	}
	return strings.TrimSpace(b.String())
}

// Table is Needs for people, as Markdown.
func Table() string {
	var b strings.Builder
	b.WriteString("| action | what for | limited to |\n| --- | --- | --- |\n")
	for _, a := range needs() {
		limit := ""
		switch {
		case a.Caller:
			limit = "asked of the process's own credentials"
		case a.Change && a.Except != "":
			limit = "what is not `" + a.Except + "`: phones"
		case a.Change && a.Keys && !a.Tagged:
			limit = "AMIs; the keys `" + strings.Join(ownKeys, "` and `") + "`"
		case a.Change && a.Keys:
			limit = "what has the tag `" + Tag + "`; the keys `" + strings.Join(ownKeys, "` and `") + "`"
		case a.Change && a.Tagged:
			limit = "what has the tag `" + Tag + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", a.Name, a.Why, limit)
	}
	return b.String()
}

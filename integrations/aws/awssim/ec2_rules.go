package awssim

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SecurityGroup is a firewall of machines. It starts with these rules, and with the one
// that lets everything out.
type SecurityGroup struct {
	ID    string // sg- and 17 hexadecimal digits
	Tags  map[string]string
	Rules []SecurityRule
	// Limit is how many rules it takes inward; 60 when 0.
	Limit int
}

// SecurityRule lets one range of addresses in to a range of ports.
type SecurityRule struct {
	ID       string // chosen when empty
	Protocol string // "tcp" when empty
	From, To int
	CIDR     string
	Text     string // its description, which is no part of its identity; nor are its tags
	Tags     map[string]string
	Made     time.Time
	Out      bool
}

type firewall struct {
	ID    string
	Tags  map[string]string
	Rules []*SecurityRule
	Limit int
}

const maxRules = 60

func (s *site) plantFirewall(w *world, g SecurityGroup, now time.Time) {
	if s.firewall(g.ID) != nil {
		return
	}
	f := &firewall{ID: g.ID, Tags: maps.Clone(g.Tags), Limit: cmp.Or(g.Limit, maxRules)}
	s.Firewalls = append(s.Firewalls, f)
	f.add(w, SecurityRule{Protocol: "-1", From: -1, To: -1, CIDR: "0.0.0.0/0", Out: true}, now)
	for _, r := range g.Rules {
		f.add(w, r, now)
	}
}

func (s *site) firewall(id string) *firewall {
	i := slices.IndexFunc(s.Firewalls, func(f *firewall) bool { return f.ID == id })
	if i < 0 {
		return nil
	}
	return s.Firewalls[i]
}

func (f *firewall) add(w *world, r SecurityRule, now time.Time) *SecurityRule {
	if r.ID == "" {
		r.ID = fmt.Sprintf("sgr-0a%015x", w.next())
	}
	r.Protocol, r.Made = cmp.Or(r.Protocol, "tcp"), now
	r.Tags = maps.Clone(r.Tags)
	f.Rules = append(f.Rules, &r)
	return &r
}

func (r *SecurityRule) same(o *SecurityRule) bool {
	return r.Out == o.Out && r.Protocol == o.Protocol && r.From == o.From && r.To == o.To && r.CIDR == o.CIDR
}

func (f *firewall) rule(id string) *SecurityRule {
	i := slices.IndexFunc(f.Rules, func(r *SecurityRule) bool { return r.ID == id })
	if i < 0 {
		return nil
	}
	return f.Rules[i]
}

func (f *firewall) inward() (out []*SecurityRule) {
	for _, r := range f.Rules {
		if !r.Out {
			out = append(out, r)
		}
	}
	return out
}

var permission = strings.Fields("IpPermissions.#.IpProtocol IpPermissions.#.FromPort IpPermissions.#.ToPort IpPermissions.#.IpRanges.#.CidrIp IpPermissions.#.IpRanges.#.Description")

// older are the ways of naming a rule that the simulator does not take.
var older = strings.Fields("GroupName CidrIp FromPort ToPort IpProtocol SourceSecurityGroupName SourceSecurityGroupOwnerId IpPermissions.#.Groups.** IpPermissions.#.Ipv6Ranges.** IpPermissions.#.PrefixListIds.**")

func ec2RuleOps() []op {
	return []op{
		{
			service: ec2Service, action: "DescribeSecurityGroupRules", do: describeRules,
			takes: split("DryRun Filter.#.Name Filter.#.Value.# SecurityGroupRuleId.# MaxResults NextToken"),
		},
		{
			service: ec2Service, action: "AuthorizeSecurityGroupIngress", change: true, do: authorizeIngress,
			takes: append(split("DryRun GroupId TagSpecification.#.ResourceType TagSpecification.#.Tag.#.Key TagSpecification.#.Tag.#.Value"), permission...),
			knows: older, needs: split("GroupId"),
		},
		{
			service: ec2Service, action: "RevokeSecurityGroupIngress", change: true, do: revokeIngress,
			takes: append(split("DryRun GroupId SecurityGroupRuleId.#"), permission...),
			knows: older, needs: split("GroupId"),
		},
	}
}

type ec2Rule struct {
	ID       string   `xml:"securityGroupRuleId"`
	Group    string   `xml:"groupId"`
	Owner    string   `xml:"groupOwnerId"`
	Egress   bool     `xml:"isEgress"`
	Protocol string   `xml:"ipProtocol"`
	From     int      `xml:"fromPort"`
	To       int      `xml:"toPort"`
	CIDR     string   `xml:"cidrIpv4"`
	Text     string   `xml:"description,omitempty"`
	Tags     []ec2Tag `xml:"tagSet>item"`
}

func (c *call) ec2Rule(f *firewall, r *SecurityRule) ec2Rule {
	out := ec2Rule{ID: r.ID, Group: f.ID, Owner: c.site.Number, Egress: r.Out, Protocol: r.Protocol, From: r.From, To: r.To, CIDR: r.CIDR, Text: r.Text}
	for _, k := range slices.Sorted(maps.Keys(r.Tags)) {
		out.Tags = append(out.Tags, ec2Tag{k, r.Tags[k]})
	}
	return out
}

type ec2Range struct {
	CIDR string `xml:"cidrIp"`
	Text string `xml:"description,omitempty"`
}

type ec2Permission struct {
	Protocol string     `xml:"ipProtocol"`
	From     int        `xml:"fromPort"`
	To       int        `xml:"toPort"`
	Ranges   []ec2Range `xml:"ipRanges>item"`
}

var firewallID = regexp.MustCompile(`^sg-[0-9a-f]{8}([0-9a-f]{9})?$`)

func (c *call) firewall() (*firewall, error) {
	id := c.p["GroupId"]
	if !firewallID.MatchString(id) {
		return nil, refuse("InvalidGroupId.Malformed", "Invalid id: %q (expecting \"sg-...\")", id)
	}
	f := c.site.firewall(id)
	if f == nil {
		return nil, refuse("InvalidGroup.NotFound", "The security group '%s' does not exist", id)
	}
	return f, nil
}

var ruleText = regexp.MustCompile(`^[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,255}$`)

// permissions are the rules that a request writes out.
func (c *call) permissions() (out []SecurityRule, err error) {
	for _, p := range c.p.each("IpPermissions") {
		from, errFrom := strconv.Atoi(p["FromPort"])
		to, errTo := strconv.Atoi(p["ToPort"])
		if p["IpProtocol"] != "tcp" {
			return nil, refuse(unsimulated, "the protocol %q", p["IpProtocol"])
		}
		if errFrom != nil || errTo != nil || from < 0 || to < from || to > 65535 {
			return nil, refuse("InvalidParameterValue", "Invalid value for portRange. Must specify both from and to ports with TCP/UDP.")
		}
		ranges := p.each("IpRanges")
		if len(ranges) == 0 {
			return nil, refuse("MissingParameter", "Source group ID missing.")
		}
		for _, r := range ranges {
			cidr, err := netip.ParsePrefix(r["CidrIp"])
			if err != nil || !cidr.Addr().Is4() || cidr != cidr.Masked() {
				return nil, refuse("InvalidParameterValue", "CIDR block %s is malformed", r["CidrIp"])
			}
			if !ruleText.MatchString(r["Description"]) {
				return nil, refuse("InvalidParameterValue", "Invalid rule description. Valid descriptions are strings less than 256 characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*")
			}
			out = append(out, SecurityRule{Protocol: "tcp", From: from, To: to, CIDR: cidr.String(), Text: r["Description"]})
		}
	}
	return out, nil
}

// ruleTags are those that new rules get.
func (c *call) ruleTags() (map[string]string, error) {
	out := map[string]string{}
	for _, spec := range c.p.each("TagSpecification") {
		if spec["ResourceType"] != "security-group-rule" {
			return nil, refuse("InvalidParameterValue", "'%s' is not a valid taggable resource type for this operation.", spec["ResourceType"])
		}
		for _, t := range spec.each("Tag") {
			if t["Key"] == "" || len([]rune(t["Key"])) > 127 || len([]rune(t["Value"])) > 255 || strings.HasPrefix(t["Key"], "aws:") {
				return nil, refuse("InvalidParameterValue", "Tag key or value is too long or empty")
			}
			out[t["Key"]] = t["Value"]
		}
	}
	return out, nil
}

func authorizeIngress(c *call) (any, error) {
	f, err := c.firewall()
	if err != nil {
		return nil, err
	}
	rules, err := c.permissions()
	if err != nil {
		return nil, err
	}
	tags, err := c.ruleTags()
	if err != nil {
		return nil, err
	}
	if len(rules) == 0 {
		return nil, refuse("MissingParameter", "The request must contain the parameter ipPermissions or cidrIp")
	}
	for _, r := range rules {
		if slices.ContainsFunc(f.Rules, r.same) {
			return nil, refuse("InvalidPermission.Duplicate", "the specified rule \"peer: %s, TCP, from port: %d, to port: %d, ALLOW\" already exists", r.CIDR, r.From, r.To)
		}
	}
	if len(f.inward())+len(rules) > f.Limit {
		return nil, refuse("RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.")
	}
	if err := c.dryRun(); err != nil {
		return nil, err
	}
	var out struct {
		Return bool      `xml:"return"`
		Rules  []ec2Rule `xml:"securityGroupRuleSet>item"`
	}
	out.Return = true
	for _, r := range rules {
		r.Tags = tags
		out.Rules = append(out.Rules, c.ec2Rule(f, f.add(c.s.world, r, c.now)))
	}
	return out, nil
}

// revokeIngress takes rules away, by their ids or written out. What is written out and
// matches nothing is no error: it comes back as unknown, beside return=true.
func revokeIngress(c *call) (any, error) {
	f, err := c.firewall()
	if err != nil {
		return nil, err
	}
	ids := c.p.list("SecurityGroupRuleId")
	written, err := c.permissions()
	if err != nil {
		return nil, err
	}
	switch {
	case len(ids) > 0 && len(written) > 0:
		return nil, refuse("InvalidParameterCombination", "The parameters securityGroupRuleIds and ipPermissions cannot be used together")
	case len(ids)+len(written) == 0:
		return nil, refuse("MissingParameter", "Either 'ipPermissions' or 'securityGroupRuleIds' should be provided.")
	}
	var out struct {
		Return  bool            `xml:"return"`
		Revoked []ec2Rule       `xml:"revokedSecurityGroupRuleSet>item"`
		Unknown []ec2Permission `xml:"unknownIpPermissionSet>item"`
	}
	out.Return = true
	var gone []*SecurityRule
	for _, id := range ids {
		r := f.rule(id)
		if r == nil || r.Out {
			return nil, refuse("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '%s' does not exist", id)
		}
		gone = append(gone, r)
	}
	for _, r := range written {
		if i := slices.IndexFunc(f.Rules, r.same); i >= 0 {
			gone = append(gone, f.Rules[i])
		} else {
			out.Unknown = append(out.Unknown, ec2Permission{r.Protocol, r.From, r.To, []ec2Range{{r.CIDR, r.Text}}})
		}
	}
	if err := c.dryRun(); err != nil {
		return nil, err
	}
	for _, r := range gone {
		out.Revoked = append(out.Revoked, c.ec2Rule(f, r))
	}
	f.Rules = slices.DeleteFunc(f.Rules, func(r *SecurityRule) bool { return slices.Contains(gone, r) })
	return out, nil
}

// ruleValues gives what each filter of rules compares; none is of rules without it.
func ruleValues(name string) func(r ec2Rule) []string {
	if key, is := strings.CutPrefix(name, "tag:"); is {
		return func(r ec2Rule) (out []string) {
			for _, t := range r.Tags {
				if t.Key == key {
					out = append(out, t.Value)
				}
			}
			return out
		}
	}
	switch name {
	case "group-id":
		return func(r ec2Rule) []string { return []string{r.Group} }
	case "security-group-rule-id":
		return func(r ec2Rule) []string { return []string{r.ID} }
	case "tag-key":
		return func(r ec2Rule) (out []string) {
			for _, t := range r.Tags {
				out = append(out, t.Key)
			}
			return out
		}
	}
	return nil
}

func describeRules(c *call) (any, error) {
	var all []ec2Rule
	for _, f := range c.site.Firewalls {
		for _, r := range f.Rules {
			all = append(all, c.ec2Rule(f, r))
		}
	}
	if named := c.p.list("SecurityGroupRuleId"); len(named) > 0 {
		for _, id := range named {
			if !slices.ContainsFunc(all, func(r ec2Rule) bool { return r.ID == id }) {
				return nil, refuse("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '%s' does not exist", id)
			}
		}
		all = slices.DeleteFunc(all, func(r ec2Rule) bool { return !slices.Contains(named, r.ID) })
	}
	for _, f := range c.p.each("Filter") {
		get, values := ruleValues(f["Name"]), f.list("Value")
		if get == nil || len(values) == 0 {
			return nil, refuse("InvalidParameterValue", "The filter '%s' is invalid", f["Name"])
		}
		if len(values) > mostFilterValues {
			return nil, refuse("FilterLimitExceeded", "The maximum number of filter values specified on a single call is %d", mostFilterValues)
		}
		all = slices.DeleteFunc(all, func(r ec2Rule) bool {
			return !slices.ContainsFunc(get(r), func(has string) bool {
				return slices.ContainsFunc(values, func(v string) bool { return wild(v, has) })
			})
		})
	}
	all, next, err := page(c, all, "MaxResults", "NextToken", "InvalidNextToken", 1000, 5, 1000)
	return struct {
		Rules []ec2Rule `xml:"securityGroupRuleSet>item"`
		Next  string    `xml:"nextToken,omitempty"`
	}{all, next}, cmp.Or(err, c.dryRun())
}

// Rules are those that let something into a security group, in all sites.
func (s *Sim) Rules(group string) (out []SecurityRule) {
	s.look(func(time.Time) {
		for _, st := range s.world.Sites {
			if f := st.firewall(group); f != nil {
				for _, r := range f.inward() {
					one := *r
					one.Tags = maps.Clone(r.Tags)
					out = append(out, one)
				}
			}
		}
	})
	return out
}

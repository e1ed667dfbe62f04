package awssim

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

func ssmOps() []op {
	return []op{
		{
			service: ssmService, action: "DescribeInstanceInformation", do: describeAgents,
			takes: split("Filters.#.Key Filters.#.Values.# MaxResults NextToken"), knows: split("InstanceInformationFilterList.**"),
		},
		{
			service: ssmService, action: "SendCommand", change: true, do: sendCommand, needs: split("DocumentName"),
			takes: split("DocumentName DocumentVersion InstanceIds.# Parameters.** Comment TimeoutSeconds"),
			knows: split("AlarmConfiguration.** CloudWatchOutputConfig.** DocumentHash DocumentHashType MaxConcurrency MaxErrors NotificationConfig.** OutputS3BucketName OutputS3KeyPrefix OutputS3Region ServiceRoleArn Targets.**"),
		},
		{
			service: ssmService, action: "GetCommandInvocation", do: getInvocation,
			takes: split("CommandId InstanceId PluginName"), needs: split("CommandId InstanceId"),
		},
		{
			service: ssmService, action: "CancelCommand", change: true, do: cancelCommand,
			takes: split("CommandId InstanceIds.#"), needs: split("CommandId"),
		},
		{
			service: ssmService, action: "DescribeParameters", do: describeParameters,
			takes: split("ParameterFilters.#.Key ParameterFilters.#.Option ParameterFilters.#.Values.# MaxResults NextToken"), knows: split("Filters.** Shared"),
		},
	}
}

// epoch is a time as JSON has it here: seconds, with a fraction.
func epoch(t time.Time) float64 { return math.Round(float64(t.UnixMilli())) / 1000 }

type agent struct {
	InstanceId, PingStatus, AgentVersion, PlatformType, PlatformName, ResourceType, IPAddress, ComputerName string
	LastPingDateTime                                                                                        float64
}

func describeAgents(c *call) (any, error) {
	var all []agent
	for _, i := range c.site.Instances {
		up := i.Running.Add(AgentTime)
		if i.state(c.now) == "terminated" || c.now.Before(up) {
			continue
		}
		a := agent{
			InstanceId: i.ID, PingStatus: "Online", AgentVersion: "3.3.0.0", PlatformType: "Linux", PlatformName: "Amazon Linux",
			ResourceType: "EC2Instance", IPAddress: i.Address, ComputerName: "ip-" + strings.ReplaceAll(i.Address, ".", "-"), LastPingDateTime: epoch(c.now.Truncate(time.Minute)),
		}
		if i.Host.Unreachable || !i.Ending.IsZero() {
			a.PingStatus = "ConnectionLost"
			a.LastPingDateTime = epoch(latest(up, i.Host.Lost))
		}
		all = append(all, a)
	}
	for _, f := range c.p.each("Filters") {
		if f["Key"] != "InstanceIds" {
			return nil, refuse("InvalidFilterKey", "the filter %s", f["Key"])
		}
		wanted := f.list("Values")
		for _, id := range wanted {
			if !instanceID.MatchString(id) {
				return nil, refuse("InvalidInstanceInformationFilterValue", "%s is not an instance id", id)
			}
		}
		all = slices.DeleteFunc(all, func(a agent) bool { return !slices.Contains(wanted, a.InstanceId) })
	}
	all, next, err := page(c, all, "MaxResults", "NextToken", "InvalidNextToken", 10, 5, 50)
	return struct {
		InstanceInformationList []agent
		NextToken               string `json:",omitempty"`
	}{all, next}, err
}

const (
	shellDocument = "AWS-RunShellScript"
	outputLimit   = 24_000
)

var shellParams = split("Parameters.commands.# Parameters.executionTimeout.# Parameters.workingDirectory.#")

func sendCommand(c *call) (any, error) {
	ids := c.p.list("InstanceIds")
	if err := c.commandable(ids); err != nil {
		return nil, err
	}
	cmd, err := c.shellCommand()
	if err != nil {
		return nil, err
	}
	delivery, err := c.number("TimeoutSeconds", 3600, 30, 2592000)
	if err != nil {
		return nil, err
	}
	cmd.ID, cmd.Delivery = uuid(c.w.next()), time.Duration(delivery)*time.Second
	for _, id := range ids {
		cmd.Runs = append(cmd.Runs, &run{Instance: id, Status: "Pending", Details: "Pending", Exit: -1, Next: c.now.Add(DeliveryTime)})
	}
	c.site.Commands = append(c.site.Commands, cmd)
	if n := len(c.site.Commands); n > keptCommands {
		c.site.Commands = slices.Clone(c.site.Commands[n-keptCommands:])
	}
	return map[string]any{"Command": map[string]any{
		"CommandId": cmd.ID, "Comment": cmd.Comment, "DocumentName": shellDocument, "InstanceIds": ids, "Status": "Pending", "StatusDetails": "Pending",
		"RequestedDateTime": epoch(c.now), "ExpiresAfter": epoch(c.now.Add(cmd.Delivery + cmd.Execution)), "TimeoutSeconds": delivery, "TargetCount": len(ids),
	}}, nil
}

const keptCommands = 200

// commandable refuses instances that no command can be sent to. One whose agent is
// not heard of any more is not among them.
func (c *call) commandable(ids []string) error {
	if len(ids) == 0 || len(ids) > 50 {
		return refuse("InvalidInstanceId", "From 1 to 50 instances have to be named")
	}
	for n, id := range ids {
		i := c.site.instance(id)
		if slices.Contains(ids[:n], id) {
			return refuse("DuplicateInstanceId", "%s is named twice", id)
		}
		if i == nil || !i.Ending.IsZero() || c.now.Before(i.Running.Add(AgentTime)) {
			return refuse("InvalidInstanceId", "Instances [[%s]] not in a valid state for account %s", id, c.site.Number)
		}
	}
	return nil
}

// shellCommand reads what AWS-RunShellScript is to do.
func (c *call) shellCommand() (*command, error) {
	if c.p["DocumentName"] != shellDocument {
		return nil, refuse("InvalidDocument", "The document %s is not known", c.p["DocumentName"])
	}
	for k := range c.p {
		if strings.HasPrefix(k, "Parameters.") && !fits(shellParams, k, c.p[k]) {
			return nil, refuse("InvalidParameters", "The document has no parameter %s", k)
		}
	}
	lines := c.p.list("Parameters.commands")
	if len(lines) == 0 {
		return nil, refuse("InvalidParameters", "The document wants the parameter commands")
	}
	seconds := 3600
	if v := c.p.list("Parameters.executionTimeout"); len(v) > 0 {
		var err error
		if seconds, err = strconv.Atoi(v[0]); err != nil || seconds < 1 || seconds > 172800 {
			return nil, refuse("InvalidParameters", "executionTimeout %s", v[0])
		}
	}
	return &command{Comment: c.p["Comment"], Script: strings.Join(lines, "\n"), Sent: c.now, Execution: time.Duration(seconds) * time.Second}, nil
}

// proceed takes a command on: to the host, or to its end.
func (s *Sim) proceed(st *site, c *command, r *run, at time.Time) {
	r.Next = time.Time{}
	i := st.instance(r.Instance)
	switch {
	case i == nil || !i.Ending.IsZero():
		r.finish(at, "Failed", "Undeliverable")
	case r.Status == "InProgress":
		r.end(at)
	case i.Host.Unreachable && at.Before(c.Sent.Add(c.Delivery)):
		r.Status, r.Details = "Delayed", "Delayed"
		r.Next = minTime(at.Add(10*time.Second), c.Sent.Add(c.Delivery))
	case i.Host.Unreachable:
		r.finish(at, "TimedOut", "DeliveryTimedOut")
	default:
		r.Start, r.Status, r.Details = at, "InProgress", "InProgress"
		takes := cmp.Or(i.Host.Takes, ScriptTime)
		if takes > c.Execution {
			r.Late, takes = true, c.Execution
		}
		r.Out, r.Exit = s.cfg.Host(i.host(st, at), c.Script)
		if len(r.Out) > outputLimit {
			r.Out = strings.ToValidUTF8(r.Out[:outputLimit], "")
		}
		r.Next = at.Add(takes)
	}
}

func (r *run) finish(at time.Time, status, details string) {
	r.Status, r.Details, r.End, r.Exit, r.Out = status, details, at, -1, ""
}

// end is of a script that has run.
func (r *run) end(at time.Time) {
	switch {
	case r.Late:
		r.finish(at, "TimedOut", "ExecutionTimedOut")
	case r.Exit == 0:
		r.Status, r.Details, r.End = "Success", "Success", at
	default:
		r.Status, r.Details, r.End = "Failed", "Failed", at
	}
}

var commandID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func (c *call) command() (*command, error) {
	id := c.p["CommandId"]
	if !commandID.MatchString(id) {
		return nil, refuse("ValidationException", "%s is not a command id", id)
	}
	for _, cmd := range c.site.Commands {
		if cmd.ID == id {
			return cmd, nil
		}
	}
	return nil, nil
}

func getInvocation(c *call) (any, error) {
	cmd, err := c.command()
	if err != nil {
		return nil, err
	}
	var r *run
	if cmd != nil {
		for _, x := range cmd.Runs {
			if x.Instance == c.p["InstanceId"] {
				r = x
			}
		}
	}
	if r == nil {
		return nil, refuse("InvocationDoesNotExist", "The invocation does not exist")
	}
	if name := c.p["PluginName"]; name != "" && name != "aws:runShellScript" {
		return nil, refuse("InvalidPluginName", "%s", name)
	}
	polled := cmd.ID + " " + r.Instance
	if c.s.polls[polled] < c.s.cfg.EarlyPolls {
		c.s.polls[polled]++
		return nil, refuse("InvocationDoesNotExist", "The invocation does not exist")
	}
	out := map[string]any{
		"CommandId": cmd.ID, "InstanceId": r.Instance, "Comment": cmd.Comment, "DocumentName": shellDocument, "PluginName": "aws:runShellScript",
		"Status": r.Status, "StatusDetails": r.Details, "ResponseCode": -1, "StandardOutputContent": "", "StandardErrorContent": "",
		"ExecutionStartDateTime": "", "ExecutionEndDateTime": "", "ExecutionElapsedTime": "",
	}
	if !r.Start.IsZero() {
		out["ExecutionStartDateTime"] = stamp(r.Start)
	}
	if !r.End.IsZero() {
		out["ResponseCode"], out["StandardOutputContent"], out["ExecutionEndDateTime"] = r.Exit, r.Out, stamp(r.End)
		if !r.Start.IsZero() {
			out["ExecutionElapsedTime"] = fmt.Sprintf("PT%.3fS", r.End.Sub(r.Start).Seconds())
		}
	}
	return out, nil
}

// cancelCommand ends what has not ended; a script that was started has had its effect.
func cancelCommand(c *call) (any, error) {
	cmd, err := c.command()
	if err != nil {
		return nil, err
	}
	if cmd == nil {
		return nil, refuse("InvalidCommandId", "%s", c.p["CommandId"])
	}
	ids := c.p.list("InstanceIds")
	for _, id := range ids {
		if !slices.ContainsFunc(cmd.Runs, func(r *run) bool { return r.Instance == id }) {
			return nil, refuse("InvalidInstanceId", "%s", id)
		}
	}
	for _, r := range cmd.Runs {
		if r.End.IsZero() && (len(ids) == 0 || slices.Contains(ids, r.Instance)) {
			r.finish(c.now, "Cancelled", "Cancelled")
			r.Next = time.Time{}
		}
	}
	return struct{}{}, nil
}

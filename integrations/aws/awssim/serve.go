package awssim

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The services, by the names that faults and calls use.
const (
	ec2Service         = "ec2"
	elbv2Service       = "elbv2"
	elbService         = "elb"
	autoscalingService = "autoscaling"
	ssmService         = "ssm"
	ecsService         = "ecs"
	stsService         = "sts"
	cloudwatchService  = "cloudwatch"
	snsService         = "sns"
	ecrService         = "ecr"
	codebuildService   = "codebuild"
	logsService        = "logs"
)

// op is one action of a service. Patterns of parameters are those of fits.
type op struct {
	service, action string
	change          bool
	takes           []string
	knows           []string // AWS takes it; the simulator refuses to act without it
	needs           []string
	do              func(c *call) (any, error)
}

func (o *op) protocol() *protocol { return services[o.service].protocol }

// services says how each is recognised: by the name in the signature, and, where two
// have the same, by the version; those that speak JSON by the target of their actions.
var services = map[string]struct {
	protocol               *protocol
	scope, version, target string
}{
	ec2Service:         {protocolEC2, "ec2", "2016-11-15", ""},
	elbv2Service:       {protocolQuery, "elasticloadbalancing", "2015-12-01", ""},
	elbService:         {protocolQuery, "elasticloadbalancing", "2012-06-01", ""},
	autoscalingService: {protocolQuery, "autoscaling", "2011-01-01", ""},
	stsService:         {protocolQuery, "sts", "2011-06-15", ""},
	ssmService:         {protocolJSON, "ssm", "", "AmazonSSM."},
	ecsService:         {protocolJSON, "ecs", "", "AmazonEC2ContainerServiceV20141113."},
	ecrService:         {protocolJSON, "ecr", "", "AmazonEC2ContainerRegistry_V20150921."},
	codebuildService:   {protocolJSON, "codebuild", "", "CodeBuild_20161006."},
	logsService:        {protocolJSON, "logs", "", "Logs_20140328."},
	cloudwatchService:  {protocolCBOR, "monitoring", "", ""},
	snsService:         {protocolSNS, "sns", "2010-03-31", ""},
}

func operations() map[string]*op {
	out := map[string]*op{}
	for _, list := range [][]op{ec2Ops(), ec2RuleOps(), elbv2Ops(), elbOps(), autoscalingOps(), ssmOps(), stsOps(), ecsOps(), ecrOps(), cloudwatchOps(), snsOps(), codebuildOps(), logsOps()} {
		for _, o := range list {
			out[o.service+":"+o.action] = &o
		}
	}
	return out
}

// split turns "A B.#" into the patterns.
func split(s string) []string { return strings.Fields(s) }

// call is one request.
type call struct {
	s    *Sim
	op   *op
	p    params
	body []byte // of what speaks JSON
	key  key
	now  time.Time
	w    *world // what it sees
	site *site
}

const maxBody = 1 << 20

// Handler answers all services at "/".
func (s *Sim) Handler() http.Handler { return http.HandlerFunc(s.serve) }

func (s *Sim) serve(w http.ResponseWriter, r *http.Request) {
	s.busy.Add(1)
	defer s.busy.Add(-1)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	out := s.answer(r, body)
	if out.cut {
		panic(http.ErrAbortHandler) // the connection is closed, and nothing said
	}
	w.Header().Set("Content-Type", out.protocol.contentType)
	w.Header().Set("X-Amzn-Requestid", out.id)
	if out.protocol == protocolCBOR {
		w.Header().Set(cborHeader, cborName)
	}
	w.WriteHeader(out.status)
	if _, err := w.Write(out.body); err != nil {
		s.log.Debug("aws simulator: write an answer", "err", err)
	}
}

type reply struct {
	protocol *protocol
	id       string
	status   int
	body     []byte
	cut      bool
}

// answer does a request, from its signature to the bytes that go out.
func (s *Sim) answer(r *http.Request, body []byte) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	s.settle(now)
	s.asked++
	out := reply{id: uuid(s.asked), status: http.StatusOK, protocol: protocolQuery}
	c, err := s.parse(r, body, now)
	if c != nil {
		out.protocol = services[c.op.service].protocol
	}
	var v any
	if err == nil {
		v, out.cut, err = s.perform(c)
	}
	s.world.watch(now)
	if saveErr := s.save(); saveErr != nil {
		s.log.Error("aws simulator", "err", saveErr)
		err = errors.Join(err, saveErr)
	}
	if err == nil && !out.cut {
		out.body, err = out.protocol.answer(c.op.action, out.id, v)
	}
	if err != nil {
		var refused *apiError
		if !errors.As(err, &refused) {
			refused = refuse("InternalFailure", "%v", err)
		}
		out.status = refused.httpStatus()
		if out.body, err = out.protocol.refusal(refused, out.id); err != nil {
			s.log.Error("aws simulator: write a refusal", "err", err)
		}
	}
	return out
}

// perform acts, with the misbehaviour that was asked for. cut says that the caller
// hears nothing.
func (s *Sim) perform(c *call) (v any, cut bool, err error) {
	s.record(c)
	if s.take(faultReset, c) != nil {
		return nil, true, nil
	}
	if s.take(faultThrottle, c) != nil {
		return nil, false, refuse(c.op.protocol().throttled, "Rate exceeded")
	}
	if f := s.take(faultError, c); f != nil {
		return nil, false, &apiError{status: f.Status, code: f.Code, message: f.Message}
	}
	var before *world
	if !c.op.change {
		s.fallBehind(c)
	} else if s.armed(faultLag, c) >= 0 {
		before = s.world.clone()
	}
	if v, err = c.op.do(c); err != nil {
		return nil, false, err
	}
	s.dirty = s.dirty || c.op.change
	if before != nil {
		lag := time.Duration(s.take(faultLag, c).LagSeconds) * time.Second
		s.stale = append(s.stale, staleWorld{until: c.now.Add(lag), world: before})
	}
	return v, s.take(faultLost, c) != nil, nil
}

// parse recognises the service, the caller and the action. The call it gives with an
// error says in which protocol to refuse.
func (s *Sim) parse(r *http.Request, body []byte, now time.Time) (*call, error) {
	sig := parseSignature(r.Header.Get("Authorization"))
	target := r.Header.Get("X-Amz-Target")
	c := &call{s: s, op: &op{service: serviceOf(sig.service, "")}, now: now, w: s.world}
	if target != "" {
		c.op.service = targeted(target)
	}
	isCBOR := r.Header.Get(cborHeader) == cborName
	if isCBOR {
		c.op.service = cloudwatchService
	}
	action, err := s.read(c, r, body)
	if err != nil {
		return c, err
	}
	if isCBOR {
		r.URL.Path = "/"
	}
	if r.Method != http.MethodPost || r.URL.Path != "/" && r.URL.Path != "" {
		return c, refuse(c.op.protocol().noAction, "%s %s is not an action", r.Method, r.URL.Path)
	}
	if c.key, err = s.caller(c, sig, r.Header.Get("X-Amz-Security-Token")); err != nil {
		return c, err
	}
	c.site = s.world.site(c.key.account, sig.region)
	if c.site == nil {
		return c, refuse(c.op.protocol().badKey, "The account has no region %s", sig.region)
	}
	o := s.ops[c.op.service+":"+action]
	if o == nil {
		return c, refuse(c.op.protocol().noAction, "The action %s is not valid for this web service.", action)
	}
	c.op = o
	return c, c.p.check(o)
}

// read gives the action, and takes the parameters apart.
func (s *Sim) read(c *call, r *http.Request, body []byte) (action string, err error) {
	if c.op.service == cloudwatchService {
		return readCBOR(c, r, body)
	}
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		c.body = body
		if c.p, err = parseJSON(body); err != nil {
			return "", refuse(protocolJSON.badParam, "%v", err)
		}
		action, ok := strings.CutPrefix(target, services[c.op.service].target)
		if !ok {
			return "", refuse(protocolJSON.noAction, "%s", target)
		}
		return action, nil
	}
	if c.p, err = parseQuery(body); err != nil {
		return "", refuse("MalformedQueryString", "%v", err)
	}
	action, version := c.p["Action"], c.p["Version"]
	delete(c.p, "Action")
	delete(c.p, "Version")
	c.op.service = serviceOf(services[c.op.service].scope, version)
	if services[c.op.service].version != version {
		return "", refuse("NoSuchVersion", "The version %s of %s is not known", version, c.op.service)
	}
	return action, nil
}

// targeted finds a service by the target of an action. What nobody knows is answered as
// ssm, with a refusal.
func targeted(target string) string {
	for name, sv := range services {
		if sv.target != "" && strings.HasPrefix(target, sv.target) {
			return name
		}
	}
	return ssmService
}

// serviceOf finds a service by the name in the signature. A service that nobody knows
// is answered as sts, with a refusal.
func serviceOf(scope, version string) string {
	found := stsService
	for _, name := range []string{ec2Service, elbv2Service, elbService, autoscalingService, ssmService, ecsService, ecrService, stsService, cloudwatchService, snsService, codebuildService, logsService} {
		if sv := services[name]; sv.scope == scope {
			found = name
			if sv.version == version {
				return name
			}
		}
	}
	return found
}

// Call is one that was understood, and who made it. IDs are what it names.
type Call struct {
	// Name is as a policy of IAM has it: "elasticloadbalancing:DescribeTargetHealth".
	Name            string
	Service         string // ec2, elbv2, elb, autoscaling, ssm, ecs, ecr, sts, cloudwatch, sns, codebuild, logs
	Account, Region string
	Change          bool
	IDs             []string
}

// idKeys are the parameters that say what a call is about.
var idKeys = split("AutoScalingGroupName AutoScalingGroupNames.member.# TargetGroupArn TargetGroupArns.member.# LoadBalancerName LoadBalancerNames.member.# LoadBalancerArn " +
	"InstanceId InstanceId.# InstanceIds.# InstanceIds.member.# ResourceId.# Targets.member.#.Id Instances.member.#.InstanceId Tags.member.#.ResourceId VolumeId.# CommandId RoleArn " +
	"GroupId SecurityGroupRuleId.# cluster containerInstance containerInstances.# tasks.# service services.# taskDefinition family repositoryName PhoneNumber phoneNumber projectName id ids.# logStreamName")

// policyName is what a policy of IAM calls a service: as its signature does, but for one.
func policyName(service string) string {
	if service == cloudwatchService {
		return "cloudwatch"
	}
	return services[service].scope
}

const keptCalls = 10_000

func (s *Sim) record(c *call) {
	call := Call{Name: policyName(c.op.service) + ":" + c.op.action, Service: c.op.service, Account: c.key.account, Region: c.site.Region, Change: c.op.change, IDs: c.ids()}
	if len(s.calls) >= keptCalls {
		s.calls = slices.Delete(s.calls, 0, keptCalls/10)
	}
	s.calls = append(s.calls, call)
}

func (c *call) ids() []string {
	keys := make([]string, 0, len(c.p))
	for k := range c.p {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var out []string
	for _, pattern := range idKeys {
		for _, k := range keys {
			if shape(k) == pattern {
				out = append(out, c.p[k])
			}
		}
	}
	return out
}

// Calls lists what was called so far, in order; the last 9,000 at the least.
func (s *Sim) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

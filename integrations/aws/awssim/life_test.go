package awssim

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

func TestTheDemo(t *testing.T) {
	b := newBench(t, Demo(), nil)
	roles := map[string]int{}
	for _, v := range b.sim.Instances() {
		roles[v.Role+" "+v.Status+" "+v.Group]++
	}
	for what, want := range map[string]int{"app working web": 12, "worker working worker": 3, "db working ": 1, "bastion working ": 1} {
		equal(b, what, roles[what], want)
	}
	zones := map[string]int{}
	for _, m := range b.group("web").Instances {
		zones[aws.ToString(m.AvailabilityZone)]++
	}
	for _, z := range []string{"ap-northeast-1a", "ap-northeast-1c", "ap-northeast-1d"} {
		equal(b, z, zones[z], 4)
	}
	equal(b, "id", b.id("web-1"), "i-0a000000000000001")
	equal(b, "groups", len(b.sim.Groups()), 2)
	equal(b, "in service", b.sim.Groups()[0].InService, 12)
	b.clock.pass(30 * 24 * time.Hour)
	equal(b, "a month later", len(b.sim.Instances()), 17)
}

func TestTheStateIsOnDisk(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, Demo(), func(c *Config) { c.Dir = dir })
	b.must(b.terminate("web-1", false))
	b.clock.pass(BalanceTime)
	equal(b, "instances", len(b.sim.Instances()), 18)
	for range 2 { // the first life was not closed
		again, err := New(Config{Dir: dir, Clock: b.clock, Accounts: map[string]string{DemoKey: "main"}})
		b.must(err)
		equal(b, "instances", len(again.Instances()), 18)
		equal(b, "web-1", again.Instances()[0].Lifecycle, "Terminating")
		b.must(again.Close())
	}
	again, err := New(Config{Dir: dir, Clock: b.clock, Accounts: map[string]string{DemoKey: "main"}})
	b.must(err)
	b.clock.pass(2 * time.Minute)
	equal(b, "web-1", again.Instances()[0].State, "terminated")
}

func TestAKeyOfNoAccountIsAMistake(t *testing.T) {
	if _, err := New(Config{Fleet: Demo(), Accounts: map[string]string{"AKIA": "nope"}}); err == nil {
		t.Error("it was taken")
	}
}

func TestAnInstanceVanishes(t *testing.T) {
	b := newBench(t, Demo(), nil)
	id := b.id("web-1")
	b.must(b.sim.Vanish(id))
	_, err := b.ec2.DescribeInstances(b.ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{id}})
	b.refused(err, "InvalidInstanceID.NotFound")
	equal(b, "target", b.health(b.arn("web"), id), "unused/Target.NotRegistered")
	b.clock.pass(time.Minute)
	equal(b, "members", len(b.group("web").Instances), 12)
	if b.sim.Vanish(id) == nil {
		b.Error("it vanished twice")
	}
}

func TestASpotInstanceIsTakenBack(t *testing.T) {
	b := newBench(t, Demo(), nil)
	b.must(b.sim.SpotNotice(b.id("worker-1")))
	b.clock.pass(SpotTime - time.Second)
	i := b.described(filter("tag:Name", "worker-1"))[0]
	equal(b, "lifecycle", i.InstanceLifecycle, types.InstanceLifecycleTypeSpot)
	equal(b, "state", i.State.Name, types.InstanceStateNameRunning)
	b.clock.pass(time.Second)
	i = b.described(filter("tag:Name", "worker-1"))[0]
	equal(b, "state", i.State.Name, types.InstanceStateNameShuttingDown)
	equal(b, "reason", aws.ToString(i.StateReason.Code), "Server.SpotInstanceTermination")
	b.clock.pass(5 * time.Minute)
	equal(b, "members", len(b.group("worker").Instances), 3)
}

// What was held up happens when it is let go, and not when it would have.
func TestAReplacementThatWasHeldUpComesLater(t *testing.T) {
	b := newBench(t, Demo(), nil)
	b.must(b.sim.Suspend("web", true, "ReplaceUnhealthy"))
	b.must(b.sim.Kill(b.id("web-1")))
	b.clock.pass(30 * time.Minute)
	equal(b, "lifecycle", b.lifecycle("web-1"), "InService")
	b.must(b.sim.Suspend("web", false, "ReplaceUnhealthy"))
	equal(b, "lifecycle", b.lifecycle("web-1"), "Terminating")
	b.clock.pass(BalanceTime)
	equal(b, "launched", b.view("web-13").Launched, b.clock.Now())
}

func TestOneJumpIsTheSameAsManySteps(t *testing.T) {
	story := func(step time.Duration) (out []View) {
		b := newBench(t, Demo(), nil)
		b.must(b.terminate("web-1", false))
		b.must(b.sim.Kill(b.id("worker-2")))
		b.must(b.enter(false, "web-5"))
		for range 10 * time.Minute / step {
			b.clock.pass(step)
			out = b.sim.Instances()
		}
		return out
	}
	one, many := story(10*time.Minute), story(time.Second)
	if len(one) != 20 || len(many) != 20 {
		t.Fatalf("%d and %d instances, want 17 and 3 new ones", len(one), len(many))
	}
	for n := range one {
		if one[n].ID != many[n].ID || !one[n].Launched.Equal(many[n].Launched) || one[n].Lifecycle != many[n].Lifecycle || one[n].State != many[n].State {
			t.Errorf("%+v is %+v in steps", one[n], many[n])
		}
	}
}

// post sends what no client of the SDK would.
func (b *bench) post(service, target, body string) (int, string) {
	b.Helper()
	r, err := http.NewRequestWithContext(b.ctx, http.MethodPost, b.url+"/", strings.NewReader(body))
	b.must(err)
	if service != "" {
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+DemoKey+"/20261120/"+region+"/"+service+"/aws4_request, SignedHeaders=host, Signature="+strings.Repeat("0", 64))
	}
	if target != "" {
		r.Header.Set("X-Amz-Target", target)
	}
	res, err := http.DefaultClient.Do(r)
	b.must(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	b.must(err)
	return res.StatusCode, string(text)
}

func TestWhatIsNotKnownIsRefused(t *testing.T) {
	b := newBench(t, Demo(), nil)
	for _, c := range []struct {
		name, service, target, body string
		status                      int
		code                        string
	}{
		{"no signature", "", "", "Action=GetCallerIdentity&Version=2011-06-15", 400, "MissingAuthenticationToken"},
		{"another service", "s3", "", "Action=ListBuckets&Version=2006-03-01", 400, "NoSuchVersion"},
		{"another service's signature", "ec2", "AmazonSSM.SendCommand", "{}", 400, "SignatureDoesNotMatch"},
		{"another version", "ec2", "", "Action=DescribeInstances&Version=2010-01-01", 400, "NoSuchVersion"},
		{"an action", "ec2", "", "Action=RunInstances&Version=2016-11-15", 400, "InvalidAction"},
		{"a parameter", "ec2", "", "Action=DescribeInstances&Version=2016-11-15&Instance.1=x", 400, "UnknownParameter"},
		{"a parameter twice", "ec2", "", "Action=DescribeInstances&Version=2016-11-15&MaxResults=5&MaxResults=6", 400, "MalformedQueryString"},
		{"a parameter missing", "ec2", "", "Action=TerminateInstances&Version=2016-11-15", 400, "MissingParameter"},
		{"a parameter", "autoscaling", "", "Action=EnterStandby&Version=2011-01-01&Group=x", 400, "ValidationError"},
		{"an action", "ssm", "AmazonSSM.StartSession", "{}", 400, "UnknownOperationException"},
		{"a parameter", "ssm", "AmazonSSM.CancelCommand", `{"Command":"x"}`, 400, "SerializationException"},
		{"no JSON", "ssm", "AmazonSSM.CancelCommand", `{`, 400, "SerializationException"},
	} {
		t.Run(c.service+" "+c.name, func(t *testing.T) {
			status, text := b.post(c.service, c.target, c.body)
			if status != c.status || !strings.Contains(text, c.code) {
				t.Errorf("%d %s, want %d %s", status, text, c.status, c.code)
			}
		})
	}
}

func TestAListThatIsEmptyIsNotAnUnknownParameter(t *testing.T) {
	b := newBench(t, Demo(), nil)
	status, text := b.post("autoscaling", "", "Action=DescribeAutoScalingGroups&Version=2011-01-01&AutoScalingGroupNames=")
	if status != http.StatusOK || !strings.Contains(text, "<AutoScalingGroupName>worker</AutoScalingGroupName>") {
		t.Errorf("%d %s", status, text)
	}
}

func TestItIsIdleWhenItAnswersNobody(t *testing.T) {
	var b *bench
	busy := false
	b = newBench(t, Demo(), func(c *Config) {
		c.Host = func(*Host, string) (string, int) { busy = !b.sim.Idle(); return "", 0 }
	})
	equal(b, "idle", b.sim.Idle(), true)
	ok[string](b)(b.send("web-1", "anything"))
	b.clock.pass(DeliveryTime)
	b.described(&ec2.DescribeInstancesInput{}) // the script runs when somebody asks
	equal(b, "busy while it answers", busy, true)
}

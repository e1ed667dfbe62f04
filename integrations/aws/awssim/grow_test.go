package awssim

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// A folder from before has what is new in the fleet, and what happened in it.
func TestAKeptStateGrowsWithTheFleet(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "aws")
	keep := func(c *Config) { c.Dir = dir }
	b := newBench(t, Demo(), keep)
	for _, i := range b.sim.Instances() {
		if i.Name == "bastion" || i.Name == "web-3" {
			b.must(b.sim.Vanish(i.ID))
		}
	}
	f := twoAccounts()
	f.In = append(f.In, Estate{
		Pools: []Pool{{Name: "api"}}, Groups: []Group{{Name: "api", Max: 2, Desired: 2, Pools: []string{"api"}}}, Clusters: []Cluster{{Name: "apps", Groups: []string{"api"}, Services: []Service{{Name: "api", Tasks: 3}}}},
	})
	for range 2 { // and the second time there is nothing new
		b = newBench(t, f, keep)
		count, tasks := map[string]int{}, 0
		for _, i := range b.sim.Instances() {
			count[i.Account+" "+i.Group]++
			if i.Name == "bastion" || i.Name == "web-3" {
				t.Errorf("%s is there again", i.Name)
			}
			if i.Tasks != nil {
				tasks += i.Tasks.Of["service:api"]
			}
		}
		equal(b, "web", count["main web"], 11)
		equal(b, "api", count["main api"], 2)
		equal(b, "db-1 alone", count["main "], 1)
		equal(b, "the other account", count["other "], 1)
		equal(b, "tasks", tasks, 3)
	}
}

// Where sessions have a clock of their own, a fleet whose time has passed still knows
// a key that its owner thinks is good.
func TestSessionsEndByTheirOwnClock(t *testing.T) {
	own := &still{now: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)}
	b := newBench(t, twoAccounts(), func(c *Config) { c.Sessions = own })
	in := &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::210987654321:role/signalbox"), RoleSessionName: aws.String("drain"), ExternalId: aws.String("signalbox")}
	b.clock.pass(48 * time.Hour)
	c := ok[*sts.AssumeRoleOutput](b)(b.sts.AssumeRole(b.ctx, in)).Credentials
	equal(b, "until", aws.ToTime(c.Expiration), own.Now().Add(time.Hour))
	b.connect(b.config(aws.ToString(c.AccessKeyId), aws.ToString(c.SessionToken), "us-east-1"))
	b.clock.pass(48 * time.Hour)
	ok[*sts.GetCallerIdentityOutput](b)(b.sts.GetCallerIdentity(b.ctx, nil))
	own.pass(time.Hour)
	_, err := b.ec2.DescribeInstances(b.ctx, nil)
	b.refused(err, "RequestExpired")
}

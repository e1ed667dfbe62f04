package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/mackerel/mackerelsim"
)

// The second account, which is entered by a role that asks for an external id.
const (
	secondAccount  = "staging"
	secondNumber   = "210987654321"
	secondRegion   = "us-west-2"
	secondExternal = "signalbox-sandbox"
	secondRole     = "arn:aws:iam::" + secondNumber + ":role/signalbox"
)

// ticketsImage is what the service tickets runs, without a tag.
const ticketsImage = "123456789012.dkr.ecr.ap-northeast-1.amazonaws.com/tickets"

// estate is the fleet: that of the simulator's demo, and what runs the service api as
// tasks of the cluster apps, in both accounts. Its groups have one name, and so have some
// of their instances, so that people are asked which they mean.
func estate() awssim.Fleet {
	f := demoFleet()
	f.Accounts = append(f.Accounts, awssim.Account{Name: secondAccount, Number: secondNumber, ExternalID: secondExternal})
	f.Regions = append(f.Regions, secondRegion)
	f.In = append(f.In,
		apps(awssim.Estate{}, 3, []awssim.Service{{Name: "api", Tasks: 6}, {Name: "mail", Tasks: 3}}),
		tickets(),
		apps(awssim.Estate{Account: secondAccount, Region: secondRegion}, 2, []awssim.Service{{Name: "api", Tasks: 4}}))
	return f
}

// tickets is the service tickets, which a merge deploys: its tasks need no machine, and the CI
// of acme/tickets builds an image of whatever commit somebody asks for.
func tickets() awssim.Estate {
	return awssim.Estate{
		Clusters: []awssim.Cluster{{Name: "tickets", Fargate: true, Quick: true, Services: []awssim.Service{
			{Name: "tickets", Tasks: 2, Container: "app", Image: ticketsImage + ":1.0.0", Breaker: awssim.BreakerRollback},
		}}},
		Repositories: []awssim.Repository{{Name: "tickets", Tags: []string{"1.0.0"}, Builds: 2 * time.Second}},
	}
}

// apps has a group of n hosts, behind a load balancer, and the cluster whose tasks they run.
func apps(e awssim.Estate, n int, services []awssim.Service) awssim.Estate {
	e.Pools = []awssim.Pool{{Name: "api", Port: 8080, Delay: 20 * time.Second}}
	e.Groups = []awssim.Group{{
		Name: "api", Min: 1, Max: 2 * n, Desired: n, Pools: []string{"api"},
		Model: awssim.Instance{Role: "task", Type: "m5.large", Age: 6 * 24 * time.Hour, Host: awssim.Host{Connections: 24, BufferBytes: 2 << 20}},
	}}
	e.Clusters = []awssim.Cluster{{Name: "apps", Groups: []string{"api"}, Room: 12, Services: services}}
	return e
}

// simulateFleet opens AWS, and Mackerel, which watches its instances.
func (w *world) simulateFleet() (err error) {
	w.aws, err = awssim.New(awssim.Config{
		Dir: filepath.Join(w.data, "aws"), Clock: w.clk, Log: w.log.With("simulator", "aws"), Fleet: estate(), Accounts: map[string]string{awssim.DemoKey: "main"},
		Sessions: clock.Real(), // those of the bot's AWS SDK, which goes by it
	})
	if err != nil {
		return err
	}
	dir := filepath.Join(w.data, "mackerel")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	w.mackerel, err = mackerelsim.New(mackerelsim.Config{Dir: dir, Clock: w.clk, Log: w.log.With("simulator", "mackerel"), Keys: map[string]bool{mackerelKey: true}})
	if err != nil {
		return fmt.Errorf("open mackerel simulator: %w", err)
	}
	return w.enlist()
}

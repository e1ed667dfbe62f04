package aws

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/asg"
	"github.com/signalbox-chatops/signalbox/integrations/aws/cloudwatch"
	"github.com/signalbox-chatops/signalbox/integrations/aws/ec2"
	"github.com/signalbox-chatops/signalbox/integrations/aws/ecs"
	"github.com/signalbox-chatops/signalbox/integrations/aws/elb"
	"github.com/signalbox-chatops/signalbox/integrations/aws/sns"
	"github.com/signalbox-chatops/signalbox/integrations/aws/ssm"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// Options are what a fleet is given besides its configuration.
type Options struct {
	Clock clock.Clock  // nil is the machine's own
	Log   *slog.Logger // nil is nobody
	// HTTP makes the requests; nil is the SDK's own client.
	HTTP *http.Client
}

// Fleet is the instances of all sites.
type Fleet struct {
	clock clock.Clock
	log   *slog.Logger
	sites []*site
	at    map[integrations.Site]*site

	mu sync.Mutex
	// asked is when a command was first known of, by its id.
	asked map[string]time.Time
}

// A site is the clients of one account in one region.
type site struct {
	integrations.Site
	who   *sts.Client
	insts *ec2.Reader
	tags  *ec2.Tagger
	end   *ec2.Ender
	doors *ec2.Opener
	pools *elb.Reader
	seats *elb.Mover
	group *asg.Reader
	move  *asg.Mover
	rest  *asg.Rester
	begin *asg.Launcher
	let   *asg.Ender // lets a group end one
	hosts *ssm.Reader
	run   *ssm.Runner
	tasks *ecs.Reader
	empty *ecs.Mover
	meter *cloudwatch.Reader

	phones *sns.Reader
	texts  *sns.Sender
}

// New makes the fleet of a configuration, which is validated. Nothing is asked yet.
func New(c Config, o Options) (*Fleet, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	f := &Fleet{clock: o.Clock, log: o.Log, at: map[integrations.Site]*site{}, asked: map[string]time.Time{}}
	if f.clock == nil {
		f.clock = clock.Real()
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	for _, a := range c.Accounts {
		base, err := dial(a, o.HTTP)
		if err != nil {
			return nil, fmt.Errorf("aws configure the account %s: %w", a.Name, err)
		}
		for _, region := range a.Regions {
			s := f.site(base, integrations.Site{Account: a.Name, Region: region})
			f.sites, f.at[s.Site] = append(f.sites, s), s
		}
	}
	return f, nil
}

func (f *Fleet) site(base sdk.Config, at integrations.Site) *site {
	base.Region = at.Region
	reads, changes := base.Copy(), base.Copy()
	reads.Retryer, changes.Retryer = thrice, once
	return &site{
		Site: at, who: sts.NewFromConfig(reads),
		insts: ec2.NewReader(reads, at), tags: ec2.NewTagger(changes), end: ec2.NewEnder(changes), doors: ec2.NewOpener(changes),
		pools: elb.NewReader(reads, f.clock.Now), seats: elb.NewMover(changes),
		group: asg.NewReader(reads), move: asg.NewMover(changes), rest: asg.NewRester(changes), begin: asg.NewLauncher(changes), let: asg.NewEnder(changes),
		hosts: ssm.NewReader(reads), run: ssm.NewRunner(changes),
		tasks: ecs.NewReader(reads), empty: ecs.NewMover(changes),
		meter: cloudwatch.NewReader(reads), phones: sns.NewReader(reads), texts: sns.NewSender(changes),
	}
}

// Sites are all that the configuration names, in its order.
func (f *Fleet) Sites() []integrations.Site {
	out := make([]integrations.Site, len(f.sites))
	for n, s := range f.sites {
		out[n] = s.Site
	}
	return out
}

// one is the site of that name.
func (f *Fleet) one(at integrations.Site) (*site, error) {
	s, ok := f.at[at]
	if !ok {
		return nil, fmt.Errorf("aws: the configuration has no site %s", at)
	}
	return s, nil
}

// change does one change at a site and gives its error the words of integrations.
func (f *Fleet) change(ctx context.Context, at integrations.Site, act, thing string, do func(*site) error) error {
	s, err := f.one(at)
	if err != nil {
		return err
	}
	return shape(ctx, act, thing, do(s))
}

package aws

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	sdk "github.com/aws/aws-sdk-go-v2/aws"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/ecs"
)

// via is how a step reaches AWS: what an account says, but for its keys, which are the
// bot's own. Those of a step are in the environment that its target gives it.
type via struct {
	Region     string `json:"region"`
	Role       string `json:"role,omitempty"`
	ExternalID string `json:"external_id,omitempty"`
	Endpoint   string `json:"endpoint,omitempty"`
}

// Deploys makes the steps `ecs` of targets, by the accounts of a configuration.
func Deploys(c Config) func(dir string, decode func(any) error) (integrations.Applier, error) {
	return func(_ string, decode func(any) error) (integrations.Applier, error) {
		o := ecs.Default()
		if err := decode(&o); err != nil {
			return nil, err
		}
		err := o.Validate()
		change, badChange := c.via("account", o.Account, o.Region)
		read := change
		var badRead error
		if o.PlanAccount != "" {
			read, badRead = c.via("plan_account", o.PlanAccount, cmp.Or(o.Region, change.Region))
		}
		if err := errors.Join(err, badChange, badRead); err != nil {
			return nil, err
		}
		o.Region = change.Region
		s := &ecs.Step{Order: o}
		if s.Self, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("find our own binary: %w", err)
		}
		if s.PlanVia, err = json.Marshal(read); err != nil {
			return nil, err
		}
		if s.ApplyVia, err = json.Marshal(change); err != nil {
			return nil, err
		}
		return s, nil
	}
}

// via finds an account. The only one needs no name, nor does its only region.
func (c Config) via(field, name, region string) (via, error) {
	var names []string
	for _, a := range c.Accounts {
		names = append(names, a.Name)
	}
	n := slices.Index(names, name)
	switch {
	case name == "" && len(names) == 0: // as the credentials themselves
		if !regionShape.MatchString(region) {
			return via{}, fmt.Errorf("region: %q is not a region; want one like ap-northeast-1, or an account of aws.accounts that has one", region)
		}
		return via{Region: region}, nil
	case name == "" && len(names) == 1:
		n = 0
	case name == "":
		return via{}, fmt.Errorf("%s: is missing; want one of %s", field, strings.Join(names, ", "))
	case n < 0 && len(names) == 0:
		return via{}, fmt.Errorf("%s: there is no account %q; aws.accounts is empty", field, name)
	case n < 0:
		return via{}, fmt.Errorf("%s: there is no account %q; want one of %s", field, name, strings.Join(names, ", "))
	}
	a := c.Accounts[n]
	if region == "" && len(a.Regions) == 1 {
		region = a.Regions[0]
	}
	if !slices.Contains(a.Regions, region) {
		return via{}, fmt.Errorf("region: %q is not a region of the account %s; want one of %s", region, a.Name, strings.Join(a.Regions, ", "))
	}
	return via{Region: region, Role: a.Role, ExternalID: a.ExternalID, Endpoint: a.Endpoint}, nil
}

// dial is how a tool speaks to AWS: its reads are tried again, its changes are not.
func (v via) dial() (reads, changes sdk.Config, err error) {
	base, err := dial(Account{Regions: []string{v.Region}, Role: v.Role, ExternalID: v.ExternalID, Endpoint: v.Endpoint}, nil)
	if err != nil {
		return base, base, fmt.Errorf("aws configure: %w", err)
	}
	reads, changes = base.Copy(), base.Copy()
	reads.Retryer, changes.Retryer = thrice, once
	return reads, changes, nil
}

// DeployMain is the tool of the steps `ecs`: our binary called with ecs.Word, an act and
// a request. It returns the exit code. SIGINT ends its waiting.
func DeployMain(args []string, out, errOut io.Writer) int {
	fail := func(err error) int {
		fmt.Fprintln(errOut, "Error:", err)
		return 2
	}
	if len(args) != 2 {
		return fail(errors.New("want an act and a request; signalbox calls this itself"))
	}
	var q ecs.Request
	var v via
	err := json.Unmarshal([]byte(args[1]), &q)
	if err == nil {
		err = json.Unmarshal(q.Via, &v)
	}
	if err != nil {
		return fail(fmt.Errorf("read the request: %w", err))
	}
	reads, changes, err := v.dial()
	if err != nil {
		return fail(err)
	}
	images := reads.Copy()
	images.Region = ecs.Region(q.Image)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return ecs.NewTool(reads, changes, images, shape, out, errOut).Do(ctx, args[0], q)
}

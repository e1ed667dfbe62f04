// Package ec2 speaks to Amazon EC2 for package aws: it reads instances, tags them,
// and ends them, each with a type of its own. Errors are the SDK's.
package ec2

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// GroupTag is the tag by which a scaling group marks its instances.
const GroupTag = "aws:autoscaling:groupName"

// Reader reads the instances of one site.
type Reader struct {
	api *sdk.Client
	at  integrations.Site

	mu     sync.Mutex
	stores map[string]string // what a type loses, by its name: types do not change
}

// NewReader makes one.
func NewReader(c aws.Config, at integrations.Site) *Reader {
	return &Reader{api: sdk.NewFromConfig(c), at: at, stores: map[string]string{}}
}

// ByRole lists the instances with one of the roles, or with any role. Terminated ones
// are left out.
func (r *Reader) ByRole(ctx context.Context, roles []string) ([]integrations.Instance, error) {
	if len(roles) == 0 {
		return r.list(ctx, alive, types.Filter{Name: aws.String("tag:Role"), Values: []string{"*"}})
	}
	return r.list(ctx, alive, filter("tag:Role", roles...))
}

// ByName lists the instances of that Name. Terminated ones are left out: their names
// are those of the ones that replaced them.
func (r *Reader) ByName(ctx context.Context, name string) ([]integrations.Instance, error) {
	return r.list(ctx, alive, filter("tag:Name", name))
}

// ByID finds one by its id, terminated ones too; none is no error.
func (r *Reader) ByID(ctx context.Context, id string) ([]integrations.Instance, error) {
	return r.list(ctx, func(integrations.Instance) bool { return true }, filter("instance-id", id))
}

func alive(i integrations.Instance) bool { return i.State != integrations.InstanceTerminated }

var literal = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`)

// filter takes its values literally: * and ? are wildcards to EC2.
func filter(name string, values ...string) types.Filter {
	f := types.Filter{Name: aws.String(name)}
	for _, v := range values {
		f.Values = append(f.Values, literal.Replace(v))
	}
	return f
}

func (r *Reader) list(ctx context.Context, keep func(integrations.Instance) bool, filters ...types.Filter) ([]integrations.Instance, error) {
	var out []integrations.Instance
	pages := sdk.NewDescribeInstancesPaginator(r.api, &sdk.DescribeInstancesInput{Filters: filters, MaxResults: aws.Int32(1000)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, reservation := range page.Reservations {
			for _, i := range reservation.Instances {
				if one := r.instance(i); keep(one) {
					out = append(out, one)
				}
			}
		}
	}
	return out, nil
}

func (r *Reader) instance(i types.Instance) integrations.Instance {
	out := integrations.Instance{
		Site: r.at, ID: aws.ToString(i.InstanceId), Tags: map[string]string{},
		Type: string(i.InstanceType), Address: aws.ToString(i.PrivateIpAddress),
		Launched: aws.ToTime(i.LaunchTime), Spot: i.InstanceLifecycle == types.InstanceLifecycleTypeSpot,
	}
	for _, t := range i.Tags {
		out.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	out.Name, out.Role, out.Status, out.Group = out.Tags["Name"], out.Tags["Role"], out.Tags["Status"], out.Tags[GroupTag]
	if i.Placement != nil {
		out.Zone = aws.ToString(i.Placement.AvailabilityZone)
	}
	if i.State != nil {
		out.State = string(i.State.Name)
	}
	return out
}

// Details are an instance with what only a closer look tells.
type Details struct {
	integrations.Instance
	Locked bool     // its termination is disabled
	Loses  []string // disks whose content a termination would lose or leave behind
}

// Details looks at one closely. One that is unknown is InvalidInstanceID.NotFound.
func (r *Reader) Details(ctx context.Context, id string) (Details, error) {
	found, err := r.api.DescribeInstances(ctx, &sdk.DescribeInstancesInput{InstanceIds: []string{id}})
	if err != nil {
		return Details{}, err
	}
	for _, reservation := range found.Reservations {
		for _, i := range reservation.Instances {
			if aws.ToString(i.InstanceId) == id {
				return r.details(ctx, i)
			}
		}
	}
	return Details{}, &NotFound{id}
}

// NotFound is an answer that does not hold the instance that was asked for.
type NotFound struct{ ID string }

func (e *NotFound) Error() string { return "there is no instance " + e.ID }

func (r *Reader) details(ctx context.Context, i types.Instance) (Details, error) {
	out := Details{Instance: r.instance(i)}
	if !alive(out.Instance) {
		return out, nil // its attributes and disks are gone
	}
	lock, err := r.api.DescribeInstanceAttribute(ctx, &sdk.DescribeInstanceAttributeInput{
		InstanceId: i.InstanceId, Attribute: types.InstanceAttributeNameDisableApiTermination,
	})
	if err != nil {
		return Details{}, err
	}
	out.Locked = lock.DisableApiTermination != nil && aws.ToBool(lock.DisableApiTermination.Value)
	for _, d := range i.BlockDeviceMappings {
		// What does not say that it is deleted is kept.
		if d.Ebs != nil && !aws.ToBool(d.Ebs.DeleteOnTermination) {
			out.Loses = append(out.Loses, fmt.Sprintf("%s (%s)", aws.ToString(d.Ebs.VolumeId), aws.ToString(d.DeviceName)))
		}
	}
	store, err := r.store(ctx, i.InstanceType)
	if err != nil {
		return Details{}, err
	}
	if store != "" {
		out.Loses = append(out.Loses, store)
	}
	return out, nil
}

// store names the instance store of a type, "" where it has none. An instance's own
// block devices do not show NVMe ones.
func (r *Reader) store(ctx context.Context, t types.InstanceType) (string, error) {
	r.mu.Lock()
	known, ok := r.stores[string(t)]
	r.mu.Unlock()
	if ok {
		return known, nil
	}
	found, err := r.api.DescribeInstanceTypes(ctx, &sdk.DescribeInstanceTypesInput{InstanceTypes: []types.InstanceType{t}})
	if err != nil {
		return "", err
	}
	if len(found.InstanceTypes) != 1 {
		return "", fmt.Errorf("EC2 tells nothing of the type %s, so nobody knows what it loses", t)
	}
	say := ""
	if info := found.InstanceTypes[0]; aws.ToBool(info.InstanceStorageSupported) {
		say = "instance store"
		if info.InstanceStorageInfo != nil {
			say = fmt.Sprintf("instance store (%d GB)", aws.ToInt64(info.InstanceStorageInfo.TotalSizeInGB))
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stores[string(t)] = say
	return say, nil
}

// Tagger changes the tags of instances.
type Tagger struct{ api *sdk.Client }

// NewTagger makes one.
func NewTagger(c aws.Config) *Tagger { return &Tagger{sdk.NewFromConfig(c)} }

// Set writes tags, over those of the same keys.
func (t *Tagger) Set(ctx context.Context, id string, tags map[string]string) error {
	in := &sdk.CreateTagsInput{Resources: []string{id}}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(k), Value: aws.String(tags[k])})
	}
	_, err := t.api.CreateTags(ctx, in)
	return err
}

// Unset takes tags away, whatever their values; ones that are not there are no error.
// It needs one key at least, for none is every tag.
func (t *Tagger) Unset(ctx context.Context, id string, keys []string) error {
	if len(keys) == 0 {
		return errors.New("no tag to take away is named, and EC2 would take all of them")
	}
	in := &sdk.DeleteTagsInput{Resources: []string{id}}
	for _, k := range slices.Sorted(slices.Values(keys)) {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(k)})
	}
	_, err := t.api.DeleteTags(ctx, in)
	return err
}

// Ender terminates instances, for good.
type Ender struct{ api *sdk.Client }

// NewEnder makes one.
func NewEnder(c aws.Config) *Ender { return &Ender{sdk.NewFromConfig(c)} }

// Terminate ends an instance that no group replaces, in order: its Force and
// SkipOsShutdown stay unset.
func (e *Ender) Terminate(ctx context.Context, id string) error {
	_, err := e.api.TerminateInstances(ctx, &sdk.TerminateInstancesInput{InstanceIds: []string{id}})
	return err
}

package ec2

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// EC2 takes * and ? of a filter's value for wildcards, unless a \ stands before them.
func TestANameIsNoPattern(t *testing.T) {
	got := filter("tag:Name", `web-*?\`)
	if diff := cmp.Diff([]string{`web-\*\?\\`}, got.Values); diff != "" {
		t.Error(diff)
	}
}

func TestNoTagsAreNotAllTags(t *testing.T) {
	if err := NewTagger(aws.Config{Region: "x"}).Unset(t.Context(), "i-1", nil); err == nil {
		t.Error("taking away no tag was let through, and EC2 takes away all of them")
	}
}

func TestAnInstanceOfLittle(t *testing.T) {
	r := NewReader(aws.Config{Region: "x"}, integrations.Site{Region: "x"})
	got := r.instance(types.Instance{InstanceId: aws.String("i-1"), InstanceLifecycle: types.InstanceLifecycleTypeSpot})
	if diff := cmp.Diff(integrations.Instance{Site: integrations.Site{Region: "x"}, ID: "i-1", Tags: map[string]string{}, Spot: true}, got); diff != "" {
		t.Error(diff)
	}
}

package aws_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
)

var _ integrations.Images = (*aws.Fleet)(nil)

// An image is found by its id or by a tag, and tagged; one that is gone is none.
func TestImages(t *testing.T) {
	w := newWorld(t)
	const id, gone = "ami-0abc0000000000001", "ami-0abc0000000000009"
	want := &integrations.Image{Site: home, ID: id, Name: "web 1", State: "available", Tags: map[string]string{integrations.TagRun: "r1"}}
	got, err := w.fleet.Image(t.Context(), home, id)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%s (%v)", diff, err)
	}
	if got, err := w.fleet.Image(t.Context(), home, gone); got != nil || err != nil {
		t.Errorf("what is not there is %+v (%v)", got, err)
	}
	for value, n := range map[string]int{"r1": 1, "r?": 0, "*": 0} {
		if all, err := w.fleet.ImagesTagged(t.Context(), home, integrations.TagRun, value); err != nil || len(all) != n {
			t.Errorf("with the tag %q there are %+v (%v)", value, all, err)
		}
	}
	w.ok(w.fleet.TagImage(t.Context(), home, id, map[string]string{integrations.TagTested: "abc"}))
	if got, err = w.fleet.Image(t.Context(), home, id); err != nil || got.Tags[integrations.TagTested] != "abc" || got.Tags[integrations.TagRun] != "r1" {
		t.Errorf("tagged it is %+v (%v)", got, err)
	}
	w.refused(w.fleet.TagImage(t.Context(), home, gone, map[string]string{integrations.TagTested: "abc"}), "aws tag "+gone+": InvalidAMIID.NotFound: The image id '["+gone+"]' does not exist")
	w.fault(awssim.Fault{Kind: "error", Service: "ec2", Action: "DescribeImages", Code: "UnauthorizedOperation", Count: -1})
	if _, err := w.fleet.Image(t.Context(), home, id); err == nil {
		t.Error("nothing is allowed, and it is none")
	}
}

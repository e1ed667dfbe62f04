package ecs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// found is an image of a commit.
type found struct{ tag, digest string }

// image looks for one of the tags, in their order; it is false where there is none.
func (t *Tool) image(ctx context.Context) (found, bool, error) {
	for _, tag := range t.q.Tags {
		digest, err := t.digest(ctx, types.ImageIdentifier{ImageTag: aws.String(tag)})
		if err != nil || digest != "" {
			return found{tag, digest}, digest != "", err
		}
	}
	return found{}, false, nil
}

// digest is that of an image; "" where there is none.
func (t *Tool) digest(ctx context.Context, id types.ImageIdentifier) (string, error) {
	account, _, repository := registry(t.q.Image)
	got, err := t.images.DescribeImages(ctx, &ecr.DescribeImagesInput{RegistryId: &account, RepositoryName: &repository, ImageIds: []types.ImageIdentifier{id}})
	var absent *types.ImageNotFoundException
	switch {
	case errors.As(err, &absent):
		return "", nil
	case err != nil:
		return "", t.explain(ctx, "find the image", repository+":"+aws.ToString(id.ImageTag)+aws.ToString(id.ImageDigest), err)
	case len(got.ImageDetails) == 0:
		return "", nil
	}
	return aws.ToString(got.ImageDetails[0].ImageDigest), nil
}

// await waits for the image of a commit whose CI still builds it. waited says that it
// was not there at once.
func (t *Tool) await(ctx context.Context) (_ found, waited bool, _ error) {
	_, _, repository := registry(t.q.Image)
	what := repository + ":" + strings.Join(t.q.Tags, " or :")
	end := time.Now().Add(t.q.ImageWait)
	for {
		f, there, err := t.image(ctx)
		if soon, _ := later(err); err != nil && !soon {
			return found{}, waited, err
		}
		switch {
		case there:
			t.say("The image is there: %s:%s is %s.", repository, f.tag, f.digest)
			return f, waited, nil
		case !time.Now().Before(end) && err != nil:
			return found{}, waited, err
		case !time.Now().Before(end):
			return found{}, waited, fmt.Errorf("there is no image %s in ECR, %s. Its CI may have failed, or still be building: plan it again when the image is there", what, afterWait(t.q.ImageWait))
		case !waited:
			t.say("There is no image %s yet; it is waited for, %v at most.", what, t.q.ImageWait)
			waited = true
		}
		if !t.pause(ctx) {
			return found{}, waited, fmt.Errorf("there was no image %s yet: %w", what, context.Cause(ctx))
		}
	}
}

func afterWait(d time.Duration) string {
	if d == 0 {
		return "and it is not to be waited for"
	}
	return fmt.Sprintf("after %v", d)
}

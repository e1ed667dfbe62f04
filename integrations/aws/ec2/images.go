package ec2

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Image finds an AMI of the account by its id; nil is none.
func (r *Reader) Image(ctx context.Context, id string) (*integrations.Image, error) {
	all, err := r.images(ctx, "image-id", id)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

// ImagesTagged lists the AMIs of the account with a tag of that very value.
func (r *Reader) ImagesTagged(ctx context.Context, key, value string) ([]integrations.Image, error) {
	return r.images(ctx, "tag:"+key, value)
}

// images lists those that a filter lets through.
func (r *Reader) images(ctx context.Context, name, value string) (out []integrations.Image, err error) {
	in := &sdk.DescribeImagesInput{Owners: []string{"self"}}
	in.Filters = append(in.Filters, filter(name, value))
	pages := sdk.NewDescribeImagesPaginator(r.api, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, i := range page.Images {
			one := integrations.Image{Site: r.at, ID: aws.ToString(i.ImageId), Name: aws.ToString(i.Name), State: string(i.State), Tags: map[string]string{}}
			for _, t := range i.Tags {
				one.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
			}
			out = append(out, one)
		}
	}
	return out, nil
}

package ecs

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Order is what the configuration says of a step that deploys a service.
type Order struct {
	Cluster string `yaml:"cluster" json:"cluster"`
	Service string `yaml:"service" json:"service"`
	// Container is the one of the task definition whose image is changed, by its exact
	// name. The others stay as they are.
	Container string `yaml:"container" json:"container"`
	// Image is the repository of ECR, without a tag:
	// 123456789012.dkr.ecr.ap-northeast-1.amazonaws.com/shop.
	Image string `yaml:"image" json:"image"`
	// Tag is that of a commit's image, in which {sha} and {short_sha} (7 digits) stand
	// for the commit; TagFile is a file of the repository that holds the tag instead.
	Tag     string `yaml:"tag" json:"-"`
	TagFile string `yaml:"tag_file" json:"-"`
	// Account is one of aws.accounts, whose role, endpoint and region are used;
	// PlanAccount is the one that plans and probes, Account where it is empty. Keys come
	// from the target's plan_env and apply_env, or from where the AWS CLI looks.
	Account     string `yaml:"account" json:"-"`
	PlanAccount string `yaml:"plan_account" json:"-"`
	Region      string `yaml:"region" json:"region"`
	// ImageWait is for how long an image that is not there yet is waited for, Limit for
	// how long a deployment, and Poll how often it is looked at; all of wall time.
	ImageWait time.Duration `yaml:"image_wait" json:"image_wait"`
	Limit     time.Duration `yaml:"limit" json:"limit"`
	Poll      time.Duration `yaml:"poll" json:"poll"`
}

// Default is an order in which nothing is said.
func Default() Order {
	return Order{Tag: "{sha}", ImageWait: 10 * time.Minute, Limit: 20 * time.Minute, Poll: 10 * time.Second}
}

var (
	nameShape = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)
	// tagShape is that of a tag in a registry (the OCI distribution specification).
	tagShape   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	imageShape = regexp.MustCompile(`^([0-9]{12})\.dkr\.ecr(-fips)?\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?/([a-z0-9][a-z0-9._/-]{0,255})$`)
)

const (
	shortestPoll = 10 * time.Millisecond
	longestWait  = 24 * time.Hour
)

// Validate returns every mistake there is, joined.
func (o Order) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, n := range []struct{ field, value, like string }{{"cluster", o.Cluster, "apps"}, {"service", o.Service, "shop"}, {"container", o.Container, "app"}} {
		if !nameShape.MatchString(n.value) {
			bad("%s: %q is not a name; want one like %s, and no ARN", n.field, n.value, n.like)
		}
	}
	if !imageShape.MatchString(o.Image) {
		bad("image: %q is not a repository of ECR; want one like 123456789012.dkr.ecr.ap-northeast-1.amazonaws.com/shop, without a tag", o.Image)
	}
	switch {
	case o.TagFile != "" && (filepath.IsAbs(o.TagFile) || !filepath.IsLocal(o.TagFile)):
		bad("tag_file: %q is not a file inside the repository", o.TagFile)
	case o.TagFile == "" && !tagShape.MatchString(fill(o.Tag, strings.Repeat("a", 40))):
		bad("tag: %q is not a tag; want one like {sha} or web-{short_sha}", o.Tag)
	}
	if o.Poll < shortestPoll {
		bad("poll: %v is too short; want %v or more", o.Poll, shortestPoll)
	}
	if o.Limit <= 0 || o.Limit > longestWait {
		bad("limit: %v is not a time; want one up to %v", o.Limit, longestWait)
	}
	if o.ImageWait < 0 || o.ImageWait > longestWait {
		bad("image_wait: %v is not a time; want one up to %v, or 0 not to wait", o.ImageWait, longestWait)
	}
	return errors.Join(errs...)
}

// fill puts a commit into a tag.
func fill(tag, sha string) string {
	return strings.NewReplacer("{sha}", sha, "{short_sha}", sha[:min(7, len(sha))]).Replace(tag)
}

// registry takes an image apart.
func registry(image string) (account, region, repository string) {
	m := imageShape.FindStringSubmatch(image)
	if m == nil {
		return "", "", ""
	}
	return m[1], m[3], m[5]
}

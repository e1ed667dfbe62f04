package awssim

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// Repository is one of ECR. Its images are there from the beginning, by their tags.
type Repository struct {
	Name string
	Tags []string
	// Builds is for one that a CI pushes to: an image of every commit. It is built when
	// somebody first asks for the tag, a full SHA, and is there Builds later; 0 is never.
	Builds time.Duration
}

type repository struct {
	Name   string
	Builds time.Duration
	Images []*image
}

type image struct {
	Digest, Tag string
	Pushed      time.Time // it is not there before
}

var commitTag = regexp.MustCompile(`^[0-9a-f]{40}$`)

func newRepository(seed Repository, now time.Time) *repository {
	r := &repository{Name: seed.Name, Builds: seed.Builds}
	for _, tag := range seed.Tags {
		r.push(tag, now)
	}
	return r
}

func (r *repository) push(tag string, at time.Time) *image {
	sum := sha256.Sum256([]byte(r.Name + ":" + tag))
	i := &image{Digest: "sha256:" + hex.EncodeToString(sum[:]), Tag: tag, Pushed: at}
	r.Images = append(r.Images, i)
	return i
}

func (s *site) repository(name string) *repository {
	for _, r := range s.Repositories {
		if r.Name == name {
			return r
		}
	}
	return nil
}

// find is the image of a tag or a digest that is there now. A tag of a commit is built
// when it is first asked for.
func (r *repository) find(tag, digest string, now time.Time) *image {
	known := false
	for _, i := range r.Images {
		if (tag == "" || i.Tag == tag) && (digest == "" || i.Digest == digest) {
			if !i.Pushed.After(now) {
				return i
			}
			known = true
		}
	}
	if !known && digest == "" && r.Builds > 0 && commitTag.MatchString(tag) {
		r.push(tag, now.Add(r.Builds))
	}
	return nil
}

var registryImage = regexp.MustCompile(`^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com/([^:@]+)(?::([^@]+))?(?:@(sha256:[0-9a-f]{64}))?$`)

// image says whether what a container runs can be pulled. What is in no repository of
// this site can.
func (s *site) image(ref string) (string, bool) {
	m := registryImage.FindStringSubmatch(ref)
	if m == nil || m[1] != s.Number || m[2] != s.Region {
		return ref, true
	}
	r := s.repository(m[3])
	if r == nil {
		return ref, true
	}
	for _, i := range r.Images {
		if (m[4] == "" || i.Tag == m[4]) && (m[5] == "" || i.Digest == m[5]) {
			return ref, true
		}
	}
	return ref, false
}

func ecrOps() []op {
	return []op{{
		service: ecrService, action: "DescribeImages", needs: split("repositoryName"), do: describeImages,
		takes: split("registryId repositoryName imageIds.#.imageTag imageIds.#.imageDigest maxResults nextToken"), knows: split("filter.imageStatus filter.tagStatus"),
	}}
}

type ecrImage struct {
	Registry   string   `json:"registryId"`
	Repository string   `json:"repositoryName"`
	Digest     string   `json:"imageDigest"`
	Tags       []string `json:"imageTags"`
	Pushed     float64  `json:"imagePushedAt"`
}

func describeImages(c *call) (any, error) {
	name := c.p["repositoryName"]
	r := c.site.repository(name)
	if registry := cmp.Or(c.p["registryId"], c.site.Number); r == nil || registry != c.site.Number {
		return nil, refuse("RepositoryNotFoundException", "The repository with name '%s' does not exist in the registry with id '%s'", name, registry)
	}
	var found []*image
	asked := c.p.each("imageIds")
	for _, id := range asked {
		c.s.dirty = true // it may begin to be built
		i := r.find(id["imageTag"], id["imageDigest"], c.now)
		if i == nil {
			return nil, refuse("ImageNotFoundException", "The image with imageId {imageDigest:'%s', imageTag:'%s'} does not exist within the repository with name '%s' in the registry with id '%s'",
				cmp.Or(id["imageDigest"], "null"), cmp.Or(id["imageTag"], "null"), name, c.site.Number)
		}
		found = append(found, i)
	}
	if len(asked) == 0 {
		found = slices.DeleteFunc(slices.Clone(r.Images), func(i *image) bool { return i.Pushed.After(c.now) })
	}
	some, next, err := page(c, found, "maxResults", "nextToken", badECS, 100, 1, 1000)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	details := []ecrImage{}
	for _, i := range some {
		details = append(details, ecrImage{c.site.Number, r.Name, i.Digest, []string{i.Tag}, epoch(i.Pushed)})
	}
	out["imageDetails"] = details
	if next != "" {
		out["nextToken"] = next
	}
	return out, nil
}

// Push pushes an image to a repository, by a CI, so long from now.
func (s *Sim) Push(name, tag string, in time.Duration) error {
	return s.change(func(now time.Time) error {
		for _, st := range s.world.Sites {
			if r := st.repository(name); r != nil {
				r.push(tag, now.Add(in))
				return nil
			}
		}
		return fmt.Errorf("no repository %s", name)
	})
}

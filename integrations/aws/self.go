package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
)

// selfLimit is how long the metadata service may take. Where a container is a hop too
// far from it, it never answers.
const selfLimit = time.Second

// SelfOptions are for tests.
type SelfOptions struct {
	Endpoint string // of the metadata service; "" is EC2's own
	DMI      fs.FS  // what the firmware says of the machine; nil is /sys/class/dmi/id
}

// Self tells which instance this process runs on.
type Self struct {
	dmi fs.FS
	ask *imds.Client

	mu sync.Mutex
	id string // once it is known
}

// NewSelf asks nobody yet.
func NewSelf(o SelfOptions) *Self {
	if o.DMI == nil {
		o.DMI = os.DirFS("/sys/class/dmi/id")
	}
	// A proxy would tell of its own instance.
	direct := &http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}
	return &Self{dmi: o.DMI, ask: imds.New(imds.Options{Endpoint: o.Endpoint, HTTPClient: direct, Retryer: sdk.NopRetryer{}, EnableFallback: sdk.FalseTernary})}
}

// Instance is the one that this process runs on, and whether the machine is one of EC2
// at all, by what its firmware says ("Detect whether a host is an EC2 instance", EC2 User
// Guide). One that is not has no id, and that is no error. The metadata service is asked
// with a token (IMDSv2), for 1 s; where it does not answer, the firmware's id of the
// instance counts, which those of the Nitro system have. An id that was found is kept.
func (s *Self) Instance(ctx context.Context) (id string, onEC2 bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id != "" {
		return s.id, true, nil
	}
	asset, err := s.firmware("board_asset_tag")
	if err != nil {
		return "", false, err
	}
	vendor, err := s.firmware("sys_vendor")
	if err != nil {
		return "", false, err
	}
	if !strings.HasPrefix(asset, "i-") && vendor != "Amazon EC2" {
		return "", false, nil
	}
	id, err = s.metadata(ctx)
	if err != nil && instanceShape.MatchString(asset) {
		id, err = asset, nil
	}
	s.id = id
	return id, true, err
}

// firmware is a word that it says, "" if it says none.
func (s *Self) firmware(name string) (string, error) {
	b, err := fs.ReadFile(s.dmi, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read what the firmware says: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

func (s *Self) metadata(ctx context.Context) (string, error) {
	const act, longest = "ask the instance metadata service for", 64
	ctx, cancel := context.WithTimeout(ctx, selfLimit)
	defer cancel()
	got, err := s.ask.GetMetadata(ctx, &imds.GetMetadataInput{Path: "instance-id"})
	if err != nil {
		if ctx.Err() != nil {
			return "", fmt.Errorf("aws %s instance-id: no answer within %v", act, selfLimit)
		}
		return "", fmt.Errorf("aws %s instance-id: %w", act, inner(err))
	}
	defer got.Content.Close()
	b, err := io.ReadAll(io.LimitReader(got.Content, longest))
	if err != nil {
		return "", fmt.Errorf("aws %s instance-id: %w", act, err)
	}
	if id := strings.TrimSpace(string(b)); instanceShape.MatchString(id) {
		return id, nil
	}
	return "", fmt.Errorf("aws %s instance-id: it says %q", act, b)
}

package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// CheckIP is where AWS tells who asks by which address they come.
const CheckIP = "https://checkip.amazonaws.com/"

// Outside asks a server by which address this machine comes to it.
type Outside struct {
	url  string
	http *http.Client
}

const (
	askLimit    = 10 * time.Second
	longestText = 64 // bytes of an answer
)

// NewOutside makes one; "" asks CheckIP.
func NewOutside(url string) *Outside {
	if url == "" {
		url = CheckIP
	}
	dialer := &net.Dialer{Timeout: askLimit}
	return &Outside{url, &http.Client{
		Timeout: askLimit,
		// SSH goes by no proxy, whose address would be told, and the rules are of IPv4.
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
				return dialer.DialContext(ctx, "tcp4", addr)
			},
			DisableKeepAlives: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Address is exactly one address of IPv4 that is reached over the internet. A server that
// cannot be asked is *integrations.Later, one that tells anything else an error.
func (o *Outside) Address(ctx context.Context) (netip.Addr, error) {
	text, err := o.ask(ctx)
	if err != nil {
		return netip.Addr{}, err
	}
	a, err := integrations.GlobalIPv4(text)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("ask %s for our own address: %w", o.url, err)
	}
	return a, nil
}

func (o *Outside) ask(ctx context.Context) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, o.url, nil)
	if err != nil {
		return "", fmt.Errorf("ask for our own address: %w", err)
	}
	answer, err := o.http.Do(r)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	later := func(err error) error {
		return &integrations.Later{After: afterNetwork, Err: fmt.Errorf("ask %s for our own address: %w", o.url, inner(err)), Unsent: true}
	}
	if err != nil {
		return "", later(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return "", later(fmt.Errorf("it answers %s", answer.Status))
	}
	b, err := io.ReadAll(io.LimitReader(answer.Body, longestText+1))
	switch {
	case err != nil:
		return "", later(err)
	case len(b) > longestText:
		return "", errors.New("ask " + o.url + " for our own address: it tells more than one")
	}
	return strings.TrimSpace(string(b)), nil
}

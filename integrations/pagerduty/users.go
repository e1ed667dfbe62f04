package pagerduty

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

const (
	usersAge  = 15 * time.Minute // of what is known of a user
	pageSize  = 100              // the most that PagerDuty gives at once
	mostPages = 60               // of a list: nobody waits for more
	few       = 4                // users are asked for one by one
)

// User is one of PagerDuty's.
type User struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
	Role  string `json:"role"`
}

// users are those that were seen, for usersAge. An old one is better than none while
// PagerDuty does not answer.
type users struct {
	busy chan struct{} // one asks at a time, and the next finds what that one learned
	mu   sync.Mutex
	byID map[string]seen
}

type seen struct {
	User
	at    time.Time
	known bool // false: there is none, or it may not be read
}

func newUsers() users { return users{busy: make(chan struct{}, 1), byID: map[string]seen{}} }

func (u *users) keep(id string, s seen) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.byID[id] = s
}

// missing are those of ids of whom nothing is known that is younger than usersAge.
func (u *users) missing(ids []string, now time.Time) (out []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, id := range ids {
		if s, ok := u.byID[id]; (!ok || now.Sub(s.at) >= usersAge) && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// learn sees to it that what can be known of the users is. That they may not be read, or
// are not there, is no error: they are shown as the schedule shows them. That PagerDuty
// does not answer is one, unless they were known before: people whose names change for a
// moment would look like a handoff.
func (c *Client) learn(ctx context.Context, ids []string) error {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !idShape.MatchString(id) })
	if len(c.users.missing(ids, c.clock.Now())) == 0 {
		return nil
	}
	select {
	case c.users.busy <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("pagerduty read users: %w", ctx.Err())
	}
	defer func() { <-c.users.busy }()
	want := c.users.missing(ids, c.clock.Now())
	if len(want) == 0 {
		return nil
	}
	err := c.fetch(ctx, want)
	var later *integrations.Later
	switch {
	case err == nil:
		return nil
	case ctx.Err() == nil && !errors.As(err, &later):
		c.log.WarnContext(ctx, "people are shown as PagerDuty names them", "err", err)
		for _, id := range c.users.missing(want, c.clock.Now()) {
			c.users.keep(id, seen{at: c.clock.Now()})
		}
		return nil
	}
	c.users.mu.Lock()
	defer c.users.mu.Unlock()
	for _, id := range want {
		if _, ok := c.users.byID[id]; !ok {
			return err
		}
	}
	return nil
}

// fetch asks for a few users one by one, and for more page by page until all are found.
func (c *Client) fetch(ctx context.Context, want []string) error {
	if len(want) > few {
		err := c.pages(ctx, call{act: "list users", method: http.MethodGet, path: "/users"}, nil, func(all page) bool {
			c.keepAll(all.Users)
			return len(c.users.missing(want, c.clock.Now())) > 0
		})
		if err != nil {
			return err
		}
		for _, id := range c.users.missing(want, c.clock.Now()) {
			c.users.keep(id, seen{at: c.clock.Now()})
		}
		return nil
	}
	for _, id := range want {
		var got struct {
			User User `json:"user"`
		}
		err := c.do(ctx, call{act: "read the user", thing: id, method: http.MethodGet, path: "/users/" + id}, &got)
		switch {
		case statusOf(err) == http.StatusNotFound:
			c.users.keep(id, seen{at: c.clock.Now()})
		case err != nil:
			return err
		default:
			c.users.keep(id, seen{User: got.User, at: c.clock.Now(), known: true})
		}
	}
	return nil
}

func (c *Client) keepAll(all []User) {
	for _, u := range all {
		c.users.keep(u.ID, seen{User: u, at: c.clock.Now(), known: true})
	}
}

// page is one of a list; each kind of list has its own key.
type page struct {
	Users         []User         `json:"users"`
	Overrides     []overrideV3   `json:"overrides"`
	Shifts        []shiftV3      `json:"custom_shifts"`
	Incidents     []incident     `json:"incidents"`
	Entries       []logEntry     `json:"log_entries"`
	Policies      []policy       `json:"escalation_policies"`
	OnCalls       []onCall       `json:"oncalls"`
	Subscriptions []subscription `json:"webhook_subscriptions"`
	More          bool           `json:"more"`
}

// pages reads a list until its end, or until take wants no more.
func (c *Client) pages(ctx context.Context, a call, query url.Values, take func(page) bool) error {
	for n := range mostPages {
		a.query = url.Values{"limit": {strconv.Itoa(pageSize)}, "offset": {strconv.Itoa(n * pageSize)}}
		for name, values := range query {
			a.query[name] = values
		}
		var got page
		if err := c.do(ctx, a, &got); err != nil {
			return err
		}
		if !take(got) || !got.More {
			return nil
		}
	}
	return nil
}

// UserByEmail finds the user with an address, which is compared whole, in whatever case.
// None is *integrations.Gone.
func (c *Client) UserByEmail(ctx context.Context, email string) (User, error) {
	email = strings.TrimSpace(email)
	is := func(u User) bool { return strings.EqualFold(strings.TrimSpace(u.Email), email) }
	if email == "" {
		return User{}, errors.New("pagerduty find a user: no address was given")
	}
	now := c.clock.Now()
	c.users.mu.Lock()
	for _, s := range c.users.byID {
		if s.known && is(s.User) && now.Sub(s.at) < usersAge {
			c.users.mu.Unlock()
			return s.User, nil
		}
	}
	c.users.mu.Unlock()
	var found []User
	a := call{act: "find the user", thing: email, method: http.MethodGet, path: "/users"}
	err := c.pages(ctx, a, url.Values{"query": {email}}, func(all page) bool {
		c.keepAll(all.Users)
		found = append(found, slices.DeleteFunc(all.Users, func(u User) bool { return !is(u) })...)
		return len(found) == 0
	})
	if err != nil {
		return User{}, err
	}
	if len(found) == 0 {
		return User{}, &integrations.Gone{Why: fmt.Sprintf("%s: nobody there has this address", a)}
	}
	return found[0], nil
}

// shown is the name of a user: that of the configuration, else PagerDuty's, else what the
// schedule itself says, else the id.
func (c *Client) shown(id, summary string) string {
	c.users.mu.Lock()
	s := c.users.byID[id]
	c.users.mu.Unlock()
	if s.known && s.Email != "" {
		if name, ok := c.name(s.Email); ok {
			return name
		}
	}
	for _, name := range []string{s.Name, summary} {
		if name != "" {
			return name
		}
	}
	return id
}

package commands

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"
)

// Zones tells in which time zone people read and type times.
type Zones struct {
	// Of is the zone of somebody, by the id that they have in chat; nil knows nobody's.
	Of  func(ctx context.Context, user string) (*time.Location, error)
	Log *slog.Logger
}

// zoneWait is how long somebody's zone is waited for, in wall time.
const zoneWait = time.Second

// For is the zone of whoever is heard, and UTC where that is not known.
func (z Zones) For(ctx context.Context, c *Call) *time.Location {
	if z.Of == nil || c.Heard.User == "" {
		return time.UTC
	}
	ctx, cancel := context.WithTimeout(ctx, zoneWait)
	defer cancel()
	zone, err := z.Of(ctx, c.Heard.User)
	if err != nil {
		z.Log.Info("somebody's time zone is not known; times are told in UTC", "user", c.Heard.User, "error", err)
		return time.UTC
	}
	return zone
}

// Past reads an argument of the kind ArgWhen; usual is meant where nothing was
// said, and with that "" it is the zero time. example is a line that works, and is
// shown with the refusal of what is no time and of what is still to come.
func Past(arg, usual string, now time.Time, zone *time.Location, example func(rest string) string) (at time.Time, word string, err error) {
	if word = cmp.Or(arg, usual); word == "" {
		return at, "", nil
	}
	at, ok := Since(word, now, zone)
	if !ok {
		return at, word, Refuse("bad_time", fmt.Sprintf("“%s” is no time that I know.", word)).WithExample(example("--since friday"))
	}
	if at.After(now) {
		return at, word, Refuse("future", fmt.Sprintf("%s is still to come.", at.In(zone).Format("2006-01-02 15:04 MST"))).
			WithHint("Times are read in your own time zone.").WithExample(example("--since yesterday"))
	}
	return at, word, nil
}

package drain

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// told is what the card of a drain says.
func (r *room) card(d *Drain) string {
	var out strings.Builder
	for _, b := range body(d) {
		out.WriteString(b.Text.Plain() + "\n")
	}
	return out.String()
}

// putBack drains an instance as far as the flush, and puts it back.
func (r *room) putBack() Drain {
	r.t.Helper()
	d := r.begins("drain web-2")
	r.goes(func() bool { return r.drain(d.ID).State == stateFlush })
	r.must(bob, "undrain "+d.ID)
	r.goes(nil)
	return *r.drain(d.ID)
}

// Alerts that came while it was in standby called nobody, and do not when it works again:
// the card lists those that are open, and no more than ten of them.
func TestOpenAlertsAreToldWhenAHostComesBack(t *testing.T) {
	r := newRoom(t, 4)
	since := r.clock.Now().Add(-3 * time.Minute).Truncate(time.Second)
	r.watch.open = []integrations.Alert{{Key: "a1", Title: "disk: /var is 91 % full", Severity: integrations.SeverityCritical, Opened: since}, {Key: "a2", Kind: "connectivity"}}
	d := r.putBack()
	if d.State != stateUndone || d.Warning != "" || r.watch.host("i-2").Status != integrations.HostWorking {
		t.Fatalf("it is %s: %s, %s", d.State, d.Why, d.Warning)
	}
	text := r.card(&d)
	for _, want := range []string{"nobody is called for them again", "🔴 disk: /var is 91 % full · since " + since.UTC().Format("2006-01-02 15:04"), "⚪ connectivity"} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q: %s", want, text)
		}
	}
	r = newRoom(t, 4)
	for n := range 25 {
		r.watch.open = append(r.watch.open, integrations.Alert{Title: fmt.Sprintf("alert %d.", n)})
	}
	d = r.putBack()
	if text := r.card(&d); !strings.Contains(text, "alert 9.") || strings.Contains(text, "alert 10.") || !strings.Contains(text, "… and 15 more") || !strings.Contains(text, "too many open alerts to look through") {
		t.Errorf("it says %s", text)
	}
}

// Where none is open, nothing is said; where it was in standby before, nobody asks.
func TestNothingIsSaidOfNoAlerts(t *testing.T) {
	r := newRoom(t, 4)
	d := r.putBack()
	if text := r.card(&d); strings.Contains(text, "🔔") || !d.Heard {
		t.Errorf("it says %s", text)
	}
	r = newRoom(t, 4)
	r.watch.host("i-2").Status = integrations.HostStandby
	r.watch.open = []integrations.Alert{{Title: "disk"}}
	d = r.putBack()
	if text := r.card(&d); strings.Contains(text, "🔔") || d.Heard {
		t.Errorf("of one that was in standby before it says %s", text)
	}
}

// A list that cannot be had keeps nothing from being put back: it is waited for a little
// while, and then that is said.
func TestAlertsThatCannotBeAskedAreAWarning(t *testing.T) {
	for what, err := range map[string]error{"refused": errors.New("403: no permission"), "silent": &integrations.Later{After: 2 * time.Second, Err: errors.New("no answer")}} {
		r := newRoom(t, 4)
		asked := 0
		r.watch.deaf = func() error { asked++; return err }
		d := r.putBack()
		if d.State != stateUndone || !strings.Contains(d.Warning, "whether alerts of it are open could not be asked") || r.watch.host("i-2").Status != integrations.HostWorking {
			t.Errorf("%s: it is %s: %s, %s", what, d.State, d.Why, d.Warning)
		}
		if once := what == "refused"; once != (asked == 1) || asked > 20 {
			t.Errorf("%s: it was asked %d times", what, asked)
		}
	}
	r := newRoom(t, 4)
	until := time.Time{}
	r.watch.deaf = func() error {
		if until.IsZero() {
			until = r.clock.Now().Add(5 * time.Second)
		}
		if r.clock.Now().Before(until) {
			return &integrations.Later{After: time.Second, Err: errors.New("no answer")}
		}
		return nil
	}
	r.watch.open = []integrations.Alert{{Title: "disk"}}
	if d := r.putBack(); d.Warning != "" || len(d.Alarms) != 1 {
		t.Errorf("after a short silence it is %s: %v", d.Warning, d.Alarms)
	}
}

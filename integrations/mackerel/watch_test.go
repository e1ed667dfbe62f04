package mackerel_test

import (
	"errors"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/mackerel/mackerelsim"
)

// All hosts are listed, whatever their status, each with its instance and its roles; those
// that are retired are not.
func TestAllHosts(t *testing.T) {
	o := found(t,
		mackerelsim.Host{Name: "web-1", Instance: web, Roles: []string{"shop:web", "shop:app", "mail:app"}},
		mackerelsim.Host{Name: "old", Instance: unnamed, Unnamed: true, Status: "poweroff"},
		mackerelsim.Host{Name: "switch", Status: "maintenance"}, mackerelsim.Host{Name: "gone", Instance: "i-0ccc0000000000001"})
	if err := o.client.Retire(t.Context(), o.host("i-0ccc0000000000001").ID); err != nil {
		t.Fatal(err)
	}
	all, err := o.client.Hosts(t.Context())
	if err != nil || len(all) != 3 {
		t.Fatalf("%+v, %v", all, err)
	}
	since := all[0].Since
	if age := time.Since(since); age < 0 || age > time.Hour || since.Location() != time.UTC {
		t.Errorf("it is watched since %v", since)
	}
	for n, want := range []integrations.MonitoredHost{
		{Name: "web-1", Status: "working", Instance: web, Roles: []string{"mail:app", "shop:app", "shop:web"}}, {Name: "old", Status: "poweroff", Instance: unnamed}, {Name: "switch", Status: "maintenance"},
	} {
		want.ID, want.Since = all[n].ID, all[n].Since
		if !reflect.DeepEqual(all[n], want) || want.ID == "" {
			t.Errorf("%+v, want %+v", all[n], want)
		}
	}
	var later *integrations.Later
	for _, f := range []mackerelsim.Fault{{Kind: "throttle", Action: "hosts.list"}, {Kind: "reset", Action: "hosts.list"}} {
		o.fault(f)
		if all, err := o.client.Hosts(t.Context()); !errors.As(err, &later) || len(all) > 0 || !strings.Contains(err.Error(), "mackerel list the hosts") {
			t.Errorf("%s: %v, %v", f.Kind, all, err)
		}
	}
}

// One that is retired is left out where it is listed still.
func TestARetiredHostIsNotListed(t *testing.T) {
	c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"hosts":[{"id":"a","name":"web-1","status":"working","isRetired":true},null,{"id":"b","name":"web-2","status":"working"}]}`))
	})
	if all, err := c.Hosts(t.Context()); err != nil || len(all) != 1 || all[0].Name != "web-2" {
		t.Errorf("%+v, %v", all, err)
	}
}

// A downtime is under way from its start for its minutes, and again as often as it recurs.
func TestDowntimesUnderWay(t *testing.T) {
	for what, tt := range map[string]struct {
		body string // with START
		on   []string
		off  []string
	}{ // 2026-11-27 is a Friday
		"once":              {`"duration":60`, []string{"2026-11-27 10:00 to 11:00", "2026-11-27 10:59 to 11:00"}, []string{"2026-11-27 09:59", "2026-11-27 11:00", "2026-11-28 10:00"}},
		"hourly":            {`"duration":10,"recurrence":{"type":"hourly","interval":2}`, []string{"2026-11-27 12:05 to 12:10", "2027-03-01 08:09 to 08:10"}, []string{"2026-11-27 11:05", "2026-11-27 12:10", "2026-11-27 08:05"}},
		"daily":             {`"duration":120,"recurrence":{"type":"daily","interval":1}`, []string{"2026-11-28 11:59 to 12:00", "2031-05-05 10:00 to 12:00"}, []string{"2026-11-28 12:00", "2026-11-26 10:30"}},
		"across midnight":   {`"duration":1200,"recurrence":{"type":"daily","interval":2}`, []string{"2026-11-28 05:59 to 06:00", "2026-11-29 10:00 to 06:00"}, []string{"2026-11-28 10:30", "2026-11-28 06:00"}},
		"longer than turns": {`"duration":3000,"recurrence":{"type":"daily","interval":1}`, []string{"2026-12-02 09:59 to 12:00"}, []string{"2026-11-27 09:00"}},
		"until":             {`"duration":60,"recurrence":{"type":"daily","interval":1,"until":UNTIL}`, []string{"2026-11-29 10:30 to 11:00"}, []string{"2026-11-30 10:30"}},
		"weekly":            {`"duration":60,"recurrence":{"type":"weekly","interval":1}`, []string{"2026-12-04 10:30 to 11:00"}, []string{"2026-12-03 10:30", "2026-11-28 10:30"}},
		"weekdays":          {`"duration":60,"recurrence":{"type":"weekly","interval":1,"weekdays":["Saturday","Monday"]}`, []string{"2026-11-28 10:30 to 11:00", "2026-11-30 10:30 to 11:00", "2026-12-05 10:30 to 11:00"}, []string{"2026-11-27 10:30", "2026-11-29 10:30", "2026-11-23 10:30"}},
		"every other week":  {`"duration":60,"recurrence":{"type":"weekly","interval":2,"weekdays":["Monday"]}`, []string{"2026-12-07 10:30 to 11:00"}, []string{"2026-11-30 10:30", "2026-11-23 10:30"}},
		"sunday":            {`"duration":1500,"recurrence":{"type":"weekly","interval":1,"weekdays":["Sunday"]}`, []string{"2026-11-30 09:59 to 10:00"}, []string{"2026-11-30 10:00", "2026-11-30 10:30"}},
		"monday":            {`"duration":1500,"recurrence":{"type":"weekly","interval":1,"weekdays":["Monday"]}`, []string{"2026-12-01 10:30 to 11:00"}, []string{"2026-12-01 11:00"}},
		"before the first":  {`"duration":1500,"recurrence":{"type":"weekly","interval":1,"weekdays":["Thursday"]}`, []string{"2026-12-04 10:30 to 11:00"}, []string{"2026-11-27 10:30"}},
		"until, and longer": {`"duration":4320,"recurrence":{"type":"daily","interval":1,"until":UNTIL}`, []string{"2026-12-01 09:30 to 10:00"}, []string{"2026-12-01 10:00"}},
		"monthly":           {`"duration":60,"recurrence":{"type":"monthly","interval":1}`, []string{"2026-12-27 10:30 to 11:00", "2034-02-27 10:30 to 11:00"}, []string{"2026-12-26 10:30"}},
		"yearly":            {`"duration":60,"recurrence":{"type":"yearly","interval":1}`, []string{"2027-11-27 10:30 to 11:00", "2096-11-27 10:59 to 11:00"}, []string{"2027-10-27 10:30", "2027-11-28 10:30"}},
	} {
		t.Run(what, func(t *testing.T) {
			o := found(t, mackerelsim.Host{Name: "mail-1", Roles: []string{"mail:app"}})
			clock := func(text string) time.Time { return moment(t, text) }
			body := strings.NewReplacer("UNTIL", number(clock("2026-11-29 23:00"))).Replace(`{"name":"night","memo":"batch","start":` + number(clock("2026-11-27 10:00")) + `,"roleScopes":["shop:app"],"serviceScopes":["mail"],` + tt.body + `}`)
			o.registers(body)
			for _, want := range tt.on {
				at, end, _ := strings.Cut(want, " to ")
				got, err := o.client.Downtimes(t.Context(), clock(at))
				if err != nil || len(got) != 1 {
					t.Errorf("%s: %+v, %v", at, got, err)
					continue
				}
				if d := got[0]; d.Name != "night" || d.Note != "batch" || d.ID == "" || !reflect.DeepEqual(d.Covers, []string{"mail", "shop:app"}) || d.Until.In(tokyo).Format("15:04") != end || d.From.In(tokyo).Format("15:04") != "10:00" && what != "hourly" {
					t.Errorf("%s: %+v", want, d)
				}
			}
			for _, at := range tt.off {
				if got, err := o.client.Downtimes(t.Context(), clock(at)); err != nil || len(got) > 0 {
					t.Errorf("%s: %+v, %v", at, got, err)
				}
			}
		})
	}
}

// The last day of a month is the 31st, where there is one.
func TestADowntimeOfTheEndOfMonths(t *testing.T) {
	o := found(t)
	o.registers(`{"name":"month end","start":` + number(moment(t, "2026-10-31 22:00")) + `,"duration":60,"recurrence":{"type":"monthly","interval":1}}`)
	for at, want := range map[string]int{"2026-11-30 22:30": 1, "2027-02-28 22:30": 1, "2027-03-31 22:30": 1, "2027-03-30 22:30": 0, "2026-12-01 22:30": 0} {
		if got, err := o.client.Downtimes(t.Context(), moment(t, at)); err != nil || len(got) != want {
			t.Errorf("%s: %+v, %v", at, got, err)
		}
	}
}

var tokyo = time.FixedZone("JST", 9*60*60)

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", text, tokyo)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func number(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

// registers has a downtime registered, as its console does.
func (o *organisation) registers(body string) {
	o.Helper()
	r, err := http.NewRequestWithContext(o.Context(), http.MethodPost, o.url+"api/v0/downtimes", strings.NewReader(body))
	if err != nil {
		o.Fatal(err)
	}
	r.Header.Set("X-Api-Key", key)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		o.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		o.Fatalf("%s answers %s", body, resp.Status)
	}
}

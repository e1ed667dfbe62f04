package settime

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

func TestTimes(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	day := func(month time.Month, day, hour, minute int) time.Time {
		return time.Date(2026, month, day, hour, minute, 0, 0, berlin)
	}
	mondays := Times{[]string{"0 10 * * mon"}, berlin}
	for _, c := range []struct {
		times       Times
		after, want time.Time
	}{
		{mondays, day(3, 23, 9, 59), day(3, 23, 10, 0)},
		{mondays, day(3, 23, 10, 0), day(3, 30, 10, 0)}, // 167 h later: the clock was moved
		{mondays, day(10, 19, 10, 0), day(10, 26, 10, 0)},
		{Times{[]string{"30 2 * * sun"}, berlin}, day(3, 22, 2, 30), day(3, 29, 3, 30)}, // which the clock skips
		{Times{[]string{"0 12 * * *", "0 9 * * *"}, berlin}, day(3, 23, 10, 0), day(3, 23, 12, 0)},
		{Times{[]string{"0 12 * * *", "0 9 * * *"}, berlin}, day(3, 23, 12, 0), day(3, 24, 9, 0)},
		{Times{[]string{"0 10 * * mon"}, nil}, day(3, 23, 10, 30), time.Date(2026, 3, 23, 10, 0, 0, 0, time.UTC)},
		{Times{[]string{"0 10 31 2 *"}, berlin}, day(3, 23, 10, 0), time.Time{}},
		{Times{[]string{"whenever"}, berlin}, day(3, 23, 10, 0), time.Time{}},
		{Times{nil, berlin}, day(3, 23, 10, 0), time.Time{}},
	} {
		if got := c.times.After(c.after); !got.Equal(c.want) {
			t.Errorf("after %v comes %v of %v, want %v", c.after, got, c.times.Expressions, c.want)
		}
	}
	for _, c := range []struct{ first, now, want time.Time }{
		{day(3, 23, 10, 0), day(3, 23, 9, 59), time.Time{}},
		{day(3, 23, 10, 0), day(3, 23, 10, 0), day(3, 23, 10, 0)},
		{day(3, 23, 10, 0), day(3, 30, 9, 59), day(3, 23, 10, 0)},
		{day(3, 23, 10, 0), day(4, 14, 8, 0), day(4, 13, 10, 0)},
		{time.Time{}, day(4, 14, 8, 0), time.Time{}},
	} {
		if got := mondays.Newest(c.first, c.now); !got.Equal(c.want) {
			t.Errorf("from %v until %v the newest is %v, want %v", c.first, c.now, got, c.want)
		}
	}
}

func TestCheck(t *testing.T) {
	if err := Check("0 9 * * mon", ""); err != nil {
		t.Error(err)
	}
	err := Check("on mondays", "0 9 * * mon")
	if err == nil || !strings.HasPrefix(err.Error(), `"on mondays" is no cron expression: `) || !strings.HasSuffix(err.Error(), `; want one like "0 9 * * mon"`) {
		t.Errorf("it says %v", err)
	}
}

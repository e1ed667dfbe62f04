package calendar

import (
	"slices"
	"testing"
	"time"
)

func TestWhatOtherToolsAsk(t *testing.T) {
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	from, to, offset := Offset(chicago, time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC).Unix())
	if want := time.Date(2026, 3, 8, 8, 0, 0, 0, time.UTC).Unix(); from != want {
		t.Errorf("summer begins at %d, want %d", from, want)
	}
	if want := time.Date(2026, 11, 1, 7, 0, 0, 0, time.UTC).Unix(); to != want || offset != -5*60*60 {
		t.Errorf("until %d it is %d ahead, want %d", to, offset, want)
	}
	if from, to, offset = Offset(time.UTC, 0); from != always || to != never || offset != 0 {
		t.Errorf("UTC is %d ahead from %d to %d", offset, from, to)
	}
	days, err := ParseDays("fri-sun,weekdays")
	if want := []time.Weekday{5, 6, 0, 1, 2, 3, 4, 5}; err != nil || !slices.Equal(days, want) {
		t.Errorf("days are %v, %v", days, err)
	}
	if _, err := ParseDays("someday"); err == nil {
		t.Error("someday is a day")
	}
	if minutes, err := ParseMinutes("9:05"); err != nil || minutes != 545 {
		t.Errorf("9:05 is %d, %v", minutes, err)
	}
	if _, err := ParseMinutes("24:01"); err == nil {
		t.Error("24:01 is a time")
	}
	if got := Tidy(" mon – fri  9:00 -10:00"); got != "mon-fri 9:00-10:00" {
		t.Errorf("tidy is %q", got)
	}
}

package calendar

import (
	"bufio"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// publishedHolidays reads the list that was checked by hand.
func publishedHolidays(t *testing.T) (out []string) {
	t.Helper()
	f, err := os.Open("testdata/japan.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if line := lines.Text(); !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestJapansHolidaysAreThosePublished(t *testing.T) {
	want := publishedHolidays(t)
	w := parse(t, Spec{Zone: "Asia/Tokyo", Closed: []string{"japan"}})
	var got []string
	for day := time.Date(2019, 1, 1, 12, 0, 0, 0, w.Zone()); day.Year() < 2036; day = day.AddDate(0, 0, 1) {
		if s := w.At(day); !s.Open {
			got = append(got, day.Format(time.DateOnly)+" "+s.Why)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("published (-), ours (+):\n%s", diff)
	}
}

func TestJapansHolidaysAreNeverWithoutTheirName(t *testing.T) {
	// 16 a year have a name, and up to five Sundays have a substitute.
	count := map[int]int{}
	for _, d := range japanDays() {
		if !strings.Contains(d.name, " (") || d.end != d.first+1 {
			t.Errorf("%+v", d)
		}
		count[time.Unix(d.first*aDay, 0).UTC().Year()]++
	}
	for year := 2020; year <= horizon; year++ {
		if n := count[year]; n < 16 || n > 21 {
			t.Errorf("%d has %d holidays", year, n)
		}
	}
	if len(count) != horizon-firstJapan+1 {
		t.Errorf("%d years", len(count))
	}
}

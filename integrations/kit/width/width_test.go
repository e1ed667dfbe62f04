package width_test

import (
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations/kit/width"
)

func TestColumns(t *testing.T) {
	for _, c := range []struct {
		s     string
		cells int
	}{{"", 0}, {"web", 3}, {"本番", 4}, {"e\u0301tat", 4}, {"👩‍🚒", 2}, {"web本番", 7}} {
		if got := width.Cells(c.s); got != c.cells {
			t.Errorf("%q takes %d cells, not %d", c.s, got, c.cells)
		}
		if got := width.Pad(c.s, 9); !strings.HasPrefix(got, c.s) || width.Cells(got) != 9 {
			t.Errorf("%q is padded to %q", c.s, got)
		}
	}
	if got := width.Pad("データベース", 5); got != "データベース" {
		t.Errorf("what is too long became %q", got)
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		s     string
		cells int
		want  string
	}{
		{"timetable", 9, "timetable"}, {"timetable", 8, "timetab…"}, {"時刻表", 6, "時刻表"}, {"時刻表", 5, "時刻…"},
		{"時刻表", 4, "時…"}, {"e\u0301e\u0301e\u0301", 2, "e\u0301…"}, {"👩‍🚒👩‍🚒", 3, "👩‍🚒…"}, {"web", 1, "…"},
	} {
		if got := width.Cut(c.s, c.cells); got != c.want || width.Cells(got) > c.cells {
			t.Errorf("%q in %d cells is %q, not %q", c.s, c.cells, got, c.want)
		}
	}
}

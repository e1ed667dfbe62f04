package calendar

import (
	"testing"
	"time"
)

func TestWhenTheClocksChange(t *testing.T) {
	chicago := func(open string) Spec { return Spec{Zone: "America/Chicago", Open: []string{open}} }
	holiday := func(zone, date string) Spec { return Spec{Zone: zone, Closed: []string{date}} }
	for _, row := range []standing{
		// Chicago skips 02:00 to 02:59 on 8 March 2026, and has 01:00 to 01:59
		// twice on 1 November.
		{"a window that begins in the skipped hour opens after it", chicago("sun 02:30-04:00"), "2026-03-08 01:59",
			"closed since Sun 2026-03-01 04:00 -0600 until Sun 2026-03-08 03:00 -0500: Sunday 01:59 is outside the windows (sun 02:30-04:00 America/Chicago)"},
		{"a window that ends in it closes before it", chicago("sun 01:00-02:30"), "2026-03-08 01:30", "open until Sun 2026-03-08 03:00 -0500"},
		{"a window within it does not open that Sunday", chicago("sun 02:10-02:50"), "2026-03-08 01:30",
			"closed since Sun 2026-03-01 02:50 -0600 until Sun 2026-03-15 02:10 -0500: Sunday 01:30 is outside the windows (sun 02:10-02:50 America/Chicago)"},
		{"a window over it is an hour short", chicago("sun 01:00-04:00"), "2026-03-08 01:30", "open until Sun 2026-03-08 04:00 -0500"},
		{"a window in the doubled hour opens", chicago("sun 01:10-01:50"), "2026-11-01 01:30:00 -0500", "open until Sun 2026-11-01 01:50 -0500"},
		{"closes between", chicago("sun 01:10-01:50"), "2026-11-01 01:55:00 -0500",
			"closed since Sun 2026-11-01 01:50 -0500 until Sun 2026-11-01 01:10 -0600: Sunday 01:55 is outside the windows (sun 01:10-01:50 America/Chicago)"},
		{"and opens again", chicago("sun 01:10-01:50"), "2026-11-01 01:30:00 -0600", "open until Sun 2026-11-01 01:50 -0600"},
		{"a window that ends at its end is an hour longer", chicago("sun 00:00-02:00"), "2026-11-01 00:30", "open until Sun 2026-11-01 02:00 -0600"},
		{"a window over it stays open", chicago("sat 22:00-04:00"), "2026-10-31 23:00", "open until Sun 2026-11-01 04:00 -0600"},
		{"a closed day of 23 hours", holiday("America/Chicago", "2026-03-08"), "2026-03-08 12:00",
			"closed since Sun 2026-03-08 00:00 -0600 until Mon 2026-03-09 00:00 -0500: 2026-03-08 is closed"},
		{"a closed day of 25 hours", holiday("America/Chicago", "2026-11-01"), "2026-11-01 12:00",
			"closed since Sun 2026-11-01 00:00 -0500 until Mon 2026-11-02 00:00 -0600: 2026-11-01 is closed"},
		// Lord Howe moves by half an hour: back at 02:00 on 5 April 2026.
		{"half an hour twice", Spec{Zone: "Australia/Lord_Howe", Open: []string{"sun 01:40-03:00"}}, "2026-04-05 01:45:00 +1100",
			"open until Sun 2026-04-05 01:30 +1030"},
		{"the second time it shows 01:30", Spec{Zone: "Australia/Lord_Howe", Open: []string{"sun 01:40-03:00"}}, "2026-04-05 01:35:00 +1030",
			"closed since Sun 2026-04-05 01:30 +1030 until Sun 2026-04-05 01:40 +1030: Sunday 01:35 is outside the windows (sun 01:40-03:00 Australia/Lord_Howe)"},
		{"half an hour skipped", Spec{Zone: "Australia/Lord_Howe", Open: []string{"sun 02:10-02:40"}}, "2026-10-04 01:50:00 +1030",
			"closed since Sun 2026-09-27 02:40 +1030 until Sun 2026-10-04 02:30 +1100: Sunday 01:50 is outside the windows (sun 02:10-02:40 Australia/Lord_Howe)"},
		// Havana skips midnight: 8 March 2026 begins at 01:00.
		{"a day without a midnight begins at one", holiday("America/Havana", "2026-03-08"), "2026-03-08 12:00",
			"closed since Sun 2026-03-08 01:00 -0400 until Mon 2026-03-09 00:00 -0400: 2026-03-08 is closed"},
		{"and the day before ends there", holiday("America/Havana", "2026-03-07"), "2026-03-07 12:00",
			"closed since Sat 2026-03-07 00:00 -0500 until Sun 2026-03-08 01:00 -0400: 2026-03-07 is closed"},
		{"a window from midnight opens at one", Spec{Zone: "America/Havana", Open: []string{"sun 00:00-06:00"}}, "2026-03-07 12:00",
			"closed since Sun 2026-03-01 06:00 -0500 until Sun 2026-03-08 01:00 -0400: Saturday is outside the windows (sun 00:00-06:00 America/Havana)"},
		// Beirut goes back at midnight: 24 October 2026 has its last hour twice.
		{"a day whose last hour comes twice", holiday("Asia/Beirut", "2026-10-24"), "2026-10-24 12:00",
			"closed since Sat 2026-10-24 00:00 +0300 until Sun 2026-10-25 00:00 +0200: 2026-10-24 is closed"},
		// St. John's went back at one past midnight: Sunday for a minute, then
		// Saturday for an hour again.
		{"the day after begins for a minute", holiday("America/St_Johns", "2010-11-07"), "2010-11-07 00:00:30 -0230",
			"closed since Sun 2010-11-07 00:00 -0230 until Sat 2010-11-06 23:01 -0330: 2010-11-07 is closed"},
		{"stops", holiday("America/St_Johns", "2010-11-07"), "2010-11-06 23:30:00 -0330", "open until Sun 2010-11-07 00:00 -0330"},
		{"and begins again", holiday("America/St_Johns", "2010-11-07"), "2010-11-07 12:00",
			"closed since Sun 2010-11-07 00:00 -0330 until Mon 2010-11-08 00:00 -0330: 2010-11-07 is closed"},
		// The standard library's bounds of a zone are wrong on this day.
		{"the last day of a leap year to come", holiday("America/Chicago", "2040-12-31"), "2040-12-31 12:00",
			"closed since Mon 2040-12-31 00:00 -0600 until Tue 2041-01-01 00:00 -0600: 2040-12-31 is closed"},
		// Samoa went over the date line: it had no 30 December 2011.
		{"a day that never was closes nothing", holiday("Pacific/Apia", "2011-12-30"), "2011-12-29 12:00", "open"},
		{"nor is it part of the day before", holiday("Pacific/Apia", "2011-12-29"), "2011-12-29 12:00",
			"closed since Thu 2011-12-29 00:00 -1000 until Sat 2011-12-31 00:00 +1400: 2011-12-29 is closed"},
	} {
		t.Run(row.name, row.check)
	}
}

func TestATimeResolvesAsTheStandardSays(t *testing.T) {
	for _, row := range []struct{ name, zone, wall, want string }{
		{"a plain time", "America/Chicago", "2026-07-01T12:00:00", "2026-07-01T12:00:00-05:00"},
		{"a skipped time counts as if the clock had not moved", "America/Chicago", "2026-03-08T02:30:00", "2026-03-08T03:30:00-05:00"},
		{"of a doubled time the first", "America/Chicago", "2026-11-01T01:30:00", "2026-11-01T01:30:00-05:00"},
		{"the end of the doubled hour is past it", "America/Chicago", "2026-11-01T02:00:00", "2026-11-01T02:00:00-06:00"},
		{"a skipped midnight", "America/Havana", "2026-03-08T00:00:00", "2026-03-08T01:00:00-04:00"},
		{"a skipped day", "Pacific/Apia", "2011-12-30T12:00:00", "2011-12-31T12:00:00+14:00"},
		{"before there were zones", "America/Chicago", "1800-01-01T00:00:00", "1800-01-01T00:00:00-05:50"},
	} {
		t.Run(row.name, func(t *testing.T) {
			zone, err := time.LoadLocation(row.zone)
			if err != nil {
				t.Fatal(err)
			}
			wall, err := time.Parse("2006-01-02T15:04:05", row.wall)
			if err != nil {
				t.Fatal(err)
			}
			if got := time.Unix(resolve(zone, wall.Unix()), 0).In(zone).Format(time.RFC3339); got != row.want {
				t.Errorf("%s is %s, want %s", row.wall, got, row.want)
			}
		})
	}
}

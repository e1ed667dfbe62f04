package main

import (
	"testing"
	"time"
)

// A round comes when it is due since the start, and not later by what each took.
func TestUntilNext(t *testing.T) {
	start := time.Date(2026, 3, 4, 3, 0, 7, 5, time.UTC)
	for after, want := range map[time.Duration]time.Duration{
		0: time.Minute, time.Second: 59 * time.Second, time.Minute: time.Minute, 61*time.Second + time.Millisecond: 59*time.Second - time.Millisecond, 24*time.Hour - 1: 1,
	} {
		if got := untilNext(start, start.Add(after), time.Minute); got != want {
			t.Errorf("after %v it is %v, want %v", after, got, want)
		}
	}
}

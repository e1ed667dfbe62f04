package terraform

import (
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// What a backend other than the http one tells of a lock's holder.
func TestWhoHoldsALock(t *testing.T) {
	told := "│ Error: Error acquiring the state lock\n│ \n│ Error message: operation error S3: PutObject, https response error\n│ StatusCode: 412\n│ Lock Info:\n│   ID:        8b7b9e8a-1\n│   Path:      bucket/key\n│   Operation: OperationTypeApply\n│   Who:       eve@laptop\n│   Version:   1.11.4\n│   Created:   2026-11-27 20:00:01.123456 +0000 UTC\n│   Info:      \n"
	lock, held := lockOf(&integrations.CommandError{Step: "terraform plan", Code: 1, Tail: told})
	o, can := lock.offer()
	if !held || !can || o.Key != "8b7b9e8a-1" || o.Words != "the state is locked by eve@laptop (for OperationTypeApply, since 2026-11-27 20:00:01 +0000 UTC, lock 8b7b9e8a-1)" {
		t.Errorf("it is read as %+v, which says %q", lock, o.Words)
	}
	for name, tail := range map[string]string{
		"one of a process":     strings.Replace(told, "operation error S3:", "resource temporarily unavailable", 1),
		"one without an id":    strings.Replace(told, "8b7b9e8a-1", "", 1),
		"an id like an option": strings.Replace(told, "8b7b9e8a-1", "-force", 1),
	} {
		lock, held := lockOf(&integrations.CommandError{Tail: tail})
		if o, can := lock.offer(); !held || can {
			t.Errorf("%s: it is offered: %+v", name, o)
		}
	}
	if _, held := lockOf(&integrations.CommandError{Tail: "Error: No value for required variable"}); held {
		t.Error("any failure is a lock")
	}
}

package deploy

import (
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/store"
)

func TestStages(t *testing.T) {
	for _, tt := range []struct {
		state string
		step  int
		want  string
	}{
		{store.JobRunning, 0, "hosts: ◐ terraform  ○ ansible  ○ zone"},
		{store.JobRunning, 1, "hosts: ● terraform  ◐ ansible  ○ zone"},
		{store.JobFailed, 1, "hosts: ● terraform  ✖ ansible  ○ zone"},
		{store.JobCancelled, 0, "hosts: ✖ terraform  ○ ansible  ○ zone"},
		{store.JobUnknown, 2, "hosts: ● terraform  ● ansible  ✋ zone"},
		{store.JobSucceeded, 2, "hosts: ● terraform  ● ansible  ● zone"},
	} {
		j := &store.Job{Target: "hosts", State: tt.state}
		if err := setRecord(j, record{Steps: []string{"terraform", "ansible", "zone"}, Step: tt.step}); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, b := range (view{jobs: []*store.Job{{Target: "dns", State: tt.state}, j}}).stages() {
			got = append(got, b.Context.Plain())
		}
		if strings.Join(got, "\n") != tt.want {
			t.Errorf("%s at step %d: %q, want %q", tt.state, tt.step, got, tt.want)
		}
	}
}

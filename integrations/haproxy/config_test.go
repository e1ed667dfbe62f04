package haproxy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestConfigTellsEveryMistakeAtOnce(t *testing.T) {
	long := "/" + strings.Repeat("x", longestPath)
	for _, tt := range []struct {
		name string
		in   Config
		want []string
	}{
		{name: "nothing is no HAProxy"},
		{name: "all that there is", in: Config{
			{Name: "lb-1", Address: "10.0.0.5:9999", Backend: "app", Role: "app"},
			{Name: "lb-1", Address: "10.0.0.5:9999", Backend: "be_api.v2:x", Role: "api"},
			{Name: "lb-2", Address: "[fd00::5]:9999", Backend: "app", Role: "app"},
			{Name: "local", Address: "/run/haproxy/admin.sock", Backend: "app", Role: "app"},
		}},
		{name: "everything is wrong", in: Config{
			{},
			{Name: "LB 1", Address: "10.0.0.5", Backend: "a b", Role: "app"},
			{Name: "lb-1", Address: ":9999", Backend: "app;disable", Role: "app"},
			{Name: "lb-2", Address: "10.0.0.5:0", Backend: "app", Role: "app"},
			{Name: "lb-2", Address: long, Backend: "app", Role: "app"},
		}, want: []string{
			`[0].name: is missing`,
			`[0].address: is missing; it is that of the stats socket, like 10.0.0.5:9999 or /run/haproxy/admin.sock`,
			`[0].backend: is missing`,
			`[0].role: is missing; it is the tag Role of the backend's instances`,
			`[1].name: "LB 1" is not a name; want up to 40 of a-z, 0-9 and -`,
			`[1].address: "10.0.0.5" is neither an address like 10.0.0.5:9999 nor the path of a socket of at most 107 bytes`,
			`[1].backend: "a b" is not the name of a backend; want letters, digits and _.:-`,
			`[2].address: ":9999" is neither an address like 10.0.0.5:9999 nor the path of a socket of at most 107 bytes`,
			`[2].backend: "app;disable" is not the name of a backend; want letters, digits and _.:-`,
			`[3].address: "10.0.0.5:0" is neither an address like 10.0.0.5:9999 nor the path of a socket of at most 107 bytes`,
			`[4].address: "` + long + `" is neither an address like 10.0.0.5:9999 nor the path of a socket of at most 107 bytes`,
			`[4].address: "` + long + `" is not that of [3], which is lb-2 too`,
			`[4].backend: "app" of lb-2 is [3] already`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			if err := tt.in.Validate(); err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if _, err := New(tt.in, Options{}); (err != nil) != (tt.want != nil) {
				t.Errorf("New: %v", err)
			}
		})
	}
}

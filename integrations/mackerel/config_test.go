package mackerel

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
)

func TestConfigTellsEveryMistakeAtOnce(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   Config
		want []string
	}{
		{name: "nothing is no Mackerel"},
		{name: "all that there is", in: Config{APIKey: integrations.NewSecret("k3y/+=="), URL: "https://host:8421/mackerel"}},
		{name: "no key", in: Config{URL: "http://me:hunter2@host"}, want: []string{
			"api_key: is missing; make one in Mackerel that may read and write",
			"url: is not a URL; want one like http://127.0.0.1:8421/mackerel",
		}},
		{name: "two lines", in: Config{APIKey: integrations.NewSecret("hunter2\n"), URL: "host:8421"}, want: []string{
			"api_key: has characters in it that no key has; want letters, digits and signs in one line",
			"url: is not a URL; want one like http://127.0.0.1:8421/mackerel",
		}},
		{name: "a query", in: Config{APIKey: integrations.NewSecret("key"), URL: "http://host?key=hunter2"}, want: []string{
			"url: is not a URL; want one like http://127.0.0.1:8421/mackerel",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			if err := tt.in.Validate(); err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
			if strings.Contains(strings.Join(got, " "), "hunter2") {
				t.Error("it tells the secret")
			}
		})
	}
}

func TestSecretsAreNamed(t *testing.T) {
	if got := (Config{APIKey: integrations.NewSecret("key")}).Secrets(); len(got) != 1 || got[0].Reveal() != "key" {
		t.Errorf("%d secrets", len(got))
	}
	if got := (Config{}).Secrets(); len(got) != 0 {
		t.Errorf("%d secrets of nothing", len(got))
	}
}

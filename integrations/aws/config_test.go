package aws

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
)

func TestConfigTellsEveryMistakeAtOnce(t *testing.T) {
	key := integrations.NewSecret("wJalr-secret")
	for _, tt := range []struct {
		name string
		in   Config
		want []string
	}{
		{name: "nothing is no AWS"},
		{name: "all that there is", in: Config{Accounts: []Account{
			{Name: "production", Regions: []string{"ap-northeast-1", "us-gov-west-1"}, Role: "arn:aws:iam::123456789012:role/ops/signalbox", ExternalID: "signalbox:1"},
			{Name: "staging", Regions: []string{"ap-northeast-1"}, Endpoint: "http://127.0.0.1:8421/aws", AccessKeyID: key, SecretAccessKey: key},
		}}},
		{name: "everything is wrong", in: Config{Accounts: []Account{
			{Name: "Production", Regions: []string{"tokyo", "us-east-1", "us-east-1"}, Role: "signalbox", ExternalID: "a b", Endpoint: "127.0.0.1:8421", AccessKeyID: key},
			{ExternalID: "xx", Endpoint: "http://me:secret@host", SecretAccessKey: key},
			{Name: "Production", Regions: []string{"us-east-1"}, Endpoint: "http://host?x=1"},
		}}, want: []string{
			`accounts[0].name: "Production" is not a name; want up to 40 of a-z, 0-9 and -`,
			`accounts[0].regions[0]: "tokyo" is not a region; want one like ap-northeast-1`,
			`accounts[0].regions[2]: "us-east-1" is here twice`,
			`accounts[0].role: "signalbox" is not the ARN of a role; want one like arn:aws:iam::123456789012:role/signalbox`,
			`accounts[0].external_id: is not 2 to 1224 letters, digits and +=,.@:/-_`,
			`accounts[0].endpoint: is not a URL; want one like http://127.0.0.1:8421/aws`,
			`accounts[0].secret_access_key: is missing, and there is an access_key_id`,
			`accounts[1].name: is missing`,
			`accounts[1].regions: is missing; list one at least, like ap-northeast-1`,
			`accounts[1].external_id: is given, and there is no role that asks for it`,
			`accounts[1].endpoint: is not a URL; want one like http://127.0.0.1:8421/aws`,
			`accounts[1].access_key_id: is missing, and there is a secret_access_key`,
			`accounts[2].name: "Production" is not a name; want up to 40 of a-z, 0-9 and -`,
			`accounts[2].endpoint: is not a URL; want one like http://127.0.0.1:8421/aws`,
			`accounts[2].name: "Production" is the name of accounts[0] too`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			if err := tt.in.Validate(); err != nil {
				got = strings.Split(err.Error(), "\n")
				if strings.Contains(err.Error(), "secret@") || strings.Contains(err.Error(), "wJalr") {
					t.Errorf("the mistakes give a secret away: %v", err)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSecretsAreTold(t *testing.T) {
	c := Config{Accounts: []Account{{AccessKeyID: integrations.NewSecret("AKIA1"), SecretAccessKey: integrations.NewSecret("wJalr")}, {}}}
	if got := c.Secrets(); len(got) != 1 || got[0].Reveal() != "wJalr" {
		t.Errorf("got %d secrets; want the secret access key", len(got))
	}
}

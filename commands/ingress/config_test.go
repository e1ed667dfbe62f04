package ingress

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
)

func TestValidate(t *testing.T) {
	err := Config{
		Groups:  []Group{{}, {ID: "web"}, {ID: door, Ports: []int{22, 0, 70000, 22}}, {ID: door}},
		Address: "10.0.0.7", AddressURL: "http://ip.example.com/",
	}.Validate()
	const want = `groups[0].group: is missing; want the id of a security group, such as sg-0123456789abcdef0
groups[1].group: "web" is not the id of a security group; want one like sg-0123456789abcdef0
groups[2].ports[1]: is 0; want 1 to 65535
groups[2].ports[2]: is 70000; want 1 to 65535
groups[2].ports[3]: 22 is here twice
groups[3].group: "sg-0a000000000000001" is here twice
address: 10.0.0.7 is of 10.0.0.0/8, which nobody on the internet has; want the one by which this machine comes to its hosts, or leave it out to have it asked for
address_url: is given, and so is address, which needs nobody asked
address_url: "http://ip.example.com/" is not the URL of somebody to trust; want one like https://checkip.amazonaws.com/, or http:// on this machine`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	for _, good := range []Config{{}, {Groups: []Group{{ID: "sg-0a00000a"}}, Address: "54.65.0.7"}, {Groups: []Group{{ID: door}}, AddressURL: "http://127.0.0.1:8000/ip", Channel: "ops"}, {Groups: []Group{{ID: door}}, AddressURL: "https://ip.example.com/"}} {
		if err := good.Validate(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
	for _, c := range []Config{{Channel: "ops"}, {Address: "54.65.0.7"}} {
		if err := c.Validate(); err == nil || err.Error() != "groups: is missing, so that no port may be opened" {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestAllowed(t *testing.T) {
	got := Config{Groups: []Group{{ID: "sg-0a00000a", Account: "main", Region: "x", Ports: []int{22, 2222}}, {ID: door, Account: "other", Region: "y"}}}.Allowed()
	want := []integrations.Ingress{
		{Site: integrations.Site{Account: "main", Region: "x"}, Group: "sg-0a00000a", Port: 22}, {Site: integrations.Site{Account: "main", Region: "x"}, Group: "sg-0a00000a", Port: 2222},
		{Site: integrations.Site{Account: "other", Region: "y"}, Group: door, Port: 22},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

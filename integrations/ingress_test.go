package integrations

import "testing"

func TestGlobalIPv4(t *testing.T) {
	for text, want := range map[string]string{
		"54.65.0.7": "", "8.8.8.8": "", "223.255.255.254": "",
		"": `"" is not one address of IPv4`, "54.65.0.7/32": `"54.65.0.7/32" is not one address of IPv4`, "0.0.0.0/0": `"0.0.0.0/0" is not one address of IPv4`,
		"54.65.0.7 54.65.0.8": `"54.65.0.7 54.65.0.8" is not one address of IPv4`, "054.65.0.7": `"054.65.0.7" is not one address of IPv4`,
		"2001:db8::1": "2001:db8::1 is an address of IPv6; want one of IPv4", "::ffff:54.65.0.7": "::ffff:54.65.0.7 is an address of IPv6; want one of IPv4",
		"10.1.2.3":    "10.1.2.3 is of 10.0.0.0/8, which nobody on the internet has",
		"172.31.0.1":  "172.31.0.1 is of 172.16.0.0/12, which nobody on the internet has",
		"192.168.1.1": "192.168.1.1 is of 192.168.0.0/16, which nobody on the internet has",
		"100.64.0.1":  "100.64.0.1 is of 100.64.0.0/10, which nobody on the internet has",
		"127.0.0.1":   "127.0.0.1 is of 127.0.0.0/8, which nobody on the internet has",
		"0.0.0.0":     "0.0.0.0 is of 0.0.0.0/8, which nobody on the internet has",
		"240.0.0.1":   "240.0.0.1 is of 224.0.0.0/3, which nobody on the internet has",
		"203.0.113.7": "203.0.113.7 is of 203.0.113.0/24, which nobody on the internet has",
	} {
		a, err := GlobalIPv4(text)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want || err == nil && a.String() != text {
			t.Errorf("%q is %v, %q, want %q", text, a, got, want)
		}
	}
}

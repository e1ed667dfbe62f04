package main

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
)

// check looks at the groups of targets: whether they are there, and have the tag by which
// the policy lets their processes be suspended; and at the sockets of HAProxy.
func TestCheckLooksAtGroupsAndProxies(t *testing.T) {
	_, text, _ := scalingFleet(t)
	example, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(example), "\naws:\n")
	_, after, _ := strings.Cut(rest, "\n\n")
	after = strings.Replace(after, "\n    account: production\n    region: ap-northeast-1\n", "\n", 1) // the only one needs no name
	c, err := parseConfig(exampleFile, []byte(before+"\n"+text+"\n"+after), exampleEnv)
	if err != nil {
		t.Fatal(err)
	}
	site := func(group string) ScalingConfig {
		return ScalingConfig{Group: group, Account: "main", Region: scalingSite.Region, Processes: []string{"AZRebalance"}}
	}
	c.Targets = []TargetConfig{{Name: "web/staging", ASG: []ScalingConfig{site("web"), site("nope")}}, {Name: "dns/production"}}
	all := groupFindings(t.Context(), c)
	if len(all) != 2 || !all[0].OK || all[0].What != "Scaling group web of web/staging" || !strings.Contains(all[0].Say, "AZRebalance may be suspended") || !strings.Contains(all[0].Say, "somebody has suspended ScheduledActions") {
		t.Errorf("the group that is there: %+v", all)
	}
	if len(all) != 2 || all[1].OK || !strings.Contains(all[1].Say, "there is none in main/ap-northeast-1") {
		t.Errorf("the group that is not: %+v", all)
	}
	if all := proxyFindings(t.Context(), nil); len(all) > 0 {
		t.Errorf("without HAProxy: %+v", all)
	}
	proxies := HAProxyConfig{{Name: "lb-1", Address: filepath.Join(t.TempDir(), "no.sock"), Backend: "app", Role: "app"}}
	if all := proxyFindings(t.Context(), proxies); len(all) != 1 || all[0].OK {
		t.Errorf("with one that is not there: %+v", all)
	}
}

// check says as whom an account is entered, and what its policy does not allow.
func TestCheckLooksAtTheAccounts(t *testing.T) {
	fleet := awssim.Demo()
	fleet.In[0].Groups[0].Launch = &awssim.Hook{Name: "signalbox-birth", Heartbeat: 10 * time.Minute}
	sim, err := awssim.New(awssim.Config{Fleet: fleet, Accounts: map[string]string{awssim.DemoKey: "main"}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim.Handler())
	defer server.Close()
	example, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	c, err := parseConfig(exampleFile, example, exampleEnv)
	if err != nil {
		t.Fatal(err)
	}
	account := c.AWS.Accounts[0]
	c.AWS.Accounts = nil
	if all := cloudFindings(t.Context(), c.AWS, c.Birth); len(all) != 0 {
		t.Errorf("without an account: %v", all)
	}
	account.Endpoint, account.Role, account.SecretAccessKey = server.URL, "", integrations.NewSecret("sandbox-secret-key")
	c.AWS.Accounts = append(c.AWS.Accounts, account)
	look := func(key string) string {
		var text strings.Builder
		c.AWS.Accounts[0].AccessKeyID = integrations.NewSecret(key)
		for _, f := range cloudFindings(t.Context(), c.AWS, c.Birth) {
			text.WriteString(map[bool]string{true: "ok ", false: "no "}[f.OK] + f.What + ": " + f.Say + "\n")
		}
		return text.String()
	}
	if got := look(awssim.DemoKey); strings.Contains(got, "no ") || !strings.Contains(got, "acts as arn:aws:") {
		t.Errorf("as it should be: %s", got)
	}
	if got := look("AKIANOBODY"); !strings.Contains(got, "no AWS account production: ") {
		t.Errorf("with a key that is not known: %s", got)
	}
	if err := sim.Fault(awssim.Fault{Kind: "error", Service: "elbv2", Action: "DescribeTargetHealth", Code: "AccessDenied", Count: -1}); err != nil {
		t.Fatal(err)
	}
	if got := look(awssim.DemoKey); !strings.Contains(got, "no ") || !strings.Contains(got, "elasticloadbalancing:DescribeTargetHealth") {
		t.Errorf("with an action that is not allowed: %s", got)
	}
}

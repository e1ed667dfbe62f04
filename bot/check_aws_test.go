package main

import (
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
)

// check says as whom an account is entered, and what its policy does not allow.
func TestCheckLooksAtTheAccounts(t *testing.T) {
	sim, err := awssim.New(awssim.Config{Fleet: awssim.Demo(), Accounts: map[string]string{awssim.DemoKey: "main"}})
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

package awssim

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// modules are where the request snapshots of each service are, by the module's name.
var modules = map[string]string{
	ec2Service: "ec2", elbv2Service: "elasticloadbalancingv2", elbService: "elasticloadbalancing",
	autoscalingService: "autoscaling", ssmService: "ssm", ecsService: "ecs", ecrService: "ecr", stsService: "sts", cloudwatchService: "cloudwatch", snsService: "sns",
	logsService: "cloudwatchlogs",
}

// The SDK's modules come with a request of each action that has every parameter. All
// of them have to be known here, if only to be refused as not simulated.
func TestEveryParameterOfTheSDKIsKnown(t *testing.T) {
	dirs := map[string]string{}
	for service, module := range modules {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/"+module).Output()
		if err != nil {
			t.Fatal(err)
		}
		dirs[service] = filepath.Join(strings.TrimSpace(string(out)), "request_snapshot")
	}
	for name, o := range operations() {
		t.Run(name, func(t *testing.T) {
			var b []byte
			if o.service == codebuildService { // whose module came without snapshots
				b = sentByTheSDK(t, o.action)
			} else {
				var err error
				if b, err = os.ReadFile(filepath.Join(dirs[o.service], o.action+".request.snap")); err != nil {
					t.Fatal(err)
				}
			}
			head, body, _ := strings.Cut(string(b), "\n\n")
			if rest, more, found := strings.Cut(body, "\n\n"); found {
				head, body = head+rest, more
			}
			parse := parseQuery
			target := services[o.service].target
			if target != "" && strings.Contains(head, "X-Amz-Target: "+target+o.action) {
				parse = parseJSON
			}
			body = strings.TrimSpace(body)
			isCBOR := services[o.service].protocol == protocolCBOR
			if isCBOR && strings.Contains(head, cborHeader+": "+cborName) && strings.HasPrefix(head, "POST "+cborActions+o.action) {
				parse = parseCBOR
			}
			p, err := parse([]byte(body))
			if err != nil {
				t.Fatal(err)
			}
			if target == "" && !isCBOR && (p["Action"] != o.action || p["Version"] != services[o.service].version) {
				t.Errorf("action %s, version %s", p["Action"], p["Version"])
			}
			delete(p, "Action")
			delete(p, "Version")
			for k, v := range p {
				if !fits(o.takes, k, v) && !fits(o.knows, k, v) {
					t.Errorf("%s is not known", k)
				}
			}
			for _, pattern := range append(o.takes, o.knows...) {
				if !used(p, pattern) && !strings.HasPrefix(pattern, "Parameters.") {
					t.Errorf("the SDK has no %s", pattern)
				}
			}
		})
	}
}

func used(p params, pattern string) bool {
	for k, v := range p {
		if fits([]string{pattern}, k, v) {
			return true
		}
	}
	return false
}

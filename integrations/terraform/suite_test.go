package terraform

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
)

func TestContract(t *testing.T) {
	newModule(t) // skips where there is none
	module := func(body string) func(testing.TB, string, string) {
		return func(t testing.TB, tree, _ string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(tree, "main.tf"), []byte("terraform {\n  backend \"local\" {}\n}\n"+body), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	exec := func(script string) string {
		return fmt.Sprintf("resource \"terraform_data\" \"it\" {\n provisioner \"local-exec\" {\n command = <<-EOT\n%s\nEOT\n}\n}\n", script)
	}
	integrationstest.Applier(t, integrationstest.ApplierSuite{
		Make: func(t testing.TB, outside string) integrations.Applier {
			a, err := NewTool("terraform", "").Step(Config{Dir: ".", Backend: map[string]string{"path": filepath.Join(outside, "it.tfstate")}})
			if err != nil {
				t.Fatal(err)
			}
			return a
		},
		Change: module("resource \"terraform_data\" \"it\" {\n input = 1\n}\n"),
		Fails: func(t testing.TB, tree, outside string) string {
			module(exec("echo it is not to be; exit 7"))(t, tree, outside)
			return "exit status 7"
		},
		Leaks: func(t testing.TB, tree, outside string) []string {
			module("variable \"password\" {\n sensitive = true\n}\n"+exec("echo secret $SUITE_SECRET")+"output \"told\" {\n value = nonsensitive(var.password)\n}\n")(t, tree, outside)
			return nil
		},
		Hangs: func(t testing.TB, tree, outside, child string) {
			module(exec("echo $$ > "+child+".new; mv "+child+".new "+child+"; exec sleep 600"))(t, tree, outside)
		},
		Long: func(t testing.TB, tree, outside string) {
			module(exec("echo "+integrationstest.FirstLine+"; head -c 1200000 /dev/zero | tr '\\\\0' x | fold -w 99; echo "+integrationstest.LastLine))(t, tree, outside)
		},
		Passing: []string{".it.tfstate.lock.info"},
		Secrets: map[string]string{"TF_VAR_password": "hunter22"},
	})
}

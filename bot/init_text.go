package main

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// keyFile is where the configuration that init writes looks for the App's key.
const keyFile = "/etc/signalbox/github-app.pem"

var (
	channelShape = regexp.MustCompile(`^[\pL\pN_-]{1,80}$`)
	loginShape   = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})$`)
	envShape     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	folderShape  = regexp.MustCompile(`^[A-Za-z0-9._/{}-]+$`)
)

// questions are the six, in their order.
func (a *answers) questions(origin string) []question {
	return []question{
		{ask: "Which GitHub repository do you deploy (owner/name)?", usual: origin, answer: a.setRepository},
		{ask: "Which environments does it go to, the first one first?", usual: "staging production", answer: a.setEnvironments},
		{ask: "In which of its folders is the Terraform of each? {environment} is its name.", usual: "deploy/{environment}", answer: a.setFolder},
		{ask: "In which Slack channel do you ask for deploys?", usual: "ops", answer: a.setChannel},
		{ask: "Who are you: a name, your Slack member id (your profile, ⋮, Copy member ID) and your GitHub login?", answer: a.setPerson},
		{ask: "Where does GitHub reach this machine (https://…)? Empty: nowhere, it is asked every 30 seconds.", empty: true, answer: a.setPublicURL},
	}
}

func (a *answers) setRepository(s string) error {
	for _, before := range []string{"https://github.com/", "github.com/"} {
		s = strings.TrimPrefix(s, before)
	}
	a.repository = strings.TrimSuffix(strings.TrimSuffix(s, "/"), ".git")
	if !repoShape.MatchString(a.repository) || !targetShape.MatchString(a.service()) {
		return fmt.Errorf("%q is not a repository; want one like acme/web", s)
	}
	return nil
}

func (a *answers) setEnvironments(s string) error {
	a.environments = strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' })
	for i, e := range a.environments {
		if !envShape.MatchString(e) {
			return fmt.Errorf("%q is not a name for an environment; want some like: staging production", e)
		}
		if slices.Contains(a.environments[:i], e) {
			return fmt.Errorf("%s is there twice", e)
		}
	}
	if len(a.environments) == 0 {
		return errors.New("it wants one environment at least, such as: production")
	}
	return nil
}

func (a *answers) setFolder(s string) error {
	a.folder = path.Clean(s)
	rest := strings.ReplaceAll(a.folder, "{environment}", "")
	if !folderShape.MatchString(a.folder) || path.IsAbs(a.folder) || strings.HasPrefix(a.folder, "..") || strings.ContainsAny(rest, "{}") {
		return fmt.Errorf("%q is not a folder in the repository; want one like deploy/{environment}", s)
	}
	if rest == a.folder && len(a.environments) > 1 {
		return fmt.Errorf("%q is the same folder for %s; want {environment} in it, since each has a state of its own", s, strings.Join(a.environments, " and "))
	}
	return nil
}

func (a *answers) setChannel(s string) error {
	a.channel = strings.ToLower(strings.TrimPrefix(s, "#"))
	if !channelShape.MatchString(a.channel) {
		return fmt.Errorf("%q is not a channel's name; want one like ops", s)
	}
	return nil
}

func (a *answers) setPerson(s string) error {
	words := strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' })
	const want = "want three words like: alice U01ABCDEF alice-archer"
	if len(words) != 3 {
		return fmt.Errorf("%q is not a name, a Slack member id and a GitHub login; %s", s, want)
	}
	a.name, a.slack, a.github = words[0], words[1], strings.TrimPrefix(words[2], "@")
	switch {
	case !nameShape.MatchString(a.name):
		return fmt.Errorf("%q is not a name; %s", a.name, want)
	case !slackShape.MatchString(a.slack):
		return fmt.Errorf("%q is not a Slack member id, which begins with U; %s", a.slack, want)
	case !loginShape.MatchString(a.github):
		return fmt.Errorf("%q is not a GitHub login; %s", a.github, want)
	}
	return nil
}

func (a *answers) setPublicURL(s string) error {
	if s == "" || strings.EqualFold(s, "none") {
		a.publicURL = ""
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%q is not an address that GitHub could reach; want one like https://signalbox.example.com, or nothing", s)
	}
	a.publicURL = strings.TrimSuffix(s, "/")
	return nil
}

// config is the configuration, with references where secrets would stand.
func (a *answers) config() []byte {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Written by signalbox init. docs/signalbox.example.yaml shows every setting there is,")
	line("# and signalbox check says what is wrong with these. ${NAME} is an environment")
	line("# variable and ${file:/path} a file's content: no secret stands here.")
	line("listen: 127.0.0.1:8420")
	if a.publicURL == "" {
		line("inbound: none # no port is opened, and GitHub is asked every 30 seconds")
	} else {
		line("inbound: webhook # GitHub posts to /github there")
		line("public_url: %s", strconv.Quote(a.publicURL))
	}
	line("data: /var/lib/signalbox")
	line("slack:\n  app_token: ${SLACK_APP_TOKEN} # xapp-…\n  bot_token: ${SLACK_BOT_TOKEN} # xoxb-…")
	line("github:\n  app:\n    id: ${GITHUB_APP_ID}\n    installation_id: ${GITHUB_INSTALLATION_ID}\n    private_key: ${file:%s}", keyFile)
	if a.publicURL != "" {
		line("  webhook_secrets: [\"${WEBHOOK_SECRET}\"]")
	}
	line("people:\n  - {name: %s, slack: %s, github: %s}", inYAML(a.name), inYAML(a.slack), inYAML(a.github))
	line("groups:\n  deployers: [%s]", inYAML(a.name))
	line("policy: # what changes something, nobody may until a rule says so\n  - {groups: [deployers], verbs: [\"*\"], environments: [\"*\"]}")
	line("environments:")
	for i, e := range a.environments {
		line("  %s:\n    channels: [%s]", inYAML(e), inYAML(a.channel))
		if i > 0 {
			line("    after: %s # the same commit has to have succeeded there first", inYAML(a.environments[i-1]))
		}
		if i == len(a.environments)-1 {
			line("    # second_person: true # once there are two of you: whoever asked cannot be the one who approves\n    # on_call: [%s]", inYAML(a.name))
		} else {
			line("    review: none # apply what the merge commit plans, reviewed or not")
		}
	}
	line("services:\n  %s:\n    repository: %s\n    strategy: promote # a pull request takes what is on main into the environment's branch\n    environments:", inYAML(a.service()), inYAML(a.repository))
	for _, e := range a.environments {
		line("      %s: {branch: %s, targets: [%s]}", inYAML(e), inYAML("deployment/"+e), inYAML(a.service()+"/"+e))
	}
	line("targets: # each is one Terraform state")
	for _, e := range a.environments {
		line("  %s:\n    environment: %s\n    repository: %s\n    base: %s\n    paths: [\"**\"]\n    apply:\n      - terraform: {dir: %s}",
			inYAML(a.service()+"/"+e), inYAML(e), inYAML(a.repository), inYAML("deployment/"+e), inYAML(strings.ReplaceAll(a.folder, "{environment}", e)))
	}
	return []byte(b.String())
}

// plainShape is what YAML reads as a text without quotes, but for its few words.
var plainShape = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._/-]*$`)

// inYAML writes a value of YAML, in quotes where it needs them.
func inYAML(s string) string {
	if plainShape.MatchString(s) && !slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(s)) {
		return s
	}
	return strconv.Quote(s)
}

// tryConfig reads a configuration as check would once its secrets are there.
func (a *answers) tryConfig(text []byte) error {
	made := strings.ReplaceAll(string(text), "${file:"+keyFile+"}", "${KEY}")
	c, err := parseConfig(configFile, []byte(made), func(name string) (string, bool) {
		v, ok := map[string]string{"SLACK_APP_TOKEN": "xapp-1", "SLACK_BOT_TOKEN": "xoxb-1", "GITHUB_APP_ID": "1", "GITHUB_INSTALLATION_ID": "1",
			"WEBHOOK_SECRET": "long enough", "KEY": "-----BEGIN PRIVATE KEY-----"}[name]
		return v, ok
	})
	if err != nil {
		return err
	}
	return c.wired()
}

// nextSteps is what is left to do by hand, in its order.
func (a *answers) nextSteps(link string) string {
	var b strings.Builder
	n := 0
	step := func(format string, args ...any) {
		n++
		fmt.Fprintf(&b, "\n%d. "+format+"\n", append([]any{n}, args...)...)
	}
	b.WriteString("\nWhat is left, each a minute:\n")
	step("Slack: https://api.slack.com/apps, Create New App, From a manifest: paste %s. Install it.\n   export SLACK_BOT_TOKEN=xoxb-…   (OAuth & Permissions)\n   export SLACK_APP_TOKEN=xapp-…   (Basic Information, App-Level Tokens, with connections:write)", slackManifestFile)
	step("In #%s: /invite @signalbox", a.channel)
	secret := ""
	if a.publicURL != "" {
		secret = "\n   export WEBHOOK_SECRET=…         (a random one, such as of openssl rand -hex 32; the App's form wants it too)"
	}
	step("GitHub: open this and press Create GitHub App; %s has the same for GitHub's manifest flow.\n   %s\n   (Where %s is a person's own account, take organizations/%s out of it.)\n   Make a private key there, keep it as %s, and install the App on %s.\n   export GITHUB_APP_ID=…          (General)\n   export GITHUB_INSTALLATION_ID=… (the number at the end of the installation's address)%s", gitHubAppFile, link, a.organisation(), a.organisation(), keyFile, a.repository, secret)
	var branches []string
	for _, e := range a.environments {
		branches = append(branches, "main:refs/heads/deployment/"+e)
	}
	step("The branches that stand for what is deployed, from what is deployed now:\n   git push origin %s", strings.Join(branches, " "))
	step("signalbox check     until each line is right\n   signalbox serve     and it says hello in #%s", a.channel)
	return b.String()
}

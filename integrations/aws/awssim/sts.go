package awssim

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// key is who calls.
type key struct{ id, account, arn string }

type signature struct{ key, region, service string }

var signed = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([^/]+)/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request,\s*SignedHeaders=[^,]+,\s*Signature=[0-9a-f]{64}$`)

// parseSignature reads what Signature Version 4 says of the caller; it does not check
// the signature. The zero value stands for none.
func parseSignature(header string) signature {
	m := signed.FindStringSubmatch(header)
	if m == nil {
		return signature{}
	}
	return signature{key: m[1], region: m[2], service: m[3]}
}

// caller finds out who calls, or refuses in the service's words.
func (s *Sim) caller(c *call, sig signature, token string) (key, error) {
	p := c.op.protocol()
	if sig.key == "" {
		return key{}, refuse(p.noAuth, "Request is missing Authentication Token")
	}
	if sig.service != services[c.op.service].scope {
		return key{}, refuse("SignatureDoesNotMatch", "Credential should be scoped to correct service: '%s'.", services[c.op.service].scope)
	}
	if name, ok := s.cfg.Accounts[sig.key]; ok {
		return key{id: sig.key, account: name, arn: "arn:aws:iam::" + s.world.account(name).Number + ":user/signalbox"}, nil
	}
	for _, k := range s.world.Keys {
		if k.ID != sig.key {
			continue
		}
		if k.Token != token {
			return key{}, refuse(p.badToken, "The security token included in the request is invalid.")
		}
		if !s.cfg.Sessions.Now().Before(k.Until) {
			return key{}, refuse(p.expired, "The security token included in the request is expired")
		}
		return key{id: k.ID, account: k.Account, arn: k.arn(s.world)}, nil
	}
	return key{}, refuse(p.badKey, "AWS was not able to validate the provided access credentials")
}

func (k tempKey) arn(w *world) string {
	return "arn:aws:sts::" + w.account(k.Account).Number + ":assumed-role/" + k.Role + "/" + k.Session
}

func stsOps() []op {
	return []op{
		{service: stsService, action: "GetCallerIdentity", do: getCallerIdentity},
		{
			service: stsService, action: "AssumeRole", change: true, needs: split("RoleArn RoleSessionName"),
			takes: split("RoleArn RoleSessionName DurationSeconds ExternalId"),
			knows: split("MinimumSessionTokenSize Policy PolicyArns.** ProvidedContexts.** SerialNumber SourceIdentity Tags.** TokenCode TransitiveTagKeys.**"),
			do:    assumeRole,
		},
	}
}

func getCallerIdentity(c *call) (any, error) {
	return struct{ UserId, Account, Arn string }{c.key.id, c.s.world.account(c.key.account).Number, c.key.arn}, nil
}

var roleARN = regexp.MustCompile(`^arn:aws:iam::(\d{12}):role/([\w+=,.@/-]+)$`)

func assumeRole(c *call) (any, error) {
	seconds, err := c.number("DurationSeconds", 3600, 900, 43200)
	if err != nil {
		return nil, err
	}
	m := roleARN.FindStringSubmatch(c.p["RoleArn"])
	if m == nil {
		return nil, refuse("ValidationError", "%s is invalid", c.p["RoleArn"])
	}
	var account *Account
	for i := range c.w.Accounts {
		if a := &c.w.Accounts[i]; a.Number == m[1] && (a.ExternalID == "" || a.ExternalID == c.p["ExternalId"]) {
			account = a
		}
	}
	if account == nil {
		return nil, refuse("AccessDenied", "User: %s is not authorized to perform: sts:AssumeRole on resource: %s", c.key.arn, c.p["RoleArn"])
	}
	n := c.w.next()
	k := tempKey{
		ID: fmt.Sprintf("ASIASANDBOX%09d", n), Token: fmt.Sprintf("token-%d", n), Account: account.Name,
		Role: m[2][strings.LastIndex(m[2], "/")+1:], Session: c.p["RoleSessionName"],
		Until: c.s.cfg.Sessions.Now().Add(time.Duration(seconds) * time.Second),
	}
	c.w.Keys = append(c.w.Keys, k)
	type credentials struct{ AccessKeyId, SecretAccessKey, SessionToken, Expiration string }
	type user struct{ AssumedRoleId, Arn string }
	return struct {
		AssumedRoleUser user
		Credentials     credentials
	}{
		user{"AROASANDBOX000000001:" + k.Session, k.arn(c.w)},
		credentials{k.ID, fmt.Sprintf("secret-%d", n), k.Token, stamp(k.Until)},
	}, nil
}

// stamp writes a time as AWS does in XML.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

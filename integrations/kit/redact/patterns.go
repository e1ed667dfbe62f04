package redact

import (
	"bytes"
	"regexp"
)

// pattern is the shape of a secret nobody told us. hint is text without which
// it cannot match, looked for first because it is far cheaper; group is the
// part that is secret.
type pattern struct {
	hints []string
	re    *regexp.Regexp
	group int
}

var patterns = []pattern{
	{[]string{"AKIA", "ASIA"}, regexp.MustCompile(`\b(?:AKIA|ASIA)[A-Z0-9]{16}\b`), 0},
	{[]string{"ecret", "ECRET", "oken", "OKEN"}, regexp.MustCompile(`(?i)aws_?(?:secret_?access_?key|session_?token)["']?\s*[:=]?\s*["']?([A-Za-z0-9/+=]{40,})`), 1},
	{[]string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_"}, regexp.MustCompile(`\bgh[pousr]_[A-Za-z0-9_.\-]{16,}`), 0},
	{[]string{"github_pat_"}, regexp.MustCompile(`\bgithub_pat_[A-Za-z0-9_]{16,}`), 0},
	{[]string{"xox", "xapp-"}, regexp.MustCompile(`\b(?:xox[a-z](?:\.xox[a-z])?|xapp)-[A-Za-z0-9\-]{8,}`), 0},
	{[]string{"hooks.slack.com/"}, regexp.MustCompile(`hooks\.slack\.com/(?:services|workflows|triggers|commands|actions)/([A-Za-z0-9/_\-]+)`), 1},
	{[]string{"uthorization", "UTHORIZATION"}, regexp.MustCompile(`(?i)authorization["']?\s*[:=]\s*["']?(?:(?:bearer|basic|token)\s+)?([^\s"',]{4,})`), 1},
	{[]string{"earer ", "EARER "}, regexp.MustCompile(`(?i)\bbearer[ \t]+([A-Za-z0-9._~+/=\-]{16,})`), 1},
	{[]string{"://"}, regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.\-]*://[^\s/:@"']*:([^\s/@"']+)@`), 1},
	{[]string{"://"}, regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.\-]*://([^\s/:@"']{16,})@`), 1},
}

// findPatterns returns the secret parts, and the whole matches around them.
func findPatterns(buf []byte) (secret, around []span) {
	for _, p := range patterns {
		if !hinted(buf, p.hints) {
			continue
		}
		for _, m := range p.re.FindAllSubmatchIndex(buf, -1) {
			secret = append(secret, span{m[2*p.group], m[2*p.group+1]})
			around = append(around, span{m[0], m[1]})
		}
	}
	return secret, around
}

func hinted(buf []byte, hints []string) bool {
	for _, h := range hints {
		if bytes.Contains(buf, []byte(h)) {
			return true
		}
	}
	return false
}

var (
	keyBegin = regexp.MustCompile(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----`)
	keyEnd   = regexp.MustCompile(`-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----`)
	keyLine  = regexp.MustCompile(`[A-Za-z0-9+/=]{16,}`)
)

const (
	maxKey   = 64 << 10 // no private key is longer
	maxPlain = 3        // so many lines in a row that cannot be a key's end it
)

// findKeys finds private key blocks. open is where one begins whose end is not
// in the buffer, else -1; its span then reaches to the end of the buffer.
func findKeys(buf []byte) (spans []span, open int) {
	if !bytes.Contains(buf, []byte("-----BEGIN ")) {
		return nil, -1
	}
	for at := 0; ; {
		m := keyBegin.FindIndex(buf[at:])
		if m == nil {
			return spans, -1
		}
		from := at + m[0]
		n, whole := keyLength(buf[from:], m[1]-m[0])
		spans = append(spans, span{from, from + n})
		if !whole {
			return spans, from
		}
		at = from + n
	}
}

// keyLength is how much of b, which begins with a key's first line of the
// given length, belongs to the key, and whether the key ends there for sure.
func keyLength(b []byte, header int) (n int, whole bool) {
	plain := 0
	for at := header; at < maxKey; {
		line := b[at:]
		end := bytes.IndexByte(line, '\n')
		if end >= 0 {
			line = line[:end]
		}
		if m := keyEnd.FindIndex(line); m != nil {
			return at + m[1], true
		}
		if end < 0 {
			return len(b), false
		}
		if plain++; at == header || keyLine.Match(line) {
			plain = 0
		}
		at += end + 1
		if plain == maxPlain {
			return at, true // a header without a key: quoted in prose, or found by grep
		}
	}
	return min(len(b), maxKey), true
}

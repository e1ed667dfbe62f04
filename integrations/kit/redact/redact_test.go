package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"testing"
)

const pem = `-----BEGIN RSA PRIVATE KEY-----
MIIEpAIBAAKCAQEA0Z3VS5JJcds3xfn/ygWyF8PbnGy0AHB7MaRIf6Fm5s8v1x2a
9pLsT4hJ0m9n0pF7w7Qk2b3v5r8t1y4u6i9o0p2a4s6d8f0g2h4j6k8l0z2x4c6v
QmF6
-----END RSA PRIVATE KEY-----`

func TestExactSecretsInEveryForm(t *testing.T) {
	secret := `hunter"2/<&>+ü?`
	quoted, err := json.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	r := New([]string{secret, "abc"})
	for name, text := range map[string]string{
		"plain":               secret,
		"base64":              base64.StdEncoding.EncodeToString([]byte(secret)),
		"base64 url":          base64.URLEncoding.EncodeToString([]byte(secret)),
		"base64 raw":          base64.RawStdEncoding.EncodeToString([]byte(secret)),
		"base64 raw url":      base64.RawURLEncoding.EncodeToString([]byte(secret)),
		"query":               url.QueryEscape(secret),
		"path":                url.PathEscape(secret),
		"json":                string(quoted[1 : len(quoted)-1]),
		"json without html":   `hunter\"2/<&>+ü?`,
		"twice":               secret + secret,
		"with the next to it": secret + "\n" + secret,
	} {
		got := r.String("a " + text + " z")
		if strings.Contains(got, text) || !strings.Contains(got, Mark) || !strings.HasPrefix(got, "a ") || !strings.HasSuffix(got, " z") {
			t.Errorf("%s: %q became %q", name, text, got)
		}
	}
	for _, user := range []string{"u:", "us:", "use:", "user:"} {
		basic := base64.StdEncoding.EncodeToString([]byte(user + secret + "@host"))
		if got := r.String(basic); !strings.Contains(got, Mark) || len(got) > len(Mark)+16 {
			t.Errorf("base64 around it: %q became %q", basic, got)
		}
	}
	if got := r.String("abc"); got != "abc" {
		t.Errorf("a secret of three bytes was redacted: %q", got)
	}
}

func TestOverlappingSecretsBecomeOneMark(t *testing.T) {
	r := New([]string{"abcdef", "defghi", "xyxy"})
	if got := r.String("1abcdefghi2"); got != "1"+Mark+"2" {
		t.Errorf("two overlapping secrets: %q", got)
	}
	if got := r.String("1xyxyxy2"); got != "1"+Mark+"2" {
		t.Errorf("a secret over itself: %q", got)
	}
}

func TestPatterns(t *testing.T) {
	tests := []struct{ in, want string }{
		{"key AKIAIOSFODNN7EXAMPLE.", "key <redacted>."},
		{`AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY`, "AWS_SECRET_ACCESS_KEY=<redacted>"},
		{`"aws_secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",`, `"aws_secret_access_key": "<redacted>",`},
		{"ghs_16C7e42F292c6912E7710c838347Ae178B4a", "<redacted>"},
		{"x github_pat_11ABCDEFG0abcdefghij_klm y", "x <redacted> y"},
		{"xoxb-123456789012-abcDEF", "<redacted>"},
		{"xapp-1-A0123-456-abcdef", "<redacted>"},
		{"https://hooks.slack.com/services/T0/B0/abcdef", "https://hooks.slack.com/<redacted>"},
		{"https://hooks.slack.com/commands/T0/1/abcdef", "https://hooks.slack.com/commands/<redacted>"},
		{"Authorization: Bearer abc.def-ghi", "Authorization: Bearer <redacted>"},
		{`{"authorization":"Basic dXNlcjpwYXNz"}`, `{"authorization":"Basic <redacted>"}`},
		{"sent bearer abcdefghijklmnopqrst on", "sent bearer <redacted> on"},
		{"postgres://app:s3cr3t@db:5432/x", "postgres://app:<redacted>@db:5432/x"},
		{"https://x-access-token:abc@github.com/a", "https://x-access-token:<redacted>@github.com/a"},
		{"https://0123456789abcdef0123@github.com/a", "https://<redacted>@github.com/a"},
		{"a\n" + pem + "\nz", "a\n<redacted>\nz"},
		{strings.ReplaceAll(pem, "\n", `\n`) + `", "z"`, `<redacted>", "z"`},
	}
	for _, tc := range tests {
		want := strings.ReplaceAll(tc.want, "hooks.slack.com/<redacted>", "hooks.slack.com/services/<redacted>")
		if got := New(nil).String(tc.in); got != want {
			t.Errorf("%q\n got %q\nwant %q", tc.in, got, want)
		}
		if got := stream1(t, nil, tc.in, 1); got != want {
			t.Errorf("byte by byte: %q\n got %q\nwant %q", tc.in, got, want)
		}
	}
}

func TestProseStays(t *testing.T) {
	for _, text := range []string{
		"Basic configuration of the bearer token", "see https://example.com:8080/a@b", "git@github.com:acme/web.git",
		"module.x.random_id.y: Refreshing state... [id=abc]", "-----BEGIN CERTIFICATE-----", "task_xoxo",
		"arn:aws:iam::123456789012:role/deploy", "Plan: 1 to add, 0 to change, 0 to destroy.",
	} {
		if got := New(nil).String(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestAKeyHeaderWithoutAKeyDoesNotHideTheLog(t *testing.T) {
	in := "found -----BEGIN PRIVATE KEY----- in a.txt\none\ntwo\nthree\nfour\n"
	want := "found " + Mark + "four\n"
	if got := stream1(t, nil, in, 7); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	half := pem[:100]
	if got := stream1(t, nil, "a "+half, 9); got != "a "+Mark {
		t.Errorf("a key cut off by the end: %q", got)
	}
}

func TestAKeyWithAPrefixOnEachLine(t *testing.T) {
	in := "x (local-exec): " + strings.ReplaceAll(pem, "\n", "\nx (local-exec): ") + "\nafter\n"
	if got := stream1(t, nil, in, 5); got != "x (local-exec): "+Mark+"\nafter\n" {
		t.Errorf("got %q", got)
	}
}

func TestMultiLineSecretsIndentedAndCutAnywhere(t *testing.T) {
	secret := "first line of it\nshort\nthe third line\n"
	r := New([]string{secret})
	for size := 1; size < 40; size++ {
		if got := stream1(t, r, "a\n"+secret+"z\n", size); got != "a\n"+Mark+"z\n" {
			t.Fatalf("in writes of %d: %q", size, got)
		}
	}
	got := r.String("    first line of it\n    short\n    the third line\n")
	if strings.Contains(got, "first line") || strings.Contains(got, "third line") {
		t.Errorf("indented: %q", got)
	}
}

func TestWholeLinesComeAtOnce(t *testing.T) {
	var b bytes.Buffer
	w := New([]string{"hunter22", "a\nlong secret"}).Writer(&b)
	steps := []struct{ in, out string }{
		{"one\n", "one\n"}, {"two", "one\n"}, {" hunt", "one\n"}, {"er22!\nthr", "one\ntwo <redacted>!\n"}, {"ee\n", "one\ntwo <redacted>!\nthree\n"},
	}
	for _, s := range steps {
		if _, err := io.WriteString(w, s.in); err != nil {
			t.Fatal(err)
		}
		if b.String() != s.out {
			t.Fatalf("after %q: %q, want %q", s.in, b.String(), s.out)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("write after close: %v", err)
	}
}

func TestALineWithoutEndIsBounded(t *testing.T) {
	secret := "the-very-secret-value"
	r := New([]string{secret})
	var b bytes.Buffer
	w := r.Writer(&b)
	var want strings.Builder
	for i := range 40000 {
		fmt.Fprintf(w, "%d %s ", i, secret)
		fmt.Fprintf(&want, "%d %s ", i, Mark)
	}
	if held := want.Len() - b.Len(); held > 2*maxLine {
		t.Errorf("%d bytes are held back", held)
	}
	w.Close()
	if b.String() != want.String() {
		t.Error("the long line came out changed")
	}

	b.Reset()
	w = r.Writer(&b)
	io.WriteString(w, "x Authorization: Bearer ")
	for range 1 << 10 {
		io.WriteString(w, strings.Repeat("k", 1<<10))
	}
	io.WriteString(w, " end\n")
	w.Close()
	if got := b.String(); got != "x Authorization: Bearer "+Mark+" end\n" {
		t.Errorf("an endless token came out in %d bytes: %.200q", len(got), got)
	}
}

func TestAKeyThatDoesNotEndIsLetGo(t *testing.T) {
	line := strings.Repeat("A", 64) + "\n"
	in := "-----BEGIN PRIVATE KEY-----\n" + strings.Repeat(line, 2*maxKey/len(line))
	var b bytes.Buffer
	w := New([]string{"hunter22"}).Writer(&b)
	for text := in; text != ""; text = text[min(16, len(text)):] {
		io.WriteString(w, text[:min(16, len(text))])
	}
	if b.Len() == 0 {
		t.Error("twice the longest key was held back")
	}
	io.WriteString(w, "hunter22\n")
	w.Close()
	if got := b.String(); !strings.HasPrefix(got, Mark) || !strings.HasSuffix(got, "A\n"+Mark+"\n") || len(got) > maxKey+200 {
		t.Errorf("it came out in %d bytes: %.50q", len(got), got)
	}
}

func TestErrorKeepsItsChain(t *testing.T) {
	r := New([]string{"hunter22"})
	err := r.Error(fmt.Errorf("open hunter22: %w", fs.ErrNotExist))
	if err.Error() != "open "+Mark+": file does not exist" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if r.Error(nil) != nil || r.Error(io.EOF) != io.EOF {
		t.Error("an error without a secret was changed")
	}
}

// stream1 writes text through a Writer in pieces of the given size.
func stream1(t testing.TB, r *Redactor, text string, size int) string {
	t.Helper()
	var b bytes.Buffer
	w := r.Writer(&b)
	for len(text) > 0 {
		n := min(size, len(text))
		if _, err := io.WriteString(w, text[:n]); err != nil {
			t.Fatal(err)
		}
		text = text[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func FuzzNoSecretSurvives(f *testing.F) {
	f.Add("hunter22", "say ", " and\n", uint8(3), uint8(0))
	f.Add("line one\nline two\n", "a\n", "b", uint8(1), uint8(5))
	f.Add(pem, "x", "y\n", uint8(7), uint8(6))
	f.Add("abab", "aba", "bab\nabab", uint8(2), uint8(1))
	f.Fuzz(func(t *testing.T, secret, before, after string, size, form uint8) {
		if len(secret) < minSecret || strings.Contains(Mark, secret) || len(secret)+len(before)+len(after) > 4<<10 {
			t.Skip()
		}
		all := forms(secret)
		shown := all[int(form)%len(all)]
		if len(shown) < minSecret || strings.ContainsAny(shown, "<>") && strings.Contains(Mark+Mark, shown) {
			t.Skip()
		}
		r := New([]string{secret})
		text := before + shown + after + shown
		got := stream1(t, r, text, 1+int(size)%60)
		// Marks hide what is between them: what is left must not hold the secret.
		for _, piece := range strings.Split(got, Mark) {
			if strings.Contains(piece, shown) {
				t.Fatalf("%q survived in %q", shown, got)
			}
		}
		if whole := r.String(text); len(text) < maxLine && whole != got {
			t.Fatalf("at once %q, in pieces %q", whole, got)
		}
	})
}

func BenchmarkWriter(b *testing.B) {
	var secrets []string
	for i := range 20 {
		secrets = append(secrets, fmt.Sprintf("secret-value-number-%d-of-many", i))
	}
	w := New(append(secrets, pem)).Writer(io.Discard)
	line := []byte("module.network.aws_subnet.private[2]: Refreshing state... [id=subnet-0123456789abcdef]\n")
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		w.Write(line)
	}
}

package integrations

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestAlertLine(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "",
		"  a\r\n\tb  ":              "a b",
		"a\x00b\x1b[31m":            "a b [31m",
		"evi\u202etxt.ex":           "evi txt.ex",
		"cut\xff off":               "cut off",
		strings.Repeat("日", 11):     "日日日日日日日日日…",
		"exactly 10":                "exactly 10",
		"0123456 8 0":               "0123456 8…",
		strings.Repeat(" ", 1e6):    "",
		"👩\u200d🚒 puts":             "👩\u200d🚒 puts",
		"line\u2028separator\ufeff": "line sepa…",
	} {
		got := AlertLine(in, 10)
		if got != want || !utf8.ValidString(got) {
			t.Errorf("%.40q is %q, want %q", in, got, want)
		}
	}
	if got := AlertText("a\r\n\tb\x07\n\n", 10); got != "a\n\tb" {
		t.Errorf("a text of two lines is %q", got)
	}
	if got := AlertText(strings.Repeat("é", 1<<20), 50); utf8.RuneCountInString(got) != 50 || !strings.HasSuffix(got, "…") {
		t.Errorf("a long text is %q", got)
	}
}

func TestTidy(t *testing.T) {
	tokyo := time.FixedZone("JST", 9*3600)
	n := AlertNotice{ID: "a\nb", Alerts: []Alert{{
		Key: "k", Roles: []string{"web", "", "web", "db"}, URL: "javascript:alert(1)", Runbook: "https://u:p@wiki.example/", Image: "https://img.example/a.png",
		Labels: map[string]string{"a": "1\n2", "b": ""}, At: time.Date(2026, 11, 20, 9, 0, 0, 0, tokyo), Count: -1, Assigned: []AlertPerson{{}, {Name: "Bob"}},
	}}}
	want := AlertNotice{ID: "a b", Alerts: []Alert{{
		Key: "k", State: AlertUpdated, Severity: SeverityUnknown, Title: "k", Roles: []string{"web", "db"}, Image: "https://img.example/a.png",
		Labels: map[string]string{"a": "1 2"}, At: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), Assigned: []AlertPerson{{Name: "Bob"}},
	}}}
	got := n.Tidy()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("tidied (-want +got)\n%s", d)
	}
	if got.Alerts[0].At.Location() != time.UTC {
		t.Error("the time is not in UTC")
	}
	if d := cmp.Diff(got, got.Tidy()); d != "" {
		t.Errorf("tidied again it is another\n%s", d)
	}
	long := strings.Repeat("x", 10_000)
	one, two := AlertNotice{Alerts: []Alert{{Key: long + "1", Group: long}}}.Tidy(), AlertNotice{Alerts: []Alert{{Key: long + "2", Group: long}}}.Tidy()
	if one.Alerts[0].Key == two.Alerts[0].Key || one.Alerts[0].Group != two.Alerts[0].Group || utf8.RuneCountInString(one.Alerts[0].Key) != AlertWordMost {
		t.Errorf("long keys become %q and %q", one.Alerts[0].Key, two.Alerts[0].Key)
	}
	many := AlertNotice{Alerts: make([]Alert, AlertsMost+7), More: 3}.Tidy()
	if len(many.Alerts) != AlertsMost || many.More != 10 {
		t.Errorf("of many, %d are kept and %d left out", len(many.Alerts), many.More)
	}
}

func TestAlertURL(t *testing.T) {
	for _, good := range []string{"https://a.example/x?y=z#w", "http://10.0.0.1:9093/"} {
		if alertURL(good) != good {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{"", "/x", "ftp://a.example", "https://", "https://a.example/<b>", "https://a.example/a|b", "https://a.example/\u202e", "https://a.example/" + strings.Repeat("x", AlertURLMost)} {
		if got := alertURL(bad); got != "" {
			t.Errorf("%.40q is taken", bad)
		}
	}
}

func TestInstanceID(t *testing.T) {
	if got := InstanceID("web-1", "i-0abc", "i-0123456789abcdef0", "i-01234567"); got != "i-0123456789abcdef0" {
		t.Errorf("found %q", got)
	}
	if got := InstanceID("xi-01234567", "i-01234567 ", "i-0123456789abcdef"); got != "" {
		t.Errorf("found %q", got)
	}
}

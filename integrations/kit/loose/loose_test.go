package loose

import (
	"slices"
	"testing"
	"time"
)

const sample = `{"a":{"b":[{"c":"x"},7,"8.5",true,null]},"n":9007199254740993,"f":2.255356387321597,"big":1e300,
	"a/b":{"~t":"escaped"},"tags":["one",2,{},""],"off":false}`

func TestValue(t *testing.T) {
	v, err := Object([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	for pointer, want := range map[string]string{
		"/a/b/0/c": "x", "/a/b/1": "7", "/a/b/3": "true", "/a/b/4": "", "/a/b/9": "", "/a/b/-1": "", "/a/b/x": "", "/n": "9007199254740993",
		"/a~1b/~0t": "escaped", "/a/b/0/c/d": "", "": "", "/nobody/there": "",
	} {
		if got := v.Pointer(pointer).Text(); got != want {
			t.Errorf("%s is %q, want %q", pointer, got, want)
		}
	}
	if got := v.At("n").Int(); got != 9007199254740993 {
		t.Errorf("a long number became %d", got)
	}
	if got := v.At("big").Int(); got != 0 {
		t.Errorf("a number that is too large became %d", got)
	}
	if got := v.At("f").Short(); got != "2.25536" {
		t.Errorf("short is %q", got)
	}
	if got := v.At("tags").Texts(); !slices.Equal(got, []string{"one", "2"}) {
		t.Errorf("texts are %q", got)
	}
	if v.At("off").True() || !v.At("a", "b").List()[3].True() || v.At("a", "b", "c").Is() {
		t.Error("truth and being there")
	}
	if f, ok := v.At("a", "b").List()[2].Float(); !ok || f != 8.5 {
		t.Errorf("a text that is a number is %v, %v", f, ok)
	}
	if _, ok := v.At("off").Float(); ok {
		t.Error("a truth value is no number")
	}
}

func TestParseRefuses(t *testing.T) {
	for _, body := range []string{"", "   ", "{", `{"a":1} x`, `{"a":1}{}`, "hello", "\xff"} {
		if v, err := Parse([]byte(body)); err == nil {
			t.Errorf("%q is %+v", body, v)
		}
	}
	for _, body := range []string{"[]", "7", `"x"`, "null"} {
		if _, err := Object([]byte(body)); err == nil {
			t.Errorf("%q is taken for an object", body)
		}
	}
}

func TestTime(t *testing.T) {
	want := time.Date(2026, 11, 20, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Time{
		`"2026-11-20T03:04:05Z"`: want, `"2026-11-20T12:04:05+09:00"`: want, `"2026-11-20T03:04:05.000+0000"`: want, `"2026-11-20T03:04:05"`: want,
		`"2026-11-20 03:04:05"`: want, `1795143845`: want, `"1795143845"`: want, `1795143845000`: want, `1795143845.25`: want.Add(250 * time.Millisecond),
		`0`: {}, `-1`: {}, `1e300`: {}, `99999999999999999999`: {}, `"soon"`: {}, `true`: {}, `null`: {}, `"0001-01-01T00:00:00Z"`: {}, `{}`: {},
	} {
		v, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := v.Time(); !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%s is %v, want %v", text, got, want)
		}
	}
}

func TestCheckPointer(t *testing.T) {
	for _, good := range []string{"", "/", "/a/0", "/a~1b/~0"} {
		if err := CheckPointer(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"a", "$.a", "/a~2", "/~"} {
		if CheckPointer(bad) == nil {
			t.Errorf("%q is taken for a pointer", bad)
		}
	}
}

func FuzzValue(f *testing.F) {
	f.Add([]byte(sample), "/a/b/0/c")
	f.Fuzz(func(t *testing.T, body []byte, pointer string) {
		v, err := Parse(body)
		if err != nil {
			return
		}
		p := v.Pointer(pointer)
		for _, x := range append(append(p.List(), v), p) {
			_, _, _, _, _ = x.Text(), x.Int(), x.Short(), x.Texts(), x.Map()
			if at := x.Time(); !at.IsZero() && (at.Year() < firstYear || at.Year() > lastYear) {
				t.Errorf("%q is the time %v", x.Text(), at)
			}
		}
	})
}

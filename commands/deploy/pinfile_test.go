package deploy

import (
	"strings"
	"testing"
)

func TestSetVersionKeepsTheRestOfTheFile(t *testing.T) {
	for _, c := range []struct{ name, key, in, want, old string }{
		{"v.yaml", "image.tag", "# the image\nimage:\n  repo: acme/api # ours\n  tag: v1.4.0  # set by signalbox\nreplicas: 2\n",
			"# the image\nimage:\n  repo: acme/api # ours\n  tag: v9.0.1  # set by signalbox\nreplicas: 2\n", "v1.4.0"},
		{"v.yml", "tag", "tag: \"1.4\" # quoted\n", "tag: \"v9.0.1\" # quoted\n", "1.4"},
		{"v.yml", "tag", "tag: '1.4'\n", "tag: 'v9.0.1'\n", "1.4"},
		{"v.yml", "images.1.tag", "images:\n  - tag: a\n  - tag: b # second\n", "images:\n  - tag: a\n  - tag: v9.0.1 # second\n", "b"},
		{"v.yml", "名前.tag", "名前: {tag: 古い, x: 1}\n", "名前: {tag: v9.0.1, x: 1}\n", "古い"},
		{"v.json", "image.tag", "{\n  \"tag\": \"x\",\n  \"image\": {\"tag\":   \"v1.4.0\", \"n\": 1}\n}\n",
			"{\n  \"tag\": \"x\",\n  \"image\": {\"tag\":   \"v9.0.1\", \"n\": 1}\n}\n", "v1.4.0"},
		{"v.json", "list.1", "{\"list\": [1, 2 , 3]}", "{\"list\": [1, \"v9.0.1\" , 3]}", "2"},
		{"v.tfvars", "api_version", "# pinned\nregion      = \"eu\"\napi_version = \"v1.4.0\" # by signalbox\n",
			"# pinned\nregion      = \"eu\"\napi_version = \"v9.0.1\" # by signalbox\n", "v1.4.0"},
		{"main.tf", "module.api.image", "module \"api\" {\n  source = \"./m\"\n  image  = \"v1\" # here\n}\n", "module \"api\" {\n  source = \"./m\"\n  image  = \"v9.0.1\" # here\n}\n", "v1"},
		{"VERSION", "", "1.4.0\n", "v9.0.1\n", "1.4.0"},
		{"VERSION", "", "1.4.0", "v9.0.1", "1.4.0"},
	} {
		t.Run(c.name+" "+c.key, func(t *testing.T) {
			out, old, err := setVersion(c.name, []byte(c.in), c.key, "v9.0.1")
			if err != nil {
				t.Fatal(err)
			}
			if string(out) != c.want || old != c.old {
				t.Errorf("got %q, was %q\nwant %q, was %q", out, old, c.want, c.old)
			}
		})
	}
}

func TestSetVersionReadsBackAsAString(t *testing.T) {
	for _, v := range []string{"1.4", "0x10", "1e3", "true-ish", "a: b", "007", "日本", `say "hi"`} {
		out, _, err := setVersion("v.yaml", []byte("tag: old\n"), "tag", v)
		if err != nil {
			t.Errorf("%q: %v", v, err)
			continue
		}
		if _, now, err := setVersion("v.yaml", out, "tag", "next"); err != nil || now != v {
			t.Errorf("%q reads back as %q (%v) from %q", v, now, err, out)
		}
	}
}

func TestSetVersionSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ name, key, in, want string }{
		{"v.yaml", "image.tga", "image: {tag: 1}\n", `no key "image.tga"`},
		{"v.yaml", "image", "image: {tag: 1}\n", "not one value"},
		{"v.yaml", "", "a: 1\n", "which key"},
		{"v.yaml", "a", "a: [1\n", "v.yaml"},
		{"v.json", "a.b", `{"a": {}}`, `no key "a.b"`},
		{"v.json", "a", `{"a": `, "v.json"},
		{"v.tfvars", "x", "y = 1\n", `no key "x"`},
		{"v.tfvars", "x", "x = foo(\"a\")\n", "an expression"},
		{"VERSION", "tag", "1", "plain file"},
	} {
		if _, _, err := setVersion(c.name, []byte(c.in), c.key, "2"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %q", c.name, c.key, err, c.want)
		}
	}
	if _, _, err := setVersion("VERSION", []byte("1"), "", "a\nb"); err == nil {
		t.Error("a version of two lines was taken")
	}
}

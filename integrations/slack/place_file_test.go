package slack

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
)

func TestAPictureIsShownWithWhatItShows(t *testing.T) {
	o := open(t)
	path := filepath.Join(t.TempDir(), "picture")
	if err := os.WriteFile(path, []byte("\x89PNG\r\n\x1a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := post("")
	p.Message.File = &integrations.File{Name: "stats.png", Path: path, Title: "Deploys", Alt: "12 deploys" + strings.Repeat(" and more", 200)}
	o.show("slack.file", p)
	h := o.history("")
	f := h[len(h)-1].Files[0]
	if !f.Picture || !strings.HasPrefix(f.Alt, "12 deploys and more") || len([]rune(f.Alt)) != mostAlt {
		t.Fatalf("shown as %+v", f)
	}
	r, err := http.Get(o.url + strings.TrimPrefix(f.URL, o.url))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if kind := r.Header.Get("Content-Type"); err != nil || kind != "image/png" || !strings.HasPrefix(string(body), "\x89PNG") {
		t.Errorf("it is read as %s, %q, %v", kind, body, err)
	}
	o.clean()
}

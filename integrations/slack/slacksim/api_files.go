package slacksim

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

// file is an upload on its way, or shared.
type file struct {
	ID, Name, Title string
	Alt             string `json:",omitempty"` // what a picture shows
	Length          int
	Received        bool
	Shared          string // the channel
	Created         int64
}

// maxFile is the largest upload that is taken.
const maxFile = 64 << 20

// maxAlt is how long the description of a picture may be, in characters.
const maxAlt = 1000

func uploadURL(c *call) (map[string]any, error) {
	if utf8.RuneCountInString(c.get("alt_txt")) > maxAlt {
		return nil, &apiError{Code: "invalid_arguments", messages: []string{"[ERROR] alt_txt must be no longer than 1000 characters"}}
	}
	n, err := strconv.Atoi(c.get("length"))
	if err != nil || n <= 0 {
		return nil, &apiError{Code: "invalid_arguments", messages: []string{"[ERROR] length must be a positive integer"}}
	}
	if n > maxFile {
		return nil, &apiError{Code: "file_upload_size_restricted"}
	}
	var out map[string]any
	err = c.s.change(func(t *tx) error {
		f := &file{ID: t.id("F"), Name: c.get("filename"), Alt: c.get("alt_txt"), Length: n, Created: c.s.cfg.Clock.Now().Unix()}
		c.s.book.files[f.ID] = f
		t.put(bucketFiles, f.ID, f)
		out = map[string]any{"upload_url": c.s.base + "/upload/" + f.ID, "file_id": f.ID}
		return nil
	})
	return out, err
}

// serveUpload takes the bytes: as the body, or in a form under any name.
func (s *Sim) serveUpload(w http.ResponseWriter, r *http.Request) {
	if e := s.misbehave("upload"); e != nil {
		e.write(w)
		return
	}
	body, err := uploaded(http.MaxBytesReader(w, r.Body, maxFile+1<<20), r.Header.Get("Content-Type"))
	if err != nil {
		http.Error(w, "read the upload: "+err.Error(), http.StatusBadRequest)
		return
	}
	err = s.change(func(t *tx) error {
		f := s.book.files[r.PathValue("id")]
		switch {
		case f == nil || f.Received:
			return &apiError{Code: "file_not_found", status: http.StatusNotFound}
		case len(body) != f.Length:
			return &apiError{Code: "length_mismatch", status: http.StatusBadRequest}
		}
		f.Received = true
		s.book.bodies[f.ID] = &body
		t.put(bucketFiles, f.ID, f)
		t.put(bucketFileBodies, f.ID, body)
		return nil
	})
	if e := s.afterwards("upload"); e != nil {
		e.write(w)
		return
	}
	if err != nil {
		e := asAPIError(err)
		s.violate("upload: %s", e)
		e.write(w)
		return
	}
	_, _ = io.WriteString(w, "OK - "+strconv.Itoa(len(body)))
}

func uploaded(r io.Reader, contentType string) ([]byte, error) {
	body, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	kind, params, _ := mime.ParseMediaType(contentType)
	if kind != "multipart/form-data" {
		return body, nil
	}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for {
		p, err := parts.NextPart()
		if err != nil {
			return nil, err
		}
		if p.FileName() != "" {
			return io.ReadAll(p)
		}
	}
}

func completeUpload(c *call) (map[string]any, error) {
	var list []struct{ ID, Title string }
	if json.Unmarshal(c.json("files"), &list) != nil || len(list) == 0 {
		return nil, &apiError{Code: "invalid_arguments", messages: []string{"[ERROR] files must be a list of {id, title}"}}
	}
	var out map[string]any
	err := c.s.change(func(t *tx) error {
		for _, x := range list {
			if f := c.s.book.files[x.ID]; f == nil || !f.Received || f.Shared != "" {
				return &apiError{Code: "file_not_found"}
			}
		}
		m := &message{User: c.s.cfg.BotUserID, BotID: c.s.cfg.BotID, Text: c.get("initial_comment")}
		if id := c.get("channel_id"); id != "" {
			ch, err := c.writable(t, id)
			if err != nil {
				return err
			}
			m.Channel = ch.ID
			c.thread(m)
		}
		var files []any
		for _, x := range list {
			f := c.s.book.files[x.ID]
			f.Title, f.Shared = x.Title, m.Channel
			if f.Title == "" {
				f.Title = f.Name
			}
			t.put(bucketFiles, f.ID, f)
			m.Files = append(m.Files, f.ID)
			files = append(files, c.s.wireFile(f))
		}
		out = map[string]any{"files": files}
		if m.Channel != "" {
			m.TS = t.ts()
			t.message(m)
			c.s.spoke(m)
			c.s.messageEvent(t, c.s.book.channels[m.Channel], m)
		}
		return nil
	})
	return out, err
}

func fileInfo(c *call) (map[string]any, error) {
	var out map[string]any
	err := c.s.view(func() error {
		f := c.s.book.files[c.get("file")]
		if f == nil || !f.Received {
			return &apiError{Code: "file_not_found"}
		}
		out = map[string]any{"file": c.s.wireFile(f)}
		return nil
	})
	return out, err
}

func (s *Sim) wireFile(f *file) map[string]any {
	link := s.base + "/files/" + f.ID + "/" + url.PathEscape(f.Name)
	out := map[string]any{
		"id": f.ID, "name": f.Name, "title": f.Title, "size": f.Length, "user": s.cfg.BotUserID, "created": f.Created,
		"mimetype": "text/plain", "filetype": "text", "mode": "snippet", "url_private": link, "url_private_download": link,
		"permalink": link, "channels": []string{},
	}
	if f.Shared != "" {
		out["channels"] = []string{f.Shared}
	}
	if f.picture() {
		out["mimetype"], out["filetype"], out["mode"] = pngType, "png", "hosted"
	}
	if f.Alt != "" {
		out["alt_txt"] = f.Alt
	}
	return out
}

const pngType = "image/png"

// picture says whether people see the file itself and not a part of its text.
func (f *file) picture() bool { return strings.EqualFold(path.Ext(f.Name), ".png") }

func (s *Sim) serveFile(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	b, f := s.book.bodies[r.PathValue("id")], s.book.files[r.PathValue("id")]
	s.mu.Unlock()
	if b == nil || f == nil {
		http.NotFound(w, r)
		return
	}
	kind := "text/plain; charset=utf-8"
	if f.picture() {
		kind = pngType
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(*b)
}

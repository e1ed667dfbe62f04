package slack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	slackgo "github.com/slack-go/slack"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// filePlace is a file in a channel or thread. It is not changed once it is there.
// Its reference is the file's id.
type filePlace struct{ c *Client }

// fileSlack is how far our clock and Slack's may be apart, for a file: its name
// and title are all that it is known by, so it is kept short.
const fileSlack = 5 * time.Second

// mostAlt is how long the description of a picture may be, in characters.
const mostAlt = 1000

func (p filePlace) Show(ctx context.Context, post integrations.Post) (string, error) {
	if post.Ref != "" {
		return post.Ref, nil
	}
	f := post.Message.File
	if f == nil {
		return "", &integrations.Gone{Why: "upload a file: there is none in the message"}
	}
	channel, err := p.c.ChannelID(ctx, post.Where[whereChannel])
	if err != nil {
		return "", err
	}
	body, err := os.Open(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", &integrations.Gone{Why: fmt.Sprintf("upload %s: the file is not on disk any more", f.Name)}
	} else if err != nil {
		return "", fmt.Errorf("upload %s: %w", f.Name, err)
	}
	defer body.Close()
	info, err := body.Stat()
	if err != nil {
		return "", fmt.Errorf("upload %s: %w", f.Name, err)
	}
	if info.Size() == 0 {
		return "", &integrations.Gone{Why: fmt.Sprintf("upload %s: the file is empty", f.Name)}
	}
	act := fmt.Sprintf("upload %s to %s", f.Name, post.Where[whereChannel])
	if err := p.c.budget.take("files.completeUploadExternal", channel); err != nil {
		return "", err
	}
	up, err := p.c.uploads.UploadFileContext(ctx, slackgo.UploadFileParameters{
		Filename: f.Name, Title: cmp.Or(f.Title, f.Name), FileSize: int(info.Size()), Reader: body,
		Channel: channel, ThreadTimestamp: post.Where[whereThread], InitialComment: cutMarkup(escape(post.Message.Text), mostText),
		AltTxt: cut(f.Alt, mostAlt),
	})
	if err != nil {
		err = explain(act, err)
		p.c.budget.refused("files.completeUploadExternal", channel, err)
		return "", err
	}
	return up.ID, nil
}

func (p filePlace) Find(ctx context.Context, post integrations.Post) (string, bool, error) {
	f := post.Message.File
	if f == nil {
		return "", false, integrations.ErrNotReadable
	}
	self, ref := p.c.Self(), ""
	err := p.c.read(ctx, post, fileSlack, func(m pastMessage) bool {
		if m.BotID == "" && (self.User == "" || m.User != self.User) {
			return false
		}
		for _, x := range m.Files {
			if x.Name == f.Name && x.Title == cmp.Or(f.Title, f.Name) {
				ref = x.ID
			}
		}
		return ref != ""
	})
	return ref, ref != "", err
}

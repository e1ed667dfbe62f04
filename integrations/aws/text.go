package aws

import (
	"context"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Text sends a text message by Amazon SNS at a site, to a phone in E.164: "+819012345678".
// from is the name that the phone shows, "" is a number of the account. It gives the
// message's id there: SNS has taken it, which is not that it arrived. The error is
// *integrations.Later; *integrations.Refused where whoever has the phone wants none; or
// what SNS refused.
func (f *Fleet) Text(ctx context.Context, at integrations.Site, phone, from, text string) (id string, err error) {
	s, err := f.one(at)
	if err != nil {
		return "", err
	}
	// SNS takes what it will not deliver. That it cannot be asked keeps nobody from being
	// called.
	if out, err := s.phones.OptedOut(ctx, phone); err == nil && out {
		return "", optedOut()
	}
	id, err = s.texts.Text(ctx, phone, from, text)
	return id, shape(ctx, "send a text message in", at.String(), err)
}

func optedOut() error {
	return &integrations.Refused{Why: "the phone has opted out of text messages", Do: "opt it in again in the console of Amazon SNS, under Text messaging; AWS lets that be done once in 30 days"}
}

// CheckPhone says whether a phone takes text messages of a site; nil is yes.
func (f *Fleet) CheckPhone(ctx context.Context, at integrations.Site, phone string) error {
	s, err := f.one(at)
	if err != nil {
		return err
	}
	out, err := s.phones.OptedOut(ctx, phone)
	if err == nil && out {
		return optedOut()
	}
	return shape(ctx, "ask about a phone in", at.String(), err)
}

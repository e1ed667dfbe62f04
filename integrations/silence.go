package integrations

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/jsonapi"
)

// Quiet is a silence as a source is asked to keep it: it calls nobody for a service from a
// moment until another.
type Quiet struct {
	ID string `json:"id"` // ours, "silence-3"
	// Services are the names of one service, the first its own; empty where what is to be
	// quiet is none.
	Services []string `json:"services,omitempty"`
	// Environments are the names of one environment, likewise; none is all of them.
	Environments []string  `json:"environments,omitempty"`
	Reason       string    `json:"reason"`
	By           string    `json:"by"`
	From         time.Time `json:"from"`
	Until        time.Time `json:"until"`
	// Nonce is written into what is made at the source, so that what was made and whose
	// answer was lost is found.
	Nonce string `json:"nonce"`
}

// quietReasonMost is how many characters of a reason a source is told.
const quietReasonMost = 200

// Comment is what people read of it at the source; the nonce is in it.
func (q Quiet) Comment() string {
	return fmt.Sprintf("%s · %s · %s · %s", AlertLine(q.Reason, quietReasonMost), q.By, q.ID, quietMark(q.Nonce))
}

// QuietIs says whether a comment is that of a silence with a nonce.
func QuietIs(comment, nonce string) bool {
	return nonce != "" && strings.HasSuffix(strings.TrimSpace(comment), quietMark(nonce))
}

func quietMark(nonce string) string { return "signalbox " + nonce }

// ErrQuietNoService is why a source does not keep a silence that is of no service: a host
// or a check of one source is not that of another.
var ErrQuietNoService = errors.New("only what is a service is carried there")

// AlertSilencer is a source whose own silences are made from here, so that it calls nobody
// elsewhere either. Of *Later that is Unsent nothing was done; of any other one nobody
// knows. Any other error is a refusal, and nothing was done. integrationstest.Silences
// holds each of them to this.
type AlertSilencer interface {
	// Keeps says why a silence cannot be said in the source's words; nil is that it can.
	// It asks nobody.
	Keeps(q Quiet) error
	// Silence makes one, and gives the source's id of it. It does not look whether there
	// is one.
	Silence(ctx context.Context, q Quiet) (id string, err error)
	// FindSilence looks for the one with a nonce.
	FindSilence(ctx context.Context, nonce string) (id string, found bool, err error)
	// Unsilence ends one before its time. One that is over or gone is left so, without an
	// error; one that has another nonce by now is a refusal.
	Unsilence(ctx context.Context, id, nonce string) error
}

// AlertLooker is a source that can be asked what is wrong. It is asked at the end of a
// silence: what resolves while its source is silent is told by none
// (github.com/prometheus/alertmanager/issues/226).
type AlertLooker interface {
	// Wrong are the keys of its alerts that are wrong now, silenced or not. Its error says
	// that it cannot be told.
	Wrong(ctx context.Context) (map[string]bool, error)
}

// AlertKey is the key of an alert as Tidy leaves it.
func AlertKey(key string) string { return alertID(key) }

// When to come again, where an answer does not say.
const (
	afterNetwork  = 2 * time.Second
	afterThrottle = 10 * time.Second
	afterServer   = 5 * time.Second
	afterLongest  = 2 * time.Minute // whatever an answer asks for
)

// Answered gives an error of kit/jsonapi the words that callers act on: *Later for a limit,
// a system or a network that is not well, and an answer that nobody can read; *Gone for
// what is not there; a refusal otherwise, to which hint is added where it is one of the
// credentials. The end of the context stays what it is.
func Answered(err error, hint string) error {
	var no *jsonapi.Error
	if !errors.As(err, &no) {
		return err
	}
	wait := func(usual time.Duration) time.Duration { return min(cmp.Or(no.After, usual), afterLongest) }
	switch {
	case no.Status == 0 || no.Unread:
		return &Later{After: afterNetwork, Err: err}
	case no.Status == http.StatusTooManyRequests:
		return &Later{After: wait(afterThrottle), Err: err, Unsent: true}
	case no.Status >= http.StatusInternalServerError:
		return &Later{After: wait(afterServer), Err: err}
	case no.Status == http.StatusNotFound:
		return &Gone{Why: err.Error()}
	case no.Status == http.StatusUnauthorized || no.Status == http.StatusForbidden:
		return fmt.Errorf("%w; %s", err, hint)
	}
	return err
}

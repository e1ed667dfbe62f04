package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	alertPath     = "/alerts/"
	alertEvents   = "alert." // begins the kinds of their events; the source's name follows
	alertMost     = 1 << 20  // PagerDuty sends 256 KB at most, SNS as much
	alertAtOnce   = 32
	alertPatience = 4 * time.Second // PagerDuty gives up after 5

	// A source without ids of deliveries may say the same again, which is not the same as
	// delivering it again. What is delivered again comes within minutes; what says when it
	// happened is not said again of something else.
	sameDated   = 5 * time.Minute
	sameUndated = 30 * time.Second
)

// alertDoor lets alerts in: POST /alerts/<source>, with a bearer token or a signature, or
// /alerts/<source>/<token>. It stores what is delivered and answers, and decides nothing.
//
// It tells nobody which sources there are. Whoever has the token of one is told what is
// wrong with the address.
type alertDoor struct {
	*intake
	sources func() []alertSource

	mu      sync.Mutex
	refused map[string]*seldom // by source; "" is everything that has no source
	unread  map[string]*seldom
	untold  map[string]*seldom
}

func newAlertDoor(sources func() []alertSource, st *store.Store, clk clock.Clock, log *slog.Logger) *alertDoor {
	return &alertDoor{
		intake: newIntake(st, clk, log, alertAtOnce, alertAtOnce/4, alertPatience), sources: sources,
		refused: map[string]*seldom{}, unread: map[string]*seldom{}, untold: map[string]*seldom{},
	}
}

func (d *alertDoor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		answer(w, http.StatusMethodNotAllowed, "alerts are sent here with POST; `signalbox check` prints the address of each source")
		return
	}
	name, token, inPath := strings.Cut(strings.TrimPrefix(r.URL.Path, alertPath), "/")
	if !inPath {
		token = bearer(r.Header)
	}
	all := d.sources()
	i := slices.IndexFunc(all, func(s alertSource) bool { return s.Name == name })
	opened := opens(all, token)
	switch {
	case i >= 0 && slices.Contains(opened, name):
		d.deliver(w, r, all[i], true)
	case len(opened) > 0:
		answer(w, http.StatusNotFound, "this token is that of "+strings.Join(opened, ", ")+"; the address is "+alertPath+opened[0])
	case i >= 0 && all[i].signer() != nil && all[i].signer().Signs():
		d.deliver(w, r, all[i], false)
	case i >= 0:
		d.refuse(w, r, name, "it has no token of this source")
	default:
		d.refuse(w, r, "", "there is no such source, and it has no token of another")
	}
}

// bearer is the token of an Authorization header.
func bearer(h http.Header) string {
	scheme, token, _ := strings.Cut(h.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// opens names the sources that a token is one of. It looks at all of them, and takes as
// long for each.
func opens(all []alertSource, token string) (names []string) {
	given := sha256.Sum256([]byte(token))
	for _, s := range all {
		right := 0
		for _, t := range s.Tokens {
			want := sha256.Sum256([]byte(t.Reveal()))
			if !t.IsZero() { // an empty one would let everybody in
				right |= subtle.ConstantTimeCompare(given[:], want[:])
			}
		}
		if right == 1 {
			names = append(names, s.Name)
		}
	}
	return names
}

// deliver reads a delivery and stores it.
func (d *alertDoor) deliver(w http.ResponseWriter, r *http.Request, s alertSource, known bool) {
	body, leave, ok := d.body(w, r, alertMost)
	if !ok {
		return
	}
	defer leave()
	if !known {
		var later *integrations.Later
		err := s.signer().Authentic(r.Context(), r.Header, body)
		switch {
		case errors.As(err, &later):
			if n, loud := seldomOf(&d.mu, d.untold, s.Name).now(); loud {
				d.log.Warn("the signature of an alert could not be told, and it was sent away for now", "source", s.Name, "err", err, "times", n)
			}
			w.Header().Set("Retry-After", strconv.Itoa(max(1, int(later.After.Seconds()))))
			answer(w, http.StatusServiceUnavailable, "the signature cannot be told now")
			return
		case err != nil:
			d.refuse(w, r, s.Name, err.Error())
			return
		}
	}
	header := http.Header{}
	for _, name := range s.read.Headers() {
		if v := r.Header.Get(name); v != "" {
			header.Set(name, v)
		}
	}
	notice, err := s.read.Read(header, body)
	if err != nil {
		keep := s.signer() != nil
		if n, loud := seldomOf(&d.mu, d.unread, s.Name).now(); loud {
			d.log.Error("an alert cannot be read", "source", s.Name, "kept", keep, "err", err, "from", r.RemoteAddr, "times", n)
		}
		if !keep {
			answer(w, http.StatusBadRequest, err.Error())
			return
		}
	}
	d.accept(w, r, store.Event{Kind: alertEvents + s.Name, Keys: d.keys(s.Name, notice, body), Body: packAlert(s, header, body)})
}

// keys are what tells that a delivery is made again.
func (d *alertDoor) keys(source string, n integrations.AlertNotice, body []byte) []string {
	if n.ID != "" {
		return []string{alertEvents + source + " id " + n.ID}
	}
	window := sameDated
	if slices.ContainsFunc(n.Alerts, func(a integrations.Alert) bool { return a.At.IsZero() }) {
		window = sameUndated
	}
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:])
	at := d.clock.Now().Unix() / int64(window/time.Second)
	var keys []string
	for _, slice := range []int64{at, at - 1} { // what came just before the slice began counts too
		keys = append(keys, alertEvents+source+" body "+digest+" "+strconv.FormatInt(slice, 10))
	}
	return keys
}

// refuse answers 401: of each source the first is logged, and then once a minute. The
// token that was wrong is logged nowhere.
func (d *alertDoor) refuse(w http.ResponseWriter, r *http.Request, source, why string) {
	if n, loud := seldomOf(&d.mu, d.refused, source).now(); loud {
		d.log.Error("an alert was refused: compare what the source sends with alerts in the configuration (`signalbox check` prints its address)",
			"source", source, "why", why, "from", r.RemoteAddr, "times", n)
	}
	answer(w, http.StatusUnauthorized, "the token or the signature is missing or wrong")
}

// seldomOf is that of a source; there are as many as the configuration ever named.
func seldomOf(mu *sync.Mutex, of map[string]*seldom, source string) *seldom {
	mu.Lock()
	defer mu.Unlock()
	if of[source] == nil {
		of[source] = new(seldom)
	}
	return of[source]
}

package aws_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
)

const phone = "+819012345678"

// A text message is taken once, at its site, as one that must arrive.
func TestATextMessage(t *testing.T) {
	w := newWorld(t)
	id, err := w.fleet.Text(t.Context(), other, phone, "signalbox", "incident-3: the shop is down")
	if err != nil {
		t.Fatal(err)
	}
	all := w.sim.Texts()
	if len(all) != 1 || all[0].ID != id || all[0].Phone != phone || all[0].From != "signalbox" || all[0].Type != "Transactional" || all[0].Text != "incident-3: the shop is down" || all[0].Lost != "" {
		t.Errorf("SNS has %+v, and %s is ours", all, id)
	}
	calls := w.sim.Calls()
	if last := calls[len(calls)-1]; last.Name != "sns:Publish" || last.Account != other.Account || last.Region != other.Region || !last.Change {
		t.Errorf("it was called %+v", last)
	}
	if _, err := w.fleet.Text(t.Context(), integrations.Site{Account: "main", Region: "us-east-1"}, phone, "", "x"); err == nil {
		t.Error("a site that there is not sends")
	}
}

// What SNS will not do is told apart: what can be tried again, of what nobody knows whether
// it was done, and what never will be.
func TestATextMessageThatIsNotTaken(t *testing.T) {
	for _, c := range []struct {
		name, phone, text string
		fault             awssim.Fault
		later, unsent     bool
		say               string
		sent              int
	}{
		{"no number", "", "x", awssim.Fault{}, false, false, "InvalidParameter", 0},
		{"no number of E.164", "09012345678", "x", awssim.Fault{}, false, false, "is not valid to publish to", 0},
		{"an empty text", phone, "", awssim.Fault{}, false, false, "Empty message", 0},
		{"a text that is too long", phone, strings.Repeat("x", 1601), awssim.Fault{}, false, false, "too long", 0},
		{"too many", phone, "x", awssim.Fault{Kind: "throttle", Service: "sns", Action: "Publish"}, true, true, "Throttled", 0},
		{"a service that is not well", phone, "x", awssim.Fault{Kind: "error", Service: "sns", Action: "Publish", Code: "InternalError"}, true, false, "InternalError", 0},
		{"not allowed", phone, "x", awssim.Fault{Kind: "error", Service: "sns", Action: "Publish", Code: "AuthorizationError", Message: "no"}, false, false, "AuthorizationError: no", 0},
		{"an answer that is lost", phone, "x", awssim.Fault{Kind: "lost", Service: "sns", Action: "Publish"}, true, false, "", 1},
		{"nobody can ask about the phone", phone, "x", awssim.Fault{Kind: "error", Service: "sns", Action: "CheckIfPhoneNumberIsOptedOut", Code: "AuthorizationError"}, false, false, "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			if c.fault.Kind != "" {
				if err := w.sim.Fault(c.fault); err != nil {
					t.Fatal(err)
				}
			}
			_, err := w.fleet.Text(t.Context(), home, c.phone, "", c.text)
			var later *integrations.Later
			if errors.As(err, &later) != c.later || later != nil && later.Unsent != c.unsent {
				t.Errorf("%v: later %+v", err, later)
			}
			if (err == nil) != (c.say == "" && !c.later) || err != nil && !strings.Contains(err.Error(), c.say) {
				t.Errorf("it says %v", err)
			}
			if n := len(w.sim.Texts()); n != c.sent {
				t.Errorf("SNS has %d", n)
			}
		})
	}
}

// SNS takes what whoever opted out never gets; so it is asked first.
func TestAPhoneThatOptedOut(t *testing.T) {
	w := newWorld(t)
	if err := w.fleet.CheckPhone(t.Context(), home, phone); err != nil {
		t.Error(err)
	}
	if err := w.sim.OptOut(phone); err != nil {
		t.Fatal(err)
	}
	_, err := w.fleet.Text(t.Context(), home, phone, "", "x")
	if !errors.As(err, new(*integrations.Refused)) || !errors.As(w.fleet.CheckPhone(t.Context(), home, phone), new(*integrations.Refused)) || len(w.sim.Texts()) != 0 {
		t.Errorf("%v; SNS has %+v", err, w.sim.Texts())
	}
	if err := w.sim.Fault(awssim.Fault{Kind: "throttle", Action: "CheckIfPhoneNumberIsOptedOut", Count: -1}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.fleet.Text(t.Context(), home, phone, "", "x"); err != nil || len(w.sim.Texts()) != 1 || w.sim.Texts()[0].Lost == "" {
		t.Errorf("not asked: %v; SNS has %+v", err, w.sim.Texts())
	}
}

package github

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/github/githubsim"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// devices is a world with an OAuth app, and the clock of its GitHub.
func devices(t *testing.T, id string) (*world, *clock.Movable, *strings.Builder) {
	t.Helper()
	clk, log := clock.NewMovable(0), &strings.Builder{}
	w := newWorld(t, func(sc *githubsim.Config, cfg *Config) {
		sc.Clock, sc.Log = clk, slog.New(slog.NewTextHandler(log, nil))
		sc.OAuthApps = []githubsim.OAuthApp{{ClientID: "Iv1.right"}, {ClientID: "Iv1.none", NoDevices: true}}
		cfg.OAuthClientID = id
	})
	return w, clk, log
}

func (w *world) pass(clk *clock.Movable, d time.Duration) {
	w.t.Helper()
	w.must(clk.Advance(w.ctx, d, nil))
}

func (w *world) asked(code integrations.DeviceCode, want error) {
	w.t.Helper()
	if a, err := w.DeviceAccount(w.ctx, code.Code); !errors.Is(err, want) || a.Login != "" {
		w.t.Fatalf("%+v, %v; want %v", a, err, want)
	}
}

// Somebody types the code, and we learn their account; asking too often is said,
// and heeded.
func TestDevice(t *testing.T) {
	w, clk, _ := devices(t, "Iv1.right")
	code, err := w.DeviceCode(w.ctx)
	w.must(err)
	if code.Interval != 5*time.Second || code.Life != 15*time.Minute || len(code.User) != 9 || code.URL != w.srv.URL+"/login/device" {
		t.Fatalf("%+v", code)
	}
	w.asked(code, integrations.ErrPending)
	var later *integrations.Later
	if _, err := w.DeviceAccount(w.ctx, code.Code); !errors.As(err, &later) || later.After != 10*time.Second {
		t.Fatalf("at once again: %v, want to wait 10 s", err)
	}
	w.pass(clk, 10*time.Second)
	w.asked(code, integrations.ErrPending)
	w.must(w.sim.Device("bob", strings.ToLower(code.User), true))
	w.pass(clk, 10*time.Second)
	a, err := w.DeviceAccount(w.ctx, code.Code)
	if err != nil || a.Login != "bob" || a.ID == 0 || a.Bot {
		t.Fatalf("%+v, %v", a, err)
	}
	w.pass(clk, 10*time.Second)
	w.asked(code, integrations.ErrExpired) // it was used
}

func TestDeviceDeniedOrExpired(t *testing.T) {
	w, clk, _ := devices(t, "Iv1.right")
	denied, err := w.DeviceCode(w.ctx)
	w.must(err)
	w.must(w.sim.Device("bob", denied.User, false))
	w.asked(denied, integrations.ErrDenied)
	old, err := w.DeviceCode(w.ctx)
	w.must(err)
	w.pass(clk, 15*time.Minute)
	if err := w.sim.Device("bob", old.User, true); err == nil {
		t.Error("an expired code was approved")
	}
	w.asked(old, integrations.ErrExpired)
}

// What is wrong with the OAuth app is said so that it can be mended.
func TestDeviceOfAWrongApp(t *testing.T) {
	for id, want := range map[string]string{"Iv1.none": "is not enabled", "Iv1.other": "no OAuth app"} {
		w, _, _ := devices(t, id)
		if _, err := w.DeviceCode(w.ctx); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", id, err, want)
		}
	}
}

// An error on the way to the token shows neither it nor the code that it is for.
func TestDeviceErrorsAreQuiet(t *testing.T) {
	w, _, _ := devices(t, "Iv1.right")
	code, err := w.DeviceCode(w.ctx)
	w.must(err)
	w.must(w.sim.Device("bob", code.User, true))
	w.srv.Close()
	_, err = w.DeviceAccount(w.ctx, code.Code)
	if err == nil || strings.Contains(err.Error(), code.Code.Reveal()) || strings.Contains(err.Error(), "gho_") {
		t.Errorf("%v", err)
	}
}

func TestAccount(t *testing.T) {
	w, _, _ := devices(t, "")
	if a, err := w.Account(w.ctx, "BOB"); err != nil || a.Login != "bob" {
		t.Errorf("%+v, %v", a, err)
	}
	for _, login := range []string{"nobody", "../bob", "", "a b"} {
		if a, err := w.Account(w.ctx, login); !errors.Is(err, integrations.ErrNotFound) {
			t.Errorf("%q: %+v, %v", login, a, err)
		}
	}
	if a, err := w.Account(w.ctx, "mallory"); err != nil || a.Bot {
		t.Errorf("%+v, %v", a, err)
	}
}

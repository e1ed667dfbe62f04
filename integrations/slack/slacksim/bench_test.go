package slacksim_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

// BenchmarkCommand is what the simulator itself costs: a command typed, sent,
// and acknowledged by a client that does nothing else.
func BenchmarkCommand(b *testing.B) {
	for _, at := range []int{1, 32} {
		b.Run(fmt.Sprint(at), func(b *testing.B) {
			cfg := workspace()
			cfg.Lenient, cfg.Quiet = true, time.Nanosecond
			s, err := slacksim.New(cfg)
			if err != nil {
				b.Fatal(err)
			}
			srv := httptest.NewServer(s.Handler())
			defer srv.Close()
			defer s.Close()
			s.SetBase(srv.URL)
			conn, _, err := websocket.DefaultDialer.Dial((&office{t: b, url: srv.URL}).ticket(), nil)
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			done := make(chan struct{})
			go func() {
				defer close(done)
				for {
					var e envelope
					if conn.ReadJSON(&e) != nil {
						return
					}
					if e.EnvelopeID != "" && conn.WriteJSON(map[string]string{"envelope_id": e.EnvelopeID}) != nil {
						return
					}
				}
			}()
			b.SetParallelism(at) // times GOMAXPROCS
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := s.Say(context.Background(), "alice", "ops", "/ops help", ""); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.StopTimer()
			_ = conn.Close()
			<-done
		})
	}
}

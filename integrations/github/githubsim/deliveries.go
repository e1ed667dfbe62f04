package githubsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

func (s *Sim) deliveryObj(d *deliveryRow) obj {
	return obj{
		"id": d.ID, "guid": d.GUID, "delivered_at": d.Delivered.UTC().Format(time.RFC3339Nano), "redelivery": d.Redelivery,
		"duration": d.Duration, "status": d.Status, "status_code": d.Code, "event": d.Event, "action": textOrNil(d.Action),
		"installation_id": s.installationOf(d), "repository_id": d.Repo, "throttled_at": nil,
	}
}

func (s *Sim) installationOf(d *deliveryRow) any {
	if h := s.state.Hooks.rows[d.Hook]; h != nil && h.App {
		return s.cfg.App.InstallationID
	}
	return nil
}

// ofApp says that a delivery is of the App's own webhook.
func (s *Sim) ofApp(d *deliveryRow) bool { return s.installationOf(d) != nil }

func listHookDeliveries(c *call) (int, any, error) {
	h, err := c.hook()
	if err != nil {
		return 0, nil, err
	}
	return deliveryPage(c, func(d *deliveryRow) bool { return d.Hook == h.ID })
}

func listAppDeliveries(c *call) (int, any, error) { return deliveryPage(c, c.s.ofApp) }

// deliveryPage pages by cursor, newest first, as GitHub does.
func deliveryPage(c *call, keep func(*deliveryRow) bool) (int, any, error) {
	rows := c.s.state.Deliveries.sorted(func(d *deliveryRow) bool { return !d.Pending && keep(d) })
	slices.Reverse(rows)
	q := c.r.URL.Query()
	if cursor := q.Get("cursor"); cursor != "" {
		before, err := strconv.ParseInt(cursor, 10, 64)
		if err != nil {
			return 0, nil, unprocessable("Invalid cursor")
		}
		rows = slices.DeleteFunc(rows, func(d *deliveryRow) bool { return d.ID >= before })
	}
	perPage := 30
	if n, err := strconv.Atoi(q.Get("per_page")); err == nil && n > 0 {
		perPage = min(n, 100)
	}
	if len(rows) > perPage {
		rows = rows[:perPage]
		next := fmt.Sprintf("%s/api/v3%s?per_page=%d&cursor=%d", c.s.base, c.r.URL.Path, perPage, rows[perPage-1].ID)
		c.header.Set("Link", "<"+next+`>; rel="next"`)
	}
	return http.StatusOK, list(rows, c.s.deliveryObj), nil
}

func (c *call) hookDelivery() (*deliveryRow, error) {
	h, err := c.hook()
	if err != nil {
		return nil, err
	}
	id, err := c.number("delivery")
	if err != nil {
		return nil, err
	}
	d := c.s.state.Deliveries.rows[id]
	if d == nil || d.Hook != h.ID {
		return nil, notFound()
	}
	return d, nil
}

func getHookDelivery(c *call) (int, any, error) {
	d, err := c.hookDelivery()
	if err != nil {
		return 0, nil, err
	}
	body, err := c.s.payload(d.ID)
	if err != nil {
		return 0, nil, err
	}
	o := c.s.deliveryObj(d)
	o["url"] = d.URL
	o["request"] = obj{"headers": d.Headers, "payload": json.RawMessage(body)}
	var answer any = d.RespBody
	if json.Valid([]byte(d.RespBody)) {
		answer = json.RawMessage(d.RespBody)
	}
	o["response"] = obj{"headers": d.RespHeader, "payload": answer}
	return http.StatusOK, o, nil
}

func redeliverHookDelivery(c *call) (int, any, error) {
	d, err := c.hookDelivery()
	if err != nil {
		return 0, nil, err
	}
	return c.again(d)
}

func redeliverAppDelivery(c *call) (int, any, error) {
	id, err := c.number("delivery")
	if err != nil {
		return 0, nil, err
	}
	d := c.s.state.Deliveries.rows[id]
	if d == nil || !c.s.ofApp(d) {
		return 0, nil, notFound()
	}
	return c.again(d)
}

func (c *call) again(d *deliveryRow) (int, any, error) {
	if d.Pending {
		return 0, nil, unprocessable("The delivery has not been attempted yet")
	}
	if c.s.now().Sub(d.Queued) > deliveriesKept {
		return 0, nil, unprocessable("The delivery is too old to be redelivered")
	}
	return http.StatusAccepted, obj{}, c.s.redeliver(d.ID)
}

package mackerel_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/mackerel"
	"github.com/signalbox-chatops/signalbox/integrations/mackerel/mackerelsim"
)

var began = time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)

func noting(until time.Time, state string) integrations.Post {
	return integrations.Post{
		Where: map[string]string{"service": "shop", "roles": "web,app"}, Nonce: "01HX", Since: began,
		Message: integrations.Message{Annotation: &integrations.Annotation{Title: "deploy web to production (op-3): " + state, Text: "asked for by alice", From: began, Until: until}},
	}
}

var shop = mackerelsim.Host{Name: "web-1", Instance: web, Roles: []string{"shop:web", "shop:app"}}

// One whose reply was lost is found by its nonce, in the service's list, and its end is
// set there: it is one annotation whatever happens.
func TestAnAnnotationIsPostedOnceAndEnded(t *testing.T) {
	o := found(t, shop)
	place, post := o.client.Places()["mackerel.annotation"], noting(began, "applying")
	if ref, there, err := place.Find(t.Context(), post); err != nil || there || ref != "" {
		t.Fatalf("before, it finds %q, %v, %v", ref, there, err)
	}
	other := post
	other.Nonce = "01HY"
	if _, err := place.Show(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	o.fault(mackerelsim.Fault{Kind: "lost", Action: "annotation.create"})
	if _, err := place.Show(t.Context(), post); isLater(err) == nil || isLater(err).Unsent {
		t.Fatalf("a lost reply is %v", err)
	}
	last := other
	last.Nonce = "01HZ"
	if _, err := place.Show(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	ref, there, err := place.Find(t.Context(), post)
	if err != nil || !there {
		t.Fatalf("it finds %q, %v, %v", ref, there, err)
	}
	end := noting(began.Add(90*time.Second), "succeeded")
	end.Ref = ref
	if again, err := place.Show(t.Context(), end); err != nil || again != ref {
		t.Fatalf("ended, it is %q, %v", again, err)
	}
	all := o.sim.Annotations()
	if len(all) != 3 {
		t.Fatalf("there are %+v", all)
	}
	got := all[1]
	if got.ID != ref || got.Title != "deploy web to production (op-3): succeeded" || !got.From.Equal(began) || !got.To.Equal(began.Add(90*time.Second)) ||
		got.Description != "asked for by alice\nsignalbox 01HX" || got.Service != "shop" || strings.Join(got.Roles, " ") != "web app" {
		t.Errorf("it is %+v", got)
	}
}

// Without roles it is the whole service's.
func TestAnAnnotationOfAWholeService(t *testing.T) {
	o := found(t, shop)
	post := noting(began, "applying")
	delete(post.Where, "roles")
	if _, err := o.client.Places()["mackerel.annotation"].Show(t.Context(), post); err != nil {
		t.Fatal(err)
	}
	if all := o.sim.Annotations(); len(all[0].Roles) != 0 {
		t.Errorf("it is of %v", all[0].Roles)
	}
}

// What waiting does not mend is given up: an unknown role or service, one that somebody
// took away, a key that may not write. Its reason is in Mackerel's words.
func TestAnAnnotationThatIsRefusedIsGivenUp(t *testing.T) {
	o := found(t, shop)
	for name, tt := range map[string]struct {
		post integrations.Post
		key  string
		want string
	}{
		"role":     {post: integrations.Post{Where: map[string]string{"service": "shop", "roles": "app,batch"}}, want: "mackerel annotate shop: app, batch: 404 Not Found: Role not found."},
		"service":  {post: integrations.Post{Where: map[string]string{"service": "none"}}, want: "Service not found."},
		"gone":     {post: integrations.Post{Where: map[string]string{"service": "shop"}, Ref: "3AnnTn00009"}, want: "Graph annotation not found."},
		"no id":    {post: integrations.Post{Where: map[string]string{"service": "shop"}, Ref: "../hosts"}, want: "not the id of one"},
		"key":      {post: integrations.Post{Where: map[string]string{"service": "shop"}}, key: readOnly, want: "403 Forbidden"},
		"bad date": {post: integrations.Post{Where: map[string]string{"service": "shop"}, Since: began.Add(time.Hour)}, want: "400 Bad Request"},
	} {
		post := noting(began, "applying")
		post.Where, post.Ref = tt.post.Where, tt.post.Ref
		if !tt.post.Since.IsZero() {
			post.Message.Annotation.Until = began.Add(-time.Hour)
		}
		client := o.client
		if tt.key != "" {
			client = o.with(tt.key)
		}
		if _, err := client.Places()["mackerel.annotation"].Show(t.Context(), post); !isGone(err) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want Gone with %q", name, err, tt.want)
		}
	}
	o.fault(mackerelsim.Fault{Kind: "throttle", Action: "annotation.create"})
	if _, err := o.client.Places()["mackerel.annotation"].Show(t.Context(), noting(began, "applying")); isLater(err) == nil || !isLater(err).Unsent {
		t.Errorf("throttled: %v", err)
	}
	if all := o.sim.Annotations(); len(all) > 0 {
		t.Errorf("there are %+v", all)
	}
}

// Long texts are cut between letters, and the nonce stays.
func TestALongAnnotationIsCut(t *testing.T) {
	o := found(t, shop)
	place, post := o.client.Places()["mackerel.annotation"], noting(began, "applying")
	post.Message.Annotation.Title, post.Message.Annotation.Text = strings.Repeat("配備", 200), strings.Repeat("説明", 800)
	if _, err := place.Show(t.Context(), post); err != nil {
		t.Fatal(err)
	}
	got := o.sim.Annotations()[0]
	if len(got.Title) > 250 || len(got.Description) > 1024 || !strings.HasSuffix(got.Title, "備…") && !strings.HasSuffix(got.Title, "配…") || !strings.HasSuffix(got.Description, "…\nsignalbox 01HX") {
		t.Errorf("it is %d and %d long: %+v", len(got.Title), len(got.Description), got)
	}
	if _, there, err := place.Find(t.Context(), post); err != nil || !there {
		t.Errorf("it is not found: %v", err)
	}
}

func measured(at time.Time, numbers ...uint64) integrations.Post {
	p := integrations.Post{Where: map[string]string{"service": "shop"}, Nonce: "01HX"}
	for _, n := range numbers {
		p.Message.Measured = append(p.Message.Measured, integrations.Measured{Number: n, Metric: "signalbox.release.web.production", At: at.Add(time.Duration(n) * time.Second), Value: float64(100 * n)})
	}
	return p
}

// All values that were not taken are sent in one post, each once.
func TestValuesAreSentOnceAndTogether(t *testing.T) {
	o := found(t, shop)
	place, now := o.client.Places()["mackerel.metric"], time.Now().Add(-time.Minute)
	ref, err := place.Show(t.Context(), measured(now, 3, 4))
	if err != nil || ref != "4" {
		t.Fatalf("%q, %v", ref, err)
	}
	again := measured(now, 3, 4)
	again.Ref = ref
	if ref, err = place.Show(t.Context(), again); err != nil || ref != "4" {
		t.Fatalf("%q, %v", ref, err)
	}
	again = measured(now, 3, 4, 5)
	again.Ref = ref
	later := error(nil)
	if _, later = place.Show(t.Context(), again); isLater(later) == nil || isLater(later).After < time.Minute || !isLater(later).Unsent {
		t.Errorf("a second post within the minute is %v", later)
	}
	posts := 0
	for _, c := range o.sim.Calls() {
		if c == "service.post shop" {
			posts++
		}
	}
	if all := o.sim.Values(); len(all) != 2 || posts != 2 || all[1].Value != 400 || all[1].Name != "signalbox.release.web.production" || all[1].At.Unix() != now.Add(4*time.Second).Unix() {
		t.Errorf("%d posts, %+v", posts, all)
	}
	if _, _, err := place.Find(t.Context(), again); !errors.Is(err, integrations.ErrNotReadable) {
		t.Errorf("it is looked for: %v", err)
	}
}

func TestValuesOfNoServiceAreGivenUp(t *testing.T) {
	o := found(t, shop)
	for service, want := range map[string]string{"none": "Service not found.", "../x": "not the name of a service"} {
		p := measured(time.Now(), 1)
		p.Where["service"] = service
		if _, err := o.client.Places()["mackerel.metric"].Show(t.Context(), p); !isGone(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", service, err)
		}
	}
}

func TestGraphsThatCannotBe(t *testing.T) {
	for want, g := range map[string]integrations.Graphs{
		"":                             {Service: "shop", Roles: []string{"app", "web_2"}},
		`service: "a b" is not`:        {Service: "a b"},
		`service: "" is not`:           {Roles: []string{"app"}},
		`roles: "shop:app" is not the`: {Service: "shop", Roles: []string{"shop:app"}},
	} {
		err := mackerel.CheckGraphs(g)
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%+v: %v, want %q", g, err, want)
		}
	}
}

package picture

import (
	"fmt"
	"image/color"
	"math"
	"testing"
)

// linear is a channel of sRGB as light.
func linear(c uint8) float64 {
	v := float64(c) / 255
	if v <= 0.04045 {
		return v / 12.92
	}
	return math.Pow((v+0.055)/1.055, 2.4)
}

// sights are how people see red, green and blue light who see all colors, and who lack
// one kind of cones (Machado, Oliveira, Fernandes 2009, severity 1).
var sights = map[string][3][3]float64{
	"all colors": {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	"no red":     {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
	"no green":   {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
	"no blue":    {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
}

// lab is a color as CIELAB, seen so.
func lab(c color.RGBA, sight [3][3]float64) (out [3]float64) {
	in, rgb := [3]float64{linear(c.R), linear(c.G), linear(c.B)}, [3]float64{}
	for i := range rgb {
		for j := range in {
			rgb[i] += sight[i][j] * in[j]
		}
		rgb[i] = min(1, max(0, rgb[i]))
	}
	f := func(v float64) float64 {
		if v > 216.0/24389 {
			return math.Cbrt(v)
		}
		return (24389.0/27*v + 16) / 116
	}
	x := f((0.4124*rgb[0] + 0.3576*rgb[1] + 0.1805*rgb[2]) / 0.9505)
	y := f(0.2126*rgb[0] + 0.7152*rgb[1] + 0.0722*rgb[2])
	z := f((0.0193*rgb[0] + 0.1192*rgb[1] + 0.9505*rgb[2]) / 1.089)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

// TestPaintsApart: no two colors are closer than 16 in CIELAB, however they are seen. (A
// difference of 2 can just be seen side by side.)
func TestPaintsApart(t *testing.T) {
	for sight, m := range sights {
		for i, a := range paints {
			for _, b := range paints[:i] {
				p, q := lab(a.Ground, m), lab(b.Ground, m)
				const least = 16
				if d := math.Hypot(math.Hypot(p[0]-q[0], p[1]-q[1]), p[2]-q[2]); d < least {
					t.Errorf("who sees %s has %x and %x only %.1f apart", sight, a.Ground, b.Ground, d)
				}
			}
		}
	}
}

// TestPaintsReadable: letters have the contrast that WCAG 2.2 asks of large text (3:1),
// and of all text (4.5:1) where they are ours to choose.
func TestPaintsReadable(t *testing.T) {
	light := func(c color.RGBA) float64 {
		return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B) + 0.05
	}
	contrast := func(a, b color.RGBA) float64 {
		return max(light(a), light(b)) / min(light(a), light(b))
	}
	for _, p := range append([]Paint{{Paper, Faint}, {Today, Ink}, {Paper, Alarm}}, paints...) {
		if got := contrast(p.Ground, p.Ink); got < 4.5 {
			t.Errorf("letters %x on %x have contrast %.1f", p.Ink, p.Ground, got)
		}
	}
}

func TestPaintsOf(t *testing.T) {
	var people []string
	for i := range len(paints) + 3 {
		people = append(people, fmt.Sprintf("person %d", i))
		got, used := PaintsOf(people), map[Paint]int{}
		for _, p := range people {
			used[got[p]]++
		}
		if want := min(len(people), len(paints)); len(used) != want {
			t.Errorf("%d people have %d colors", len(people), len(used))
		}
	}
	many := map[Paint]int{}
	for i := range 100 {
		people = append(people, fmt.Sprintf("stranger %d", i))
	}
	for _, p := range PaintsOf(people) {
		many[p]++
	}
	for p, n := range many {
		if n > 30 {
			t.Errorf("of more than a hundred, %d have the color %x", n, p.Ground)
		}
	}
	one, all := PaintsOf([]string{"alice"}), PaintsOf([]string{"carol", "bob", "alice", "alice"})
	if one["alice"] != all["alice"] {
		t.Error("alice's color goes by who else is there")
	}
}

package picture

import (
	"hash/fnv"
	"image/color"
	"slices"
)

// A Paint is the color of a ground and that of letters on it.
type Paint struct{ Ground, Ink color.RGBA }

// The paints, which are told apart by people who see no red, no green or no blue: a test
// holds how far they are from each other, and how well letters on them can be read. None
// is red, which is for alarms.
var (
	Blue      = Paint{color.RGBA{0x2f, 0x6d, 0xb5, 0xff}, Paper}
	Orange    = Paint{color.RGBA{0xf0, 0x9a, 0x3a, 0xff}, Ink}
	DeepGreen = Paint{color.RGBA{0x0b, 0x5d, 0x4c, 0xff}, Paper}
	Yellow    = Paint{color.RGBA{0xf5, 0xe0, 0x6a, 0xff}, Ink}
	Navy      = Paint{color.RGBA{0x16, 0x2c, 0x5c, 0xff}, Paper}
	Sky       = Paint{color.RGBA{0x9f, 0xd0, 0xf2, 0xff}, Ink}
	Violet    = Paint{color.RGBA{0x85, 0x29, 0xe0, 0xff}, Paper}
	Mint      = Paint{color.RGBA{0x4c, 0xe6, 0xb2, 0xff}, Ink}
	Lime      = Paint{color.RGBA{0xbb, 0xd6, 0x85, 0xff}, Ink}
	Sage      = Paint{color.RGBA{0x95, 0x9d, 0x6c, 0xff}, Ink}
	Olive     = Paint{color.RGBA{0x59, 0x59, 0x0d, 0xff}, Paper}
	Ochre     = Paint{color.RGBA{0xa8, 0x83, 0x38, 0xff}, Ink}
)

// paints are all of them. The dull ones are used when all others are.
var paints = []Paint{Blue, Orange, DeepGreen, Yellow, Navy, Sky, Violet, Mint, Lime, Sage, Olive, Ochre}

const dull = 4 // of the paints, at their end

// PaintsOf gives everybody a color. It goes by the name, so that a person has the same
// one in every picture; where two names want one color, the later in the alphabet
// takes the next that is free.
func PaintsOf(people []string) map[string]Paint {
	people = slices.Clone(people)
	slices.Sort(people)
	people = slices.Compact(people)
	out, taken := map[string]Paint{}, map[int]bool{}
	for _, p := range people {
		h := fnv.New32a()
		_, _ = h.Write([]byte(p))
		bright := len(paints) - dull
		n := int(h.Sum32() % uint32(bright))
		for try := 0; taken[n] && try < len(paints); try++ {
			if n = (n + 1) % bright; len(taken) >= bright {
				n = len(taken) % len(paints)
			}
		}
		if taken[n] { // more people than colors
			n = int(h.Sum32() % uint32(len(paints)))
		}
		taken[n] = true
		out[p] = paints[n]
	}
	return out
}

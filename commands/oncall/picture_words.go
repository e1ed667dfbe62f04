package oncall

import (
	"fmt"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/picture"
)

// pictureWords are the words in a picture.
type pictureWords struct {
	day  func(time.Time) string          // a day, at the side
	span func(from, to time.Time) string // the first and the last day
	// moment is when a shift ends; far says that the day of the week alone is not enough.
	moment func(t time.Time, far bool) string
	// now says who is on call, until when and who is next; the last two may be "".
	now   func(who, until, next string) string
	noNow func(until, next string) string

	list         func(people []string) string
	gap, instead string // nobody; who for whom
	marks        struct{ now, override, gap, skip, twice, lacking string }
}

var weekdaysJa = []string{"日", "月", "火", "水", "木", "金", "土"}

// wordsOf are the words of a language, English where there are none.
func wordsOf(language string) pictureWords {
	if w, ok := pictureLanguages()[language]; ok {
		return w
	}
	return pictureLanguages()["en"]
}

func pictureLanguages() map[string]pictureWords {
	return map[string]pictureWords{"en": english(), "ja": japanese()}
}

func english() pictureWords {
	w := pictureWords{
		day: func(t time.Time) string { return t.Format("Mon 2") },
		span: func(from, to time.Time) string {
			form := "Mon 2 Jan"
			if from.Year() != to.Year() {
				form = "Mon 2 Jan 2006"
			}
			return from.Format(form) + " – " + to.Format("Mon 2 Jan 2006")
		},
		moment: func(t time.Time, far bool) string {
			if far {
				return t.Format("Mon 2 Jan 15:04")
			}
			return t.Format("Mon 15:04")
		},
		now: func(who, until, next string) string {
			return "Now " + who + maybe(" until %s", until) + maybe(", then %s", next)
		},
		noNow: func(until, next string) string {
			return "Now nobody" + maybe(", until %s", until) + maybe(", then %s", next)
		},
		list: func(people []string) string {
			last := len(people) - 1
			if last < 1 {
				return strings.Join(people, "")
			}
			return strings.Join(people[:last], ", ") + " and " + people[last]
		},
		gap: "nobody", instead: "%s for %s",
	}
	w.marks.now, w.marks.override, w.marks.gap = "now", "override", "nobody on call"
	w.marks.skip, w.marks.twice = "%s: the clock goes from %s to %s", "%s: the clock goes back from %s to %s; what it shows twice is drawn above, then below"
	w.marks.lacking = string(picture.Geta) + " stands for a letter that cannot be drawn here"
	return w
}

func japanese() pictureWords {
	w := pictureWords{
		day: func(t time.Time) string { return fmt.Sprintf("%d日(%s)", t.Day(), weekdaysJa[t.Weekday()]) },
		span: func(from, to time.Time) string {
			end := to.Format("1月2日")
			if from.Year() != to.Year() {
				end = to.Format("2006年1月2日")
			}
			return from.Format("2006年1月2日") + "(" + weekdaysJa[from.Weekday()] + ")〜" + end + "(" + weekdaysJa[to.Weekday()] + ")"
		},
		moment: func(t time.Time, far bool) string {
			if far {
				return t.Format("1月2日") + "(" + weekdaysJa[t.Weekday()] + ") " + t.Format("15:04")
			}
			return weekdaysJa[t.Weekday()] + "曜 " + t.Format("15:04")
		},
		now: func(who, until, next string) string {
			return "担当中: " + who + maybe(" (%sまで)", until) + maybe(" 次: %s", next)
		},
		noNow: func(until, next string) string {
			return "担当なし" + maybe(" (%sまで)", until) + maybe(" 次: %s", next)
		},
		list: func(people []string) string { return strings.Join(people, "、") },
		gap:  "担当なし", instead: "%s (%sの代わり)",
	}
	w.marks.now, w.marks.override, w.marks.gap = "現在", "交代", "担当なし"
	w.marks.skip, w.marks.twice = "%s: 時計が%sから%sに進みます", "%s: 時計が%sから%sに戻ります (その時間は上下に分けています)"
	w.marks.lacking = string(picture.Geta) + " は、ここでは表示できない文字です"
	return w
}

// turn says who is on call, until when, and who is next; who is "" for nobody.
func (w pictureWords) turn(who, until, next string) string {
	if who == "" {
		return w.noNow(until, next)
	}
	return w.now(who, until, next)
}

// maybe puts a text into a form, and is nothing where there is none.
func maybe(form, s string) string {
	if s == "" {
		return ""
	}
	return fmt.Sprintf(form, s)
}

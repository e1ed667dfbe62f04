package graph

import (
	"fmt"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/picture"
)

// words are the words in a picture.
type words struct {
	span   func(from, until time.Time) string
	moment func(t time.Time, long bool) string // long: with its day
	tick   func(t time.Time) string
	deploy func(m mark, at string) string
	gap    func(from, until string) string

	more, moreGaps             func(n int) string
	last, least, most, lacking string
	comma                      string
}

// wordsOf are the words of a language, English where there are none.
func wordsOf(language string) words {
	if w, ok := map[string]func() words{"ja": japanese}[language]; ok {
		return w()
	}
	return english()
}

func same(a, b time.Time) bool { return a.Format(time.DateOnly) == b.Format(time.DateOnly) }

func midnight(t time.Time) bool { return t.Hour() == 0 && t.Minute() == 0 }

func english() words {
	return words{
		span: func(from, until time.Time) string {
			if same(from, until) {
				return from.Format("Mon 2 Jan 15:04") + " – " + until.Format("15:04 MST")
			}
			return from.Format("Mon 2 Jan 15:04") + " – " + until.Format("Mon 2 Jan 15:04 MST")
		},
		moment: func(t time.Time, long bool) string {
			if long {
				return t.Format("2 Jan 15:04")
			}
			return t.Format("15:04")
		},
		tick: func(t time.Time) string {
			if midnight(t) {
				return t.Format("2 Jan")
			}
			return t.Format("15:04")
		},
		deploy: func(m mark, at string) string {
			how := "deployed"
			if !m.good {
				how = "did not work"
			}
			return fmt.Sprintf("%s %s %s %s", m.id, m.what, how, at)
		},
		gap:      func(from, until string) string { return "No data from " + from + " to " + until },
		more:     func(n int) string { return fmt.Sprintf("… and %d earlier", n) },
		moreGaps: func(n int) string { return fmt.Sprintf("… and %d more gaps", n) },
		last:     "last", least: "min", most: "max", comma: ", ",
		lacking: string(picture.Geta) + " stands for a letter that cannot be drawn here",
	}
}

var weekdays = []string{"日", "月", "火", "水", "木", "金", "土"}

func japanese() words {
	day := func(t time.Time) string { return t.Format("1月2日") + "(" + weekdays[t.Weekday()] + ")" }
	return words{
		span: func(from, until time.Time) string {
			if same(from, until) {
				return day(from) + " " + from.Format("15:04") + "〜" + until.Format("15:04 MST")
			}
			return day(from) + " " + from.Format("15:04") + "〜" + day(until) + " " + until.Format("15:04 MST")
		},
		moment: func(t time.Time, long bool) string {
			if long {
				return t.Format("1/2 15:04")
			}
			return t.Format("15:04")
		},
		tick: func(t time.Time) string {
			if midnight(t) {
				return t.Format("1月2日")
			}
			return t.Format("15:04")
		},
		deploy: func(m mark, at string) string {
			how := "デプロイ"
			if !m.good {
				how = "デプロイ失敗"
			}
			return fmt.Sprintf("%s %s %s %s", m.id, m.what, how, at)
		},
		gap:      func(from, until string) string { return from + "〜" + until + "はデータなし" },
		more:     func(n int) string { return fmt.Sprintf("…ほかにそれ以前の%d件", n) },
		moreGaps: func(n int) string { return fmt.Sprintf("…ほかにデータなし%d箇所", n) },
		last:     "最新", least: "最小", most: "最大", comma: "、",
		lacking: string(picture.Geta) + "はここで表示できない文字です",
	}
}

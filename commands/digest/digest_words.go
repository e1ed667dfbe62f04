package digest

import (
	"fmt"
	"math"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/picture"
	"github.com/signalbox-chatops/signalbox/integrations/kit/rota"
)

// words are those in the pictures, which are drawn in one language and not put into
// another one later; and dates.
type words struct {
	span   func(from, to time.Time) string // the first day and the last
	length func(time.Duration) string

	deploys, failed, lead, restore string // the numbers on top
	good, bad, before              string // what the bars are
	was                            func(arrow, told string) string
	infrastructure                 string

	onCall, hours, pages string
	hoursN               func(n string) string
	weeks                func(n int) string // what the last column is
	share                string             // and what stands in it
	kinds                map[string]string

	more    func(n int) string
	failedN func(n int) string
	lacking string
}

// wordsOf are the words of a language, English where there are none.
func wordsOf(language string) words {
	if w, ok := languages()[language]; ok {
		return w
	}
	return languages()["en"]
}

func languages() map[string]words { return map[string]words{"en": english(), "ja": japanese()} }

func english() words {
	return words{
		span: func(from, to time.Time) string {
			switch last := to.Format("2 Jan 2006"); {
			case from.Format("2 Jan 2006") == last:
				return last
			case from.Year() != to.Year():
				return from.Format("2 Jan 2006") + " – " + last
			default:
				return from.Format("2 Jan") + " – " + last
			}
		},
		length:  func(d time.Duration) string { return roughly(d, " s", " min", " h", " days") },
		deploys: "deploys", failed: "failed", lead: "lead time", restore: "to restore",
		good: "good", bad: "failed or rolled back", before: "the time before",
		was:            func(arrow, told string) string { return arrow + " from " + told },
		infrastructure: "infrastructure",
		onCall:         "On call", hours: "Hours on call", pages: "Pages",
		hoursN:  func(n string) string { return n + " h" },
		weeks:   func(n int) string { return fmt.Sprintf("%d weeks", n) },
		share:   "%s: hours above or below an equal share",
		kinds:   map[string]string{rota.Working: "working hours", rota.Evening: "evenings", rota.Weekend: "weekend", rota.Sleeping: "sleep"},
		more:    func(n int) string { return fmt.Sprintf("and %d more", n) },
		failedN: func(n int) string { return fmt.Sprintf("%d failed", n) },
		lacking: string(picture.Geta) + " stands for a letter that cannot be drawn here",
	}
}

func japanese() words {
	return words{
		span: func(from, to time.Time) string {
			switch first := from.Format("2006年1月2日"); {
			case first == to.Format("2006年1月2日"):
				return first
			case from.Year() != to.Year():
				return first + "〜" + to.Format("2006年1月2日")
			default:
				return first + "〜" + to.Format("1月2日")
			}
		},
		length:  func(d time.Duration) string { return roughly(d, "秒", "分", "時間", "日") },
		deploys: "デプロイ", failed: "失敗", lead: "リードタイム", restore: "復旧まで",
		good: "成功", bad: "失敗・ロールバック", before: "前の期間",
		was:            func(arrow, told string) string { return arrow + " 前は" + told },
		infrastructure: "インフラ",
		onCall:         "オンコール", hours: "担当時間", pages: "呼び出し",
		hoursN:  func(n string) string { return n + "時間" },
		weeks:   func(n int) string { return fmt.Sprintf("%d週間", n) },
		share:   "%s: 均等に分けた時間との差",
		kinds:   map[string]string{rota.Working: "勤務時間", rota.Evening: "夜間", rota.Weekend: "週末", rota.Sleeping: "就寝時間"},
		more:    func(n int) string { return fmt.Sprintf("ほか%d件", n) },
		failedN: func(n int) string { return fmt.Sprintf("失敗%d", n) },
		lacking: string(picture.Geta) + " は、ここでは表示できない文字です",
	}
}

// roughly is a length of time in one unit.
func roughly(d time.Duration, second, minute, hour, day string) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%.0f%s", d.Seconds(), second)
	case d < 100*time.Minute:
		return fmt.Sprintf("%.0f%s", d.Minutes(), minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f%s", d.Hours(), hour)
	}
	return fmt.Sprintf("%.0f%s", d.Hours()/24, day)
}

// days are those of a report.
func (w words) days(r report) string {
	return w.span(r.From.In(r.zone()), r.To.Add(-time.Nanosecond).In(r.zone()))
}

// hoursTold are hours in digits, without more of them than they need.
func hoursTold(d time.Duration) string {
	h := d.Hours()
	if d > 0 {
		h = max(h, 0.1) // a minute is not nothing
	}
	if tenth := math.Round(h*10) / 10; h < 10 && tenth != math.Round(tenth) {
		return fmt.Sprintf("%.1f", tenth)
	}
	return fmt.Sprintf("%.0f", h)
}

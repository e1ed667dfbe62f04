package calendar

import "time"

// Japan's public holidays, by the Act on National Holidays (国民の祝日に関する法律,
// Act No. 178 of 1948) as it stands since 2019, with the special acts for the
// succession of 2019 and for the Olympic Games of 2020 and 2021.

// firstJapan is the first year the list is right for.
const firstJapan = 2019

const (
	newYear      = "元日 (New Year's Day)"
	comingOfAge  = "成人の日 (Coming of Age Day)"
	foundation   = "建国記念の日 (National Foundation Day)"
	emperor      = "天皇誕生日 (The Emperor's Birthday)"
	vernal       = "春分の日 (Vernal Equinox Day)"
	showa        = "昭和の日 (Showa Day)"
	constitution = "憲法記念日 (Constitution Memorial Day)"
	greenery     = "みどりの日 (Greenery Day)"
	children     = "こどもの日 (Children's Day)"
	marine       = "海の日 (Marine Day)"
	mountain     = "山の日 (Mountain Day)"
	aged         = "敬老の日 (Respect for the Aged Day)"
	autumnal     = "秋分の日 (Autumnal Equinox Day)"
	sports       = "スポーツの日 (Sports Day)"
	culture      = "文化の日 (Culture Day)"
	labor        = "勤労感謝の日 (Labor Thanksgiving Day)"
	substitute   = "振替休日 (Substitute Holiday)"
	between      = "国民の休日 (Citizens' Holiday)"
)

// japanDays are the public holidays from 2019 to the horizon.
func japanDays() (out []daySpan) {
	for year := firstJapan; year <= horizon; year++ {
		named := japanNamed(year)
		japanRest(named)
		for month := time.January; month <= time.December; month++ {
			for day := range 31 {
				n := dayOf(year, month, day+1)
				if why, ok := named[n]; ok {
					out = append(out, daySpan{first: n, end: n + 1, name: why})
					delete(named, n) // the 31st of April is the 1st of May
				}
			}
		}
	}
	return out
}

// japanNamed are the holidays that the acts name, article 2.
func japanNamed(year int) map[int64]string {
	on := func(m time.Month, d int) int64 { return dayOf(year, m, d) }
	days := map[int64]string{
		on(1, 1): newYear, mondayOf(year, 1, 2): comingOfAge, on(2, 11): foundation, on(2, 23): emperor,
		on(3, equinox(year, 20.8431)): vernal, on(4, 29): showa, on(5, 3): constitution, on(5, 4): greenery,
		on(5, 5): children, mondayOf(year, 9, 3): aged, on(9, equinox(year, 23.2488)): autumnal,
		on(11, 3): culture, on(11, 23): labor,
	}
	switch year {
	case 2019: // the succession; the new emperor's birthday had passed
		delete(days, on(2, 23))
		days[on(5, 1)] = "天皇の即位の日 (The Day of the Emperor's Accession)"
		days[on(10, 22)] = "即位礼正殿の儀 (The Enthronement Ceremony)"
		days[mondayOf(year, 7, 3)], days[on(8, 11)] = marine, mountain
		days[mondayOf(year, 10, 2)] = "体育の日 (Health and Sports Day)"
	case 2020: // moved for the Olympic Games
		days[on(7, 23)], days[on(7, 24)], days[on(8, 10)] = marine, sports, mountain
	case 2021: // and again, with the Games
		days[on(7, 22)], days[on(7, 23)], days[on(8, 8)] = marine, sports, mountain
	default:
		days[mondayOf(year, 7, 3)], days[on(8, 11)], days[mondayOf(year, 10, 2)] = marine, mountain, sports
	}
	return days
}

// japanRest adds the days off that follow from the named ones, article 3: for a
// holiday on a Sunday the next day that is none, and the day between two.
func japanRest(named map[int64]string) {
	const sunday = 3 // 1970-01-04
	rest := map[int64]string{}
	for day := range named {
		if (day-sunday)%7 == 0 {
			next := day + 1
			for named[next] != "" {
				next++
			}
			rest[next] = substitute
		}
		if named[day+1] == "" && named[day+2] != "" && rest[day+1] == "" {
			rest[day+1] = between
		}
	}
	for day, why := range rest {
		named[day] = why
	}
}

// mondayOf is the nth Monday of a month.
func mondayOf(year int, month time.Month, n int) int64 {
	first := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC).Weekday()
	return dayOf(year, month, 1+int(8-first)%7+7*(n-1))
}

// equinox is the day of March or September, by the accepted formula, which is
// good from 1980 to 2099. The Cabinet Office announces the day each February
// for the year after; it has never been another one.
func equinox(year int, base float64) int {
	y := year - 1980
	return int(base+0.242194*float64(y)) - y/4
}

// japanYearEnds are 29 December to 3 January, when offices are closed.
func japanYearEnds() (out []daySpan) {
	for year := firstJapan - 1; year <= horizon; year++ {
		out = append(out, daySpan{
			first: dayOf(year, time.December, 29), end: dayOf(year+1, time.January, 4),
			name: "年末年始 (the year end, 29 Dec to 3 Jan)",
		})
	}
	return out
}

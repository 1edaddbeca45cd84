// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// sorting is stable in all three languages.
func sorting(g *generator) {
	for range 20 {
		type record struct{ key, n int }
		var list []record
		var literal []string
		for n := range 10 + g.IntN(60) {
			r := record{g.IntN(8), n}
			list = append(list, r)
			literal = append(literal, fmt.Sprintf("%d", r.key*1000+r.n))
		}
		values := strings.Join(literal, ",")
		slices.SortStableFunc(list, func(a, b record) int { return b.key - a.key })
		want := make([]string, len(list))
		for i, r := range list {
			want[i] = fmt.Sprint(r.n)
		}
		order := strings.Join(want, ",")
		g.add("python", order, `",".join(str(v %% 1000) for v in sorted([%s], key=lambda v: v // 1000, reverse=True))`, values)
		g.add("javascript", order, `[%s].sort((a, b) => Math.floor(b / 1000) - Math.floor(a / 1000)).map((v) => v %% 1000).join()`, values)
		g.add("java", order, `Stream.of(%s).sorted(Comparator.comparing((Integer v) -> v / 1000).reversed()).map(v -> String.valueOf(v %% 1000)).collect(Collectors.joining(","))`, values)
	}
}

// dates are of the Gregorian calendar, which all three count backwards too.
func dates(g *generator) {
	for range 80 {
		from := time.Date(1600+g.IntN(1000), 1, 1+g.IntN(366), 0, 0, 0, 0, time.UTC)
		days := g.IntN(200_000) - 100_000
		to := from.AddDate(0, 0, days)
		y, m, d := from.Date()
		want := to.Format(time.DateOnly)
		g.add("python", want, "datetime.date(%d, %d, %d) + datetime.timedelta(days=%d)", y, m, d, days)
		g.add("javascript", want, "day(Date.UTC(%d, %d, %d + %d))", y, m-1, d, days)
		g.add("java", want, "LocalDate.of(%d, %d, %d).plusDays(%d)", y, m, d, days)
		between := fmt.Sprint(int(to.Sub(from).Hours() / 24))
		y2, m2, d2 := to.Date()
		if to.Sub(from).Abs() < 290*365*24*time.Hour { // a Duration has at most 292 years
			g.add("python", between, "(datetime.date(%d, %d, %d) - datetime.date(%d, %d, %d)).days", y2, m2, d2, y, m, d)
			g.add("java", between, "ChronoUnit.DAYS.between(LocalDate.of(%d, %d, %d), LocalDate.of(%d, %d, %d))", y, m, d, y2, m2, d2)
		}
		isoYear, week := from.ISOWeek()
		weekday := (int(from.Weekday())+6)%7 + 1
		g.add("python", fmt.Sprintf("%d-W%02d-%d", isoYear, week, weekday), "'%%d-W%%02d-%%d' %% datetime.date(%d, %d, %d).isocalendar()[:3]", y, m, d)
		g.add("java", fmt.Sprintf("%d-W%02d-%d", isoYear, week, weekday), "java.time.format.DateTimeFormatter.ISO_WEEK_DATE.format(LocalDate.of(%d, %d, %d))", y, m, d)
		g.add("javascript", fmt.Sprint(int(from.Weekday())), "new Date(Date.UTC(%d, %d, %d)).getUTCDay()", y, m-1, d)
		g.add("python", fmt.Sprint(from.YearDay()), "datetime.date(%d, %d, %d).timetuple().tm_yday", y, m, d)
		g.add("java", fmt.Sprint(from.YearDay()), "LocalDate.of(%d, %d, %d).getDayOfYear()", y, m, d)
	}
}

// randomNumbers come of generators that the documentation fixes: java.util.Random's is a formula in its javadoc, Python's is the
// Mersenne Twister.
func randomNumbers(g *generator) {
	for range 40 {
		seed := g.Int64()
		state := (seed ^ 0x5DEECE66D) & (1<<48 - 1)
		next := func(bits uint) int32 {
			state = (state*0x5DEECE66D + 0xB) & (1<<48 - 1)
			return int32(state >> (48 - bits))
		}
		g.add("java", fmt.Sprint(next(32)), "new Random(%dL).nextInt()", seed)
		state = (seed ^ 0x5DEECE66D) & (1<<48 - 1)
		g.add("java", fmt.Sprint(int64(next(32))<<32+int64(next(32))), "new Random(%dL).nextLong()", seed)

		small := g.Uint32()
		var mt twister
		mt.seed([]uint32{small})
		g.add("python", fmt.Sprint(mt.next()), "random.Random(%d).getrandbits(32)", small)
		mt.seed([]uint32{small})
		a, b := mt.next()>>5, mt.next()>>6
		g.add("python", pythonFloat((float64(a)*67108864+float64(b))/9007199254740992), "random.Random(%d).random()", small)
	}
}

// twister is MT19937 of Matsumoto and Nishimura, 2002.
type twister struct {
	mt [624]uint32
	at int
}

// seed is init_by_array, which Python calls with the seed's 32-bit words.
func (t *twister) seed(key []uint32) {
	t.mt[0] = 19650218
	for i := 1; i < 624; i++ {
		t.mt[i] = 1812433253*(t.mt[i-1]^t.mt[i-1]>>30) + uint32(i)
	}
	i, j := 1, 0
	step := func() {
		if i++; i >= 624 {
			t.mt[0] = t.mt[623]
			i = 1
		}
	}
	for range 624 {
		t.mt[i] = (t.mt[i] ^ (t.mt[i-1]^t.mt[i-1]>>30)*1664525) + key[j] + uint32(j)
		step()
		j = (j + 1) % len(key)
	}
	for range 623 {
		t.mt[i] = (t.mt[i] ^ (t.mt[i-1]^t.mt[i-1]>>30)*1566083941) - uint32(i)
		step()
	}
	t.mt[0] = 0x80000000
	t.at = 624
}

func (t *twister) next() uint32 {
	if t.at == 624 {
		for i := range t.mt {
			y := t.mt[i]&0x80000000 | t.mt[(i+1)%624]&0x7fffffff
			t.mt[i] = t.mt[(i+397)%624] ^ y>>1 ^ (y&1)*0x9908b0df
		}
		t.at = 0
	}
	y := t.mt[t.at]
	t.at++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// SPDX-License-Identifier: Apache-2.0

// Package share divides what several tenants want among them: slots, connections, bytes. A tenant may have a part of what the others leave,
// at least one; the first that it takes may be larger, if there is room. So with every tenant that comes there is less for each, and room
// is left for the next one for longer than with a fixed number: the dynamic thresholds of shared-memory switches (Choudhury and Hahne,
// 1998, https://doi.org/10.1109/90.664262).
//
// The package counts and neither waits nor locks: who uses a Table decides what to do when there is no room.
package share

// Table says who has how much of one thing. It is not safe for concurrent use.
type Table struct {
	room    int64 // of all together
	percent int64 // of what the others leave, for one
	all     int64 // held together
	held    map[string]int64
}

// New returns a table in which nobody holds anything. percent is from 1 to 100.
func New(room, percent int64) *Table {
	return &Table{room: room, percent: percent, held: map[string]int64{}}
}

// Fits reports whether who may have n more: there is room, and it is within its part, or its first.
func (t *Table) Fits(who string, n int64) bool {
	have := t.held[who]
	return t.all+n <= t.room && (have == 0 || have+n <= t.Part(who))
}

// Part returns how much who may have as long as the others hold what they hold now.
func (t *Table) Part(who string) int64 {
	return (t.percent*(t.room-(t.all-t.held[who])) + 99) / 100
}

// Add counts n more for who, or, if n is negative, what who gives back. It does not ask whether they fit.
func (t *Table) Add(who string, n int64) {
	t.all += n
	if t.held[who] += n; t.held[who] == 0 {
		delete(t.held, who)
	}
}

// Full returns those who hold something and may not have one more, in no order.
func (t *Table) Full() []string {
	var full []string
	for who := range t.held {
		if !t.Fits(who, 1) {
			full = append(full, who)
		}
	}
	return full
}

// Held returns how much who holds.
func (t *Table) Held(who string) int64 { return t.held[who] }

// Room returns how much there is for all together.
func (t *Table) Room() int64 { return t.room }

// All returns how much is held together.
func (t *Table) All() int64 { return t.all }

// Holders returns how many hold something.
func (t *Table) Holders() int { return len(t.held) }

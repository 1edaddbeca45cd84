// SPDX-License-Identifier: Apache-2.0

package seccomp

import "slices"

import "math"

// set is a set of 64-bit numbers: those from lo to hi whose bits under mask are bits.
type set struct{ lo, hi, mask, bits uint64 }

// matches returns the argument's values for which a holds, as a union.
func (a Arg) matches() []set {
	span := func(lo, hi uint64) []set { return []set{{lo: lo, hi: hi}} }
	below := func() []set {
		if a.Value == 0 {
			return nil
		}
		return span(0, a.Value-1)
	}
	above := func() []set {
		if a.Value == math.MaxUint64 {
			return nil
		}
		return span(a.Value+1, math.MaxUint64)
	}
	switch a.Op {
	case OpEqual:
		return span(a.Value, a.Value)
	case OpNotEqual:
		return append(below(), above()...)
	case OpLess:
		return below()
	case OpLessEqual:
		return span(0, a.Value)
	case OpGreater:
		return above()
	case OpGreaterEqual:
		return span(a.Value, math.MaxUint64)
	case OpMaskedEqual:
		return []set{{hi: math.MaxUint64, mask: a.Value, bits: a.ValueTwo}}
	}
	return nil
}

// holds reports whether a is true of the argument v.
func (a Arg) holds(v uint64) bool {
	for _, s := range a.matches() {
		if v >= s.lo && v <= s.hi && v&s.mask == s.bits {
			return true
		}
	}
	return false
}

// overlap reports whether a call exists that both rules match.
func overlap(a, b []Arg) bool {
	for _, x := range a {
		for _, y := range b {
			if x.Index == y.Index && !x.meets(y) {
				return false
			}
		}
	}
	return true
}

// meets reports whether a number exists for which both comparisons hold.
func (a Arg) meets(b Arg) bool {
	for _, s := range a.matches() {
		if slices.ContainsFunc(b.matches(), s.meets) {
			return true
		}
	}
	return false
}

func (s set) meets(t set) bool {
	if (s.bits^t.bits)&s.mask&t.mask != 0 {
		return false
	}
	lo, hi := max(s.lo, t.lo), min(s.hi, t.hi)
	if lo > hi {
		return false
	}
	first, ok := firstMasked(lo, s.mask|t.mask, s.bits|t.bits)
	return ok && first <= hi
}

// firstMasked returns the smallest number, not below lo, whose bits under mask are bits.
func firstMasked(lo, mask, bits uint64) (uint64, bool) {
	wrong := (lo ^ bits) & mask
	if wrong == 0 {
		return lo, true
	}
	// The result equals lo above some bit, has 1 there where lo has 0, and is as small as can be below it. The lowest such
	// bit that leaves no wrong bit above it gives the smallest result.
	for i := range 64 {
		bit := uint64(1) << i
		above := ^(bit<<1 - 1)
		if wrong&above != 0 || lo&bit != 0 || mask&bit != 0 && bits&bit == 0 {
			continue
		}
		return lo&above | bit | bits&(bit-1), true
	}
	return 0, false
}
